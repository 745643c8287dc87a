//! The timeline: the lines of the audit, in plain words.

use serde_json::Value;
use time::OffsetDateTime;

use super::facts;
use crate::operation::content::Kind;
use crate::operation::store::{HistoryLine, Operation, Story};
use crate::operation::views::story::{Event, Happening};
use crate::twilio::errors;
use crate::web::text;

/// What happened, oldest first.
pub(super) fn events(operation: &Operation, story: &Story) -> Vec<Event> {
    story.history.iter().map(|line| event(operation, line)).collect()
}

/// When the operation came into the state in which it is.
pub(super) fn since(operation: &Operation, story: &Story) -> OffsetDateTime {
    let state = Some(operation.state.as_str());
    let moved = |line: &&HistoryLine| line.to_state.as_deref() == state && line.from_state != line.to_state;
    story.history.iter().rev().find(moved).map_or(operation.created_at, |line| line.at)
}

fn event(operation: &Operation, line: &HistoryLine) -> Event {
    let (happening, title, text) = told(operation, line);
    Event {
        at: line.at,
        happening,
        title,
        actor: actor(line),
        text,
        // The operation's own stands on the page once; only another one is worth repeating.
        correlation_id: line.correlation_id.clone().filter(|id| !id.is_empty() && *id != operation.correlation_id),
        raw: line.details.as_object().is_some_and(|members| !members.is_empty()).then(|| line.details.clone()),
    }
}

/// Who did it; the service's own parts are nobody.
fn actor(line: &HistoryLine) -> Option<String> {
    match (&line.person, line.actor.as_str()) {
        (Some(person), _) => Some(facts::by(Some(person), line.token.as_deref(), None)),
        (None, "twilio") => Some("Twilio".to_owned()),
        (None, "command line") => Some("somebody on the command line".to_owned()),
        (None, _) => None,
    }
}

fn told(operation: &Operation, line: &HistoryLine) -> (Happening, String, String) {
    let details = Details(&line.details);
    let attempt =
        details.number("attempt").map_or_else(|| "The attempt".to_owned(), |number| format!("Attempt {number}"));
    let reason = text::sentence(details.text("reason").unwrap_or_default());
    let (happening, title, text) = match line.action.as_str() {
        "operation.asked" => {
            (Happening::Requested, "Requested", format!("Asked for {}. {}", facts::source(operation), rule(&details)))
        }
        "operation.prepared" => (Happening::Prepared, "Speech made", "It can be heard. ".to_owned() + &rule(&details)),
        "operation.not_prepared" => (Happening::Failed, "Speech not made", reason),
        "approval.granted" if line.actor == "approval" => (Happening::Approved, "Approved by a rule", rule(&details)),
        "approval.granted" => (Happening::Approved, "Approved", quoted(details.text("comment"))),
        "approval.rejected" => (Happening::Rejected, "Rejected", quoted(details.text("reason"))),
        "operation.cancelled" if details.text("reason") == Some("mode_changed") => {
            (Happening::Cancelled, "Cancelled", "The service was started in the other mode.".to_owned())
        }
        "operation.cancelled" => (Happening::Cancelled, "Cancelled", quoted(details.text("reason"))),
        "approval.expired" => (Happening::Expired, "Expired", operation.reason.clone().unwrap_or_default()),
        "dispatch.claimed" if operation.kind == Kind::Call => {
            (Happening::SendingBegan, "Calling began", format!("{attempt}."))
        }
        "dispatch.claimed" => (Happening::SendingBegan, "Sending began", format!("{attempt}.")),
        "dispatch.accepted" => {
            (Happening::Accepted, "Accepted by Twilio", format!("Twilio answered {}.", attempt.to_lowercase()))
        }
        "dispatch.refused" => (Happening::Failed, "Refused by Twilio", reason),
        "dispatch.not_sent" => return (Happening::NotSent, format!("{attempt} was not sent"), reason),
        "dispatch.unknown" => (Happening::OutcomeUnknown, "Outcome unknown", reason),
        "dispatch.needs_review" => (Happening::NeedsReview, "Needs review", reason),
        "dispatch.reconciled" => return reconciled(&attempt, &details),
        "dispatch.rebound" => (Happening::Contradicted, "Bound to another SID", rebound(&details)),
        "dispatch.conflicted" => (
            Happening::Contradicted,
            "Twilio names another operation",
            "The SID that is bound here was reported on with another operation’s reference.".to_owned(),
        ),
        "dispatch.late_answer" => (
            Happening::Contradicted,
            "Twilio answered late",
            format!("The answer to {} came after it had been judged.{}", attempt.to_lowercase(), named(&details)),
        ),
        "twilio.callback" => return reported(operation.kind, line, &details),
        "twilio.look_up" => {
            let (happening, title, text) = reported(operation.kind, line, &details);
            return (happening, title, format!("No report came, so Twilio was asked. {text}"));
        }
        "operation.settled" => (
            Happening::Other,
            "No news for three days",
            "It counts as sent and not confirmed by the carrier. What Twilio may still report is kept.".to_owned(),
        ),
        "operation.resolved" => {
            let title = match details.text("outcome") {
                Some("sent") => "Settled: it was sent",
                Some("failed") => "Settled: it was not sent",
                _ => "Settled: send it again",
            };
            (Happening::Resolved, title, quoted(details.text("reason")))
        }
        "operation.acknowledged" => (Happening::Acknowledged, "Taken off the attention list", String::new()),
        action => (Happening::Other, action, String::new()),
    };
    (happening, title.to_owned(), text)
}

