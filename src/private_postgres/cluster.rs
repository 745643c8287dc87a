use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{ConnectOptions, Connection};
use tokio::time::{Instant, sleep};

use super::account::{Account, run};
use super::binaries::Binaries;
use super::error::{Error, cannot};
use super::lock::FileLock;
use super::place;

/// PostgreSQL's own superuser; nobody but its account and root can reach the socket.
const SUPERUSER: &str = "postgres";
const DATABASE: &str = "mission_control";
/// Longest recovery after a crash that we wait for: the write-ahead log to replay is about 1 GB at most.
const START: Duration = Duration::from_mins(5);
/// Longest wait for the remains of a killed PostgreSQL to go away: its processes end when they notice.
const REMAINS: Duration = Duration::from_secs(30);
/// Pause between two tries.
const RETRY: Duration = Duration::from_millis(100);

/// Settings of every start. Everything else is as `initdb` found it right, or as set with `ALTER SYSTEM`.
const SETTINGS: [&str; 13] = [
    "cluster_name=mission-control",
    // Only the Unix socket, and only for the account itself and root: connections are trusted without a password.
    "listen_addresses=",
    "unix_socket_permissions=0700",
    "port=5432",
    "max_connections=200",
    "timezone=UTC",
    // One log file for each day of the week, overwritten a week later, and without the content of rows.
    "logging_collector=on",
    "log_filename=postgresql-%a.log",
    "log_rotation_age=1d",
    "log_rotation_size=0",
    "log_truncate_on_rotation=on",
    "log_checkpoints=off",
    "log_error_verbosity=terse",
];
const NOT_DURABLE: [&str; 3] = ["fsync=off", "synchronous_commit=off", "full_page_writes=off"];

/// One PostgreSQL cluster on disk, and how to reach its server.
#[derive(Debug)]
pub(super) struct Cluster {
    folder: PathBuf,
    account: Account,
    binaries: Binaries,
    socket_folder: PathBuf,
}

/// What a server says to someone who connects.
enum Answer {
    Ready,
    /// Ready, but our database does not exist yet.
    NoDatabase,
    /// Recovering, or about to stop.
    NotNow,
    Silence,
}

impl Cluster {
    pub(super) async fn open_or_create(data_dir: &Path, durable: bool, lock: &FileLock) -> Result<Self, Error> {
        if let Some(folder) = place::existing(data_dir)? {
            return Self::open(folder).await;
        }
        let binaries = Binaries::find().await?;
        let account = Account::for_new_cluster().await?;
        let folder = place::for_new_cluster(data_dir, account).await?;
        let cluster = Self { socket_folder: folder.clone(), folder, account, binaries };
        cluster.create(durable, lock).await?;
        place::remember(data_dir, &cluster.folder)?;
        Ok(cluster)
    }

    async fn open(folder: PathBuf) -> Result<Self, Error> {
        let account = Account::owning(&folder)?;
        if !account.can_enter(&folder).await {
            return Err(Error::Unreachable { folder, uid: account.uid });
        }
        let version = fs::read_to_string(folder.join("PG_VERSION")).ok();
        let Some(major) = version.and_then(|version| version.trim().parse().ok()) else {
            return Err(Error::NotACluster(folder));
        };
        let Some(binaries) = Binaries::of_version(major).await else {
            return Err(Error::VersionMissing { folder, major });
        };
        Ok(Self { socket_folder: folder.clone(), folder, account, binaries })
    }

    /// Runs `initdb` beside the final place and moves the result there: what has the final name is complete.
    async fn create(&self, durable: bool, lock: &FileLock) -> Result<(), Error> {
        let unfinished = self.folder.with_extension("new");
        place::make_private(&unfinished, self.account)?;

        let mut command = self.account.command(&self.binaries.program("initdb"));
        command.arg("--pgdata").arg(&unfinished);
        command.args(["--username", SUPERUSER, "--auth=trust"]);
        command.args(["--encoding=UTF8", "--locale=C", "--data-checksums"]);
        if !durable {
            command.arg("--no-sync");
        }
        run(command, lock.share()?).await?;

        fs::rename(&unfinished, &self.folder).map_err(cannot("create", &self.folder))?;
        // Or a power cut could undo the new name after we have said that something is stored.
        if let Some(parent) = self.folder.parent() {
            File::open(parent).and_then(|parent| parent.sync_all()).map_err(cannot("store", parent))?;
        }
        Ok(())
    }

