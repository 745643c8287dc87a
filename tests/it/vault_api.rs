//! The vault's API: values go in, and only what may be shown comes out.

use std::time::Duration;

use mission_control::auth::{Role, Scope};
use mission_control::vault::VaultName;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::log;
use crate::support::service::{Answer, Service, Setup};

const SID: &str = "AC0123456789abcdef0123456789ab7c21";
const CANARY: &str = "canary-0123456789-0123456789-wxyz";

async fn put(service: &Service, token: &str, name: &str, body: &Value) -> Answer {
    service.send(service.request(Method::PUT, &format!("/api/vault/{name}"), token).json(body)).await
}

async fn delete(service: &Service, token: &str, name: &str) -> Answer {
    service.send(service.request(Method::DELETE, &format!("/api/vault/{name}"), token)).await
}

async fn entry(service: &Service, token: &str, name: &str) -> Value {
    let list = service.get("/api/vault", token).await;
    assert_eq!(list.status, StatusCode::OK, "{}", list.text);
    let entries = list.json()["entries"].as_array().expect("a list").clone();
    entries.into_iter().find(|entry| entry["name"] == name).unwrap_or_else(|| panic!("no {name}: {}", list.text))
}

async fn actions(service: &Service) -> Vec<(String, String, String)> {
    sqlx::query_as("select object, action, actor from audit_lines where object like 'vault/%' order by id")
        .fetch_all(&mut service.direct().await)
        .await
        .expect("the lines")
}

#[tokio::test]
async fn a_value_goes_in_by_one_version_after_another_and_never_comes_out() {
    let service = Service::start().await;
    let admin = service.token("ada@example.com", Role::Admin).await;
    assert_eq!(entry(&service, &admin, "twilio_auth_token").await["state"], "sandbox");
    assert_eq!(entry(&service, &admin, "elevenlabs_api_key").await["state"], "sandbox");

    let mut heard = String::new();
    let stored = put(&service, &admin, "twilio_account_sid", &json!({ "value": SID })).await;
    assert_eq!((stored.status, &stored.json()["hint"]), (StatusCode::OK, &json!("7c21")), "{}", stored.text);
    heard.push_str(&stored.text);
    for version in [1, 2] {
        let stored = put(&service, &admin, "twilio_auth_token", &json!({ "value": CANARY })).await.json();
        assert_eq!((&stored["state"], &stored["version"]), (&json!("stored"), &json!(version)));
        assert_eq!((&stored["hint"], &stored["createdBy"]), (&json!("wxyz"), &json!("ada@example.com")));
        heard.push_str(&stored.to_string());
    }
    let verified = service.post("/api/vault/verify", &admin, &json!({})).await;
    assert_eq!(verified.json()["account"]["result"], "active", "{}", verified.text);
    assert_eq!(verified.json()["keptWith"], json!(["twilio_account_sid", "twilio_auth_token"]));
    let token = entry(&service, &admin, "twilio_auth_token").await;
    assert_eq!((&token["verifyResult"], &token["previousVersion"]), (&json!("active"), &json!(1)));
    assert!(token["verifiedAt"].is_string() && token["previousAcceptedUntil"].is_null(), "{token}");
    heard.push_str(&token.to_string());
    heard.push_str(&service.get("/api/vault", &admin).await.text);
    assert!(!heard.contains(CANARY) && !heard.contains(SID), "{heard}");
    assert!(!log::text().contains(CANARY));
    service.stop().await;
}

#[tokio::test]
async fn the_token_before_is_accepted_for_a_day_after_the_first_callback_or_until_it_is_revoked() {
    let service = Service::start().await;
    let admin = service.token("ada@example.com", Role::Admin).await;
    put(&service, &admin, "twilio_account_sid", &json!({ "value": SID })).await;
    for _ in 0..2 {
        put(&service, &admin, "twilio_auth_token", &json!({ "value": CANARY })).await;
    }
    service.app().vault.note_signature(2).await.expect("noted");
    let token = entry(&service, &admin, "twilio_auth_token").await;
    assert!(token["previousAcceptedUntil"].is_string(), "{token}");
    assert_eq!(service.app().vault.webhook_tokens().await.expect("tokens").len(), 2);
    service.clock.advance(Duration::from_hours(25));
    let token = entry(&service, &admin, "twilio_auth_token").await;
    assert_eq!(token.get("previousVersion"), None, "{token}");
    assert_eq!(service.app().vault.webhook_tokens().await.expect("tokens").len(), 1);

    put(&service, &admin, "twilio_auth_token", &json!({ "value": CANARY })).await;
    assert_eq!(entry(&service, &admin, "twilio_auth_token").await["previousVersion"], 2);
    let path = "/api/vault/twilio_auth_token/revoke-previous";
    let revoked = service.post(path, &admin, &json!({})).await;
    assert_eq!((revoked.status, revoked.json().get("previousVersion")), (StatusCode::OK, None));
    assert_eq!(service.app().vault.webhook_tokens().await.expect("tokens").len(), 1);
    let again = service.post(path, &admin, &json!({})).await;
    assert_eq!((again.status, again.code().as_str()), (StatusCode::CONFLICT, "no_previous_version"));
    service.stop().await;
}

