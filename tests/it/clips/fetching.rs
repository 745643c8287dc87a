//! Who fetched which clip, and calls that ended well although nobody did.

use std::time::Duration;

use mission_control::auth::Role;
use mission_control::sandbox::Pace;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{plays, ready, request};
use crate::pages::browser::Browser;
use crate::support::service::{Service, Setup, text};

const TO: &str = "+14155550132";

/// A service whose Twilio reports only when told to.
async fn start() -> (Service, String) {
    let service = Setup::new().await.pace(Pace::ByHand).start().await;
    let token = service.token("ada@example.com", Role::Admin).await;
    (service, token)
}

/// A call that Twilio has accepted, and that plays this clip.
async fn placed(service: &Service, token: &str, to: &str, clip: &str) -> String {
    let url = service.url(&format!("/api/public/call-audio/test-recording.mp3?call={to}"));
    let asked = service.post("/api/twilio/make-call", token, &json!({ "to": to, "audioUrl": url })).await;
    assert_eq!(asked.status, StatusCode::ACCEPTED, "{}", asked.text);
    service.approve(token, &asked.json()).await;
    let id = text(&asked.json()["operationId"]);
    service.until(token, &id, "accepted").await;
    plays(service, &id, clip).await;
    id
}

async fn attempt(service: &Service, operation: &str) -> String {
    sqlx::query_scalar("select replace(id::text, '-', '') from attempts where operation_id = $1::uuid")
        .bind(operation)
        .fetch_one(&service.app().db)
        .await
        .expect("an attempt")
}

/// A fetch of a clip at the address of an attempt.
async fn fetch(service: &Service, method: Method, clip: &str, call: &str) {
    let answer = request(service, method, clip).query(&[("call", call)]).header("user-agent", "TwilioProxy/1.1");
    let answer = answer.send().await.expect("an answer");
    assert!(answer.status().is_success() || answer.status() == StatusCode::NOT_MODIFIED, "{}", answer.status());
    answer.bytes().await.expect("a body");
}

fn fetches(operation: &Value) -> Vec<Value> {
    let events = operation["providerEvents"].as_array().expect("events").iter();
    events.filter(|event| event["kind"] == "clip_fetch").cloned().collect()
}

/// The sandbox's Twilio says how the call to this number stands.
async fn report(service: &Service, operation: &Value, status: &str) {
    let sid = text(&operation["callSid"]);
    let told = service.client().post(format!("{}/sandbox/calls/{sid}/status", service.sandbox()));
    let told = told.json(&json!({ "status": status })).send().await.expect("the sandbox");
    assert!(told.status().is_success(), "{}", told.text().await.unwrap_or_default());
}

