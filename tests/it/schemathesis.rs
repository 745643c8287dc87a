//! Requests made of the API's own description by Schemathesis: valid ones, broken ones, and in `make torture` long chains of
//! them. Nothing may answer with a fault, with what is not described, or let in what is described as wrong.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use mission_control::auth::Role;

use crate::support::service::Service;
use crate::support::torture::{is_full, report, seed};

/// Where `make setup` puts it.
fn program() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let program = root.join("target/schemathesis/bin/schemathesis");
    assert!(program.exists(), "Schemathesis is missing: run `make setup`");
    program
}

/// Runs it against the service, in a folder of its own.
async fn run(service: &Service, token: &str, amount: &[&str]) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schemathesis/config.toml");
    let mut command = Command::new(program());
    command
        .current_dir(folder.path())
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .arg("--config-file")
        .arg(config)
        .arg("run")
        .arg(service.url("/openapi.json"))
        .args(["--header", &format!("Authorization: Bearer {token}")])
        .args(["--seed", &seed().to_string(), "--request-timeout", "60", "--no-color", "--continue-on-failure"])
        .args(amount)
        .stdin(Stdio::null());
    tokio::task::spawn_blocking(move || command.output()).await.expect("it ends").expect("it starts")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_keeps_to_its_description_whatever_is_sent() {
    let service = Service::start().await;
    let token = service.token("ada@example.com", Role::Admin).await;
    let amount: &[&str] = if is_full() {
        &["--phases", "examples,coverage,fuzzing,stateful", "--max-time", "1200", "--max-examples", "500"]
    } else {
        &["--phases", "examples,coverage,fuzzing", "--max-time", "60", "--max-examples", "10"]
    };
    let output = run(&service, &token, amount).await;
    let text = String::from_utf8_lossy(&output.stdout);
    let summary: Vec<&str> = text.lines().filter(|line| line.contains(" generated, ")).collect();
    report(&format!("schemathesis: seed {}, {}", seed(), summary.join(" ").trim()));
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(!summary.is_empty(), "it sent nothing: {text}");
    service.stop().await;
}
