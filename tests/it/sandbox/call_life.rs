//! The life of a call: what its callbacks tell, what is fetched when it is answered, what outlives a restart.

use std::{net::SocketAddr, path::Path};

use axum::{Router, extract::Request, http::StatusCode, routing::get};
use mission_control::sandbox::{Options, Pace};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::mpsc};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use super::{ACCOUNT, Emulator, OWN, PATIENCE, RECIPIENT, Receiver, options};

const EVENTS: [(&str, &str); 4] = [
    ("StatusCallbackEvent", "initiated"),
    ("StatusCallbackEvent", "ringing"),
    ("StatusCallbackEvent", "answered"),
    ("StatusCallbackEvent", "completed"),
];

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
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
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
    assert_eq!(arrived.status(), "completed");
    assert_eq!(arrived.param("CallSid"), call["sid"].as_str());
    let ledger = emulator.ledger_of("calls").await;
    let line = ledger.into_iter().find(|line| line["sid"] == call["sid"]).expect("a line");
    (line, arrived.param("ErrorCode").map(str::to_owned))
}

#[tokio::test]
async fn a_call_is_reported_in_signed_steps() {
    let emulator = Emulator::start(Pace::Immediate).await;
    let mut receiver = Receiver::start().await;
    let callback = receiver.url("/call/1?ref=a%2Fb#rc=3&rp=5xx,ct,rt");
    let form = [&[("Twiml", "<Response/>"), ("StatusCallback", callback.as_str())], &EVENTS[..]].concat();
    let call = emulator.call(RECIPIENT, &form).await;
    for (number, status) in ["initiated", "ringing", "in-progress", "completed"].into_iter().enumerate() {
        let arrived = receiver.next().await;
        assert_eq!(arrived.uri.to_string(), "/call/1?ref=a%2Fb");
        assert!(arrived.is_signed_for(&receiver.origin()));
        assert!(!arrived.is_signed_for("http://elsewhere.example"));
        assert_eq!(arrived.header("user-agent"), "TwilioProxy/1.1");
        for (name, value) in [
            ("CallSid", call["sid"].as_str().expect("a SID")),
            ("AccountSid", ACCOUNT),
            ("From", OWN),
            ("To", RECIPIENT),
            ("CallStatus", status),
            ("ApiVersion", "2010-04-01"),
            ("Direction", "outbound-api"),
            ("CallbackSource", "call-progress-events"),
            ("SequenceNumber", &number.to_string()),
        ] {
            assert_eq!(arrived.param(name), Some(value), "{name} of {status}");
        }
        assert!(arrived.param("Timestamp").is_some_and(|at| at.ends_with(" +0000")));
        let is_last = status == "completed";
        for (name, value) in [("CallDuration", "1"), ("Duration", "1"), ("SipResponseCode", "200")] {
            assert_eq!(arrived.param(name), is_last.then_some(value), "{name} of {status}");
        }
        assert_eq!(arrived.param("ErrorCode"), None);
    }
    receiver.expect_nothing().await;
}

#[tokio::test]
async fn only_the_events_asked_for_are_reported() {
    let emulator = Emulator::start(Pace::Immediate).await;
    for (events, expected) in
        [(&[][..], &[("completed", "3")][..]), (&[EVENTS[1], EVENTS[2]][..], &[("ringing", "1"), ("in-progress", "2")])]
    {
        let mut receiver = Receiver::start().await;
        let callback = receiver.url("/");
        let form = [&[("Twiml", "<Response/>"), ("StatusCallback", callback.as_str())], events].concat();
        emulator.call(RECIPIENT, &form).await;
        for (status, number) in expected {
            let arrived = receiver.next().await;
            assert_eq!((arrived.status(), arrived.param("SequenceNumber")), (*status, Some(*number)));
        }
        receiver.expect_nothing().await;
    }
}

