//! A service in which everything has happened that a page can show.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use mission_control::audit::Actor;
use mission_control::auth::users::Invitation;
use mission_control::auth::{Role, tokens, users};
use reqwest::{Method, StatusCode};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::pages::browser::Browser;
use crate::support::authenticator;
use crate::support::service::{Service, Setup, eventually, text};

/// Who may do everything, and who sees the least.
pub(super) const ADMIN: &str = "ada@example.com";
pub(super) const VIEWER: &str = "vera@example.com";

/// Who has a second factor.
pub(super) const GUARDED: &str = "greta@example.com";

/// Who never signs in, and whose password may change.
const OTHER: &str = "otto@example.com";

const TO: &str = "+14155550132";

/// No place to break a line at, for narrow windows, and characters of several alphabets.
const LONG: &str = "Ваш заказ готов 🚚 https://example.com/orders/0123456789abcdef0123456789abcdef0123456789abcdef/track \
    – show this code at the gate: 7719";

/// Inbound calls, as a gateway on this database records them.
const INBOUND: &str = "
    insert into gateway_calls (
        sid, mode, account_sid, direction, from_number, to_number, verdict, greeting, state, provider_status,
        duration_seconds, started_at, ended_at, end_reason, conflicted_at)
    values
        ('CA00000000000000000000000000000001', 'sandbox', 'AC1', 'inbound', '+14155550132', '+14155550100', 'greeted',
         'Call +14155550199', 'completed', 'completed', 9, now(), now(), 'completed', now()),
        ('CA00000000000000000000000000000002', 'sandbox', 'AC1', 'inbound', '', '+14155550100', 'caller_withheld',
         null, 'refused', 'ringing', null, now(), now(), 'caller_withheld', null)";

/// The service, and the ids of what is in it by the names that the list of pages uses.
pub(super) struct Furnished {
    pub(super) service: Service,
    token: String,
    ids: BTreeMap<&'static str, String>,
    recovery_codes: Mutex<Vec<String>>,
}

impl Furnished {
    pub(super) async fn new() -> Self {
        let service = Setup::new().await.with("MISSION_CONTROL_DISPATCH_ON_UNKNOWN", "person").start().await;
        let token = service.token(ADMIN, Role::Admin).await;
        service.token(VIEWER, Role::Viewer).await;
        service.person(OTHER, Role::Operator).await;
        let mut furnished = Self { service, token, ids: BTreeMap::new(), recovery_codes: Mutex::default() };
        // What needs time comes first: sessions begin after it.
        furnished.expire().await;
        furnished.lose("review").await;
        furnished.review("review").await;
        furnished.lose("unknown").await;
        furnished.end().await;
        furnished.wait().await;
        furnished.around().await;
        furnished.people().await;
        furnished
    }

    /// The id that has this name.
    pub(super) fn id(&self, name: &str) -> String {
        self.ids.get(name).unwrap_or_else(|| panic!("nothing is called {name}")).clone()
    }

    /// A code with which [`GUARDED`] signs in, once.
    pub(super) fn recovery_code(&self) -> String {
        self.recovery_codes.lock().expect("no test fails here").pop().expect("a code that is left")
    }

    /// Somebody who was invited, and somebody with a second factor.
    async fn people(&mut self) {
        let app = self.service.app();
        let email = "ines@example.com".parse().expect("an address");
        let invitation = Invitation { email, name: "Inés <b>".to_owned(), role: Role::Operator };
        let actor = Actor::command_line();
        let invited = users::invite(&app.db, &app.clock, &app.passwords, &actor, &invitation).await;
        let address = invited.expect("invited").1.address(&app.public_url);
        #[expect(clippy::disallowed_methods, reason = "the link is looked at")]
        let link = address.expose_secret().trim_start_matches(&app.public_url.to_string()).to_owned();
        self.ids.insert("link", link);
        let mut greta = Browser::of(&self.service, GUARDED, Role::Operator).await;
        let (_, codes) = authenticator::set(&self.service, &mut greta).await;
        self.recovery_codes = Mutex::new(codes);
    }

    async fn ask(&mut self, name: &'static str, to: &str, message: &str) -> Value {
        let asked = self.service.ask(&self.token, to, message).await;
        self.ids.insert(name, text(&asked["operationId"]));
        asked
    }

    async fn send(&mut self, name: &'static str, to: &str, state: &str) {
        let asked = self.ask(name, to, LONG).await;
        self.approve(&asked).await;
        self.until(name, state).await;
    }

