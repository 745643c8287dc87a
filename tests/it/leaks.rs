//! The program as an operator runs it, telling everything that it can tell: its log at `trace`, its arguments, and what its
//! children get from it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use mission_control::clock::Clock;
use mission_control::config::{Config, Environment};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

use crate::secrets::Canary;
use crate::support::authenticator::{self, Authenticator, textarea};
use crate::support::client_builder;
use crate::support::installation::call;
use crate::support::program::{Running, run};
use crate::support::service::{eventually, text};

const MASTER_KEY: &str = "9hZkQ1xW3eR5tY7uI9oP1aS3dF5gH7jK9lZ1xC3vB5M=";
const ACCOUNT_SID: &str = "ACfeedfacecafebeef0000000000000001";
const AUTH_TOKEN: &str = "feedfacecafebeef1ea4ed0c0ffee001";
const STORED_AUTH_TOKEN: &str = "feedfacecafebeef1ea4ed0c0ffee002";
const ELEVENLABS_KEY: &str = "sk_feedface_1ea4_canary_2718281828";
const SHARED_KEY: &str = "shared-key-canary-feedface-577215";
const WRONG_PASSWORD: &str = "wrong-password-canary-feedface";
const PASSWORD_OF_OTTO: &str = "canary feedface chooses five words";
const PASSWORD_OF_POSTGRES: &str = "postgres-canary-feedface-141421";
const TOKEN_OF_COMMANDS: &str = "mc_feedface0canary0of0the0commands0000000000";

fn environment<'a>(folder: &'a str, path: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("PATH", path),
        ("MISSION_CONTROL_DATA_DIR", folder),
        ("MISSION_CONTROL_LISTEN", "127.0.0.1:0"),
        ("MISSION_CONTROL_LOG", "trace"),
        ("MISSION_CONTROL_MASTER_KEY", "canary:9hZkQ1xW3eR5tY7uI9oP1aS3dF5gH7jK9lZ1xC3vB5M="),
        ("MISSION_CONTROL_WEBHOOK_SHARED_KEYS", "id:shared-key-canary-feedface-577215"),
        ("MISSION_CONTROL_TOKEN", TOKEN_OF_COMMANDS),
        ("TWILIO_ACCOUNT_SID", ACCOUNT_SID),
        ("TWILIO_AUTH_TOKEN", AUTH_TOKEN),
        ("TWILIO_PHONE_NUMBER", "+15005550006"),
        ("ELEVENLABS_API_KEY", ELEVENLABS_KEY),
    ]
}

fn secrets_of_the_environment() -> Vec<Canary> {
    vec![
        Canary::new("master key", MASTER_KEY),
        Canary::new("auth token", AUTH_TOKEN),
        Canary::new("key of ElevenLabs", ELEVENLABS_KEY),
        Canary::new("shared key", SHARED_KEY),
        Canary::new("token of commands", TOKEN_OF_COMMANDS),
    ]
}

/// Programs of these names before all others, which write down what they get and then do what the real ones do.
fn listening_programs(folder: &Path) -> String {
    #[expect(clippy::disallowed_methods, reason = "no setting: the search path of the test itself")]
    let path = std::env::var("PATH").unwrap_or_default();
    fs::create_dir_all(folder).expect("a folder");
    for program in ["pg_config", "id", "test"] {
        let found = folder.join(program);
        let heard = folder.join(format!("{program}.heard"));
        let script = format!(
            "#!/bin/sh\n{{ env; echo \"$@\"; }} >>'{}'\nPATH='{path}' exec {program} \"$@\"\n",
            heard.display()
        );
        fs::write(&found, script).expect("a program");
        fs::set_permissions(&found, fs::Permissions::from_mode(0o755)).expect("it may run");
        fs::write(&heard, "").expect("a file");
        fs::set_permissions(&heard, fs::Permissions::from_mode(0o666)).expect("anybody may add");
    }
    format!("{}:{path}", folder.display())
}

/// The processes that this one started, and those that they did.
fn descendants(of: u32) -> Vec<u32> {
    let parent = |pid: u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse::<u32>().ok()
    };
    let processes =
        fs::read_dir("/proc").expect("processes").filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let all: Vec<(u32, u32)> = processes.filter_map(|pid: u32| Some((pid, parent(pid)?))).collect();
    let mut found = vec![of];
    let mut at = 0;
    while let Some(one) = found.get(at).copied() {
        found.extend(all.iter().filter(|(_, parent)| *parent == one).map(|(pid, _)| *pid));
        at += 1;
    }
    found.split_off(1)
}

