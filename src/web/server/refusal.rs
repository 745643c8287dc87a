//! What is answered to what is no request: hyper refuses it by itself, below every layer, so its answer is replaced by one
//! in our shape, with the headers that every answer has.

use std::fmt::Write as _;

use axum::http::StatusCode;
use bytes::Bytes;

use crate::error::Problem;
use crate::web::headers::{self, Https};

/// Makes the answers.
#[derive(Clone, Copy)]
pub(super) struct Refusals {
    https: Https,
}

impl Refusals {
    pub(super) fn new(https: Https) -> Self {
        Self { https }
    }

    /// The whole answer in place of hyper's own, which begins with these bytes.
    pub(super) fn instead_of(self, answer: &[u8]) -> Bytes {
        let problem = match answer.get(9..12) {
            Some(b"431") => Problem::new(
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "headers_too_large",
                "The head of the request is larger than 16 KiB, or has more than 100 headers. Send less.",
            ),
            Some(b"414") => super::super::size::address_too_long(),
            _ => Problem::new(
                StatusCode::BAD_REQUEST,
                "not_http",
                "This is not a request by HTTP/1.1. Check what sends it, and send it again.",
            ),
        };
        let id = uuid::Uuid::now_v7().simple().to_string();
        tracing::warn!(event = "server.refused", correlation_id = id, reason = problem.code, "no request was read");
        let body = problem.document(&id).to_string();
        let mut whole = format!("HTTP/1.1 {}\r\n", problem.status);
        let mut headers = axum::http::HeaderMap::new();
        headers::set(&mut headers, self.https);
        for (name, value) in &headers {
            let _ = write!(whole, "{name}: {}\r\n", value.to_str().unwrap_or_default());
        }
        let _ = write!(
            whole,
            "x-correlation-id: {id}\r\ncontent-type: application/problem+json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        );
        whole.into()
    }
}
