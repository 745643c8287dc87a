//! A database that is not the one the service knew, or not of the mode it runs in: what waited is not sent as if nothing
//! had happened.

use std::path::Path;

use mission_control::auth::Role;
use mission_control::guard::incarnation;
use mission_control::guard::witness::Witness;
use mission_control::sandbox::Pace;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::PgConnection;

use crate::support::cluster::Cluster;
use crate::support::dump::Dump;
use crate::support::proxy::Proxy;
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
        .with("MISSION_CONTROL_SIGN_IN_SECOND_FACTOR", "optional")
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
        .with("MISSION_CONTROL_SIGN_IN_SECOND_FACTOR", "optional")
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

/// Waits for the hold of a database that went back, and answers its reason.
async fn restored(service: &Service, token: &str) -> String {
    eventually("the hold", || async {
        let answer = service.get("/api/hold", token).await;
        let hold = if answer.status == StatusCode::OK { answer.json() } else { Value::Null };
        if hold["cause"] == "restored" { Ok(text(&hold["reason"])) } else { Err(answer.text) }
    })
    .await
}

async fn release(service: &Service, token: &str) {
    let released = service.send(service.request(Method::DELETE, "/api/hold", token)).await;
    assert_eq!(released.status, StatusCode::OK, "{}", released.text);
}