/// The rule that holds it or lets it through.
fn rule(details: &Details<'_>) -> String {
    format!("{}.", details.text("rule").unwrap_or_default())
}

/// What the evidence proved.
fn reconciled(attempt: &str, details: &Details<'_>) -> (Happening, String, String) {
    let (happening, title, text) = match details.text("evidence") {
        Some("absent") => {
            let text = "Twilio listed neither it nor anything like it, twice, a minute apart. It goes again by itself.";
            (Happening::Looked, "Not at Twilio", format!("{attempt}: {text}"))
        }
        Some("list") => {
            let text =
                format!("{attempt} is at Twilio: exactly one in its list agrees in everything.{}", named(details));
            (Happening::Looked, "Found in Twilio’s list", text)
        }
        _ => (Happening::Reported, "Settled by a report", format!("{attempt} is at Twilio: its own report says so.")),
    };
    (happening, title.to_owned(), text)
}

/// Twilio's own report names another SID than the list or a person did.
fn rebound(details: &Details<'_>) -> String {
    let was = details.text("was").map_or_else(String::new, |was| format!(" It had been taken for {was}."));
    format!("Twilio’s own report counts.{}{was}", named(details))
}

fn named(details: &Details<'_>) -> String {
    details.text("sid").map_or_else(String::new, |sid| format!(" Its SID is {sid}."))
}

/// A report of Twilio's, and what it did.
fn reported(kind: Kind, line: &HistoryLine, details: &Details<'_>) -> (Happening, String, String) {
    let word = details.text("status").unwrap_or("nothing");
    let mut text = format!("Twilio says “{word}”.");
    if let Some(code) = details.number("errorCode").and_then(|code| i32::try_from(code).ok()) {
        text = format!("{text} {} ({code})", errors::in_words(code));
    }
    if let Some(seconds) = details.text("duration").and_then(|seconds| seconds.parse().ok()) {
        text = format!("{text} It took {}.", text::span(time::Duration::seconds(seconds)));
    }
    if details.is("late") {
        text.push_str(" The report had come before it was known whose it is.");
    }
    if details.is("conflicted") {
        text.push_str(" This contradicts what stood here before.");
    }
    if details.is("duplicateSuspected") {
        text.push_str(" This attempt had been taken for not sent.");
    }
    let is_unheard = details.is("audioNotFetched");
    if is_unheard {
        text.push_str(" Nobody had fetched its clip, so nothing of it was heard.");
    }
    let moved = line.from_state != line.to_state;
    let (happening, title) = match line.to_state.as_deref() {
        Some("delivered") if moved && is_unheard => (Happening::Contradicted, "Completed, audio was not fetched"),
        Some("delivered") if moved && kind == Kind::Call => (Happening::Delivered, "Completed"),
        Some("delivered") if moved => (Happening::Delivered, "Delivered"),
        Some("failed") if moved && kind == Kind::Call => (Happening::Failed, "The call failed"),
        Some("failed") if moved => (Happening::Failed, "Not delivered"),
        Some("accepted") if moved => (Happening::Accepted, "Accepted by Twilio"),
        _ => (Happening::Reported, "Reported"),
    };
    (happening, title.to_owned(), text)
}

fn quoted(words: Option<&str>) -> String {
    words.map_or_else(String::new, |words| format!("“{words}”"))
}

/// The details of a line.
struct Details<'a>(&'a Value);

