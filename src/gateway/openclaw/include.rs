//! `$include`: files that are merged into the document where they are named. They stay within the folder of the first
//! file, whatever `..` and symbolic links say, and the chain of files is bounded.

use std::fs;
use std::path::{Path, PathBuf};

use super::document::{self, DEEPEST, Map, Node, Parsed, child};
use super::finding::Findings;
use super::{ENTRY, SECRETS};

const INCLUDE: &str = "$include";

/// Longest chain of files that include each other, as in `OpenClaw`.
const LONGEST_CHAIN: usize = 10;

/// Most files that are read for one document.
const MOST_FILES: usize = 100;

/// Most bytes of one file, as in `OpenClaw`.
const LARGEST: u64 = 2 * 1024 * 1024;

/// A document with all its files in it.
pub(super) struct Whole {
    pub(super) root: Node,
    /// The files that it was read from.
    pub(super) files: Vec<PathBuf>,
}

/// Reads a document and what it includes. `None`: the file itself cannot be read.
pub(super) fn read(file: &Path, findings: &mut Findings) -> Option<Whole> {
    let shown = file.display().to_string();
    let remedy = "Name the openclaw.json of the OpenClaw installation, readable by this program.";
    let real = match file.canonicalize() {
        Ok(real) => real,
        Err(error) => {
            findings.error(&shown, format!("cannot be read: {error}."), remedy);
            return None;
        }
    };
    let folder = real.parent().unwrap_or(&real).to_owned();
    let mut reading = Reading { folder, chain: Vec::new(), files: Vec::new(), findings };
    match reading.open(&real, &real, "", DEEPEST) {
        Ok(Node::Map(map)) => Some(Whole { root: Node::Map(map), files: reading.files }),
        Ok(node) => {
            let problem = format!("is {}, not an object.", node.kind());
            findings.error(&shown, problem, "Put everything between braces, as in openclaw.json.");
            None
        }
        Err(problem) => {
            findings.error(&shown, problem, remedy);
            None
        }
    }
}

struct Reading<'a> {
    /// No file outside of this folder is read.
    folder: PathBuf,
    /// The files that are being read, each included by the one before.
    chain: Vec<PathBuf>,
    files: Vec<PathBuf>,
    findings: &'a mut Findings,
}