#[tokio::test]
async fn what_is_removed_falls_back_to_the_environment() {
    let service = Setup::new().await.with("TWILIO_PHONE_NUMBER", "+14155550177").start().await;
    let admin = service.token("ada@example.com", Role::Admin).await;
    let from_environment = entry(&service, &admin, "twilio_phone_number").await;
    assert_eq!((&from_environment["state"], &from_environment["hint"]), (&json!("env"), &json!("+14155550177")));
    let stored = put(&service, &admin, "twilio_phone_number", &json!({ "value": "+1 415 555 0188" })).await.json();
    assert_eq!((&stored["state"], &stored["hint"]), (&json!("stored"), &json!("+14155550188")));
    assert_eq!(delete(&service, &admin, "twilio_phone_number").await.json()["state"], "env");
    let again = delete(&service, &admin, "twilio_phone_number").await;
    assert_eq!((again.status, again.code().as_str()), (StatusCode::NOT_FOUND, "not_found"));
    let line = |action: &str| ("vault/twilio_phone_number".to_owned(), action.to_owned(), "ada@example.com".to_owned());
    assert_eq!(actions(&service).await, [line("vault.set"), line("vault.removed")]);
    service.stop().await;
}

#[tokio::test]
async fn a_refusal_names_the_field_and_not_the_value() {
    let service = Service::start().await;
    let admin = service.token("ada@example.com", Role::Admin).await;
    for (name, body) in [
        ("twilio_account_sid", json!({ "value": CANARY })),
        ("twilio_phone_number", json!({ "value": CANARY })),
        ("twilio_phone_number", json!({ "value": format!("+1 415 555 0132 {CANARY}") })),
        ("twilio_auth_token", json!({ "value": format!("{CANARY}\nsecond line") })),
        ("twilio_auth_token", json!({ "value": CANARY.repeat(20) })),
        ("twilio_auth_token", json!({ "value": " " })),
        ("twilio_auth_token", json!({ "value": [CANARY] })),
        ("twilio_auth_token", json!({ CANARY: "x" })),
        ("twilio_auth_token", json!(CANARY)),
    ] {
        let refused = put(&service, &admin, name, &body).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.text);
        let field = refused.json()["details"][0]["field"].clone();
        assert!(field == name || field == "value", "{field}");
        assert!(!refused.text.contains(CANARY), "{}", refused.text);
    }
    let broken = service.request(Method::PUT, "/api/vault/twilio_auth_token", &admin);
    let broken = service.send(broken.header("content-type", "application/json").body(format!("{{{CANARY}"))).await;
    assert_eq!(broken.status, StatusCode::BAD_REQUEST);
    assert!(!broken.text.contains(CANARY) && !log::text().contains(CANARY));

    let unknown = put(&service, &admin, "twilio", &json!({ "value": "x" })).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    for name in VaultName::ALL.map(VaultName::as_str) {
        assert!(unknown.text.contains(name), "{}", unknown.text);
    }
    assert_eq!(actions(&service).await, [], "nothing was changed");
    service.stop().await;
}

#[tokio::test]
async fn it_takes_an_admin_and_the_scope() {
    let service = Service::start().await;
    let approver = service.token("anna@example.com", Role::Approver).await;
    service.person("ada@example.com", Role::Admin).await;
    let others: Vec<Scope> = Scope::ALL.into_iter().filter(|scope| *scope != Scope::VaultWrite).collect();
    let without_scope = service.token_of("ada@example.com", &others).await;
    for (token, code) in [(&approver, "role_missing"), (&without_scope, "scope_missing")] {
        for answer in [
            service.get("/api/vault", token).await,
            // Refused before the body and the name are looked at.
            put(&service, token, "nothing", &json!(1)).await,
            delete(&service, token, "twilio_auth_token").await,
            service.post("/api/vault/twilio_auth_token/revoke-previous", token, &json!({})).await,
            service.post("/api/vault/verify", token, &json!({})).await,
        ] {
            assert_eq!((answer.status, answer.code().as_str()), (StatusCode::FORBIDDEN, code), "{}", answer.text);
        }
    }
    let anybody = service.send(service.client().get(service.url("/api/vault"))).await;
    assert_eq!(anybody.status, StatusCode::UNAUTHORIZED);
    let only_scope = service.token_of("ada@example.com", &[Scope::VaultWrite]).await;
    assert_eq!(service.get("/api/vault", &only_scope).await.status, StatusCode::OK);
    service.stop().await;
}

#[tokio::test]
async fn what_waits_for_credentials_goes_out_as_soon_as_they_are_stored() {
    let service = Service::start().await;
    let admin = service.token("ada@example.com", Role::Admin).await;
    let delivered = service.ask_approved(&admin, "+14155550132", "First").await;
    service.until(&admin, &delivered, "delivered").await;
    // One of the pair alone takes the sandbox's own away.
    put(&service, &admin, "twilio_account_sid", &json!({ "value": SID })).await;
    let waiting = service.ask_approved(&admin, "+14155550133", "Second").await;
    assert_eq!(service.operation(&admin, &waiting).await["state"], "approved");
    put(&service, &admin, "twilio_auth_token", &json!({ "value": CANARY })).await;
    service.until(&admin, &waiting, "delivered").await;
    service.stop().await;
}
