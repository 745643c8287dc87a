//! The recording of test calls: served by ourselves, so that a call that plays it also proves that Twilio reaches the
//! public URL.

use axum::extract::State;
use axum::http::{HeaderMap, Uri, header};
use axum::response::IntoResponse;
use uuid::Uuid;

use crate::access::{Access, Routes};
use crate::callback;
use crate::config::PublicUrl;
use crate::state::AppState;

/// Says "This is a test call from Mission Control" (MP3, mono, 9 s).
static RECORDING: &[u8] = include_bytes!("test-recording.mp3");

const PATH: &str = "/api/public/call-audio/test-recording.mp3";

/// How Twilio's media fetcher names itself. Anybody can say so: a fetch is shown, and proves nothing.
const TWILIO: &str = "TwilioProxy/";

/// Where a call finds it. Each call gets an address of its own, so that no cache answers for us and a fetch can be told
/// from those of other calls.
pub(crate) fn address(public_url: &PublicUrl) -> String {
    public_url.join(&format!("{PATH}?call={}", Uuid::now_v7().simple()))
}

/// Whether a call to this address would play it.
pub(crate) fn is_at(address: &str, public_url: &PublicUrl) -> bool {
    address.strip_prefix(&public_url.join(PATH)).is_some_and(|rest| rest.starts_with("?call="))
}

/// How long it is.
pub(crate) fn bytes() -> usize {
    RECORDING.len()
}

/// The route of the recording, for anybody.
pub(crate) fn routes() -> Routes {
    Routes::new().get(PATH, Access::Anybody, serve)
}

/// What documents say of this address.
#[derive(utoipa::OpenApi)]
#[openapi(paths(serve))]
pub(crate) struct Described;

/// Fetch the recording of test calls
#[utoipa::path(
    get, path = "/api/public/call-audio/test-recording.mp3", operation_id = "fetchTestRecording", tag = "calls",
    responses((status = 200, description = "The recording.", body = Vec<u8>, content_type = "audio/mpeg")),
)]
async fn serve(State(app): State<AppState>, uri: Uri, headers: HeaderMap) -> impl IntoResponse {
    let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    if agent.starts_with(TWILIO) && uri.query().is_some() {
        note_fetch(&app, &uri, agent).await;
    }
    ([(header::CONTENT_TYPE, "audio/mpeg"), (header::CACHE_CONTROL, "no-cache")], RECORDING)
}

/// A fetch that cannot be written down is still answered: the person at the phone waits for it.
async fn note_fetch(app: &AppState, uri: &Uri, agent: &str) {
    let url = app.public_url.join(uri.path_and_query().map_or(PATH, |path| path.as_str()));
    match callback::note_fetch(&app.db, &app.clock, app.config.mode, &url, agent).await {
        Ok(Some(operation)) => {
            tracing::info!(event = "twilio.callback", %operation, effect = "fetched", "Twilio fetched the recording");
            app.changes.announce(operation);
        }
        Ok(None) => {}
        Err(error) => tracing::warn!(event = "twilio.callback", %error, "a fetch was not written down"),
    }
}
