//! What is fetched when a call is answered, and what becomes of it.

use std::net::SocketAddr;

use axum::{Router, extract::Request, http::StatusCode, routing::get};
use mission_control::sandbox::{Options, Pace};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::mpsc};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use super::{Emulator, OWN, PATIENCE, RECIPIENT, Receiver, journalled, options};

const MP3: &[u8] = b"ID3\x04\0\0\0\0\0\0 a voice";
const WAV: &[u8] = b"RIFF\x24\0\0\0WAVEfmt ";

/// A listener that has audio, good and bad, and tells who asked for it.
struct Studio {
    address: SocketAddr,
    visits: mpsc::UnboundedReceiver<(String, String, String)>,
    _stop: DropGuard,
}

impl Studio {
    async fn start() -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").await.expect("a port"))
    }

    fn on(listener: TcpListener) -> Self {
        let address = listener.local_addr().expect("an address");
        let (sender, visits) = mpsc::unbounded_channel();
        let file = |content_type: &'static str, bytes: &'static [u8]| {
            let sender = sender.clone();
            get(move |request: Request| {
                let header =
                    |name| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
                let visit = (request.uri().to_string(), header("user-agent").to_owned(), header("host").to_owned());
                let _ = sender.send(visit);
                async move { ([("content-type", content_type)], bytes) }
            })
        };
        let app = Router::new()
            .route("/voice.mp3", file("audio/mpeg", MP3))
            .route("/voice.wav", file("audio/x-wav; rate=8000", WAV))
            .route("/page.mp3", file("audio/mpeg", b"<!doctype html>"))
            .route("/page", file("text/html", b"<!doctype html>"))
            .route("/gone", get(|| async { StatusCode::GONE }))
            .route("/moved", get(|| async { (StatusCode::FOUND, [("location", "/voice.mp3")]) }));
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        TaskTracker::new().spawn(async move { axum::serve(listener, app).with_graceful_shutdown(stopped).await });
        Self { address, visits, _stop: stop.drop_guard() }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    async fn visit(&mut self) -> (String, String, String) {
        tokio::time::timeout(PATIENCE, self.visits.recv()).await.expect("a visit in time").expect("a listener")
    }
}

fn play(urls: &[&str]) -> String {
    let verbs = urls.join("</Play><Play>").replace('&', "&amp;");
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Play>{verbs}</Play></Response>")
}

/// Calls with a script, waits for the end, and gives what the ledger says and the last callback's error code.
async fn perform(emulator: &Emulator, script: (&str, &str)) -> (Value, Option<String>) {
    let mut receiver = Receiver::start().await;
    let callback = receiver.url("/");
    let call = emulator.call(RECIPIENT, &[script, ("StatusCallback", &callback)]).await;
    let arrived = receiver.next().await;
    let is_played = arrived.param("ErrorCode").is_none();
    assert_eq!(arrived.status(), if is_played { "completed" } else { "failed" });
    assert_eq!(arrived.param("CallSid"), call["sid"].as_str());
    let ledger = emulator.ledger_of("calls").await;
    let line = ledger.into_iter().find(|line| line["sid"] == call["sid"]).expect("a line");
    (line, arrived.param("ErrorCode").map(str::to_owned))
}

#[tokio::test]
async fn audio_is_fetched_as_twilio_fetches_it() {
    let mut studio = Studio::start().await;
    let public = "https://control.example.com";
    let callbacks_to = Some((public.to_owned(), studio.address));
    let emulator = Emulator::with(Options { callbacks_to, ..options(Pace::Immediate) }).await;
    let (direct, ours) = (studio.url("/voice.mp3?a=1&b=2"), format!("{public}/voice.wav"));
    let twiml = play(&[&direct, &ours]);
    let (line, error_code) = perform(&emulator, ("Twiml", &twiml)).await;
    assert_eq!(error_code, None);
    assert_eq!(
        line,
        json!({
            "sid": line["sid"],
            "to": RECIPIENT,
            "from": OWN,
            "twiml": twiml,
            "status": "completed",
            "error_code": null,
            "accepted_at": line["accepted_at"],
            "audio": [
                {
                    "url": direct,
                    "fetched": true,
                    "status": 200,
                    "content_type": "audio/mpeg",
                    "bytes": MP3.len(),
                    "problem": null,
                },
                {
                    "url": ours,
                    "fetched": true,
                    "status": 200,
                    "content_type": "audio/x-wav",
                    "bytes": WAV.len(),
                    "problem": null,
                },
            ],
        })
    );
    let agent = "TwilioProxy/1.1".to_owned();
    let host = studio.address.to_string();
    assert_eq!(studio.visit().await, ("/voice.mp3?a=1&b=2".to_owned(), agent.clone(), host));
    assert_eq!(studio.visit().await, ("/voice.wav".to_owned(), agent, "control.example.com".to_owned()));
    assert!(studio.visits.try_recv().is_err(), "each is fetched once");
}

