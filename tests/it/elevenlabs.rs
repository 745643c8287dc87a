//! The client of `ElevenLabs`: what it asks, what it makes of each answer, when it asks again, and whom it asks at all.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Response, Uri};
use mission_control::auth::Role;
use mission_control::config::VoiceSettings;
use mission_control::speech::catalogue::{Catalogue, Chosen, Wanted};
use mission_control::speech::elevenlabs::{ElevenLabs, ElevenLabsError, FORMAT, Order, Synthesis};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::support::service::{Service, Setup};

const KEY: &str = "sk_5ec7e7_canary_0123456789abcdef";
const AUDIO: &[u8] = b"\xff\xfb\x50\xc0 and so on";

/// An `ElevenLabs` that says what it is told to, one answer after the other.
#[derive(Clone)]
struct Scripted {
    answers: Arc<Mutex<VecDeque<Response<Body>>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
    url: String,
}

/// A request as it came.
#[derive(Clone)]
struct Asked {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
}

impl Scripted {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let scripted = Self { answers: Arc::default(), asked: Arc::default(), url };
        let router = Router::new().fallback(Self::answer).with_state(scripted.clone());
        #[expect(clippy::disallowed_methods, reason = "it ends with the test")]
        tokio::spawn(async { axum::serve(listener, router).await });
        scripted
    }

    fn answer(
        State(scripted): State<Self>,
        method: Method,
        uri: Uri,
        headers: HeaderMap,
        body: Bytes,
    ) -> std::future::Ready<Response<Body>> {
        scripted.asked.lock().expect("the requests").push(Asked { method, uri, headers, body });
        let next = scripted.answers.lock().expect("the answers").pop_front();
        let nothing = || said(418, &json!({ "detail": "nothing more was to be asked" }));
        std::future::ready(next.unwrap_or_else(nothing))
    }

    fn says(&self, answers: impl IntoIterator<Item = Response<Body>>) {
        self.answers.lock().expect("the answers").extend(answers);
    }

    /// The requests since the last look.
    fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.asked.lock().expect("the requests"))
    }

    fn client(&self) -> ElevenLabs {
        let _ = rustls::crypto::ring::default_provider().install_default();
        ElevenLabs::new(Some(self.url.parse().expect("a URL"))).expect("a client")
    }
}

fn answer(status: u16, headers: &[(&str, &str)], body: impl Into<Body>) -> Response<Body> {
    let builder =
        headers.iter().fold(Response::builder().status(status), |builder, (name, value)| builder.header(*name, *value));
    builder.body(body.into()).expect("an answer")
}

fn said(status: u16, body: &Value) -> Response<Body> {
    answer(status, &[("content-type", "application/json")], body.to_string())
}

fn audio() -> Response<Body> {
    let headers = [("content-type", "audio/mpeg"), ("request-id", "r-1"), ("character-cost", "17")];
    answer(200, &headers, AUDIO)
}

/// A transient refusal that may be asked again at once.
fn busy(status: u16) -> Response<Body> {
    answer(status, &[("retry-after", "0")], "")
}

fn key() -> SecretString {
    SecretString::from(KEY)
}

async fn speak(client: &ElevenLabs) -> Result<Synthesis, ElevenLabsError> {
    let order = Order { text: "Hello, Zoë", voice: "a voice/../?x", model: "a model" };
    client.synthesise(&key(), &order).await
}

#[tokio::test]
async fn a_text_is_sent_to_the_letter_and_the_audio_comes_back_whole() {
    let elevenlabs = Scripted::start().await;
    elevenlabs.says([audio()]);
    let made = speak(&elevenlabs.client()).await.expect("speech");
    assert_eq!((&made.audio[..], made.request_id.as_deref(), made.characters), (AUDIO, Some("r-1"), Some(17)));
    let [asked] = elevenlabs.asked().try_into().unwrap_or_else(|_| panic!("one request"));
    assert_eq!(asked.method, Method::POST);
    assert_eq!(asked.uri.to_string(), format!("/v1/text-to-speech/a%20voice%2F..%2F%3Fx?output_format={FORMAT}"));
    assert_eq!(asked.headers["xi-api-key"], KEY);
    assert_eq!(asked.headers["content-type"], "application/json");
    let body: Value = serde_json::from_slice(&asked.body).expect("JSON");
    assert_eq!(body, json!({ "text": "Hello, Zoë", "model_id": "a model" }));

    elevenlabs.says([answer(200, &[("content-type", "audio/mpeg; x=y"), ("x-character-count", "3")], AUDIO)]);
    let made = speak(&elevenlabs.client()).await.expect("speech");
    assert_eq!((made.request_id, made.characters), (None, Some(3)));
}

