//! The life of a message as its status callbacks tell it.

use std::net::SocketAddr;

use mission_control::sandbox::{Options, Pace};
use serde_json::json;

use super::{ACCOUNT, Emulator, OWN, RECIPIENT, Receiver, options};

#[tokio::test]
async fn a_life_is_reported_in_signed_steps() {
    let emulator = Emulator::start(Pace::Immediate).await;
    let mut receiver = Receiver::start().await;
    let callback = receiver.url("/status/1?ref=a%2Fb%20c&empty=&flag#rc=3&rp=5xx,ct,rt");
    let message = emulator.send(RECIPIENT, Some(&callback)).await;
    assert_eq!(message["status"], "queued");
    let sid = message["sid"].as_str().expect("a SID");

    let mut tokens = Vec::new();
    for expected in ["sent", "delivered"] {
        let arrived = receiver.next().await;
        assert_eq!(arrived.uri.to_string(), "/status/1?ref=a%2Fb%20c&empty=&flag");
        assert!(arrived.is_signed_for(&receiver.origin()));
        assert!(!arrived.is_signed_for("http://elsewhere.example"));
        assert_eq!(arrived.header("content-type"), "application/x-www-form-urlencoded; charset=UTF-8");
        for (name, value) in [
            ("MessageSid", sid),
            ("SmsSid", sid),
            ("AccountSid", ACCOUNT),
            ("From", OWN),
            ("To", RECIPIENT),
            ("MessageStatus", expected),
            ("SmsStatus", expected),
            ("ApiVersion", "2010-04-01"),
        ] {
            assert_eq!(arrived.param(name), Some(value), "{name} of {expected}");
        }
        assert_eq!(arrived.param("ErrorCode"), None);
        assert_eq!(arrived.param("RawDlrDoneDate").map(str::len), (expected == "delivered").then_some(10));
        tokens.push(arrived.header("i-twilio-idempotency-token").to_owned());
    }
    assert!(!tokens[0].is_empty() && tokens[0] != tokens[1]);
    receiver.expect_nothing().await;
    let delivered = emulator.message(sid).await;
    assert_eq!((&delivered["status"], &delivered["price"]), (&json!("delivered"), &json!("-0.00750")));
    assert!(delivered["date_sent"].is_string());
}

#[tokio::test]
async fn the_sandboxs_own_recipients_fail_after_acceptance() {
    let emulator = Emulator::start(Pace::Immediate).await;
    for (to, statuses, error_code) in [
        ("+15005550100", ["sent", ""], None),
        ("+15005550103", ["sent", "undelivered"], Some(30003)),
        ("+15005550105", ["sent", "undelivered"], Some(30005)),
        ("+15005550106", ["sent", "undelivered"], Some(30006)),
        ("+15005550107", ["failed", ""], Some(30007)),
    ] {
        let mut receiver = Receiver::start().await;
        let message = emulator.send(to, Some(&receiver.url("/"))).await;
        let mut last = None;
        for expected in statuses.into_iter().filter(|status| !status.is_empty()) {
            let arrived = receiver.next().await;
            assert_eq!(arrived.status(), expected, "{to}");
            last = Some(arrived);
        }
        let reported = last.as_ref().and_then(|arrived| arrived.param("ErrorCode")).map(str::to_owned);
        assert_eq!(reported, error_code.map(|code: u32| code.to_string()), "{to}");
        receiver.expect_nothing().await;
        let message = emulator.message(message["sid"].as_str().expect("a SID")).await;
        assert_eq!(message["error_code"], json!(error_code), "{to}");
        assert_eq!(message["error_message"].is_string(), error_code.is_some(), "{to}");
    }
}

