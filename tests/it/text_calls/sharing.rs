//! One text is made once: for all who ask at the same time, for those who ask later, across processes, and after a crash.

use std::collections::BTreeSet;

use bytes::Bytes;
use futures_util::future::join_all;
use mission_control::auth::Role;
use reqwest::{Method, StatusCode};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use sqlx::{ConnectOptions as _, Connection as _};

use super::{TO, ask, ask_prepared, id, in_studio, make_call, start, syntheses, with_studio};
use crate::support::installation::Installation;
use crate::support::service::{Service, Setup, eventually, text};
use crate::support::studio::{self, Studio};

#[tokio::test(flavor = "multi_thread")]
async fn fifty_who_ask_for_the_same_text_at_once_share_one_synthesis() {
    const CALLS: usize = 50;
    let (service, token) = start(Setup::new().await).await;
    let asking = (0..CALLS).map(|number| {
        let (service, token) = (&service, &token);
        async move { ask(service, token, &format!("+1415555{number:04}"), "The gate opens at noon.").await }
    });
    let asked = join_all(asking).await;
    let operations: BTreeSet<String> = asked.iter().map(id).collect();
    assert_eq!(operations.len(), CALLS);
    let mut clips = BTreeSet::new();
    for operation in &operations {
        let pending = service.until(&token, operation, "pending_approval").await;
        clips.insert(text(&pending["clipId"]));
    }
    assert_eq!((clips.len(), syntheses(&service).await.len()), (1, 1));

    // Whoever asks later hears the same, and nothing is paid for it.
    let later = ask_prepared(&service, &token, "+14155559999", " The gate opens at noon.\n").await;
    assert!(clips.contains(&text(&later["clipId"])), "{later}");
    assert_eq!(syntheses(&service).await.len(), 1);
    let other = ask_prepared(&service, &token, "+14155559999", "The gate opens at one.").await;
    assert!(!clips.contains(&text(&other["clipId"])), "{other}");
    assert_eq!(syntheses(&service).await.len(), 2);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_text_to_the_same_number_may_be_a_duplicate() {
    let (service, token) = start(Setup::new().await).await;
    let first = ask_prepared(&service, &token, TO, "Hello").await;
    assert!(first.get("possibleDuplicateOf").is_none(), "{first}");
    let again = ask_prepared(&service, &token, TO, "Hello").await;
    assert_eq!(again["possibleDuplicateOf"], first["operationId"]);
    assert_eq!((&again["digest"], &again["clipId"]), (&first["digest"], &first["clipId"]));
    let other = ask_prepared(&service, &token, TO, "Hello again").await;
    assert!(other.get("possibleDuplicateOf").is_none(), "{other}");
    service.stop().await;
}

/// Another process of the same installation, that has its speech made at the same place.
async fn another(service: &Service, studio: &Studio) -> Service {
    let credentials = service.app().vault.twilio().await.expect("the vault").expect("credentials");
    #[expect(clippy::disallowed_methods, reason = "the other process sends with the same credentials")]
    let auth_token = secrecy::ExposeSecret::expose_secret(&credentials.auth_token).to_owned();
    in_studio(service.setup_again(), studio)
        .with("MISSION_CONTROL_TWILIO_BASE_URL", service.sandbox())
        .with("TWILIO_ACCOUNT_SID", &credentials.account_sid)
        .with("TWILIO_AUTH_TOKEN", &auth_token)
        .with("TWILIO_PHONE_NUMBER", "+15005550006")
        .start()
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_make_each_text_once() {
    const TEXTS: usize = 8;
    let studio = Studio::open().await;
    let (one, token) = with_studio(&studio).await;
    let two = another(&one, &studio).await;
    let asking = (0..4 * TEXTS).map(|number| {
        let (service, token) = (if number % 2 == 0 { &one } else { &two }, &token);
        // Each text is asked for on both.
        async move { ask(service, token, &format!("+1415555{number:04}"), &format!("Text {}", number / 4)).await }
    });
    for asked in join_all(asking).await {
        one.until(&token, &id(&asked), "pending_approval").await;
    }
    let texts: BTreeSet<String> = studio.asked().iter().map(|asked| text(&asked["text"])).collect();
    assert_eq!((texts.len(), studio.asked().len()), (TEXTS, TEXTS));
    two.stop().await;
    one.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_silent_process_left_undone_is_made_by_another() {
    let studio = Studio::closed().await;
    let (one, token) = with_studio(&studio).await;
    let asked = ask(&one, &token, TO, "Hello").await;
    until_asked(&studio, 1).await;
    let two = another(&one, &studio).await;
    // As if the first had ended: nobody renews its lease, and that has run out.
    let silent = "update clips set leased_by = gen_random_uuid(), leased_until = clock_timestamp()";
    sqlx::query(silent).execute(&one.app().db).await.expect("a lease that ran out");
    until_asked(&studio, 2).await;
    studio.release();
    let pending = two.until(&token, &id(&asked), "pending_approval").await;
    // The first comes back with what it made as well: it is the same operation, with one clip, filled in once.
    let clips: Vec<(String, String)> =
        sqlx::query_as("select id, state from clips").fetch_all(&one.app().db).await.expect("the clips");
    assert_eq!(clips, [(text(&pending["clipId"]), "ready".to_owned())]);
    let made: i64 = sqlx::query_scalar("select count(*) from audit_lines where action = 'clip.made'")
        .fetch_one(&one.app().db)
        .await
        .expect("a count");
    assert_eq!(made, 1);
    two.stop().await;
    one.stop().await;
}

async fn until_asked(studio: &Studio, times: usize) {
    eventually("the studio to be asked", || async {
        let asked = studio.asked().len();
        if asked >= times { Ok(()) } else { Err(format!("{asked} of {times}")) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn audio_that_was_stored_before_a_crash_is_not_paid_for_again() {
    let studio = Studio::closed().await;
    let (service, token) = with_studio(&studio).await;
    let asked = ask(&service, &token, TO, "Hello").await;
    until_asked(&studio, 1).await;
    // What a process leaves behind that ended between storing the audio and saying so.
    let app = service.app();
    let content_hash: [u8; 32] = Sha256::digest(studio::AUDIO).into();
    app.clips.put(&content_hash, Bytes::from_static(studio::AUDIO)).await.expect("it is stored");
    let left = "update clips set content_hash = $1, content_type = 'audio/mpeg', bytes = $2, leased_by = gen_random_uuid(), \
        leased_until = clock_timestamp()";
    let bytes = i64::try_from(studio::AUDIO.len()).expect("a length");
    sqlx::query(left).bind(&content_hash[..]).bind(bytes).execute(&app.db).await.expect("what was left");
    let pending = service.until(&token, &id(&asked), "pending_approval").await;
    assert_eq!((&pending["clipBytes"], studio.asked().len()), (&json!(bytes), 1), "{pending}");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_the_middle_of_preparing_another_process_goes_on() {
    let (installation, studio) = (Installation::new().await, Studio::closed().await);
    let speech = [("MISSION_CONTROL_ELEVENLABS_BASE_URL", studio.url.as_str()), ("ELEVENLABS_API_KEY", studio::KEY)];
    let first = installation.serve("first", &speech);
    let body = json!({ "to": TO, "text": "Hello" });
    let (status, asked) = installation.call(&first, Method::POST, "/api/twilio/make-call", Some(body)).await;
    assert_eq!((status, &asked["state"]), (StatusCode::ACCEPTED, &json!("preparing")), "{asked}");
    until_asked(&studio, 1).await;
    first.kill();

    let second = installation.serve("second", &speech);
    // The lease of the first ends half a minute after its last sign of life; nobody wants to wait for that here.
    let mut db = installation.database.options.connect().await.expect("the database");
    sqlx::raw_sql("update clips set leased_until = clock_timestamp()").execute(&mut db).await.expect("past");
    db.close().await.expect("closed");
    studio.release();
    let pending = installation.until(&second, &asked, "pending_approval").await;
    assert!(pending["digest"].is_string() && pending["clipId"].is_string(), "{pending}");
    installation.approve(&second, &pending).await;
    installation.until(&second, &asked, "delivered").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_key_means_one_text() {
    let (service, token) = start(Setup::new().await).await;
    let body = |text: &str| json!({ "to": TO, "text": text, "idempotencyKey": "one" });
    let hello = body("Hello");
    let answers = join_all((0..10).map(|_| make_call(&service, &token, &hello))).await;
    let operations: BTreeSet<String> = answers.iter().map(|answer| id(&answer.json())).collect();
    assert_eq!(operations.len(), 1, "{operations:?}");
    let other = make_call(&service, &token, &body("Hello!")).await;
    assert_eq!((other.status, other.code().as_str()), (StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused"));
    let viewer = service.token("vera@example.com", Role::Viewer).await;
    assert_eq!(make_call(&service, &viewer, &body("Hello")).await.status, StatusCode::FORBIDDEN);
    service.stop().await;
}
