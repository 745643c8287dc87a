//! What the API says about an operation: one table of states for first answers, replays and waits.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Map, Value, json};

use super::audio_look::AudioLook;
use super::content::Kind;
use super::status::State;
use super::store::{Operation, Story};
use crate::clock::rfc3339;
use crate::config::PublicUrl;
use crate::error::Problem;
use crate::idempotency::IdempotencyKey;
use crate::phone::mask;
use crate::speech::clips;
use crate::twilio::errors;
use crate::web::extract::Json;

/// The answer to an asking: its HTTP status follows from the state.
pub(crate) fn asked(operation: &Operation, key: &IdempotencyKey, replayed: bool, public_url: &PublicUrl) -> Response {
    let status = operation.state.http_status(operation.provider_sid.is_some());
    let mut body = summary(operation, public_url);
    body.insert("replayed".to_owned(), json!(replayed));
    let mut response = match refusal(operation, status) {
        Some(mut problem) => {
            problem.members = body;
            problem.members.insert("success".to_owned(), json!(false));
            problem.into_response()
        }
        None => {
            body.insert("success".to_owned(), json!(operation.state != State::Failed));
            (status, Json(Value::Object(body))).into_response()
        }
    };
    name_key(&mut response, key);
    let headers = response.headers_mut();
    if replayed {
        headers.insert("idempotent-replayed", HeaderValue::from_static("true"));
    }
    if status == StatusCode::ACCEPTED
        && let Ok(value) = HeaderValue::from_str(&format!("/api/operations/{}", operation.id))
    {
        headers.insert(header::LOCATION, value);
    }
    response
}

/// Says which key the answer is about.
pub(crate) fn name_key(response: &mut Response, key: &IdempotencyKey) {
    if let Ok(value) = HeaderValue::from_str(key.as_str()) {
        response.headers_mut().insert("idempotency-key", value);
    }
}

/// The problem that an ended operation answers with; `None` where it is no problem.
fn refusal(operation: &Operation, status: StatusCode) -> Option<Problem> {
    let reason = operation.reason.clone().unwrap_or_default();
    let (code, detail) = match operation.state {
        State::Failed if operation.provider_sid.is_none() => {
            let code = operation.reason_code.as_deref();
            let code = if code == Some("provider_refused") { "provider_refused" } else { "operation_failed" };
            (code, reason)
        }
        State::Rejected => ("approval_rejected", format!("An approver rejected it: {reason}")),
        State::Cancelled => ("operation_cancelled", format!("It was withdrawn. {reason}")),
        State::Expired => ("approval_expired", format!("{reason} Ask again with a new key.")),
        _ => return None,
    };
    Some(Problem::new(status, code, detail.trim()))
}

/// What every answer says.
pub(crate) fn summary(operation: &Operation, public_url: &PublicUrl) -> Map<String, Value> {
    let page = public_url.join(&format!("/dashboard/operations/{}", operation.id));
    let mut body = Map::new();
    let mut put = |name: &str, value: Value| {
        body.insert(name.to_owned(), value);
    };
    put("operationId", json!(operation.id));
    put("kind", json!(operation.kind));
    put("mode", json!(operation.mode));
    put("state", json!(operation.state));
    put("status", json!(operation.status()));
    put("to", json!(operation.to_number));
    put("from", json!(operation.from_number));
    put("digest", json!(operation.digest()));
    match operation.kind {
        Kind::Sms => {
            put("segments", json!(operation.segments));
            put("encoding", json!(operation.encoding));
        }
        // A call from text has its clip, and an address of that, once there is something to hear.
        Kind::Call => {
            let clip = operation.clip_id.as_deref();
            let made = clip.map(|clip| clips::address(public_url, clip));
            put("audioUrl", json!(operation.audio_url.as_ref().or(made.as_ref())));
            put("clipId", json!(clip));
            put("voiceId", json!(operation.voice_id));
            put("modelId", json!(operation.model_id));
        }
    }
    put("createdAt", json!(rfc3339(operation.created_at)));
    put("expiresAt", json!(rfc3339(operation.execute_before.unwrap_or(operation.expires_at))));
    put("approvalUrl", json!(page));
    if let Some(sid) = &operation.provider_sid {
        let name = match operation.kind {
            Kind::Sms => "messageSid",
            Kind::Call => "callSid",
        };
        put(name, json!(sid));
    }
    if operation.needs_attention {
        put("attention", json!(operation.attention()));
    }
    if let Some(other) = operation.blocked_by {
        put("blockedBy", json!(other));
    }
    if let Some(other) = operation.possible_duplicate_of {
        put("possibleDuplicateOf", json!(other));
    }
    if let Some(reason) = operation.reason.as_ref().or(operation.delay_reason.as_ref()) {
        put("reason", json!(reason));
    }
    if let Some(code) = &operation.reason_code {
        put("reasonCode", json!(code));
    }
    if let Some(code) = operation.error_code {
        put("errorCode", json!(code));
        put("errorUrl", json!(errors::link(code)));
    }
    body
}

