//! Decisions by form: what the API does, with a page as the answer.

use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;

use super::detail;
use super::list::ListQuery;
use super::rights::Typed;
use crate::access::{Access, Routes};
use crate::approval::act::{self, Act};
use crate::auth::Permission;
use crate::error::{Error, FieldProblem, Problem, Result};
use crate::operation::status::State;
use crate::operation::store::Operation;
use crate::operation::views::decision::SENT_AS;
use crate::visit::{Visit, refusal};
use crate::web::extract::{Form, Path, Query};
use crate::web::frame::html;

/// The fields of all the forms beside an operation; each form has some of them.
#[derive(Default, Deserialize)]
#[serde(default)]
struct ActForm {
    digest: String,
    comment: String,
    duplicate_seen: String,
    reason: String,
    outcome: String,
    sid: String,
}

/// The routes of the acts. What sends something out is confirmed; what stops it is not, so that stopping is quick.
pub(super) fn routes() -> Routes {
    let decider = Access::Person(Permission::Decide);
    // One's own request may be withdrawn by whoever may ask.
    let asker = Access::Person(Permission::AskOperations);
    let reader = Access::Person(Permission::ReadOperations);
    Routes::new()
        .get("/dashboard/operations/{id}/approve", reader, go_back)
        .post("/dashboard/operations/{id}/approve", decider.confirmed(), approve)
        .get("/dashboard/operations/{id}/reject", reader, go_back)
        .post("/dashboard/operations/{id}/reject", decider, reject)
        .get("/dashboard/operations/{id}/cancel", reader, go_back)
        .post("/dashboard/operations/{id}/cancel", asker, cancel)
        .get("/dashboard/operations/{id}/resolve", reader, go_back)
        .post("/dashboard/operations/{id}/resolve", decider.confirmed(), resolve)
        .get("/dashboard/operations/{id}/acknowledge", reader, go_back)
        .post("/dashboard/operations/{id}/acknowledge", decider, acknowledge)
}

/// A refused form stands at the address of its act; loading that again shows the operation.
async fn go_back(Path(id): Path<String>, Query(query): Query<ListQuery>) -> Redirect {
    Redirect::to(&address(&id, &query))
}

/// Who asks, at which operation, and the list that it was chosen from.
type Context = (Visit, Path<String>, Query<ListQuery>);

async fn approve(
    visit: Visit,
    id: Path<String>,
    query: Query<ListQuery>,
    Form(form): Form<ActForm>,
) -> Result<Response> {
    let act = Act::Approve { digest: form.digest.clone(), comment: given(&form.comment) };
    submit((visit, id, query), form, act).await
}

async fn reject(
    visit: Visit,
    id: Path<String>,
    query: Query<ListQuery>,
    Form(form): Form<ActForm>,
) -> Result<Response> {
    let act = Act::Reject { reason: form.reason.clone() };
    submit((visit, id, query), form, act).await
}

async fn cancel(
    visit: Visit,
    id: Path<String>,
    query: Query<ListQuery>,
    Form(form): Form<ActForm>,
) -> Result<Response> {
    let act = Act::Cancel { reason: given(&form.reason) };
    submit((visit, id, query), form, act).await
}

async fn resolve(
    visit: Visit,
    id: Path<String>,
    query: Query<ListQuery>,
    Form(form): Form<ActForm>,
) -> Result<Response> {
    let (outcome, sid) = match form.outcome.strip_prefix(SENT_AS) {
        Some(sid) => ("sent", given(sid)),
        None => (form.outcome.as_str(), given(&form.sid)),
    };
    let act = Act::Resolve { outcome: outcome.to_owned(), sid, reason: form.reason.clone() };
    submit((visit, id, query), form, act).await
}

async fn acknowledge(
    visit: Visit,
    id: Path<String>,
    query: Query<ListQuery>,
    Form(form): Form<ActForm>,
) -> Result<Response> {
    submit((visit, id, query), form, Act::Acknowledge).await
}

async fn submit((visit, Path(id), Query(query)): Context, form: ActForm, act: Act) -> Result<Response> {
    let Some(operation) = super::find(&visit, &id).await? else { return super::not_found(&visit).await };
    let Err(error) = perform(&visit, &operation, &form, act).await else {
        return Ok(Redirect::to(&address(&id, &query)).into_response());
    };
    let problem = refusal(error)?;
    // As it stands now: what was refused may have been overtaken.
    match detail::page(&visit, &id, &query, Some((&problem, form.typed()))).await? {
        Some(page) => Ok(html(problem.status, &page)),
        None => super::not_found(&visit).await,
    }
}

async fn perform(visit: &Visit, operation: &Operation, form: &ActForm, act: Act) -> Result<(), Error> {
    if let (Some(_), false) = (form.outcome.strip_prefix(SENT_AS), form.sid.trim().is_empty()) {
        return Err(two_sids().into());
    }
    let is_approval = matches!(act, Act::Approve { .. });
    let has_twin = operation.state == State::PendingApproval && operation.possible_duplicate_of.is_some();
    if is_approval && has_twin && form.duplicate_seen.is_empty() {
        return Err(twin_not_seen().into());
    }
    act::perform(&visit.app, &visit.principal, &visit.actor, operation, act).await?;
    Ok(())
}

impl ActForm {
    fn typed(self) -> Typed {
        Typed { comment: self.comment, reason: self.reason, outcome: self.outcome, sid: self.sid }
    }
}

/// What was typed, if anything was.
fn given(text: &str) -> Option<String> {
    (!text.trim().is_empty()).then(|| text.to_owned())
}

fn twin_not_seen() -> Problem {
    let message =
        "The same content was asked for to this number not long ago. Look at the earlier one, then say that you have.";
    let wrong = vec![FieldProblem::new("duplicate_seen", message)];
    Problem { status: StatusCode::UNPROCESSABLE_ENTITY, ..Problem::invalid_fields(wrong) }
}

fn two_sids() -> Problem {
    let message = "You chose one of Twilio’s list and wrote a SID as well. Only one can be this one: choose or write.";
    let wrong = vec![FieldProblem::new("sid", message)];
    Problem { status: StatusCode::UNPROCESSABLE_ENTITY, ..Problem::invalid_fields(wrong) }
}

/// The operation, beside the list that it was chosen from.
fn address(id: &str, query: &ListQuery) -> String {
    format!("/dashboard/operations/{id}{}", query.suffix())
}
