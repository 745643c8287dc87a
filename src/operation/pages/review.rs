//! Several operations at once: what was chosen stands on one page, whole, and each is decided by itself. There is no
//! "approve all": what is not on the page is not in the form.

use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};

use super::facts;
use crate::approval::act::{self, Act};
use crate::approval::policy::{self, Decider};
use crate::auth::Permission;
use crate::error::{FieldProblem, Problem, Result};
use crate::id::OperationId;
use crate::operation::status::State;
use crate::operation::store::{self, Operation};
use crate::operation::views::review::{Chosen, Result as Outcome, ReviewPage};
use crate::visit::Visit;
use crate::web::extract::{Form, Query};
use crate::web::frame::{FormError, Place, html};

/// Most operations that are decided on together: what a person can read.
const MOST: usize = 50;

/// Where those stand that wait.
pub(super) const WAITING: &str = "/dashboard/operations?state=pending_approval";

/// Pairs, because a name comes more than once.
type Pairs = Vec<(String, String)>;

pub(super) async fn show(visit: Visit, Query(pairs): Query<Pairs>) -> Result<Response> {
    let ids: Vec<OperationId> =
        pairs.iter().filter(|(name, _)| name == "id").filter_map(|(_, id)| id.parse().ok()).take(MOST).collect();
    if ids.is_empty() {
        return Ok(Redirect::to(WAITING).into_response());
    }
    Ok(html(StatusCode::OK, &page(&visit, &ids).await?))
}

/// What is decided; each has an address of its own, because each takes something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Approve,
    Reject,
}

/// What the form says: why, and each operation with the digest of what stood on the page.
struct Decision {
    verdict: Verdict,
    reason: String,
    chosen: Vec<(OperationId, String)>,
}

pub(super) async fn approve(visit: Visit, Form(pairs): Form<Pairs>) -> Result<Response> {
    submit(visit, Decision::read(Verdict::Approve, pairs)).await
}

pub(super) async fn reject(visit: Visit, Form(pairs): Form<Pairs>) -> Result<Response> {
    submit(visit, Decision::read(Verdict::Reject, pairs)).await
}

async fn submit(visit: Visit, decision: Decision) -> Result<Response> {
    let ids: Vec<OperationId> = decision.chosen.iter().map(|(id, _)| *id).collect();
    if let Err(problem) = decision.check() {
        let refused = ReviewPage {
            errors: problem
                .details
                .iter()
                .map(|wrong| FormError { field: Some("reason"), text: wrong.message.clone() })
                .collect(),
            typed_reason: decision.reason,
            ..page(&visit, &ids).await?
        };
        return Ok(html(problem.status, &refused));
    }
    let mut results = Vec::with_capacity(ids.len());
    for (id, digest) in &decision.chosen {
        results.push(decide(&visit, *id, decision.act(digest)).await);
    }
    let done = ReviewPage { results, chosen: Vec::new(), ..page(&visit, &[]).await? };
    Ok(html(StatusCode::OK, &done))
}

/// One decision, as if it had been made on the operation's own page. Whatever comes in its way is said beside it: those
/// before it are decided already.
async fn decide(visit: &Visit, id: OperationId, act: Act) -> Outcome {
    let app = &visit.app;
    let found = store::find(&app.db, &app.clock, app.config.mode, id).await;
    let (title, performed) = match found {
        Ok(Some(operation)) => (title(visit, &operation), perform(visit, &operation, act).await),
        Ok(None) => (id.to_string(), Err(Problem::not_found("It does not exist.").into())),
        Err(error) => (id.to_string(), Err(error.into())),
    };
    Outcome { id: id.to_string(), title, refused: performed.err().map(|error| error.into_problem().detail) }
}

async fn perform(visit: &Visit, operation: &Operation, act: Act) -> Result<()> {
    let is_twin = operation.state == State::PendingApproval && operation.possible_duplicate_of.is_some();
    if is_twin && matches!(act, Act::Approve { .. }) {
        // Whoever built the form by hand has not seen the earlier one either.
        return Err(Problem::new(StatusCode::CONFLICT, "duplicate_not_seen", ALONE).into());
    }
    act::perform(&visit.app, &visit.principal, &visit.actor, operation, act).await?;
    Ok(())
}