    /// Sees to it that the server runs and that our database exists.
    pub(super) async fn bring_up(&mut self, durable: bool, lock: &FileLock) -> Result<(), Error> {
        // One that runs already says itself where its socket is: it may have been started under another `TMPDIR`.
        if let Some(folder) = self.announced_socket_folder() {
            self.socket_folder = folder;
        }
        let started = Instant::now();
        while started.elapsed() < START {
            match self.ask().await? {
                Answer::Ready => return Ok(()),
                Answer::NoDatabase => self.create_database().await?,
                Answer::NotNow => sleep(RETRY).await,
                Answer::Silence => {
                    let is_clean = !self.folder.join("postmaster.pid").exists();
                    match self.start(durable, lock).await {
                        Err(_) if !is_clean && started.elapsed() < REMAINS => sleep(RETRY).await,
                        outcome => outcome?,
                    }
                }
            }
        }
        Err(Error::NotReady { folder: self.folder.clone(), seconds: START.as_secs() })
    }

    /// Stops the server; open connections are cut.
    pub(super) async fn shut_down(&self, lock: &FileLock) -> Result<(), Error> {
        // At a shutdown of the whole machine it may be gone before us.
        if !matches!(self.ask().await, Ok(Answer::Silence)) {
            let mut command = self.control("stop");
            command.args(["--mode=fast", "--timeout=120"]);
            run(command, lock.share()?).await?;
        }
        if self.socket_folder != self.folder {
            // The next start makes it again; if a killed server left its socket in there, it stays for that.
            let _ = fs::remove_dir(&self.socket_folder);
        }
        Ok(())
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn connect_options(&self) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .socket(&self.socket_folder)
            .port(5432)
            .username(SUPERUSER)
            .database(DATABASE)
            .ssl_mode(PgSslMode::Disable)
    }

    async fn start(&mut self, durable: bool, lock: &FileLock) -> Result<(), Error> {
        self.socket_folder = place::socket_folder(&self.folder, self.account).await?;
        let socket_folder = if self.socket_folder == self.folder {
            // Relative, because `pg_ctl` hands all of this to a shell and the path may hold any character.
            ".".to_owned()
        } else {
            self.socket_folder.to_string_lossy().into_owned()
        };
        let mut settings = format!("-c unix_socket_directories={socket_folder}");
        let not_durable = if durable { &[][..] } else { &NOT_DURABLE };
        for setting in SETTINGS.iter().chain(not_durable) {
            settings.push_str(" -c ");
            settings.push_str(setting);
        }

        // Only what this start says is wanted below.
        let _ = fs::remove_file(self.folder.join("start.log"));
        let mut command = self.control("start");
        command.args(["--log=start.log", "--options", &settings]).arg(format!("--timeout={}", START.as_secs()));
        run(command, lock.share()?).await.map_err(|error| match error {
            Error::Failed { program, output } => {
                let log = fs::read_to_string(self.folder.join("start.log")).unwrap_or_default();
                let output = format!("{output}\n{}", log.trim());
                Error::Failed { program, output }
            }
            error => error,
        })
    }

    /// `pg_ctl`, which gives the server a session of its own. It runs in the cluster's folder and is given no path:
    /// it would put one into a shell command in double quotes.
    fn control(&self, action: &str) -> tokio::process::Command {
        let mut command = self.account.command(&self.binaries.program("pg_ctl"));
        command.current_dir(&self.folder).args([action, "--pgdata=.", "--wait", "--silent"]);
        command
    }

    /// The fifth line of the file that a running server keeps: see "postmaster.pid" in PostgreSQL's documentation.
    fn announced_socket_folder(&self) -> Option<PathBuf> {
        let announced = fs::read_to_string(self.folder.join("postmaster.pid")).ok()?;
        let folder = match announced.lines().nth(4)? {
            "." => self.folder.clone(),
            folder => PathBuf::from(folder),
        };
        place::is_private(&folder, self.account).then_some(folder)
    }

    async fn ask(&self) -> Result<Answer, Error> {
        let refusal = match self.connect_options().connect().await {
            Ok(connection) => {
                let _ = connection.close().await;
                return Ok(Answer::Ready);
            }
            Err(refusal) => refusal,
        };
        let Some(error) = refusal.as_database_error() else {
            return Ok(Answer::Silence);
        };
        match error.code().as_deref() {
            Some("3D000") => Ok(Answer::NoDatabase),
            Some("57P03") => Ok(Answer::NotNow),
            _ => Err(self.refused(refusal)),
        }
    }

    async fn create_database(&self) -> Result<(), Error> {
        let mut connection =
            self.connect_options().database("postgres").connect().await.map_err(|error| self.refused(error))?;
        sqlx::raw_sql("create database mission_control")
            .execute(&mut connection)
            .await
            .map_err(|error| self.refused(error))?;
        connection.close().await.map_err(|error| self.refused(error))
    }

    fn refused(&self, source: sqlx::Error) -> Error {
        Error::Refused { folder: self.folder.clone(), source }
    }
}
