//! The product as an operator runs it: the optimised program, with everything on and its log in a file.

use std::fs::{self, File, Permissions};
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::Context as _;
use mission_control::private_postgres::{self, PrivatePostgres, Purpose};
use rustix::process::{Pid, Signal, kill_process};
use sqlx::PgPool;
use tempfile::TempDir;

/// The account whose reports are believed.
pub(crate) const ACCOUNT_SID: &str = "AC0123456789abcdef0123456789abcdef";
/// What they are signed with.
pub(crate) const AUTH_TOKEN: &str = "5d41402abc4b2a76b9719d911017c592";

/// A running product, and a connection to its database beside it.
pub(crate) struct Product {
    pub(crate) process: Process,
    pub(crate) postgres: PrivatePostgres,
    pub(crate) db: PgPool,
    pub(crate) url: String,
    pub(crate) address: SocketAddr,
    /// Gone afterwards.
    pub(crate) folder: TempDir,
}

/// Killed when it is dropped.
pub(crate) struct Process {
    pub(crate) child: Child,
    /// Kept open: the program may go on writing.
    _output: BufReader<ChildStdout>,
}

impl Product {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        // PostgreSQL's account has to pass through it.
        let folder = tempfile::Builder::new().permissions(Permissions::from_mode(0o711)).tempdir()?;
        let log = File::create(folder.path().join("log"))?;
        let mut child = program(&folder, &["serve"]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn()?;
        let mut output = BufReader::new(child.stdout.take().context("an output")?);
        let mut line = String::new();
        output.read_line(&mut line)?;
        let process = Process { child, _output: output };
        let url = line.trim().strip_prefix("Mission Control: ").with_context(|| {
            format!("it did not start: {}", fs::read_to_string(folder.path().join("log")).unwrap_or_default())
        })?;
        let address = url.strip_prefix("http://").context("an address")?.parse()?;
        let options = private_postgres::Options { purpose: Purpose::Command, durable: true };
        let postgres = PrivatePostgres::start(&folder.path().join("data"), options).await?;
        let db = PgPool::connect_with(postgres.connect_options()).await?;
        Ok(Self { process, postgres, db, url: url.to_owned(), address, folder })
    }

    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        self.db.close().await;
        let pid = Pid::from_raw(self.process.child.id().try_into()?).context("a process id")?;
        kill_process(pid, Signal::TERM)?;
        let status = self.process.child.wait()?;
        self.postgres.stop().await?;
        anyhow::ensure!(status.success(), "it did not stop well: {status}");
        Ok(())
    }

    /// A token of the first admin that may ask.
    pub(crate) fn token(&self) -> anyhow::Result<String> {
        let arguments = ["token", "create", "--user", "admin@localhost", "--scope", "operations:write"];
        let made = program(&self.folder, &arguments).output()?;
        anyhow::ensure!(made.status.success(), "no token: {}", String::from_utf8_lossy(&made.stderr));
        Ok(String::from_utf8(made.stdout)?.trim().to_owned())
    }

    /// How many operations there are.
    pub(crate) async fn operations(&self) -> anyhow::Result<i64> {
        Ok(sqlx::query_scalar("select count(*) from operations").fetch_one(&self.db).await?)
    }

    pub(crate) async fn postgres_version(&self) -> anyhow::Result<String> {
        Ok(sqlx::query_scalar("show server_version").fetch_one(&self.db).await?)
    }

    /// Resident memory in kB.
    pub(crate) fn memory(&self) -> anyhow::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Fails if it has ended, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program, with every setting at its default but for the place, the account, and room for a thousand open pages.
fn program(folder: &TempDir, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mission-control"));
    command
        .args(arguments)
        .env_clear()
        .envs(std::env::vars_os().filter(|(name, _)| name == "PATH"))
        .env("MISSION_CONTROL_DATA_DIR", folder.path().join("data"))
        .env("MISSION_CONTROL_API_REQUESTS_PER_MINUTE", "0")
        .env("MISSION_CONTROL_LISTEN", "127.0.0.1:0")
        .env("MISSION_CONTROL_CONNECTIONS", "2048")
        .env("TWILIO_ACCOUNT_SID", ACCOUNT_SID)
        .env("TWILIO_AUTH_TOKEN", AUTH_TOKEN);
    command
}
