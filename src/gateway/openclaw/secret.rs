//! Secrets of the configuration: written out, put in from a variable, or referred to by a `SecretRef`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use secrecy::SecretString;

use super::document::{self, DEEPEST, Node};
use super::finding::Findings;
use super::section;
use super::substitute::{is_name, substitute};
use crate::config::Environment;

/// Most bytes of a file with secrets, as in `OpenClaw`.
const LARGEST: u64 = 1024 * 1024;

/// Marks of old references, which would otherwise pass for a secret.
const OLD_MARKS: [&str; 2] = ["secretref-env:", "__env__:"];

/// Where secrets are looked for.
pub(super) struct Sources<'a> {
    pub(super) environment: &'a Environment,
    /// `secrets` of the document, where providers are set up.
    pub(super) secrets: Option<&'a Node>,
}

impl Sources<'_> {
    /// The secret that a value stands for. `None`, and nothing found: there is none.
    pub(super) fn read(&self, value: &Node, path: &str, findings: &mut Findings) -> Option<SecretString> {
        match value {
            Node::Text(text) => self.of_text(text.trim(), path, findings),
            Node::Map(_) => {
                let text = |key: &str| match value.get(key) {
                    Some(Node::Text(text)) => Some(text.trim()).filter(|text| !text.is_empty()),
                    _ => None,
                };
                let (Some(source), Some(id)) = (text("source"), text("id")) else {
                    let remedy = "Write { source: \"env\", provider: \"default\", id: \"TWILIO_AUTH_TOKEN\" }.";
                    findings.error(path, "is no SecretRef: source or id is missing.", remedy);
                    return None;
                };
                let provider = text("provider").unwrap_or_else(|| self.default_provider(source));
                match source {
                    "env" => self.of_variable(provider, id, path, findings),
                    "file" => self.of_file(provider, id, path, findings),
                    _ => {
                        findings.error(
                            path,
                            "is a SecretRef to a source that this gateway does not ask: it runs no programs for secrets.",
                            "Use source \"env\" or \"file\".",
                        );
                        None
                    }
                }
            }
            other => {
                let remedy = "Write a text or a SecretRef.";
                findings.error(path, format!("is {}, not a secret.", other.kind()), remedy);
                None
            }
        }
    }

    fn of_text(&self, text: &str, path: &str, findings: &mut Findings) -> Option<SecretString> {
        if OLD_MARKS.iter().any(|mark| text.starts_with(mark)) {
            let remedy = "Write { source: \"env\", provider: \"default\", id: \"...\" } instead.";
            findings.error(path, "is an old reference, which is not followed any longer.", remedy);
            return None;
        }
        // `$NAME` alone is short for `${NAME}`.
        if let Some(name) = text.strip_prefix('$').filter(|name| is_name(name)) {
            return self.variable(name, path, findings);
        }
        match substitute(text, self.environment) {
            Ok(text) => Some(text).filter(|text| is_secret(text)).map(SecretString::from),
            Err(names) => {
                section::unset(path, &names, findings);
                None
            }
        }
    }

    fn of_variable(&self, provider: &str, id: &str, path: &str, findings: &mut Findings) -> Option<SecretString> {
        let configured = self.provider(provider);
        if configured.is_none() && provider != self.default_provider("env") {
            no_provider(provider, path, findings);
            return None;
        }
        if configured.is_some_and(|configured| !is_source(configured, "env")) {
            wrong_provider(provider, path, findings);
            return None;
        }
        if let Some(Node::List(names)) = configured.and_then(|configured| configured.get("allowlist")) {
            let is_listed = names.iter().any(|name| matches!(name, Node::Text(name) if name == id));
            if !is_listed {
                let remedy = "Add it to the provider's allowlist in `secrets.providers`.";
                findings.error(path, "refers to a variable that its provider does not allow.", remedy);
                return None;
            }
        }
        if !is_name(id) {
            let remedy = "An id of source \"env\" is the name of a variable, in capitals.";
            findings.error(path, "refers to something that is no variable.", remedy);
            return None;
        }
        self.variable(id, path, findings)
    }

    fn variable(&self, name: &str, path: &str, findings: &mut Findings) -> Option<SecretString> {
        let secret = self.environment.secret(name);
        if secret.is_none() {
            section::unset(path, &[name.to_owned()], findings);
        }
        secret
    }

    fn of_file(&self, provider: &str, id: &str, path: &str, findings: &mut Findings) -> Option<SecretString> {
        let Some(configured) = self.provider(provider) else {
            no_provider(provider, path, findings);
            return None;
        };
        if !is_source(configured, "file") {
            wrong_provider(provider, path, findings);
            return None;
        }
        match self.look_up(configured, id) {
            Ok(secret) => Some(secret),
            Err((problem, remedy)) => {
                findings.error(path, format!("refers to a file {problem}"), remedy);
                None
            }
        }
    }

    /// What a file holds under an id; or what is wrong with it, and the remedy.
    fn look_up(&self, provider: &Node, id: &str) -> Result<SecretString, (String, &'static str)> {
        let name_it = "Set an absolute path in `secrets.providers`, of a file that this program may read.";
        let file = self.file(provider).ok_or_else(|| ("whose path is missing or not absolute.".to_owned(), name_it))?;
        let is_open = matches!(provider.get("allowInsecurePath"), Some(Node::Flag(true)));
        let text = read(&file, is_open).map_err(|problem| {
            (problem, "It has to be a file of at most 1 MiB that only its owner reads: `chmod 600` it.")
        })?;
        let secret = match provider.get("mode") {
            Some(Node::Text(mode)) if mode == "singleValue" => {
                let whole =
                    text.strip_suffix('\n').map_or(text.as_str(), |text| text.strip_suffix('\r').unwrap_or(text));
                (id == "value").then(|| whole.to_owned())
            }
            _ => document::parse(&text, "", DEEPEST).ok().and_then(|parsed| pointed_at(&parsed.root, id)),
        };
        let missing = || {
            let remedy = "In a JSON file an id is a pointer such as \"/twilio/authToken\" to a text; in mode \
                \"singleValue\" it is \"value\".";
            ("that holds no text under this id.".to_owned(), remedy)
        };
        secret.filter(|text| is_secret(text)).map(SecretString::from).ok_or_else(missing)
    }

    fn file(&self, provider: &Node) -> Option<PathBuf> {
        let Some(Node::Text(path)) = provider.get("path") else { return None };
        let path = substitute(path, self.environment).ok()?;
        let path = match path.strip_prefix("~/") {
            Some(rest) => Path::new(self.environment.get("HOME")?).join(rest),
            None => PathBuf::from(path),
        };
        path.is_absolute().then_some(path)
    }

    fn provider(&self, name: &str) -> Option<&Node> {
        self.secrets?.get("providers")?.get(name)
    }

    fn default_provider(&self, source: &str) -> &str {
        match self.secrets.and_then(|secrets| secrets.get("defaults")?.get(source)) {
            Some(Node::Text(name)) => name,
            _ => "default",
        }
    }
}

