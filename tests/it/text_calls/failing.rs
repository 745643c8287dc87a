//! What cannot be spoken says so: at once where that is known, else when it is tried.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::json;

use super::{TO, ask, ask_prepared, calls, history, id, make_call, start, syntheses, with_studio};
use crate::support::service::{Setup, eventually, text};
use crate::support::studio::{self, LIMIT, Studio};

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_synthesis_fails_every_call_that_awaits_it_and_says_why() {
    let (service, token) = start(Setup::new().await).await;
    service.fault(json!([{ "fault": "quota_exceeded", "on": "synthesise" }])).await;
    let asked = ask(&service, &token, TO, "Hello").await;
    let failed = service.until(&token, &id(&asked), "failed").await;
    let reason = text(&failed["reason"]);
    assert!(reason.contains("are used up") && reason.contains("buy more"), "{reason}");
    assert_eq!(failed["reasonCode"], "speech_quota_exceeded");
    assert!(failed["digest"].is_null() && failed["clipId"].is_null(), "{failed}");
    assert_eq!(history(&failed), ["operation.asked", "operation.not_prepared"]);
    let body = json!({ "to": TO, "text": "Hello", "idempotencyKey": asked_key(&failed) });
    let replayed = make_call(&service, &token, &body).await;
    assert_eq!((replayed.status, replayed.code().as_str()), (StatusCode::BAD_GATEWAY, "operation_failed"));
    assert!(
        replayed.json()["detail"].as_str().is_some_and(|detail| detail.contains("are used up")),
        "{}",
        replayed.text
    );

    // Whoever asks anew, when there are characters again, gets a clip of their own.
    let pending = ask_prepared(&service, &token, TO, "Hello").await;
    assert!(pending["clipId"].is_string() && syntheses(&service).await.len() == 1, "{pending}");
    assert!(calls(&service).await.is_empty());
    service.stop().await;
}

