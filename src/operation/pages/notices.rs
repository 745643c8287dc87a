//! What must be read before acting on an operation, the most urgent first.

use serde_json::Value;

use super::{facts, settling};
use crate::operation::status::State;
use crate::operation::store::{Event, HistoryLine, Operation, Story};
use crate::operation::views::notice::Notice;
use crate::web::text;

/// The notices of an operation. `twin` is the earlier one that it may repeat.
pub(super) fn notices(operation: &Operation, story: &Story, twin: Option<&Operation>) -> Vec<Notice> {
    let mut notices = Vec::new();
    if operation.duplicate_suspected_at.is_some() {
        notices.push(Notice::DuplicateSuspected { why: why_suspected(story) });
    }
    notices.extend(contradictions(operation, story));
    notices.extend(of_state(operation, story));
    notices.extend(of_audio(operation, story));
    if let Some(twin) = twin.filter(|_| operation.state == State::PendingApproval) {
        let status = facts::status(twin);
        notices.push(Notice::PossibleDuplicate { id: twin.id.to_string(), at: twin.created_at, status });
    }
    if operation.self_approved
        && let Some(by) = &operation.approver
    {
        notices.push(Notice::SelfApproved { by: by.clone() });
    }
    notices
}

fn why_suspected(story: &Story) -> &'static str {
    if story.history.iter().any(|line| line.action == "dispatch.late_answer") {
        "Twilio’s answer came after the attempt had been judged."
    } else {
        "Twilio reported on an attempt that had been taken for not sent."
    }
}

/// A report that names another SID contradicts as well; once the operation is bound to that one, only this is told.
fn contradictions(operation: &Operation, story: &Story) -> Vec<Notice> {
    let text = |line: &HistoryLine, name| line.details.get(name).and_then(Value::as_str).map(str::to_owned);
    let rebound = story.history.iter().rev().find(|line| line.action == "dispatch.rebound");
    let rebound = rebound.and_then(|line| Some(Notice::Rebound { sid: text(line, "sid")?, was: text(line, "was")? }));
    let contradicts = |line: &&HistoryLine| line.details.get("conflicted") == Some(&Value::Bool(true));
    let explained = usize::from(rebound.is_some());
    let is_more = explained == 0 || story.history.iter().filter(contradicts).count() > explained;
    let conflicted = (operation.conflicted_at.is_some() && is_more).then_some(Notice::Conflicted);
    rebound.into_iter().chain(conflicted).collect()
}

fn of_state(operation: &Operation, story: &Story) -> Vec<Notice> {
    let reason = || text::sentence(operation.reason.as_deref().unwrap_or("No reason was given."));
    let who_decided = |decision: &str| {
        let last = story.decisions.iter().rev().find(|made| made.decision == decision)?;
        Some(facts::by(last.decided_by.as_deref(), last.token.as_deref(), last.rule.as_deref()))
    };
    let notice = match operation.state {
        State::Approved => return waiting(operation, story),
        State::Unknown => {
            let looks_from = settling::settle_at(story).filter(|settle_at| *settle_at > operation.read_at);
            Notice::OutcomeUnknown { why: reason(), looks_from }
        }
        State::NeedsReview => Notice::EvidenceUnclear { why: reason() },
        State::Failed => match who_decided("resolve") {
            Some(by) if operation.reason_code.as_deref() == Some("resolved_failed") => {
                Notice::Failed { reason: format!("{by} settled it as not sent: “{}”", reason()), code: None }
            }
            _ => Notice::Failed { reason: reason(), code: operation.error_code },
        },
        State::Expired => match operation.execute_before {
            // What can never be sent ends before its time.
            Some(at) => {
                let at = operation.finished_at.map_or(at, |finished_at| finished_at.min(at));
                Notice::ExpiredAfterApproval { cause: reason(), at }
            }
            None => Notice::ExpiredUndecided { at: operation.expires_at },
        },
        State::Rejected => Notice::Rejected { by: who_decided("reject").unwrap_or_else(service), reason: reason() },
        State::Cancelled => Notice::Cancelled {
            by: who_decided("cancel").unwrap_or_else(service),
            reason: operation.reason.as_deref().map(text::sentence),
        },
        State::Accepted => match (operation.settled_at, operation.accepted_at) {
            (Some(_), Some(accepted_at)) => Notice::NotConfirmed { accepted_at },
            _ => return Vec::new(),
        },
        State::Preparing => {
            let reason = operation.delay_reason.as_deref().map(text::sentence);
            return reason.map(|reason| Notice::SpeechDelayed { reason }).into_iter().collect();
        }
        State::PendingApproval | State::Sending | State::Delivered => return Vec::new(),
    };
    vec![notice]
}

