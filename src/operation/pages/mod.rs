//! The pages of operations: each address, what it reads, and what it shows.
//!
//! Handlers read and act; the files below them turn rows into what the views show, and are pure.

mod act;
pub(crate) mod ask;
mod detail;
mod help;
mod list;
mod new_call;
mod new_sms;
mod review;
mod writing;

// From rows to what is shown.
mod evidence;
pub(crate) mod facts;
mod notices;
pub(crate) mod rights;
mod settling;
#[cfg(test)]
mod samples;
mod timeline;

use axum::Router;
use axum::response::{Redirect, Response};
use axum::routing::{get, post};

use crate::error::Result;
use crate::operation::store::{self, Operation};
use crate::state::AppState;
use crate::visit::Visit;
use crate::web::back::START;
use crate::web::frame::Place;

/// The routes of the pages, for those who sign in.
pub(crate) fn router() -> Router<AppState> {
    let start = || get(async || Redirect::to(START));
    Router::new()
        .route("/", start())
        .route("/dashboard", start())
        .route("/dashboard/operations", get(list::show).post(ask::submit))
        .route("/dashboard/operations/new-sms", get(ask::show_sms).post(writing::sms))
        .route("/dashboard/operations/new-call", get(ask::show_call).post(writing::call))
        .route("/dashboard/operations/new/check", post(writing::check))
        .route("/dashboard/operations/news", get(list::news))
        .route("/dashboard/operations/changed", get(list::changed))
        .route("/dashboard/operations/review", get(review::show).post(review::submit))
        .route("/dashboard/operations/{id}", get(detail::show))
        .route("/dashboard/operations/{id}/{act}", get(act::go_back).post(act::submit))
        .merge(help::router())
}

/// The operation that an address names, if there is one.
async fn find(visit: &Visit, id: &str) -> Result<Option<Operation>> {
    let Ok(id) = id.parse() else { return Ok(None) };
    let app = &visit.app;
    Ok(store::find(&app.db, &app.clock, app.config.mode, id).await?)
}

async fn not_found(visit: &Visit) -> Result<Response> {
    let advice = "Check the address, or start from the list of operations.";
    visit.not_found(Place::Operations, "There is no such operation", advice).await
}
