//! What stands outside of the program: the README and the files that people copy say what is so.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use mission_control::config::{Config, Environment, Mode};
use rustix::process::{Pid, Signal, kill_process};
use toml::{Table, Value};

/// Longest that the walkthrough may take; a bound against hanging, not a measure.
const PATIENCE: Duration = Duration::from_mins(1);

/// Variables that are no setting of the file.
const ENVIRONMENT_ONLY: [&str; 16] = [
    "DATABASE_URL",
    "MISSION_CONTROL_CLIPS_ACCESS_KEY_ID",
    "MISSION_CONTROL_CLIPS_SECRET_ACCESS_KEY",
    "MISSION_CONTROL_OIDC_CLIENT_SECRET",
    "MISSION_CONTROL_CONFIG",
    "MISSION_CONTROL_MASTER_KEY",
    "MISSION_CONTROL_MASTER_KEY_FILE",
    "MISSION_CONTROL_MASTER_KEY_COMMAND",
    "MISSION_CONTROL_TOKEN",
    "MISSION_CONTROL_WEBHOOK_SHARED_KEYS",
    "TWILIO_ACCOUNT_SID",
    "TWILIO_AUTH_TOKEN",
    "TWILIO_API_KEY_SID",
    "TWILIO_API_KEY_SECRET",
    "TWILIO_PHONE_NUMBER",
    "ELEVENLABS_API_KEY",
];

/// What `.env.example` gives for what has no default.
const EXAMPLES: [(&str, &str); 9] = [
    ("DATABASE_URL", "postgres://mission_control@db.example/mission_control"),
    ("MISSION_CONTROL_CONFIG", "config/production.toml"),
    ("TWILIO_ACCOUNT_SID", "PLACEHOLDER"),
    ("TWILIO_AUTH_TOKEN", "PLACEHOLDER"),
    ("TWILIO_API_KEY_SID", "PLACEHOLDER"),
    ("TWILIO_API_KEY_SECRET", "PLACEHOLDER"),
    ("TWILIO_PHONE_NUMBER", "PLACEHOLDER_E164_NUMBER"),
    ("ELEVENLABS_API_KEY", "PLACEHOLDER"),
    ("TEST_TO_NUMBER", "PLACEHOLDER_E164_NUMBER"),
];

fn read(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Every setting of `config/default.toml`: its name, its variable and its default as the environment writes it.
fn settings() -> Vec<(String, String, String)> {
    let defaults: Table = read("config/default.toml").parse().expect("TOML");
    let mut settings = Vec::new();
    for (name, value) in defaults {
        match value {
            Value::Table(inner) => {
                settings.extend(inner.into_iter().map(|(setting, value)| (format!("{name}.{setting}"), value)));
            }
            value => settings.push((name, value)),
        }
    }
    settings
        .into_iter()
        .map(|(name, value)| {
            let variable = format!("MISSION_CONTROL_{}", name.replace('.', "_").to_uppercase());
            let default = match value {
                Value::String(text) => text,
                Value::Float(number) => format!("{number:?}"),
                Value::Array(items) if items.is_empty() => String::new(),
                Value::Boolean(choice) => choice.to_string(),
                Value::Integer(number) => number.to_string(),
                value => panic!("{name}: {value:?}"),
            };
            (name, variable, default)
        })
        .collect()
}

/// The text under a heading, up to the next one of its level.
fn section<'a>(text: &'a str, heading: &str) -> &'a str {
    let (_, rest) = text.split_once(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("{heading} is missing"));
    let level = heading.split(' ').next().expect("a heading");
    rest.split_once(&format!("\n{level} ")).map_or(rest, |(section, _)| section)
}

/// A server in a process of its own, told to stop when dropped.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(pid) = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::TERM);
        }
        let _ = self.0.wait();
    }
}

/// bash in this folder, with nothing of this process's environment but the way to its programs.
fn bash(folder: &Path, script: &str) -> Command {
    let mut command = Command::new("bash");
    command.args(["-c", &format!("set -euo pipefail\n{script}")]).current_dir(folder).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command
}

