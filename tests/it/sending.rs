//! Sent once, whatever Twilio does: each fault of the sandbox, and what becomes of the operation.

use std::time::Duration;

use mission_control::auth::Role;
use mission_control::sandbox::Pace;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::service::{Service, Setup, eventually, text};

/// Past the deadline of an attempt.
const DEADLINE: Duration = Duration::from_secs(31);

/// Past its settle time.
const SETTLED: Duration = Duration::from_secs(61);

/// Past the time between two looks at Twilio's list.
const NEXT_LOOK: Duration = Duration::from_secs(61);

/// A service where a person decides about what never arrived.
async fn with_persons_word(pace: Pace) -> Service {
    Setup::new().await.pace(pace).with("MISSION_CONTROL_DISPATCH_ON_UNKNOWN", "person").start().await
}

/// Lets the time pass in which Twilio is asked, twice.
async fn let_it_settle(service: &Service, token: &str, id: &str) -> Value {
    service.clock.advance(DEADLINE + SETTLED);
    eventually("the first look", || async {
        let operation = service.operation(token, id).await;
        if operation["evidence"] == json!([]) { Err(operation.to_string()) } else { Ok(()) }
    })
    .await;
    service.clock.advance(NEXT_LOOK);
    service.until(token, id, "needs_review").await
}

