//! Verification: each thing that Twilio can say of credentials, told in words and kept with the versions it is about.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mission_control::audit::Actor;
use mission_control::auth::{Role, Scope};
use mission_control::vault::VaultName::{self, TwilioAccountSid, TwilioAuthToken, TwilioPhoneNumber};
use mission_control::vault::{Finding, Verification};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::pages::browser::Browser;
use crate::support::service::{Service, Setup};

const SID: &str = "AC0123456789abcdef0123456789abcdef";
const TOKEN: &str = "0123456789abcdef0123456789canary";
const NUMBER: &str = "+15005550006";
/// The buttons of the page.
const PAGES: [&str; 2] = ["/dashboard/settings/vault/verify", "/dashboard/settings/vault/verify-elevenlabs"];

/// A service that asks this Twilio, with credentials stored.
async fn service_at(twilio: &str) -> Service {
    let service = Setup::new().await.with("MISSION_CONTROL_TWILIO_BASE_URL", twilio).start().await;
    for (name, value) in [(TwilioAccountSid, SID), (TwilioAuthToken, TOKEN), (TwilioPhoneNumber, NUMBER)] {
        store(&service, name, value).await;
    }
    service
}

async fn store(service: &Service, name: VaultName, value: &str) {
    service.app().vault.set(name, value.into(), &Actor::command_line()).await.expect("stored");
}

async fn verify(service: &Service) -> Verification {
    let app = service.app();
    let verified = app.vault.verify(&app.twilio, &Actor::service("ada@example.com")).await;
    verified.expect("it is found out").expect("there are credentials")
}

async fn found(service: &Service) -> (Finding, Finding) {
    let Verification { account, number, .. } = verify(service).await;
    (account, number)
}

/// What is kept of account and number.
async fn kept(service: &Service) -> (Option<Finding>, Option<Finding>) {
    let last = service.app().vault.last_verification().await.expect("read");
    (last.account.map(|checked| checked.finding), last.number.map(|checked| checked.finding))
}

/// The results in the rows, by name and version.
async fn rows(service: &Service) -> Vec<(String, i32, Option<String>)> {
    sqlx::query_as("select name, version, verify_result from vault_entries order by name, version")
        .fetch_all(&mut service.direct().await)
        .await
        .expect("the rows")
}

async fn is_held(service: &Service) -> bool {
    sqlx::query_scalar("select held from hold").fetch_one(&mut service.direct().await).await.expect("the hold")
}

/// A Twilio that says what it is told to.
#[derive(Clone)]
pub(crate) struct Scripted {
    answers: Arc<Mutex<(u16, Value, u16, Value)>>,
    /// Of the list of messages, where that is something else.
    messages: Arc<Mutex<Option<(u16, Value)>>>,
    /// Path, and user and password, of each request.
    logins: Arc<Mutex<Vec<(String, String)>>>,
    /// One for each request that came.
    pub(crate) asked: Arc<Semaphore>,
    /// One for each answer that may leave.
    pub(crate) permits: Arc<Semaphore>,
    pub(crate) url: String,
}

