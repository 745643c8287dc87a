//! An API key of Twilio: requests are made with it, the auth token signs, and half of one sends nothing.

use std::time::Duration;

use mission_control::audit::Actor;
use mission_control::auth::Role;
use mission_control::vault::Finding;
use mission_control::vault::VaultName::{
    self, TwilioAccountSid, TwilioApiKeySecret, TwilioApiKeySid, TwilioAuthToken, TwilioPhoneNumber,
};
use serde_json::{Value, json};

use crate::support::service::{Service, Setup, eventually};
use crate::verify_credentials::{Scripted, active, error, owned};

const SID: &str = "AC0123456789abcdef0123456789abcdef";
const TOKEN: &str = "0123456789abcdef0123456789canary";
const KEY: &str = "SK0123456789abcdef0123456789abcdef";
const OTHER_KEY: &str = "SKfedcba9876543210fedcba9876543210";
const SECRET: &str = "abcdefghijklmnopqrstuvwxyzkeysec";
const NUMBER: &str = "+15005550006";
const TO: &str = "+14155550132";

async fn store(service: &Service, name: VaultName, value: &str) {
    service.app().vault.set(name, value.into(), &Actor::command_line()).await.expect("stored");
}

/// A service that has its account stored.
async fn service(setup: Setup) -> Service {
    let service = setup.start().await;
    for (name, value) in [(TwilioAccountSid, SID), (TwilioAuthToken, TOKEN), (TwilioPhoneNumber, NUMBER)] {
        store(&service, name, value).await;
    }
    service
}

async fn with_key(setup: Setup) -> Service {
    let service = service(setup).await;
    store(&service, TwilioApiKeySid, KEY).await;
    store(&service, TwilioApiKeySecret, SECRET).await;
    service
}

async fn is_held(service: &Service) -> bool {
    sqlx::query_scalar("select held from hold").fetch_one(&service.app().db).await.expect("the hold")
}

/// What verification finds of account, key and number.
async fn found(service: &Service) -> (Finding, Option<Finding>, Finding) {
    let app = service.app();
    let verified =
        app.vault.verify(&app.twilio, &Actor::command_line()).await.expect("found out").expect("credentials");
    (verified.account, verified.api_key, verified.number)
}

