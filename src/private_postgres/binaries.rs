use std::collections::HashSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use super::account::bare;
use super::error::Error;

/// Oldest PostgreSQL that the schema is written for (`nulls not distinct`, `merge`).
pub(super) const MINIMUM_MAJOR: u32 = 15;

/// Where packages put their versions, and what such a version's folder is called.
const INSTALLATIONS: [(&str, &str); 6] = [
    ("/usr/lib/postgresql", ""),
    ("/usr", "pgsql-"),
    ("/opt/homebrew/opt", "postgresql"),
    ("/usr/local/opt", "postgresql"),
    ("/home/linuxbrew/.linuxbrew/opt", "postgresql"),
    ("/Applications/Postgres.app/Contents/Versions", ""),
];

/// The folder with the programs of one installed PostgreSQL.
#[derive(Debug)]
pub(super) struct Binaries(PathBuf);

impl Binaries {
    /// The first PostgreSQL that is new enough: the one the user's shell prefers, else the newest.
    pub(super) async fn find() -> Result<Self, Error> {
        Self::find_where(|major| major >= MINIMUM_MAJOR).await.ok_or(Error::NotInstalled)
    }

    /// A PostgreSQL that can read data of exactly this major version.
    pub(super) async fn of_version(major: u32) -> Option<Self> {
        Self::find_where(|found| found == major).await
    }

    async fn find_where(wanted: impl Fn(u32) -> bool) -> Option<Self> {
        let mut seen = HashSet::new();
        for folder in candidates().await {
            if seen.insert(folder.clone()) && is_complete(&folder) && version(&folder).await.is_some_and(&wanted) {
                return Some(Self(folder));
            }
        }
        None
    }

    pub(super) fn program(&self, name: &str) -> OsString {
        self.0.join(name).into_os_string()
    }
}

async fn candidates() -> Vec<PathBuf> {
    let mut folders = Vec::new();
    if let Some(folder) = output("pg_config".as_ref(), "--bindir").await {
        folders.push(PathBuf::from(folder.trim()));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    for folder in std::env::split_paths(&path) {
        // A link, as Homebrew and some images make them, leads to the folder that has all programs.
        let server = fs::canonicalize(folder.join("postgres"));
        folders.extend(server.ok().and_then(|server| server.parent().map(Path::to_owned)));
    }
    for (parent, prefix) in INSTALLATIONS {
        let mut versions: Vec<_> = fs::read_dir(parent)
            .into_iter()
            .flatten()
            .filter_map(Result::ok)
            .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
            .map(|entry| entry.path().join("bin"))
            .collect();
        versions.sort();
        folders.extend(versions.into_iter().rev());
    }
    folders
}

fn is_complete(folder: &Path) -> bool {
    ["postgres", "initdb", "pg_ctl"].iter().all(|program| folder.join(program).is_file())
}

async fn version(folder: &Path) -> Option<u32> {
    parse_major(&output(&folder.join("postgres"), "--version").await?)
}

async fn output(program: &Path, argument: &str) -> Option<String> {
    let output = bare(program).arg(argument).output().await.ok()?;
    output.status.success().then(|| String::from_utf8(output.stdout).ok()).flatten()
}

/// The major version in a line like `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`.
fn parse_major(line: &str) -> Option<u32> {
    let version = line.split_whitespace().nth(2)?;
    let digits = version.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::parse_major;

    #[test]
    fn the_major_version_is_read_from_every_way_it_is_written() {
        assert_eq!(parse_major("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"), Some(15));
        assert_eq!(parse_major("postgres (PostgreSQL) 18beta1"), Some(18));
        assert_eq!(parse_major("postgres (PostgreSQL) 9.6.24"), Some(9));
        assert_eq!(parse_major("postgres: command not found"), None);
    }
}
