//! Where Twilio, and the player on the approver's page, get a clip: by its name alone, piece by piece.

use std::ops::{Range, RangeInclusive};

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::TryStreamExt as _;
use serde::Deserialize;
use uuid::Uuid;

use super::range::{Version, Wanted};
use super::row::{self, Found, Ready};
use super::store::ClipStoreError;
use crate::access::{Access, Routes};
use crate::callback::{self, Fetch};
use crate::error::{Error, Problem, ProblemDocument, Result};
use crate::id::AttemptId;
use crate::operation::content::hex;
use crate::state::AppState;
use crate::web::extract::Path;

/// The content never changes under its name. A day, and not for ever: as long as a clip is kept after its last call, so
/// that what was removed here is not kept elsewhere for long.
const CACHE: &str = "public, max-age=86400, immutable";

/// Lengths of a public name.
const NAME_LENGTH: RangeInclusive<usize> = 32..=64;

/// The route, for anybody.
pub(crate) fn routes() -> Routes {
    // Its name is 256 random bits, and Twilio must reach it.
    Routes::new().get("/api/public/call-audio/{clip}", Access::Anybody, serve)
}

/// What documents say of this address.
#[derive(utoipa::OpenApi)]
#[openapi(paths(serve))]
pub(crate) struct Described;

/// Fetch what a call plays
///
/// For Twilio, and for whoever knows the name, which cannot be guessed. Ranges and `ETag` as in RFC 9110.
#[utoipa::path(
    get, path = "/api/public/call-audio/{clip}", operation_id = "fetchClip", tag = "calls",
    params(("clip" = String, Path, description = "The recording.")),
    responses(
        (status = 200, description = "The recording.", body = Vec<u8>, content_type = "audio/mpeg"),
        (status = 206, description = "A part of it.", body = Vec<u8>, content_type = "audio/mpeg"),
        (status = 304, description = "It is still what the ETag says."),
        (status = 404, description = "`not_found`: there is no such recording.", body = ProblemDocument,
            content_type = "application/problem+json"),
        (status = 410, description = "`clip_expired`: it was removed.", body = ProblemDocument,
            content_type = "application/problem+json"),
        (status = 416, description = "`range_not_satisfiable`", body = ProblemDocument,
            content_type = "application/problem+json"),
    ),
)]
async fn serve(
    State(app): State<AppState>,
    Path(clip): Path<String>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response> {
    let is_name = NAME_LENGTH.contains(&clip.len())
        && clip.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    let found = if is_name { row::find(&app.db, &clip).await? } else { None };
    let ready = match found {
        Some(Found::Ready(ready)) => ready,
        Some(Found::Deleted) => return Err(gone().into()),
        None => return Err(Problem::not_found("There is no recording at this address. Check it.").into()),
    };
    let version = Version::new(&hex(&ready.content_hash), ready.since);
    let mut response = match version.wanted(&headers, ready.bytes, method == Method::HEAD) {
        Wanted::NotModified => StatusCode::NOT_MODIFIED.into_response(),
        Wanted::Outside => return Ok(outside(&ready)),
        Wanted::Whole if method == Method::HEAD => described(&ready, ready.bytes, Body::empty()),
        Wanted::Whole => described(&ready, ready.bytes, read(&app, &ready, 0..ready.bytes).await?),
        Wanted::Part(part) => {
            let body = read(&app, &ready, part.clone()).await?;
            let mut response = described(&ready, part.end - part.start, body);
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            let range = format!("bytes {}-{}/{}", part.start, part.end - 1, ready.bytes);
            set(&mut response, header::CONTENT_RANGE, &range);
            response
        }
    };
    set(&mut response, header::ETAG, &version.etag);
    set(&mut response, header::LAST_MODIFIED, &version.last_modified());
    set(&mut response, header::CACHE_CONTROL, CACHE);
    // Before a byte of it leaves: whoever heard the clip was seen fetching it.
    if method == Method::GET {
        note_fetch(&app, &clip, uri.query(), &headers).await;
    }
    Ok(response)
}

/// The bytes, read from the store as fast as they are taken.
async fn read(app: &AppState, ready: &Ready, range: Range<u64>) -> Result<Body> {
    let stream = app.clips.read(&ready.content_hash, ready.bytes, range).await.map_err(|error| match error {
        ClipStoreError::Failed(_) => {
            tracing::warn!(event = "clip.unavailable", %error, "the store of clips does not answer");
            unavailable().into()
        }
        error => Error::Internal(error.into()),
    })?;
    let told = stream.inspect_err(|error| {
        tracing::warn!(event = "clip.broken_off", %error, "the store of clips broke off");
    });
    Ok(Body::from_stream(told))
}

fn described(ready: &Ready, length: u64, body: Body) -> Response {
    let mut response = Response::new(body);
    set(&mut response, header::CONTENT_TYPE, &ready.content_type);
    set(&mut response, header::CONTENT_LENGTH, &length.to_string());
    set(&mut response, header::ACCEPT_RANGES, "bytes");
    response
}

fn outside(ready: &Ready) -> Response {
    let detail = format!("The recording has {} bytes, and none of those asked for.", ready.bytes);
    let mut response = Problem::new(StatusCode::RANGE_NOT_SATISFIABLE, "range_not_satisfiable", detail).into_response();
    set(&mut response, header::CONTENT_RANGE, &format!("bytes */{}", ready.bytes));
    response
}

fn gone() -> Problem {
    let detail = "This recording was removed: its calls ended long ago. Ask for the call again to have it made anew.";
    Problem::new(StatusCode::GONE, "clip_expired", detail)
}

fn unavailable() -> Problem {
    let detail = "The recordings cannot be read at the moment. Nothing was lost: try again.";
    Problem { retry_after: Some(1), ..Problem::new(StatusCode::SERVICE_UNAVAILABLE, "clips_unavailable", detail) }
}

fn set(response: &mut Response, name: header::HeaderName, value: &str) {
    if let Ok(value) = value.parse() {
        response.headers_mut().insert(name, value);
    }
}

/// Which call asks.
#[derive(Deserialize)]
struct Caller {
    call: Uuid,
}

/// Writes down that a call's clip is fetched. A fetch that cannot be written down is still answered: the person at the
/// phone waits for it.
async fn note_fetch(app: &AppState, clip: &str, query: Option<&str>, headers: &HeaderMap) {
    let Ok(Caller { call }) = serde_urlencoded::from_str(query.unwrap_or_default()) else { return };
    let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    let fetch = Fetch { clip, attempt: AttemptId(call), agent };
    match callback::note_clip_fetch(&app.db, &app.clock, app.config.mode, &fetch).await {
        Ok(Some(operation)) => {
            tracing::info!(event = "twilio.callback", %operation, effect = "fetched", "the clip is fetched");
            app.changes.announce(operation);
        }
        Ok(None) => {}
        Err(error) => tracing::warn!(event = "twilio.callback", %error, "a fetch was not written down"),
    }
}