#[tokio::test]
async fn the_public_origin_is_signed_but_our_own_listener_is_called() {
    let mut receiver = Receiver::start().await;
    let public = "https://control.example.com";
    let callbacks_to = Some((public.to_owned(), receiver.address));
    let emulator = Emulator::with(Options { callbacks_to, ..options(Pace::Immediate) }).await;
    emulator.send(RECIPIENT, Some(&format!("{public}/webhooks/1?ref=x#rc=1"))).await;
    let arrived = receiver.next().await;
    assert_eq!(arrived.uri.to_string(), "/webhooks/1?ref=x");
    assert_eq!(arrived.header("host"), "control.example.com");
    assert!(arrived.is_signed_for(public));
    assert!(!arrived.is_signed_for(&receiver.origin()));
}

#[tokio::test]
async fn a_callback_that_would_leave_the_machine_is_refused() {
    let emulator = Emulator::start(Pace::ByHand).await;
    for callback in ["https://example.com/cb", "http://192.0.2.1/cb"] {
        let message = emulator.send(RECIPIENT, Some(callback)).await;
        let driven = emulator.drive(message["sid"].as_str().expect("a SID"), json!({ "status": "sent" })).await;
        let outcome = driven["callback"].as_str().expect("an outcome");
        assert!(outcome.starts_with("refused: "), "{callback}: {outcome}");
    }
}

#[tokio::test]
async fn a_refused_callback_is_repeated_only_as_its_fragment_says() {
    let emulator = Emulator::start(Pace::ByHand).await;
    for (fragment, answers, arrivals) in [
        ("", &[503, 204][..], 1),
        ("#rc=3&rp=5xx,ct,rt", &[503, 503, 204], 3),
        ("#rc=1&rp=5xx", &[503, 503, 503], 2),
        ("#rc=3&rp=5xx", &[404, 204], 1),
        ("#rc=2&rp=all", &[404, 204], 2),
    ] {
        let mut receiver = Receiver::start().await;
        receiver.answer_next_with(answers);
        let message = emulator.send(RECIPIENT, Some(&receiver.url(&format!("/{fragment}")))).await;
        let driven = emulator.drive(message["sid"].as_str().expect("a SID"), json!({ "status": "sent" })).await;
        assert_eq!(driven["callback"], format!("answered {}", answers[arrivals - 1]), "{fragment}");
        let mut tokens = Vec::new();
        for _ in 0..arrivals {
            tokens.push(receiver.next().await.header("i-twilio-idempotency-token").to_owned());
        }
        tokens.dedup();
        assert_eq!(tokens.len(), 1, "the tries of one report share its token");
        receiver.expect_nothing().await;
    }
}

#[tokio::test]
async fn nobody_there_is_a_failure_and_not_the_end() {
    let emulator = Emulator::start(Pace::ByHand).await;
    let free: SocketAddr = {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        listener.local_addr().expect("an address")
    };
    let message = emulator.send(RECIPIENT, Some(&format!("http://{free}/cb"))).await;
    let sid = message["sid"].as_str().expect("a SID");
    let driven = emulator.drive(sid, json!({ "status": "sent" })).await;
    assert!(driven["callback"].as_str().is_some_and(|outcome| outcome.starts_with("failed: ")));
    assert_eq!(emulator.message(sid).await["status"], "sent");
}

#[tokio::test]
async fn a_life_can_be_driven_by_hand() {
    let emulator = Emulator::start(Pace::ByHand).await;
    let mut receiver = Receiver::start().await;
    let message = emulator.send(RECIPIENT, Some(&receiver.url("/"))).await;
    let sid = message["sid"].as_str().expect("a SID");
    receiver.expect_nothing().await;
    emulator.drive(sid, json!({ "status": "undelivered", "error_code": 30008 })).await;
    let arrived = receiver.next().await;
    assert_eq!((arrived.status(), arrived.param("ErrorCode")), ("undelivered", Some("30008")));
    emulator.drive(sid, json!({ "status": "delivered" })).await;
    assert_eq!(receiver.next().await.status(), "delivered");
    assert_eq!(emulator.message(sid).await["status"], "delivered");
}