#[tokio::test]
async fn what_passes_is_tried_again_and_the_rest_is_told_at_once() {
    let elevenlabs = Scripted::start().await;
    let client = elevenlabs.client();
    elevenlabs.says([busy(429), busy(500), busy(503), busy(408), busy(409), audio()]);
    speak(&client).await.expect("speech in the end");
    assert_eq!(elevenlabs.asked().len(), 6);

    let quota = json!({ "detail": { "status": "quota_exceeded", "message": "You have 0 credits remaining." } });
    for (refusal, code) in [
        (said(401, &quota), "speech_quota_exceeded"),
        (said(401, &json!({ "detail": { "status": "invalid_api_key" } })), "speech_key_refused"),
        (said(404, &json!({ "detail": { "code": "voice_not_found" } })), "speech_voice_not_found"),
        (said(422, &json!({ "detail": [{ "loc": ["body", "text"], "msg": "field required" }] })), "speech_refused"),
        (answer(400, &[], "not even JSON"), "speech_refused"),
        (answer(307, &[("location", "/v1/elsewhere")], ""), "speech_refused"),
    ] {
        elevenlabs.says([refusal]);
        let error = speak(&client).await.expect_err("refused");
        assert_eq!((error.code(), elevenlabs.asked().len()), (code, 1), "{error}");
        assert!(!error.is_transient());
    }
    elevenlabs.says([said(401, &quota)]);
    let told = speak(&client).await.expect_err("refused").to_string();
    assert!(told.contains("are used up") && told.ends_with("ElevenLabs says: You have 0 credits remaining."), "{told}");
    elevenlabs.asked();

    // Longer than the budget: whoever asked decides what becomes of it.
    elevenlabs.says([answer(429, &[("retry-after", "3600")], "")]);
    let error = speak(&client).await.expect_err("busy");
    assert!(error.is_transient() && error.retry_after().is_some_and(|pause| pause.as_secs() == 3600), "{error:?}");
    assert_eq!(elevenlabs.asked().len(), 1);
}

#[tokio::test]
async fn what_is_no_mp3_is_not_taken_for_speech() {
    let elevenlabs = Scripted::start().await;
    let client = elevenlabs.client();
    for wrong in [
        answer(200, &[("content-type", "text/html")], "<html>It works!</html>"),
        answer(200, &[("content-type", "text/html")], AUDIO),
        answer(200, &[], AUDIO),
        answer(200, &[("content-type", "audio/mpeg")], "string"),
        answer(200, &[("content-type", "audio/mpeg")], ""),
        answer(204, &[], ""),
    ] {
        elevenlabs.says([wrong]);
        assert_eq!(speak(&client).await.expect_err("no speech"), ElevenLabsError::NotAudio);
    }
    assert_eq!(elevenlabs.asked().len(), 6, "each was paid for once");
}

#[tokio::test]
async fn nobody_at_the_address_is_told_in_words() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    let client = ElevenLabs::new(Some(url.parse().expect("a URL"))).expect("a client");
    let error = client.models(&key()).await.expect_err("nobody");
    assert!(error.is_transient() && error.to_string().contains("could not be reached"), "{error}");
}

#[tokio::test]
async fn the_key_is_repeated_nowhere() {
    let elevenlabs = Scripted::start().await;
    let client = elevenlabs.client();
    let message = format!("The key {KEY} is not for this");
    for status in [400, 401, 403, 422] {
        let detail = json!({ "code": format!("odd_{KEY}"), "message": message });
        elevenlabs.says([said(status, &json!({ "detail": detail })), said(status, &json!({ "detail": message }))]);
        for _ in 0..2 {
            let error = speak(&client).await.expect_err("refused");
            assert!(!format!("{error} {error:?}").contains(KEY), "{error:?}");
        }
    }
    let unprintable = SecretString::from("two\nlines");
    assert_eq!(client.models(&unprintable).await.expect_err("no header"), ElevenLabsError::InvalidKey);
}

#[tokio::test]
async fn voices_are_read_page_by_page_and_not_without_end() {
    let elevenlabs = Scripted::start().await;
    let client = elevenlabs.client();
    let page = |id: &str, next: Option<&str>| {
        let voices = json!([{ "voice_id": id, "name": "N", "category": "cloned", "labels": { "accent": "none" } }]);
        said(200, &json!({ "voices": voices, "has_more": next.is_some(), "next_page_token": next, "total_count": 9 }))
    };
    elevenlabs.says([page("one", Some("t&1")), page("two", None)]);
    let voices = client.voices(&key()).await.expect("voices");
    assert_eq!(voices.iter().map(|voice| voice.id.as_str()).collect::<Vec<_>>(), ["one", "two"]);
    let asked: Vec<String> = elevenlabs.asked().iter().map(|asked| asked.uri.to_string()).collect();
    assert_eq!(asked, ["/v2/voices?page_size=100", "/v2/voices?page_size=100&next_page_token=t%261"]);

    elevenlabs.says((0..30).map(|_| page("again", Some("again"))));
    assert_eq!(client.voices(&key()).await.expect("voices").len(), 20);
    assert_eq!(elevenlabs.asked().len(), 20);
}