/// The whole story of one operation.
pub(crate) fn whole(operation: &Operation, story: &Story, public_url: &PublicUrl) -> Value {
    let mut body = summary(operation, public_url);
    let mut put = |name: &str, value: Value| {
        body.insert(name.to_owned(), value);
    };
    match operation.kind {
        Kind::Sms => put("message", json!(operation.message)),
        Kind::Call => {
            put("text", json!(operation.speech_text));
            put("clipBytes", json!(operation.clip_bytes));
        }
    }
    put("requestedBy", json!(operation.requester_email));
    put("token", json!(operation.token_name));
    put("source", json!(operation.source));
    put("note", json!(operation.note));
    put("idempotencyKey", json!(operation.idempotency_key));
    put("replays", json!(operation.replays));
    put("correlationId", json!(operation.correlation_id));
    put("rule", json!(operation.gate_rule));
    put("updatedAt", json!(rfc3339(operation.updated_at)));
    put("approvedAt", json!(operation.approved_at.map(rfc3339)));
    put("acceptedAt", json!(operation.accepted_at.map(rfc3339)));
    put("finishedAt", json!(operation.finished_at.map(rfc3339)));
    put("settledAt", json!(operation.settled_at.map(rfc3339)));
    put("needsAttention", json!(operation.needs_attention));
    put("acknowledgedAt", json!(operation.acknowledged_at.map(rfc3339)));
    put("acknowledgedBy", json!(operation.acknowledged_by));
    put("conflicted", json!(operation.conflicted_at.is_some()));
    put("duplicateSuspected", json!(operation.duplicate_suspected_at.is_some()));
    if operation.kind == Kind::Call {
        put("audioNotFetchedAt", json!(operation.audio_not_fetched_at.map(rfc3339)));
        put("audioLook", json!(story.audio_look.as_ref().map(AudioLook::document)));
    }
    let decisions = story.decisions.iter().map(|decision| {
        json!({
            "decision": decision.decision, "by": decision.decided_by, "token": decision.token, "rule": decision.rule,
            "digest": decision.digest_hex(), "outcome": decision.outcome, "sid": decision.sid,
            "reason": decision.reason, "selfApproved": decision.self_approved, "at": rfc3339(decision.decided_at),
        })
    });
    put("decisions", decisions.collect());
    let attempts = story.attempts.iter().map(|attempt| {
        json!({
            "number": attempt.number, "state": attempt.state, "startedAt": rfc3339(attempt.started_at),
            "deadlineAt": rfc3339(attempt.deadline_at), "settleAt": rfc3339(attempt.settle_at),
            "endedAt": attempt.ended_at.map(rfc3339), "httpStatus": attempt.http_status,
            "errorCode": attempt.error_code, "detail": attempt.detail, "sid": attempt.provider_sid,
            "boundBy": attempt.bound_by, "twilioRequestId": attempt.request_id,
        })
    });
    put("attempts", attempts.collect());
    let evidence = story.evidence.iter().map(|look| {
        json!({
            "attempt": look.attempt, "at": rfc3339(look.at), "asked": look.asked, "found": look.found,
            "conclusion": look.conclusion,
        })
    });
    put("evidence", evidence.collect());
    let events = story.events.iter().map(|event| {
        json!({
            "kind": event.kind, "sid": event.sid, "status": event.status, "errorCode": event.error_code,
            "matchedBy": event.matched_by, "receivedAt": rfc3339(event.received_at), "payload": event.payload,
        })
    });
    put("providerEvents", events.collect());
    let history = story.history.iter().map(|line| {
        json!({
            "seq": line.seq, "at": rfc3339(line.at), "actor": line.actor, "action": line.action,
            "from": line.from_state, "to": line.to_state, "details": line.details,
            "hash": super::content::hex(&line.hash),
        })
    });
    put("history", history.collect());
    Value::Object(body)
}

/// The same for those who may see nobody's number: without the recipient's, wherever it stands, and without those of
/// others to whom Twilio's list has something alike.
pub(crate) fn without_numbers(document: Value, recipient: &str) -> Value {
    let hide = |text: &str| text.replace(recipient, &mask(recipient));
    match document {
        Value::String(text) => Value::String(hide(&text)),
        Value::Array(items) => items.into_iter().map(|item| without_numbers(item, recipient)).collect(),
        Value::Object(members) => members
            .into_iter()
            .map(|(name, value)| match value {
                Value::String(number) if name == "to" => (name, Value::String(masked(&number))),
                value => (name, without_numbers(value, recipient)),
            })
            .collect(),
        other => other,
    }
}

/// A number without its middle. States stand under `to` as well, and stay as they are.
fn masked(number: &str) -> String {
    if number.starts_with('+') { mask(number) } else { number.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobodys_number_is_left_and_states_are() {
        let document = json!({
            "to": "+14155550132",
            "reason": "Invalid number: +14155550132",
            "evidence": [{ "found": { "candidates": [{ "sid": "SM1", "to": "+447700900123", "agrees": false }] } }],
            "history": [{ "from": "sending", "to": "unknown" }],
        });
        let shown = without_numbers(document, "+14155550132");
        assert_eq!((&shown["to"], &shown["history"][0]["to"]), (&json!("+1••••••0132"), &json!("unknown")));
        assert_eq!(shown["reason"], "Invalid number: +1••••••0132");
        assert_eq!(shown["evidence"][0]["found"]["candidates"][0]["to"], "+4•••••••0123");
    }
}