const ALONE: &str = "The same content was asked for to this number not long ago. Decide on it by itself.";

async fn page(visit: &Visit, ids: &[OperationId]) -> Result<ReviewPage> {
    let app = &visit.app;
    let operations = store::find_all(&app.db, &app.clock, app.config.mode, ids).await?;
    Ok(ReviewPage {
        frame: visit.frame(Place::Waiting).await?,
        chosen: operations.iter().map(|operation| chosen(visit, operation)).collect(),
        results: Vec::new(),
        errors: Vec::new(),
        typed_reason: String::new(),
    })
}

fn chosen(visit: &Visit, operation: &Operation) -> Chosen {
    Chosen {
        id: operation.id.to_string(),
        title: title(visit, operation),
        from: operation.from_number.clone(),
        status: facts::status(operation),
        content: facts::content(operation),
        digest: operation.digest().unwrap_or_default(),
        by: facts::request(operation).by,
        note: operation.note.clone(),
        left_out: left_out(visit, operation),
    }
}

/// Why it is shown and not decided on here.
fn left_out(visit: &Visit, operation: &Operation) -> Option<String> {
    let settings = visit.app.settings.current();
    let decider = Decider { user: visit.principal.user, token: visit.principal.token() };
    if !visit.principal.may(Permission::Decide) {
        return Some("Only approvers decide.".to_owned());
    }
    if operation.state != State::PendingApproval {
        return Some("Nothing is to be decided about it any more.".to_owned());
    }
    if operation.possible_duplicate_of.is_some() {
        return Some(ALONE.to_owned());
    }
    policy::may_approve(&settings, visit.app.config.mode, decider, operation.requested_by)
        .err()
        .map(|problem| problem.detail)
}

fn title(visit: &Visit, operation: &Operation) -> String {
    let recipient = facts::recipient(operation, visit.is_masked());
    format!("{} to {recipient}", facts::status(operation).kind.word())
}

impl Decision {
    /// Pairs as they come; what is not ours is left out.
    fn read(verdict: Verdict, pairs: Pairs) -> Self {
        let mut decision = Self { verdict, reason: String::new(), chosen: Vec::new() };
        for (name, value) in pairs {
            match name.as_str() {
                "reason" => decision.reason = value,
                "operation" if decision.chosen.len() < MOST => {
                    let parts =
                        value.split_once(':').and_then(|(id, digest)| Some((id.parse().ok()?, digest.to_owned())));
                    decision.chosen.extend(parts);
                }
                _ => {}
            }
        }
        decision
    }

    fn check(&self) -> Result<(), Problem> {
        if self.verdict == Verdict::Approve || !self.reason.trim().is_empty() {
            return Ok(());
        }
        let wrong = FieldProblem::new("reason", "Write why. Whoever asked sees this sentence.");
        Err(Problem { status: StatusCode::UNPROCESSABLE_ENTITY, ..Problem::invalid_fields(vec![wrong]) })
    }

    fn act(&self, digest: &str) -> Act {
        match self.verdict {
            Verdict::Approve => Act::Approve { digest: digest.to_owned(), comment: None },
            Verdict::Reject => Act::Reject { reason: self.reason.clone() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(verdict: Verdict, pairs: &[(&str, &str)]) -> Decision {
        Decision::read(verdict, pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn a_form_names_each_operation_with_its_digest() {
        let id = "019ab2c4-7e10-7c3a-9f21-5b8e0d6a41c2";
        let whole = format!("{id}:abc");
        let decision = read(
            Verdict::Approve,
            &[("operation", &whole), ("operation", "nonsense"), ("operation", id), ("reason", "")],
        );
        assert_eq!(decision.chosen, [(id.parse().unwrap(), "abc".to_owned())]);
        assert!(decision.check().is_ok());
        assert!(matches!(decision.act("abc"), Act::Approve { digest, .. } if digest == "abc"));
    }

    #[test]
    fn nothing_is_rejected_without_a_reason_and_no_field_makes_a_rejection_an_approval() {
        assert!(read(Verdict::Reject, &[("reason", " ")]).check().is_err());
        let odd = read(Verdict::Reject, &[("verdict", "approve"), ("reason", "late")]);
        assert!(matches!(odd.act("abc"), Act::Reject { .. }));
    }
}
