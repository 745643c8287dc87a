//! What the API says about an operation: one table of states for first answers, replays and waits.

mod described;
mod masked;
mod story;
mod summary;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::status::State;
use super::store::Operation;
use crate::config::PublicUrl;
use crate::error::Problem;
use crate::idempotency::IdempotencyKey;
use crate::web::extract::Json;
pub(crate) use described::{AskingHeaders, Ended, NoSuchOperation, NotAsked, PreferHeader, Taken};
pub(crate) use masked::without_numbers;
pub(crate) use story::Story;
pub(crate) use summary::Summary;

/// The answer to an asking.
#[derive(Serialize, ToSchema)]
pub(crate) struct Asked {
    #[serde(flatten)]
    operation: Summary,
    /// Whether it may still arrive, or has.
    success: bool,
    /// Whether the key was known: then nothing new was made of this request.
    replayed: bool,
}

/// The answer to an asking: its HTTP status follows from the state.
pub(crate) fn asked(operation: &Operation, key: &IdempotencyKey, replayed: bool, public_url: &PublicUrl) -> Response {
    let status = operation.state.http_status(operation.provider_sid.is_some());
    let problem = refusal(operation, status);
    let success = problem.is_none() && operation.state != State::Failed;
    let asked = Asked { operation: Summary::of(operation, public_url), success, replayed };
    let mut response = match problem {
        Some(problem) => Problem { members: members(&asked), ..problem }.into_response(),
        None => (status, Json(asked)).into_response(),
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

/// An answer as the members of a problem.
fn members(answer: &Asked) -> Map<String, Value> {
    match json!(answer) {
        Value::Object(members) => members,
        _ => Map::new(),
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