    async fn approve(&self, asked: &Value) {
        let approved = self.service.approve(&self.token, asked).await;
        assert_eq!(approved.status, StatusCode::OK, "{}", approved.text);
    }

    async fn until(&self, name: &str, state: &str) -> Value {
        self.service.until(&self.token, &self.id(name), state).await
    }

    async fn act(&self, name: &str, act: &str, body: Value) {
        let path = format!("/api/operations/{}/{act}", self.id(name));
        let acted = self.service.post(&path, &self.token, &body).await;
        assert_eq!(acted.status, StatusCode::OK, "{}", acted.text);
    }

    async fn expire(&mut self) {
        self.ask("expired", TO, "Nobody looked at this.").await;
        self.service.clock.advance(Duration::from_hours(25));
        self.until("expired", "expired").await;
    }

    /// Handed over, and nobody knows what became of it.
    async fn lose(&mut self, name: &'static str) {
        self.service.fault(json!([{ "fault": "drop_without" }])).await;
        let asked = self.ask(name, TO, &format!("Did {name} go?")).await;
        self.approve(&asked).await;
        self.until(name, "unknown").await;
    }

    /// Looked for in Twilio's list, twice, without a conclusion for a machine.
    async fn review(&self, name: &str) {
        self.service.clock.advance(Duration::from_secs(92));
        eventually("a look at Twilio's list", || async {
            let operation = self.service.operation(&self.token, &self.id(name)).await;
            let looks = operation["evidence"].as_array().map_or(0, Vec::len);
            if looks > 0 { Ok(()) } else { Err(operation.to_string()) }
        })
        .await;
        self.service.clock.advance(Duration::from_secs(61));
        self.until(name, "needs_review").await;
    }

    async fn end(&mut self) {
        self.send("delivered", TO, "delivered").await;
        // Numbers that the sandbox refuses, and that it accepts and does not reach.
        self.send("refused", "+15005550001", "failed").await;
        self.send("undelivered", "+15005550107", "failed").await;
        self.ask("rejected", TO, "FINAL NOTICE").await;
        self.act("rejected", "reject", json!({ "reason": "We do not threaten people." })).await;
        self.ask("cancelled", TO, "Never mind").await;
        self.act("cancelled", "cancel", json!({})).await;
        let called = self.call("completed", json!({ "text": "Good evening. Your table is ready." })).await;
        self.approve(&called).await;
        self.until("completed", "delivered").await;
    }

    async fn wait(&mut self) {
        self.ask("waiting", TO, LONG).await;
        self.ask("duplicate", TO, LONG).await;
        self.call("spoken", json!({ "text": "Good evening. Your table is ready at nine." })).await;
        let recording = self.service.url("/api/public/call-audio/test-recording.mp3");
        self.call("recorded", json!({ "audioUrl": recording })).await;
        let held = self.ask("held", TO, "Not before an admin says so").await;
        let reason = json!({ "reason": "The price list was wrong" });
        let hold = self.service.request(Method::PUT, "/api/hold", &self.token).json(&reason);
        assert_eq!(self.service.send(hold).await.status, StatusCode::OK);
        self.approve(&held).await;
    }

    /// Asks for a call, and waits until somebody may decide on it.
    async fn call(&mut self, name: &'static str, mut body: Value) -> Value {
        body["to"] = json!(TO);
        let asked = self.service.post("/api/twilio/make-call", &self.token, &body).await;
        assert_eq!(asked.status, StatusCode::ACCEPTED, "{}", asked.text);
        self.ids.insert(name, text(&asked.json()["operationId"]));
        self.until(name, "pending_approval").await
    }

    async fn around(&mut self) {
        let app = self.service.app();
        sqlx::raw_sql(INBOUND).execute(&app.db).await.expect("the records");
        let people = users::list(&app.db).await.expect("people");
        let other = people.into_iter().find(|person| person.email == OTHER).expect("the person");
        // The reader's own, which alone may be rotated on a page.
        let tokens = tokens::list(&app.db).await.expect("tokens");
        let token = tokens.iter().find(|token| token.owner == ADMIN).expect("a token").id;
        self.ids.insert("person", other.id.to_string());
        self.ids.insert("token", token.to_string());
        let number = json!({ "value": "+15005550006" });
        let stored = self.service.request(Method::PUT, "/api/vault/twilio_phone_number", &self.token).json(&number);
        let stored = self.service.send(stored).await;
        assert!(stored.status.is_success(), "{}", stored.text);
    }
}
