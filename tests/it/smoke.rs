//! The way of one SMS and of one call through the whole product, with the log that operators look for.

use mission_control::auth::Role;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::log;
use crate::support::service::{Service, eventually, text};

#[tokio::test(flavor = "multi_thread")]
async fn an_sms_is_asked_for_approved_sent_once_and_followed() {
    let service = Service::start().await;
    let body = json!({ "to": "+14155550132", "message": "Your driver is 10 minutes away." });
    walk(&service, "send-sms", &body, ("messageSid", "delivered"), "twilio.sms.send").await;
    let accepted = service.ledger().await;
    assert_eq!(accepted["messages"].as_array().map(Vec::len), Some(1), "a replay sends nothing");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_asked_for_approved_placed_once_and_followed() {
    let service = Service::start().await;
    let url = service.url("/api/public/call-audio/test-recording.mp3");
    let body = json!({ "to": "+14155550132", "audioUrl": url });
    walk(&service, "make-call", &body, ("callSid", "completed"), "twilio.call.create").await;
    let calls = service.ledger().await["calls"].clone();
    assert_eq!(calls.as_array().map(Vec::len), Some(1), "a replay calls nobody");
    assert_eq!(calls[0]["audio"][0]["fetched"], true);
    service.stop().await;
}

/// Asks, approves, waits for Twilio's last word, asks again, and looks at the log.
async fn walk(service: &Service, route: &str, body: &Value, (sid, last_word): (&str, &str), event: &str) {
    let token = service.token("ada@example.com", Role::Admin).await;
    let correlation_id = format!("smoke-{route}");
    let ask = || {
        let request = service.request(reqwest::Method::POST, &format!("/api/twilio/{route}"), &token).json(body);
        request.header("Idempotency-Key", "smoke-1").header("X-Correlation-Id", &correlation_id)
    };

    let asked = service.send(ask()).await;
    assert_eq!(asked.status, StatusCode::ACCEPTED, "{}", asked.text);
    let operation = asked.json();
    assert_eq!(operation["state"], "pending_approval");
    let id = text(&operation["operationId"]);
    assert_eq!(asked.header("location"), Some(format!("/api/operations/{id}").as_str()));

    let approved = service.approve(&token, &operation).await;
    assert_eq!(approved.status, StatusCode::OK, "{}", approved.text);
    let ended = service.until(&token, &id, "delivered").await;
    assert_eq!(ended["status"], last_word);

    let replayed = service.send(ask()).await;
    assert_eq!(replayed.status, StatusCode::OK, "{}", replayed.text);
    assert_eq!(replayed.header("idempotent-replayed"), Some("true"));
    assert_eq!(replayed.json()[sid], ended[sid]);

    let expected = ["idempotency.recorded", "approval.held", event, "twilio.outcome", "idempotency.replay"];
    eventually("the log lines", || async {
        let lines = log::of(&correlation_id);
        let missing = expected.iter().find(|event| !lines.iter().any(|line| line["event"] == **event));
        missing.map_or(Ok(()), |event| Err(format!("{event} is missing")))
    })
    .await;
    let lines = log::of(&correlation_id);
    assert!(lines.iter().all(|line| !line.to_string().contains("+14155550132")), "numbers are masked");
    #[expect(clippy::print_stdout, reason = "`make smoke` shows the log; the test runner hides it otherwise")]
    for line in lines {
        println!("{line}");
    }
}
