//! Nothing goes out unapproved, and what was approved is what goes out.

use std::time::Duration;

use mission_control::auth::{Role, Scope};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::service::{Answer, Service, Setup, eventually, text};

async fn act(service: &Service, token: &str, id: &str, act: &str, body: &Value) -> Answer {
    service.post(&format!("/api/operations/{id}/{act}"), token, body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_approved_is_never_sent() {
    let service = Service::start().await;
    let token = service.token("ada@example.com", Role::Admin).await;
    let held = service.ask(&token, "+14155550132", "held").await;
    assert_eq!(held["state"], "pending_approval");
    assert_eq!(held["segments"], 1);
    let rejected = text(&service.ask(&token, "+14155550132", "rejected").await["operationId"]);
    let cancelled = text(&service.ask(&token, "+14155550132", "cancelled").await["operationId"]);
    assert_eq!(act(&service, &token, &rejected, "reject", &json!({ "reason": "no" })).await.status, StatusCode::OK);
    assert_eq!(act(&service, &token, &cancelled, "cancel", &json!({})).await.status, StatusCode::OK);

    // One that is approved passes them all: when it arrived, the others had every chance.
    let sent = service.ask_approved(&token, "+14155550132", "approved").await;
    service.until(&token, &sent, "delivered").await;
    let bodies: Vec<Value> = service.accepted().await.iter().map(|message| message["body"].clone()).collect();
    assert_eq!(bodies, ["approved"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_approved_is_byte_for_byte_what_is_sent() {
    let service = Service::start().await;
    let token = service.token("ada@example.com", Role::Admin).await;
    let message = "  Zwei\nZeilen, ein Tab\t, “quotes”, 👍🏽 & <b>&amp;</b> %20 + = \u{feff}end  ";
    let id = service.ask_approved(&token, "+4930231250", message).await;
    service.until(&token, &id, "delivered").await;
    let accepted = service.accepted().await;
    assert_eq!(accepted[0]["body"], message);
    assert_eq!((&accepted[0]["to"], &accepted[0]["from"]), (&json!("+4930231250"), &json!("+15005550006")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_is_bound_to_the_digest_that_was_shown() {
    let service = Service::start().await;
    let token = service.token("ada@example.com", Role::Admin).await;
    let asked = service.ask(&token, "+14155550132", "Hello").await;
    let id = text(&asked["operationId"]);
    let other = json!({ "digest": "0".repeat(64) });
    let differs = act(&service, &token, &id, "approve", &other).await;
    assert_eq!((differs.status, differs.code().as_str()), (StatusCode::CONFLICT, "digest_differs"));
    let malformed = act(&service, &token, &id, "approve", &json!({ "digest": "abc" })).await;
    assert_eq!(malformed.status, StatusCode::BAD_REQUEST);
    assert_eq!(act(&service, &token, &id, "approve", &json!({})).await.status, StatusCode::BAD_REQUEST);

    let approved = service.approve(&token, &asked).await;
    assert_eq!((approved.status, &approved.json()["replayed"]), (StatusCode::OK, &json!(false)));
    let again = service.approve(&token, &asked).await;
    assert_eq!((again.status, &again.json()["replayed"]), (StatusCode::OK, &json!(true)), "{}", again.text);
    let other = service.token("bob@example.com", Role::Approver).await;
    let late = service.approve(&other, &asked).await;
    assert_eq!((late.status, late.code().as_str()), (StatusCode::CONFLICT, "already_decided"));
    let turned = act(&service, &other, &id, "reject", &json!({ "reason": "no" })).await;
    assert_eq!((turned.status, turned.code().as_str()), (StatusCode::CONFLICT, "already_decided"));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_deciders_one_decides() {
    let service = Service::start().await;
    let (ada, bob) =
        (service.token("ada@example.com", Role::Admin).await, service.token("bob@example.com", Role::Approver).await);
    for number in 0..20 {
        let asked = service.ask(&ada, "+14155550132", &format!("Hello {number}")).await;
        let id = text(&asked["operationId"]);
        let no = json!({ "reason": "no" });
        let (yes, no) = tokio::join!(service.approve(&ada, &asked), act(&service, &bob, &id, "reject", &no));
        let statuses = [yes.status, no.status];
        assert!(statuses.contains(&StatusCode::OK) && statuses.contains(&StatusCode::CONFLICT), "{statuses:?}");
        let story = service.operation(&ada, &id).await;
        assert_eq!(story["decisions"].as_array().map(Vec::len), Some(1), "{story}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_scopes_and_four_eyes_are_kept() {
    let service = Setup::new().await.with("MISSION_CONTROL_APPROVAL_FOUR_EYES", "true").start().await;
    let approver = service.token("ada@example.com", Role::Approver).await;
    let operator = service.token("bob@example.com", Role::Operator).await;
    let viewer = service.token("eve@example.com", Role::Viewer).await;
    let read_only = service.token_of("ada@example.com", &[Scope::OperationsRead]).await;
    let hello = json!({ "to": "+14155550132", "message": "Hello" });
    let by_viewer = service.post("/api/twilio/send-sms", &viewer, &hello).await;
    assert_eq!((by_viewer.status, by_viewer.code().as_str()), (StatusCode::FORBIDDEN, "role_missing"));
    let by_reader = service.post("/api/twilio/send-sms", &read_only, &hello).await;
    assert_eq!((by_reader.status, by_reader.code().as_str()), (StatusCode::FORBIDDEN, "scope_missing"));

    let own = service.ask(&approver, "+14155550132", "mine").await;
    let (path, list) = (format!("/api/operations/{}", text(&own["operationId"])), "/api/operations");
    for seen in [service.get(&path, &viewer).await, service.get(list, &viewer).await] {
        assert_eq!(seen.status, StatusCode::OK, "{}", seen.text);
        assert!(seen.text.contains("+1••••••0132") && !seen.text.contains("+14155550132"), "{}", seen.text);
    }
    let refused = service.approve(&approver, &own).await;
    assert_eq!((refused.status, refused.code().as_str()), (StatusCode::FORBIDDEN, "own_request"));
    let withdrawn = act(&service, &approver, &text(&own["operationId"]), "reject", &json!({ "reason": "typo" })).await;
    assert_eq!(withdrawn.status, StatusCode::OK, "rejecting one's own is always allowed");

    let asked = service.ask(&operator, "+14155550132", "theirs").await;
    let by_operator = service.approve(&operator, &asked).await;
    assert_eq!((by_operator.status, by_operator.code().as_str()), (StatusCode::FORBIDDEN, "role_missing"));
    assert_eq!(service.approve(&approver, &asked).await.status, StatusCode::OK);
    // The database refuses it as well, whatever the code says.
    let bent = "update operations set approved_by = requested_by where approved_at is not null";
    let bent = sqlx::query(bent).execute(&service.app().db).await;
    let refusal = bent.expect_err("refused").to_string();
    assert!(refusal.contains("four_eyes"), "{refusal}");
}

#[tokio::test(flavor = "multi_thread")]
async fn four_eyes_sees_the_person_behind_each_token() {
    let service = Setup::new().await.with("MISSION_CONTROL_APPROVAL_FOUR_EYES", "true").start().await;
    let one = service.token("ada@example.com", Role::Approver).await;
    let another = service.token_of("ada@example.com", &Scope::ALL).await;
    let asked = service.ask(&one, "+14155550132", "Hello").await;
    let refused = service.approve(&another, &asked).await;
    assert_eq!((refused.status, refused.code().as_str()), (StatusCode::FORBIDDEN, "own_request"));
    let colleague = service.token("bob@example.com", Role::Approver).await;
    assert_eq!(service.approve(&colleague, &asked).await.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn self_approval_and_tokens_are_settings() {
    let alone = Setup::new()
        .await
        .with("MISSION_CONTROL_APPROVAL_FOUR_EYES", "true")
        .with("MISSION_CONTROL_APPROVAL_ALLOW_SELF_APPROVAL", "true")
        .start()
        .await;
    let token = alone.token("ada@example.com", Role::Admin).await;
    let asked = alone.ask(&token, "+14155550132", "Hello").await;
    assert_eq!(alone.approve(&token, &asked).await.status, StatusCode::OK);
    let story = alone.operation(&token, &text(&asked["operationId"])).await;
    assert_eq!(story["decisions"][0]["selfApproved"], true, "it is written on the decision");

    let people_only = Setup::new().await.with("MISSION_CONTROL_APPROVAL_TOKENS_MAY_DECIDE", "false").start().await;
    let token = people_only.token("ada@example.com", Role::Admin).await;
    let asked = people_only.ask(&token, "+14155550132", "Hello").await;
    let refused = people_only.approve(&token, &asked).await;
    assert_eq!((refused.status, refused.code().as_str()), (StatusCode::FORBIDDEN, "tokens_may_not_decide"));
}

#[tokio::test(flavor = "multi_thread")]
async fn approval_can_be_switched_off_and_the_guard_still_holds() {
    let service = Setup::new().await.with("MISSION_CONTROL_APPROVAL_REQUIRED", "false").start().await;
    let token = service.token("ada@example.com", Role::Admin).await;
    let hello = json!({ "to": "+14155550132", "message": "Hello" });
    let request =
        service.request(Method::POST, "/api/twilio/send-sms", &token).header("Prefer", "wait=30").json(&hello);
    let sent = service.send(request).await;
    assert_eq!(sent.status, StatusCode::OK, "{}", sent.text);
    let story = service.operation(&token, &text(&sent.json()["operationId"])).await;
    assert!(story["decisions"][0]["rule"].as_str().is_some_and(|rule| rule.contains("switched off")), "{story}");
    let held = service.send(service.request(Method::PUT, "/api/hold", &token).json(&json!({ "reason": "stop" }))).await;
    assert_eq!((held.status, &held.json()["held"]), (StatusCode::OK, &json!(true)));
    let refused = service.post("/api/twilio/send-sms", &token, &hello).await;
    assert_eq!(refused.code(), "on_hold");
}

#[tokio::test(flavor = "multi_thread")]
async fn both_clocks_end_an_operation() {
    let service = Service::start().await;
    let token = service.token("ada@example.com", Role::Admin).await;
    let undecided = service.ask(&token, "+14155550132", "undecided").await;
    service.clock.advance(Duration::from_secs(24 * 3600 + 1));
    let late = service.approve(&token, &undecided).await;
    assert_eq!((late.status, late.code().as_str()), (StatusCode::GONE, "approval_expired"), "before any sweep");
    let ended = service.until(&token, &text(&undecided["operationId"]), "expired").await;
    assert_eq!((&ended["reasonCode"], &ended["needsAttention"]), (&json!("not_decided"), &json!(false)));

    service.send(service.request(Method::PUT, "/api/hold", &token).json(&json!({ "reason": "lunch" }))).await;
    let app = service.app();
    let unsent = {
        // Asked before the hold would have refused it.
        mission_control::guard::hold::release(&app.db, &app.clock, &mission_control::audit::Actor::command_line())
            .await
            .expect("released");
        let asked = service.ask(&token, "+14155550132", "approved").await;
        service.send(service.request(Method::PUT, "/api/hold", &token).json(&json!({ "reason": "lunch" }))).await;
        service.approve(&token, &asked).await;
        text(&asked["operationId"])
    };
    service.clock.advance(Duration::from_secs(3601));
    let ended = service.until(&token, &unsent, "expired").await;
    assert_eq!((&ended["reasonCode"], &ended["needsAttention"]), (&json!("held"), &json!(true)));
    assert!(service.accepted().await.is_empty());

    let listed = service.get("/api/operations?attention=true", &token).await.json();
    assert_eq!(listed["operations"][0]["operationId"], unsent);
    let noted =
        service.send(service.request(Method::POST, &format!("/api/operations/{unsent}/acknowledge"), &token)).await;
    assert_eq!(noted.status, StatusCode::OK, "{}", noted.text);
    let listed = service.get("/api/operations?attention=true", &token).await.json();
    assert_eq!(listed["operations"].as_array().map(Vec::len), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_stops_what_is_approved_and_its_end_lets_it_go() {
    let service = Service::start().await;
    let token = service.token("ada@example.com", Role::Admin).await;
    let asked = service.ask(&token, "+14155550132", "Hello").await;
    let held = service.send(service.request(Method::PUT, "/api/hold", &token).json(&json!({ "reason": "stop" }))).await;
    assert_eq!((held.status, &held.json()["underWay"]), (StatusCode::OK, &json!([])));
    service.approve(&token, &asked).await;
    let id = text(&asked["operationId"]);
    // Passes that find it, and let it be.
    for _ in 0..3 {
        service.app().changes.wake();
        tokio::task::yield_now().await;
    }
    assert_eq!(service.operation(&token, &id).await["state"], "approved");
    let operator = service.token("bob@example.com", Role::Operator).await;
    let refused = service.send(service.request(Method::DELETE, "/api/hold", &operator)).await;
    assert_eq!(refused.code(), "role_missing");
    assert_eq!(service.send(service.request(Method::DELETE, "/api/hold", &token)).await.status, StatusCode::OK);
    service.until(&token, &id, "delivered").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approved_operation_can_be_cancelled_until_it_is_claimed() {
    let service = Service::start().await;
    let token = service.token("ada@example.com", Role::Admin).await;
    for number in 0..20 {
        let asked = service.ask(&token, "+14155550132", &format!("Hello {number}")).await;
        let id = text(&asked["operationId"]);
        service.approve(&token, &asked).await;
        let cancelled = act(&service, &token, &id, "cancel", &json!({ "reason": "changed my mind" })).await;
        let ended = if cancelled.status == StatusCode::OK { "cancelled" } else { "delivered" };
        service.until(&token, &id, ended).await;
        let sent = service.accepted().await.iter().any(|message| message["body"] == format!("Hello {number}"));
        assert_eq!(sent, ended == "delivered", "either it was cancelled or it was sent");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_has_its_line_in_an_unbroken_chain() {
    let service = Service::start().await;
    let token = service.token("ada@example.com", Role::Admin).await;
    let id = service.ask_approved(&token, "+14155550132", "Hello").await;
    service.until(&token, &id, "delivered").await;
    let story = service.operation(&token, &id).await;
    let history = story["history"].as_array().expect("a history").clone();
    let mut state = Value::Null;
    for (line, seq) in history.iter().zip(1..) {
        assert_eq!(line["seq"], seq);
        assert_eq!(line["from"], state, "each line begins where the one before it ended: {history:?}");
        state = line["to"].clone();
    }
    assert_eq!(state, "delivered");
    assert_eq!(history[0]["action"], "operation.asked");
    assert_eq!(history[0]["actor"], "ada@example.com");

    let db = &service.app().db;
    let broken: i64 = sqlx::query_scalar(
        "select count(*) from audit_lines l left join audit_lines p on p.object = l.object and p.seq = l.seq - 1
         where l.prev_hash is distinct from p.hash or (l.seq > 1 and p.seq is null)",
    )
    .fetch_one(db)
    .await
    .expect("the chains");
    assert_eq!(broken, 0);
    for statement in ["update audit_lines set actor = 'x'", "delete from audit_lines", "truncate audit_lines"] {
        let refusal = sqlx::query(statement).execute(db).await.expect_err("refused").to_string();
        assert!(refusal.contains("append-only"), "{refusal}");
    }
    let edited =
        sqlx::query("update operations set message = 'other'").execute(db).await.expect_err("refused").to_string();
    assert!(edited.contains("immutable"), "{edited}");
    eventually("no send left under way", || async {
        let open: i64 = sqlx::query_scalar("select count(*) from attempts where state = 'sending'")
            .fetch_one(db)
            .await
            .expect("a count");
        if open == 0 { Ok(()) } else { Err(format!("{open} open")) }
    })
    .await;
}
