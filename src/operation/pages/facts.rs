//! What stands written about an operation, in the words of the pages.

use serde_json::{Map, Value};

use crate::operation::status::State;
use crate::operation::store::{self, Operation, Story};
use crate::operation::views::content::{Clip, Content, Kind, Recipient};
use crate::operation::views::detail::Request;
use crate::operation::views::status::Status;
use crate::operation::views::story::{Attempt, Decided, Report};
use crate::speech::clips;
use crate::web::text;

pub(crate) fn status(operation: &Operation) -> Status {
    Status {
        kind: operation.kind,
        state: operation.state.as_str().to_owned(),
        is_settled: operation.settled_at.is_some(),
    }
}

pub(crate) fn recipient(operation: &Operation, is_masked: bool) -> Recipient {
    Recipient { number: operation.to_number.clone(), is_masked }
}

pub(super) fn content(operation: &Operation) -> Content {
    match operation.kind {
        Kind::Sms => Content::Sms {
            message: operation.message.clone().unwrap_or_default(),
            segments: operation.segments.unwrap_or_default(),
            encoding: operation.encoding.clone().unwrap_or_default(),
        },
        Kind::Call => match &operation.speech_text {
            Some(text) => Content::CallText {
                text: text.clone(),
                voice: operation.voice_id.clone(),
                model: operation.model_id.clone(),
                clip: clip(operation),
            },
            None => Content::CallAudio { url: operation.audio_url.clone().unwrap_or_default() },
        },
    }
}

/// What there is to hear of a text. The address is on our own origin, wherever the page was opened.
fn clip(operation: &Operation) -> Clip {
    match (&operation.clip_id, operation.clip_bytes) {
        (Some(clip), Some(bytes)) => Clip::Ready { address: clips::path(clip), bytes },
        (Some(_), None) => Clip::Deleted,
        (None, _) if operation.state == State::Preparing => Clip::Awaited,
        (None, _) => Clip::Never,
    }
}

/// What was seen of a recording elsewhere; what speaks against it is a notice.
pub(super) fn audio(story: &Story) -> Option<String> {
    let look = story.audio_look.as_ref()?;
    let size = look.bytes.map(|bytes| text::counted(bytes, "byte"));
    let seen: Vec<String> = look.content_type.clone().into_iter().chain(size).collect();
    (!seen.is_empty()).then(|| format!("{} when it was asked for", seen.join(", ")))
}

pub(super) fn request(operation: &Operation) -> Request {
    Request {
        by: requested_by(operation),
        at: operation.created_at,
        note: operation.note.clone(),
        rule: operation.gate_rule.clone(),
        mode: operation.mode.to_string(),
        digest: operation.digest(),
        expires_at: operation.expires_at,
        execute_before: operation.execute_before,
        idempotency_key: operation.idempotency_key.clone(),
        replays: operation.replays,
        last_replayed_at: operation.last_replayed_at,
        correlation_id: operation.correlation_id.clone(),
        sid: operation.provider_sid.clone(),
        commands: None,
    }
}

/// Takes the recipient's number out of the words of others, in which Twilio repeats it.
pub(super) fn hide_number(operation: &mut Operation, story: &mut Story) {
    let number = operation.to_number.clone();
    let hide = |words: &mut String| *words = words.replace(&number, &text::masked_phone(&number));
    operation.reason.iter_mut().chain(&mut operation.delay_reason).for_each(hide);
    story.attempts.iter_mut().filter_map(|attempt| attempt.detail.as_mut()).for_each(hide);
    story.decisions.iter_mut().filter_map(|decision| decision.reason.as_mut()).for_each(hide);
    for member in story.history.iter_mut().filter_map(|line| line.details.as_object_mut()).flat_map(Map::values_mut) {
        if let Value::String(words) = member {
            hide(words);
        }
    }
}

/// Through what it was asked for.
pub(super) fn source(operation: &Operation) -> &'static str {
    match operation.source.as_str() {
        "page" => "on the page",
        "command" => "on the command line",
        "gateway" => "through the voice gateway",
        _ => "through the API",
    }
}

fn requested_by(operation: &Operation) -> String {
    let who = by(Some(&operation.requester), operation.token_name.as_deref(), None);
    format!("{who}, {}", source(operation))
}

