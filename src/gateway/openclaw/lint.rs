//! What speaks against a configuration although each of its values can be read.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::ENTRY;
use super::document::{Node, child};
use super::finding::Findings;
use super::include::Whole;
use super::keys::{STREAMING_KEYS, TAILSCALE_KEYS, TUNNEL_KEYS};
use super::section::Section;
use super::substitute::{has_variable, is_name};

/// Ends of the names under which secrets stand.
const SECRET_NAMES: [&str; 4] = ["token", "apikey", "secret", "password"];

/// Whether `OpenClaw` would load the plugin at all.
pub(super) fn plugins(plugins: &Section<'_>, plugin: &str, findings: &mut Findings) {
    if plugins.flag("enabled", findings) == Some(false) {
        findings.error(&plugins.at("enabled"), "is false: OpenClaw loads no plugin.", "Write true, or take it out.");
    }
    let names = |node: Option<&Node>| match node {
        Some(Node::List(names)) => Some(names.iter().any(|name| matches!(name, Node::Text(name) if name == plugin)))
            .filter(|_| !names.is_empty()),
        _ => None,
    };
    if names(plugins.value("allow")) == Some(false) {
        let remedy = "Add \"voice-call\" to it: OpenClaw loads no other plugins than these.";
        findings.error(&plugins.at("allow"), "does not name voice-call.", remedy);
    }
    if names(plugins.value("deny")) == Some(true) {
        let remedy = "Take it out there, or leave this gateway off.";
        findings.error(&plugins.at("deny"), "names voice-call.", remedy);
    }
}

/// Whether the entry is switched on, and has its settings where they belong.
pub(super) fn entry(entry: &Section<'_>, findings: &mut Findings) {
    match entry.flag("enabled", findings) {
        Some(false) => {
            findings.error(&entry.at("enabled"), "is false: the plugin is switched off.", "Write true.");
        }
        None if entry.value("enabled").is_none() => {
            let remedy = "Add \"enabled\": true beside \"config\".";
            findings.warning(
                &entry.at("enabled"),
                "is not there: whether the plugin runs is OpenClaw's guess.",
                remedy,
            );
        }
        Some(true) | None => {}
    }
    if entry.is_there() && entry.value("config").is_none() {
        let remedy = "Put the settings of voice-call there; `mission-control openclaw init` prints an entry.";
        findings.error(&entry.at("config"), "is not there.", remedy);
    }
}

/// The switch within `config`, which is off unless it is set.
pub(super) fn enabled(config: &Section<'_>, findings: &mut Findings) {
    let path = config.at("enabled");
    match config.flag("enabled", findings) {
        Some(false) => findings.error(&path, "is false: voice-call is switched off.", "Write true."),
        None if config.value("enabled").is_none() => findings.lacking(
            &path,
            "is not there, and off by default, whatever the entry's own `enabled` says.",
            "Add it.",
            "\"enabled\": true,".to_owned(),
        ),
        Some(true) | None => {}
    }
}

/// Refuses what would make `OpenClaw` do something else than this gateway does.
pub(super) fn behaviour(config: &Section<'_>, findings: &mut Findings) {
    let streaming = config.section("streaming", findings);
    streaming.check_keys(STREAMING_KEYS, findings);
    let realtime = config.section("realtime", findings);
    for section in [&streaming, &realtime] {
        if section.flag("enabled", findings) == Some(true) {
            let remedy = "Write false: this gateway plays a greeting and does not stream audio. Or let OpenClaw itself \
                serve this installation.";
            findings.error(&section.at("enabled"), "is true, which this gateway does not do.", remedy);
        }
    }
    // Of `realtime`, which has to be off, only this key is known to be wrong.
    let context = realtime.value("agentContext");
    if context.and_then(|context| context.get("includeSystemPrompt")).is_some() {
        let path = child(&realtime.at("agentContext"), "includeSystemPrompt");
        let remedy = "Take it out; `openclaw doctor --fix` does it.";
        findings.error(&path, "is an old key, which OpenClaw does not read any longer.", remedy);
    }
    let tunnel = config.section("tunnel", findings);
    tunnel.check_keys(TUNNEL_KEYS, findings);
    let providers = [("none", false), ("ngrok", true), ("tailscale-serve", true), ("tailscale-funnel", true)];
    let tailscale = config.section("tailscale", findings);
    tailscale.check_keys(TAILSCALE_KEYS, findings);
    let modes = [("off", false), ("serve", true), ("funnel", true)];
    for (section, key, words, off) in
        [(tunnel, "provider", &providers[..], "none"), (tailscale, "mode", &modes[..], "off")]
    {
        if section.word(key, words, findings) == Some(true) {
            let remedy = format!(
                "Write \"{off}\", run the tunnel or proxy as a service of its own, and write its address into publicUrl."
            );
            findings.error(&section.at(key), "starts a tunnel, which this gateway does not do.", remedy);
        }
    }
    let skip = "skipSignatureVerification";
    if config.flag(skip, findings) == Some(true) {
        let remedy = "Take it out. There is no way to serve requests whose signature was not checked.";
        findings.error(&config.at(skip), "is true: anybody could pretend to be Twilio.", remedy);
    }
}

/// Finds secrets that are written out, and files in which others could read them.
pub(super) fn secrets(document: &Whole, findings: &mut Findings) {
    let Some(entry) = ["plugins", "entries", "voice-call"].iter().try_fold(&document.root, |node, key| node.get(key))
    else {
        return;
    };
    let mut written_out = Vec::new();
    search(entry, ENTRY, &mut written_out);
    for path in &written_out {
        findings.warning(
            path,
            "is a secret that is written out.",
            "Refer to it instead: { source: \"env\", provider: \"default\", id: \"TWILIO_AUTH_TOKEN\" }, or \
             \"${TWILIO_AUTH_TOKEN}\".",
        );
    }
    if written_out.is_empty() {
        return;
    }
    for file in &document.files {
        let is_open = fs::metadata(file).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0);
        if is_open {
            let remedy = "`chmod 600` it, and let it belong to the account that runs the gateway.";
            findings.warning(&file.display().to_string(), "holds secrets, and others may read it.", remedy);
        }
    }
}

fn search(node: &Node, path: &str, found: &mut Vec<String>) {
    match node {
        Node::Map(map) => {
            for (key, value) in map {
                let path = child(path, key);
                let name = key.to_lowercase();
                match value {
                    Node::Text(text)
                        if SECRET_NAMES.iter().any(|end| name.ends_with(end)) && is_written_out(text.trim()) =>
                    {
                        found.push(path);
                    }
                    value => search(value, &path, found),
                }
            }
        }
        Node::List(items) => {
            for (index, item) in items.iter().enumerate() {
                search(item, &format!("{path}[{index}]"), found);
            }
        }
        _ => {}
    }
}

fn is_written_out(text: &str) -> bool {
    let is_reference = has_variable(text) || text.strip_prefix('$').is_some_and(is_name);
    !text.is_empty() && !text.starts_with("PLACEHOLDER") && !is_reference
}
