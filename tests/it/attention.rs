//! "Needs attention": every reason brings an operation there, in the page, the count and the API alike, and it stays
//! until somebody takes note of it or something new happens.

use std::collections::BTreeMap;
use std::time::Duration;

use mission_control::auth::Role;
use mission_control::sandbox::Pace;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use crate::pages::browser::Browser;
use crate::support::service::{Service, Setup, eventually, text};

const LIST: &str = "/dashboard/operations?attention=true";

/// A service whose Twilio reports only when told to, and which never sends again by itself.
async fn service() -> Service {
    let setup = Setup::new().await.with("MISSION_CONTROL_DISPATCH_ON_UNKNOWN", "person");
    setup.pace(Pace::ByHand).start().await
}

async fn hold(service: &Service, token: &str) {
    let set = service.request(Method::PUT, "/api/hold", token).json(&json!({ "reason": "lunch" }));
    assert_eq!(service.send(set).await.status, StatusCode::OK);
}

/// Brings a row where only time or a fault of another process would.
async fn arrange(service: &Service, id: &str, change: &str) {
    let statement =
        format!("update operations o set {change} from (select $2::timestamptz as now) c where id = $1::uuid");
    let changed = sqlx::query(AssertSqlSafe(statement)).bind(id).bind(service.clock.now());
    assert_eq!(changed.execute(&service.app().db).await.expect("a legal move").rows_affected(), 1, "{change}");
}

/// Each operation that the API lists as needing attention, with its reasons.
async fn listed(service: &Service, token: &str) -> BTreeMap<String, Value> {
    let page = service.get("/api/operations?attention=true", token).await.json();
    let rows = page["operations"].as_array().expect("a list").iter();
    rows.map(|row| (text(&row["operationId"]), row["attention"].clone())).collect()
}

/// The sandbox's Twilio reports on the message it took last.
async fn report(service: &Service, status: &str) {
    let sid = text(&service.accepted().await.last().expect("a message")["sid"]);
    let told = service.client().post(format!("{}/sandbox/messages/{sid}/status", service.sandbox()));
    assert!(told.json(&json!({ "status": status })).send().await.expect("the sandbox").status().is_success());
}

