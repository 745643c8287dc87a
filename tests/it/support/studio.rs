//! An ElevenLabs that a test holds in its hand: it speaks when it is told to, and says no on demand.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// What every text sounds like here: real MP3, so that it can be played.
pub(crate) static AUDIO: &[u8] = include_bytes!("../../../src/speech/test-recording.mp3");

/// The key that a service needs for it.
pub(crate) const KEY: &str = "sk_studio_0123456789abcdef";

/// The one voice and the one model, and how much text that takes.
pub(crate) const VOICE: &str = "StudioVoice";
pub(crate) const MODEL: &str = "studio_model";
pub(crate) const LIMIT: usize = 60;

/// The studio. Dropping it closes it.
pub(crate) struct Studio {
    pub(crate) url: String,
    inner: Arc<Inner>,
    _serving: JoinSet<()>,
}

struct Inner {
    name: String,
    asked: Mutex<Vec<Value>>,
    refusals: Mutex<VecDeque<StatusCode>>,
    gate: Semaphore,
}

impl Studio {
    /// One that speaks at once.
    pub(crate) async fn open() -> Self {
        let studio = Self::closed().await;
        studio.release();
        studio
    }

    /// One that speaks when it is released.
    pub(crate) async fn closed() -> Self {
        Self::named("Studio").await
    }

    /// The same, whose voice has this name.
    pub(crate) async fn named(name: &str) -> Self {
        let (gate, name) = (Semaphore::new(0), name.to_owned());
        let inner = Arc::new(Inner { name, asked: Mutex::default(), refusals: Mutex::default(), gate });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let router = Router::new()
            .route("/v1/voices", get(voices))
            .route("/v2/voices", get(voices))
            .route("/v1/models", get(models))
            .route("/v1/text-to-speech/{voice}", post(speak))
            .with_state(Arc::clone(&inner));
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, router).await.expect("it serves") });
        Self { url, inner, _serving: serving }
    }

    /// Lets everything pass from now on.
    pub(crate) fn release(&self) {
        self.inner.gate.add_permits(Semaphore::MAX_PERMITS / 2);
    }

    /// Refuses the next text with this status, and asks for an hour's patience.
    pub(crate) fn refuse(&self, status: StatusCode) {
        self.inner.refusals.lock().unwrap_or_else(PoisonError::into_inner).push_back(status);
    }

    /// What it was asked to speak so far.
    pub(crate) fn asked(&self) -> Vec<Value> {
        self.inner.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn voices(State(inner): State<Arc<Inner>>) -> Response {
    let voice = json!({ "voice_id": VOICE, "name": inner.name, "category": "cloned" });
    json_answer(StatusCode::OK, &json!({ "voices": [voice], "has_more": false, "total_count": 1 }))
}

async fn models() -> Response {
    let model = json!({
        "model_id": MODEL, "name": "Studio", "can_do_text_to_speech": true, "maximum_text_length_per_request": LIMIT,
    });
    json_answer(StatusCode::OK, &json!([model]))
}

async fn speak(State(inner): State<Arc<Inner>>, uri: Uri, body: String) -> Response {
    let body: Value = serde_json::from_str(&body).expect("JSON");
    let voice = uri.path().rsplit('/').next().unwrap_or_default();
    let asked = json!({ "text": body["text"], "voice": voice, "model": body["model_id"] });
    inner.asked.lock().unwrap_or_else(PoisonError::into_inner).push(asked);
    let _turn = inner.gate.acquire().await.expect("an open gate");
    let refusal = inner.refusals.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    match refusal {
        Some(status) => {
            let detail = json!({ "detail": { "status": "refused", "message": "Refused by the studio" } });
            ([(header::RETRY_AFTER, "3600")], json_answer(status, &detail)).into_response()
        }
        None => ([(header::CONTENT_TYPE, "audio/mpeg")], AUDIO).into_response(),
    }
}

fn json_answer(status: StatusCode, body: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}