/// Whether it is more than nothing or a placeholder: with an empty key any signature could be made.
fn is_secret(text: &str) -> bool {
    let text = text.trim();
    !text.is_empty() && !text.starts_with("PLACEHOLDER")
}

fn is_source(provider: &Node, source: &str) -> bool {
    matches!(provider.get("source"), Some(Node::Text(text)) if text == source)
}

fn no_provider(name: &str, path: &str, findings: &mut Findings) {
    let problem = format!("refers to the provider {}, which is not set up.", document::child("", name));
    findings.error(
        path,
        problem,
        "Set it up in `secrets.providers`, or use { source: \"env\", provider: \"default\" }.",
    );
}

fn wrong_provider(name: &str, path: &str, findings: &mut Findings) {
    let problem = format!("refers to the provider {}, which is of another source.", document::child("", name));
    findings.error(path, problem, "Name the source that the provider has in `secrets.providers`.");
}

/// The text of a file that only its owner reads, unless the configuration says that it may be otherwise.
fn read(file: &Path, is_open: bool) -> Result<String, String> {
    let unreadable = |error: std::io::Error| format!("that cannot be read: {error}.");
    let metadata = fs::metadata(file).map_err(unreadable)?;
    if !metadata.is_file() || metadata.len() > LARGEST {
        return Err("that is no regular file, or too large.".to_owned());
    }
    if !is_open && metadata.permissions().mode() & 0o077 != 0 {
        return Err("that others may read or write.".to_owned());
    }
    fs::read_to_string(file).map_err(unreadable)
}

/// The text that a JSON pointer leads to.
fn pointed_at(root: &Node, pointer: &str) -> Option<String> {
    let mut node = root;
    for step in pointer.strip_prefix('/')?.split('/') {
        node = node.get(&step.replace("~1", "/").replace("~0", "~"))?;
    }
    match node {
        Node::Text(text) => Some(text.clone()),
        _ => None,
    }
}