/// What became of a report that the sandbox now makes of this message.
async fn report(service: &Service, sid: &str) -> Value {
    let path = format!("{}/sandbox/messages/{sid}/status", service.sandbox());
    let driven = service.client().post(path).json(&json!({ "status": "delivered" })).send().await.expect("the sandbox");
    driven.json().await.expect("JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_dump_sends_nothing_by_itself_and_what_it_forgot_shows_by_its_reports() {
    // A URL of its own, which the callbacks of before the restore go to as well.
    let url = ("MISSION_CONTROL_PUBLIC_URL", "http://127.0.0.1:1");
    let setup = Setup::new().await.pace(Pace::ByHand).with(url.0, url.1);
    let proxy = Proxy::start(setup.straight()).await;
    let (straight, way) = (setup.straight().clone(), proxy.options.clone());
    let service = setup.way(way).start().await;
    let token = service.token("ada@example.com", Role::Admin).await;
    let first = service.ask_approved(&token, "+14155550130", "Before").await;
    service.until(&token, &first, "accepted").await;

    // The dump is made while two are approved, due, and about to go out.
    proxy.admit_fence(false);
    proxy.cut();
    let waiting = async |to: &'static str| {
        eventually("an approved operation", || async {
            let body = json!({ "to": to, "message": "Due", "idempotencyKey": to });
            let asked = service.post("/api/twilio/send-sms", &token, &body).await;
            if asked.status != StatusCode::ACCEPTED {
                return Err(asked.text);
            }
            let asked = asked.json();
            let approved = service.approve(&token, &asked).await;
            if approved.status == StatusCode::OK { Ok(text(&asked["operationId"])) } else { Err(approved.text) }
        })
        .await
    };
    let due = [waiting("+14155550131").await, waiting("+14155550132").await];
    // The first claim finds the fence gone, and goes back; then nothing is claimed any more.
    eventually("the loss to be known and nothing to be under way", || async {
        let under_way: i64 = sqlx::query_scalar("select count(*) from attempts where state = 'sending'")
            .fetch_one(&mut service.direct().await)
            .await
            .expect("a count");
        let is_known = proxy.fences_turned_away() > 0;
        if is_known && under_way == 0 { Ok(()) } else { Err(format!("{under_way} under way, {is_known}")) }
    })
    .await;
    let claimed =
        [claims(&mut service.direct().await, &due[0]).await, claims(&mut service.direct().await, &due[1]).await];
    let dump = Dump::of(&straight).await;
    proxy.admit_fence(true);
    for id in &due {
        service.until(&token, id, "accepted").await;
    }
    let after = service.ask_approved(&token, "+14155550133", "After the dump").await;
    let after = service.until(&token, &after, "accepted").await;
    let again = service.setup_again().pace(Pace::ByHand).with(url.0, url.1);
    service.stop().await;
    dump.restore();

    let service = again.start().await;
    let reason = restored(&service, &token).await;
    assert!(reason.starts_with("this database was restored or promoted: check what was sent since "), "{reason}");
    service.app().changes.wake();
    let sent_before = service.accepted().await;
    assert_eq!(sent_before.len(), 4);
    // Twilio's reports of what the dump does not know: kept, and no operation moves.
    for message in &sent_before[1..] {
        assert_eq!(report(&service, &text(&message["sid"])).await["callback"], "answered 204");
    }
    let orphans: Vec<String> = sqlx::query_scalar("select sid from provider_events where matched_by = 'nothing'")
        .fetch_all(&service.app().db)
        .await
        .expect("the events");
    assert_eq!(orphans.len(), 3, "{orphans:?}");
    assert!(orphans.contains(&text(&after["messageSid"])), "{orphans:?}");
    for (id, claimed) in due.iter().zip(claimed) {
        assert_eq!(service.operation(&token, id).await["state"], "approved");
        assert_eq!(claims(&mut service.direct().await, id).await, claimed, "none since");
    }
    assert_eq!(service.accepted().await.len(), 4, "nothing went out");

    // Whoever has looked decides; what is inside its window goes.
    release(&service, &token).await;
    for id in &due {
        service.until(&token, id, "accepted").await;
    }
    assert_eq!(service.accepted().await.len(), 6);
    let again = service.setup_again().with(url.0, url.1);
    service.stop().await;
    let service = again.start().await;
    assert_eq!(service.get("/api/hold", &token).await.json()["held"], false, "it is known now");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_restored_under_a_running_service_stops_its_sending() {
    let service = Service::start().await;
    let token = service.token("ada@example.com", Role::Admin).await;
    let asked = service.ask(&token, "+14155550131", "In the dump").await;
    let options = (*service.app().db.connect_options()).clone();
    let dump = Dump::of(&options).await;
    let sent = service.ask_approved(&token, "+14155550132", "Not in the dump").await;
    service.until(&token, &sent, "delivered").await;

    tokio::task::block_in_place(|| dump.restore());
    // The restore ended every connection: who meets one of them is told to repeat.
    eventually("the approval", || async {
        let answer = service.approve(&token, &asked).await;
        if answer.status == StatusCode::SERVICE_UNAVAILABLE { Err(answer.text) } else { Ok(answer.status) }
    })
    .await;
    let id = text(&asked["operationId"]);
    // The claim finds the fence gone, and the new fence finds another database.
    restored(&service, &token).await;
    assert_eq!(service.operation(&token, &id).await["state"], "approved");
    assert_eq!(service.accepted().await.len(), 1);
    release(&service, &token).await;
    service.until(&token, &id, "delivered").await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_the_files_that_is_put_back_is_found_out_by_what_the_data_folder_remembers() {
    let mut cluster = Cluster::start().await;
    let service = Setup::new().await.way(cluster.options()).start().await;
    let token = service.token("ada@example.com", Role::Admin).await;
    let again = service.setup_again().way(cluster.options());
    service.stop().await;
    cluster.stop();
    cluster.copy("postgres", "copy");
    cluster.start_again().await;

    // An honest restart; then something is sent of which the copy knows nothing.
    let service = again.start().await;
    assert_eq!(service.get("/api/hold", &token).await.json()["held"], false);
    let sent = service.ask_approved(&token, "+14155550132", "Not in the copy").await;
    service.until(&token, &sent, "delivered").await;
    let again = service.setup_again().way(cluster.options());
    service.stop().await;
    cluster.stop();
    cluster.copy("copy", "postgres");
    cluster.start_again().await;

    // PostgreSQL cannot know: the same identity, timeline and objects.
    let service = again.start().await;
    let known: bool = sqlx::query_scalar(
        "select (d.system_identifier, d.incarnation) = (s.system_identifier, 'deployment'::regclass::oid::bigint)
         from deployment d, pg_control_system() s",
    )
    .fetch_one(&service.app().db)
    .await
    .expect("the same");
    assert!(known);
    restored(&service, &token).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_memory_says_nothing_but_what_it_knows() {
    let service = Service::start().await;
    let (app, folder) = (service.app(), service.data_dir());
    let token = service.token("ada@example.com", Role::Admin).await;
    service.ask(&token, "+14155550132", "Something to remember").await;
    let file = folder.join("newest-audit-line.json");
    let remembered = || serde_json::from_slice::<Value>(&std::fs::read(&file).expect("the file")).expect("JSON");
    let is_held = async || {
        incarnation::check(&app.db, &app.clock, &app.config).await.expect("a check");
        let held = service.get("/api/hold", &token).await.json()["held"] == true;
        release(&service, &token).await;
        held
    };
    let remember = async |folder: &Path| Witness::of(folder).remember(&app.db).await.expect("remembered");

    remember(folder).await;
    assert!(!is_held().await, "what it saw is there");
    let seen = remembered();
    for (what, content) in [
        ("nothing", None),
        ("what cannot be read", Some(json!("half a li"))),
        ("another deployment", Some(with(&seen, "deployment", json!("00000000-0000-7000-8000-0000000000d1")))),
    ] {
        match content {
            None => std::fs::remove_file(&file).expect("removed"),
            Some(content) => std::fs::write(&file, content.to_string()).expect("written"),
        }
        assert!(!is_held().await, "{what}");
    }

    // A line that is not there, and one that is another.
    for (name, value) in [("id", json!(1_000_000)), ("hash", json!([1, 2, 3]))] {
        let at = json!("2100-01-01T00:00:00Z");
        let lost = with(&with(&seen, name, value), "at", at);
        std::fs::write(&file, lost.to_string()).expect("written");
        remember(folder).await;
        assert_eq!(remembered(), lost, "{name}: it is not overwritten before somebody has been told");
        assert!(is_held().await, "{name}");
    }

    // What one process has found out is no news to the others, whose memory is as old.
    let lost = with(&with(&seen, "id", json!(1_000_000)), "at", seen["at"].clone());
    std::fs::write(&file, lost.to_string()).expect("written");
    assert!(!is_held().await, "said already");
    remember(folder).await;
    assert_ne!(remembered(), lost, "and from here on it remembers again");
}

fn with(line: &Value, name: &str, value: Value) -> Value {
    let mut changed = line.clone();
    changed[name] = value;
    changed
}
