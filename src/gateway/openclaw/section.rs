//! One object of the document, read key by key; whatever does not fit is found, and the reading goes on.

use std::ops::RangeInclusive;

use super::document::{Map, Node, child};
use super::finding::Findings;
use super::keys::{self, Keys, Use};
use super::substitute::substitute;
use crate::config::Environment;
use crate::phone::PhoneNumber;

/// An object; one that is not there has no entries.
pub(super) struct Section<'a> {
    path: String,
    entries: Option<&'a Map>,
    environment: &'a Environment,
}

impl<'a> Section<'a> {
    /// The object that a value should be.
    pub(super) fn of(
        value: Option<&'a Node>,
        path: String,
        environment: &'a Environment,
        findings: &mut Findings,
    ) -> Self {
        let entries = match value {
            Some(Node::Map(map)) => Some(map),
            Some(other) => {
                findings.error(&path, format!("is {}, not an object.", other.kind()), "Write `{ ... }` there.");
                None
            }
            None => None,
        };
        Self { path, entries, environment }
    }

    pub(super) fn is_there(&self) -> bool {
        self.entries.is_some()
    }

    /// The path of one of its keys.
    pub(super) fn at(&self, key: &str) -> String {
        child(&self.path, key)
    }

    pub(super) fn value(&self, key: &str) -> Option<&'a Node> {
        self.entries?.get(key)
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = (&'a String, &'a Node)> {
        self.entries.into_iter().flatten()
    }

    /// The object at a key.
    pub(super) fn section(&self, key: &str, findings: &mut Findings) -> Section<'a> {
        Section::of(self.value(key), self.at(key), self.environment, findings)
    }

    /// Finds every key that is not known, has moved, or is not served.
    pub(super) fn check_keys(&self, known: Keys, findings: &mut Findings) {
        for (key, _) in self.entries() {
            let path = self.at(key);
            match keys::find(known, key) {
                Some(Use::Served | Use::Idle) => {}
                Some(Use::Ignored(why)) => {
                    findings.warning(&path, "is not served by this gateway.", format!("It may stay; {why}."));
                }
                Some(Use::Moved(to)) => findings.error(
                    &path,
                    "is an old key, which OpenClaw does not read any longer.",
                    format!("Move its value to {to}; `openclaw doctor --fix` does it."),
                ),
                None => findings.error(&path, "is not a key that voice-call knows.", unknown_key(known, key)),
            }
        }
    }

    /// A text with its variables put in. One that is empty or a placeholder counts as not there.
    pub(super) fn text(&self, key: &str, findings: &mut Findings) -> Option<String> {
        self.text_of(self.value(key)?, &self.at(key), findings)
    }

    /// A list of texts, each with its path.
    pub(super) fn texts(&self, key: &str, findings: &mut Findings) -> Vec<(String, String)> {
        let path = self.at(key);
        match self.value(key) {
            None => Vec::new(),
            Some(Node::List(items)) => items
                .iter()
                .enumerate()
                .filter_map(|(index, item)| {
                    let path = format!("{path}[{index}]");
                    let text = self.text_of(item, &path, findings)?;
                    Some((path, text))
                })
                .collect(),
            Some(other) => {
                findings.error(&path, format!("is {}, not a list.", other.kind()), "Write `[\"...\"]` there.");
                Vec::new()
            }
        }
    }

    pub(super) fn flag(&self, key: &str, findings: &mut Findings) -> Option<bool> {
        match self.value(key)? {
            Node::Flag(flag) => Some(*flag),
            other => {
                findings.error(&self.at(key), format!("is {}, not a boolean.", other.kind()), "Write true or false.");
                None
            }
        }
    }

    /// A whole number within a range, or the default.
    pub(super) fn whole(&self, key: &str, range: RangeInclusive<u32>, default: u32, findings: &mut Findings) -> u32 {
        let Some(value) = self.value(key) else { return default };
        if let Node::Whole(number) = value
            && let Ok(number) = u32::try_from(*number)
            && range.contains(&number)
        {
            return number;
        }
        let problem = match value {
            Node::Whole(_) => "is out of range.".to_owned(),
            other => format!("is {}, not a whole number.", other.kind()),
        };
        let remedy = match range.end() {
            &u32::MAX => format!("Write a whole number from {} on, without quotes.", range.start()),
            end => format!("Write a whole number from {} to {end}, without quotes.", range.start()),
        };
        findings.error(&self.at(key), problem, remedy);
        default
    }

    /// What one of these words stands for.
    pub(super) fn word<T: Copy>(&self, key: &str, words: &[(&str, T)], findings: &mut Findings) -> Option<T> {
        let text = self.text(key, findings)?;
        let found = words.iter().find(|(word, _)| *word == text);
        if found.is_none() {
            let list: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            findings.error(&self.at(key), "is none of its words.", format!("Write one of: {}.", list.join(", ")));
        }
        found.map(|(_, value)| *value)
    }

    /// A telephone number.
    pub(super) fn number(&self, key: &str, findings: &mut Findings) -> Option<PhoneNumber> {
        e164(&self.text(key, findings)?, &self.at(key), findings)
    }

    fn text_of(&self, value: &Node, path: &str, findings: &mut Findings) -> Option<String> {
        let Node::Text(raw) = value else {
            findings.error(path, format!("is {}, not a text.", value.kind()), "Write it between quotes.");
            return None;
        };
        match substitute(raw, self.environment) {
            Ok(text) => {
                let text = text.trim();
                (!text.is_empty() && !text.starts_with("PLACEHOLDER")).then(|| text.to_owned())
            }
            Err(names) => {
                unset(path, &names, findings);
                None
            }
        }
    }
}

/// Variables that a text needs and the environment does not have.
pub(super) fn unset(path: &str, names: &[String], findings: &mut Findings) {
    for name in names {
        findings.error(
            path,
            format!("needs the variable {name}, which is not set or is a placeholder."),
            format!(
                "Set {name} in the environment of this program or in a .env beside the configuration, \
                 or write $${{{name}}} if the text itself is meant."
            ),
        );
    }
}

/// What to do about a key that is not known.
fn unknown_key(known: Keys, key: &str) -> String {
    match keys::nearest(known, key) {
        Some(name) => format!("Did you mean {name}? OpenClaw does not start with unknown keys."),
        None => "Take it out: OpenClaw does not start with unknown keys.".to_owned(),
    }
}

/// A number exactly as E.164 writes it: nothing is dropped, nothing is added.
pub(super) fn e164(text: &str, path: &str, findings: &mut Findings) -> Option<PhoneNumber> {
    let remedy = match PhoneNumber::parse(text) {
        Ok(number) if number.as_str() == text => return Some(number),
        Ok(_) => "Write a plus and digits only, for example +14155550132.".to_owned(),
        Err(error) => error.to_string(),
    };
    findings.error(path, "is not a telephone number in E.164.", remedy);
    None
}