/// What is wrong with what a call plays: before it is decided on, and after it was played to nobody. A fetch that comes late
/// takes nothing back: it is told beside.
fn of_audio(operation: &Operation, story: &Story) -> Option<Notice> {
    if let Some(ended_at) = operation.audio_not_fetched_at {
        let is_late = |event: &&Event| event.kind == "clip_fetch" && event.received_at > ended_at;
        return Some(Notice::AudioNotFetched {
            later: story.events.iter().find(is_late).map(|event| event.received_at),
        });
    }
    let doubt = story.audio_look.as_ref().and_then(|look| look.problem.clone());
    let is_open = matches!(operation.state, State::Preparing | State::PendingApproval | State::Approved);
    doubt.filter(|_| is_open).map(|why| Notice::RecordingDoubted { why })
}

/// Why an approved operation has not gone out yet.
fn waiting(operation: &Operation, story: &Story) -> Vec<Notice> {
    let absent = story.attempts.last().filter(|attempt| attempt.state == "absent");
    let absent = absent.map(|attempt| Notice::NotAtTwilio { attempt: attempt.number });
    let blocked = operation.blocked_by.map(|by| Notice::Blocked { by: by.to_string() });
    let delayed = operation.delay_reason.as_ref().map(|reason| Notice::Delayed {
        reason: text::sentence(reason),
        since: operation.approved_at.unwrap_or(operation.created_at),
    });
    absent.into_iter().chain(blocked).chain(delayed).collect()
}

