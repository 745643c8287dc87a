//! Secrets stay secret: after a day with everything that can go wrong in it, nothing that was logged, answered, stored or
//! written to a file contains one, in any form that a reader could use.

use std::fmt::Write as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mission_control::audit::Actor;
use mission_control::auth::links::Link;
use mission_control::auth::users::{self, Invitation};
use mission_control::auth::{EmailAddress, Role, Scope};
use mission_control::router;
use mission_control::twilio::signature;
use reqwest::{Method, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use crate::pages::browser::Browser;
use crate::support::authenticator;
use crate::support::dump::Dump;
use crate::support::log;
use crate::support::service::{Answer, PASSWORD, Service, Setup, eventually, text};

const ACCOUNT_SID: &str = "AC5ec7e7000000000000000000000cafe1";
const AUTH_TOKEN: &str = "5ec7e7f00dca5cade5ca1ab1e0ddba115";
const PREVIOUS_AUTH_TOKEN: &str = "5ec7e7badc0ffee0ddf00dface0ff1ce2";
const ELEVENLABS_KEY: &str = "sk_5ec7e7_e1eve71ab5_canary_3141592653";
const MASTER_KEY: &str = "7JwKq2vYyZ3mS0hX8nD1bR6tF4gL9pUcVaEoWiTzQsM=";
const WRONG_PASSWORD: &str = "wrong-password-canary-271828";
const PASSWORD_OF_OTTO: &str = "canary 271828 chooses five words";
const FALSE_REFERENCE: &str = "false-reference-canary-0000000000000000000000";

/// What must be found nowhere.
pub(crate) struct Canary {
    pub(crate) name: &'static str,
    value: String,
    /// Few digits: as a part of another number, or of a fraction of a second, they are there by chance.
    is_short: bool,
}

impl Canary {
    pub(crate) fn new(name: &'static str, value: impl Into<String>) -> Self {
        Self { name, value: value.into(), is_short: false }
    }

    /// A code of so few digits that it counts only where it stands for itself.
    pub(crate) fn short(name: &'static str, value: impl Into<String>) -> Self {
        Self { name, value: value.into(), is_short: true }
    }

    /// The forms in which it could be read: as it is, and as hexadecimal digits or base64 of its bytes.
    fn forms(&self) -> [String; 3] {
        let hex = self.value.bytes().fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").expect("written");
            text
        });
        [self.value.clone(), hex, STANDARD.encode(&self.value).trim_end_matches('=').to_owned()]
    }

    pub(crate) fn assert_not_in(&self, place: &str, content: &str) {
        for form in self.forms() {
            let mut found = content.match_indices(&form).map(|(at, _)| at);
            if let Some(at) = found.find(|at| !self.is_short || stands_alone(content, *at, form.len())) {
                let around: String =
                    content[..at].chars().rev().take(80).collect::<Vec<_>>().into_iter().rev().collect();
                panic!("the {} is in {place}, after: {around}", self.name);
            }
        }
    }
}

/// Whether the digits at this place belong to no longer number.
fn stands_alone(content: &str, at: usize, length: usize) -> bool {
    let (before, after) = (content[..at].chars().next_back(), content[at + length..].chars().next());
    before.is_none_or(|before| before != '.' && !before.is_ascii_digit())
        && after.is_none_or(|after| !after.is_ascii_digit())
}

/// Everything that was answered.
#[derive(Default)]
struct Heard(String);

