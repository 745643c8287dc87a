//! Settling an unknown outcome: what a person is shown of the evidence, and what each choice does.

use std::time::Duration;

use mission_control::auth::Role;
use mission_control::sandbox::Pace;
use reqwest::Method;
use serde_json::{Value, json};

use crate::pages::browser::Browser;
use crate::support::service::{Service, Setup, eventually, text};

/// A service whose Twilio reports only when told to, which binds and sends again nothing by itself.
async fn service() -> Service {
    let setup = Setup::new().await.with("MISSION_CONTROL_DISPATCH_ON_UNKNOWN", "person");
    setup.with("MISSION_CONTROL_DISPATCH_SENDER_IS_EXCLUSIVE", "false").pace(Pace::ByHand).start().await
}

/// Lets the time of a look pass, and waits for it, until it is a person's turn.
async fn until_review(service: &Service, token: &str, id: &str) {
    let mut looks = 0;
    loop {
        service.clock.advance(Duration::from_secs(92));
        let operation = eventually("a look", || async {
            let operation = service.operation(token, id).await;
            let looked = operation["evidence"].as_array().map_or(0, Vec::len) > looks;
            if looked { Ok(operation) } else { Err(operation.to_string()) }
        })
        .await;
        if operation["state"] == "needs_review" {
            return;
        }
        looks += 1;
        assert!(looks < 4, "{operation}");
    }
}

