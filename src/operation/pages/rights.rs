//! The column beside an operation: what this reader may decide here and now. Pages show it; `approval` enforces it.

use time::Duration;

use super::settling;
use crate::approval::policy::{self, Decider};
use crate::auth::{Permission, Principal};
use crate::config::{Mode, Operating};
use crate::error::Problem;
use crate::operation::compose::cost;
use crate::operation::content::Kind;
use crate::operation::status::State;
use crate::operation::store::{Operation, Story};
use crate::operation::views::decision::{Act, Approval, Deadline, Decision, Right};
use crate::web::frame::FormError;
use crate::web::text;

/// Who looks, and under which rules.
pub(crate) struct Reader<'a> {
    pub(crate) principal: &'a Principal,
    pub(crate) settings: &'a Operating,
    pub(crate) mode: Mode,
}

/// What was typed with a decision that was refused.
#[derive(Clone, Debug, Default)]
pub(super) struct Typed {
    pub(super) comment: String,
    pub(super) reason: String,
    pub(super) outcome: String,
    pub(super) sid: String,
}

/// Everything that this reader may do. `queued` are the segments that its sender has to send first.
pub(super) fn decision(reader: &Reader<'_>, operation: &Operation, story: &Story, queued: i64) -> Decision {
    Decision {
        deadline: deadline(operation),
        approval: approval(reader, operation, queued),
        resolution: settling::resolution(reader, operation, story),
        acts: acts(reader, operation),
        ..Decision::default()
    }
}

/// The same column after a refusal: it says why, and keeps what was typed.
pub(super) fn refused(mut decision: Decision, problem: &Problem, typed: &Typed) -> Decision {
    if let Right::Granted(approval) = &mut decision.approval {
        approval.typed_comment.clone_from(&typed.comment);
    }
    if let Right::Granted(resolution) = &mut decision.resolution {
        settling::refused(resolution, problem, typed);
    }
    decision.typed_reason.clone_from(&typed.reason);
    decision.errors = errors(&decision, problem);
    decision
}

fn errors(decision: &Decision, problem: &Problem) -> Vec<FormError> {
    if problem.details.is_empty() {
        return vec![FormError { field: None, text: problem.detail.clone() }];
    }
    let wrong = problem.details.iter();
    wrong.map(|wrong| FormError { field: field(decision, &wrong.field), text: wrong.message.clone() }).collect()
}

/// The field of that name, if its form still stands on the page.
fn field(decision: &Decision, name: &str) -> Option<&'static str> {
    let may_approve = matches!(decision.approval, Right::Granted(_));
    let may_resolve = matches!(decision.resolution, Right::Granted(_));
    let fields = [
        ("comment", may_approve),
        ("duplicate_seen", may_approve),
        ("reason", may_resolve || decision.offers(Act::Reject)),
        ("sid", may_resolve),
    ];
    fields.into_iter().find(|(field, stands)| *field == name && *stands).map(|(field, _)| field)
}

fn deadline(operation: &Operation) -> Option<Deadline> {
    match (operation.state, operation.approved_at, operation.execute_before) {
        (State::PendingApproval, ..) => Some(Deadline {
            label: "Time left to decide",
            began_at: operation.created_at,
            ends_at: operation.expires_at,
        }),
        (State::Approved, Some(began_at), Some(ends_at)) => {
            Some(Deadline { label: "Time left to send", began_at, ends_at })
        }
        _ => None,
    }
}

fn approval(reader: &Reader<'_>, operation: &Operation, queued: i64) -> Right<Approval> {
    let Some(digest) = operation.digest().filter(|_| operation.state == State::PendingApproval) else {
        return Right::Nothing;
    };
    match reader.may_approve(operation) {
        Err(problem) => Right::Denied(problem.detail),
        Ok(()) => Right::Granted(Approval {
            digest,
            asks_about_duplicate: operation.possible_duplicate_of.is_some(),
            cost: cost::estimate(&reader.settings.prices, operation.kind, operation.segments.unwrap_or_default())
                .map(|estimate| estimate.to_string()),
            warning: warning(reader, operation, queued),
            typed_comment: String::new(),
        }),
    }
}

/// A queue that is longer than the approval lasts.
fn warning(reader: &Reader<'_>, operation: &Operation, queued: i64) -> Option<String> {
    let dispatch = &reader.settings.dispatch;
    let (rate, unit) = match operation.kind {
        Kind::Sms => (dispatch.sms_segments_per_second(reader.mode), "segment"),
        Kind::Call => (dispatch.calls_per_second, "call"),
    };
    let queued = i32::try_from(queued).unwrap_or(i32::MAX);
    if rate <= 0.0 || queued == 0 {
        return None;
    }
    let wait = Duration::seconds_f64(f64::from(queued) / rate);
    (wait > reader.settings.approval.execution_window()).then(|| {
        let (queue, wait) = (text::counted(i64::from(queued), unit), text::span(wait));
        format!("{queue} wait before it. At {rate} a second its turn comes in {wait}, when this approval has run out.")
    })
}

fn acts(reader: &Reader<'_>, operation: &Operation) -> Vec<Act> {
    let principal = reader.principal;
    let (decides, asks) = (principal.may(Permission::Decide), principal.may(Permission::AskOperations));
    let is_own = operation.requested_by == principal.user;
    let is_open = matches!(operation.state, State::Preparing | State::PendingApproval | State::Approved);
    [
        (Act::Reject, decides && operation.state == State::PendingApproval),
        (Act::Cancel, is_open && (decides || (is_own && asks))),
        (Act::Acknowledge, decides && operation.needs_attention),
        (Act::AskAgain, asks && operation.state.is_final()),
    ]
    .into_iter()
    .filter_map(|(act, is_offered)| is_offered.then_some(act))
    .collect()
}