#[tokio::test]
async fn audio_that_cannot_be_played_ends_the_call_with_its_code() {
    let studio = Studio::start().await;
    let emulator = Emulator::start(Pace::Immediate).await;
    let free = {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        listener.local_addr().expect("an address")
    };
    for (url, code, fetched, problem) in [
        (studio.url("/gone"), 11200, false, "HTTP 410"),
        (studio.url("/moved"), 11200, false, "HTTP 302"),
        (format!("http://{free}/"), 11200, false, "cannot be reached"),
        ("nonsense".to_owned(), 11200, false, "the address is none"),
        (studio.url("/page"), 13420, true, "text/html"),
        (studio.url("/page.mp3"), 13420, true, "does not begin"),
    ] {
        let (line, error_code) = perform(&emulator, ("Twiml", &play(&[&url, &studio.url("/voice.mp3")]))).await;
        assert_eq!(error_code, Some(code.to_string()), "{url}");
        assert_eq!((&line["status"], &line["error_code"]), (&json!("failed"), &json!(code)), "{url}");
        let audio = line["audio"].as_array().expect("a list");
        assert_eq!(audio.len(), 1, "nothing is played after {url}");
        assert_eq!(audio[0]["fetched"], fetched, "{url}");
        assert!(audio[0]["problem"].as_str().is_some_and(|text| text.contains(problem)), "{url}: {}", audio[0]);
    }
}

#[tokio::test]
async fn audio_elsewhere_is_not_fetched() {
    let mut studio = Studio::start().await;
    let emulator = Emulator::start(Pace::Immediate).await;
    let twiml = play(&["https://example.com/voice.mp3", "http://192.0.2.1/voice.mp3", &studio.url("/voice.mp3")]);
    let (line, error_code) = perform(&emulator, ("Twiml", &twiml)).await;
    assert_eq!((&line["status"], error_code), (&json!("completed"), None));
    for audio in &line["audio"].as_array().expect("a list")[..2] {
        assert_eq!((&audio["fetched"], &audio["status"], &audio["bytes"]), (&json!(false), &json!(null), &json!(0)));
        assert!(audio["problem"].as_str().is_some_and(|text| text.contains("nothing leaves this machine")), "{audio}");
    }
    assert_eq!(studio.visit().await.0, "/voice.mp3");
    let (line, error_code) = perform(&emulator, ("Url", "https://example.com/twiml")).await;
    assert_eq!((&line["twiml"], &line["status"], error_code), (&json!(null), &json!("completed"), None));
}

#[tokio::test]
async fn a_script_can_be_malformed_or_hang_up_first() {
    let mut studio = Studio::start().await;
    let emulator = Emulator::start(Pace::Immediate).await;
    let (_, error_code) = perform(&emulator, ("Twiml", "<Response><Play>")).await;
    assert_eq!(error_code.as_deref(), Some("12100"));
    let twiml = format!("<Response><Pause/><Hangup/><Play>{}</Play></Response>", studio.url("/voice.mp3"));
    let (line, error_code) = perform(&emulator, ("Twiml", &twiml)).await;
    assert_eq!((&line["audio"], error_code), (&json!([]), None));
    assert!(studio.visits.try_recv().is_err());
}

/// Serves each request the same answer, and gives its address.
async fn serve(status: StatusCode, content_type: &'static str, body: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let app = Router::new().fallback(move || async move { (status, [("content-type", content_type)], body) });
    TaskTracker::new().spawn(async move { axum::serve(listener, app).await });
    format!("http://{address}/script")
}

