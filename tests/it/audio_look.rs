//! The look at a recording elsewhere: once, when its call is asked for, and never where nobody may look.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::http::Method;
use axum::response::IntoResponse as _;
use axum::routing::any;
use mission_control::auth::Role;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::pages::browser::Browser;
use crate::support::service::{Answer, Service, Setup, text};

const TO: &str = "+14155550132";

/// A server with a recording, and how often it was looked at.
struct Elsewhere {
    address: String,
    looks: Arc<AtomicUsize>,
}

impl Elsewhere {
    async fn start() -> Self {
        let looks = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&looks);
        let served = move |method: Method, content_type: &'static str| {
            if method == Method::HEAD {
                counted.fetch_add(1, Ordering::SeqCst);
            }
            async move { ([("content-type", content_type), ("etag", "\"v1\"")], vec![0_u8; 12_345]).into_response() }
        };
        let other = served.clone();
        let router = Router::new()
            .route("/a.mp3", any(move |method: Method| served(method, "audio/mpeg")))
            .route("/a.ogg", any(move |method: Method| other(method, "audio/ogg")));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        #[expect(clippy::disallowed_methods, reason = "it ends with the test")]
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, looks }
    }

    fn looks(&self) -> usize {
        self.looks.load(Ordering::SeqCst)
    }
}

async fn ask(service: &Service, token: &str, url: &str, key: &str) -> Answer {
    let body = json!({ "to": TO, "audioUrl": url, "idempotencyKey": key });
    service.post("/api/twilio/make-call", token, &body).await
}

async fn look(service: &Service, token: &str, asked: &Value) -> Value {
    service.operation(token, &text(&asked["operationId"])).await["audioLook"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_is_looked_at_once_and_shown_to_whoever_approves() {
    let service = Service::start().await;
    let token = service.token("ada@example.com", Role::Admin).await;
    let elsewhere = Elsewhere::start().await;
    let url = format!("{}/a.mp3", elsewhere.address);
    let asked = ask(&service, &token, &url, "once").await;
    assert_eq!(asked.status, StatusCode::ACCEPTED, "{}", asked.text);
    let seen = look(&service, &token, &asked.json()).await;
    assert_eq!(
        (&seen["contentType"], &seen["bytes"], &seen["etag"], &seen["httpStatus"], &seen["problem"]),
        (&json!("audio/mpeg"), &json!(12_345), &json!("\"v1\""), &json!(200), &Value::Null)
    );
    assert!(seen["lookedAt"].is_string());
    let mut approver = Browser::of(&service, "anna@example.com", Role::Approver).await;
    let page = approver.page(&format!("/dashboard/operations/{}", text(&asked.json()["operationId"]))).await;
    assert!(page.contains("audio/mpeg, 12,345 bytes when it was asked for"), "{page}");
    assert!(!page.contains("The recording may not play"), "{page}");

    // A replay is a replay, also of a request that differs.
    assert_eq!(ask(&service, &token, &url, "once").await.header("idempotent-replayed"), Some("true"));
    let other = format!("{}/a.ogg", elsewhere.address);
    assert_eq!(ask(&service, &token, &other, "once").await.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(elsewhere.looks(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_that_fails_is_a_warning_and_the_call_is_asked_for_all_the_same() {
    let service = Service::start().await;
    let token = service.token("ada@example.com", Role::Admin).await;
    let elsewhere = Elsewhere::start().await;
    let mut approver = Browser::of(&service, "anna@example.com", Role::Approver).await;
    for (url, words) in [
        (format!("{}/a.ogg", elsewhere.address), "audio/ogg, which Twilio cannot play"),
        (format!("{}/none.mp3", elsewhere.address), "HTTP 404"),
        ("http://127.0.0.1:1/a.mp3".to_owned(), "could not be reached"),
        ("https://audio.example/a.mp3".to_owned(), "nothing leaves this machine"),
    ] {
        let asked = ask(&service, &token, &url, &url).await;
        assert_eq!(asked.status, StatusCode::ACCEPTED, "{}", asked.text);
        let problem = text(&look(&service, &token, &asked.json()).await["problem"]);
        assert!(problem.contains(words), "{url}: {problem}");
        let page = approver.page(&format!("/dashboard/operations/{}", text(&asked.json()["operationId"]))).await;
        assert!(page.contains("The recording may not play") && page.contains(words), "{page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_recording_of_test_calls_is_known_without_looking() {
    let service = Service::start().await;
    let token = service.token("ada@example.com", Role::Admin).await;
    let url = service.url("/api/public/call-audio/test-recording.mp3?call=1");
    let asked = ask(&service, &token, &url, "own").await;
    let seen = look(&service, &token, &asked.json()).await;
    assert_eq!((&seen["contentType"], &seen["problem"]), (&json!("audio/mpeg"), &Value::Null));
    assert!(seen["bytes"].as_i64().is_some_and(|bytes| bytes > 1_000), "{seen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn in_live_mode_an_address_off_the_open_network_is_refused() {
    let setup = Setup::new()
        .await
        .with("MISSION_CONTROL_MODE", "live")
        .with("MISSION_CONTROL_SIGN_IN_SECOND_FACTOR", "optional");
    let setup = setup.with("MISSION_CONTROL_PUBLIC_URL", "https://mission.example");
    let key = "test:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let service =
        setup.with("MISSION_CONTROL_MASTER_KEY", key).with("TWILIO_PHONE_NUMBER", "+15005550006").start().await;
    let token = service.token("ada@example.com", Role::Admin).await;
    let refused = async |host: &str| {
        let body = json!({ "to": TO, "audioUrl": format!("https://{host}/a.mp3") });
        let request = service.client().post(service.url("/api/twilio/make-call")).bearer_auth(&token).json(&body);
        let answer = service.send(request.header("host", "mission.example")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{host}: {}", answer.text);
        answer.json()
    };
    for host in [
        "127.0.0.1",
        "localhost",
        "intranet",
        "files.internal",
        "10.0.0.7",
        "100.64.0.1",
        "169.254.169.254",
        "198.18.0.1",
        "192.0.2.1",
        "224.0.0.1",
        "240.0.0.1",
        "[::ffff:10.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
    ] {
        let problem = refused(host).await;
        assert_eq!(problem["details"][0]["field"], "audioUrl", "{host}: {problem}");
        let message = text(&problem["details"][0]["message"]);
        assert!(message.contains("private network") && message.ends_with("Use a public one."), "{host}: {message}");
    }
    let operations: i64 =
        sqlx::query_scalar("select count(*) from operations").fetch_one(&service.app().db).await.expect("a count");
    assert_eq!(operations, 0);
}
