//! The PostgreSQL that Mission Control runs for itself when no `DATABASE_URL` is set.
//!
//! One cluster belongs to one data folder. Everyone who uses it (the server, each sub-command) holds a shared lock;
//! whoever comes first starts the cluster, whoever leaves last stops it. It does not die with us: after a `kill -9`
//! of ours it runs on, and the next one to come joins it.

mod account;
mod binaries;
mod cluster;
mod error;
mod lock;
mod place;

pub use error::Error;

use std::path::{Path, PathBuf};

use sqlx::postgres::PgConnectOptions;

use cluster::Cluster;
use lock::{FileLock, ServeLock};

/// What the cluster is wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To serve: only one process at a time may do so on one data folder.
    Serve,
    /// For a sub-command: any number, beside a server or alone.
    Command,
}

/// How the cluster is wanted. Durability is decided by whoever starts it, not by those who join.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    pub purpose: Purpose,
    /// False trades safety in a power cut for speed. Only for tests.
    pub durable: bool,
}

/// One user of the private cluster. Dropped without [`PrivatePostgres::stop`], it leaves the cluster running.
#[derive(Debug)]
pub struct PrivatePostgres {
    data_dir: PathBuf,
    cluster: Cluster,
    in_use: FileLock,
    serving: Option<ServeLock>,
}

impl PrivatePostgres {
    /// Starts the cluster of this data folder, or joins it where it runs; on first use it is created.
    pub async fn start(data_dir: &Path, options: Options) -> Result<Self, Error> {
        let data_dir = place::prepare(data_dir)?;
        let serving = match options.purpose {
            Purpose::Serve => Some(ServeLock::take(&data_dir)?),
            Purpose::Command => None,
        };

        let start_up = lock::start_up(&data_dir).await?;
        let in_use = lock::in_use(&data_dir).await?;
        let mut cluster = Cluster::open_or_create(&data_dir, options.durable, &start_up).await?;
        cluster.bring_up(options.durable, &start_up).await?;
        drop(start_up);

        Ok(Self { data_dir, cluster, in_use, serving })
    }

    /// How to connect: over the Unix socket, to the database `mission_control`.
    pub fn connect_options(&self) -> PgConnectOptions {
        self.cluster.connect_options()
    }

    /// The folder that holds the data, which is not always inside the data folder.
    pub fn location(&self) -> &Path {
        self.cluster.folder()
    }

    /// Leaves the cluster; the last one to leave stops it. Close the connections first.
    pub async fn stop(self) -> Result<(), Error> {
        // Under the start-up lock nobody can join between "we are the last" and the stop.
        let start_up = lock::start_up(&self.data_dir).await?;
        if self.in_use.try_become_exclusive()? {
            self.cluster.shut_down(&start_up).await?;
        }
        self.in_use.release()?;
        self.serving.map_or(Ok(()), ServeLock::release)
    }
}