/// An operation that a person declared failed, and that Twilio turns out to have.
async fn suspected(service: &Service, token: &str, message: &str) -> String {
    service.fault(json!([{ "fault": "accept_then_drop" }])).await;
    let id = service.ask_approved(token, "+14155550132", message).await;
    service.until(token, &id, "unknown").await;
    let failed = json!({ "outcome": "failed", "reason": "I think not" });
    let failed = service.post(&format!("/api/operations/{id}/resolve"), token, &failed).await;
    assert_eq!(failed.status, StatusCode::OK, "{}", failed.text);
    report(service, "sent").await;
    eventually("the alarm", || async {
        let operation = service.operation(token, &id).await;
        if operation["duplicateSuspected"] == true { Ok(()) } else { Err(operation.to_string()) }
    })
    .await;
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn every_reason_stands_in_the_page_the_count_and_the_api() {
    let service = service().await;
    let token = service.token("ada@example.com", Role::Admin).await;
    let mut expected = BTreeMap::new();

    let expired = service.ask(&token, "+14155550132", "never sent").await;
    hold(&service, &token).await;
    service.approve(&token, &expired).await;
    service.clock.advance(Duration::from_secs(3601));
    service.until(&token, &text(&expired["operationId"]), "expired").await;
    expected.insert(text(&expired["operationId"]), json!(["expired_after_approval"]));
    service.send(service.request(Method::DELETE, "/api/hold", &token)).await;

    service.fault(json!([{ "fault": "drop_without" }])).await;
    let review = service.ask_approved(&token, "+14155550132", "gone or not").await;
    service.until(&token, &review, "unknown").await;
    eventually("a person to be asked", || async {
        service.clock.advance(Duration::from_secs(61));
        let operation = service.operation(&token, &review).await;
        if operation["state"] == "needs_review" { Ok(()) } else { Err(operation.to_string()) }
    })
    .await;
    expected.insert(review, json!(["needs_review"]));

    expected.insert(suspected(&service, &token, "Twice?").await, json!(["duplicate_suspected"]));

    // From here on the clock stands still: the first of the twins must stay unknown.
    service.fault(json!([{ "fault": "error_500_without" }])).await;
    let first = service.ask_approved(&token, "+14155550132", "twin").await;
    service.until(&token, &first, "unknown").await;
    let asked = ["twin", "waits", "sends", "asks", "contradicts", "silent"];
    let mut ids = Vec::new();
    for message in asked {
        ids.push(service.ask(&token, "+14155550132", message).await);
    }
    hold(&service, &token).await;
    for asked in &ids {
        assert_eq!(service.approve(&token, asked).await.status, StatusCode::OK);
    }
    let [twin, waits, sends, asks, contradicts, silent] = [0, 1, 2, 3, 4, 5].map(|at| text(&ids[at]["operationId"]));
    for (id, changes, reason) in [
        (&twin, &["approved_at = c.now - interval '11 minutes'"][..], "blocked"),
        (&waits, &["approved_at = c.now - interval '11 minutes'"], "waiting_for_long"),
        (&sends, &["state = 'sending', sending_deadline = c.now - interval '1 second'"], "sending_past_deadline"),
        (
            &asks,
            &["state = 'sending'", "state = 'unknown', unknown_since = c.now - interval '301 seconds'"],
            "unknown_for_long",
        ),
        (&contradicts, &["conflicted_at = c.now"], "conflicted"),
        (&silent, &["audio_not_fetched_at = c.now"], "audio_not_fetched"),
    ] {
        for change in changes {
            arrange(&service, id, change).await;
        }
        expected.insert(id.clone(), json!([reason]));
    }
    assert_eq!(listed(&service, &token).await, expected);

    let mut viewer = Browser::of(&service, "vera@example.com", Role::Viewer).await;
    let page = viewer.page(LIST).await;
    let count =
        format!("<span data-count=\"attention\">{}</span><span class=\"vh\"> need attention</span>", expected.len());
    assert!(page.contains(&count), "{page}");
    assert_eq!(page.matches("<p class=\"sub\">").count(), expected.len(), "each says why, once");
    for (id, reasons) in &expected {
        assert!(page.contains(&format!("href=\"/dashboard/operations/{id}?attention=true\"")), "{id}");
        let operation = service.operation(&token, id).await;
        assert_eq!((&operation["attention"], &operation["needsAttention"]), (reasons, &json!(true)));
    }
    assert_eq!(service.operation(&token, &twin).await["blockedBy"], json!(first));
    assert!(service.operation(&token, &first).await.get("attention").is_none(), "not yet");
    for next in ["Settle the other one first", "say what happened", "Ask again if it is still wanted"] {
        assert!(page.contains(next), "{next}");
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_have_gone_out_twice_stands_on_every_page_until_somebody_takes_note() {
    let service = service().await;
    let token = service.token("ada@example.com", Role::Admin).await;
    let mut viewer = Browser::of(&service, "vera@example.com", Role::Viewer).await;
    let mut operator = Browser::of(&service, "otto@example.com", Role::Operator).await;
    let mut approver = Browser::of(&service, "anna@example.com", Role::Approver).await;
    let id = suspected(&service, &token, "Twice?").await;
    let (operation, banner) = (format!("/dashboard/operations/{id}"), "<b>It may have gone out twice</b>");
    for place in ["/dashboard/help", "/dashboard/audit", "/dashboard/operations/nowhere"] {
        let page = viewer.get(place).await.text;
        assert!(page.contains(banner) && page.contains(&format!("<a href=\"{operation}\">Look at it</a>")), "{place}");
    }

    // Who may not decide may not take it off.
    assert!(!operator.page(&operation).await.contains("/acknowledge\""));
    let refused = operator.refused(&format!("{operation}/acknowledge"), &[], 403).await;
    assert!(refused.contains("approver"), "{refused}");
    let operators = service.token_of("otto@example.com", &mission_control::auth::Scope::ALL).await;
    let path = format!("/api/operations/{id}/acknowledge");
    let denied = service.send(service.request(Method::POST, &path, &operators)).await;
    assert_eq!((denied.status, denied.code().as_str()), (StatusCode::FORBIDDEN, "role_missing"));

    let page = approver.page(&operation).await;
    assert!(page.contains("/acknowledge\"") && page.contains("Compare Twilio’s reports"));
    approver.submit(&format!("{operation}/acknowledge"), &[]).await;
    for place in ["/dashboard/help", &operation] {
        assert!(!approver.page(place).await.contains(banner), "{place}");
    }
    let noted = service.operation(&token, &id).await;
    assert_eq!(
        (&noted["acknowledgedBy"], &noted["needsAttention"], &noted["duplicateSuspected"]),
        (&json!("anna@example.com"), &json!(false), &json!(true)),
        "the suspicion itself stays"
    );
    let line = noted["history"].as_array().expect("lines").last().expect("a line");
    assert_eq!((&line["action"], &line["actor"]), (&json!("operation.acknowledged"), &json!("anna@example.com")));
    assert!(listed(&service, &token).await.is_empty());
    let again = service.send(service.request(Method::POST, &path, &token)).await;
    assert_eq!((again.status, &again.json()["replayed"]), (StatusCode::OK, &json!(true)));
    assert_eq!(service.operation(&token, &id).await["history"], noted["history"], "noted once");

    // Something new happened to it.
    report(&service, "delivered").await;
    eventually("it to come back", || async {
        let listed = listed(&service, &token).await;
        if listed.get(&id) == Some(&json!(["duplicate_suspected", "conflicted"])) {
            Ok(())
        } else {
            Err(format!("{listed:?}"))
        }
    })
    .await;
    assert!(service.operation(&token, &id).await["acknowledgedBy"].is_null());
    suspected(&service, &token, "And this?").await;
    let page = viewer.page("/dashboard/help").await;
    assert!(page.contains("2 operations were taken for not sent") && page.contains(&format!("<a href=\"{LIST}\">")));
    service.stop().await;
}

#[tokio::test]
async fn nothing_to_do_is_told_from_nothing_found() {
    let service = Service::start().await;
    let mut viewer = Browser::of(&service, "vera@example.com", Role::Viewer).await;
    assert!(viewer.page(LIST).await.contains("<h2>Nothing needs attention</h2>"));
    let filtered = viewer.page(&format!("{LIST}&kind=call")).await;
    assert!(filtered.contains("No operation matches these filters") && !filtered.contains("Nothing needs attention"));
    service.stop().await;
}
