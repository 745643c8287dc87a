//! The gateway as an operator runs it.

use std::path::Path;

use mission_control::twilio::signature::SIGNATURE_HEADER;
use serde_json::json;
use sqlx::ConnectOptions as _;

use super::site::{NOTHING, PUBLIC, call, configuration, said, sid, signature};
use crate::support::client;
use crate::support::postgres::fresh_database;
use crate::support::program::{Running, run};

fn write(folder: &Path, changes: &serde_json::Value) -> String {
    let file = folder.join("openclaw.json");
    std::fs::write(&file, configuration(changes).to_string()).expect("a file");
    file.to_str().expect("a path").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_answer_one_call_once_and_end_cleanly() {
    let (database, folder) = (fresh_database().await, tempfile::tempdir().expect("a folder"));
    let file = write(folder.path(), &json!({}));
    let url = database.options.to_url_lossy().to_string();
    let data = folder.path().join("data");
    let environment = [("DATABASE_URL", url.as_str()), ("MISSION_CONTROL_DATA_DIR", data.to_str().expect("a path"))];
    let start = |name: &str| {
        let arguments = ["gateway", "--config", &file];
        Running::start(&arguments, &environment, "Voice gateway", &folder.path().join(name))
    };
    let processes = [start("first"), start("second")];
    let (client, params) = (client(), call(1));
    let comes = async |process: &Running| {
        let request = client.post(&process.url).header(SIGNATURE_HEADER, signature(PUBLIC, &params)).form(&params);
        request.send().await.expect("an answer").text().await.expect("a body")
    };
    let (first, second) = tokio::join!(comes(&processes[0]), comes(&processes[1]));
    let greeting = said("Hello from the tests");
    assert!([(&*greeting, NOTHING), (NOTHING, &*greeting)].contains(&(&*first, &*second)), "{first} {second}");

    for process in processes {
        let elsewhere = client.get(process.url.replace("/voice/webhook", "/healthz")).send().await.expect("an answer");
        assert_eq!(elsewhere.status(), 404);
        process.terminate();
        let status = process.wait();
        assert!(status.success(), "{status:?}");
    }
    let logs: String = ["first", "second"]
        .map(|name| std::fs::read_to_string(folder.path().join(name).join("log")).expect("the log"))
        .concat();
    for event in ["gateway.started", "gateway.look_ups_off", "gateway.call", "gateway.replay", "gateway.stopped"] {
        assert!(logs.contains(event), "{event}: {logs}");
    }
    assert!(logs.contains(&sid(1)) && !logs.contains("+14155550132"), "numbers are masked: {logs}");
    assert!(!logs.contains(super::site::TOKEN), "no secret is told");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_it_cannot_start_with_is_one_sentence_and_exit_code_1() {
    let folder = tempfile::tempdir().expect("a folder");
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = taken.local_addr().expect("an address").port();
    for (changes, expected) in [
        (json!({ "serve": { "port": port } }), "cannot listen on 127.0.0.1:"),
        (json!({ "publicUrl": null }), "publicUrl"),
        (json!({ "twilio": { "accountSid": super::site::ACCOUNT } }), "authToken"),
    ] {
        let file = write(folder.path(), &changes);
        let data = folder.path().join("data");
        let output = tokio::task::spawn_blocking(move || {
            run(&["gateway", "--config", &file], &[("MISSION_CONTROL_DATA_DIR", data.to_str().expect("a path"))], "")
        })
        .await
        .expect("it ran");
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{words}");
        assert!(words.contains(expected), "{words}");
        assert!(!words.contains("panicked"), "{words}");
    }
    drop(taken);
}