impl<'a> Details<'a> {
    fn text(&self, name: &str) -> Option<&'a str> {
        self.0.get(name).and_then(Value::as_str)
    }

    fn number(&self, name: &str) -> Option<i64> {
        self.0.get(name).and_then(Value::as_i64)
    }

    fn is(&self, name: &str) -> bool {
        self.0.get(name).and_then(Value::as_bool).unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::samples::{NOW, line, operation, story};
    use super::*;
    use crate::operation::status::State;

    fn title_and_text(line: &HistoryLine) -> (String, String) {
        let event = event(&operation(State::Accepted), line);
        (event.title, event.text)
    }

    #[test]
    fn every_line_that_is_written_has_words_of_its_own() {
        for action in [
            "operation.asked",
            "operation.prepared",
            "operation.not_prepared",
            "operation.cancelled",
            "operation.resolved",
            "operation.acknowledged",
            "approval.granted",
            "approval.rejected",
            "approval.expired",
            "dispatch.claimed",
            "dispatch.accepted",
            "dispatch.refused",
            "dispatch.not_sent",
            "dispatch.unknown",
            "dispatch.needs_review",
            "dispatch.reconciled",
            "dispatch.rebound",
            "dispatch.conflicted",
            "dispatch.late_answer",
            "twilio.callback",
            "twilio.look_up",
        ] {
            let event = event(&operation(State::Accepted), &line(action, json!({})));
            assert!(event.happening != Happening::Other && event.title != action, "{action}");
        }
        let unknown = event(&operation(State::Accepted), &line("operation.teleported", json!({})));
        assert_eq!((unknown.happening, unknown.title.as_str()), (Happening::Other, "operation.teleported"));
    }

    #[test]
    fn people_are_named_and_parts_of_the_service_are_nobody() {
        let mut line = line("approval.granted", json!({ "comment": "Checked" }));
        assert_eq!(actor(&line), None);
        line.person = Some("Marek Nowak".to_owned());
        assert_eq!(actor(&line).as_deref(), Some("Marek Nowak"));
        line.token = Some("ci".to_owned());
        assert_eq!(actor(&line).as_deref(), Some("API key ci for Marek Nowak"));
        assert_eq!(title_and_text(&line), ("Approved".to_owned(), "“Checked”".to_owned()));
    }

    #[test]
    fn a_report_is_told_by_what_it_did() {
        let mut report = line("twilio.callback", json!({ "status": "undelivered", "errorCode": 30003 }));
        (report.from_state, report.to_state) = (Some("accepted".to_owned()), Some("failed".to_owned()));
        let (title, text) = title_and_text(&report);
        assert_eq!(title, "Not delivered");
        assert!(text.starts_with("Twilio says “undelivered”. The phone cannot be reached."), "{text}");
        report.from_state = Some("failed".to_owned());
        report.details = json!({ "status": "delivered", "conflicted": true });
        let (title, text) = title_and_text(&report);
        assert_eq!(title, "Reported");
        assert!(text.ends_with("contradicts what stood here before."), "{text}");
    }

    #[test]
    fn what_the_evidence_proved_is_told_by_its_kind() {
        let told = |details| title_and_text(&line("dispatch.reconciled", details));
        let (title, text) = told(json!({ "attempt": 1, "evidence": "absent", "resend": 1 }));
        assert_eq!(title, "Not at Twilio");
        assert!(text.starts_with("Attempt 1: ") && text.ends_with("It goes again by itself."), "{text}");
        let (title, text) = told(json!({ "attempt": 1, "evidence": "list", "sid": "SM1" }));
        assert_eq!(title, "Found in Twilio’s list");
        assert!(text.ends_with("Its SID is SM1."), "{text}");
        assert_eq!(told(json!({ "attempt": 1, "evidence": "callback" })).0, "Settled by a report");
        let (_, text) = title_and_text(&line("dispatch.rebound", json!({ "attempt": 1, "sid": "SM2", "was": "SM1" })));
        assert_eq!(text, "Twilio’s own report counts. Its SID is SM2. It had been taken for SM1.");
    }

    #[test]
    fn a_call_is_completed_and_its_length_is_told() {
        let mut report = line("twilio.callback", json!({ "status": "completed", "duration": "9" }));
        (report.from_state, report.to_state) = (Some("accepted".to_owned()), Some("delivered".to_owned()));
        let call = Operation { kind: Kind::Call, ..operation(State::Delivered) };
        let event = event(&call, &report);
        assert_eq!((event.title.as_str(), event.text.as_str()), ("Completed", "Twilio says “completed”. It took 9 s."));
    }

    #[test]
    fn a_state_begins_with_the_line_that_led_into_it() {
        let mut history = story();
        let mut moved = line("dispatch.accepted", json!({}));
        moved.at = NOW - time::Duration::minutes(2);
        (moved.from_state, moved.to_state) = (Some("sending".to_owned()), Some("accepted".to_owned()));
        let mut stayed = line("twilio.callback", json!({}));
        (stayed.from_state, stayed.to_state) = (Some("accepted".to_owned()), Some("accepted".to_owned()));
        history.history = vec![moved, stayed];
        assert_eq!(since(&operation(State::Accepted), &history), NOW - time::Duration::minutes(2));
    }
}
