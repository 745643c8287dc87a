//! The program as its own process: two on one database, one that is killed, one that is told to stop, and the
//! sub-commands that scripts rely on.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::{ConnectOptions as _, Connection as _};

use crate::support::client;
use crate::support::installation::{Installation, MASTER_KEY, call, token};
use crate::support::postgres::fresh_database;
use crate::support::program::{Running, run};
use crate::support::service::{eventually, text};

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_send_each_approved_operation_once() {
    const MESSAGES: usize = 40;
    let installation = Installation::new().await;
    let (one, two) = (installation.serve("one", &[]), installation.serve("two", &[]));
    // Slow enough that one process alone is busy with its first sends while the other looks for work.
    let slow = json!([{ "fault": { "slow": { "ms": 1500 } }, "times": MESSAGES }]);
    installation.control(Method::POST, "/sandbox/faults", Some(slow)).await;

    let mut asked = Vec::new();
    for number in 0..MESSAGES {
        let to = format!("+1415555{number:04}");
        asked.push(installation.ask(if number % 2 == 0 { &one } else { &two }, &to).await);
    }
    // All become due at once: what waits behind the hold is seen by both when it ends.
    let hold = json!({ "reason": "all at once" });
    assert_eq!(installation.call(&one, Method::PUT, "/api/hold", Some(hold)).await.0, StatusCode::OK);
    for asked in &asked {
        installation.approve(&two, asked).await;
    }
    assert_eq!(installation.accepted().await, BTreeMap::new(), "nothing passes the hold");
    assert_eq!(installation.call(&one, Method::DELETE, "/api/hold", None).await.0, StatusCode::OK);
    for asked in &asked {
        let operation = installation.until(&one, asked, "delivered").await;
        assert_eq!(operation["attempts"].as_array().map(Vec::len), Some(1), "{operation}");
    }

    let expected: BTreeMap<_, _> = (0..MESSAGES).map(|number| (format!("+1415555{number:04}"), 1)).collect();
    assert_eq!(installation.accepted().await, expected);
    let sends = [&one, &two].map(|process| process.log().matches("twilio.sms.send").count());
    assert!(sends.iter().sum::<usize>() == MESSAGES && !sends.contains(&0), "both took part: {sends:?}");
    for process in [one, two] {
        process.terminate();
        assert_eq!(process.wait().code(), Some(0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_process_was_sending_is_settled_by_a_report_and_not_sent_again() {
    let installation = Installation::new().await;
    // The first process names the second as the one to report to. The second's port is kept free for it until then.
    let port = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = port.local_addr().expect("an address").to_string();
    let public_url = format!("http://{address}");
    let first = installation.serve("first", &[("MISSION_CONTROL_PUBLIC_URL", &public_url)]);
    let first_url = format!("http://{}", address_in_log(&first));
    // Accepted, never answered, and nothing reported of its own accord.
    let faults = json!([{ "fault": "accept_then_hang" }, { "fault": "callback_lost", "times": 100 }]);
    installation.control(Method::POST, "/sandbox/faults", Some(faults)).await;
    let (client, token) = (&installation.client, installation.token.as_str());
    let body = json!({ "to": "+14155550132", "message": "Hello" });
    let (_, asked) = call(client, &first_url, token, Method::POST, "/api/twilio/send-sms", Some(body)).await;
    let path = format!("/api/operations/{}/approve", text(&asked["operationId"]));
    let digest = json!({ "digest": asked["digest"] });
    let (status, answer) = call(client, &first_url, token, Method::POST, &path, Some(digest)).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    eventually("the message to be accepted", || async {
        let accepted = installation.accepted().await;
        if accepted.is_empty() { Err("not yet".to_owned()) } else { Ok(()) }
    })
    .await;
    first.kill();

    drop(port);
    let second = installation.serve("second", &[("MISSION_CONTROL_LISTEN", &address)]);
    let operation = installation.call(&second, Method::GET, &path.replace("/approve", ""), None).await.1;
    assert_eq!(operation["state"], "sending", "before its deadline nobody judges it: {operation}");
    // The deadline passes, the time to settle does not.
    let mut db = installation.database.options.connect().await.expect("the database");
    sqlx::raw_sql("update attempts set deadline_at = clock_timestamp()").execute(&mut db).await.expect("past");
    db.close().await.expect("closed");
    let unknown = installation.until(&second, &asked, "unknown").await;
    assert_eq!(unknown["attempts"][0]["state"], "unknown", "{unknown}");
    assert_eq!(unknown["reason"], "The process that was sending ended before it could record an answer.");

    installation.control(Method::DELETE, "/sandbox/faults", None).await;
    let ledger = installation.control(Method::GET, "/sandbox/ledger", None).await;
    let drive = format!("/sandbox/messages/{}/status", text(&ledger["messages"][0]["sid"]));
    let driven = installation.control(Method::POST, &drive, Some(json!({ "status": "delivered" }))).await;
    assert_eq!(driven["callback"], "answered 204");
    installation.until(&second, &asked, "delivered").await;
    let settled = eventually("the attempt to be closed by the report", || async {
        let (_, operation) = installation.call(&second, Method::GET, &path.replace("/approve", ""), None).await;
        if operation["attempts"][0]["boundBy"] == "callback" { Ok(operation) } else { Err(operation.to_string()) }
    })
    .await;
    assert_eq!(settled["messageSid"], ledger["messages"][0]["sid"]);
    assert_eq!(settled["attempts"].as_array().map(Vec::len), Some(1), "{settled}");
    assert_eq!(installation.accepted().await, BTreeMap::from([("+14155550132".to_owned(), 1)]));
}

/// Where the process listens, if that is not its public URL.
fn address_in_log(process: &Running) -> String {
    let log = process.log();
    let address = log.split_once("address=").map(|(_, rest)| rest.split(' ').next().unwrap_or_default());
    address.unwrap_or_else(|| panic!("no address: {log}")).to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn told_to_stop_it_finishes_what_is_under_way_and_a_restart_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    // Where tests run as root, PostgreSQL's own account must be able to enter.
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("open to enter");
    let data = folder.path().join("data");
    let data_dir = data.to_str().expect("a path");
    let environment = [("MISSION_CONTROL_DATA_DIR", data_dir), ("MISSION_CONTROL_LISTEN", "127.0.0.1:0")];
    let process = Running::serve(&environment, &folder.path().join("first"));
    let token = token(&environment[..1]);
    let client = client();
    let base = process.url.clone();
    let sandbox = sandbox_in_log(&process);

    let refused = run(&["serve"], &environment, "");
    let complaint = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{complaint}");
    assert!(complaint.contains("another server uses the data folder"), "{complaint}");
    assert!(complaint.contains(&format!("process {}, running since", process.id())), "{complaint}");

    let slow = json!([{ "fault": { "slow": { "ms": 2000 } } }]);
    let (status, _) = call(&client, &sandbox, "", Method::POST, "/sandbox/faults", Some(slow)).await;
    assert!(status.is_success());
    let body = json!({ "to": "+14155550132", "message": "Hello", "idempotencyKey": "stop-1" });
    let send = || call(&client, &base, &token, Method::POST, "/api/twilio/send-sms", Some(body.clone()));
    let (_, asked) = send().await;
    // A caller who waits for the outcome, and is still waiting when the stop begins.
    let waiting = async {
        let request = client.post(format!("{base}/api/twilio/send-sms")).bearer_auth(&token).json(&body);
        let answer = request.header("Prefer", "wait=60").send().await.expect("an answer");
        (answer.status(), answer.json::<Value>().await.expect("JSON"))
    };
    let stopping = async {
        let path = format!("/api/operations/{}/approve", text(&asked["operationId"]));
        let digest = json!({ "digest": asked["digest"] });
        let (status, answer) = call(&client, &base, &token, Method::POST, &path, Some(digest)).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        eventually("the send to be under way", || async {
            let (_, ledger) = call(&client, &sandbox, "", Method::GET, "/sandbox/ledger", None).await;
            if ledger["messages"] == json!([]) { Err("not yet".to_owned()) } else { Ok(()) }
        })
        .await;
        process.terminate();
    };
    let ((status, answered), ()) = tokio::join!(waiting, stopping);
    assert!(status.is_success(), "{status} {answered}");
    assert_eq!(answered["operationId"], asked["operationId"]);
    let postgres = data.join("postgres/postmaster.pid");
    assert!(postgres.exists());
    let log = folder.path().join("first/log");
    assert_eq!(process.wait().code(), Some(0), "{}", fs::read_to_string(&log).expect("the log"));
    let log = fs::read_to_string(&log).expect("the log");
    assert!(!log.contains("stop.cut_off") && log.contains("stop.done"), "{log}");
    // The last thing that PostgreSQL does; as a process it may stay in the list until it is collected.
    assert!(!postgres.exists(), "PostgreSQL is gone as well");

    // Again at the same address, which is what the callbacks were told.
    let listen = base.trim_start_matches("http://").trim_end_matches('/');
    let environment = [environment[0], ("MISSION_CONTROL_LISTEN", listen)];
    let process = Running::serve(&environment, &folder.path().join("second"));
    let path = format!("/api/operations/{}", text(&asked["operationId"]));
    let delivered = eventually("the delivery", || async {
        let (_, operation) = call(&client, &process.url, &token, Method::GET, &path, None).await;
        if operation["state"] == "delivered" { Ok(operation) } else { Err(operation.to_string()) }
    })
    .await;
    let attempts = delivered["attempts"].as_array().expect("attempts");
    assert_eq!((attempts.len(), &attempts[0]["state"]), (1, &json!("accepted")), "{delivered}");
    assert_eq!(attempts[0]["boundBy"], "answer", "the answer was waited for and recorded: {delivered}");
    let (_, ledger) = call(&client, &sandbox_in_log(&process), "", Method::GET, "/sandbox/ledger", None).await;
    assert_eq!(ledger["messages"].as_array().map(Vec::len), Some(1), "{ledger}");
    process.terminate();
    assert_eq!(process.wait().code(), Some(0));
}

fn sandbox_in_log(process: &Running) -> String {
    let log = process.log();
    let url = log.split_once("sandbox=\"").and_then(|(_, rest)| rest.split('"').next());
    url.unwrap_or_else(|| panic!("no sandbox: {log}")).to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_cannot_succeed_ends_with_a_sentence() {
    let (database, folder) = (fresh_database().await, tempfile::tempdir().expect("a folder"));
    let url = database.options.to_url_lossy().to_string();
    let data_dir = folder.path().to_str().expect("a path");
    let base = [
        ("DATABASE_URL", url.as_str()),
        ("MISSION_CONTROL_DATA_DIR", data_dir),
        ("MISSION_CONTROL_LISTEN", "127.0.0.1:0"),
        ("MISSION_CONTROL_MASTER_KEY", MASTER_KEY),
    ];
    assert!(run(&["vault", "list"], &base, "").status.success(), "the first key is put into use");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = taken.local_addr().expect("an address").to_string();
    let other_key = "other://79/Pv6+fj39vX08/Lx8O/u7ezr6uno5+bl5OPi4eA=";
    for (name, value, sentence) in [
        ("MISSION_CONTROL_MASTER_KEY", other_key, "was sealed with key `shared`, which is not in the key ring"),
        ("MISSION_CONTROL_LISTEN", taken.as_str(), "set MISSION_CONTROL_LISTEN to a free address"),
        ("MISSION_CONTROL_MODE", "live", "MISSION_CONTROL_PUBLIC_URL is not an https URL"),
        ("MISSION_CONTROL_APROVAL_REQUIRED", "false", "MISSION_CONTROL_APROVAL_REQUIRED is not a setting"),
        ("DATABASE_URL", "postgres://:secret-canary", "DATABASE_URL cannot be read"),
    ] {
        let mut environment: Vec<_> = base.into_iter().filter(|(known, _)| *known != name).collect();
        environment.push((name, value));
        // Taken again for each: a port that was let go could be given to the program.
        let _taken = TcpListener::bind(&taken);
        let refused = run(&["serve"], &environment, "");
        let complaint = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(1), "{name}: {complaint}");
        assert!(complaint.contains(sentence), "{name}: {complaint}");
        assert!(!complaint.contains("secret-canary") && !complaint.contains("panicked"), "{complaint}");
        assert!(refused.stdout.is_empty(), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn scripts_can_rely_on_the_sub_commands() {
    let (database, folder) = (fresh_database().await, tempfile::tempdir().expect("a folder"));
    let url = database.options.to_url_lossy().to_string();
    let environment = [
        ("DATABASE_URL", url.as_str()),
        ("MISSION_CONTROL_DATA_DIR", folder.path().to_str().expect("a path")),
        // Whatever is logged goes to standard error.
        ("MISSION_CONTROL_LOG", "debug"),
    ];
    let stdout = |arguments: &[&str], input: &str| {
        let output = run(arguments, &environment, input);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    };

    for arguments in [
        &["--help"][..],
        &["serve", "--help"],
        &["sandbox", "--help"],
        &["migrate", "--help"],
        &["user", "--help"],
        &["user", "add", "--help"],
        &["token", "--help"],
        &["token", "create", "--help"],
        &["vault", "--help"],
        &["vault", "set", "--help"],
    ] {
        assert!(stdout(arguments, "").contains("Usage: mission-control"), "{arguments:?}");
    }
    assert!(stdout(&["--version"], "").starts_with("mission-control "));

    // A database with nothing in it.
    let mut db = database.options.connect().await.expect("the database");
    sqlx::raw_sql("drop schema public cascade; create schema public").execute(&mut db).await.expect("emptied");
    assert_eq!(stdout(&["migrate"], ""), "The schema is up to date.\n");
    let operations: i64 =
        sqlx::query_scalar("select count(*) from operations").fetch_one(&mut db).await.expect("it is");
    assert_eq!(operations, 0);
    db.close().await.expect("closed");
    assert_eq!(stdout(&["migrate"], ""), "The schema is up to date.\n");

    let add = ["user", "add", "--email", "ada@example.com", "--role", "approver", "--password-stdin"];
    assert_eq!(stdout(&add, "four unrelated words\n"), "");
    assert!(stdout(&["user", "list"], "").contains("ada@example.com"));
    let create = ["token", "create", "--user", "ada@example.com", "--scope", "operations:read", "--name", "ci"];
    let token = stdout(&create, "");
    assert!(token.starts_with("mc_") && token.len() == "mc_".len() + 43 + 1 && token.ends_with('\n'), "{token:?}");
    let listed = stdout(&["token", "list"], "");
    assert!(listed.contains("\"ci\"") && !listed.contains(token.trim_end()), "{listed}");

    let secret = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";
    assert!(stdout(&["vault", "list"], "").contains("sandbox"), "what the embedded sandbox uses until then");
    assert_eq!(
        stdout(&["vault", "set", "twilio_auth_token"], &format!("{secret}\n")),
        "twilio_auth_token is stored as version 1.\n"
    );
    let listed = stdout(&["vault", "list"], "");
    assert!(listed.contains("stored") && listed.contains("...e1f0") && !listed.contains(secret), "{listed}");

    for (arguments, input, code, complaint) in [
        (
            &["token", "create", "--user", "nobody@example.com", "--scope", "operations:read"][..],
            "",
            1,
            "nobody@example.com",
        ),
        (&add, "four unrelated words\n", 1, "ada@example.com"),
        (&["user", "add", "--email", "b@example.com", "--role", "viewer", "--password-stdin"], "short\n", 1, ""),
        (&["vault", "set", "twilio_account_sid"], "canary-value", 1, "An account SID is AC and 32 hexadecimal digits"),
        (&["vault", "set", "twilio_auth_token"], "", 1, "This is empty"),
        (&["token", "create", "--user", "ada@example.com"], "", 2, "--scope"),
        (&["token", "create", "--user", "ada@example.com", "--scope", "everything"], "", 2, "operations:read"),
        (&["vault", "set", "twilio_password"], "", 2, "twilio_auth_token"),
        (&["user", "add", "--email", "ada", "--role", "king"], "", 2, "--email"),
        (&["sandbox", "--listen", "127.0.0.1:0"], "", 2, "--account-sid"),
        (&["fly"], "", 2, "fly"),
    ] {
        let output = run(arguments, &environment, input);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
        assert!(stderr.contains(complaint) && !stderr.contains("canary-value"), "{arguments:?}: {stderr}");
        assert!(output.stdout.is_empty(), "{arguments:?} says its complaint on standard error alone");
    }
}
