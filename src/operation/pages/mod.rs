//! The pages of operations: each address, what it reads, and what it shows.
//!
//! Handlers read and act; the files below them turn rows into what the views show, and are pure.

mod act;
mod detail;
mod list;
mod new_sms;
mod places;
mod visit;

// From rows to what is shown.
mod facts;
mod notices;
mod rights;
#[cfg(test)]
mod samples;
mod timeline;

use axum::Router;
use axum::response::Redirect;
use axum::routing::get;

use crate::state::AppState;
use crate::web::back::START;

/// The routes of the pages, for those who sign in.
pub(crate) fn router() -> Router<AppState> {
    let start = || get(async || Redirect::to(START));
    Router::new()
        .route("/", start())
        .route("/dashboard", start())
        .route("/dashboard/operations", get(list::show).post(new_sms::submit))
        .route("/dashboard/operations/new-sms", get(new_sms::show))
        .route("/dashboard/operations/{id}", get(detail::show))
        .route("/dashboard/operations/{id}/{act}", get(act::go_back).post(act::submit))
        .merge(places::router())
}
