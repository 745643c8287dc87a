//! The fence and the reconciler, step by step: a service without credentials claims nothing by itself, so that each test
//! plays the processes.

use std::sync::Arc;
use std::time::Duration;

use mission_control::audit::Actor;
use mission_control::auth::Role;
use mission_control::dispatch::claim::{Claimed, claim};
use mission_control::dispatch::fence::{Fence, NotFenced};
use mission_control::dispatch::reconcile::reconcile;
use mission_control::dispatch::{expiry, outcome};
use mission_control::guard::hold::{self, Cause};
use mission_control::operation::content::Kind;
use mission_control::twilio::{Exchange, SendOutcome, Sid};
use serde_json::{Value, json};
use sqlx::Connection as _;

use crate::support::service::{Service, Setup, eventually};

const ACCOUNT: &str = "AC00000000000000000000000000000001";

/// A service that sends nothing by itself.
struct Stage {
    service: Service,
    token: String,
}

impl Stage {
    async fn new() -> Self {
        let service = Setup::new()
            .await
            .with("MISSION_CONTROL_TWILIO_BASE_URL", "http://127.0.0.1:9")
            .with("TWILIO_PHONE_NUMBER", "+15005550006")
            .start()
            .await;
        let token = service.token("ada@example.com", Role::Admin).await;
        Self { service, token }
    }

    async fn approved(&self, message: &str) -> String {
        self.service.ask_approved(&self.token, "+14155550132", message).await
    }

    async fn claim(&self, limit: usize) -> Vec<Arc<Claimed>> {
        let app = self.service.app();
        let settings = app.settings.current();
        let claims = claim(&app.db, &app.clock, &settings, app.config.mode, ACCOUNT, None, limit).await;
        claims.expect("a claim").into_iter().map(Arc::new).collect()
    }

    /// The fence of a process of its own.
    async fn fence(&self) -> Fence {
        let app = self.service.app();
        let fence = Fence::new((*app.db.connect_options()).clone(), app.clock.clone());
        fence.connect(&app.db).await.expect("a connection");
        fence
    }

    async fn pass(&self, fence: &Fence, claimed: &Arc<Claimed>) -> Result<(), NotFenced> {
        fence.pass(claimed, &self.service.app().public_url).await.map(drop)
    }

    async fn state(&self, id: &str) -> Value {
        self.service.operation(&self.token, id).await["state"].clone()
    }

    async fn reconcile(&self) {
        let app = self.service.app();
        reconcile(&app.db, &app.clock, app.config.mode).await.expect("a pass");
    }

