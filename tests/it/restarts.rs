//! PostgreSQL crashes and comes back under a service that goes on running: what was answered is kept, nothing goes out
//! twice, and nobody has to restart anything.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use mission_control::auth::Role;
use mission_control::dispatch::look::look;
use mission_control::dispatch::worker;
use reqwest::{Method, StatusCode};
use serde_json::json;
use sqlx::{ConnectOptions as _, PgConnection};

use crate::support::cluster::Cluster;
use crate::support::proxy::Proxy;
use crate::support::service::{Answer, Service, Setup, eventually, text};

const SEND: &str = "/api/twilio/send-sms";

/// What the service holds itself to while its database is away: an answer, or when to come back.
fn is_done(answer: &Answer) -> bool {
    if answer.status.is_success() {
        return true;
    }
    assert_eq!(
        (answer.status, answer.code().as_str(), answer.header("retry-after")),
        (StatusCode::SERVICE_UNAVAILABLE, "database_unavailable", Some("1")),
        "{}",
        answer.text
    );
    false
}

async fn repeated(request: impl AsyncFn() -> Answer) -> Answer {
    loop {
        let answer = request().await;
        if is_done(&answer) {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// How often the sandbox accepted a message for each number.
async fn accepted(service: &Service) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for message in service.accepted().await {
        *counts.entry(text(&message["to"])).or_default() += 1;
    }
    counts
}

async fn end_sessions(db: &mut PgConnection, name: &str) -> usize {
    let ended: Vec<bool> = sqlx::query_scalar(
        "select pg_terminate_backend(pid, 5000) from pg_stat_activity
         where application_name = $1 and datname = current_database()",
    )
    .bind(name)
    .fetch_all(db)
    .await
    .expect("ended");
    ended.len()
}

/// How many operations have not ended well.
async fn unsettled(service: &Service) -> i64 {
    sqlx::query_scalar("select count(*) from operations where state not in ('accepted', 'delivered')")
        .fetch_one(&service.app().db)
        .await
        .expect("a count")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgresql_that_crashes_under_load_loses_and_doubles_nothing() {
    const CALLERS: usize = 6;
    const CRASHES: usize = 3;
    let cluster = Cluster::start().await;
    let service = Setup::new().await.way(cluster.options()).start().await;
    let token = service.token("ada@example.com", Role::Admin).await;
    service.fault(json!([{ "fault": { "slow": { "ms": 150 } }, "times": 1_000_000 }])).await;

    // Each caller asks and approves, one after the other, until the last crash is over.
    let over = tokio_util::sync::CancellationToken::new();
    let callers = (0..CALLERS).map(|caller| {
        let (service, token, over) = (&service, token.as_str(), over.clone());
        async move {
            let mut told = Vec::new();
            while !over.is_cancelled() {
                let to = format!("+14155{caller:02}{:04}", told.len());
                let body = json!({ "to": to, "message": "Hello", "idempotencyKey": format!("key-{to}") });
                let asked = repeated(async || service.post(SEND, token, &body).await).await;
                assert_eq!(asked.status, StatusCode::ACCEPTED, "{}", asked.text);
                let asked = asked.json();
                // An approval whose answer was lost is repeated: it stands already.
                repeated(async || service.approve(token, &asked).await).await;
                told.push((to, text(&asked["operationId"])));
            }
            told
        }
    });
    let crashing = async {
        for _ in 0..CRASHES {
            tokio::time::sleep(Duration::from_millis(500)).await;
            tokio::task::block_in_place(|| cluster.crash_and_recover());
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
        over.cancel();
    };
    let (told, ()) = tokio::join!(join_all(callers), crashing);
    let told: Vec<(String, String)> = told.into_iter().flatten().collect();
    assert!(told.len() > CALLERS * CRASHES, "there was load: {}", told.len());

    // Each ends by itself; where a crash took the only knowledge, Twilio's list has it, twice.
    let nothing_in_line = async || {
        eventually("nothing to wait in line", || async {
            let left = service.get("/api/operations?state=approved", &token).await;
            if left.json()["operations"] == json!([]) { Ok(()) } else { Err(left.text) }
        })
        .await;
    };
    nothing_in_line().await;
    // Mostly four; what shares its text with another that is still open waits for that one first.
    for _ in 0..20 {
        if unsettled(&service).await == 0 {
            break;
        }
        service.clock.advance(Duration::from_secs(61));
        worker::sweep_once(service.app()).await.expect("a pass");
        look(service.app()).await.expect("a look");
        service.app().changes.wake();
        nothing_in_line().await;
    }
    for (_, id) in &told {
        eventually("an end", || async {
            let operation = service.operation(&token, id).await;
            let is_settled = ["accepted", "delivered"].iter().any(|state| operation["state"] == *state);
            if is_settled { Ok(()) } else { Err(operation.to_string()) }
        })
        .await;
    }
    let expected: BTreeMap<String, usize> = told.into_iter().map(|(to, _)| (to, 1)).collect();
    assert_eq!(accepted(&service).await, expected);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_crash_no_request_pays_for_connections_that_stood_idle() {
    let cluster = Cluster::start().await;
    let service = Setup::new().await.way(cluster.options()).start().await;
    let token = service.token("ada@example.com", Role::Admin).await;
    // A transaction each, all at once: the pool opens what it may.
    let busy = join_all((0..64).map(|_| service.send(service.request(Method::DELETE, "/api/hold", &token)))).await;
    assert!(busy.iter().all(|answer| answer.status == StatusCode::OK));
    let idle = service.app().db.num_idle();
    assert!(idle >= 8, "many stand idle: {idle}");

    tokio::task::block_in_place(|| cluster.crash_and_recover());
    let mut refused = 0;
    for _ in 0..40 {
        refused += usize::from(service.get("/api/operations", &token).await.status != StatusCode::OK);
    }
    // No request was under way; the first may come before the loss is known, and none pays for each that stood idle.
    assert!(refused <= 1, "{refused} of 40 failed while {idle} stood idle");
    let id = service.ask_approved(&token, "+14155550132", "The fence is back as well").await;
    service.until(&token, &id, "delivered").await;

    // The listener, too: what another process announces is heard.
    eventually("the listener to hear", || async {
        let mut changes = service.app().changes.subscribe();
        let mut db = cluster.options().connect().await.map_err(|error| error.to_string())?;
        let told = sqlx::query("select pg_notify('mission_control_operations', $1)").bind(&id).execute(&mut db).await;
        told.map_err(|error| error.to_string())?;
        let heard = tokio::time::timeout(Duration::from_millis(200), changes.recv()).await;
        if matches!(heard, Ok(Ok(_))) { Ok(()) } else { Err("not yet".to_owned()) }
    })
    .await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_send_that_loses_its_fence_is_recorded_and_nobody_sends_it_again() {
    let setup = Setup::new().await;
    let proxy = Proxy::start(setup.straight()).await;
    let way = proxy.options.clone();
    let service = setup.way(way).start().await;
    let token = service.token("ada@example.com", Role::Admin).await;
    // Another process, which could send it as well.
    let other = service.setup_again().with("MISSION_CONTROL_TWILIO_BASE_URL", service.sandbox()).start().await;
    // It answers late and never reports, so that only the answer can tell.
    let faults = json!([{ "fault": { "slow": { "ms": 3000 } } }, { "fault": "callback_lost", "times": 100 }]);
    service.fault(faults).await;
    let sent = service.ask_approved(&token, "+14155550132", "Under way").await;
    eventually("the send to be under way", || async {
        let under_way = service.accepted().await.len() == 1;
        if under_way { Ok(()) } else { Err("not yet".to_owned()) }
    })
    .await;

    // Both lose theirs; with its session the lock is gone that says whose the send is.
    proxy.admit_fence(false);
    let mut db = service.direct().await;
    assert_eq!(end_sessions(&mut db, "mission-control fence").await, 2);
    service.clock.advance(Duration::from_secs(31));
    service.until(&token, &sent, "unknown").await;
    let recorded = service.until(&token, &sent, "accepted").await;
    let attempts = recorded["attempts"].as_array().expect("attempts");
    assert_eq!((attempts.len(), &attempts[0]["boundBy"]), (1, &json!("answer")), "{recorded}");
    other.stop().await;

    // Without a new fence nothing new leaves; with it, everything, and nobody restarts anything.
    let turned_away = proxy.fences_turned_away();
    let next = service.ask_approved(&token, "+14155550133", "Next").await;
    eventually("several tries to connect", || async {
        let tries = proxy.fences_turned_away() - turned_away;
        if tries >= 2 { Ok(()) } else { Err(format!("{tries} tries")) }
    })
    .await;
    assert_eq!(service.operation(&token, &next).await["state"], "approved");
    proxy.admit_fence(true);
    service.until(&token, &next, "accepted").await;
    let expected = ["+14155550132", "+14155550133"].map(|to| (to.to_owned(), 1));
    assert_eq!(accepted(&service).await, BTreeMap::from(expected));
    service.stop().await;
}
