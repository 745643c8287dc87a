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

use axum::response::{Redirect, Response};

use crate::access::{Access, Routes};
use crate::auth::Permission;
use crate::error::Result;
use crate::operation::store::{self, Operation};
use crate::visit::Visit;
use crate::web::back::START;
use crate::web::frame::Place;

/// The routes of the pages, for those who sign in.
pub(crate) fn routes() -> Routes {
    let reader = Access::Person(Permission::ReadOperations);
    let asker = Access::Person(Permission::AskOperations);
    let decider = Access::Person(Permission::Decide);
    let start = async || Redirect::to(START);
    Routes::new()
        .get("/", Access::Anybody, start)
        .get("/dashboard", Access::Anybody, start)
        .get("/dashboard/operations", reader, list::show)
        .post("/dashboard/operations", asker, ask::submit)
        .get("/dashboard/operations/new-sms", asker, ask::show_sms)
        .post("/dashboard/operations/new-sms", asker, writing::sms)
        .get("/dashboard/operations/new-call", asker, ask::show_call)
        .post("/dashboard/operations/new-call", asker, writing::call)
        .post("/dashboard/operations/new/check", asker, writing::check)
        .get("/dashboard/operations/news", reader, list::news)
        .get("/dashboard/operations/changed", reader, list::changed)
        .get("/dashboard/operations/review", reader, review::show)
        .get("/dashboard/operations/review/approve", decider, async || Redirect::to(review::WAITING))
        .post("/dashboard/operations/review/approve", decider.confirmed(), review::approve)
        .get("/dashboard/operations/review/reject", decider, async || Redirect::to(review::WAITING))
        .post("/dashboard/operations/review/reject", decider, review::reject)
        .get("/dashboard/operations/{id}", reader, detail::show)
        .merge(act::routes())
        .merge(help::routes())
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
