//! Why a request gets no further, and what its sender hears: a status and a few words, nothing about us.

use axum::http::{HeaderValue, Response, StatusCode, header};
use bytes::Bytes;
use http_body_util::Full;

/// A request that went no further.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("nothing is at this path")]
    NotFound,
    #[error("another method than POST")]
    Method,
    #[error("no signature")]
    Unsigned,
    #[error("too many requests of this peer at once")]
    Busy,
    #[error("the body is over 64 KiB")]
    TooLarge,
    #[error("the body did not come in time")]
    TooSlow,
    #[error("the body ended early")]
    Incomplete,
    #[error("the signature does not fit")]
    BadSignature,
    #[error("it speaks for another account")]
    OtherAccount,
    #[error("{0} is missing or is none")]
    Malformed(&'static str),
    #[error("it could not be recorded: {0}")]
    NotRecorded(#[from] sqlx::Error),
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Unsigned | Self::BadSignature => StatusCode::UNAUTHORIZED,
            // Not 429, which Twilio does not repeat.
            Self::Busy | Self::NotRecorded(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::OtherAccount => StatusCode::FORBIDDEN,
            Self::Incomplete | Self::Malformed(_) => StatusCode::BAD_REQUEST,
        }
    }

    /// What the sender hears. The reason in words stays in the log.
    pub(super) fn answer(&self) -> Response<Full<Bytes>> {
        let status = self.status();
        match self {
            // Whoever looks for doors finds many of these; they say nothing about us.
            Self::NotFound => tracing::debug!(event = "gateway.refused", status = status.as_u16(), "{self}"),
            Self::NotRecorded(_) => tracing::error!(event = "gateway.refused", status = status.as_u16(), "{self}"),
            _ => tracing::warn!(event = "gateway.refused", status = status.as_u16(), "{self}"),
        }
        let words = status.canonical_reason().unwrap_or("Refused");
        let mut answer = Response::new(Full::new(Bytes::from_static(words.as_bytes())));
        *answer.status_mut() = status;
        let headers = answer.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        match self {
            Self::Method => {
                headers.insert(header::ALLOW, HeaderValue::from_static("POST"));
            }
            Self::Busy | Self::NotRecorded(_) => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
        }
        answer
    }
}
