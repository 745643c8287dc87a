//! What goes back over the wire: JSON in Twilio's shapes, or nothing at all.

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Response, StatusCode,
    header::{CONTENT_TYPE, HeaderName, HeaderValue, WWW_AUTHENTICATE},
};
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc2822};

pub(super) type Answer = Response<Full<Bytes>>;

/// The connection is closed and the caller never learns what became of the request.
#[derive(Debug, thiserror::Error)]
#[error("the connection is closed without an answer")]
pub(super) struct Unanswered;

/// A request that Twilio refuses, with Twilio's code for why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    status: StatusCode,
    code: u32,
    message: String,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, code: u32, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    /// By far the most: HTTP 400 with a code.
    pub(super) fn bad_request(code: u32, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// Twilio's general refusal of a value.
    pub(super) fn invalid(parameter: &str) -> Self {
        Self::bad_request(20001, format!("Invalid parameter: {parameter}"))
    }

    pub(super) fn not_found(path: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, 20404, format!("The requested resource {path} was not found"))
    }

    pub(super) fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, 20003, "Authentication Error - invalid username")
    }

    pub(super) fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, 20500, "An internal server error has occurred")
    }

    pub(super) fn unavailable() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, 20503, "Service unavailable")
    }

    pub(super) fn answer(&self) -> Answer {
        let Self { status, code, message } = self;
        let mut body = json!({
            "code": code,
            "message": message,
            "more_info": format!("https://www.twilio.com/docs/errors/{code}"),
            "status": status.as_u16(),
        });
        if *status == StatusCode::UNAUTHORIZED {
            body["detail"] = json!("Your AccountSid or AuthToken was incorrect.");
        }
        let mut answer = json_answer(*status, &body);
        let headers = answer.headers_mut();
        headers.insert(HeaderName::from_static("x-twilio-error-code"), HeaderValue::from(*code));
        if *status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"Twilio API\""));
        }
        answer
    }
}

pub(super) fn json_answer(status: StatusCode, body: &Value) -> Answer {
    with_type(status, "application/json", body.to_string())
}

pub(super) fn with_type(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = empty(status);
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    *answer.body_mut() = Full::new(body.into());
    answer
}

pub(super) fn empty(status: StatusCode) -> Answer {
    let mut answer = Answer::default();
    *answer.status_mut() = status;
    answer
}

/// A time as Twilio writes it: `Thu, 24 Aug 2023 05:01:45 +0000`.
pub(super) fn date(at: OffsetDateTime) -> String {
    at.format(&Rfc2822).expect("a time of this century has an RFC 2822 form")
}
