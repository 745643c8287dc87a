//! A database that is not the one the service knew, or not of the mode it runs in: what waited is not sent as if nothing
//! had happened.

use mission_control::auth::Role;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::PgConnection;

use crate::support::service::{Service, Setup, eventually, text};

const MASTER_KEY: &str = "live:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_or_promoted_database_starts_on_hold_until_an_admin_releases_it() {
    let mut service = Service::start().await;
    let token = service.token("ada@example.com", Role::Admin).await;
    let operator = service.token("otto@example.com", Role::Operator).await;
    let mut sent = 0;
    // What PostgreSQL says of itself after a restore into another cluster, a fail-over, a restore into the same cluster.
    for changed in ["system_identifier = system_identifier + 1", "timeline_id = timeline_id + 1", "incarnation = 1"] {
        let asked = service.ask(&token, "+14155550132", changed).await;
        let mut db = service.direct().await;
        let again = service.setup_again();
        service.stop().await;
        let statement = format!("update deployment set {changed}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut db).await.expect("changed");
        let last_line = last_line_at(&mut db).await;
        service = again.start().await;

        let hold = service.get("/api/hold", &token).await.json();
        assert_eq!((&hold["held"], &hold["cause"]), (&json!(true), &json!("restored")), "{changed}: {hold}");
        let sentence = format!(
            "this database was restored or promoted: check what was sent since {last_line}, then resume sending."
        );
        assert_eq!(hold["reason"], sentence, "{changed}");
        let body = json!({ "to": "+14155550133", "message": "New" });
        let refused = service.post("/api/twilio/send-sms", &token, &body).await;
        assert_eq!((refused.status, refused.code().as_str()), (StatusCode::LOCKED, "on_hold"), "{}", refused.text);
        assert!(refused.text.contains("restored or promoted"), "{}", refused.text);
        // Approved and due, and yet it stays: once for the claim, whose look the hold's own line follows.
        assert_eq!(service.approve(&token, &asked).await.status, StatusCode::OK);
        let id = text(&asked["operationId"]);
        assert_eq!(claims(&mut service.direct().await, &id).await, 0);
        assert_eq!(service.operation(&token, &id).await["state"], "approved");
        assert_eq!(service.accepted().await.len(), sent, "{changed}");

        let not_allowed = service.send(service.request(Method::DELETE, "/api/hold", &operator)).await;
        assert_eq!((not_allowed.status, not_allowed.code().as_str()), (StatusCode::FORBIDDEN, "role_missing"));
        assert_eq!(service.operation(&token, &id).await["state"], "approved");
        let released = service.send(service.request(Method::DELETE, "/api/hold", &token)).await;
        assert_eq!((released.status, &released.json()["held"]), (StatusCode::OK, &json!(false)));
        service.until(&token, &id, "delivered").await;
        sent += 1;
        assert_eq!(service.accepted().await.len(), sent, "{changed}");
    }

    // It is known now: the next start is an ordinary one.
    let again = service.setup_again();
    service.stop().await;
    let service = again.start().await;
    assert_eq!(service.get("/api/hold", &token).await.json()["held"], false);
    service.stop().await;
}

async fn last_line_at(db: &mut PgConnection) -> String {
    let at: time::OffsetDateTime =
        sqlx::query_scalar("select max(at) from audit_lines").fetch_one(db).await.expect("a line");
    at.format(&time::format_description::well_known::Rfc3339).expect("a time")
}

