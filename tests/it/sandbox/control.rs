//! The control endpoints themselves.

use mission_control::sandbox::Pace;
use reqwest::header::{HOST, ORIGIN};
use serde_json::{Value, json};

use super::{Emulator, OWN, RECIPIENT};

#[tokio::test]
async fn the_ledger_tells_what_was_accepted() {
    let emulator = Emulator::start(Pace::ByHand).await;
    let sid = emulator.send(RECIPIENT, None).await["sid"].clone();
    let answer = emulator.client.get(emulator.url("/sandbox/ledger")).send().await.expect("an answer");
    let ledger: Value = answer.json().await.expect("JSON");
    let at = ledger["messages"][0]["accepted_at"].as_str().expect("a time").to_owned();
    assert!(time::OffsetDateTime::parse(&at, &time::format_description::well_known::Rfc3339).is_ok());
    assert_eq!(
        ledger,
        json!({
            "messages": [{ "sid": sid, "to": RECIPIENT, "from": OWN, "body": "Hello", "accepted_at": at }],
            "calls": [],
            "syntheses": [],
        }),
    );
}

#[tokio::test]
async fn web_pages_cannot_drive_it() {
    let emulator = Emulator::start(Pace::ByHand).await;
    let reset = || emulator.client.post(emulator.url("/sandbox/reset"));
    let port = emulator.sandbox.address.port();
    for host in ["rebound.example".to_owned(), format!("rebound.example:{port}"), "127.0.0.1.example".to_owned()] {
        let answer = reset().header(HOST, &host).send().await.expect("an answer");
        assert_eq!(answer.status(), 403, "{host}");
    }
    for origin in ["https://example.com", "null", "http://127.0.0.1"] {
        assert_eq!(reset().header(ORIGIN, origin).send().await.expect("an answer").status(), 403, "{origin}");
    }
    for host in [format!("localhost:{port}"), format!("127.0.0.1:{port}"), format!("[::1]:{port}")] {
        assert_eq!(reset().header(HOST, &host).send().await.expect("an answer").status(), 204, "{host}");
    }
}

#[tokio::test]
async fn a_wrong_control_is_refused() {
    let emulator = Emulator::start(Pace::ByHand).await;
    let sid = emulator.send(RECIPIENT, None).await["sid"].as_str().expect("a SID").to_owned();
    let path = format!("/sandbox/messages/{sid}/status");
    for (path, body, status, named) in [
        (path.as_str(), json!({ "status": "lost" }), 400, "lost"),
        (&path, json!({ "state": "sent" }), 400, "state"),
        (&path, json!({}), 400, "status"),
        ("/sandbox/messages/SM1/status", json!({ "status": "sent" }), 404, "SM1"),
        ("/sandbox/calls/CA1/status", json!({ "status": "completed" }), 404, "there is no call CA1"),
        (&path.replace("messages", "calls"), json!({ "status": "completed" }), 404, "there is no call SM"),
        ("/sandbox/nothing", json!({}), 404, "no such control"),
    ] {
        let answer = emulator.control(path, body).await;
        assert_eq!(answer.status(), status, "{path}");
        let problem: Value = answer.json().await.expect("JSON");
        assert!(problem["error"].as_str().is_some_and(|error| error.contains(named)), "{problem}");
    }
}

#[tokio::test]
async fn a_reset_forgets_messages_and_faults() {
    let emulator = Emulator::start(Pace::Immediate).await;
    emulator.send(RECIPIENT, None).await;
    emulator.arm(json!([{ "fault": "drop_without" }])).await;
    assert_eq!(emulator.control("/sandbox/reset", json!({})).await.status(), 204);
    assert!(emulator.ledger().await.is_empty());
    emulator.send(RECIPIENT, None).await;
    assert_eq!(emulator.ledger().await.len(), 1);
}
