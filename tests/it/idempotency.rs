//! A replay is a replay: one key, one operation, one SMS.

use std::time::Duration;

use futures_util::future::join_all;
use mission_control::audit::Actor;
use mission_control::auth::{Role, Scope};
use mission_control::guard::hold::{self, Cause};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::Connection as _;

use crate::support::log;
use crate::support::service::{Answer, Service, Setup, eventually, text};

const SEND_SMS: &str = "/api/twilio/send-sms";

fn hello() -> Value {
    json!({ "to": "+14155550132", "message": "Hello" })
}

async fn ask(service: &Service, token: &str, key: &str, body: &Value) -> Answer {
    service.send(service.request(Method::POST, SEND_SMS, token).header("Idempotency-Key", key).json(body)).await
}

async fn count(service: &Service, table: &str) -> i64 {
    let statement = format!("select count(*) from {table}");
    sqlx::query_scalar(sqlx::AssertSqlSafe(statement)).fetch_one(&service.app().db).await.expect("a count")
}

#[tokio::test(flavor = "multi_thread")]
async fn asking_is_one_statement_and_so_is_a_replay() {
    let service = Service::start().await;
    let token = service.token("ada@example.com", Role::Admin).await;
    // What is remembered for a moment (the token, the usual sender) is known after another, unless it took that long.
    eventually("an asking and a replay of one statement each", || async {
        let key = uuid::Uuid::new_v4().to_string();
        let mut statements = Vec::new();
        for replayed in [None, Some("true")] {
            ask(&service, &token, "first", &hello()).await;
            let id = format!("counted-{key}-{}", replayed.is_some());
            let asking = service.request(Method::POST, SEND_SMS, &token).header("Idempotency-Key", &key);
            let answer = service.send(asking.header("X-Correlation-Id", &id).json(&hello())).await;
            assert_eq!(answer.header("idempotent-replayed"), replayed);
            let lines = log::of(&id);
            statements.push(lines.iter().filter(|line| line["target"] == "sqlx::query").count());
        }
        if statements == [1, 1] { Ok(()) } else { Err(format!("{statements:?} statements")) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_concurrent_identical_requests_make_one_operation_and_a_hundred_answers() {
    let service = Service::start().await;
    let token = service.token("ada@example.com", Role::Admin).await;
    let body = hello();
    // A lock that lets nobody insert: when it goes, as many statements as there are connections start side by side, and
    // none of them sees the key.
    let way = service.app().db.connect_options();
    let mut barrier = sqlx::PgConnection::connect_with(&way).await.expect("a connection");
    let onlooker = sqlx::PgPool::connect_lazy_with((*way).clone());
    sqlx::query("begin").execute(&mut barrier).await.expect("a transaction");
    sqlx::query("lock table idempotency_keys in share mode").execute(&mut barrier).await.expect("the lock");
    let asking = join_all((0..100).map(|_| ask(&service, &token, "one", &body)));
    let (answers, ()) = tokio::join!(asking, async {
        eventually("the statements to stand side by side", || async {
            let waiting = "select count(*) from pg_locks where relation = 'idempotency_keys'::regclass and not granted";
            let waiting: i64 = sqlx::query_scalar(waiting).fetch_one(&onlooker).await.expect("a count");
            if waiting >= 10 { Ok(()) } else { Err(format!("{waiting} wait")) }
        })
        .await;
        sqlx::query("commit").execute(&mut barrier).await.expect("the lock goes");
    });
    let ids: std::collections::HashSet<String> = answers
        .iter()
        .map(|answer| {
            assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text);
            text(&answer.json()["operationId"])
        })
        .collect();
    assert_eq!(ids.len(), 1);
    let first = answers.iter().filter(|answer| answer.header("idempotent-replayed").is_none()).count();
    assert_eq!(first, 1, "one answer is the first, the others are replays");
    assert_eq!((count(&service, "operations").await, count(&service, "idempotency_keys").await), (1, 1));
    let lines = "audit_lines where action = 'operation.asked'";
    assert_eq!(count(&service, lines).await, 1, "and one audit line");

    let asked = answers[0].json();
    assert_eq!(service.approve(&token, &asked).await.status, StatusCode::OK);
    service.until(&token, &text(&asked["operationId"]), "delivered").await;
    assert_eq!(service.accepted().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_answers_with_the_current_state_and_another_request_is_refused() {
    let service = Service::start().await;
    let token = service.token("ada@example.com", Role::Admin).await;
    let first = ask(&service, &token, "\"quoted key\"", &hello()).await;
    assert_eq!(first.header("idempotency-key"), Some("quoted key"));
    assert_eq!(first.json()["replayed"], false);

    // The same request, written otherwise: spaces in the number, a note.
    let again = json!({ "to": "+1 (415) 555-0132", "message": "Hello", "note": "second try", "from": null });
    let replay = ask(&service, &token, "quoted key", &again).await;
    assert_eq!(replay.status, StatusCode::ACCEPTED, "{}", replay.text);
    assert_eq!(replay.json()["operationId"], first.json()["operationId"]);
    assert_eq!((replay.header("idempotent-replayed"), replay.json()["replayed"].clone()), (Some("true"), json!(true)));

    for other in [
        json!({ "to": "+14155550132", "message": "Hello." }),
        json!({ "to": "+14155550133", "message": "Hello" }),
        json!({ "to": "+14155550132", "message": "Hello", "from": "+15005550006" }),
    ] {
        let refused = ask(&service, &token, "quoted key", &other).await;
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused")
        );
    }

    let path = format!("/api/operations/{}/reject", text(&first.json()["operationId"]));
    let rejected = service.post(&path, &token, &json!({ "reason": "wrong number" })).await;
    assert_eq!(rejected.status, StatusCode::OK, "{}", rejected.text);
    let replay = ask(&service, &token, "quoted key", &hello()).await;
    assert_eq!((replay.status, replay.code().as_str()), (StatusCode::CONFLICT, "approval_rejected"));
    assert!(replay.text.contains("wrong number"), "{}", replay.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_scope_of_a_key_is_the_person_and_not_the_token() {
    let service = Service::start().await;
    let token = service.token("ada@example.com", Role::Admin).await;
    let new_token = service.token_of("ada@example.com", &[Scope::OperationsWrite]).await;
    let other = service.token("bob@example.com", Role::Operator).await;
    let first = ask(&service, &token, "k", &hello()).await.json();
    let renewed = ask(&service, &new_token, "k", &hello()).await.json();
    assert_eq!(renewed["operationId"], first["operationId"], "a new token opens no second send");
    let of_another = ask(&service, &other, "k", &hello()).await.json();
    assert_ne!(of_another["operationId"], first["operationId"], "another person's key is another key");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_known_key_answers_before_any_policy() {
    let service = Service::start().await;
    let token = service.token("ada@example.com", Role::Admin).await;
    let first = ask(&service, &token, "k", &hello()).await.json();
    let app = service.app();
    hold::set(&app.db, &app.clock, Cause::Person, "a fire drill", &Actor::command_line()).await.expect("held");
    sqlx::query("insert into do_not_contact (number, reason, source, added_by) values ('+14155550132', 'asked', 'person', 'test')")
        .execute(&app.db)
        .await
        .expect("listed");

    let replay = ask(&service, &token, "k", &hello()).await;
    assert_eq!((replay.status, &replay.json()["operationId"]), (StatusCode::ACCEPTED, &first["operationId"]));
    let refused = ask(&service, &token, "new", &hello()).await;
    assert_eq!((refused.status, refused.code().as_str()), (StatusCode::CONFLICT, "do_not_contact"));
    let held = ask(&service, &token, "new", &json!({ "to": "+14155550133", "message": "Hello" })).await;
    assert_eq!((held.status, held.code().as_str()), (StatusCode::LOCKED, "on_hold"));
    assert!(held.text.contains("a fire drill"));
    assert_eq!(count(&service, "operations").await, 1, "a refusal inserts nothing");
    assert_eq!(count(&service, "idempotency_keys").await, 1, "so its key is free");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_key_never_sends_again_and_lives_as_long_as_its_operation() {
    let service = Service::start().await;
    let token = service.token("ada@example.com", Role::Admin).await;
    let first = ask(&service, &token, "k", &hello()).await.json();
    sqlx::query("update idempotency_keys set expires_at = clock_timestamp() - interval '1 day'")
        .execute(&service.app().db)
        .await
        .expect("aged");
    let open = ask(&service, &token, "k", &hello()).await;
    assert_eq!((open.status, &open.json()["operationId"]), (StatusCode::ACCEPTED, &first["operationId"]));
    let path = format!("/api/operations/{}/cancel", text(&first["operationId"]));
    assert_eq!(service.send(service.request(Method::POST, &path, &token)).await.status, StatusCode::OK);
    let gone = ask(&service, &token, "k", &hello()).await;
    assert_eq!((gone.status, gone.code().as_str()), (StatusCode::GONE, "idempotency_key_expired"));
    assert_eq!(count(&service, "operations").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_made_where_none_is_given_unless_they_are_required() {
    let service = Service::start().await;
    let token = service.token("ada@example.com", Role::Admin).await;
    let made = service.post(SEND_SMS, &token, &hello()).await;
    let key = made.header("idempotency-key").expect("a key of ours").to_owned();
    let replay = ask(&service, &token, &key, &hello()).await;
    assert_eq!(replay.json()["operationId"], made.json()["operationId"]);
    let in_body = json!({ "to": "+14155550132", "message": "Hello", "idempotencyKey": key });
    assert_eq!(service.post(SEND_SMS, &token, &in_body).await.header("idempotent-replayed"), Some("true"));

    let strict = Setup::new().await.with("MISSION_CONTROL_API_REQUIRE_IDEMPOTENCY_KEY", "true").start().await;
    let token = strict.token("ada@example.com", Role::Admin).await;
    let refused = strict.post(SEND_SMS, &token, &hello()).await;
    assert_eq!((refused.status, refused.code().as_str()), (StatusCode::BAD_REQUEST, "idempotency_key_required"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_ends_with_the_answer_or_with_its_time() {
    let service = Service::start().await;
    let token = service.token("ada@example.com", Role::Admin).await;
    let wait = |seconds: u32, key: &'static str| {
        let request = service.request(Method::POST, SEND_SMS, &token).header("Idempotency-Key", key);
        service.send(request.header("Prefer", format!("wait={seconds}")).json(&hello()))
    };
    let undecided = wait(1, "k").await;
    assert_eq!((undecided.status, &undecided.json()["state"]), (StatusCode::ACCEPTED, &json!("pending_approval")));
    let asked = undecided.json();
    let (answered, _) = tokio::join!(wait(60, "k"), async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        service.approve(&token, &asked).await
    });
    assert_eq!(answered.status, StatusCode::OK, "{}", answered.text);
    assert!(["accepted", "delivered"].contains(&answered.json()["state"].as_str().expect("a state")));
    assert!(answered.json()["messageSid"].as_str().is_some_and(|sid| sid.starts_with("SM")));
}
