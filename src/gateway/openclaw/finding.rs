//! What is found in a configuration: where, what is wrong, and what to do about it.

use std::fmt;

/// Whether a finding stands in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The gateway does not start with it.
    Error,
    /// It starts, and somebody should know.
    Warning,
}

/// One thing that was found. It never repeats a value of the document, which may be a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Whether it stands in the way.
    pub severity: Severity,
    /// Where in the document, as `plugins.entries.voice-call.config.serve.port`; or the file.
    pub path: String,
    /// What is wrong, to be read after the path.
    pub problem: String,
    /// What to do.
    pub remedy: String,
    /// The line of the plugin's `config` that would end it, where there is one.
    pub line: Option<String>,
}

/// Everything that was found, in the order of the document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings(Vec<Finding>);

impl Findings {
    /// What was found.
    pub fn iter(&self) -> impl Iterator<Item = &Finding> {
        self.0.iter()
    }

    /// How many of them stand in the way.
    pub fn errors(&self) -> usize {
        self.iter().filter(|finding| finding.severity == Severity::Error).count()
    }

    pub(super) fn error(&mut self, path: &str, problem: impl Into<String>, remedy: impl Into<String>) {
        self.add(Severity::Error, path, problem.into(), remedy.into(), None);
    }

    pub(super) fn warning(&mut self, path: &str, problem: impl Into<String>, remedy: impl Into<String>) {
        self.add(Severity::Warning, path, problem.into(), remedy.into(), None);
    }

    /// An error that one line in the plugin's `config` would end.
    pub(super) fn lacking(&mut self, path: &str, problem: &str, remedy: &str, line: String) {
        self.add(Severity::Error, path, problem.to_owned(), remedy.to_owned(), Some(line));
    }

    pub(super) fn into_vec(self) -> Vec<Finding> {
        self.0
    }

    fn add(&mut self, severity: Severity, path: &str, problem: String, remedy: String, line: Option<String>) {
        let path = path.to_owned();
        self.0.push(Finding { severity, path, problem, remedy, line });
    }
}

/// On one line, for a log; `{:#}` on two, for a terminal.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let (path, problem, remedy) = (&self.path, &self.problem, &self.remedy);
        let between = if f.alternate() { "\n    " } else { " " };
        write!(f, "{severity}: {path} {problem}{between}{remedy}")
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.0 {
            writeln!(f, "{finding:#}")?;
        }
        let lines: Vec<&str> = self.0.iter().filter_map(|finding| finding.line.as_deref()).collect();
        if !lines.is_empty() {
            writeln!(f, "\nAdd to plugins.entries.voice-call.config:\n")?;
            for line in lines {
                writeln!(f, "          {line}")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Findings {}
