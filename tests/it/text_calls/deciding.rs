//! Deciding on what is spoken: not before it can be heard, on exactly that clip, and never on one that is gone.

use std::sync::Arc;

use mission_control::dispatch::claim::{Claimed, claim};
use mission_control::dispatch::fence::{Fence, NotFenced};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{TO, ask, ask_prepared, calls, history, id, in_studio, make_call, start, syntheses, with_studio};
use crate::support::service::{Service, Setup, eventually, text};
use crate::support::studio::Studio;

async fn act(service: &Service, token: &str, id: &str, act: &str, body: &Value) -> (StatusCode, String) {
    let answer = service.post(&format!("/api/operations/{id}/{act}"), token, body).await;
    (answer.status, answer.json()["code"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_heard_yet_cannot_be_approved() {
    let studio = Studio::closed().await;
    let (service, token) = with_studio(&studio).await;
    let body = json!({ "to": TO, "text": "Hello", "idempotencyKey": "early" });
    let asked = make_call(&service, &token, &body).await.json();
    let digest = json!({ "digest": "0".repeat(64) });
    let not_ready = (StatusCode::CONFLICT, "not_ready".to_owned());
    assert_eq!(act(&service, &token, &id(&asked), "approve", &digest).await, not_ready);
    assert_eq!(act(&service, &token, &id(&asked), "reject", &json!({ "reason": "no" })).await, not_ready);
    let replayed = make_call(&service, &token, &body).await;
    assert_eq!((replayed.status, replayed.header("idempotent-replayed")), (StatusCode::ACCEPTED, Some("true")));
    assert_eq!((&replayed.json()["state"], &replayed.json()["digest"]), (&json!("preparing"), &Value::Null));

    studio.release();
    let pending = service.until(&token, &id(&asked), "pending_approval").await;
    let other = json!({ "digest": "0".repeat(64) });
    let differs = (StatusCode::CONFLICT, "digest_differs".to_owned());
    assert_eq!(act(&service, &token, &id(&asked), "approve", &other).await, differs);
    assert_eq!(service.approve(&token, &pending).await.status, StatusCode::OK);
    service.until(&token, &id(&asked), "delivered").await;
    assert_eq!(studio.asked().len(), 1);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_withdrawn_or_expired_while_it_was_prepared_stays_so() {
    let studio = Studio::closed().await;
    let (service, token) = with_studio(&studio).await;
    let cancelled = id(&ask(&service, &token, TO, "Hello").await);
    let expired = id(&ask(&service, &token, TO, "Good evening").await);
    eventually("both to be spoken", || async {
        if studio.asked().len() == 2 { Ok(()) } else { Err("not yet".to_owned()) }
    })
    .await;
    assert_eq!(act(&service, &token, &cancelled, "cancel", &json!({})).await.0, StatusCode::OK);
    let over = "update operations set expires_at = clock_timestamp() where id = $1::uuid";
    sqlx::query(over).bind(&expired).execute(&service.app().db).await.expect("its time is over");
    let late = service.until(&token, &expired, "expired").await;
    assert_eq!(late["reasonCode"], "not_prepared", "{late}");
    assert!(late["reason"].as_str().is_some_and(|reason| reason.contains("speech was not made in time")), "{late}");

    studio.release();
    eventually("both clips to be ready", || async {
        let ready: i64 = sqlx::query_scalar("select count(*) from clips where state = 'ready'")
            .fetch_one(&service.app().db)
            .await
            .expect("a count");
        if ready == 2 { Ok(()) } else { Err(format!("{ready}")) }
    })
    .await;
    // One that is asked for now passes them: when it can be heard, the others had every chance.
    ask_prepared(&service, &token, TO, "Good evening").await;
    for (operation, state) in [(cancelled, "cancelled"), (expired, "expired")] {
        let story = service.operation(&token, &operation).await;
        assert_eq!((&story["state"], &story["clipId"], &story["digest"]), (&json!(state), &Value::Null, &Value::Null));
    }
    assert_eq!(studio.asked().len(), 2, "what was made for them is heard by whoever asks for it");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_approval_switched_off_a_prepared_call_goes_by_the_rule() {
    let setup = Setup::new().await.with("MISSION_CONTROL_APPROVAL_REQUIRED", "false");
    let (service, token) = start(setup).await;
    let asked = ask(&service, &token, TO, "Nobody has to decide.").await;
    assert_eq!(asked["state"], "preparing");
    let completed = service.until(&token, &id(&asked), "delivered").await;
    let decisions = completed["decisions"].as_array().expect("decisions").clone();
    assert_eq!(decisions.len(), 1, "{decisions:?}");
    assert_eq!((&decisions[0]["by"], &decisions[0]["digest"]), (&Value::Null, &completed["digest"]));
    assert!(text(&decisions[0]["rule"]).contains("switched off"), "{decisions:?}");
    let steps = ["operation.asked", "operation.prepared", "approval.granted", "dispatch.claimed"];
    assert_eq!(history(&completed)[..4], steps);
    assert_eq!((calls(&service).await.len(), syntheses(&service).await.len()), (1, 1));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_whose_clip_is_gone_is_never_placed() {
    let (service, token) = start(Setup::new().await).await;
    let hold = json!({ "reason": "wait" });
    let pending = ask_prepared(&service, &token, TO, "Hello").await;
    let held = service.send(service.request(Method::PUT, "/api/hold", &token).json(&hold)).await;
    assert_eq!(held.status, StatusCode::OK, "{}", held.text);
    assert_eq!(service.approve(&token, &pending).await.status, StatusCode::OK);
    sqlx::query("update clips set state = 'deleted', deleted_at = clock_timestamp()")
        .execute(&service.app().db)
        .await
        .expect("a deleted clip");
    let expired = service.until(&token, &id(&pending), "expired").await;
    assert_eq!(expired["reasonCode"], "clip_gone", "{expired}");
    assert!(expired["reason"].as_str().is_some_and(|reason| reason.contains("has been deleted")), "{expired}");
    assert_eq!(expired["attention"], json!(["expired_after_approval"]));
    let released = service.send(service.request(Method::DELETE, "/api/hold", &token)).await;
    assert_eq!(released.status, StatusCode::OK, "{}", released.text);

    // One that is asked for anew gets a clip of its own, and when that was heard, the other had every chance.
    let again = ask_prepared(&service, &token, TO, "Hello").await;
    assert_ne!(again["clipId"], pending["clipId"]);
    service.approve(&token, &again).await;
    service.until(&token, &id(&again), "delivered").await;
    assert_eq!(calls(&service).await.len(), 1);
    service.stop().await;
}

/// A service that sends nothing by itself, so that the test plays the processes.
#[tokio::test(flavor = "multi_thread")]
async fn neither_claim_nor_fence_lets_a_call_pass_whose_clip_is_gone() {
    let studio = Studio::open().await;
    let setup = in_studio(Setup::new().await, &studio).with("MISSION_CONTROL_TWILIO_BASE_URL", "http://127.0.0.1:9");
    let (service, token) = start(setup.with("TWILIO_PHONE_NUMBER", "+15005550006")).await;
    let app = service.app();
    let claimed = async || -> Vec<Arc<Claimed>> {
        let settings = app.settings.current();
        let account = "AC00000000000000000000000000000001";
        let claims = claim(&app.db, &app.clock, &settings, app.config.mode, account, None, 9).await;
        claims.expect("a claim").into_iter().map(Arc::new).collect()
    };
    let delete = async || {
        let gone = "update clips set state = 'deleted', deleted_at = clock_timestamp() where state = 'ready'";
        sqlx::query(gone).execute(&app.db).await.expect("a deleted clip");
    };
    let fence = Fence::new((*app.db.connect_options()).clone(), app.clock.clone());
    fence.connect(&app.db).await.expect("a connection");

    let sound = ask_prepared(&service, &token, TO, "Sound").await;
    service.approve(&token, &sound).await;
    let claims = claimed().await;
    assert_eq!(claims.len(), 1);
    let fenced = fence.pass(&claims[0], &app.public_url).await.expect("its clip is there");
    assert!(format!("{:?}", fenced.outgoing().say).contains(&text(&sound["clipId"])));

    let lost = ask_prepared(&service, &token, "+14155550133", "Lost after the claim").await;
    service.approve(&token, &lost).await;
    // One call a second and sender.
    service.clock.advance(std::time::Duration::from_secs(2));
    let claims = claimed().await;
    assert_eq!(claims.len(), 1);
    delete().await;
    let refused = fence.pass(&claims[0], &app.public_url).await;
    assert!(matches!(refused, Err(NotFenced::Changed)), "{refused:?}");

    let lost = ask_prepared(&service, &token, "+14155550134", "Lost before the claim").await;
    let hold = json!({ "reason": "wait" });
    let held = service.send(service.request(Method::PUT, "/api/hold", &token).json(&hold)).await;
    assert_eq!(held.status, StatusCode::OK, "{}", held.text);
    service.approve(&token, &lost).await;
    delete().await;
    let released = service.send(service.request(Method::DELETE, "/api/hold", &token)).await;
    assert_eq!(released.status, StatusCode::OK, "{}", released.text);
    service.clock.advance(std::time::Duration::from_secs(2));
    assert!(claimed().await.is_empty());
    service.until(&token, &id(&lost), "expired").await;
    fence.close().await;
    service.stop().await;
}
