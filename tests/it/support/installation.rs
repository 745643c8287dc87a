//! Several processes of the program over one database, with a Twilio of their own.

use std::collections::BTreeMap;

use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use sqlx::ConnectOptions as _;

use super::client_builder;
use super::postgres::{Database, fresh_database};
use super::program::{Running, run};
use super::service::{eventually, text};

pub(crate) const ACCOUNT_SID: &str = "AC0123456789abcdef0123456789abcdef";
pub(crate) const AUTH_TOKEN: &str = "5d41402abc4b2a76b9719d911017c592";
/// What the sandbox's ElevenLabs wants to be shown.
pub(crate) const ELEVENLABS_KEY: &str = "sk_0123456789abcdef0123456789abcdef";
pub(crate) const MASTER_KEY: &str = "shared:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// What several processes share: a database, a Twilio (the sandbox as a process of its own), and a person's token.
pub(crate) struct Installation {
    pub(crate) database: Database,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) sandbox: Running,
    pub(crate) token: String,
    pub(crate) client: Client,
}

impl Installation {
    pub(crate) async fn new() -> Self {
        let (database, folder) = (fresh_database().await, tempfile::tempdir().expect("a folder"));
        let sandbox = Running::start(
            &["sandbox", "--account-sid", ACCOUNT_SID, "--auth-token", AUTH_TOKEN, "--elevenlabs-key", ELEVENLABS_KEY],
            &[],
            "Twilio sandbox",
            &folder.path().join("sandbox"),
        );
        let url = database.options.to_url_lossy().to_string();
        let token = token(&[("DATABASE_URL", &url)]);
        // Behind one address there is now this process and now that: a connection that was kept would lead to the former.
        let client = client_builder().pool_max_idle_per_host(0).build().expect("a client");
        Self { database, folder, sandbox, token, client }
    }

    /// A process of this installation, with settings of its own.
    pub(crate) fn serve(&self, name: &str, own: &[(&str, &str)]) -> Running {
        let folder = self.folder.path().join(name);
        let url = self.database.options.to_url_lossy().to_string();
        let mut environment = vec![
            ("DATABASE_URL", url.as_str()),
            ("MISSION_CONTROL_LISTEN", "127.0.0.1:0"),
            ("MISSION_CONTROL_DATA_DIR", folder.to_str().expect("a path")),
            ("MISSION_CONTROL_API_REQUESTS_PER_MINUTE", "0"),
            ("MISSION_CONTROL_TWILIO_BASE_URL", &self.sandbox.url),
            ("MISSION_CONTROL_MASTER_KEY", MASTER_KEY),
            ("TWILIO_ACCOUNT_SID", ACCOUNT_SID),
            ("TWILIO_AUTH_TOKEN", AUTH_TOKEN),
            ("TWILIO_PHONE_NUMBER", "+15005550006"),
        ];
        environment.retain(|(name, _)| !own.iter().any(|(other, _)| other == name));
        environment.extend_from_slice(own);
        Running::serve(&environment, &folder)
    }

    pub(crate) async fn call(
        &self,
        process: &Running,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> (StatusCode, Value) {
        call(&self.client, &process.url, &self.token, method, path, body).await
    }

    pub(crate) async fn ask(&self, process: &Running, to: &str) -> Value {
        let body = json!({ "to": to, "message": "Hello" });
        let (status, asked) = self.call(process, Method::POST, "/api/twilio/send-sms", Some(body)).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{asked}");
        asked
    }

    pub(crate) async fn approve(&self, process: &Running, asked: &Value) {
        let path = format!("/api/operations/{}/approve", text(&asked["operationId"]));
        let (status, answer) =
            self.call(process, Method::POST, &path, Some(json!({ "digest": asked["digest"] }))).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
    }

    pub(crate) async fn until(&self, process: &Running, asked: &Value, state: &str) -> Value {
        let path = format!("/api/operations/{}", text(&asked["operationId"]));
        eventually(state, || async {
            let (_, operation) = self.call(process, Method::GET, &path, None).await;
            if operation["state"] == state { Ok(operation) } else { Err(operation.to_string()) }
        })
        .await
    }

    pub(crate) async fn control(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let (status, answer) = call(&self.client, &self.sandbox.url, "", method, path, body).await;
        assert!(status.is_success(), "{status} {answer}");
        answer
    }

    /// How often each recipient's message was accepted.
    pub(crate) async fn accepted(&self) -> BTreeMap<String, usize> {
        let ledger = self.control(Method::GET, "/sandbox/ledger", None).await;
        let mut counts = BTreeMap::new();
        for message in ledger["messages"].as_array().expect("a list") {
            *counts.entry(text(&message["to"])).or_default() += 1;
        }
        counts
    }
}

pub(crate) async fn call(
    client: &Client,
    base: &str,
    token: &str,
    method: Method,
    path: &str,
    body: Option<Value>,
) -> (StatusCode, Value) {
    let mut request = client.request(method, format!("{}{path}", base.trim_end_matches('/')));
    if !token.is_empty() {
        request = request.bearer_auth(token);
    }
    if let Some(body) = body {
        request = request.json(&body);
    }
    let answer = request.send().await.expect("an answer");
    let status = answer.status();
    let text = answer.text().await.expect("a body");
    (status, serde_json::from_str(&text).unwrap_or(Value::Null))
}

/// Makes a person and a token, as a script does.
pub(crate) fn token(environment: &[(&str, &str)]) -> String {
    let add = ["user", "add", "--email", "ada@example.com", "--role", "admin", "--password-stdin"];
    let added = run(&add, environment, "four unrelated words\n");
    assert!(added.status.success(), "{added:?}");
    let scopes = ["--scope", "operations:read", "--scope", "operations:write", "--scope", "approvals:write"];
    let create = [&["token", "create", "--user", "ada@example.com"][..], &scopes].concat();
    let created = run(&create, environment, "");
    assert!(created.status.success(), "{created:?}");
    String::from_utf8(created.stdout).expect("text").trim_end().to_owned()
}
