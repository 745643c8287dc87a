//! What the layout promises: one way in, one way out, and files that can be read at a sitting.

use std::fs;
use std::path::{Path, PathBuf};

/// Most lines of a file, without its tests.
const LONGEST: usize = 400;

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Each source file with its text before its tests.
fn product() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("a text");
        let text = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default().to_owned();
        (path.strip_prefix(&root).expect("under src").to_string_lossy().into_owned(), text)
    };
    files.into_iter().map(read).collect()
}

/// The files in which a text stands outside of comments.
fn files_with(text: &str) -> Vec<String> {
    let is_code = |line: &&str| !line.trim_start().starts_with("//");
    let mut files: Vec<String> = product()
        .into_iter()
        .filter(|(_, source)| source.lines().filter(is_code).any(|line| line.contains(text)))
        .map(|(name, _)| name)
        .collect();
    files.sort();
    files
}

#[test]
fn every_entrance_asks_through_the_same_stack() {
    assert_eq!(files_with("insert into operations"), ["operation/store/create.rs"], "one statement creates");
    assert_eq!(files_with("store::create("), ["operation/ask.rs"], "one function calls it");
    let judged = ["operation/ask.rs", "speech/preparing/finishing.rs"];
    assert_eq!(files_with("gate::judge("), judged, "and asks the gate, once more when there is something to hear");
    assert_eq!(files_with("Verdict { granted"), ["approval/gate.rs"], "which alone makes a verdict");
}

#[test]
fn there_is_one_way_out() {
    assert_eq!(files_with(".post_once("), ["twilio/send.rs"], "one function posts to Twilio");
    assert_eq!(files_with("twilio.send("), ["dispatch/worker.rs"], "one caller has a fenced claim for it");
    assert_eq!(files_with("Fenced {"), ["dispatch/fence.rs"], "which only the fence makes");
    assert_eq!(files_with("Claimed {"), ["dispatch/claim.rs"], "of a claim, which only the claim makes");
}

#[test]
fn every_route_says_who_may_come() {
    // The emulator, the gateway and the answer before the start are servers of their own, with nobody signed in.
    let of_the_service: Vec<String> =
        files_with(".route(").into_iter().filter(|file| !file.starts_with("sandbox/")).collect();
    assert_eq!(of_the_service, ["access/routes.rs", "web/mod.rs"], "routes are made with `access::Routes`");
    assert_eq!(files_with("into_router()"), ["router.rs"], "and become a router behind the guard");
}

#[test]
fn files_can_be_read_at_a_sitting() {
    let mut lengths: Vec<(usize, String)> =
        product().into_iter().map(|(name, source)| (source.lines().count(), name)).collect();
    lengths.sort();
    let (longest, name) = lengths.last().expect("files");
    assert!(*longest <= LONGEST, "{name} has {longest} lines");
    let median = lengths[lengths.len() / 2].0;
    assert!(median <= 120, "the median is {median} lines");
}
