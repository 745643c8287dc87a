//! The refusals of `ElevenLabs`, in each of their shapes.

use hyper::StatusCode;
use serde_json::{Value, json};

use super::super::{
    answer::{self, Answer, json_answer},
    random_hex,
};

/// A request that `ElevenLabs` refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    status: StatusCode,
    detail: Value,
}

impl Refusal {
    /// The present shape: a code and a message.
    pub(super) fn coded(status: StatusCode, kind: &str, code: &str, message: impl Into<String>) -> Self {
        let (message, request_id) = (message.into(), random_hex());
        let detail =
            json!({ "type": kind, "code": code, "message": message, "status": code, "request_id": request_id });
        Self { status, detail }
    }

    /// The older shape, which most answers still have: a status as the code, and a message.
    pub(super) fn stated(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        Self { status, detail: json!({ "status": code, "message": message.into() }) }
    }

    /// A list of one problem, as of a request that does not fit the API's description.
    pub(super) fn unfit(place: [&str; 2], kind: &str, message: &str) -> Self {
        let detail = json!([{ "loc": place, "msg": message, "type": kind }]);
        Self { status: StatusCode::UNPROCESSABLE_ENTITY, detail }
    }

    /// A bare sentence, as of what is no part of the API.
    pub(super) fn said(status: StatusCode, message: &str) -> Self {
        Self { status, detail: json!(message) }
    }

    pub(super) fn no_key() -> Self {
        let message = "Neither authorization header nor xi-api-key received, please provide one.";
        Self::stated(StatusCode::UNAUTHORIZED, "needs_authorization", message)
    }

    pub(super) fn wrong_key() -> Self {
        Self::stated(StatusCode::UNAUTHORIZED, "invalid_api_key", "Invalid API key")
    }

    pub(super) fn internal() -> Self {
        Self::said(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
    }

    pub(super) fn unavailable() -> Self {
        Self::coded(StatusCode::SERVICE_UNAVAILABLE, "server_error", "system_busy", "We are busy. Please try again.")
    }

    pub(super) fn too_many_requests() -> Self {
        let message = "Too many concurrent requests. Your current subscription allows 10 of them.";
        Self::stated(StatusCode::TOO_MANY_REQUESTS, "too_many_concurrent_requests", message)
    }

    pub(super) fn quota(limit: u64, left: u64, needed: u64) -> Self {
        let message = format!(
            "This request exceeds your quota of {limit}. You have {left} credits remaining, while {needed} credits are \
             required for this request."
        );
        Self::stated(StatusCode::UNAUTHORIZED, "quota_exceeded", message)
    }

    pub(super) fn answer(&self) -> Answer {
        json_answer(self.status, &json!({ "detail": self.detail }))
    }
}

/// What cannot be journalled does not happen.
impl From<answer::Refusal> for Refusal {
    fn from(_: answer::Refusal) -> Self {
        Self::internal()
    }
}