#[tokio::test]
async fn the_sandboxs_own_recipients_do_not_talk() {
    let emulator = Emulator::start(Pace::Immediate).await;
    for (to, end, sip_response_code) in
        [("+15005550101", "busy", "486"), ("+15005550102", "no-answer", "487"), ("+15005550104", "failed", "404")]
    {
        let mut receiver = Receiver::start().await;
        let callback = receiver.url("/");
        let call = emulator.call(to, &[("Twiml", "<Response/>"), ("StatusCallback", &callback)]).await;
        let arrived = receiver.next().await;
        assert_eq!(arrived.status(), end);
        assert_eq!(arrived.param("SipResponseCode"), Some(sip_response_code));
        assert_eq!((arrived.param("CallDuration"), arrived.param("Duration")), (Some("0"), Some("0")));
        let call = emulator.get_json(&format!("/Calls/{}.json", call["sid"].as_str().expect("a SID"))).await;
        assert_eq!((&call["status"], &call["duration"], &call["end_time"]), (&json!(end), &json!(null), &json!(null)));
    }
    let mut receiver = Receiver::start().await;
    let callback = receiver.url("/");
    let form = [&[("Twiml", "<Response/>"), ("StatusCallback", callback.as_str())], &EVENTS[..]].concat();
    let call = emulator.call("+15005550100", &form).await;
    emulator.until_at(&format!("/Calls/{}.json", call["sid"].as_str().expect("a SID")), "completed").await;
    receiver.expect_nothing().await;
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
        assert_eq!((&line["status"], &line["error_code"]), (&json!("completed"), &json!(code)), "{url}");
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
async fn a_call_is_signed_without_the_port_of_https() {
    let mut receiver = Receiver::start().await;
    let callbacks_to = Some(("https://control.example.com:8443".to_owned(), receiver.address));
    let emulator = Emulator::with(Options { callbacks_to, ..options(Pace::Immediate) }).await;
    let form = [("Twiml", "<Response/>"), ("StatusCallback", "https://control.example.com:8443/cb")];
    emulator.call(RECIPIENT, &form).await;
    let arrived = receiver.next().await;
    assert_eq!(arrived.header("host"), "control.example.com:8443");
    assert!(arrived.is_signed_for("https://control.example.com"));
}

#[tokio::test]
async fn a_hung_up_call_is_reported() {
    let emulator = Emulator::start(Pace::ByHand).await;
    let mut receiver = Receiver::start().await;
    let callback = receiver.url("/");
    let call = emulator.call(RECIPIENT, &[("Twiml", "<Response/>"), ("StatusCallback", &callback)]).await;
    let sid = call["sid"].as_str().expect("a SID");
    let driven = emulator.drive(sid, json!({ "status": "ringing" })).await;
    assert_eq!(driven["callback"], "not wanted");
    emulator.post(&format!("/Calls/{sid}.json"), &[("Status", "canceled")]).await.expect("an answer");
    let arrived = receiver.next().await;
    assert_eq!((arrived.status(), arrived.param("SipResponseCode")), ("canceled", Some("487")));
}

fn journalled(path: &Path, pace: Pace) -> Options {
    Options { journal: Some(path.to_owned()), ..options(pace) }
}

#[tokio::test]
async fn a_call_under_way_goes_on_after_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let journal = folder.path().join("sandbox.jsonl");
    let mut receiver = Receiver::start().await;
    let mut studio = Studio::start().await;

    let emulator = Emulator::with(journalled(&journal, Pace::ByHand)).await;
    let (callback, twiml) = (receiver.url("/"), play(&[&studio.url("/voice.mp3")]));
    let form = [&[("Twiml", twiml.as_str()), ("StatusCallback", &callback)], &EVENTS[..]].concat();
    let call = emulator.call(RECIPIENT, &form).await;
    emulator.stop().await;
    receiver.expect_nothing().await;

    let emulator = Emulator::with(journalled(&journal, Pace::Immediate)).await;
    assert_eq!(receiver.statuses(4).await, ["initiated", "ringing", "in-progress", "completed"]);
    assert_eq!(studio.visit().await.0, "/voice.mp3");
    let path = format!("/Calls/{}.json", call["sid"].as_str().expect("a SID"));
    assert_eq!(emulator.until_at(&path, "completed").await["date_created"], call["date_created"]);
    let ledger = emulator.ledger_of("calls").await;
    emulator.stop().await;

    // What is finished stays so, with all that is known of it.
    let emulator = Emulator::with(journalled(&journal, Pace::Immediate)).await;
    receiver.expect_nothing().await;
    assert_eq!(emulator.ledger_of("calls").await, ledger);
    assert_eq!(ledger[0]["audio"][0]["fetched"], true);
    assert!(studio.visits.try_recv().is_err(), "nothing is fetched twice");
}

#[tokio::test]
async fn faults_of_callbacks_strike_calls_too() {
    for (fault, expected) in [
        (json!("callback_lost"), vec!["ringing", "in-progress", "completed"]),
        (json!("callbacks_reordered"), vec!["ringing", "initiated", "completed", "in-progress"]),
    ] {
        let emulator = Emulator::start(Pace::Immediate).await;
        let mut receiver = Receiver::start().await;
        emulator.arm(json!([{ "fault": fault }])).await;
        let callback = receiver.url("/");
        let form = [&[("Twiml", "<Response/>"), ("StatusCallback", callback.as_str())], &EVENTS[..]].concat();
        emulator.call(RECIPIENT, &form).await;
        assert_eq!(receiver.statuses(expected.len()).await, expected, "{fault}");
    }
    let emulator = Emulator::start(Pace::ByHand).await;
    let mut receiver = Receiver::start().await;
    emulator.arm(json!([{ "fault": "callback_before_answer" }])).await;
    let callback = receiver.url("/");
    let form = [&[("Twiml", "<Response/>"), ("StatusCallback", callback.as_str())], &EVENTS[..]].concat();
    let call = emulator.call(RECIPIENT, &form).await;
    let arrived = receiver.arrivals.try_recv().expect("it came before the answer");
    assert_eq!((arrived.status(), arrived.param("CallSid")), ("initiated", call["sid"].as_str()));
    assert_eq!(call["status"], "queued");
}
