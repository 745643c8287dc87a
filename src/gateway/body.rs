//! The body of a request: whole, bounded, and in time.

use axum::http::header::{CONTENT_LENGTH, EXPECT};
use axum::http::request::Parts;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::Body;

use super::pipeline::Limits;
use super::refusal::Refusal;

/// Most bytes of a body that is too large which are taken and thrown away: a connection that is closed on somebody who
/// still writes is reset, and the answer is lost with it.
const LEFTOVER: usize = 1024 * 1024;

/// Reads it, or refuses it: 413 over the limit, 408 where it does not come in time, 400 where it ends early.
pub(super) async fn read<B: Body<Data = Bytes> + Unpin>(
    parts: &Parts,
    mut body: B,
    limits: Limits,
) -> Result<Bytes, Refusal> {
    let length = parts.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    let is_declared_large = length.is_some_and(|length| length > limits.body_bytes as u64);
    // Who asks first whether to send it hears the answer without sending.
    if is_declared_large && parts.headers.contains_key(EXPECT) {
        return Err(Refusal::TooLarge);
    }
    let mut kept = BytesMut::new();
    let mut taken = 0;
    let reading = async {
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| Refusal::Incomplete)?;
            let Some(data) = frame.data_ref() else { continue };
            taken += data.len();
            if taken <= limits.body_bytes {
                kept.extend_from_slice(data);
            } else if taken > LEFTOVER {
                break;
            }
        }
        Ok(())
    };
    let read = tokio::time::timeout(limits.body_time, reading).await;
    match read {
        _ if is_declared_large || taken > limits.body_bytes => Err(Refusal::TooLarge),
        Ok(Ok(())) => Ok(kept.freeze()),
        Ok(Err(refusal)) => Err(refusal),
        Err(_) => Err(Refusal::TooSlow),
    }
}