impl Heard {
    fn add(&mut self, answer: &Answer) -> StatusCode {
        // A new session's cookie goes to its owner, and nowhere else.
        for (name, value) in answer.headers.iter().filter(|(name, _)| *name != "set-cookie") {
            writeln!(self.0, "{name}: {}", String::from_utf8_lossy(value.as_bytes())).expect("written");
        }
        writeln!(self.0, "{}", answer.text).expect("written");
        answer.status
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_found_anywhere_after_a_day_with_every_failure() {
    let setup = Setup::new().await.with("MISSION_CONTROL_MASTER_KEY", &format!("canary:{MASTER_KEY}"));
    let service = setup.start().await;
    let first_password = std::fs::read_to_string(service.data_dir().join("initial-admin-password")).expect("the file");
    store_credentials(&service).await;
    let token = service.token("ada@example.com", Role::Admin).await;
    let reader = service.token_of("ada@example.com", &[Scope::OperationsRead]).await;
    let mut heard = Heard::default();
    let session = sign_in(&service, &mut heard).await;

    let sent = send_in_every_way(&service, &token, &mut heard).await;
    misuse_callbacks(&service, &sent, &mut heard).await;
    let of_otto = join(&service).await;
    look_everywhere(&service, &token, &reader, &session, &mut heard).await;

    let references = references(service.data_dir());
    assert!(references.len() >= 5, "one for each attempt that arrived: {}", references.len());
    let mut canaries = vec![
        Canary::new("auth token", AUTH_TOKEN),
        Canary::new("previous auth token", PREVIOUS_AUTH_TOKEN),
        Canary::new("key of ElevenLabs", ELEVENLABS_KEY),
        Canary::new("master key", MASTER_KEY),
        Canary::new("API token", token),
        Canary::new("other API token", reader),
        Canary::new("password", PASSWORD),
        Canary::new("wrong password", WRONG_PASSWORD),
        Canary::new("first password", first_password.trim()),
        Canary::new("session", session.trim_start_matches("mc=")),
        Canary::new("reference of a forged callback", FALSE_REFERENCE),
    ];
    canaries.extend(of_otto);
    let kept_files = files(service.data_dir());
    for canary in &canaries {
        for (name, content) in &kept_files {
            let is_its_place = canary.name == "first password" && name == "initial-admin-password";
            if !is_its_place {
                canary.assert_not_in(name, content);
            }
        }
    }
    // The sandbox plays Twilio, which is told the references; nobody else's file may hold them.
    let references = references.into_iter().map(|reference| Canary::new("reference of a callback", reference));
    canaries.extend(references);
    for (name, content) in kept_files.iter().filter(|(name, _)| name != "sandbox.jsonl") {
        canaries
            .iter()
            .filter(|canary| canary.name != "first password")
            .for_each(|canary| canary.assert_not_in(name, content));
    }
    let dump = Dump::of(&service.database().options).await.text();
    let settings = format!("{0:?} {0:#?}", service.app().config);
    assert!(dump.contains(ACCOUNT_SID), "the dump is one");
    // Whole lines, at the moment of the look.
    service.stop().await;
    let log = log::text();
    assert!(log.contains("twilio.callback") && log.contains("auth.failed"), "the log is one");
    for canary in &canaries {
        canary.assert_not_in("the answers", &heard.0);
        canary.assert_not_in("the database", &dump);
        canary.assert_not_in("the settings", &settings);
        canary.assert_not_in("the log", &log);
    }
}

async fn store_credentials(service: &Service) {
    let (vault, actor) = (&service.app().vault, Actor::command_line());
    for (name, value) in [
        ("twilio_account_sid", ACCOUNT_SID),
        ("twilio_auth_token", PREVIOUS_AUTH_TOKEN),
        ("twilio_auth_token", AUTH_TOKEN),
        ("elevenlabs_api_key", ELEVENLABS_KEY),
    ] {
        vault.set(name.parse().expect("a name"), value.into(), &actor).await.expect("stored");
    }
    // Refused ones are not repeated either.
    let refused = vault.set("twilio_account_sid".parse().expect("a name"), AUTH_TOKEN.into(), &actor).await;
    assert!(!refused.expect_err("not a SID").to_string().contains(AUTH_TOKEN));
}

/// Answers the cookie, as `mc=...`.
async fn sign_in(service: &Service, heard: &mut Heard) -> String {
    let log_in = |email: &'static str, password: &'static str| {
        service.send(service.client().post(service.url("/login")).form(&[("email", email), ("password", password)]))
    };
    assert_eq!(heard.add(&log_in("ada@example.com", WRONG_PASSWORD).await), StatusCode::UNAUTHORIZED);
    // In the wrong field, where the page repeats it to whoever typed it, and nobody else must.
    assert_eq!(log_in(WRONG_PASSWORD, "something else").await.status, StatusCode::UNAUTHORIZED);
    let signed_in = log_in("ada@example.com", PASSWORD).await;
    assert_eq!(heard.add(&signed_in), StatusCode::SEE_OTHER);
    signed_in.header("set-cookie").and_then(|cookie| cookie.split(';').next()).expect("a cookie").to_owned()
}

/// Somebody else joins: by a link, with a password and a second factor. What only they see of it is no leak, and what others
/// see of it later is looked at with everything else.
async fn join(service: &Service) -> Vec<Canary> {
    let (app, actor) = (service.app(), Actor::command_line());
    let secret = |link: &Link| {
        let address = link.address(&app.public_url);
        #[expect(clippy::disallowed_methods, reason = "the test uses the link")]
        address.expose_secret().rsplit('/').next().expect("a path").to_owned()
    };
    let email: EmailAddress = "otto@example.com".parse().expect("an address");
    let invitation = Invitation { email: email.clone(), name: "Otto".to_owned(), role: Role::Approver };
    let (_, link) = users::invite(&app.db, &app.clock, &app.passwords, &actor, &invitation).await.expect("invited");
    let invitation = secret(&link);
    let mut otto = Browser::new(service);
    otto.page(&format!("/welcome/{invitation}")).await;
    let fields = [("new_password", PASSWORD_OF_OTTO), ("new_password_again", PASSWORD_OF_OTTO)];
    otto.submit(&format!("/welcome/{invitation}"), &fields).await;
    let (_, codes) = authenticator::set(service, &mut otto).await;
    let again = users::make_link(&app.db, &app.clock, &app.passwords, &actor, &email, None).await.expect("a link");
    let mut canaries = vec![
        Canary::new("link of an invitation", invitation),
        Canary::new("link to a new password", secret(&again)),
        Canary::new("password of somebody who joined", PASSWORD_OF_OTTO),
        Canary::new("session of somebody who joined", otto.cookie("mc").expect("a session")),
    ];
    canaries.extend(codes.into_iter().map(|code| Canary::new("recovery code", code)));
    canaries
}

/// Sends with each kind of outcome; answers an operation that was delivered.
async fn send_in_every_way(service: &Service, token: &str, heard: &mut Heard) -> Value {
    let plain = service.ask_approved(token, "+14155550101", "Plain").await;
    let delivered = service.until(token, &plain, "delivered").await;

    for (number, fault, state) in [
        (102, json!("accept_then_drop"), "delivered"),
        (103, json!({ "refuse": { "code": 21610, "status": 400 } }), "failed"),
        (104, json!("garbage_2xx"), "delivered"),
        (105, json!("error_500_after_accepting"), "delivered"),
    ] {
        let to = format!("+14155550{number}");
        service.fault(json!([{ "fault": fault, "to": to }])).await;
        let id = service.ask_approved(token, &to, "Not so plain").await;
        service.until(token, &id, state).await;
    }
    // Credentials that Twilio refuses stop everything, with a reason that people read.
    service.fault(json!([{ "fault": "unauthorized_401" }])).await;
    let id = service.ask_approved(token, "+14155550106", "Refused").await;
    eventually("the hold", || async {
        let hold = service.get("/api/hold", token).await;
        if hold.json()["held"] == true { Ok(()) } else { Err(hold.text) }
    })
    .await;
    heard.add(&service.get("/api/hold", token).await);
    heard.add(&service.send(service.request(Method::DELETE, "/api/hold", token)).await);
    service.until(token, &id, "delivered").await;
    delivered
}

/// Callbacks that are forged, misdirected or broken.
async fn misuse_callbacks(service: &Service, sent: &Value, heard: &mut Heard) {
    let path = format!("/webhooks/twilio/message-status/{}?ref={FALSE_REFERENCE}", text(&sent["operationId"]));
    let url = service.url(&path);
    let post = |signature: String, form: &[(String, String)]| {
        let request = service.client().post(&url).form(form).header("X-Twilio-Signature", signature);
        service.send(request)
    };
    let params = |account: &str| -> Vec<(String, String)> {
        let params = [("AccountSid", account), ("MessageSid", "SMcanary"), ("MessageStatus", "delivered")];
        params.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
    };
    let sign = |params: &[(String, String)]| {
        signature::sign(&url, params, &SecretString::from(AUTH_TOKEN)).expect("a signature")
    };
    let (ours, others) = (params(ACCOUNT_SID), params("AC00000000000000000000000000000000"));
    assert_eq!(heard.add(&post("bm90IHNpZ25lZA==".to_owned(), &ours).await), StatusCode::FORBIDDEN);
    assert_eq!(heard.add(&post(sign(&others), &others).await), StatusCode::FORBIDDEN);
    assert_eq!(heard.add(&post(sign(&ours[..1]), &ours[..1]).await), StatusCode::BAD_REQUEST);
    // Signed, and about nothing that we know: stored, not believed.
    assert_eq!(heard.add(&post(sign(&ours), &ours).await), StatusCode::NO_CONTENT);
    heard.add(&service.send(service.client().get(&url)).await);
    let with_token = service.client().get(service.url(&format!("/api/nothing?token={AUTH_TOKEN}")));
    assert_eq!(heard.add(&service.send(with_token).await), StatusCode::NOT_FOUND);
}

/// Every address that answers to reading, in every way of asking.
async fn look_everywhere(service: &Service, token: &str, reader: &str, session: &str, heard: &mut Heard) {
    let list = service.get("/api/operations?limit=200", token).await;
    let operations = list.json();
    let ids: Vec<String> =
        operations["operations"].as_array().expect("a list").iter().map(|one| text(&one["operationId"])).collect();
    let mut paths = vec!["/openapi.json".to_owned(), "/dashboard/settings?tab=integrations".to_owned()];
    // Every address that can be read; a stream does not end, and is looked at elsewhere.
    for route in router::routes().iter().filter(|route| route.method == Method::GET && route.path != "/dashboard/live")
    {
        let fill = |id: &str| {
            let parts = route.path.split('/').map(|part| match part {
                "{id}" => id,
                "{name}" => "twilio_auth_token",
                "{act}" => "approve",
                part if part.starts_with('{') => "0",
                part => part,
            });
            parts.collect::<Vec<_>>().join("/")
        };
        let several = if route.path.contains("/operations/{id}") { &ids[..] } else { &ids[..1] };
        paths.extend(several.iter().map(|id| fill(id)));
    }
    for path in paths {
        heard.add(&service.get(&path, token).await);
        heard.add(&service.get(&path, reader).await);
        let request = || service.client().get(service.url(&path)).header("accept", "text/html");
        heard.add(&service.send(request().header("cookie", session)).await);
        heard.add(&service.send(request()).await);
    }
    heard.add(&service.post("/api/twilio/send-sms", reader, &json!({ "authToken": AUTH_TOKEN })).await);
    heard.add(&service.get("/api/operations", &format!("mc_{AUTH_TOKEN}")).await);
    assert!(heard.0.contains(ACCOUNT_SID) || heard.0.contains("delivered"), "answers were kept");
}

/// The references in the callback URLs that the sandbox was given.
fn references(data_dir: &Path) -> Vec<String> {
    let journal = std::fs::read_to_string(data_dir.join("sandbox.jsonl")).expect("the sandbox's journal");
    let mut references: Vec<String> =
        journal.split("?ref=").skip(1).map(|rest| rest.chars().take(43).collect()).collect();
    references.sort_unstable();
    references.dedup();
    references
}

/// Every file of the data folder, as text.
fn files(folder: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            found.push((name, String::from_utf8_lossy(&std::fs::read(&path).expect("the file")).into_owned()));
        }
    }
    found
}
