//! `mission-control verify`, as an operator runs it before real use.

use reqwest::StatusCode;
use serde_json::json;
use sqlx::ConnectOptions as _;

use crate::support::client;
use crate::support::postgres::{Database, fresh_database};
use crate::support::program::{Running, run};

/// A service, and the command that verifies it.
struct Installation {
    _database: Database,
    _folder: tempfile::TempDir,
    database_url: String,
    data_dir: String,
    service: Running,
}

impl Installation {
    async fn new(own: &[(&str, &str)]) -> Self {
        let (database, folder) = (fresh_database().await, tempfile::tempdir().expect("a folder"));
        let database_url = database.options.to_url_lossy().to_string();
        let data_dir = folder.path().join("data").to_string_lossy().into_owned();
        let mut environment = vec![
            ("DATABASE_URL", database_url.as_str()),
            ("MISSION_CONTROL_DATA_DIR", &data_dir),
            ("MISSION_CONTROL_LISTEN", "127.0.0.1:0"),
        ];
        environment.extend_from_slice(own);
        let service = Running::serve(&environment, &folder.path().join("service"));
        Self { _database: database, _folder: folder, database_url, data_dir, service }
    }

    /// What it printed and whether it was content.
    async fn verify(&self, arguments: &[&str], own: &[(&str, &str)]) -> (bool, String) {
        let mut environment = vec![
            ("DATABASE_URL", self.database_url.as_str()),
            ("MISSION_CONTROL_DATA_DIR", &self.data_dir),
            ("MISSION_CONTROL_PUBLIC_URL", &self.service.url),
        ];
        environment.extend_from_slice(own);
        let owned = |texts: &[(&str, &str)]| -> Vec<(String, String)> {
            texts.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let environment = owned(&environment);
        let arguments: Vec<String> = ["verify"].iter().chain(arguments).map(|word| (*word).to_owned()).collect();
        let output = tokio::task::spawn_blocking(move || {
            let environment: Vec<(&str, &str)> =
                environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            run(&arguments, &environment, "")
        });
        let output = output.await.expect("it ran");
        let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        (output.status.success(), text)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_sms_and_one_call_prove_the_whole_way() {
    let installation = Installation::new(&[]).await;
    let (is_content, text) = installation.verify(&["--approve"], &[]).await;
    assert!(is_content, "{text}\n{}", installation.service.log());
    for line in [
        "sms: approved by a person",
        "sms: one SID",
        "sms: sent",
        "sms: replayed, and not sent again",
        "call: one SID",
        "call: completed",
        "call: recording fetched",
        "call: replayed, and not sent again",
        "log line idempotency.recorded",
        "log line approval.held",
        "log line twilio.sms.send",
        "log line twilio.call.create",
        "log line twilio.outcome",
        "log line idempotency.replay",
    ] {
        assert!(text.contains(&format!("ok   {line}")), "{line} in {text}");
    }
    assert_eq!(text.matches("Approve it: http://").count(), 2, "{text}");
    assert!(!text.contains("+14155550132"), "numbers are masked: {text}");
    // Its token ended with it.
    let tokens = run(&["token", "list"], &[("DATABASE_URL", &installation.database_url)], "");
    assert!(String::from_utf8_lossy(&tokens.stdout).contains("revoked"), "{tokens:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_hold_is_said_and_fails() {
    let installation = Installation::new(&[]).await;
    // The sandbox's own number whose line is busy: an SMS to it arrives.
    let (is_content, text) = installation.verify(&["--approve"], &[("TEST_TO_NUMBER", "+15005550101")]).await;
    assert!(!is_content, "{text}");
    assert!(text.contains("ok   sms: sent") && text.contains("FAIL call: completed"), "{text}");
    assert!(text.contains("The line was busy."), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_approves_is_withdrawn() {
    let installation = Installation::new(&[]).await;
    let (is_content, text) = installation.verify(&["--wait", "1", "--to", "+14155550133"], &[]).await;
    assert!(!is_content && text.contains("it is still pending_approval"), "{text}");
    let token = run(
        &["token", "create", "--user", "admin@localhost", "--scope", "operations:read"],
        &[("DATABASE_URL", &installation.database_url)],
        "",
    );
    let token = String::from_utf8(token.stdout).expect("a token");
    let url = format!("{}/api/operations", installation.service.url);
    let answer = client().get(url).bearer_auth(token.trim()).send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::OK);
    let list: serde_json::Value = answer.json().await.expect("JSON");
    let states: Vec<_> = list["operations"].as_array().expect("a list").iter().map(|one| &one["state"]).collect();
    assert_eq!(states, [&json!("cancelled"), &json!("cancelled")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_says_what_it_lacks() {
    let installation = Installation::new(&[]).await;
    let (_, text) = installation.verify(&[], &[("MISSION_CONTROL_PUBLIC_URL", "http://127.0.0.1:9")]).await;
    assert!(text.contains("nobody answers at http://127.0.0.1:9"), "{text}");
    let (_, text) = installation.verify(&["--user", "nobody@example.com"], &[]).await;
    assert!(text.contains("There is no enabled user nobody@example.com"), "{text}");
    let (_, text) = installation.verify(&["--to", "12"], &[]).await;
    assert!(text.contains("--to"), "{text}");
}