fn asked_key(story: &serde_json::Value) -> String {
    text(&story["idempotencyKey"])
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_in_passing_is_tried_again_later_and_tells_meanwhile() {
    let studio = Studio::closed().await;
    // It asks for an hour's patience, which no request of ours has.
    studio.refuse(StatusCode::SERVICE_UNAVAILABLE);
    studio.release();
    let (service, token) = with_studio(&studio).await;
    let asked = ask(&service, &token, TO, "Hello").await;
    let waiting = eventually("the reason of the delay", || async {
        let story = service.operation(&token, &id(&asked)).await;
        if story["reason"].is_string() { Ok(story) } else { Err(story.to_string()) }
    })
    .await;
    assert_eq!((&waiting["state"], studio.asked().len()), (&json!("preparing"), 1), "{waiting}");
    service.clock.advance(Duration::from_hours(2));
    let pending = service.until(&token, &id(&asked), "pending_approval").await;
    assert!(pending.get("reason").is_none(), "{pending}");
    assert_eq!(studio.asked().len(), 2);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_over_the_models_limit_is_refused_with_the_limit_and_never_cut() {
    let studio = Studio::open().await;
    let (service, token) = with_studio(&studio).await;
    let long = "x".repeat(LIMIT + 1);
    // Nothing is known of the account yet, so it is learnt when the speech is to be made.
    let asked = ask(&service, &token, TO, &long).await;
    let failed = service.until(&token, &id(&asked), "failed").await;
    let words = format!("has {} characters, and the model {} takes {LIMIT}", LIMIT + 1, studio::MODEL);
    assert!(text(&failed["reason"]).contains(&words), "{failed}");
    assert_eq!(failed["reasonCode"], "speech_text_too_long");
    // From now on it is known, and said at once.
    let refused = make_call(&service, &token, &json!({ "to": TO, "text": long })).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.text);
    assert_eq!(refused.json()["details"][0]["field"], "text");
    assert!(text(&refused.json()["details"][0]["message"]).contains(&words), "{}", refused.text);
    let fits = ask_prepared(&service, &token, TO, &"x".repeat(LIMIT)).await;
    assert_eq!(fits["text"], json!("x".repeat(LIMIT)));
    assert_eq!(studio.asked().len(), 1, "what does not fit is not sent");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_voice_and_what_is_no_audio_fail_in_words() {
    let (service, token) = start(Setup::new().await).await;
    let body = json!({ "to": TO, "text": "Hello", "voiceId": "nobody" });
    let asked = make_call(&service, &token, &body).await.json();
    let failed = service.until(&token, &id(&asked), "failed").await;
    assert_eq!(failed["reasonCode"], "speech_voice_not_found", "{failed}");
    assert_eq!((&failed["voiceId"], &failed["modelId"]), (&json!("nobody"), &json!(null)), "as it was asked for");
    service.fault(json!([{ "fault": "not_audio", "on": "synthesise" }])).await;
    let asked = ask(&service, &token, TO, "Hello").await;
    let failed = service.until(&token, &id(&asked), "failed").await;
    assert_eq!(failed["reasonCode"], "speech_not_audio", "{failed}");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_key_a_text_is_refused_and_a_known_key_still_answers() {
    let studio = Studio::open().await;
    let (service, token) = with_studio(&studio).await;
    let body = json!({ "to": TO, "text": "Hello", "idempotencyKey": "known" });
    let asked = make_call(&service, &token, &body).await;
    assert_eq!(asked.status, StatusCode::ACCEPTED, "{}", asked.text);
    service.until(&token, &id(&asked.json()), "pending_approval").await;

    let keyless = service.setup_again().with("MISSION_CONTROL_ELEVENLABS_BASE_URL", &studio.url).start().await;
    let replayed = make_call(&keyless, &token, &body).await;
    assert_eq!((replayed.status, replayed.header("idempotent-replayed")), (StatusCode::ACCEPTED, Some("true")));
    assert_eq!(id(&replayed.json()), id(&asked.json()));
    let refused = make_call(&keyless, &token, &json!({ "to": TO, "text": "Hello" })).await;
    assert_eq!((refused.status, refused.code().as_str()), (StatusCode::BAD_REQUEST, "no_elevenlabs_key"));
    assert!(refused.text.contains("API Vault"), "{}", refused.text);
    keyless.stop().await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_gone_when_the_speech_is_to_be_made_fails_in_words() {
    let studio = Studio::closed().await;
    let (service, token) = with_studio(&studio).await;
    let asked = ask(&service, &token, TO, "Hello").await;
    eventually("the studio to be asked", || async {
        if studio.asked().is_empty() { Err("not yet".to_owned()) } else { Ok(()) }
    })
    .await;
    let keyless = service.setup_again().with("MISSION_CONTROL_ELEVENLABS_BASE_URL", &studio.url).start().await;
    // The process with the key fell silent, and the one without takes over; there is none beside them.
    let silent = "update clips set leased_by = gen_random_uuid(), leased_until = clock_timestamp()";
    let failed = eventually("one without a key to take over", || async {
        let state = service.operation(&token, &id(&asked)).await;
        if state["state"] == "failed" {
            return Ok(state);
        }
        sqlx::query(silent).execute(&service.app().db).await.expect("a lease that ran out");
        Err(state.to_string())
    })
    .await;
    assert_eq!(failed["reasonCode"], "speech_no_key", "{failed}");
    keyless.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_the_sandbox_nothing_is_asked_of_the_real_elevenlabs() {
    let setup = Setup::new().await.with("MISSION_CONTROL_TWILIO_BASE_URL", "http://127.0.0.1:9");
    let setup = setup.with("TWILIO_PHONE_NUMBER", "+15005550006").with("ELEVENLABS_API_KEY", "sk_of_a_real_account");
    let (service, token) = start(setup).await;
    let refused = make_call(&service, &token, &json!({ "to": TO, "text": "Hello" })).await;
    assert_eq!((refused.status, refused.code().as_str()), (StatusCode::BAD_REQUEST, "speech_not_emulated"));
    assert!(refused.text.contains("MISSION_CONTROL_ELEVENLABS_BASE_URL"), "{}", refused.text);
    service.stop().await;
}
