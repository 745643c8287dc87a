//! Inbound calls as people and programs see them, beside outbound ones.

use mission_control::auth::{Role, Scope};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::pages::browser::Browser;
use crate::support::service::Service;

const PLACE: &str = "/dashboard/operations/inbound";

/// Calls of a service, as a gateway on its database records them.
async fn records(service: &Service) {
    let statement = "
        insert into gateway_calls (
            sid, mode, account_sid, direction, from_number, to_number, verdict, greeting, state, provider_status,
            duration_seconds, started_at, ended_at, end_reason, conflicted_at)
        values
            ('CA00000000000000000000000000000001', 'sandbox', 'AC1', 'inbound', '+14155550132', '+14155550100', 'greeted',
             'Call +14155550199', 'completed', 'completed', 9, now(), now(), 'completed', now()),
            ('CA00000000000000000000000000000002', 'sandbox', 'AC1', 'inbound', '', '+14155550100', 'caller_withheld',
             null, 'refused', 'ringing', null, now(), now(), 'caller_withheld', null),
            ('CA00000000000000000000000000000003', 'live', 'AC1', 'inbound', '+14155550133', '+14155550100', 'greeted',
             null, 'ringing', 'ringing', null, now(), null, null, null)";
    sqlx::raw_sql(statement).execute(&service.app().db).await.expect("the records");
}

#[tokio::test]
async fn inbound_calls_stand_beside_outbound_ones() {
    let service = Service::start().await;
    let mut browser = Browser::of(&service, "ada@example.com", Role::Operator).await;
    let empty = browser.page(PLACE).await;
    for words in ["No call has come in", "mission-control openclaw init", "mission-control gateway --config"] {
        assert!(empty.contains(words), "an empty page says how to set it up: {words}");
    }
    for page in ["/dashboard/operations", PLACE] {
        let text = browser.page(page).await;
        assert!(text.contains("href=\"/dashboard/operations/inbound\"") && text.contains("Inbound calls"), "{page}");
    }

    records(&service).await;
    let page = browser.page(PLACE).await;
    for words in
        ["+1 415 555 0132", "Withheld", "Refused: the caller shows no number", "Completed", "9 seconds", "Contradicted"]
    {
        assert!(page.contains(words), "{words}: {page}");
    }
    assert!(!page.contains("555 0133"), "of another mode");

    let mut viewer = Browser::of(&service, "vera@example.com", Role::Viewer).await;
    let page = viewer.page(PLACE).await;
    assert!(page.contains("+1•••••0132") && !page.contains("5550132") && !page.contains("555 0132"), "{page}");
    service.stop().await;
}

#[tokio::test]
async fn programs_list_inbound_calls_page_by_page() {
    let service = Service::start().await;
    let token = service.token("ada@example.com", Role::Operator).await;
    let path = "/api/inbound-calls";
    assert_eq!(service.get(path, &token).await.json(), json!({ "calls": [], "nextCursor": null }));
    records(&service).await;
    let first = service.get(&format!("{path}?limit=1"), &token).await.json();
    assert_eq!(first["calls"][0]["sid"], "CA00000000000000000000000000000002");
    assert_eq!(first["calls"][0]["verdict"], "caller_withheld");
    let cursor = first["nextCursor"].as_str().expect("a cursor");
    let second = service.get(&format!("{path}?limit=1&cursor={cursor}"), &token).await.json();
    assert_eq!(second["nextCursor"], Value::Null, "the other is of another mode");
    let call = &second["calls"][0];
    for (name, expected) in [
        ("mode", json!("sandbox")),
        ("direction", json!("inbound")),
        ("from", json!("+14155550132")),
        ("to", json!("+14155550100")),
        ("state", json!("completed")),
        ("status", json!("completed")),
        ("endReason", json!("completed")),
        ("durationSeconds", json!(9)),
        ("conflicted", json!(true)),
        ("clipId", Value::Null),
    ] {
        assert_eq!(call[name], expected, "{name}");
    }

    let viewer = service.token("vera@example.com", Role::Viewer).await;
    let masked = service.get(path, &viewer).await;
    assert!(masked.text.contains("+1••••••0132") && !masked.text.contains("5550132"), "{}", masked.text);

    for (query, status) in
        [("?limit=0", 400), ("?limit=201", 400), ("?limit=x", 400), ("?cursor=x", 400), ("?a=b", 400)]
    {
        assert_eq!(service.get(&format!("{path}{query}"), &token).await.status.as_u16(), status, "{query}");
    }
    let other = service.token_of("ada@example.com", &[Scope::AuditRead]).await;
    assert_eq!(service.get(path, &other).await.status, StatusCode::FORBIDDEN);
    let nobody = service.send(service.client().get(service.url(path))).await;
    assert_eq!(nobody.status, StatusCode::UNAUTHORIZED);
    service.stop().await;
}