fn of_process(pid: u32, file: &str) -> String {
    fs::read(format!("/proc/{pid}/{file}"))
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default()
}

/// A browser without a browser.
struct Person {
    client: Client,
    url: String,
    cookie: String,
}

impl Person {
    async fn post(&self, path: &str, form: &[(&str, &str)]) -> (StatusCode, String, Option<String>) {
        let request = self.client.post(format!("{}{path}", self.url)).form(form).header("origin", &self.url);
        let answer = request.header("cookie", &self.cookie).send().await.expect("an answer");
        let cookie = answer
            .headers()
            .get("set-cookie")
            .and_then(|value| value.to_str().ok()?.split(';').next().map(str::to_owned));
        (answer.status(), answer.text().await.expect("a body"), cookie)
    }
}

/// Somebody else joins: by a link, with a password and a second factor. Answers what nobody else may see of it.
async fn join(client: &Client, url: &str, environment: &[(&str, &str)]) -> Vec<Canary> {
    let user = |act: &[&str]| {
        let told = run(&[&["user"], act].concat(), environment, "");
        assert!(told.status.success(), "{told:?}");
        String::from_utf8(told.stdout).expect("text").trim_end().to_owned()
    };
    let link = user(&["invite", "--email", "otto@localhost", "--name", "Otto", "--role", "operator"]);
    let invitation = link.rsplit_once("/welcome/").expect("a link").1;
    let mut otto = Person { client: client.clone(), url: url.to_owned(), cookie: String::new() };
    let opened = client.get(format!("{url}/welcome/{invitation}")).send().await.expect("an answer");
    assert_eq!(opened.status(), StatusCode::OK);
    let fields = [("new_password", PASSWORD_OF_OTTO), ("new_password_again", PASSWORD_OF_OTTO)];
    let (status, _, cookie) = otto.post(&format!("/welcome/{invitation}"), &fields).await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    otto.cookie = cookie.expect("a session");
    let (status, offered, _) = otto.post(&format!("{}/offer", authenticator::PATH), &[]).await;
    assert_eq!(status, StatusCode::OK, "{offered}");
    let secret = textarea(&offered, "secret");
    let (app, clock) = (Authenticator::of(&secret), Clock::manual());
    let shown = app.code(&clock);
    let (status, set, _) = otto.post(&format!("{}/set", authenticator::PATH), &[("code", &shown)]).await;
    assert_eq!(status, StatusCode::OK, "{set}");
    let codes = textarea(&set, "codes");
    let code = codes.lines().next().expect("a code");
    // A second factor for whoever comes next time.
    let (.., half) = otto.post("/login", &[("email", "otto@localhost"), ("password", PASSWORD_OF_OTTO)]).await;
    let half = half.expect("half a session");
    let mut later = Person { client: client.clone(), url: url.to_owned(), cookie: half.clone() };
    let (status, ..) = later.post("/login/code", &[("code", &shown)]).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED, "a code counts once");
    let (status, told, whole) = later.post("/login/code", &[("code", code)]).await;
    assert_eq!(status, StatusCode::SEE_OTHER, "{told}");
    later.cookie = whole.expect("a session");
    let (.., another) = otto.post("/login", &[("email", "otto@localhost"), ("password", PASSWORD_OF_OTTO)]).await;
    otto.cookie = another.expect("half a session");
    let shown_next = app.next_code(&clock);
    let (status, told, _) = otto.post("/login/code", &[("code", &shown_next)]).await;
    assert_eq!(status, StatusCode::SEE_OTHER, "{told}");
    let reset = user(&["reset-password", "--email", "otto@localhost"]);
    let value = |cookie: &str| cookie.split_once('=').expect("a cookie").1.to_owned();
    vec![
        Canary::new("link of an invitation", invitation),
        Canary::new("password that a command made", reset),
        Canary::new("password of somebody who joined", PASSWORD_OF_OTTO),
        Canary::new("secret of a second factor", secret.replace(' ', "")),
        Canary::short("code of a second factor", shown),
        Canary::short("code of a second factor that signed in", shown_next),
        Canary::new("recovery code", code),
        Canary::new("recovery code, as it is counted", code.replace('-', "")),
        Canary::new("session of somebody who joined", value(&otto.cookie)),
        Canary::new("half a session", value(&half)),
        Canary::new("session by a recovery code", value(&later.cookie)),
    ]
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_told_at_trace_in_arguments_or_to_children() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("others may look in");
    let data = folder.path().join("data");
    let path = listening_programs(&folder.path().join("programs"));
    let service = Running::serve(&environment(data.to_str().expect("a path"), &path), &folder.path().join("run"));
    let mut canaries = secrets_of_the_environment();

    let first_password = fs::read_to_string(data.join("initial-admin-password")).expect("the first password");
    let client = client_builder().build().expect("a client");
    let mut ada = Person { client: client.clone(), url: service.url.clone(), cookie: String::new() };
    let (status, ..) = ada.post("/login", &[("email", "admin@localhost"), ("password", WRONG_PASSWORD)]).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    let sign_in = [("email", "admin@localhost"), ("password", first_password.trim())];
    let (status, _, cookie) = ada.post("/login", &sign_in).await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    ada.cookie = cookie.expect("a session");
    let environment = environment(data.to_str().expect("a path"), &path);
    let scopes = ["operations:read", "operations:write", "approvals:write", "vault:write"];
    let scopes: Vec<&str> = scopes.into_iter().flat_map(|scope| ["--scope", scope]).collect();
    let create = [&["token", "create", "--user", "admin@localhost"][..], &scopes].concat();
    let created = run(&create, &environment, "");
    assert!(created.status.success(), "{created:?}");
    let token = String::from_utf8(created.stdout).expect("text").trim_end().to_owned();
    let told_by_command = String::from_utf8_lossy(&created.stderr).into_owned();

    canaries.extend(join(&client, &service.url, &environment).await);

    let ask = async |method: Method, path: &str, body: Value| {
        call(&client, &service.url, &token, method, path, Some(body)).await
    };
    let (status, stored) =
        ask(Method::PUT, "/api/vault/twilio_auth_token", json!({ "value": STORED_AUTH_TOKEN })).await;
    assert_eq!(status, StatusCode::OK, "{stored}");
    let mut clips = Vec::new();
    for (route, body) in [
        ("send-sms", json!({ "to": "+14155550132", "message": "Hello" })),
        ("make-call", json!({ "to": "+14155550132", "text": "Good evening" })),
    ] {
        let (status, asked) = ask(Method::POST, &format!("/api/twilio/{route}"), body).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{asked}");
        let operation = format!("/api/operations/{}", text(&asked["operationId"]));
        let until = async |state: &'static str| {
            eventually(state, || async {
                let (_, operation) = call(&client, &service.url, &token, Method::GET, &operation, None).await;
                if operation["state"] == state { Ok(operation) } else { Err(operation.to_string()) }
            })
            .await
        };
        let waiting = until("pending_approval").await;
        let (status, answer) =
            ask(Method::POST, &format!("{operation}/approve"), json!({ "digest": waiting["digest"] })).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        let delivered = until("delivered").await;
        clips.extend(delivered["clipId"].as_str().map(str::to_owned));
    }
    for page in ["/dashboard/operations", "/dashboard/integrations", "/dashboard/settings/sessions", "/dashboard/audit"]
    {
        let request = client.get(format!("{}{page}", service.url)).header("cookie", &ada.cookie);
        assert_eq!(request.send().await.expect("an answer").status(), StatusCode::OK, "{page}");
    }
    // Where secrets do not belong.
    let with_token = client.get(format!("{}/api/nothing?token={STORED_AUTH_TOKEN}", service.url));
    assert_eq!(with_token.send().await.expect("an answer").status(), StatusCode::NOT_FOUND);

    let journal = fs::read_to_string(data.join("sandbox.jsonl")).expect("the sandbox's journal");
    let references = journal.split("?ref=").skip(1).map(|rest| rest.chars().take(43).collect::<String>());
    canaries.extend(references.map(|reference| Canary::new("reference of a callback", reference)));
    assert!(canaries.len() > 6 && clips.len() == 1, "{} canaries, {clips:?}", canaries.len());
    canaries.extend(clips.into_iter().map(|clip| Canary::new("name of a clip", clip)));
    canaries.push(Canary::new("stored auth token", STORED_AUTH_TOKEN));
    canaries.push(Canary::new("token", token.clone()));
    canaries.push(Canary::new("session", ada.cookie.trim_start_matches("mc=")));
    canaries.push(Canary::new("first password", first_password.trim()));
    canaries.push(Canary::new("wrong password", WRONG_PASSWORD));

    // PostgreSQL lives on its own, as a daemon, in the folder that the log names.
    let told = service.log();
    let location = told.split_once("location=").and_then(|(_, rest)| rest.split_whitespace().next()).expect("a place");
    let file = fs::read_to_string(Path::new(location).join("postmaster.pid")).expect("a running PostgreSQL");
    let postgres: u32 = file.lines().next().and_then(|line| line.parse().ok()).expect("its id");
    let mut children = descendants(service.id());
    children.push(postgres);
    children.extend(descendants(postgres));
    assert!(children.len() >= 4, "PostgreSQL and its own: {children:?}");
    assert!(children.iter().any(|child| of_process(*child, "environ").contains("PATH=")), "environments can be read");
    for canary in &canaries {
        canary.assert_not_in("the arguments", &of_process(service.id(), "cmdline"));
        for child in &children {
            canary.assert_not_in("the arguments of a child", &of_process(*child, "cmdline"));
            canary.assert_not_in("the environment of a child", &of_process(*child, "environ"));
        }
        for program in ["pg_config", "id", "test"] {
            let heard = fs::read_to_string(folder.path().join("programs").join(format!("{program}.heard")));
            canary.assert_not_in(&format!("what {program} got"), &heard.expect("the file"));
        }
    }
    service.terminate();
    let log_file = folder.path().join("run").join("log");
    assert!(service.wait().success());
    let log = fs::read_to_string(log_file).expect("the log");
    assert!(log.contains("TRACE") && log.contains("twilio.callback") && log.contains("auth.failed"), "the log is one");
    for canary in &canaries {
        canary.assert_not_in("the log at trace", &log);
        canary.assert_not_in("what the command says at trace", &told_by_command);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_that_prints_the_master_keys_gets_none_of_the_other_secrets() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("others may look in");
    let (data, heard) = (folder.path().join("data"), folder.path().join("heard"));
    let command = format!("env >'{}'; printf 'canary:{MASTER_KEY}'", heard.display());
    #[expect(clippy::disallowed_methods, reason = "no setting: the search path of the test itself")]
    let path = std::env::var("PATH").unwrap_or_default();
    let mut environment = environment(data.to_str().expect("a path"), &path);
    environment.retain(|(name, _)| *name != "MISSION_CONTROL_MASTER_KEY");
    environment.push(("MISSION_CONTROL_MASTER_KEY_COMMAND", &command));
    environment.push(("HOME", "/home/ada"));
    environment.push(("PGPASSWORD", PASSWORD_OF_POSTGRES));
    let service = Running::serve(&environment, &folder.path().join("run"));
    let heard = fs::read_to_string(heard).expect("what it got");
    // What it needs to find its programs and its own files by.
    assert!(heard.contains("PATH=") && heard.contains("HOME=/home/ada"), "{heard}");
    let of_postgres = Canary::new("password of PostgreSQL", PASSWORD_OF_POSTGRES);
    for canary in secrets_of_the_environment().into_iter().chain([of_postgres]) {
        canary.assert_not_in("the environment of the command", &heard);
    }
    service.terminate();
    assert!(service.wait().success());
}

#[test]
fn settings_are_printed_without_what_is_secret_in_them() {
    let mut environment = Environment::of([
        ("MISSION_CONTROL_CLIPS_URL", "s3://bucket/prefix"),
        ("MISSION_CONTROL_CLIPS_REGION", "eu-central-1"),
        ("MISSION_CONTROL_CLIPS_ACCESS_KEY_ID", "bucket-id-canary-feedface"),
        ("MISSION_CONTROL_CLIPS_SECRET_ACCESS_KEY", "bucket-key-canary-feedface"),
        ("DATABASE_URL", "postgres://ada:database-canary-feedface@127.0.0.1/mission_control"),
    ]);
    for (name, value) in self::environment("data", "/bin") {
        if name != "PATH" {
            environment.set(name, value);
        }
    }
    let config = Config::load(&environment).expect("settings");
    let told = format!("{config:?} {config:#?}");
    let mut canaries = secrets_of_the_environment();
    canaries.push(Canary::new("key of the bucket", "bucket-key-canary-feedface"));
    canaries.push(Canary::new("password of the database", "database-canary-feedface"));
    for canary in canaries {
        canary.assert_not_in("the settings", &told);
    }
    assert!(told.contains("eu-central-1"), "the settings are some: {told}");
}