impl Reading<'_> {
    /// Reads one file, whose content comes to stand at `path`.
    fn open(&mut self, file: &Path, real: &Path, path: &str, levels: usize) -> Result<Node, String> {
        if self.chain.iter().any(|open| open == real) {
            return Err("includes a file that includes it again.".to_owned());
        }
        if self.chain.len() > LONGEST_CHAIN {
            return Err(format!("includes files over more than {LONGEST_CHAIN} steps."));
        }
        if self.files.len() >= MOST_FILES {
            return Err(format!("needs more than {MOST_FILES} files."));
        }
        let text = text_of(real)?;
        let Parsed { root, duplicates } =
            document::parse(&text, path, levels).map_err(|error| format!("is not JSON5: {error}."))?;
        for duplicate in duplicates.iter().filter(|duplicate| concerns_us(duplicate)) {
            let remedy = "The last one counts. Take the others out, so that nobody reads the wrong one.";
            self.findings.warning(duplicate, "is there more than once.", remedy);
        }
        self.files.push(real.to_owned());
        self.chain.push(real.to_owned());
        let node = self.expand(root, file, path, levels);
        self.chain.pop();
        Ok(node)
    }

    fn expand(&mut self, node: Node, file: &Path, path: &str, levels: usize) -> Node {
        let deeper = levels.saturating_sub(1);
        match node {
            Node::List(items) => Node::List(
                items
                    .into_iter()
                    .enumerate()
                    .map(|(index, item)| self.expand(item, file, &format!("{path}[{index}]"), deeper))
                    .collect(),
            ),
            Node::Map(mut map) => {
                let include = map.remove(INCLUDE);
                let own: Map = map
                    .into_iter()
                    .map(|(key, value)| {
                        let value = self.expand(value, file, &child(path, &key), deeper);
                        (key, value)
                    })
                    .collect();
                match include {
                    Some(include) => self.included(include, own, file, path, levels),
                    None => Node::Map(own),
                }
            }
            other => other,
        }
    }

    /// What is included, with the object's own entries over it.
    fn included(&mut self, include: Node, own: Map, file: &Path, path: &str, levels: usize) -> Node {
        let names = match include {
            Node::Text(name) => vec![Node::Text(name)],
            Node::List(names) => names,
            other => vec![other],
        };
        let single = names.len() == 1;
        let mut merged = Node::Map(Map::new());
        for name in names {
            let Node::Text(name) = name else {
                self.complain(path, format!("has an {INCLUDE} that names {} instead of a file.", name.kind()));
                continue;
            };
            match self.file(&name, file, path, levels) {
                Ok(content) if single && own.is_empty() => return content,
                Ok(content @ Node::Map(_)) => merged = merge(merged, content),
                Ok(content) => {
                    let kind = content.kind();
                    self.complain(path, format!("includes {kind} where only an object can be merged."));
                }
                Err(problem) => self.complain(path, format!("has an {INCLUDE} that cannot be followed: it {problem}")),
            }
        }
        merge(merged, Node::Map(own))
    }

    fn file(&mut self, name: &str, from: &Path, path: &str, levels: usize) -> Result<Node, String> {
        let file = from.parent().unwrap_or(from).join(name);
        let real = file.canonicalize().map_err(|error| format!("names a file that cannot be read: {error}."))?;
        if !real.starts_with(&self.folder) {
            return Err("names a file outside of the configuration's folder.".to_owned());
        }
        self.open(&file, &real, path, levels)
    }

    /// A part of the document that is none of ours is not a reason to refuse it.
    fn complain(&mut self, path: &str, problem: String) {
        let path_or_root = if path.is_empty() { "the document" } else { path };
        let remedy = "Name files in the configuration's folder, relative to the file that includes them.";
        if concerns_us(path) {
            self.findings.error(path_or_root, problem, remedy);
        } else {
            self.findings.warning(path_or_root, problem, remedy);
        }
    }
}

/// Whether what stands at a path may change what is read here.
fn concerns_us(path: &str) -> bool {
    [ENTRY, SECRETS].iter().any(|ours| is_within(ours, path) || is_within(path, ours))
}

/// Whether `inner` is `outer` or stands in it.
fn is_within(inner: &str, outer: &str) -> bool {
    outer.is_empty()
        || inner
            .strip_prefix(outer)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.') || rest.starts_with('['))
}

/// What stands in a file, which has to be a regular one of a bearable size.
pub(super) fn text_of(file: &Path) -> Result<String, String> {
    let unreadable = |error: std::io::Error| format!("cannot be read: {error}.");
    let metadata = fs::metadata(file).map_err(unreadable)?;
    if !metadata.is_file() {
        return Err("is not a regular file.".to_owned());
    }
    if metadata.len() > LARGEST {
        return Err(format!("has more than {LARGEST} bytes."));
    }
    fs::read_to_string(file).map_err(unreadable)
}

/// Lists are joined, objects are merged, and of anything else the upper one counts.
fn merge(lower: Node, upper: Node) -> Node {
    match (lower, upper) {
        (Node::List(mut lower), Node::List(upper)) => {
            lower.extend(upper);
            Node::List(lower)
        }
        (Node::Map(mut lower), Node::Map(upper)) => {
            for (key, value) in upper {
                let value = match lower.remove(&key) {
                    Some(below) => merge(below, value),
                    None => value,
                };
                lower.insert(key, value);
            }
            Node::Map(lower)
        }
        (_, upper) => upper,
    }
}
