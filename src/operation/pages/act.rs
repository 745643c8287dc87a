//! Decisions by form: what the API does, with a page as the answer.

use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;

use super::detail;
use super::list::ListQuery;
use super::rights::Typed;
use crate::approval::act::{self, Act};
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
pub(super) struct ActForm {
    digest: String,
    comment: String,
    duplicate_seen: String,
    reason: String,
    outcome: String,
    sid: String,
}

/// A refused form stands at the address of its act; loading that again shows the operation.
pub(super) async fn go_back(Path((id, _)): Path<(String, String)>, Query(query): Query<ListQuery>) -> Redirect {
    Redirect::to(&address(&id, &query))
}

pub(super) async fn submit(
    visit: Visit,
    Path((id, name)): Path<(String, String)>,
    Query(query): Query<ListQuery>,
    Form(form): Form<ActForm>,
) -> Result<Response> {
    let (Some(operation), Some(act)) = (super::find(&visit, &id).await?, form.act(&name)) else {
        return super::not_found(&visit).await;
    };
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
    /// The act of that name, with what was typed for it.
    fn act(&self, name: &str) -> Option<Act> {
        let given = |text: &str| (!text.trim().is_empty()).then(|| text.to_owned());
        Some(match name {
            "approve" => Act::Approve { digest: self.digest.clone(), comment: given(&self.comment) },
            "reject" => Act::Reject { reason: self.reason.clone() },
            "cancel" => Act::Cancel { reason: given(&self.reason) },
            "resolve" => {
                let (outcome, sid) = match self.outcome.strip_prefix(SENT_AS) {
                    Some(sid) => ("sent", given(sid)),
                    None => (self.outcome.as_str(), given(&self.sid)),
                };
                Act::Resolve { outcome: outcome.to_owned(), sid, reason: self.reason.clone() }
            }
            "acknowledge" => Act::Acknowledge,
            _ => return None,
        })
    }

    fn typed(self) -> Typed {
        Typed { comment: self.comment, reason: self.reason, outcome: self.outcome, sid: self.sid }
    }
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