    async fn execute(&self, statement: &'static str) {
        sqlx::query(statement).execute(&self.service.app().db).await.expect("the statement");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_takes_what_is_due_and_nothing_else() {
    let stage = Stage::new().await;
    let due = stage.approved("due").await;
    let waiting = stage.service.ask(&stage.token, "+14155550132", "waiting").await;
    let twin = stage.approved("due").await;
    let app = stage.service.app();
    let all = stage.claim(10).await;
    assert_eq!(all.len(), 1, "of twins one goes, and what waits for a decision does not");
    assert_eq!((stage.state(&due).await, stage.state(&twin).await), (json!("sending"), json!("approved")));
    assert!(stage.claim(10).await.is_empty(), "what is claimed is not claimed again");

    hold::set(&app.db, &app.clock, Cause::Person, "stop", &Actor::command_line()).await.expect("held");
    assert_eq!(stage.service.approve(&stage.token, &waiting).await.status, 200);
    assert!(stage.claim(10).await.is_empty(), "nothing is claimed on hold");
    hold::release(&app.db, &app.clock, &Actor::command_line()).await.expect("released");
    assert_eq!(stage.claim(10).await.len(), 1);

    let late = stage.approved("late").await;
    let stop = "insert into do_not_contact (number, reason, source, added_by) values ('+14155550132', 'STOP', 'inbound', 'test')";
    stage.execute(stop).await;
    assert!(stage.claim(10).await.is_empty(), "nothing is claimed for somebody who said stop");
    stage.service.clock.advance(Duration::from_secs(3601));
    assert!(stage.claim(10).await.is_empty(), "nothing is claimed after its window");
    expiry::expire(&app.db, &app.clock, app.config.mode).await.expect("a pass");
    let ended = stage.service.operation(&stage.token, &late).await;
    assert_eq!((&ended["state"], &ended["reasonCode"]), (&json!("expired"), &json!("do_not_contact")));
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_claims_take_each_operation_once() {
    let stage = Stage::new().await;
    for number in 0..30 {
        stage.approved(&format!("Number {number}")).await;
    }
    let mut seen = Vec::new();
    while seen.len() < 30 {
        let claims = tokio::join!(stage.claim(4), stage.claim(4), stage.claim(4), stage.claim(4));
        let claims = [claims.0, claims.1, claims.2, claims.3].concat();
        seen.extend(claims.iter().map(|claimed| format!("{claimed:?}")));
    }
    let attempts: i64 =
        sqlx::query_scalar("select count(*) from attempts").fetch_one(&stage.service.app().db).await.expect("a count");
    assert_eq!((seen.len(), attempts), (30, 30));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changed_after_the_claim_does_not_pass() {
    let stage = Stage::new().await;
    let app = stage.service.app();
    let fence = stage.fence().await;
    for (number, change) in [
        "update hold set held = true, cause = 'person', reason = 'stop'",
        "update operations set state = 'unknown' where state = 'sending'",
        "update attempts set state = 'unknown' where state = 'sending'",
        "update attempts set deadline_at = deadline_at - interval '6 seconds' where state = 'sending'",
        "update operations set execute_before = approved_at where state = 'sending'",
        "update operations set attempts = attempts + 1 where state = 'sending'",
        "update operations set duplicate_suspected_at = now() where state = 'sending'",
        "update attempts set digest = sha256('x') where state = 'sending'",
        "insert into provider_events (mode, kind, operation_id, attempt_id, matched_by, account_sid, sid, status, rank, payload, dedup) \
         select mode, 'message_status', operation_id, id, 'reference', account_sid, 'SM1', 'sent', 4, '{}', sha256('x') \
         from attempts where state = 'sending'",
        "insert into do_not_contact (number, reason, source, added_by) values ('+14155550132', 'STOP', 'inbound', 'test')",
    ]
    .into_iter()
    .enumerate()
    {
        stage.approved(&format!("Number {number}")).await;
        let claimed = stage.claim(1).await.remove(0);
        stage.execute(change).await;
        assert!(matches!(stage.pass(&fence, &claimed).await, Err(NotFenced::Changed)), "{change}");
        stage.execute("update attempts set state = 'not_sent' where state in ('sending', 'unknown')").await;
        hold::release(&app.db, &app.clock, &Actor::command_line()).await.expect("released");
        stage.execute("delete from do_not_contact").await;
    }
    stage.approved("untouched").await;
    let claimed = stage.claim(1).await.remove(0);
    assert!(stage.pass(&fence, &claimed).await.is_ok());
}

/// Without credentials of its account Twilio cannot be asked, so that what is unknown soon is a person's.
fn is_judged(state: &Value) -> bool {
    state == "unknown" || state == "needs_review"
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_that_is_alive_keeps_its_attempt_however_long_it_is_paused() {
    let stage = Stage::new().await;
    let id = stage.approved("Hello").await;
    let claimed = stage.claim(1).await.remove(0);
    let fence = stage.fence().await;
    stage.pass(&fence, &claimed).await.expect("passed");

    // The process is paused here, with its request perhaps on the way.
    stage.service.clock.advance(Duration::from_mins(30));
    stage.reconcile().await;
    assert_eq!(stage.state(&id).await, "sending", "nobody judges it while its owner lives");
    let other = stage.fence().await;
    assert!(matches!(stage.pass(&other, &claimed).await, Err(NotFenced::Taken)));

    // It dies: PostgreSQL frees the lock, as soon as it has noticed.
    fence.close().await;
    eventually("the attempt of a dead owner to be judged", || async {
        stage.reconcile().await;
        let state = stage.state(&id).await;
        if is_judged(&state) { Ok(()) } else { Err(state.to_string()) }
    })
    .await;
    stage.service.clock.advance(Duration::from_mins(20));
    stage.reconcile().await;
    assert!(is_judged(&stage.state(&id).await));
    assert!(stage.claim(10).await.is_empty(), "no timer leads back to sending");

    // And yet it lived: what it knows is evidence.
    let sid = Sid::parse(Kind::Sms, "SM00000000000000000000000000000001").expect("a SID");
    let outcome = SendOutcome::Accepted { sid, status: "queued".to_owned() };
    let exchange = Exchange { outcome, http_status: Some(201), error_code: None, request_id: None };
    let app = stage.service.app();
    assert!(outcome::record(&app.db, &app.clock, &claimed, &exchange).await.expect("recorded"));
    assert_eq!(stage.state(&id).await, "accepted");
    assert!(!outcome::record(&app.db, &app.clock, &claimed, &exchange).await.expect("recorded"), "once");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_to_what_was_judged_absent_is_an_alarm_and_stops_the_second_send() {
    let stage = Stage::new().await;
    let id = stage.approved("Hello").await;
    let claimed = stage.claim(1).await.remove(0);
    stage.execute("update attempts set state = 'absent'").await;
    stage.execute("update operations set state = 'unknown'").await;
    stage.execute("update operations set state = 'approved'").await;
    let sid = Sid::parse(Kind::Sms, "SM00000000000000000000000000000001").expect("a SID");
    let outcome = SendOutcome::Accepted { sid, status: "queued".to_owned() };
    let exchange = Exchange { outcome, http_status: Some(201), error_code: None, request_id: None };
    let app = stage.service.app();
    assert!(outcome::record(&app.db, &app.clock, &claimed, &exchange).await.expect("recorded"));
    let token = &stage.token;
    let story = stage.service.operation(token, &id).await;
    assert_eq!((&story["state"], &story["duplicateSuspected"]), (&"approved".into(), &true.into()), "{story}");
    assert!(stage.claim(10).await.is_empty(), "it is not sent again");
    stage.execute("update operations set duplicate_suspected_at = null").await;
    assert_eq!(stage.claim(10).await.len(), 1, "nothing else kept it");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_connection_nothing_passes_and_a_new_one_mends_it() {
    let stage = Stage::new().await;
    stage.approved("Hello").await;
    let claimed = stage.claim(1).await.remove(0);
    let fence = stage.fence().await;
    stage
        .execute("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'mission-control fence' and datname = current_database()")
        .await;
    assert!(matches!(stage.pass(&fence, &claimed).await, Err(NotFenced::Lost)));
    assert!(matches!(stage.pass(&fence, &claimed).await, Err(NotFenced::Lost)), "nothing passes without it");
    fence.connect(&stage.service.app().db).await.expect("a new connection");
    assert!(stage.pass(&fence, &claimed).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_released_lock_is_free_and_a_lock_of_another_kind_is_not_ours() {
    let stage = Stage::new().await;
    stage.approved("Hello").await;
    let claimed = stage.claim(1).await.remove(0);
    let lock_key: i64 =
        sqlx::query_scalar("select lock_key from attempts").fetch_one(&stage.service.app().db).await.expect("a key");
    let mut other =
        sqlx::PgConnection::connect_with(&stage.service.app().db.connect_options()).await.expect("a connection");
    sqlx::query("select pg_advisory_lock($1)")
        .bind(lock_key)
        .execute(&mut other)
        .await
        .expect("a lock of another kind");
    let (fence, next) = (stage.fence().await, stage.fence().await);
    stage.pass(&fence, &claimed).await.expect("passed");
    fence.release(lock_key).await;
    assert!(stage.pass(&next, &claimed).await.is_ok());
}