/// The call ends, and the operation hears of it.
async fn completed(service: &Service, token: &str, id: &str) -> Value {
    let operation = service.operation(token, id).await;
    report(service, &operation, "in-progress").await;
    report(service, &operation, "completed").await;
    service.until(token, id, "delivered").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fetch_is_kept_once_with_the_attempt_whose_address_was_used() {
    let (service, token) = start().await;
    let clip = ready(&service, "clip", b"audio").await;
    let other = ready(&service, "other", b"other").await;
    let id = placed(&service, &token, TO, &clip).await;
    let call = attempt(&service, &id).await;

    // Somebody who listens, who only asks what is there, who knows no attempt, or who plays another clip, is no call.
    fetch(&service, Method::HEAD, &clip, &call).await;
    fetch(&service, Method::GET, &clip, "").await;
    fetch(&service, Method::GET, &clip, "0190f3b8d2c87d3ea1b5c0ffee000001").await;
    fetch(&service, Method::GET, &other, &call).await;
    assert_eq!(fetches(&service.operation(&token, &id).await), [Value::Null; 0]);

    fetch(&service, Method::GET, &clip, &call).await;
    fetch(&service, Method::GET, &clip, &call).await;
    let told = fetches(&service.operation(&token, &id).await);
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!((&told[0]["status"], &told[0]["matchedBy"]), (&json!("fetched"), &json!("nothing")));
    assert_eq!(told[0]["payload"]["userAgent"], "TwilioProxy/1.1");
    assert_eq!(service.operation(&token, &id).await["state"], "accepted", "a fetch moves nothing");

    let heard = completed(&service, &token, &id).await;
    assert_eq!((&heard["needsAttention"], &heard["audioNotFetchedAt"]), (&json!(false), &Value::Null));
    assert_eq!(
        heard["history"].as_array().and_then(|lines| lines.last()).expect("a line")["details"].get("audioNotFetched"),
        None
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_ended_well_and_played_to_nobody_needs_attention_until_somebody_has_seen_it() {
    let (service, token) = start().await;
    let clip = ready(&service, "clip", b"audio").await;
    let id = placed(&service, &token, TO, &clip).await;
    // The same clip, heard by somebody else.
    let heard = placed(&service, &token, "+14155550133", &clip).await;
    fetch(&service, Method::GET, &clip, &attempt(&service, &heard).await).await;

    let unheard = completed(&service, &token, &id).await;
    assert_eq!(unheard["attention"], json!(["audio_not_fetched"]), "{unheard}");
    assert!(unheard["audioNotFetchedAt"].is_string());
    let last = unheard["history"].as_array().and_then(|lines| lines.last()).cloned().expect("a line");
    assert_eq!(last["details"]["audioNotFetched"], true, "{last}");
    let listed = service.get("/api/operations?attention=true", &token).await.json();
    assert_eq!(listed["operations"].as_array().map(Vec::len), Some(1), "{listed}");

    // A fetch that comes after is told, and takes nothing back.
    fetch(&service, Method::GET, &clip, &attempt(&service, &id).await).await;
    let late = service.operation(&token, &id).await;
    assert_eq!((fetches(&late).len(), &late["needsAttention"]), (1, &json!(true)));

    let mut approver = Browser::of(&service, "anna@example.com", Role::Approver).await;
    let page = approver.page(&format!("/dashboard/operations/{id}")).await;
    assert!(page.contains("Completed, audio was not fetched"), "{page}");
    assert!(page.contains("It was fetched after that"), "{page}");
    approver.submit(&format!("/dashboard/operations/{id}/acknowledge"), &[]).await;
    assert_eq!(service.operation(&token, &id).await["needsAttention"], false);

    assert_eq!(completed(&service, &token, &heard).await["needsAttention"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_twilio_says_when_asked_counts_like_its_report() {
    let (service, token) = start().await;
    service.fault(json!([{ "fault": "callback_lost", "times": 9 }])).await;
    let clip = ready(&service, "clip", b"audio").await;
    let id = placed(&service, &token, TO, &clip).await;
    let operation = service.operation(&token, &id).await;
    report(&service, &operation, "in-progress").await;
    report(&service, &operation, "completed").await;
    service.clock.advance(Duration::from_mins(6));
    let unheard = service.until(&token, &id, "delivered").await;
    assert_eq!(unheard["attention"], json!(["audio_not_fetched"]), "{unheard}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_reached_nobody_did_not_have_to_fetch_anything() {
    let (service, token) = start().await;
    let clip = ready(&service, "clip", b"audio").await;
    let id = placed(&service, &token, TO, &clip).await;
    let operation = service.operation(&token, &id).await;
    report(&service, &operation, "busy").await;
    let failed = service.until(&token, &id, "failed").await;
    assert_eq!((&failed["audioNotFetchedAt"], &failed["needsAttention"]), (&Value::Null, &json!(false)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fetch_is_answered_even_if_it_cannot_be_written_down() {
    let (service, token) = start().await;
    let clip = ready(&service, "clip", b"audio").await;
    let id = placed(&service, &token, TO, &clip).await;
    let call = attempt(&service, &id).await;
    let mut connection = service.direct().await;
    sqlx::query("alter table provider_events rename to elsewhere").execute(&mut connection).await.expect("renamed");
    fetch(&service, Method::GET, &clip, &call).await;
    sqlx::query("alter table elsewhere rename to provider_events").execute(&mut connection).await.expect("renamed");
    fetch(&service, Method::GET, &clip, &call).await;
    assert_eq!(fetches(&service.operation(&token, &id).await).len(), 1);
}
