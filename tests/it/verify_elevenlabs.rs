//! Verification of the key of `ElevenLabs`: each thing that can be said of it, told in words and kept with its version.

use mission_control::audit::Actor;
use mission_control::auth::Role;
use mission_control::vault::{Finding, SpeechVerification, VaultName};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::pages::browser::Browser;
use crate::support::service::{Service, Setup};

const NAME: VaultName = VaultName::ElevenlabsApiKey;
const KEY: &str = "sk_0123456789abcdef0123456789canary";
const PAGE: &str = "/dashboard/settings?tab=integrations";
const VERIFY: &str = "/dashboard/settings/vault/verify-elevenlabs";

async fn store(service: &Service, value: &str) {
    service.app().vault.set(NAME, value.into(), &Actor::command_line()).await.expect("stored");
}

async fn verify(service: &Service) -> SpeechVerification {
    let app = service.app();
    let verified = app.vault.verify_elevenlabs(&app.elevenlabs, &Actor::service("ada@example.com")).await;
    verified.expect("it is found out").expect("there is a key")
}

async fn kept(service: &Service) -> Option<Finding> {
    service.app().vault.last_speech_verification().await.expect("read").map(|checked| checked.finding)
}

#[tokio::test]
async fn each_answer_has_its_finding_and_only_those_about_the_key_are_kept() {
    let service = Service::start().await;
    store(&service, KEY).await;
    let refusal = |code: &str, status: u16| json!({ "refuse_speech": { "code": code, "status": status } });
    for (fault, finding, is_kept) in [
        (json!("unauthorized_401"), Finding::KeyRefused, true),
        (json!("quota_exceeded"), Finding::CharactersUsedUp, true),
        (refusal("missing_permissions", 401), Finding::KeyLimited, true),
        (refusal("detected_unusual_activity", 401), Finding::SpeechBlocked, true),
        (refusal("brand_new", 403), Finding::SpeechUnclear, false),
        (json!("garbage_2xx"), Finding::SpeechUnclear, false),
    ] {
        service.fault(json!([{ "fault": fault, "on": "account" }])).await;
        let before = kept(&service).await;
        let verification = verify(&service).await;
        assert_eq!((verification.finding, verification.is_kept), (finding, is_kept), "{fault}");
        assert_eq!(kept(&service).await, if is_kept { Some(finding) } else { before }, "{fault}");
        assert!(!finding.is_good() && !finding.words().is_empty());
    }
    let good = verify(&service).await;
    assert_eq!((good.finding, good.is_kept, good.is_outdated), (Finding::KeyAccepted, true, false));
    assert_eq!(good.subscription.map(|subscription| subscription.left()), Some(1_000_000));

    // A new key is another key.
    store(&service, &format!("{KEY}2")).await;
    assert_eq!(kept(&service).await, None);
    let lines: Vec<(String, String)> = sqlx::query_as(
        "select actor, details::text from audit_lines where object = 'vault/elevenlabs' and action = 'vault.verified' order by id",
    )
    .fetch_all(&mut service.direct().await)
    .await
    .expect("the lines");
    assert_eq!(lines.len(), 7);
    assert!(lines.iter().all(|(actor, details)| actor == "ada@example.com" && !details.contains("canary")));
    service.stop().await;
}

#[tokio::test]
async fn a_key_that_is_not_stored_keeps_no_result_and_none_is_nothing_to_ask_about() {
    let service = Service::start().await;
    let generated = verify(&service).await;
    assert_eq!((generated.finding, generated.is_kept, generated.is_outdated), (Finding::KeyAccepted, false, false));
    assert_eq!(kept(&service).await, None);
    service.stop().await;

    let service = Setup::new().await.with("MISSION_CONTROL_TWILIO_BASE_URL", "http://127.0.0.1:9").start().await;
    let app = service.app();
    let none = app.vault.verify_elevenlabs(&app.elevenlabs, &Actor::command_line()).await.expect("asked nobody");
    assert_eq!(none, None);
    store(&service, KEY).await;
    let nowhere = verify(&service).await;
    assert_eq!((nowhere.finding, nowhere.is_kept), (Finding::NotEmulated, false));
    service.stop().await;
}

#[tokio::test]
async fn the_api_tells_of_both_providers_at_once() {
    let service = Service::start().await;
    let admin = service.token("ada@example.com", Role::Admin).await;
    store(&service, KEY).await;
    let verified = service.post("/api/vault/verify", &admin, &json!({})).await.json();
    assert_eq!(verified["account"]["result"], "active", "{verified}");
    let speech = &verified["elevenlabs"];
    assert_eq!(
        (&speech["result"], &speech["ok"], &speech["kept"]),
        (&json!("key_accepted"), &json!(true), &json!(true))
    );
    assert_eq!(speech["charactersLeft"], 1_000_000);
    assert!(speech["charactersResetAt"].is_string() && speech["verifiedAt"].is_string(), "{speech}");
    let entries = service.get("/api/vault", &admin).await.json();
    let entries = entries["entries"].as_array().expect("a list");
    let entry = entries.iter().find(|entry| entry["name"] == "elevenlabs_api_key").expect("the entry");
    assert_eq!(entry["verifyResult"], "key_accepted", "{entry}");
    service.stop().await;

    // One alone is told of, and nothing at all is a conflict.
    let bare = Setup::new().await.with("MISSION_CONTROL_TWILIO_BASE_URL", "http://127.0.0.1:9").start().await;
    let admin = bare.token("ada@example.com", Role::Admin).await;
    let nothing = bare.post("/api/vault/verify", &admin, &json!({})).await;
    assert_eq!((nothing.status, nothing.code().as_str()), (StatusCode::CONFLICT, "credentials_missing"));
    store(&bare, KEY).await;
    let alone = bare.post("/api/vault/verify", &admin, &json!({})).await.json();
    assert_eq!((&alone["account"], &alone["elevenlabs"]["result"]), (&Value::Null, &json!("not_emulated")));
    bare.stop().await;
}

#[tokio::test]
async fn the_page_says_what_was_found_and_what_to_do() {
    let service = Service::start().await;
    let mut admin = Browser::of(&service, "ada@example.com", Role::Admin).await;
    let mut viewer = Browser::of(&service, "vera@example.com", Role::Viewer).await;
    assert!(admin.page(PAGE).await.contains(&format!("action=\"{VERIFY}\"")));
    assert!(!viewer.page(PAGE).await.contains(VERIFY));
    assert_eq!(viewer.post(VERIFY, &[]).await.status, StatusCode::FORBIDDEN);

    let page = admin.refused(VERIFY, &[], 200).await;
    assert!(
        page.contains("ElevenLabs accepts this key") && page.contains("1,000,000 of 1,000,000 characters are left.")
    );
    assert!(page.contains("of the emulated ElevenLabs") && page.contains("is not stored here"));
    store(&service, KEY).await;
    service.fault(json!([{ "fault": "unauthorized_401", "on": "account" }])).await;
    let page = admin.refused(VERIFY, &[], 200).await;
    assert!(page.contains("ElevenLabs does not accept this key") && page.contains("Verification failed"), "{page}");
    service.fault(json!([{ "fault": "quota_exceeded", "on": "account" }])).await;
    let page = admin.refused(VERIFY, &[], 200).await;
    assert!(page.contains("The key is good, but no characters are left") && page.contains("Wait for their reset"));
    assert_eq!(admin.get(VERIFY).await.status, StatusCode::SEE_OTHER);
    assert!(!page.contains(KEY));
    service.stop().await;
}
