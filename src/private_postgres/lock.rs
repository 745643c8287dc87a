//! Three lock files in the data folder. The kernel frees a lock when its process ends in whatever way, so none of
//! them can be left behind.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::time::{Instant, sleep};

use super::error::{Error, cannot};

/// Longest wait for another process that creates, recovers or stops the cluster.
const PATIENCE: Duration = Duration::from_mins(10);
/// Pause between two tries to take a lock: short beside the second that a start takes.
const RETRY: Duration = Duration::from_millis(50);

/// One locked file; unlocked when dropped.
#[derive(Debug)]
pub(super) struct FileLock {
    file: File,
    path: PathBuf,
}

/// Held while the cluster is created, started or stopped: two processes at once do not race.
pub(super) async fn start_up(data_dir: &Path) -> Result<FileLock, Error> {
    FileLock::wait_for(data_dir.join("postgres-start.lock"), FlockOperation::NonBlockingLockExclusive).await
}

/// Held by everyone who uses the cluster, as long as they use it.
pub(super) async fn in_use(data_dir: &Path) -> Result<FileLock, Error> {
    FileLock::wait_for(data_dir.join("postgres.lock"), FlockOperation::NonBlockingLockShared).await
}

impl FileLock {
    fn open(path: PathBuf) -> Result<Self, Error> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(cannot("open", &path))?;
        Ok(Self { file, path })
    }

    async fn wait_for(path: PathBuf, operation: FlockOperation) -> Result<Self, Error> {
        let lock = Self::open(path)?;
        let deadline = Instant::now() + PATIENCE;
        while !lock.try_lock(operation)? {
            if Instant::now() >= deadline {
                return Err(Error::Locked { path: lock.path, seconds: PATIENCE.as_secs() });
            }
            sleep(RETRY).await;
        }
        Ok(lock)
    }

    fn try_lock(&self, operation: FlockOperation) -> Result<bool, Error> {
        match flock(&self.file, operation) {
            Ok(()) => Ok(true),
            Err(Errno::WOULDBLOCK) => Ok(false),
            Err(errno) => Err(cannot("lock", &self.path)(errno.into())),
        }
    }

    /// Whether nobody else holds the lock. The change is not atomic and a failed one may lose the shared lock,
    /// so this is for those who are leaving.
    pub(super) fn try_become_exclusive(&self) -> Result<bool, Error> {
        self.try_lock(FlockOperation::NonBlockingLockExclusive)
    }

    /// Unlocks at once. Closing the file alone does not while a child that is just being started still has a copy.
    pub(super) fn release(self) -> Result<(), Error> {
        flock(&self.file, FlockOperation::Unlock).map_err(|errno| cannot("unlock", &self.path)(errno.into()))
    }

    /// A second handle on the same lock: a child that holds it keeps the lock until it ends, even if we are killed.
    pub(super) fn share(&self) -> Result<File, Error> {
        self.file.try_clone().map_err(cannot("share", &self.path))
    }
}

/// Held by the one process that serves this data folder; the file says which.
#[derive(Debug)]
pub(super) struct ServeLock(FileLock);

impl ServeLock {
    pub(super) fn take(data_dir: &Path) -> Result<Self, Error> {
        let mut lock = FileLock::open(data_dir.join("serve.lock"))?;
        if !lock.try_lock(FlockOperation::NonBlockingLockExclusive)? {
            return Err(Error::AlreadyServing { data_dir: data_dir.to_owned(), holder: holder(&mut lock.file) });
        }
        lock.file.set_len(0).map_err(cannot("write", &lock.path))?;
        writeln!(lock.file, "{}", process::id()).map_err(cannot("write", &lock.path))?;
        Ok(Self(lock))
    }

    pub(super) fn release(self) -> Result<(), Error> {
        self.0.release()
    }
}

/// Who holds the serve lock, in words. The file is written once, so its age is the age of that server.
fn holder(file: &mut File) -> String {
    let mut pid = String::new();
    let since = file
        .read_to_string(&mut pid)
        .and_then(|_| file.metadata()?.modified())
        .ok()
        .and_then(|written| OffsetDateTime::from(written).replace_nanosecond(0).ok())
        .and_then(|written| written.format(&Rfc3339).ok());
    match (pid.trim(), since) {
        ("", _) | (_, None) => "one that is just starting".to_owned(),
        (pid, Some(since)) => format!("process {pid}, running since {since}"),
    }
}
