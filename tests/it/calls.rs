//! Calls: the same protocol as SMS, with a recording instead of a text.

use std::time::Duration;

use mission_control::auth::Role;
use mission_control::sandbox::Pace;
use mission_control::twilio::signature::{SIGNATURE_HEADER, sign};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::service::{Service, Setup, eventually, text};

const TO: &str = "+14155550132";

async fn start() -> (Service, String) {
    let service = Service::start().await;
    let token = service.token("ada@example.com", Role::Admin).await;
    (service, token)
}

/// The recording that the service itself serves.
fn recording(service: &Service, call: &str) -> String {
    service.url(&format!("/api/public/call-audio/test-recording.mp3?call={call}&b=2"))
}

/// Asks for a call and approves it.
async fn place(service: &Service, token: &str, to: &str, url: &str) -> String {
    let asked = service.post("/api/twilio/make-call", token, &json!({ "to": to, "audioUrl": url })).await;
    assert_eq!(asked.status, StatusCode::ACCEPTED, "{}", asked.text);
    let approved = service.approve(token, &asked.json()).await;
    assert_eq!(approved.status, StatusCode::OK, "{}", approved.text);
    text(&asked.json()["operationId"])
}

async fn placed(service: &Service) -> Vec<Value> {
    service.ledger().await["calls"].as_array().expect("a list").clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_plays_exactly_what_was_approved_and_is_followed_to_its_end() {
    let (service, token) = start().await;
    let url = recording(&service, "1");
    let body = json!({ "to": "+1 415 555 0132", "audioUrl": url, "idempotencyKey": "call-1", "note": "why" });
    let asked = service.post("/api/twilio/make-call", &token, &body).await;
    assert_eq!(asked.status, StatusCode::ACCEPTED, "{}", asked.text);
    let operation = asked.json();
    assert_eq!((&operation["kind"], &operation["state"]), (&json!("call"), &json!("pending_approval")));
    assert_eq!((&operation["audioUrl"], &operation["to"]), (&json!(url), &json!(TO)));
    assert!(operation.get("segments").is_none() && operation.get("message").is_none(), "{operation}");
    assert!(placed(&service).await.is_empty(), "no phone rings unapproved");

    service.approve(&token, &operation).await;
    let completed = service.until(&token, &text(&operation["operationId"]), "delivered").await;
    assert_eq!(completed["status"], "completed");
    let words: Vec<&str> = completed["providerEvents"]
        .as_array()
        .expect("events")
        .iter()
        .filter(|event| event["kind"] == "call_status")
        .filter_map(|event| event["status"].as_str())
        .collect();
    for word in ["initiated", "ringing", "in-progress", "completed"] {
        assert!(words.contains(&word), "{words:?}");
    }
    let fetched = completed["providerEvents"].as_array().expect("events").iter().find(|e| e["kind"] == "clip_fetch");
    assert_eq!(fetched.expect("Twilio fetched it")["status"], "fetched");

    let calls = placed(&service).await;
    assert_eq!(calls.len(), 1);
    let escaped = url.replace('&', "&amp;");
    let twiml = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Play>{escaped}</Play></Response>");
    assert_eq!(calls[0]["twiml"], twiml, "an ampersand in a signed address arrives as one");
    assert_eq!((&calls[0]["audio"][0]["url"], &calls[0]["audio"][0]["fetched"]), (&json!(url), &json!(true)));

    let replayed = service.post("/api/twilio/make-call", &token, &body).await;
    assert_eq!((replayed.status, replayed.header("idempotent-replayed")), (StatusCode::OK, Some("true")));
    assert_eq!(replayed.json()["callSid"], calls[0]["sid"]);
    assert_eq!(placed(&service).await.len(), 1, "a replay calls nobody");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_reaches_nobody_or_plays_nothing_failed_and_says_why() {
    let (service, token) = start().await;
    let page = service.url("/login");
    let gone = service.url("/api/public/call-audio/unknown.mp3");
    for (to, url, code, words) in [
        ("+15005550101", recording(&service, "busy"), json!(null), "The line was busy."),
        ("+15005550102", recording(&service, "nobody"), json!(null), "Nobody answered."),
        ("+15005550104", recording(&service, "failed"), json!(null), "The call could not be connected."),
        ("+14155550133", page, json!(13420), "is no recording that it can play"),
        ("+14155550134", gone, json!(11200), "could not fetch the recording"),
    ] {
        let id = place(&service, &token, to, &url).await;
        let failed = service.until(&token, &id, "failed").await;
        let reason = text(&failed["reason"]);
        assert!(reason.contains(words), "{to}: {reason}");
        assert_eq!(failed.get("errorCode").cloned().unwrap_or_default(), code, "{to}");
        assert!(failed["callSid"].as_str().is_some_and(|sid| sid.starts_with("CA")), "{to}: {failed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_twilio_refuses_was_never_placed() {
    let (service, token) = start().await;
    for (to, code) in [("+15005550001", 21217), ("+15005550003", 21215), ("+15005550004", 21216)] {
        let id = place(&service, &token, to, &recording(&service, to)).await;
        let failed = service.until(&token, &id, "failed").await;
        assert_eq!(failed["errorCode"], code, "{failed}");
        assert!(failed.get("callSid").is_none());
    }
    assert!(placed(&service).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_become_a_call_is_refused_field_by_field() {
    let (service, token) = start().await;
    let fields = async |body: Value| {
        let answer = service.post("/api/twilio/make-call", &token, &body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.text);
        let details = answer.json()["details"].as_array().expect("details").clone();
        details.iter().map(|wrong| text(&wrong["field"])).collect::<Vec<_>>()
    };
    assert_eq!(fields(json!({})).await, ["to", "text"]);
    assert_eq!(fields(json!({ "to": TO, "audioUrl": "ftp://x/a.mp3" })).await, ["audioUrl"]);
    assert_eq!(fields(json!({ "to": TO, "audioUrl": "https://x.test/a.mp3", "message": "x" })).await, ["message"]);
    let both = json!({ "to": TO, "text": "Hello", "audioUrl": "https://x.test/a.mp3" });
    assert_eq!(fields(both).await, ["text", "audioUrl"]);
    assert_eq!(fields(json!({ "to": TO, "text": "a\u{7}", "voiceId": "../x" })).await, ["text", "voiceId"]);
    assert_eq!(fields(json!({ "to": TO, "audioUrl": "https://x.test/a.mp3", "modelId": "m" })).await, ["modelId"]);

    // One key means one request: an SMS and a call have keys of their own, and another recording is another request.
    let ask = |url: &str| json!({ "to": TO, "audioUrl": url, "idempotencyKey": "shared" });
    let sms = json!({ "to": TO, "message": "Hello", "idempotencyKey": "shared" });
    assert_eq!(service.post("/api/twilio/send-sms", &token, &sms).await.status, StatusCode::ACCEPTED);
    let first = service.post("/api/twilio/make-call", &token, &ask("https://x.test/a.mp3")).await;
    assert_eq!(first.status, StatusCode::ACCEPTED, "{}", first.text);
    let other = service.post("/api/twilio/make-call", &token, &ask("https://x.test/b.mp3")).await;
    assert_eq!((other.status, other.code()), (StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_call_to_somebody_who_is_being_called_waits() {
    let service =
        Setup::new().await.pace(Pace::ByHand).with("MISSION_CONTROL_DISPATCH_CALLS_PER_SECOND", "0").start().await;
    let token = service.token("ada@example.com", Role::Admin).await;
    service.fault(json!([{ "fault": "accept_then_drop", "times": 1 }])).await;
    let first = place(&service, &token, TO, &recording(&service, "1")).await;
    service.until(&token, &first, "unknown").await;
    // Twilio's list does not show what a call plays, so two of them could not be told apart.
    let second = place(&service, &token, TO, &recording(&service, "2")).await;
    let waiting = service.operation(&token, &second).await;
    assert_eq!((&waiting["state"], &waiting["blockedBy"]), (&json!("approved"), &json!(first)));
    let elsewhere = place(&service, &token, "+14155550133", &recording(&service, "3")).await;
    service.until(&token, &elsewhere, "accepted").await;
    assert_eq!(placed(&service).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_same_recording_to_the_same_number_may_be_a_duplicate() {
    let (service, token) = start().await;
    let ask = async |call: &str| {
        let body = json!({ "to": TO, "audioUrl": recording(&service, call) });
        let asked = service.post("/api/twilio/make-call", &token, &body).await;
        assert_eq!(asked.status, StatusCode::ACCEPTED, "{}", asked.text);
        asked.json()
    };
    let first = ask("1").await;
    assert!(ask("2").await.get("possibleDuplicateOf").is_none());
    assert_eq!(ask("1").await["possibleDuplicateOf"], first["operationId"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_places_one_call_a_second() {
    let (service, token) = start().await;
    for number in 0..3 {
        place(&service, &token, &format!("+1415555014{number}"), &recording(&service, &number.to_string())).await;
    }
    eventually("three calls", || async {
        let calls = placed(&service).await.len();
        if calls == 3 { Ok(()) } else { Err(format!("{calls} calls")) }
    })
    .await;
    let spread: f64 =
        sqlx::query_scalar("select extract(epoch from max(started_at) - min(started_at))::float8 from attempts")
            .fetch_one(&service.app().db)
            .await
            .expect("a spread");
    assert!(spread >= Duration::from_secs(2).as_secs_f64(), "{spread} s");
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_on_a_call_are_ordered_by_their_meaning_and_checked_like_any() {
    let service = Setup::new().await.pace(Pace::ByHand).start().await;
    let token = service.token("ada@example.com", Role::Admin).await;
    let id = place(&service, &token, TO, &recording(&service, "1")).await;
    let sid = text(&service.until(&token, &id, "accepted").await["callSid"]);
    let credentials = service.app().vault.twilio().await.expect("the vault").expect("credentials");
    sqlx::query("update attempts set ref_hash = sha256('known')")
        .execute(&service.app().db)
        .await
        .expect("a reference");
    let report = async |door: &str, status: &str, sequence: &str| {
        let path = format!("/webhooks/twilio/{door}/{id}?ref=known");
        let params: Vec<(String, String)> = [
            ("CallSid", sid.as_str()),
            ("MessageSid", &sid),
            ("AccountSid", &credentials.account_sid),
            ("CallStatus", status),
            ("MessageStatus", status),
            ("SequenceNumber", sequence),
            ("CallDuration", "7"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec();
        let url = service.app().public_url.join(&path);
        let signature = sign(&url, &params, &credentials.auth_token).expect("a signature");
        let request = service.client().post(service.url(&path)).header(SIGNATURE_HEADER, signature).form(&params);
        assert_eq!(request.send().await.expect("an answer").status(), StatusCode::NO_CONTENT);
        service.operation(&token, &id).await
    };
    // A report about a message is none about this call, whatever it says.
    assert_eq!(report("message-status", "failed", "9").await["state"], "accepted");
    assert_eq!(report("call-status", "in-progress", "2").await["status"], "in-progress");
    assert_eq!(report("call-status", "ringing", "1").await["status"], "in-progress", "it never goes back");
    let completed = report("call-status", "completed", "3").await;
    assert_eq!((&completed["state"], &completed["status"]), (&json!("delivered"), &json!("completed")));
    let last = completed["history"].as_array().and_then(|lines| lines.last()).cloned().expect("a line");
    assert_eq!(last["details"]["duration"], "7");
    let contradicted = report("call-status", "busy", "4").await;
    assert_eq!((&contradicted["state"], &contradicted["conflicted"]), (&json!("delivered"), &json!(true)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_settles_a_call_by_its_own_sid_only() {
    let service = Setup::new().await.pace(Pace::ByHand).start().await;
    let token = service.token("ada@example.com", Role::Admin).await;
    service.fault(json!([{ "fault": "accept_then_drop", "times": 1 }])).await;
    let id = place(&service, &token, TO, &recording(&service, "1")).await;
    service.until(&token, &id, "unknown").await;
    let resolve = async |sid: &str| {
        let body = json!({ "outcome": "sent", "sid": sid, "reason": "seen in the console" });
        service.post(&format!("/api/operations/{id}/resolve"), &token, &body).await
    };
    let message = resolve("SM00000000000000000000000000000001").await;
    assert_eq!(message.status, StatusCode::BAD_REQUEST, "{}", message.text);
    assert!(message.text.contains("CA and 32"), "{}", message.text);
    assert_eq!(resolve("CA00000000000000000000000000000001").await.code(), "sid_unknown");
    let sid = text(&placed(&service).await[0]["sid"]);
    let settled = resolve(&sid).await;
    assert_eq!(settled.status, StatusCode::OK, "{}", settled.text);
    assert_eq!(service.operation(&token, &id).await["callSid"], sid);
}