fn service() -> String {
    "the service".to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::samples::{NOW, attempt, decision, line, operation, story};
    use super::*;
    use crate::id::OperationId;
    use crate::operation::audio_look::AudioLook;

    fn titles(operation: &Operation, story: &Story) -> Vec<String> {
        notices(operation, story, None).iter().map(|notice| notice.title(operation.kind)).collect()
    }

    #[test]
    fn what_is_quiet_says_nothing() {
        for state in [State::PendingApproval, State::Approved, State::Sending, State::Accepted, State::Delivered] {
            assert_eq!(titles(&operation(state), &story()), [""; 0], "{state}");
        }
    }

    #[test]
    fn every_ending_that_is_not_a_delivery_says_why() {
        let mut ended = story();
        ended.decisions = vec![decision("reject"), decision("cancel")];
        for (state, title) in [
            (State::Unknown, "The outcome is not known, so nothing is sent again"),
            (State::NeedsReview, "The evidence does not settle it, so nothing was sent again"),
            (State::Failed, "This SMS failed"),
            (State::Expired, "Nobody decided in time, and nothing was sent"),
            (State::Rejected, "Rejected by Marek Nowak"),
            (State::Cancelled, "Cancelled by Marek Nowak"),
        ] {
            assert_eq!(titles(&operation(state), &ended), [title], "{state}");
        }
    }

    #[test]
    fn speech_that_is_tried_again_says_why() {
        let mut preparing = operation(State::Preparing);
        assert_eq!(titles(&preparing, &story()), [""; 0]);
        preparing.delay_reason = Some("ElevenLabs takes no more requests".to_owned());
        assert_eq!(titles(&preparing, &story()), ["Its speech could not be made so far"]);
    }

    #[test]
    fn an_approved_one_says_what_it_waits_for() {
        let mut held_up = operation(State::Approved);
        held_up.blocked_by = Some(OperationId::new());
        held_up.delay_reason = Some("Twilio could not be reached".to_owned());
        held_up.self_approved = true;
        held_up.approver = Some("Dana Ruiz".to_owned());
        assert_eq!(
            titles(&held_up, &story()),
            [
                "It waits for another SMS that looks the same",
                "It could not be sent so far",
                "Dana Ruiz requested this SMS and approved it too"
            ]
        );
    }

    #[test]
    fn marks_stand_before_everything_else() {
        let mut marked = operation(State::Delivered);
        marked.conflicted_at = Some(NOW);
        marked.duplicate_suspected_at = Some(NOW);
        assert_eq!(titles(&marked, &story()), ["It may have gone out twice", "Twilio’s reports contradict each other"]);
    }

    #[test]
    fn a_report_of_another_sid_is_told_as_that_and_not_as_a_contradiction() {
        let mut marked = operation(State::Delivered);
        marked.conflicted_at = Some(NOW);
        let mut told = story();
        let contradicting = || line("twilio.callback", json!({ "status": "delivered", "conflicted": true }));
        told.history = vec![contradicting(), line("dispatch.rebound", json!({ "sid": "SM2", "was": "SM1" }))];
        assert_eq!(titles(&marked, &told), ["Twilio’s own report names another one"]);
        told.history.push(contradicting());
        assert_eq!(titles(&marked, &told).len(), 2, "the next one is one");
    }

    #[test]
    fn what_is_proven_not_to_be_at_twilio_says_that_it_goes_again() {
        let mut tried = story();
        tried.attempts = vec![attempt("absent")];
        let title = "Twilio does not have it, so it is sent again";
        assert_eq!(titles(&operation(State::Approved), &tried), [title]);
        assert_eq!(titles(&operation(State::Sending), &tried), [""; 0]);
    }

    #[test]
    fn an_unknown_outcome_says_when_the_list_begins_to_tell() {
        let mut tried = story();
        tried.attempts = vec![attempt("unknown")];
        let looks_from = |tried: &Story| match notices(&operation(State::Unknown), tried, None).remove(0) {
            Notice::OutcomeUnknown { looks_from, .. } => looks_from,
            other => panic!("{other:?}"),
        };
        assert_eq!(looks_from(&tried), None, "it tells already");
        tried.attempts[0].settle_at = NOW + time::Duration::seconds(20);
        assert_eq!(looks_from(&tried), Some(tried.attempts[0].settle_at));
    }

    #[test]
    fn an_approval_that_ran_out_is_told_from_none() {
        let mut expired = operation(State::Expired);
        expired.execute_before = Some(NOW);
        expired.reason = Some("Sending was on hold until its time ran out. Nothing was sent.".to_owned());
        assert_eq!(titles(&expired, &story()), ["The approval ran out, and nothing was sent"]);
    }

    #[test]
    fn the_earlier_one_is_shown_only_while_somebody_decides() {
        let twin = operation(State::Delivered);
        assert_eq!(notices(&operation(State::PendingApproval), &story(), Some(&twin)).len(), 1);
        assert_eq!(notices(&operation(State::Sending), &story(), Some(&twin)).len(), 0);
    }

    #[test]
    fn a_call_that_nobody_heard_says_so_and_a_late_fetch_is_told_beside() {
        let mut unheard = operation(State::Delivered);
        unheard.audio_not_fetched_at = Some(NOW);
        let mut told = story();
        assert_eq!(titles(&unheard, &told), ["Completed, audio was not fetched"]);
        let late = Event {
            kind: "clip_fetch".to_owned(),
            sid: String::new(),
            status: Some("fetched".to_owned()),
            error_code: None,
            matched_by: "nothing".to_owned(),
            received_at: NOW + time::Duration::minutes(1),
            payload: json!({}),
        };
        told.events = vec![late];
        let later = notices(&unheard, &told, None);
        assert!(matches!(later[..], [Notice::AudioNotFetched { later: Some(_) }]), "{later:?}");
    }

    #[test]
    fn a_doubt_about_a_recording_stands_as_long_as_it_can_matter() {
        let mut told = story();
        told.audio_look = Some(AudioLook { problem: Some("It is empty.".to_owned()), ..AudioLook::default() });
        assert_eq!(titles(&operation(State::PendingApproval), &told), ["The recording may not play"]);
        assert_eq!(titles(&operation(State::Delivered), &told), [""; 0]);
    }

    #[test]
    fn a_persons_word_is_told_as_such() {
        let mut failed = operation(State::Failed);
        failed.reason = Some("Asked the recipient".to_owned());
        failed.reason_code = Some("resolved_failed".to_owned());
        let mut settled = story();
        settled.decisions = vec![decision("resolve")];
        let notices = notices(&failed, &settled, None);
        assert!(
            matches!(&notices[..], [Notice::Failed { reason, code: None }] if reason == "Marek Nowak settled it as not sent: “Asked the recipient.”"),
            "{notices:?}"
        );
    }
}
