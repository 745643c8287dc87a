//! The `.env` beside a configuration: `OpenClaw` reads it, so a configuration may count on it. What is set in the
//! environment itself counts more.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use super::finding::Findings;
use super::include;
use super::substitute::is_name;
use crate::config::Environment;

/// The environment, completed by the `.env` in this folder.
pub(super) fn complete(environment: &Environment, folder: &Path, findings: &mut Findings) -> Environment {
    let mut completed = environment.clone();
    let file = folder.join(".env");
    if fs::metadata(&file).is_err_and(|error| error.kind() == ErrorKind::NotFound) {
        return completed;
    }
    match include::text_of(&file) {
        Ok(text) => {
            for (name, value) in text.lines().filter_map(assignment) {
                if environment.get(name).is_none() {
                    completed.set(name, value);
                }
            }
        }
        Err(problem) => {
            let remedy = "Make it readable for this program, or set its variables in the environment.";
            findings.warning(&file.display().to_string(), problem, remedy);
        }
    }
    completed
}

/// `NAME=value`, with or without `export` and quotes. Comments and everything else are passed over.
fn assignment(line: &str) -> Option<(&str, &str)> {
    let line = line.trim();
    let (name, value) = line.strip_prefix("export ").unwrap_or(line).split_once('=')?;
    let (name, value) = (name.trim(), value.trim());
    let quoted = |quote: char| value.strip_prefix(quote)?.split_once(quote).map(|(inside, _)| inside);
    let value = quoted('"').or_else(|| quoted('\'')).unwrap_or_else(|| match value.split_once(" #") {
        Some((value, _)) => value.trim_end(),
        None => value,
    });
    is_name(name).then_some((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assignments_are_read_as_a_shell_reads_them() {
        for (line, expected) in [
            ("TOKEN=abc", Some(("TOKEN", "abc"))),
            ("  export TOKEN = \"a # b\" # why", Some(("TOKEN", "a # b"))),
            ("TOKEN='a=b'", Some(("TOKEN", "a=b"))),
            ("TOKEN=abc # why", Some(("TOKEN", "abc"))),
            ("TOKEN=", Some(("TOKEN", ""))),
            ("TOKEN=\"open", Some(("TOKEN", "\"open"))),
            ("# TOKEN=abc", None),
            ("token=abc", None),
            ("nothing", None),
        ] {
            assert_eq!(assignment(line), expected, "{line}");
        }
    }
}