async fn bodies(service: &Service) -> Vec<String> {
    service.accepted().await.iter().map(|message| text(&message["body"])).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_arrive_once_each() {
    let service = Service::start().await;
    let token = service.token("ada@example.com", Role::Admin).await;
    let mut ids = Vec::new();
    for number in 0..60 {
        ids.push(service.ask_approved(&token, "+14155550132", &format!("Number {number}")).await);
    }
    for id in &ids {
        service.until(&token, id, "delivered").await;
    }
    let mut sent = bodies(&service).await;
    sent.sort();
    let mut expected: Vec<String> = (0..60).map(|number| format!("Number {number}")).collect();
    expected.sort();
    assert_eq!(sent, expected);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_final_and_told_in_words() {
    let service = Service::start().await;
    let token = service.token("ada@example.com", Role::Admin).await;
    let id = service.ask_approved(&token, "+15005550001", "to a magic number").await;
    let failed = service.until(&token, &id, "failed").await;
    assert_eq!((&failed["errorCode"], &failed["reasonCode"]), (&json!(21211), &json!("provider_refused")));
    assert_eq!(failed["attempts"][0]["state"], "refused");
    let body =
        json!({ "to": "+15005550001", "message": "to a magic number", "idempotencyKey": failed["idempotencyKey"] });
    let replay = service.post("/api/twilio/send-sms", &token, &body).await;
    assert_eq!((replay.status, replay.code().as_str()), (StatusCode::BAD_GATEWAY, "provider_refused"));
    assert!(replay.text.contains("not valid"), "{}", replay.text);
    assert!(service.accepted().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_provably_did_not_leave_is_tried_again() {
    let service = Service::start().await;
    let token = service.token("ada@example.com", Role::Admin).await;
    service.fault(json!([{ "fault": "too_many_requests_429", "times": 2 }])).await;
    let id = service.ask_approved(&token, "+14155550132", "Hello").await;
    let moved = |attempts: usize| {
        let (service, token, id) = (&service, &token, &id);
        async move {
            eventually("the next attempt", || async {
                let operation = service.operation(token, id).await;
                let made = operation["attempts"].as_array().map_or(0, Vec::len);
                let waits = operation["state"] == "approved";
                if made >= attempts && (waits || operation["state"] == "delivered") {
                    Ok(())
                } else {
                    Err(operation.to_string())
                }
            })
            .await;
        }
    };
    moved(1).await;
    service.clock.advance(Duration::from_secs(2));
    moved(2).await;
    service.clock.advance(Duration::from_secs(4));
    let delivered = service.until(&token, &id, "delivered").await;
    let states: Vec<&Value> =
        delivered["attempts"].as_array().expect("attempts").iter().map(|attempt| &attempt["state"]).collect();
    assert_eq!(states, ["not_sent", "not_sent", "accepted"]);
    assert_eq!(bodies(&service).await, ["Hello"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_credentials_put_everything_on_hold() {
    let service = Service::start().await;
    let token = service.token("ada@example.com", Role::Admin).await;
    service.fault(json!([{ "fault": "unauthorized_401" }])).await;
    let id = service.ask_approved(&token, "+14155550132", "Hello").await;
    let hold = eventually("the hold", || async {
        let hold = service.get("/api/hold", &token).await.json();
        if hold["held"] == true { Ok(hold) } else { Err(hold.to_string()) }
    })
    .await;
    assert_eq!(hold["cause"], "credentials");
    assert!(text(&hold["reason"]).contains("API Vault"), "{hold}");
    service.until(&token, &id, "approved").await;
    service.clock.advance(Duration::from_secs(10));
    assert_eq!(service.send(service.request(Method::DELETE, "/api/hold", &token)).await.status, StatusCode::OK);
    service.until(&token, &id, "delivered").await;
    assert_eq!(bodies(&service).await, ["Hello"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_accepted_message_whose_answer_was_lost_is_settled_by_its_report() {
    for fault in ["accept_then_drop", "error_500_after_accepting", "error_503_after_accepting", "garbage_2xx"] {
        let service = Service::start().await;
        let token = service.token("ada@example.com", Role::Admin).await;
        service.fault(json!([{ "fault": fault }])).await;
        let id = service.ask_approved(&token, "+14155550132", "Hello").await;
        let delivered = service.until(&token, &id, "delivered").await;
        assert!(delivered["messageSid"].as_str().is_some_and(|sid| sid.starts_with("SM")), "{fault}: {delivered}");
        // The attempt is closed by the same evidence, long before anybody has to look.
        let closed = eventually("the attempt to be closed", || async {
            let operation = service.operation(&token, &id).await;
            let attempt = operation["attempts"][0].clone();
            if attempt["state"] == "accepted" { Ok(attempt) } else { Err(attempt.to_string()) }
        })
        .await;
        assert_eq!((&closed["boundBy"], &closed["sid"]), (&json!("callback"), &delivered["messageSid"]), "{fault}");
        service.clock.advance(DEADLINE + SETTLED);
        service.app().changes.wake();
        assert_eq!(bodies(&service).await, ["Hello"], "{fault}: sent once");
        assert_eq!(service.operation(&token, &id).await["state"], "delivered", "{fault}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_evidence_an_unknown_outcome_is_handed_to_a_person_and_never_sent_again() {
    for fault in ["error_500_without", "drop_without", "redirect_307"] {
        let service = with_persons_word(Pace::Immediate).await;
        let token = service.token("ada@example.com", Role::Admin).await;
        service.fault(json!([{ "fault": fault }])).await;
        let id = service.ask_approved(&token, "+14155550132", "Hello").await;
        let unknown = service.until(&token, &id, "unknown").await;
        let path = format!("/api/operations/{id}/resolve");
        let again = json!({ "outcome": "send_again", "reason": "the customer waits" });
        let early = service.post(&path, &token, &again).await;
        assert_eq!((early.status, early.code().as_str()), (StatusCode::CONFLICT, "too_early"), "{fault}: {unknown}");
        let review = let_it_settle(&service, &token, &id).await;
        assert_eq!(
            (&review["needsAttention"], review["attempts"].as_array().map(Vec::len)),
            (&json!(true), Some(1)),
            "{fault}"
        );
        assert!(bodies(&service).await.is_empty(), "{fault}: nothing was sent again");
        let resolved = service.post(&path, &token, &again).await;
        assert_eq!(resolved.status, StatusCode::OK, "{fault}: {}", resolved.text);
        service.until(&token, &id, "delivered").await;
        assert_eq!(bodies(&service).await, ["Hello"], "{fault}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_cannot_send_again_what_twilio_lists() {
    // Others send from the same number: what is listed is shown to a person, and not bound.
    let setup = Setup::new().await.pace(Pace::ByHand).with("MISSION_CONTROL_DISPATCH_SENDER_IS_EXCLUSIVE", "false");
    let service = setup.start().await;
    let token = service.token("ada@example.com", Role::Admin).await;
    service.fault(json!([{ "fault": "accept_then_drop" }])).await;
    let id = service.ask_approved(&token, "+14155550132", "Hello").await;
    service.until(&token, &id, "unknown").await;
    service.clock.advance(DEADLINE + SETTLED);
    service.until(&token, &id, "needs_review").await;
    let path = format!("/api/operations/{id}/resolve");
    let again = service.post(&path, &token, &json!({ "outcome": "send_again", "reason": "x" })).await;
    assert_eq!((again.status, again.code().as_str()), (StatusCode::CONFLICT, "evidence_found"), "{}", again.text);
    let sid = text(&service.accepted().await[0]["sid"]);
    assert_eq!(again.json()["candidates"], json!([sid]));

    let wrong = service.post(&path, &token, &json!({ "outcome": "sent", "sid": "SM1", "reason": "x" })).await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
    let foreign = service.ask_approved(&token, "+14155550199", "To another").await;
    let foreign = text(&service.until(&token, &foreign, "accepted").await["messageSid"]);
    for (sid, code) in [("SM00000000000000000000000000000000", "sid_unknown"), (foreign.as_str(), "sid_differs")] {
        let refused = service.post(&path, &token, &json!({ "outcome": "sent", "sid": sid, "reason": "x" })).await;
        assert_eq!((refused.status, refused.code().as_str()), (StatusCode::CONFLICT, code));
    }
    let bound =
        service.post(&path, &token, &json!({ "outcome": "sent", "sid": sid, "reason": "it is in the list" })).await;
    assert_eq!(bound.status, StatusCode::OK, "{}", bound.text);
    let accepted = service.operation(&token, &id).await;
    assert_eq!((&accepted["state"], &accepted["messageSid"]), (&json!("accepted"), &json!(sid)));
    let twice = service.post(&path, &token, &json!({ "outcome": "failed", "reason": "x" })).await;
    assert_eq!((twice.status, twice.code().as_str()), (StatusCode::CONFLICT, "nothing_to_resolve"));
    let by_hand = service.client().post(format!("{}/sandbox/messages/{sid}/status", service.sandbox()));
    assert!(by_hand.json(&json!({ "status": "delivered" })).send().await.expect("the sandbox").status().is_success());
    service.until(&token, &id, "delivered").await;
    assert_eq!(bodies(&service).await, ["Hello", "To another"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_after_a_person_said_it_failed_raises_the_alarm() {
    let service = Setup::new().await.pace(Pace::ByHand).start().await;
    let token = service.token("ada@example.com", Role::Admin).await;
    service.fault(json!([{ "fault": "accept_then_drop" }])).await;
    let id = service.ask_approved(&token, "+14155550132", "Hello").await;
    service.until(&token, &id, "unknown").await;
    let path = format!("/api/operations/{id}/resolve");
    let failed = service.post(&path, &token, &json!({ "outcome": "failed", "reason": "I think not" })).await;
    assert_eq!(failed.status, StatusCode::OK, "{}", failed.text);
    let sid = text(&service.accepted().await[0]["sid"]);
    let by_hand = service.client().post(format!("{}/sandbox/messages/{sid}/status", service.sandbox()));
    assert!(by_hand.json(&json!({ "status": "delivered" })).send().await.expect("the sandbox").status().is_success());
    let story = eventually("the alarm", || async {
        let story = service.operation(&token, &id).await;
        if story["duplicateSuspected"] == true { Ok(story) } else { Err(story.to_string()) }
    })
    .await;
    assert_eq!(
        (&story["state"], &story["conflicted"], &story["needsAttention"]),
        (&json!("failed"), &json!(true), &json!(true))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_after_a_person_said_send_again_stops_the_second_send() {
    let service = with_persons_word(Pace::ByHand).await;
    let token = service.token("ada@example.com", Role::Admin).await;
    service.fault(json!([{ "fault": "accept_then_drop" }, { "fault": { "list_lag": { "ms": 3_600_000 } } }])).await;
    let id = service.ask_approved(&token, "+14155550132", "Hello").await;
    service.until(&token, &id, "unknown").await;
    let_it_settle(&service, &token, &id).await;
    service
        .send(service.request(Method::PUT, "/api/hold", &token).json(&json!({ "reason": "so that it waits" })))
        .await;
    let again = json!({ "outcome": "send_again", "reason": "Twilio does not list it" });
    let again = service.post(&format!("/api/operations/{id}/resolve"), &token, &again).await;
    assert_eq!(again.status, StatusCode::OK, "{}", again.text);

    // As a report does that waited for the row while the decision was made: it saw the attempt as it was before.
    sqlx::query("update attempts set state = 'needs_review'").execute(&service.app().db).await.expect("the older view");
    let sid = text(&service.accepted().await[0]["sid"]);
    let by_hand = service.client().post(format!("{}/sandbox/messages/{sid}/status", service.sandbox()));
    assert!(by_hand.json(&json!({ "status": "delivered" })).send().await.expect("the sandbox").status().is_success());
    let story = service.operation(&token, &id).await;
    assert_eq!((&story["state"], &story["duplicateSuspected"]), (&json!("approved"), &json!(true)), "{story}");
    assert_eq!(service.send(service.request(Method::DELETE, "/api/hold", &token)).await.status, StatusCode::OK);
    service.clock.advance(Duration::from_hours(2));
    let ended = service.until(&token, &id, "expired").await;
    assert_eq!((&ended["reasonCode"], &ended["needsAttention"]), (&json!("duplicate_suspected"), &json!(true)));
    assert_eq!(bodies(&service).await, ["Hello"], "sent once");
}

#[tokio::test(flavor = "multi_thread")]
async fn twins_go_one_after_the_other_and_say_what_they_wait_for() {
    let service = with_persons_word(Pace::Immediate).await;
    let token = service.token("ada@example.com", Role::Admin).await;
    service.fault(json!([{ "fault": "error_500_without" }])).await;
    let first = service.ask_approved(&token, "+14155550132", "Hello").await;
    service.until(&token, &first, "unknown").await;
    let twin = service.ask(&token, "+14155550132", "Hello").await;
    assert_eq!(twin["possibleDuplicateOf"], json!(first), "the approver is warned");
    service.approve(&token, &twin).await;
    let id = text(&twin["operationId"]);
    let blocked = service.operation(&token, &id).await;
    assert_eq!((&blocked["state"], &blocked["blockedBy"]), (&json!("approved"), &json!(first)));
    let other = service.ask_approved(&token, "+14155550132", "Something else").await;
    service.until(&token, &other, "delivered").await;
    assert_eq!(service.operation(&token, &id).await["state"], "approved", "it still waits");
    let_it_settle(&service, &token, &first).await;
    service.until(&token, &id, "delivered").await;
    assert_eq!(bodies(&service).await, ["Something else", "Hello"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_keeps_its_rate() {
    let service = Setup::new().await.with("MISSION_CONTROL_DISPATCH_SMS_SEGMENTS_PER_SECOND", "0.1").start().await;
    let token = service.token("ada@example.com", Role::Admin).await;
    let long = service.ask_approved(&token, "+14155550132", &"x".repeat(200)).await;
    service.until(&token, &long, "delivered").await;
    let next = service.ask_approved(&token, "+14155550132", "next").await;
    service.clock.advance(Duration::from_secs(5));
    service.app().changes.wake();
    assert_eq!(service.operation(&token, &next).await["state"], "approved", "two segments take 20 s");
    service.clock.advance(Duration::from_secs(20));
    service.until(&token, &next, "delivered").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_after_acceptance_is_followed() {
    let service = Service::start().await;
    let token = service.token("ada@example.com", Role::Admin).await;
    let id = service.ask_approved(&token, "+15005550105", "to nobody").await;
    let failed = service.until(&token, &id, "failed").await;
    assert_eq!((&failed["status"], &failed["errorCode"]), (&json!("undelivered"), &json!(30005)));
    let body = json!({ "to": "+15005550105", "message": "to nobody", "idempotencyKey": failed["idempotencyKey"] });
    let replay = service.post("/api/twilio/send-sms", &token, &body).await;
    assert_eq!((replay.status, &replay.json()["success"]), (StatusCode::OK, &json!(false)), "{}", replay.text);
}