impl Scripted {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let answers = Arc::new(Mutex::new((200, active(), 200, owned(true, true))));
        let (asked, permits) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(1_000)));
        let (messages, logins) = (Arc::default(), Arc::default());
        let scripted = Self { answers, messages, logins, asked, permits, url };
        let router = Router::new().fallback(Self::answer).with_state(scripted.clone());
        #[expect(clippy::disallowed_methods, reason = "it ends with the test")]
        tokio::spawn(async { axum::serve(listener, router).await });
        scripted
    }

    async fn answer(
        State(scripted): State<Self>,
        method: Method,
        uri: Uri,
        headers: HeaderMap,
    ) -> (StatusCode, [(header::HeaderName, &'static str); 1], String) {
        let login = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let login = STANDARD.decode(login.trim_start_matches("Basic ")).unwrap_or_default();
        let login = (uri.path().to_owned(), String::from_utf8_lossy(&login).into_owned());
        scripted.logins.lock().expect("logins").push(login);
        scripted.asked.add_permits(1);
        scripted.permits.acquire().await.expect("open").forget();
        let (status, body, number_status, number_body) = scripted.answers.lock().expect("answers").clone();
        let is_number = uri.path().ends_with("/IncomingPhoneNumbers.json");
        let listed = (method == Method::GET && uri.path().ends_with("/Messages.json"))
            .then(|| scripted.messages.lock().expect("messages").clone())
            .flatten();
        let (status, body) = match listed {
            Some(listed) => listed,
            None if is_number => (number_status, number_body),
            None => (status, body),
        };
        let status = StatusCode::from_u16(status).expect("a status");
        (status, [(header::CONTENT_TYPE, "application/json")], body.to_string())
    }

    /// Who asked for what so far.
    pub(crate) fn logins(&self) -> Vec<(String, String)> {
        self.logins.lock().expect("logins").clone()
    }

    pub(crate) fn says_of_messages(&self, messages: (u16, Value)) {
        *self.messages.lock().expect("messages") = Some(messages);
    }

    pub(crate) fn says(&self, account: (u16, Value), number: (u16, Value)) {
        *self.answers.lock().expect("answers") = (account.0, account.1, number.0, number.1);
    }
}

pub(crate) fn active() -> Value {
    json!({ "status": "active", "type": "Full" })
}

pub(crate) fn owned(sms: bool, voice: bool) -> Value {
    let longer = format!("{NUMBER}7");
    json!({ "incoming_phone_numbers": [
        { "phone_number": longer, "capabilities": { "sms": true, "voice": true } },
        { "phone_number": NUMBER, "capabilities": { "sms": sms, "voice": voice } },
    ] })
}

pub(crate) fn error(code: i32) -> Value {
    json!({ "code": code, "message": "No", "status": 400 })
}

#[tokio::test]
async fn the_emulated_twilio_knows_good_credentials_from_bad_ones() {
    // Another service's sandbox stands for Twilio.
    let twilio = Service::start().await;
    for (name, value) in [(TwilioAccountSid, SID), (TwilioAuthToken, TOKEN)] {
        store(&twilio, name, value).await;
    }
    let service = service_at(twilio.sandbox()).await;
    assert_eq!(found(&service).await, (Finding::Active, Finding::Ready));
    assert_eq!(kept(&service).await, (Some(Finding::Active), Some(Finding::Ready)));

    store(&service, TwilioPhoneNumber, "+14155550199").await;
    assert_eq!(kept(&service).await, (Some(Finding::Active), None), "another number was not looked at");
    assert_eq!(found(&service).await, (Finding::Active, Finding::NotOwned));

    for (status, finding) in
        [("suspended", Finding::Suspended), ("active", Finding::Active), ("closed", Finding::Closed)]
    {
        let url = format!("{}/2010-04-01/Accounts/{SID}.json", twilio.sandbox());
        let update = service.client().post(url).basic_auth(SID, Some(TOKEN)).form(&[("Status", status)]);
        assert_eq!(service.send(update).await.status, StatusCode::OK);
        assert_eq!(found(&service).await.0, finding);
        assert_eq!(kept(&service).await.0, Some(finding));
    }

    store(&service, TwilioAuthToken, "not the token of the account at all").await;
    assert_eq!(kept(&service).await, (None, None), "what was found was about the token before");
    assert_eq!(found(&service).await, (Finding::Refused, Finding::NotChecked));
    assert!(!is_held(&service).await, "a look-up never sets the hold");
    let results = rows(&service).await;
    let of = |name: &str, version: i32| {
        results.iter().find(|row| (row.0.as_str(), row.1) == (name, version)).and_then(|row| row.2.clone())
    };
    assert_eq!(of("twilio_auth_token", 2).as_deref(), Some("refused"));
    assert_eq!(of("twilio_auth_token", 1), None);
    assert_eq!(of("twilio_account_sid", 1).as_deref(), Some("refused"));
    service.stop().await;
    twilio.stop().await;
}

#[tokio::test]
async fn every_other_answer_of_twilios_has_its_own_words() {
    let twilio = Scripted::start().await;
    let service = service_at(&twilio.url).await;
    let good = || (200, owned(true, true));
    for (account, number, expected) in [
        ((200, json!({ "status": "active", "type": "Trial" })), good(), (Finding::Trial, Finding::Ready)),
        ((200, active()), (200, owned(false, true)), (Finding::Active, Finding::NoSms)),
        ((200, active()), (200, owned(true, false)), (Finding::Active, Finding::NoVoice)),
        ((200, active()), (200, owned(false, false)), (Finding::Active, Finding::NoSmsNoVoice)),
        ((200, active()), (200, json!({ "incoming_phone_numbers": [] })), (Finding::Active, Finding::NotOwned)),
        ((200, active()), (503, json!({})), (Finding::Active, Finding::Unclear)),
        ((401, error(20003)), (401, error(20003)), (Finding::Refused, Finding::NotChecked)),
        ((401, json!("no error body")), good(), (Finding::Refused, Finding::NotChecked)),
        ((404, error(20404)), good(), (Finding::NoSuchAccount, Finding::NotChecked)),
        ((403, error(20005)), good(), (Finding::Suspended, Finding::NotChecked)),
        ((403, error(20008)), good(), (Finding::TestCredentials, Finding::NotChecked)),
    ] {
        let said = format!("{account:?} {number:?}");
        twilio.says(account, number);
        assert_eq!(found(&service).await, expected, "{said}");
        assert_eq!(kept(&service).await.0, Some(expected.0), "{said}");
        let line: Value = sqlx::query_scalar(
            "select details from audit_lines where action = 'vault.verified' order by id desc limit 1",
        )
        .fetch_one(&mut service.direct().await)
        .await
        .expect("the line");
        assert_eq!((&line["account"], &line["number"]), (&json!(expected.0.words()), &json!(expected.1.words())));
        assert!(!line.to_string().contains(TOKEN));
    }
    // What says nothing about the credentials takes nothing away either.
    twilio.says((200, active()), good());
    verify(&service).await;
    for account in [(429, error(20429)), (500, error(20500)), (307, json!({})), (200, json!("garbage"))] {
        twilio.says(account, good());
        assert_eq!(found(&service).await, (Finding::Unclear, Finding::NotChecked));
        assert_eq!(kept(&service).await, (Some(Finding::Active), Some(Finding::Ready)));
    }
    assert!(!is_held(&service).await);
    service.stop().await;
}

#[tokio::test]
async fn a_twilio_that_is_not_there_says_nothing() {
    let service = service_at("http://127.0.0.1:9").await;
    assert_eq!(found(&service).await, (Finding::Unreachable, Finding::NotChecked));
    assert_eq!(kept(&service).await, (None, None));
    let removed = service.app().vault.remove(TwilioPhoneNumber, &Actor::command_line()).await;
    assert!(removed.expect("removed"));
    assert_eq!(found(&service).await, (Finding::Unreachable, Finding::NoNumber));
    service.stop().await;
}

#[tokio::test]
async fn a_result_about_a_value_that_was_replaced_meanwhile_is_kept_nowhere() {
    for changed in [TwilioAccountSid, TwilioAuthToken, TwilioPhoneNumber] {
        let twilio = Scripted::start().await;
        let service = service_at(&twilio.url).await;
        twilio.permits.forget_permits(1_000);
        let replace = async {
            drop(twilio.asked.acquire().await.expect("a request"));
            let value = if changed == TwilioPhoneNumber { NUMBER } else { SID };
            store(&service, changed, value).await;
            twilio.permits.add_permits(1_000);
        };
        let (verification, ()) = tokio::join!(verify(&service), replace);
        assert!(verification.is_outdated && verification.kept_with.is_empty(), "{changed}");
        assert!(rows(&service).await.iter().all(|row| row.2.is_none()), "{changed}");
        service.stop().await;
    }
}

#[tokio::test]
async fn what_is_not_stored_is_verified_and_not_kept() {
    let service = Service::start().await;
    let verification = verify(&service).await;
    assert_eq!((verification.account, verification.number), (Finding::Active, Finding::Ready));
    assert!(verification.kept_with.is_empty() && !verification.is_outdated && rows(&service).await.is_empty());

    store(&service, TwilioPhoneNumber, "+14155550123").await;
    assert_eq!(verify(&service).await.kept_with, [TwilioPhoneNumber]);
    assert_eq!(kept(&service).await, (None, Some(Finding::Ready)));

    // One of the pair alone is no credential.
    store(&service, TwilioAccountSid, SID).await;
    let app = service.app();
    assert_eq!(app.vault.verify(&app.twilio, &Actor::command_line()).await.expect("asked nobody"), None);
    let token = service.token("ada@example.com", Role::Admin).await;
    let answer = service.post("/api/vault/verify", &token, &json!({})).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    assert_eq!(answer.json()["account"], Value::Null, "the sandbox's ElevenLabs has a key of its own");
    service.stop().await;
}

#[tokio::test]
async fn one_person_verifies_six_times_a_minute_by_script_and_on_the_page_together() {
    let service = Service::start().await;
    let mut ada = Browser::of(&service, "ada@example.com", Role::Admin).await;
    let token = service.token_of("ada@example.com", &Scope::ALL).await;
    for page in PAGES {
        ada.refused(page, &[], 200).await;
    }
    // However slow the day is, which gives one more back every ten seconds.
    let mut admitted = PAGES.len();
    let refused = loop {
        let answer = service.post("/api/vault/verify", &token, &json!({})).await;
        if answer.status != StatusCode::OK {
            break answer;
        }
        admitted += 1;
        assert!(admitted < 100, "there is no limit");
    };
    assert!(admitted >= 6, "{admitted}");
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (429, "rate_limited"));
    let wait: u64 = refused.header("retry-after").and_then(|wait| wait.parse().ok()).expect("seconds");
    assert!((1..=10).contains(&wait), "{wait}");
    for page in PAGES {
        let mut admitted = 0;
        let refused = loop {
            let answer = ada.post(page, &[]).await;
            if answer.status != StatusCode::OK {
                break answer;
            }
            admitted += 1;
            assert!(admitted < 100, "there is no limit on {page}");
        };
        assert!(refused.status.as_u16() == 429 && refused.header("retry-after").is_some(), "{}", refused.text);
        assert!(refused.text.contains("You verify more than 6 times a minute."), "{}", refused.text);
    }
    let other = service.token("bea@example.com", Role::Admin).await;
    assert_eq!(service.post("/api/vault/verify", &other, &json!({})).await.status, StatusCode::OK);
    service.clock.advance(Duration::from_secs(10));
    assert_eq!(service.post("/api/vault/verify", &token, &json!({})).await.status, StatusCode::OK);
    service.stop().await;
}