/// As a new user: `.env.example` copied to `.env`, the service started, the walkthrough pasted beside it.
#[tokio::test]
async fn the_walkthrough_runs_as_it_stands() {
    let folder = tempfile::tempdir().expect("a folder");
    // As root, PostgreSQL's account has to pass through.
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o711)).expect("permissions");
    let programs = folder.path().join("target/debug");
    fs::create_dir_all(&programs).expect("a folder");
    symlink(env!("CARGO_BIN_EXE_mission-control"), programs.join("mission-control")).expect("a link");
    let loader = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/load-env.sh");
    symlink(loader, folder.path().join("load-env.sh")).expect("a link");
    fs::write(folder.path().join(".env"), read(".env.example")).expect("a file");

    let mut server = bash(folder.path(), ". ./load-env.sh\nexec target/debug/mission-control serve");
    // Over what `.env` might say.
    server.env("MISSION_CONTROL_LISTEN", "127.0.0.1:0").stdout(Stdio::piped()).stderr(Stdio::null());
    let mut server = Server(server.spawn().expect("a server"));
    let output = BufReader::new(server.0.stdout.take().expect("its output"));
    let address =
        output.lines().map_while(Result::ok).find_map(|line| Some(line.split_once("Mission Control: ")?.1.to_owned()));
    let address = address.expect("the server says where it is");

    let readme = read("README.md");
    let walkthrough = section(&readme, "## Sending an SMS");
    let blocks: Vec<&str> =
        walkthrough.split("```sh\n").skip(1).map(|rest| rest.split_once("```").expect("an end").0).collect();
    let script = blocks.concat();
    assert!(script.starts_with("MC=http://127.0.0.1:3000\n"), "{script}");
    let script = script.replacen("http://127.0.0.1:3000", &address, 1);
    let mut bash = tokio::process::Command::from(bash(folder.path(), &script));
    let run = tokio::time::timeout(PATIENCE, bash.kill_on_drop(true).output()).await;
    let run = run.expect("the walkthrough comes to its end").expect("bash");
    let (said, complaints) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success(), "{said}\n{complaints}");

    let answers: Vec<serde_json::Value> = said.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let words: Vec<(&str, bool)> = answers
        .iter()
        .map(|answer| (answer["state"].as_str().unwrap_or("?"), answer["replayed"].as_bool().unwrap_or(false)))
        .collect();
    let [asked, looked, approved, waited, last] = words.as_slice() else { panic!("five answers: {said}") };
    assert_eq!([*asked, *looked], [("pending_approval", false); 2]);
    // It may be further than `approved` by the time of the answer.
    assert!(["approved", "sending", "accepted", "delivered"].contains(&approved.0), "{said}");
    assert!(["accepted", "delivered"].contains(&waited.0) && waited.1, "{said}");
    assert_eq!(*last, ("delivered", true));
    assert_eq!(answers[4]["mode"], "sandbox");
    assert!(said.to_lowercase().contains("\nidempotent-replayed: true\r\n"), "{said}");

    let journal = fs::read_to_string(folder.path().join("data/sandbox.jsonl")).expect("the sandbox's state");
    let sids: BTreeSet<&str> = journal
        .split(|character: char| !character.is_ascii_alphanumeric())
        .filter(|word| word.starts_with("SM") && word.len() == 34)
        .collect();
    assert_eq!(sids.len(), 1, "one SMS was sent");
}

#[test]
fn every_setting_is_in_the_table_of_the_readme() {
    let readme = read("README.md");
    let section = section(&readme, "## Settings");
    let table: BTreeSet<String> = section
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.splitn(5, '|').take(4).collect::<Vec<_>>().join("|"))
        .collect();
    let expected: BTreeSet<String> = settings()
        .into_iter()
        .map(|(name, variable, default)| {
            let default = if default.is_empty() { "empty".to_owned() } else { format!("`{default}`") };
            format!("| `{variable}` | `{name}` | {default} ")
        })
        .collect();
    assert_eq!(table, expected);
    for variable in ENVIRONMENT_ONLY {
        assert!(section.contains(&format!("`{variable}`")), "{variable} is missing");
    }
}

