//! The way of one SMS through the whole product, with the log that operators look for.

use mission_control::auth::Role;
use reqwest::StatusCode;
use serde_json::json;

use crate::support::log;
use crate::support::service::{Service, eventually, text};

#[tokio::test(flavor = "multi_thread")]
async fn an_sms_is_asked_for_approved_sent_once_and_followed() {
    let service = Service::start().await;
    let token = service.token("ada@example.com", Role::Admin).await;
    let body = json!({ "to": "+14155550132", "message": "Your driver is 10 minutes away." });
    let ask = || {
        let request = service.request(reqwest::Method::POST, "/api/twilio/send-sms", &token).json(&body);
        request.header("Idempotency-Key", "smoke-1").header("X-Correlation-Id", "smoke-sms-1")
    };

    let asked = service.send(ask()).await;
    assert_eq!(asked.status, StatusCode::ACCEPTED, "{}", asked.text);
    let operation = asked.json();
    assert_eq!(operation["state"], "pending_approval");
    let id = text(&operation["operationId"]);
    assert_eq!(asked.header("location"), Some(format!("/api/operations/{id}").as_str()));

    let approved = service.approve(&token, &operation).await;
    assert_eq!(approved.status, StatusCode::OK, "{}", approved.text);
    let delivered = service.until(&token, &id, "delivered").await;
    assert_eq!(delivered["status"], "delivered");

    let replayed = service.send(ask()).await;
    assert_eq!(replayed.status, StatusCode::OK, "{}", replayed.text);
    assert_eq!(replayed.header("idempotent-replayed"), Some("true"));
    assert_eq!(replayed.json()["messageSid"], delivered["messageSid"]);
    assert_eq!(service.accepted().await.len(), 1, "a replay sends nothing");

    let expected = ["idempotency.recorded", "approval.held", "twilio.sms.send", "twilio.outcome", "idempotency.replay"];
    eventually("the log lines", || async {
        let lines = log::of("smoke-sms-1");
        let missing = expected.iter().find(|event| !lines.iter().any(|line| line["event"] == **event));
        missing.map_or(Ok(()), |event| Err(format!("{event} is missing")))
    })
    .await;
    let lines = log::of("smoke-sms-1");
    assert!(lines.iter().all(|line| !line.to_string().contains("+14155550132")), "numbers are masked");
    #[expect(clippy::print_stdout, reason = "`make smoke` shows the log; the test runner hides it otherwise")]
    for line in lines {
        println!("{line}");
    }
    service.stop().await;
}