async fn has_credentials(service: &Service) -> bool {
    service.app().vault.twilio().await.expect("the vault opens").is_some()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_sms_goes_its_whole_way_with_an_api_key() {
    let service = with_key(Setup::new().await).await;
    let token = service.token("ada@example.com", Role::Admin).await;
    let id = service.ask_approved(&token, TO, "Hello").await;
    // The sandbox's report was signed with the auth token, and was believed.
    service.until(&token, &id, "delivered").await;
    assert_eq!(found(&service).await, (Finding::Active, Some(Finding::ApiKeyAccepted), Finding::Ready));
    let answer = service.post("/api/vault/verify", &token, &json!({})).await.json();
    assert_eq!(answer["apiKey"]["result"], "api_key_accepted", "{answer}");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_made_with_the_key_and_the_account_in_their_path() {
    let twilio = Scripted::start().await;
    let setup = Setup::new().await.with("MISSION_CONTROL_TWILIO_BASE_URL", &twilio.url);
    let service = with_key(setup).await;
    let sid = "SM0123456789abcdef0123456789abcdef";
    twilio.says((201, json!({ "sid": sid, "status": "queued" })), (200, owned(true, true)));
    let token = service.token("ada@example.com", Role::Admin).await;
    let id = service.ask_approved(&token, TO, "Hello").await;
    service.until(&token, &id, "accepted").await;
    let sent = twilio.logins().into_iter().find(|(path, _)| path.ends_with("/Messages.json")).expect("a request");
    assert_eq!(sent, (format!("/2010-04-01/Accounts/{SID}/Messages.json"), format!("{KEY}:{SECRET}")));

    twilio.says((200, active()), (200, owned(true, true)));
    found(&service).await;
    let account = twilio.logins().into_iter().find(|(path, _)| path.ends_with(&format!("/{SID}.json")));
    assert_eq!(account.expect("asked").1, format!("{SID}:{TOKEN}"), "of the account Twilio tells a key nothing");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_one_half_nothing_is_sent_and_callbacks_are_still_checked() {
    for half in [(TwilioApiKeySid, KEY), (TwilioApiKeySecret, SECRET)] {
        let service = service(Setup::new().await).await;
        store(&service, half.0, half.1).await;
        assert!(!has_credentials(&service).await, "{}", half.0);
        assert_eq!(service.app().vault.webhook_tokens().await.expect("open").len(), 1, "Twilio's signature is checked");
        let token = service.token("ada@example.com", Role::Admin).await;
        let id = service.ask_approved(&token, TO, "Hello").await;
        assert_eq!(found(&service).await.1, Some(Finding::ApiKeyHalf));
        assert_eq!(service.operation(&token, &id).await["state"], "approved");
        assert!(service.accepted().await.is_empty() && !is_held(&service).await);

        let other = if half.0 == TwilioApiKeySid { (TwilioApiKeySecret, SECRET) } else { (TwilioApiKeySid, KEY) };
        store(&service, other.0, other.1).await;
        service.until(&token, &id, "delivered").await;
        service.stop().await;
    }
}

#[tokio::test]
async fn a_half_in_the_vault_is_not_used_with_one_in_the_environment() {
    let other = "another-secret-of-the-environment";
    let setup = Setup::new().await.with("TWILIO_API_KEY_SID", OTHER_KEY).with("TWILIO_API_KEY_SECRET", other);
    let service = service(setup).await;
    let key = |service: &Service| {
        let vault = service.app().vault.clone();
        async move { vault.twilio().await.expect("open").and_then(|credentials| credentials.api_key).map(|key| key.sid) }
    };
    assert_eq!(key(&service).await.as_deref(), Some(OTHER_KEY));
    store(&service, TwilioApiKeySid, KEY).await;
    assert!(!has_credentials(&service).await);
    store(&service, TwilioApiKeySecret, SECRET).await;
    assert_eq!(key(&service).await.as_deref(), Some(KEY));
    service.stop().await;
}

#[tokio::test]
async fn the_sid_of_another_key_takes_the_secret_away() {
    let service = with_key(Setup::new().await).await;
    store(&service, TwilioApiKeySid, KEY).await;
    assert!(has_credentials(&service).await, "the same key again changes nothing");
    store(&service, TwilioApiKeySid, OTHER_KEY).await;
    assert!(!has_credentials(&service).await, "the secret belonged to the key before");
    let line: Value = sqlx::query_scalar(
        "select details from audit_lines where object = 'vault/twilio_api_key_sid' order by seq desc limit 1",
    )
    .fetch_one(&service.app().db)
    .await
    .expect("the line");
    assert_eq!(line["removed"]["twilio_api_key_secret"], json!([1]), "{line}");
    service.stop().await;
}

#[tokio::test]
async fn the_sandbox_refuses_a_wrong_key() {
    let service = with_key(Setup::new().await).await;
    let url = |path: &str| format!("{}/2010-04-01/Accounts/{SID}{path}.json", service.sandbox());
    let ask = async |path: &str, user: &str, password: &str| {
        service
            .client()
            .get(url(path))
            .basic_auth(user, Some(password))
            .send()
            .await
            .expect("an answer")
            .status()
            .as_u16()
    };
    assert_eq!(ask("/Messages", KEY, SECRET).await, 200);
    assert_eq!(ask("/Messages", SID, TOKEN).await, 200);
    for (user, password) in [(KEY, TOKEN), (OTHER_KEY, SECRET), (SID, SECRET), (KEY, "")] {
        assert_eq!(ask("/Messages", user, password).await, 401, "{user}");
    }
    assert_eq!(
        (ask("", SID, TOKEN).await, ask("", KEY, SECRET).await),
        (200, 401),
        "of the account itself a key tells nothing"
    );
    service.stop().await;
}

#[tokio::test]
async fn what_twilio_says_of_a_key_is_told_and_kept() {
    let twilio = Scripted::start().await;
    let setup = Setup::new().await.with("MISSION_CONTROL_TWILIO_BASE_URL", &twilio.url);
    let service = with_key(setup).await;
    let readable = || (200, json!({ "messages": [] }));
    for (messages, numbers, key, number) in [
        (readable(), (200, owned(true, true)), Finding::ApiKeyAccepted, Finding::Ready),
        (readable(), (403, error(70_051)), Finding::ApiKeyLimited, Finding::NotReadable),
        ((401, error(20_003)), (200, owned(true, true)), Finding::ApiKeyLimited, Finding::Ready),
        ((401, error(20_003)), (401, error(20_003)), Finding::ApiKeyRefused, Finding::NotChecked),
        ((503, json!({})), (503, json!({})), Finding::Unclear, Finding::NotChecked),
    ] {
        twilio.says((200, active()), numbers.clone());
        twilio.says_of_messages(messages.clone());
        assert_eq!(found(&service).await, (Finding::Active, Some(key), number), "{messages:?} {numbers:?}");
    }
    twilio.says((200, active()), (401, error(20_003)));
    twilio.says_of_messages((401, error(20_003)));
    found(&service).await;
    let kept: Vec<String> = sqlx::query_scalar(
        "select verify_result from vault_entries where name like 'twilio_api_key%' and state = 'current'",
    )
    .fetch_all(&service.app().db)
    .await
    .expect("the rows");
    assert_eq!(kept, ["api_key_refused", "api_key_refused"]);
    store(&service, TwilioApiKeySecret, "another-secret-of-the-same-key").await;
    let forgotten: i64 = sqlx::query_scalar("select count(*) from vault_entries where verify_result is not null")
        .fetch_one(&service.app().db)
        .await
        .expect("a count");
    assert_eq!(forgotten, 0, "what was found was about another secret");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_twilio_says_of_a_replaced_key_stops_nothing() {
    for change in
        [Some((TwilioApiKeySecret, "another-secret-of-the-same-key")), Some((TwilioApiKeySid, OTHER_KEY)), None]
    {
        let twilio = Scripted::start().await;
        twilio.permits.forget_permits(1_000);
        twilio.says((401, error(20_003)), (200, owned(true, true)));
        let setup = Setup::new().await.with("MISSION_CONTROL_TWILIO_BASE_URL", &twilio.url);
        let service = with_key(setup).await;
        let token = service.token("ada@example.com", Role::Admin).await;
        let id = service.ask_approved(&token, TO, "Hello").await;
        twilio.asked.acquire().await.expect("open").forget();
        if let Some((name, value)) = change {
            store(&service, name, value).await;
        }
        twilio.permits.add_permits(1);
        // Recorded after the hold would have been set.
        eventually("the attempt to be over", || async {
            let operation = service.operation(&token, &id).await;
            let state = operation["attempts"][0]["state"].clone();
            if state == "not_sent" { Ok(()) } else { Err(state.to_string()) }
        })
        .await;
        assert_eq!(is_held(&service).await, change.is_none(), "{change:?}");
        twilio.permits.add_permits(1_000);
        service.clock.advance(Duration::from_secs(1));
        service.stop().await;
    }
}