#[test]
fn every_variable_is_in_the_example_with_its_default() {
    let text = read(".env.example");
    let lines: Vec<&str> = text.lines().collect();
    let mut found = BTreeSet::new();
    for (line, before) in lines.iter().skip(1).zip(&lines) {
        let Some((variable, value)) = line.trim_start_matches("# ").split_once('=') else { continue };
        assert!(before.starts_with("# ") && before.ends_with('.'), "{variable} has no sentence before it");
        found.insert((variable.to_owned(), value.to_owned()));
    }
    let mut expected: BTreeSet<(String, String)> =
        settings().into_iter().map(|(_, variable, default)| (variable, default)).collect();
    let empty = ENVIRONMENT_ONLY.into_iter().filter(|name| EXAMPLES.iter().all(|(example, _)| example != name));
    expected.extend(empty.map(|name| (name.to_owned(), String::new())));
    expected.extend(EXAMPLES.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert_eq!(found, expected);

    // With every setting uncommented it means the same.
    let mut environment = Environment::default();
    for (variable, value) in found.iter().filter(|(variable, _)| !EXAMPLES.iter().any(|(name, _)| name == variable)) {
        environment.set(variable, value);
    }
    let config = Config::load(&environment).expect("valid settings");
    let defaults = Config::load(&Environment::default()).expect("the defaults");
    assert_eq!((config.mode, config.listen, config.operating), (defaults.mode, defaults.listen, defaults.operating));
}

#[test]
fn the_production_file_asks_for_what_it_cannot_know() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/production.toml");
    let mut environment = Environment::of([
        ("MISSION_CONTROL_CONFIG", file.to_str().expect("a path")),
        ("MISSION_CONTROL_MASTER_KEY_FILE", "/etc/mission-control/master-key"),
    ]);
    let refusal = Config::load(&environment).expect_err("refused");
    assert!(refusal.to_string().contains("MISSION_CONTROL_PUBLIC_URL"), "{refusal}");
    environment.set("MISSION_CONTROL_PUBLIC_URL", "https://mission.example");
    let config = Config::load(&environment).expect("valid settings");
    assert_eq!(config.mode, Mode::Live);
    assert!(config.listen.ip().is_loopback() && config.data_dir.is_absolute());
}

/// What a link to a heading of this page may say.
fn anchors(page: &str) -> BTreeSet<String> {
    let headings = page.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|line| line.trim_start_matches(['#', ' ']).to_lowercase().replace(' ', "-"))
        .map(|heading| heading.replace(|character: char| !(character.is_alphanumeric() || character == '-'), ""))
        .collect()
}

#[test]
fn what_the_readme_and_the_pages_beside_it_point_at_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let pages = fs::read_dir(root.join("docs")).expect("the pages").map(|page| page.expect("a page").file_name());
    let pages: Vec<String> =
        pages.map(|page| format!("docs/{}", page.display())).chain(["README.md".to_owned()]).collect();
    let mut reached = BTreeSet::new();
    for page in &pages {
        let text = read(page);
        let folder = Path::new(page).parent().expect("a folder");
        for link in text.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0)) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let file = if file.is_empty() { Path::new(page).to_owned() } else { folder.join(file) };
            assert!(root.join(&file).is_file(), "{page}: {link}");
            assert!(
                anchor.is_empty() || anchors(&read(file.to_str().expect("text"))).contains(anchor),
                "{page}: {link}"
            );
            if folder == Path::new("") {
                reached.insert(file.display().to_string());
            }
        }
    }
    for page in pages.iter().filter(|page| *page != "README.md") {
        assert!(reached.contains(page), "nothing in the README leads to {page}");
    }

    let readme = read("README.md");
    let makefile = read("Makefile");
    let targets = readme.split(['`', '\n']).filter_map(|code| code.trim_start_matches("$ ").strip_prefix("make "));
    let targets: BTreeSet<&str> = targets.filter_map(|target| target.split([' ', ',', ';']).next()).collect();
    assert!(targets.contains("run") && targets.contains("test"), "{targets:?}");
    for target in targets {
        assert!(makefile.contains(&format!("\n{target}: ")), "make {target}");
    }
}

#[test]
fn the_promise_stands_in_these_words() {
    let promise = "at most once automatically (with `on_unknown = \"auto\"`: provided Twilio lists an accepted message \
        within settle + 60 s); at least once with evidence or a person's word.";
    assert!(read("README.md").contains(promise));
}