#[tokio::test]
async fn a_script_can_be_asked_for() {
    let mut studio = Studio::start().await;
    let emulator = Emulator::start(Pace::Immediate).await;
    let twiml = play(&[&studio.url("/voice.wav")]);
    let url = serve(StatusCode::OK, "text/xml; charset=utf-8", twiml.clone()).await;
    let (line, error_code) = perform(&emulator, ("Url", &url)).await;
    assert_eq!((&line["twiml"], error_code), (&json!(twiml), None));
    assert_eq!(studio.visit().await.0, "/voice.wav");
    for (status, content_type, body, code) in [
        (StatusCode::NOT_FOUND, "text/xml", twiml.clone(), "11200"),
        (StatusCode::OK, "application/json", twiml.clone(), "12300"),
        (StatusCode::OK, "text/xml", "<Response>".to_owned(), "12100"),
        (StatusCode::OK, "text/xml", format!("<Response>{}</Response>", " ".repeat(64 * 1024)), "11750"),
    ] {
        let url = serve(status, content_type, body).await;
        assert_eq!(perform(&emulator, ("Url", &url)).await.1.as_deref(), Some(code));
    }

    // The listener for callbacks answers without a script; what it was asked is what counts.
    let mut receiver = Receiver::start().await;
    emulator.call(RECIPIENT, &[("Url", &receiver.url("/twiml?x=1"))]).await;
    let arrived = receiver.next().await;
    assert!(arrived.is_signed_for(&receiver.origin()));
    assert_eq!((arrived.status(), arrived.param("To")), ("in-progress", Some(RECIPIENT)));
    assert_eq!(arrived.param("SequenceNumber"), None);
}

#[tokio::test]
async fn an_answered_call_can_get_another_script() {
    let mut studio = Studio::start().await;
    let emulator = Emulator::start(Pace::ByHand).await;
    let first = play(&[&studio.url("/voice.mp3")]);
    let call = emulator.call(RECIPIENT, &[("Twiml", &first)]).await;
    let sid = call["sid"].as_str().expect("a SID");
    emulator.drive(sid, json!({ "status": "in-progress" })).await;
    assert_eq!(studio.visit().await.0, "/voice.mp3");
    let second = play(&[&studio.url("/voice.wav")]);
    let answer = emulator.post(&format!("/Calls/{sid}.json"), &[("Twiml", &second)]).await.expect("an answer");
    assert_eq!(answer.status(), 200);
    assert_eq!(studio.visit().await.0, "/voice.wav");
}

#[tokio::test]
async fn a_fetch_that_the_stop_cut_off_is_made_after_the_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let journal = folder.path().join("sandbox.jsonl");
    let mut receiver = Receiver::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let twiml = play(&[&format!("http://{}/voice.mp3", listener.local_addr().expect("an address"))]);

    let emulator = Emulator::with(journalled(&journal, Pace::Immediate)).await;
    let call = emulator.call(RECIPIENT, &[("Twiml", &twiml), ("StatusCallback", &receiver.url("/"))]).await;
    let fetching = tokio::time::timeout(PATIENCE, listener.accept()).await.expect("a visit in time");
    emulator.stop().await;
    drop(fetching);
    receiver.expect_nothing().await;

    let mut studio = Studio::on(listener);
    let emulator = Emulator::with(journalled(&journal, Pace::Immediate)).await;
    let arrived = receiver.next().await;
    assert_eq!((arrived.status(), arrived.param("SequenceNumber")), ("completed", Some("3")));
    assert_eq!((arrived.param("CallSid"), arrived.param("ErrorCode")), (call["sid"].as_str(), None));
    assert_eq!(studio.visit().await.0, "/voice.mp3");
    let ledger = emulator.ledger_of("calls").await;
    assert_eq!(ledger[0]["audio"][0]["fetched"], true);
    emulator.stop().await;

    // What is finished stays so, with all that is known of it.
    let emulator = Emulator::with(journalled(&journal, Pace::Immediate)).await;
    receiver.expect_nothing().await;
    assert_eq!(emulator.ledger_of("calls").await, ledger);
    assert!(studio.visits.try_recv().is_err(), "nothing is fetched twice");
}
