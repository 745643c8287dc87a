//! What the program is made of: where it comes from, under which licence, and that nothing is in it twice that must not
//! be. Read from `cargo metadata`, without the network.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use serde_json::Value;

/// Licences that ask for no more than to be named.
const LICENCES: [&str; 14] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Of what only the tests use: its own files stay open, and none of them is shipped.
const LICENCES_OF_TESTS: [&str; 1] = ["MPL-2.0"];

/// Other ways to TLS and to its ciphers. There is one: rustls with ring.
const OTHER_TLS: [&str; 8] =
    ["openssl", "openssl-sys", "native-tls", "aws-lc-rs", "aws-lc-sys", "boring", "schannel", "security-framework-sys"];

/// What there may be only one version of in the program: two would not see each other's settings, or not know each other.
const ONCE: [&str; 12] = [
    "axum",
    "hyper",
    "reqwest",
    "ring",
    "rustls",
    "rustls-webpki",
    "secrecy",
    "serde",
    "sqlx-core",
    "subtle",
    "tokio",
    "tracing",
];

static METADATA: LazyLock<Value> = LazyLock::new(|| {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--offline", "--filter-platform"])
        .arg("x86_64-unknown-linux-gnu")
        .arg("--manifest-path")
        .arg(manifest)
        .output()
        .expect("cargo starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
});

fn packages() -> BTreeMap<&'static str, &'static Value> {
    let packages = METADATA["packages"].as_array().expect("packages");
    packages.iter().map(|package| (package["id"].as_str().expect("an id"), package)).collect()
}

fn text<'a>(package: &'a Value, member: &str) -> &'a str {
    package[member].as_str().unwrap_or_default()
}

/// What the program itself is built of: everything that is reached without a dependency of the tests.
fn in_the_program() -> BTreeSet<&'static str> {
    let nodes = METADATA["resolve"]["nodes"].as_array().expect("nodes");
    let nodes: BTreeMap<&str, &Value> = nodes.iter().map(|node| (node["id"].as_str().expect("an id"), node)).collect();
    let mut reached = BTreeSet::new();
    let mut open = vec![METADATA["resolve"]["root"].as_str().expect("the program")];
    while let Some(id) = open.pop() {
        if !reached.insert(id) {
            continue;
        }
        for dependency in nodes[id]["deps"].as_array().expect("dependencies") {
            let kinds = dependency["dep_kinds"].as_array().expect("kinds");
            if kinds.iter().any(|kind| kind["kind"] != "dev") {
                open.push(dependency["pkg"].as_str().expect("an id"));
            }
        }
    }
    reached
}

#[test]
fn everything_comes_from_the_registry() {
    for (id, package) in packages() {
        let source = text(package, "source");
        let is_ours = package["name"] == "mission-control" && source.is_empty();
        assert!(
            is_ours || source == "registry+https://github.com/rust-lang/crates.io-index",
            "{id} comes from {source}"
        );
    }
}

#[test]
fn every_licence_is_one_that_only_asks_to_be_named() {
    /// `A OR B`: one of them will do. `A AND B`: all of them. Brackets stand around an alternative.
    fn is_fine(expression: &str, besides: &[&str]) -> bool {
        let all = expression.split(" AND ").map(|part| part.trim().trim_matches(['(', ')']));
        let known = |licence: &str| LICENCES.contains(&licence.trim()) || besides.contains(&licence.trim());
        all.clone().all(|part| part.split(" OR ").any(known))
            // `A OR B AND C` without brackets.
            || expression.split(" OR ").any(|way| way.split(" AND ").all(known))
    }
    let program = in_the_program();
    for (id, package) in packages() {
        if package["name"] == "mission-control" {
            continue;
        }
        let licence = text(package, "license").replace('/', " OR ");
        let besides = if program.contains(id) { &[][..] } else { &LICENCES_OF_TESTS };
        assert!(is_fine(&licence, besides), "{id} is under {licence:?}");
    }
    let in_it = |licence| is_fine(licence, &[]);
    assert!(!in_it("GPL-3.0") && !in_it("MIT AND GPL-3.0") && !in_it("MPL-2.0"));
    assert!(in_it("(MIT OR Apache-2.0) AND Unicode-3.0"));
}

#[test]
fn there_is_one_way_to_tls_and_one_of_what_must_agree() {
    let packages = packages();
    let program = in_the_program();
    assert!(program.len() > 150 && program.len() < packages.len(), "{}", program.len());
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for id in &program {
        let package = packages[id];
        versions.entry(text(package, "name")).or_default().push(text(package, "version"));
    }
    for name in OTHER_TLS {
        assert!(!versions.contains_key(name), "{name} is in the program: TLS is rustls with ring");
    }
    for name in ONCE {
        assert_eq!(versions.get(name).map(Vec::len), Some(1), "{name}: {:?}", versions.get(name));
    }
}

#[test]
fn what_is_released_checks_its_arithmetic_and_is_built_of_what_is_locked() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = std::fs::read_to_string(root.join("Cargo.toml")).expect("the manifest");
    let manifest: toml::Table = manifest.parse().expect("TOML");
    let release = &manifest["profile"]["release"];
    assert_eq!(release["overflow-checks"].as_bool(), Some(true));
    // A panic ends one request, not the service.
    assert_ne!(release.get("panic").and_then(toml::Value::as_str), Some("abort"));
    assert!(root.join("Cargo.lock").exists());
    for file in ["Makefile", "Containerfile"] {
        let text = std::fs::read_to_string(root.join(file)).expect("the file");
        let builds: Vec<&str> = text.lines().filter(|line| line.contains("cargo build --release")).collect();
        assert!(!builds.is_empty() && builds.iter().all(|line| line.contains("--locked")), "{file}: {builds:?}");
    }
}

#[test]
fn the_unit_and_the_container_run_without_root_and_without_more_than_they_need() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let unit = std::fs::read_to_string(root.join("config/mission-control.service")).expect("the unit");
    for line in [
        "User=mission-control",
        "NoNewPrivileges=yes",
        "CapabilityBoundingSet=",
        "ProtectSystem=strict",
        "ProtectHome=yes",
        "PrivateTmp=yes",
        "PrivateDevices=yes",
        "SystemCallFilter=@system-service",
        "UMask=0077",
        "LimitCORE=0",
    ] {
        assert!(unit.lines().any(|one| one == line), "the unit lacks {line}");
    }
    let container = std::fs::read_to_string(root.join("Containerfile")).expect("the file");
    let last = container.rsplit("\nFROM ").next().expect("a stage");
    assert!(last.contains("\nUSER mission-control") && !last.contains("USER root"), "{last}");
    assert!(!container.contains("curl ") && !container.contains("wget "), "nothing is fetched but packages");
}
