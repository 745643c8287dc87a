//! Several processes over one database: they share rates, wake each other, send for each other, and judge once.

use std::time::Duration;

use mission_control::auth::Role;
use mission_control::dispatch::claim::claim;
use reqwest::{Method, StatusCode};
use serde_json::json;
use time::OffsetDateTime;

use crate::support::proxy::Proxy;
use crate::support::service::{Service, Setup, eventually, text};

/// What all of them send with; the embedded sandbox of the first accepts it.
const CREDENTIALS: [(&str, &str); 3] = [
    ("TWILIO_ACCOUNT_SID", "AC0123456789abcdef0123456789abcdef"),
    ("TWILIO_AUTH_TOKEN", "5d41402abc4b2a76b9719d911017c592"),
    ("TWILIO_PHONE_NUMBER", "+15005550006"),
];

fn with(setup: Setup, settings: &[(&str, &str)]) -> Setup {
    settings.iter().fold(setup, |setup, (name, value)| setup.with(name, value))
}

/// Another process of the same installation, with the same Twilio.
async fn another(service: &Service, settings: &[(&str, &str)]) -> Service {
    let setup = service.setup_again().with("MISSION_CONTROL_TWILIO_BASE_URL", service.sandbox());
    with(with(setup, &CREDENTIALS), settings).start().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_senders_rate_is_one_for_all_processes() {
    const RATE: (&str, &str) = ("MISSION_CONTROL_DISPATCH_SMS_SEGMENTS_PER_SECOND", "4");
    let one = with(Setup::new().await, &CREDENTIALS).with(RATE.0, RATE.1).start().await;
    let others = [another(&one, &[RATE]).await, another(&one, &[RATE]).await];
    let token = one.token("ada@example.com", Role::Admin).await;
    for number in 0..8 {
        one.ask_approved(&token, &format!("+1415555{number:04}"), "Hello").await;
    }
    eventually("all to be sent", || async {
        let sent = one.accepted().await.len();
        if sent == 8 { Ok(()) } else { Err(format!("{sent} of 8")) }
    })
    .await;
    let begun: Vec<OffsetDateTime> = sqlx::query_scalar("select started_at from attempts order by started_at")
        .fetch_all(&one.app().db)
        .await
        .expect("the attempts");
    for pair in begun.windows(2) {
        assert!(pair[1] - pair[0] >= time::Duration::milliseconds(250), "{begun:?}");
    }
    for other in others {
        other.stop().await;
    }
    one.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_for_on_one_is_sent_by_another_and_its_waiter_hears_of_it() {
    let setup = with(Setup::new().await, &CREDENTIALS);
    let proxy = Proxy::start(setup.straight()).await;
    let way = proxy.options.clone();
    let one = setup.way(way).start().await;
    let token = one.token("ada@example.com", Role::Admin).await;
    // The first cannot send any more: its fence is lost and does not come back.
    proxy.admit_fence(false);
    proxy.cut();
    eventually("the first to answer again", || async {
        let answer = one.get("/api/operations", &token).await;
        if answer.status == StatusCode::OK { Ok(()) } else { Err(answer.text) }
    })
    .await;
    let two = another(&one, &[]).await;
    let body = json!({ "to": "+14155550132", "message": "Hello", "idempotencyKey": "crossing" });
    let asked = one.post("/api/twilio/send-sms", &token, &body).await.json();
    let waiting = one.request(Method::POST, "/api/twilio/send-sms", &token).header("prefer", "wait=30").json(&body);
    let (told, approved) = tokio::join!(one.send(waiting), two.approve(&token, &asked));
    assert_eq!(approved.status, StatusCode::OK, "{}", approved.text);
    assert_eq!((told.status, &told.json()["replayed"]), (StatusCode::OK, &json!(true)), "{}", told.text);
    assert_eq!(one.accepted().await.len(), 1);
    two.stop().await;
    one.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_was_told_of_is_found_by_the_timer() {
    let one = Service::start().await;
    let token = one.token("ada@example.com", Role::Admin).await;
    let mut db = one.direct().await;
    // Approved during a hold, which then ends without a word to anybody.
    let operation = one.ask(&token, "+14155550132", "Hello").await;
    sqlx::query("update hold set held = true, cause = 'person', reason = 'a test'")
        .execute(&mut db)
        .await
        .expect("held");
    assert_eq!(one.approve(&token, &operation).await.status, StatusCode::OK);
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(one.accepted().await.len(), 0, "on hold");
    let release = "update hold set held = false, cause = null, reason = null";
    sqlx::query(release).execute(&mut db).await.expect("released");
    one.until(&token, &text(&operation["operationId"]), "delivered").await;
    one.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranded_attempt_is_judged_once() {
    // Nobody sends: there are no credentials. The test itself is the process that dies.
    let quiet = [("MISSION_CONTROL_TWILIO_BASE_URL", "http://127.0.0.1:9"), ("TWILIO_PHONE_NUMBER", "+15005550006")];
    let one = with(Setup::new().await, &quiet).start().await;
    let mut others = Vec::new();
    for _ in 0..2 {
        others.push(with(one.setup_again(), &quiet).start().await);
    }
    let token = one.token("ada@example.com", Role::Admin).await;
    let id = one.ask_approved(&token, "+14155550132", "Hello").await;
    let (app, account) = (one.app(), "AC00000000000000000000000000000001");
    let claims = claim(&app.db, &app.clock, &app.settings.current(), app.config.mode, account, None, 4).await;
    assert_eq!(claims.expect("a claim").len(), 1);
    one.clock.advance(Duration::from_secs(31));
    one.until(&token, &id, "unknown").await;
    one.clock.advance(Duration::from_secs(61));
    let judged = one.until(&token, &id, "needs_review").await;
    tokio::time::sleep(Duration::from_millis(1200)).await;
    for action in ["dispatch.unknown", "dispatch.needs_review"] {
        let lines = judged["history"].as_array().expect("lines").iter().filter(|line| line["action"] == action).count();
        assert_eq!(lines, 1, "{action}: {judged}");
    }
    assert_eq!(one.operation(&token, &id).await["history"], judged["history"], "nobody judges it again");
    for other in others {
        other.stop().await;
    }
    one.stop().await;
}