#[tokio::test]
async fn answers_that_cannot_be_meant_are_told_apart() {
    let elevenlabs = Scripted::start().await;
    let client = elevenlabs.client();
    elevenlabs.says([said(200, &json!({ "models": [] }))]);
    assert_eq!(client.models(&key()).await.expect_err("no list"), ElevenLabsError::Unreadable);
    elevenlabs.says([answer(200, &[], vec![b' '; 9 * 1024 * 1024])]);
    assert_eq!(client.subscription(&key()).await.expect_err("too much"), ElevenLabsError::TooLarge);
    elevenlabs.says([said(
        200,
        &json!({
            "tier": "free", "status": "active", "character_count": 9_000, "character_limit": 10_000,
            "next_character_count_reset_unix": 1_738_356_858, "has_open_invoices": false,
        }),
    )]);
    let subscription = client.subscription(&key()).await.expect("a subscription");
    assert_eq!((subscription.left(), subscription.tier.as_str()), (1_000, "free"));
    assert_eq!(subscription.resets_at().map(time::OffsetDateTime::unix_timestamp), Some(1_738_356_858));
}

fn settings(voice_id: &str, model_id: &str) -> VoiceSettings {
    VoiceSettings { voice_id: voice_id.to_owned(), model_id: model_id.to_owned(), clips_kept_hours: 24 }
}

#[tokio::test]
async fn the_catalogue_asks_once_for_all_who_ask_at_the_same_time() {
    let service = Service::start().await;
    let app = service.app().clone();
    let key = app.vault.elevenlabs_key().await.expect("read").expect("the sandbox's own");
    let choices = (0..20)
        .map(|_| async { app.catalogue.choose(&app.elevenlabs, &key, &settings("", ""), Wanted::default()).await });
    let chosen = futures_util::future::join_all(choices).await;
    let first = chosen[0].clone().expect("a choice");
    assert!(chosen.iter().all(|one| one.as_ref() == Ok(&first)));
    // The account's own come before those that everybody has; the model is the one that suits the voice best.
    let expected = ("SandboxClonedTenor00", "eleven_multilingual_v2", Some(10_000));
    assert_eq!((first.voice.as_str(), first.model.as_str(), first.limit), expected);
    // What is known needs nobody: a fault that waits for the next who asks is still there.
    service.fault(json!([{ "fault": "error_500_without", "on": "account" }])).await;
    let again = app.catalogue.choose(&app.elevenlabs, &key, &settings("", ""), Wanted::default()).await;
    assert_eq!(again, Ok(first));
    let (other, none) = (SecretString::from("sk_other"), settings("", ""));
    let other = app.catalogue.choose(&app.elevenlabs, &other, &none, Wanted::default());
    assert_eq!(other.await.expect_err("another key was never accepted").code(), "speech_key_refused");
    service.stop().await;
}

#[tokio::test]
async fn who_waits_for_the_catalogue_does_not_queue_up_for_one_who_is_silent() {
    let service = Service::start().await;
    let app = service.app().clone();
    let key = app.vault.elevenlabs_key().await.expect("read").expect("the sandbox's own");
    service.fault(json!([{ "fault": "accept_then_hang", "times": 100, "on": "account" }])).await;
    let asked = (0..10).map(|_| app.catalogue.offer(&app.elevenlabs, &key));
    for answer in futures_util::future::join_all(asked).await {
        let error = answer.expect_err("nobody answered");
        assert!(error.is_transient() && error.to_string().contains("no answer in time"), "{error}");
    }
    let armed =
        service.client().get(format!("{}/sandbox/faults", service.sandbox())).send().await.expect("the sandbox");
    let armed: Value = armed.json().await.expect("JSON");
    assert!(armed[0]["times"].as_u64() >= Some(98), "one asked for all, for voices and models: {armed}");
    service.stop().await;
}

