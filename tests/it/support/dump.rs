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

    /// What is in it, as text: every row of every table, and every name.
    pub(crate) fn text(&self) -> String {
        let mut command = Command::new(self.programs.join("pg_restore"));
        let output = command.args(["--file=-", self.path()]).output().expect("the program starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let mut command = Command::new(self.programs.join(program));
        command.arg("--host").arg(self.database.get_socket().expect("a Unix socket"));
        command.args(["--port", &self.database.get_port().to_string(), "--username", self.database.get_username()]);
        let output = command.args(arguments).output().expect("the program starts");
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn path(&self) -> &str {
        self.file.path().to_str().expect("a path")
    }

    fn name(&self) -> &str {
        self.database.get_database().expect("a database")
    }
}