impl Reader<'_> {
    /// Whether this reader may approve what stands there.
    pub(crate) fn may_approve(&self, operation: &Operation) -> Result<(), Problem> {
        self.principal.require(Permission::Decide)?;
        policy::may_approve(self.settings, self.mode, self.decider(), operation.requested_by).map(|_| ())
    }

    pub(super) fn decider(&self) -> Decider {
        Decider { user: self.principal.user, token: self.principal.token() }
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{NOW, operation, principal, story};
    use super::*;
    use crate::auth::Role;
    use crate::config::{Config, Environment};
    use crate::error::FieldProblem;
    use crate::id::OperationId;

    fn column(principal: &Principal, mode: Mode, operation: &Operation) -> Decision {
        let settings = Config::load(&Environment::of([])).expect("settings").operating;
        decision(&Reader { principal, settings: &settings, mode }, operation, &story(), 4_000)
    }

    #[test]
    fn only_who_may_decide_is_offered_a_decision() {
        let pending = operation(State::PendingApproval);
        for role in Role::ALL {
            let column = column(&principal(role), Mode::Sandbox, &pending);
            let decides = role >= Role::Approver;
            assert_eq!(matches!(column.approval, Right::Granted(_)), decides, "{role}");
            assert_eq!(column.acts, if decides { vec![Act::Reject, Act::Cancel] } else { vec![] }, "{role}");
        }
    }

    #[test]
    fn under_four_eyes_ones_own_request_can_be_withdrawn_and_not_approved() {
        let own = principal(Role::Approver);
        let mut pending = operation(State::PendingApproval);
        pending.requested_by = own.user;
        let live = column(&own, Mode::Live, &pending);
        assert!(matches!(live.approval, Right::Denied(why) if why.starts_with("You asked for this yourself")));
        assert_eq!(live.acts, [Act::Reject, Act::Cancel]);
        assert!(matches!(column(&own, Mode::Sandbox, &pending).approval, Right::Granted(_)));
    }

    #[test]
    fn an_operator_withdraws_only_what_is_their_own() {
        let operator = principal(Role::Operator);
        let mut approved = operation(State::Approved);
        assert_eq!(column(&operator, Mode::Live, &approved).acts, []);
        approved.requested_by = operator.user;
        assert_eq!(column(&operator, Mode::Live, &approved).acts, [Act::Cancel]);
    }

    #[test]
    fn a_queue_that_outlasts_the_approval_is_warned_of() {
        let pending = operation(State::PendingApproval);
        let warning = |mode| match column(&principal(Role::Approver), mode, &pending).approval {
            Right::Granted(approval) => approval.warning,
            other => panic!("{other:?}"),
        };
        let expected =
            "4,000 segments wait before it. At 1 a second its turn comes in 1 h 6 min, when this approval has run out.";
        assert_eq!(warning(Mode::Live).as_deref(), Some(expected));
        assert_eq!(warning(Mode::Sandbox), None, "no limit, no queue");
    }

    #[test]
    fn what_ended_can_be_asked_for_again_by_who_may_ask() {
        for state in State::ALL.into_iter().filter(|state| state.is_final()) {
            assert_eq!(
                column(&principal(Role::Operator), Mode::Live, &operation(state)).acts,
                [Act::AskAgain],
                "{state}"
            );
            assert!(column(&principal(Role::Viewer), Mode::Live, &operation(state)).is_empty(), "{state}");
        }
    }

    #[test]
    fn time_left_is_counted_while_there_is_something_to_lose() {
        let mut approved = operation(State::Approved);
        (approved.approved_at, approved.execute_before) = (Some(NOW), Some(NOW + Duration::hours(1)));
        assert_eq!(deadline(&approved).map(|deadline| deadline.label), Some("Time left to send"));
        assert!(
            deadline(&operation(State::PendingApproval)).is_some() && deadline(&operation(State::Sending)).is_none()
        );
    }

    #[test]
    fn a_refusal_keeps_what_was_typed_and_points_at_fields_that_are_there() {
        let approver = principal(Role::Approver);
        let problem = Problem::invalid_fields(vec![FieldProblem::new("reason", "Write why.")]);
        let typed = Typed { reason: "because".to_owned(), outcome: "sent".to_owned(), ..Typed::default() };
        let review = column(&approver, Mode::Live, &operation(State::NeedsReview));
        let column_again = refused(review, &problem, &typed);
        assert_eq!(column_again.errors[0].field, Some("reason"));
        assert_eq!(column_again.typed_reason, "because");
        let Right::Granted(resolution) = column_again.resolution else { panic!("a resolution") };
        assert_eq!(resolution.chosen, "sent");

        let gone = refused(column(&approver, Mode::Live, &operation(State::Delivered)), &problem, &typed);
        assert_eq!(gone.errors[0].field, None, "its form is not on the page");
    }

    #[test]
    fn the_earlier_twin_must_have_been_seen() {
        let mut pending = operation(State::PendingApproval);
        pending.possible_duplicate_of = Some(OperationId::new());
        let column = column(&principal(Role::Approver), Mode::Live, &pending);
        assert!(matches!(column.approval, Right::Granted(Approval { asks_about_duplicate: true, .. })));
    }
}