#[tokio::test]
async fn a_name_that_only_another_release_knows_does_not_close_the_vault() {
    let service = service_at("http://127.0.0.1:9").await;
    sqlx::query("update vault_entries set verified_at = now(), verify_result = 'something_new'")
        .execute(&mut service.direct().await)
        .await
        .expect("written");
    assert!(service.app().vault.twilio().await.expect("the vault opens").is_some());
    assert_eq!(kept(&service).await, (None, None));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_twilio_says_of_replaced_credentials_stops_nothing() {
    let twilio = Scripted::start().await;
    twilio.permits.forget_permits(1_000);
    twilio.says((401, error(20003)), (200, owned(true, true)));
    let service = service_at(&twilio.url).await;
    let token = service.token("ada@example.com", Role::Admin).await;
    let id = service.ask_approved(&token, "+14155550132", "Hello").await;
    twilio.asked.acquire().await.expect("open").forget();
    store(&service, TwilioAuthToken, "another-token-of-the-same-account").await;
    let sid = "SM0123456789abcdef0123456789abcdef";
    twilio.permits.add_permits(1);
    // The next one comes with the new token.
    twilio.asked.acquire().await.expect("open").forget();
    assert!(!is_held(&service).await, "the old token's refusal says nothing of the new one");
    twilio.says((201, json!({ "sid": sid, "status": "queued" })), (200, owned(true, true)));
    twilio.permits.add_permits(1);
    let accepted = service.until(&token, &id, "accepted").await;
    let states: Vec<_> = accepted["attempts"].as_array().expect("attempts").iter().map(|one| &one["state"]).collect();
    assert_eq!(states, ["not_sent", "accepted"], "{accepted}");
    twilio.permits.add_permits(1_000);
    service.stop().await;
}