async fn claims(db: &mut PgConnection, operation: &str) -> i64 {
    sqlx::query_scalar("select count(*) from attempts where operation_id = $1::uuid")
        .bind(operation)
        .fetch_one(db)
        .await
        .expect("a count")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_in_one_mode_is_cancelled_in_the_other_and_never_sent() {
    let service = Setup::new().await.with("MISSION_CONTROL_MASTER_KEY", MASTER_KEY).start().await;
    let token = service.token("ada@example.com", Role::Admin).await;
    let sent = service.ask_approved(&token, "+14155550130", "Sent in the sandbox").await;
    service.until(&token, &sent, "delivered").await;
    let pending = text(&service.ask(&token, "+14155550131", "Pending").await["operationId"]);
    let approved = service.ask(&token, "+14155550132", "Approved").await;
    let hold = service.request(Method::PUT, "/api/hold", &token).json(&json!({ "reason": "going live" }));
    assert_eq!(service.send(hold).await.status, StatusCode::OK);
    assert_eq!(service.approve(&token, &approved).await.status, StatusCode::OK);
    let approved = text(&approved["operationId"]);

    // Another service's sandbox stands for the real Twilio: whatever went out would be in its ledger.
    let twilio = Service::start().await;
    let in_live_mode = service
        .setup_again()
        .with("MISSION_CONTROL_MODE", "live")
        .with("MISSION_CONTROL_PUBLIC_URL", "https://mission.example")
        .with("MISSION_CONTROL_MASTER_KEY", MASTER_KEY)
        .with("MISSION_CONTROL_TWILIO_BASE_URL", twilio.sandbox());
    service.stop().await;
    let live = in_live_mode.start().await;
    let get = async |path: &str| {
        let answer = live.request(Method::GET, path, &token).header("host", "mission.example");
        live.send(answer).await
    };
    for id in [&sent, &pending, &approved] {
        let answer = get(&format!("/api/operations/{id}")).await;
        assert_eq!((answer.status, answer.code().as_str()), (StatusCode::NOT_FOUND, "not_found"), "{}", answer.text);
    }
    assert_eq!(get("/api/operations").await.json()["operations"], json!([]), "none of them is live");
    let states: Vec<(String, Option<String>, Option<String>)> =
        sqlx::query_as("select state, reason_code, reason from operations order by id")
            .fetch_all(&mut live.direct().await)
            .await
            .expect("the operations");
    let cancelled = || {
        let (code, reason) = ("mode_changed".to_owned(), "The mode was changed to live".to_owned());
        ("cancelled".to_owned(), Some(code), Some(reason))
    };
    assert_eq!(states, [("delivered".to_owned(), None, None), cancelled(), cancelled()]);

    let again = live.setup_again().with("MISSION_CONTROL_MASTER_KEY", MASTER_KEY);
    live.stop().await;
    let back = again.start().await;
    let released = back.send(back.request(Method::DELETE, "/api/hold", &token)).await;
    assert_eq!(released.status, StatusCode::OK, "{}", released.text);
    for id in [&pending, &approved] {
        let operation = back.operation(&token, id).await;
        assert_eq!(operation["state"], "cancelled", "it does not come back to life: {operation}");
        assert_eq!(last_action(&operation), json!("operation.cancelled"), "{operation}");
    }
    let id = back.ask_approved(&token, "+14155550133", "After").await;
    back.until(&token, &id, "delivered").await;
    let accepted: Vec<String> = back.accepted().await.iter().map(|message| text(&message["to"])).collect();
    assert_eq!(accepted, ["+14155550130", "+14155550133"], "what was cancelled never went out");
    assert_eq!(twilio.accepted().await, [Value::Null; 0], "nor did anything in live mode");
    back.stop().await;
    twilio.stop().await;
}

fn last_action(operation: &Value) -> Value {
    operation["history"]
        .as_array()
        .and_then(|lines| lines.last())
        .map(|line| line["action"].clone())
        .unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn live_mode_on_a_database_that_may_lose_commits_starts_on_hold() {
    // The tests' own cluster runs without fsync, which live mode must not accept in silence.
    let live = Setup::new()
        .await
        .with("MISSION_CONTROL_MODE", "live")
        .with("MISSION_CONTROL_PUBLIC_URL", "https://mission.example")
        .with("MISSION_CONTROL_MASTER_KEY", MASTER_KEY)
        .with("MISSION_CONTROL_TWILIO_BASE_URL", "http://127.0.0.1:9")
        .start()
        .await;
    let token = live.token("ada@example.com", Role::Admin).await;
    let hold = eventually("the hold", || async {
        let answer = live.send(live.request(Method::GET, "/api/hold", &token).header("host", "mission.example")).await;
        if answer.status == StatusCode::OK { Ok(answer.json()) } else { Err(answer.text) }
    })
    .await;
    assert_eq!((&hold["held"], &hold["cause"]), (&json!(true), &json!("restored")), "{hold}");
    let sentence =
        "the database may lose commits: fsync or synchronous_commit is off. Switch both on, then resume sending.";
    assert_eq!(hold["reason"], sentence);
    live.stop().await;
}
