//! The whole way of a call from text.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{TO, ask_prepared, calls, id, make_call, start, syntheses};
use crate::support::log;
use crate::support::service::{Service, Setup, eventually, text};

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a text takes it");
        text
    })
}

/// The digest as anybody can make it from what the API says and the clip that they heard.
async fn digest_by_hand(service: &Service, operation: &Value) -> String {
    let clip = service.client().get(text(&operation["audioUrl"])).send().await.expect("the clip");
    assert_eq!(
        (clip.status(), &clip.headers()["content-type"]),
        (StatusCode::OK, &"audio/mpeg".parse().expect("a type"))
    );
    let audio = clip.bytes().await.expect("its bytes");
    assert_eq!(operation["clipBytes"], json!(audio.len()));
    let part = |name: &str| operation[name].to_string();
    let canonical = format!(
        r#"{{"clipSha256":"{}","from":{},"kind":"call","mode":"sandbox","modelId":{},"text":{},"to":{},"voiceId":{}}}"#,
        hex(&Sha256::digest(&audio)),
        part("from"),
        part("modelId"),
        part("text"),
        part("to"),
        part("voiceId"),
    );
    hex(&Sha256::digest(format!("mission-control content v1\n{canonical}")))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_is_asked_for_spoken_heard_approved_and_played_as_it_was_heard() {
    let (service, token) = start(Setup::new().await).await;
    let words = "Your “table” is ready.\nPlease come & bring \\ this.";
    let body =
        json!({ "to": "+1 415 555 0132", "text": format!(" {words}\n"), "idempotencyKey": "speak-1", "note": "why" });
    let request = || {
        let request = service.request(Method::POST, "/api/twilio/make-call", &token).json(&body);
        request.header("X-Correlation-Id", "text-call-whole-way")
    };
    let asked = service.send(request()).await;
    assert_eq!(asked.status, StatusCode::ACCEPTED, "{}", asked.text);
    let asked = asked.json();
    assert_eq!((&asked["state"], &asked["kind"], &asked["to"]), (&json!("preparing"), &json!("call"), &json!(TO)));
    for name in ["digest", "clipId", "audioUrl", "voiceId", "modelId"] {
        assert!(asked.get(name).is_some_and(Value::is_null), "{name}: {asked}");
    }

    let pending = service.until(&token, &id(&asked), "pending_approval").await;
    assert_eq!((&pending["text"], &pending["rule"]), (&json!(words), &json!("Every operation waits for a person")));
    let clip = text(&pending["clipId"]);
    assert_eq!(clip.len(), 43, "{clip}");
    assert_eq!(pending["audioUrl"], json!(service.url(&format!("/api/public/call-audio/{clip}"))));
    let made = syntheses(&service).await;
    assert_eq!(made.len(), 1);
    assert_eq!((&made[0]["text"], &made[0]["voice_id"]), (&json!(words), &pending["voiceId"]), "{made:?}");
    assert_eq!(made[0]["model_id"], pending["modelId"]);
    assert_eq!(pending["digest"], json!(digest_by_hand(&service, &pending).await));
    assert!(calls(&service).await.is_empty(), "no phone rings unapproved");

    let approved = service.approve(&token, &pending).await;
    assert_eq!(approved.status, StatusCode::OK, "{}", approved.text);
    let completed = service.until(&token, &id(&asked), "delivered").await;
    assert_eq!(completed["status"], "completed");
    let attempt: uuid::Uuid =
        sqlx::query_scalar("select id from attempts").fetch_one(&service.app().db).await.expect("the attempt");
    let address = format!("{}?call={}", text(&pending["audioUrl"]), attempt.simple());
    let placed = calls(&service).await;
    assert_eq!(placed.len(), 1);
    assert_eq!((&placed[0]["audio"][0]["url"], &placed[0]["audio"][0]["fetched"]), (&json!(address), &json!(true)));
    assert_eq!(placed[0]["audio"][0]["bytes"], pending["clipBytes"], "{placed:?}");

    let replayed = service.send(request()).await;
    assert_eq!((replayed.status, replayed.header("idempotent-replayed")), (StatusCode::OK, Some("true")));
    for name in ["audioUrl", "clipId", "voiceId", "modelId", "digest"] {
        assert_eq!(replayed.json()[name], pending[name], "{name}");
    }
    assert_eq!(replayed.json()["callSid"], placed[0]["sid"]);

    let expected =
        ["voice.call.asked", "voice.call.synthesize", "approval.held", "twilio.call.create", "twilio.outcome"];
    let lines = eventually("the log lines", || async {
        let lines = log::of("text-call-whole-way");
        let told = |event: &&&str| lines.iter().any(|line| line["event"] == **event);
        match expected.iter().find(|event| !told(event)) {
            None => Ok(lines),
            Some(event) => Err(format!("no {event}")),
        }
    })
    .await;
    let line = |event: &str| lines.iter().find(|line| line["event"] == event).expect("a line").clone();
    assert_eq!(
        (&line("voice.call.synthesize")["outcome"], &line("voice.call.synthesize")["clip"]),
        (&json!("made"), &json!(format!("{}…", &clip[..6])))
    );
    let created = line("twilio.call.create");
    assert_eq!(
        (&created["clip"], &created["voice"]),
        (&json!(format!("{}…", &clip[..6])), &pending["voiceId"]),
        "{created}"
    );
    assert!(!log::text().contains("Your “table” is ready"), "what people say does not stand in the log");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fetch_of_a_clip_is_a_fact_of_its_call() {
    let (service, token) = start(Setup::new().await).await;
    let pending = ask_prepared(&service, &token, TO, "Fetch me.").await;
    service.approve(&token, &pending).await;
    service.until(&token, &id(&pending), "delivered").await;
    let story = eventually("the fetch", || async {
        let story = service.operation(&token, &id(&pending)).await;
        let events = story["providerEvents"].as_array().expect("events").clone();
        if events.iter().any(|event| event["kind"] == "clip_fetch") { Ok(story) } else { Err(story.to_string()) }
    })
    .await;
    assert!(story.get("attention").is_none(), "it was heard: {story}");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn voice_and_model_are_the_requests_then_the_settings_then_the_accounts_own() {
    let setup = Setup::new().await.with("MISSION_CONTROL_VOICE_VOICE_ID", "SandboxPremadeBass00");
    let (service, token) = start(setup).await;
    let spoken = async |body: Value| {
        let asked = make_call(&service, &token, &body).await;
        assert_eq!(asked.status, StatusCode::ACCEPTED, "{}", asked.text);
        let asked = asked.json();
        let pending = service.until(&token, &id(&asked), "pending_approval").await;
        let pair = |story: &Value| (story["voiceId"].clone(), story["modelId"].clone());
        (pair(&asked), pair(&pending))
    };
    let (voice, model) = ("SandboxDesignSoprano", "eleven_v3");
    let named = json!({ "to": TO, "text": "One", "voiceId": voice, "modelId": model });
    let both = (json!(voice), json!(model));
    assert_eq!(spoken(named).await, (both.clone(), both));
    let (asked, pending) = spoken(json!({ "to": TO, "text": "Two", "modelId": model })).await;
    assert_eq!((asked.0, asked.1), (Value::Null, json!(model)));
    assert_eq!((pending.0, pending.1), (json!("SandboxPremadeBass00"), json!(model)));
    let (_, chosen) = spoken(json!({ "to": TO, "text": "Three" })).await;
    assert_eq!(chosen.0, "SandboxPremadeBass00");
    assert!(chosen.1.as_str().is_some_and(|model| model.starts_with("eleven_")), "{chosen:?}");
    service.stop().await;
}