#[tokio::test]
async fn a_key_for_speech_alone_is_enough_where_voice_and_model_are_named() {
    let elevenlabs = Scripted::start().await;
    let (client, catalogue) = (elevenlabs.client(), Catalogue::default());
    // Two lists are asked for at once; the first refusal is enough, and the other answer may be left over.
    let lacking = || said(401, &json!({ "detail": { "status": "missing_permissions" } }));
    elevenlabs.says([lacking(), lacking()]);
    let chosen = catalogue.choose(&client, &key(), &settings("v", "m"), Wanted::default()).await;
    assert_eq!(chosen, Ok(Chosen { voice: "v".to_owned(), model: "m".to_owned(), limit: None }));
    elevenlabs.says([lacking(), lacking()]);
    let chosen = catalogue.choose(&client, &key(), &settings("", "m"), Wanted::default()).await;
    assert_eq!(chosen.expect_err("nobody to speak").code(), "speech_key_lacks_permission");
}

#[tokio::test]
async fn speech_in_the_sandbox_is_counted_by_what_became_of_it() {
    let service = Service::start().await;
    let token = service.token("ada@example.com", Role::Admin).await;
    let app = service.app().clone();
    let key = app.vault.elevenlabs_key().await.expect("read").expect("the sandbox's own");
    let order = Order { text: "Hello", voice: "SandboxPremadeAlto00", model: "eleven_flash_v2_5" };
    let made = app.elevenlabs.synthesise(&key, &order).await.expect("speech");
    assert_eq!(made.characters, Some(5));
    service.fault(json!([{ "fault": "quota_exceeded" }])).await;
    let error = app.elevenlabs.synthesise(&key, &order).await.expect_err("used up");
    assert_eq!(error.code(), "speech_quota_exceeded");
    service.fault(json!([{ "fault": "too_many_requests_429", "on": "synthesise" }])).await;
    app.elevenlabs.synthesise(&key, &order).await.expect("speech at the second try");
    let ledger = service.ledger().await;
    assert_eq!(ledger["syntheses"].as_array().map(Vec::len), Some(2));
    assert_eq!(
        (&ledger["syntheses"][0]["text"], &ledger["syntheses"][0]["bytes"]),
        (&json!("Hello"), &json!(made.audio.len()))
    );
    let figures = service.get("/metrics", &token).await.text;
    for line in [
        "mission_control_syntheses_total{outcome=\"made\"} 2",
        "mission_control_syntheses_total{outcome=\"speech_quota_exceeded\"} 1",
        "mission_control_synthesis_characters_total 10",
    ] {
        assert!(figures.contains(line), "{line} is not in {figures}");
    }
    service.stop().await;
}

#[tokio::test]
async fn a_key_that_is_stored_is_accepted_by_the_embedded_sandbox_at_once() {
    let service = Service::start().await;
    let token = service.token("ada@example.com", Role::Admin).await;
    let app = service.app().clone();
    let generated = app.vault.elevenlabs_key().await.expect("read").expect("the sandbox's own");
    let put = service.request(reqwest::Method::PUT, "/api/vault/elevenlabs_api_key", &token);
    assert!(service.send(put.json(&json!({ "value": KEY }))).await.status.is_success());
    assert!(app.elevenlabs.models(&key()).await.is_ok());
    assert_eq!(app.elevenlabs.models(&generated).await.expect_err("replaced"), ElevenLabsError::InvalidKey);
    service.stop().await;
}

#[tokio::test]
async fn in_sandbox_mode_nobody_is_asked_unless_it_is_an_emulator() {
    let elevenlabs = Scripted::start().await;
    let twilio = "http://127.0.0.1:9";
    let setup = Setup::new().await.with("MISSION_CONTROL_TWILIO_BASE_URL", twilio).with("ELEVENLABS_API_KEY", KEY);
    let service = setup.start().await;
    let app = service.app();
    assert!(app.elevenlabs.is_nowhere());
    assert_eq!(app.elevenlabs.models(&key()).await.expect_err("nobody"), ElevenLabsError::Nowhere);
    service.stop().await;

    let setup = Setup::new().await.with("MISSION_CONTROL_TWILIO_BASE_URL", twilio).with("ELEVENLABS_API_KEY", KEY);
    let service = setup.with("MISSION_CONTROL_ELEVENLABS_BASE_URL", &elevenlabs.url).start().await;
    elevenlabs.says([said(200, &json!([]))]);
    assert_eq!(service.app().elevenlabs.models(&key()).await, Ok(Vec::new()));
    assert_eq!(elevenlabs.asked().len(), 1);
    service.stop().await;

    // The embedded sandbox stands in for Twilio alone; it makes no key for an emulator that is not its own.
    let service = Setup::new().await.with("MISSION_CONTROL_ELEVENLABS_BASE_URL", &elevenlabs.url).start().await;
    assert!(service.app().vault.elevenlabs_key().await.expect("read").is_none());
    assert!(service.app().vault.twilio().await.expect("read").is_some());
    service.stop().await;
}
