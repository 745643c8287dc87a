//! A dump of a database, made and put back with PostgreSQL's own programs, as an operator does.

use std::path::PathBuf;
use std::process::Command;

use sqlx::postgres::PgConnectOptions;
use tempfile::NamedTempFile;

use super::cluster::programs;

/// What was in a database at one moment.
pub(crate) struct Dump {
    file: NamedTempFile,
    programs: PathBuf,
    database: PgConnectOptions,
}

impl Dump {
    pub(crate) async fn of(database: &PgConnectOptions) -> Self {
        let file = NamedTempFile::new().expect("a file");
        let dump = Self { file, programs: programs(database).await, database: database.clone() };
        dump.run("pg_dump", &["--format=custom", "--file", dump.path(), dump.name()]);
        dump
    }

    /// Puts it back: the database is dropped, whoever uses it, and made again from the file.
    pub(crate) fn restore(&self) {
        self.run("dropdb", &["--force", self.name()]);
        self.run("createdb", &[self.name()]);
        self.run("pg_restore", &["--exit-on-error", "--dbname", self.name(), self.path()]);
    }

    /// All of it as SQL.
    pub(crate) fn text(&self) -> String {
        self.run("pg_restore", &["--file", "-", self.path()])
    }

    fn run(&self, program: &str, arguments: &[&str]) -> String {
        let mut command = Command::new(self.programs.join(program));
        // Putting it out as text asks no server.
        if !arguments.contains(&"-") {
            command.arg("--host").arg(self.database.get_socket().expect("a Unix socket"));
            command.args(["--port", &self.database.get_port().to_string(), "--username", self.database.get_username()]);
        }
        let output = command.args(arguments).output().expect("the program starts");
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    }

    fn path(&self) -> &str {
        self.file.path().to_str().expect("a path")
    }

    fn name(&self) -> &str {
        self.database.get_database().expect("a database")
    }
}