/// A look as the reconciler keeps it.
async fn look(service: &Service, id: &str, conclusion: &str, candidates: &Value) {
    let asked = json!({
        "resource": "Messages", "from": "+15005550006", "since": "2026-11-23T14:27:00Z", "until": "2026-11-23T14:32:00Z",
    });
    let statement = "
        insert into evidence (attempt_id, operation_id, asked, found, conclusion)
        select id, operation_id, $2, $3, $4
        from attempts
        where operation_id = $1::uuid";
    let found = json!({ "listed": 12, "candidates": candidates });
    let kept = sqlx::query(statement).bind(id).bind(asked).bind(found).bind(conclusion);
    assert_eq!(kept.execute(&service.app().db).await.expect("evidence").rows_affected(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_evidence_is_told_in_words_and_one_of_the_listed_is_chosen() {
    let service = service().await;
    let token = service.token("ada@example.com", Role::Admin).await;
    let mut viewer = Browser::of(&service, "vera@example.com", Role::Viewer).await;
    let mut operator = Browser::of(&service, "otto@example.com", Role::Operator).await;
    let mut approver = Browser::of(&service, "anna@example.com", Role::Approver).await;
    // Twilio has it, and does not list it for longer than anybody waits.
    service.fault(json!([{ "fault": "accept_then_drop" }, { "fault": { "list_lag": { "ms": 36_000_000 } } }])).await;
    let id = service.ask_approved(&token, "+14155550132", "Did it go?").await;
    service.until(&token, &id, "unknown").await;
    until_review(&service, &token, &id).await;
    let sid = text(&service.accepted().await[0]["sid"]);
    let candidates = json!([
        {
            "sid": sid, "to": "+14155550132", "status": "queued", "createdAt": "2026-11-23T14:31:00Z",
            "sameRecipient": true, "sameBody": true, "agrees": true,
        },
        {
            "sid": "SM90aa7f1c52e9d44a0fb1c86e3d2a901d32", "to": "+447700900612", "status": "sent",
            "createdAt": "2026-11-23T14:31:30Z", "sameRecipient": false, "sameBody": true, "agrees": false,
        },
    ]);
    look(&service, &id, "waiting", &candidates).await;
    look(&service, &id, "unclear", &candidates).await;

    let operation = format!("/dashboard/operations/{id}");
    let page = approver.page(&operation).await;
    for told in [
        "Asked for messages from +1 500 555 0006, made between 14:27:00 and 14:32:00.",
        "Twilio listed 12. Of these, 2 may be this one:",
        "Still the same 2 may be this one.",
        "Agrees in everything",
        "Another recipient, same text",
        "+44 7700 900612",
        "A machine cannot tell, so a person has to.",
        "the person gets it twice, and a text message cannot be called back",
        &format!("value=\"sent:{sid}\""),
    ] {
        assert!(page.contains(told), "{told}: {page}");
    }
    assert!(!page.contains("Not possible before"), "the settle time is over");
    let theirs = operator.page(&operation).await;
    assert!(theirs.contains("You cannot settle it") && theirs.contains("Another recipient, same text"));
    let masked = viewer.page(&operation).await;
    assert!(masked.contains("+44•••••0612") && !masked.contains("Raw data"));
    let viewers = service.token_of("vera@example.com", &mission_control::auth::Scope::ALL).await;
    let shown = service.operation(&viewers, &id).await;
    for document in [masked, shown.to_string()] {
        for whole in ["7700900612", "7700 900612", "4155550132", "415 555 0132"] {
            assert!(!document.contains(whole), "{whole}: {document}");
        }
    }
    let looks = shown["evidence"].as_array().expect("evidence");
    let newest = looks.last().expect("a look");
    assert_eq!((&newest["conclusion"], &newest["attempt"]), (&json!("unclear"), &json!(1)));
    assert_eq!(newest["found"]["candidates"][1]["to"], "+4•••••••0612");

    let resolve = format!("{operation}/resolve");
    let chosen = format!("sent:{sid}");
    let both = [("outcome", chosen.as_str()), ("sid", "SM1"), ("reason", "Looked it up")];
    let refused = approver.refused(&resolve, &both, 422).await;
    assert!(refused.contains("href=\"#sid\"") && refused.contains("Looked it up</textarea>"));
    assert!(refused.contains(&format!("value=\"{chosen}\" required checked")));
    approver.submit(&resolve, &[("outcome", &chosen), ("sid", ""), ("reason", "It is in the list")]).await;
    let accepted = service.operation(&token, &id).await;
    assert_eq!((&accepted["state"], &accepted["messageSid"]), (&json!("accepted"), &json!(sid)));
    let page = approver.page(&operation).await;
    assert!(page.contains("Settled: it was sent") && page.contains("named by a person") && page.contains("Evidence"));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sending_again_waits_for_the_settle_time_and_nothing_typed_is_lost() {
    let service = service().await;
    let mut approver = Browser::of(&service, "anna@example.com", Role::Approver).await;
    let token = service.token("ada@example.com", Role::Admin).await;
    service.fault(json!([{ "fault": "accept_then_drop" }])).await;
    let id = service.ask_approved(&token, "+14155550132", "Hello").await;
    service.until(&token, &id, "unknown").await;
    let operation = format!("/dashboard/operations/{id}");
    let page = approver.page(&operation).await;
    assert!(page.contains("You know what happened?") && page.contains("<b>Not possible before "));
    assert!(page.contains("If none comes, Twilio’s list is looked at from "));

    let (resolve, fields) = (format!("{operation}/resolve"), [("outcome", "send_again"), ("reason", "They wait")]);
    let early = approver.refused(&resolve, &fields, 409).await;
    assert!(early.contains("Twilio may still come to know of it") && early.contains("They wait</textarea>"));
    assert!(early.contains("value=\"send_again\" checked") && !early.contains("You know what happened?"));

    until_review(&service, &token, &id).await;
    assert!(!approver.page(&operation).await.contains("Not possible before"));
    let found = approver.refused(&resolve, &fields, 409).await;
    let sid = text(&service.accepted().await[0]["sid"]);
    assert!(found.contains(&format!("value=\"sent:{sid}\"")), "what was found can be chosen: {found}");
    assert!(found.contains("value=\"send_again\" checked") && found.contains("They wait</textarea>"));
    assert_eq!(service.accepted().await.len(), 1, "nothing went out");

    let by_api = service.request(Method::POST, &format!("/api/operations/{id}/resolve"), &token);
    let by_api = service.send(by_api.json(&json!({ "outcome": "send_again", "reason": "They wait" }))).await;
    assert_eq!(by_api.code(), "evidence_found");
    assert!(by_api.text.contains(&sid), "{}", by_api.text);
    service.stop().await;
}
