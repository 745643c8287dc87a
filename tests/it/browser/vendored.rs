//! What others wrote and we ship is byte for byte what was looked at.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

/// Each file that a list of sums names, checked, and the list itself.
fn checked(list: &Path) -> Vec<PathBuf> {
    let folder = list.parent().expect("a folder");
    let sums = fs::read_to_string(list).expect("the sums");
    let named = sums.lines().map(|line| {
        let (sum, name) = line.split_once("  ").unwrap_or_else(|| panic!("{line}"));
        let path = folder.join(name);
        let content = fs::read(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
        let digest = Sha256::digest(content);
        let found = digest.iter().fold(String::new(), |digits, byte| format!("{digits}{byte:02x}"));
        assert_eq!(found, sum, "{name} was changed");
        path
    });
    named.chain([list.to_owned()]).collect()
}

#[test]
fn nothing_that_is_vendored_was_changed_or_came_in_unseen() {
    for place in ["static/vendor", "tests/vendor"] {
        let mut found = Vec::new();
        files(&Path::new(env!("CARGO_MANIFEST_DIR")).join(place), &mut found);
        let lists = found.iter().filter(|path| path.ends_with("SHA256SUMS"));
        let named: BTreeSet<PathBuf> = lists.flat_map(|list| checked(list)).collect();
        assert!(!named.is_empty(), "{place} has no sums");
        let unseen: Vec<_> = found.iter().filter(|path| !named.contains(*path)).collect();
        assert!(unseen.is_empty(), "without a sum: {unseen:?}");
        let licensed =
            |path: &&PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("LICENSE"));
        assert!(found.iter().any(|path| licensed(&path)), "{place} has no licence");
    }
}
