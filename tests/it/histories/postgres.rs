//! A PostgreSQL of one run's own, which may be ended as by a power cut.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use mission_control::private_postgres::{Options, PrivatePostgres, Purpose};
use rustix::process::{Pid, Signal, kill_process};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions as _, Connection as _};
use tempfile::TempDir;

use crate::support::way::Place;

/// Durable: what was committed is there after every end.
const OPTIONS: Options = Options { purpose: Purpose::Command, durable: true };

/// The cluster; it ends with the run.
pub(super) struct Postgres {
    cluster: PrivatePostgres,
    folder: TempDir,
}

impl Postgres {
    pub(super) async fn start() -> Self {
        let folder = TempDir::new().expect("a folder");
        // Where tests run as root, PostgreSQL's own account must be able to enter.
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("open to enter");
        Self { cluster: start(folder.path()).await, folder }
    }

    /// The straight way.
    pub(super) fn options(&self) -> PgConnectOptions {
        self.cluster.connect_options()
    }

    pub(super) fn place(&self) -> Place {
        let options = self.options();
        let folder = options.get_socket().expect("a Unix socket");
        Place::Socket(folder.join(format!(".s.PGSQL.{}", options.get_port())))
    }

    pub(super) async fn connect(&self) -> PgConnection {
        self.options().connect().await.expect("the database")
    }

    /// Ends it in the immediate mode, without a checkpoint and without a word to anybody, and starts it again.
    pub(super) async fn restart(&mut self) {
        end(self.cluster.location());
        self.cluster = start(self.folder.path()).await;
        self.connect().await.close().await.expect("it answers");
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        end(self.cluster.location());
        // It takes its file away as the last thing; then its folder can go.
        for _ in 0..100 {
            if !self.cluster.location().join("postmaster.pid").exists() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

async fn start(folder: &Path) -> PrivatePostgres {
    PrivatePostgres::start(folder, OPTIONS).await.unwrap_or_else(|error| panic!("{error}"))
}

/// What `pg_ctl stop -m immediate` does.
fn end(location: &Path) {
    let announced = fs::read_to_string(location.join("postmaster.pid")).unwrap_or_default();
    let pid = announced.lines().next().and_then(|pid| pid.parse().ok()).and_then(Pid::from_raw);
    if let Some(pid) = pid {
        // Fails if it has ended, which is what is wanted.
        let _ = kill_process(pid, Signal::QUIT);
    }
}
