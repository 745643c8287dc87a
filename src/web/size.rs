//! The size of a request: its address is bounded, and its body is read once, whole and bounded, before anything is looked
//! up.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use zeroize::Zeroizing;

use crate::error::Problem;

/// Longest address with its query, in bytes: the longest of ours is a page of results with every filter.
const ADDRESS_LIMIT: usize = 8 * 1024;

/// Largest request body in bytes; the longest message with all its fields is well under it.
const LIMIT: usize = 64 * 1024;

/// Most bytes of a refused body that are taken and thrown away.
const LEFTOVER_LIMIT: usize = 16 * 1024 * 1024;

/// Longest that this may take.
const LEFTOVER_TIMEOUT: Duration = Duration::from_secs(5);

/// Reads the body, or refuses it: 414 with too long an address, 413 over the limit, 408 where it does not come
/// within `patience`, 400 where it ends early.
pub(super) async fn limit(State(patience): State<Duration>, request: Request, next: Next) -> Response {
    let (parts, mut body) = request.into_parts();
    if parts.uri.path_and_query().is_some_and(|address| address.as_str().len() > ADDRESS_LIMIT) {
        return address_too_long().into_response();
    }
    let length = parts.headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    let read = if length.is_some_and(|length: u64| length > LIMIT as u64) {
        Err(too_large())
    } else {
        tokio::time::timeout(patience, read(&mut body, length)).await.unwrap_or_else(|_| Err(too_slow()))
    };
    match read {
        Ok(bytes) => next.run(Request::from_parts(parts, Body::from(Bytes::from_owner(bytes)))).await,
        Err(problem) => {
            // Who asks first whether to send it hears the answer without sending.
            if problem.status == StatusCode::PAYLOAD_TOO_LARGE && !parts.headers.contains_key(header::EXPECT) {
                let _ = tokio::time::timeout(LEFTOVER_TIMEOUT, throw_away(&mut body)).await;
            }
            problem.into_response()
        }
    }
}

/// The body in a buffer that is wiped when the last reader lets go of it: it may hold a password or a key. It is made at its
/// full size, because one that grows leaves what it held behind.
async fn read(body: &mut Body, length: Option<u64>) -> Result<Zeroizing<Vec<u8>>, Problem> {
    let mut bytes = Zeroizing::new(Vec::new());
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| incomplete())?.into_data() else { continue };
        if bytes.len() + data.len() > LIMIT {
            return Err(too_large());
        }
        if bytes.capacity() == 0 {
            let length = length.and_then(|length| usize::try_from(length).ok());
            bytes.reserve_exact(length.map_or(LIMIT, |length| length.clamp(data.len(), LIMIT)));
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}

/// A connection that is closed on a caller who still writes is reset, and the answer is lost with it: so the rest is
/// taken first, within bounds.
async fn throw_away(body: &mut Body) {
    let mut taken = 0;
    while let Some(Ok(frame)) = body.frame().await {
        taken += frame.data_ref().map_or(0, bytes::Bytes::len);
        if taken > LEFTOVER_LIMIT {
            return;
        }
    }
}

pub(super) fn address_too_long() -> Problem {
    Problem::new(
        StatusCode::URI_TOO_LONG,
        "address_too_long",
        "The address is longer than 8 KiB. Ask for less at once.",
    )
}

fn too_large() -> Problem {
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "The request is larger than 64 KiB. Send less.")
}

fn too_slow() -> Problem {
    Problem::new(StatusCode::REQUEST_TIMEOUT, "timed_out", "The body did not come in time. Send the request again.")
}

fn incomplete() -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "incomplete_body", "The body ended early. Send the request again.")
}
