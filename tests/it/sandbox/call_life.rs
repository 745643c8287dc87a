//! The life of a call as its callbacks tell it.

use mission_control::sandbox::{Options, Pace};
use serde_json::json;

use super::{ACCOUNT, Emulator, OWN, RECIPIENT, Receiver, options};

const EVENTS: [(&str, &str); 4] = [
    ("StatusCallbackEvent", "initiated"),
    ("StatusCallbackEvent", "ringing"),
    ("StatusCallbackEvent", "answered"),
    ("StatusCallbackEvent", "completed"),
];

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
