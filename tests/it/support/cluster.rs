//! A PostgreSQL of one test's own, for what the shared one must be spared: crashes, and copies of its files.

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use mission_control::private_postgres::{Options, PrivatePostgres, Purpose};
use rustix::process::geteuid;
use sqlx::ConnectOptions as _;
use sqlx::postgres::PgConnectOptions;
use tempfile::TempDir;

/// The cluster; at the end of its test it is gone.
pub(crate) struct Cluster {
    postgres: PrivatePostgres,
    folder: TempDir,
    programs: PathBuf,
}

impl Cluster {
    /// A cluster that keeps its promises in a crash, with an empty database.
    pub(crate) async fn start() -> Self {
        let folder = TempDir::new().expect("a folder");
        // Where tests run as root, PostgreSQL's own account must be able to enter.
        std::fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("open to enter");
        let postgres = start(folder.path()).await;
        let programs = programs(&postgres.connect_options()).await;
        Self { postgres, folder, programs }
    }

    /// The way to its database.
    pub(crate) fn options(&self) -> PgConnectOptions {
        self.postgres.connect_options()
    }

    /// Ends it as a crash does, and starts it again: it recovers from its log.
    pub(crate) fn crash_and_recover(&self) {
        self.control(&["restart", "--mode=immediate", "--log=start.log"]);
    }

    /// Stops it in order.
    pub(crate) fn stop(&self) {
        self.control(&["stop", "--mode=fast"]);
    }

    /// Starts it after a stop.
    pub(crate) async fn start_again(&mut self) {
        self.postgres = start(self.folder.path()).await;
    }

    /// Copies the files of a stopped cluster, or puts such a copy back in their place.
    pub(crate) fn copy(&self, from: &str, to: &str) {
        let parent = self.postgres.location().parent().expect("a parent");
        let _ = std::fs::remove_dir_all(parent.join(to));
        let copied = Command::new("cp").arg("-a").args([parent.join(from), parent.join(to)]).status();
        assert!(copied.expect("cp").success());
    }

    fn control(&self, arguments: &[&str]) {
        let location = self.postgres.location();
        let mut command = Command::new(self.programs.join("pg_ctl"));
        // No output of ours: the server would keep it open.
        command.current_dir(location).args(arguments).args(["--pgdata=.", "--wait", "--silent"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if geteuid().is_root() {
            let owner = location.metadata().expect("its folder");
            command.uid(owner.uid()).gid(owner.gid());
        }
        assert!(command.status().expect("pg_ctl").success(), "{arguments:?}");
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if self.postgres.location().join("postmaster.pid").exists() {
            self.control(&["stop", "--mode=immediate"]);
        }
    }
}

async fn start(folder: &Path) -> PrivatePostgres {
    let options = Options { purpose: Purpose::Command, durable: true };
    PrivatePostgres::start(folder, options).await.unwrap_or_else(|error| panic!("{error}"))
}

/// The folder of the server's own programs: a dump is to be made by those of the same version.
pub(crate) async fn programs(options: &PgConnectOptions) -> PathBuf {
    let mut connection = options.connect().await.expect("the database answers");
    let folder: String = sqlx::query_scalar("select setting from pg_config where name = 'BINDIR'")
        .fetch_one(&mut connection)
        .await
        .expect("its folder");
    folder.into()
}