/// A person, the key that acted for them, or a rule.
pub(super) fn by(person: Option<&str>, token: Option<&str>, rule: Option<&str>) -> String {
    match (person, token, rule) {
        (Some(person), Some(token), _) => format!("API key {token} for {person}"),
        (Some(person), None, _) => person.to_owned(),
        (None, _, Some(rule)) => format!("Rule “{rule}”"),
        (None, _, None) => "nobody".to_owned(),
    }
}

pub(super) fn attempts(story: &Story) -> Vec<Attempt> {
    let attempt = |attempt: &store::Attempt| Attempt {
        number: attempt.number,
        state: attempt.state.clone(),
        started_at: attempt.started_at,
        took: attempt.ended_at.map(|ended_at| ended_at - attempt.started_at),
        http_status: attempt.http_status,
        sid: attempt.provider_sid.clone(),
        bound_by: attempt.bound_by.clone(),
        error_code: attempt.error_code,
        detail: attempt.detail.as_deref().map(text::sentence),
    };
    story.attempts.iter().map(attempt).collect()
}

pub(super) fn decisions(operation: &Operation, story: &Story) -> Vec<Decided> {
    let decided = |decision: &store::Decision| Decided {
        at: decision.decided_at,
        decision: decision.decision.clone(),
        outcome: decision.outcome.clone(),
        by: by(decision.decided_by.as_deref(), decision.token.as_deref(), decision.rule.as_deref()),
        reason: decision.reason.clone(),
        is_own_request: decision.self_approved || decision.decided_by.as_ref() == Some(&operation.requester),
        digest: decision.digest_hex(),
        sid: decision.sid.clone(),
    };
    story.decisions.iter().map(decided).collect()
}

pub(super) fn reports(story: &Story) -> Vec<Report> {
    let report = |event: &store::Event| Report {
        at: event.received_at,
        word: event.status.clone(),
        source: event.kind.clone(),
        matched_by: event.matched_by.clone(),
        error_code: event.error_code,
        raw: event.payload.clone(),
    };
    story.events.iter().map(report).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::samples::{decision, line, operation, story};
    use super::*;

    #[test]
    fn what_can_be_heard_of_a_text_follows_its_clip() {
        let mut call = operation(State::Preparing);
        (call.kind, call.message, call.speech_text) = (Kind::Call, None, Some("Hello".to_owned()));
        let heard = |operation: &Operation| match content(operation) {
            Content::CallText { clip, .. } => clip,
            other => panic!("{other:?}"),
        };
        assert_eq!(heard(&call), Clip::Awaited);
        call.state = State::Failed;
        assert_eq!(heard(&call), Clip::Never);
        call.state = State::PendingApproval;
        (call.clip_id, call.clip_bytes) = (Some("abc".to_owned()), Some(16_000));
        let address = "/api/public/call-audio/abc".to_owned();
        assert_eq!(heard(&call), Clip::Ready { address, bytes: 16_000 });
        call.clip_bytes = None;
        assert_eq!(heard(&call), Clip::Deleted);
    }

    #[test]
    fn a_number_that_twilio_repeats_is_hidden_with_the_others() {
        let words = "Invalid 'To' Phone Number: +14155550132";
        let mut failed = operation(State::Failed);
        failed.reason = Some(words.to_owned());
        let mut told = story();
        told.decisions = vec![store::Decision { reason: Some(words.to_owned()), ..decision("resolve") }];
        told.history = vec![line("dispatch.refused", json!({ "attempt": 1, "reason": words }))];
        hide_number(&mut failed, &mut told);
        let hidden = "Invalid 'To' Phone Number: +1•••••0132";
        assert_eq!(failed.reason.as_deref(), Some(hidden));
        assert_eq!(told.decisions[0].reason.as_deref(), Some(hidden));
        assert_eq!(told.history[0].details, json!({ "attempt": 1, "reason": hidden }));
    }

    #[test]
    fn a_token_is_named_with_the_person_behind_it() {
        let mut asked = operation(State::PendingApproval);
        assert_eq!(requested_by(&asked), "Dana Ruiz, on the page");
        asked.token_name = Some("billing-worker".to_owned());
        "api".clone_into(&mut asked.source);
        assert_eq!(requested_by(&asked), "API key billing-worker for Dana Ruiz, through the API");
        assert_eq!(by(None, None, Some("Approval is switched off")), "Rule “Approval is switched off”");
    }
}
