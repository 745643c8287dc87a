use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::fs::{MetadataExt, lchown};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use rustix::process::{getegid, geteuid};
use tokio::process::Command;

use super::error::{Error, cannot};

/// The operating system account that PostgreSQL runs as: ourselves, or another one where we are root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

impl Account {
    /// The account for a new cluster.
    pub(super) async fn for_new_cluster() -> Result<Self, Error> {
        let ours = Self::ours();
        if ours.uid != 0 {
            return Ok(ours);
        }
        for name in ["postgres", "nobody"] {
            if let (Some(uid), Some(gid)) = (id("-u", name).await, id("-g", name).await)
                && uid != 0
            {
                return Ok(Self { uid, gid });
            }
        }
        Err(Error::NoAccount)
    }

    /// The account that owns an existing cluster, provided we can act as it.
    pub(super) fn owning(folder: &Path) -> Result<Self, Error> {
        let metadata = folder.metadata().map_err(cannot("read", folder))?;
        let owner = Self { uid: metadata.uid(), gid: metadata.gid() };
        let ours = Self::ours();
        if owner.uid == ours.uid && ours.uid != 0 {
            Ok(ours)
        } else if ours.uid == 0 && owner.uid != 0 {
            Ok(owner)
        } else {
            Err(Error::ForeignOwner { folder: folder.to_owned(), owner: owner.uid, ours: ours.uid })
        }
    }

    fn ours() -> Self {
        Self { uid: geteuid().as_raw(), gid: getegid().as_raw() }
    }

    /// Gives a file that we have just made to this account.
    pub(super) fn take_over(self, path: &Path) -> Result<(), Error> {
        if self == Self::ours() {
            return Ok(());
        }
        // Not `chown`: it would follow a symbolic link that someone put there meanwhile.
        lchown(path, Some(self.uid), Some(self.gid)).map_err(cannot("change the owner of", path))
    }

    /// Whether this account may enter the folder and all folders above it. The account itself is asked, because
    /// permission bits alone say nothing about access lists.
    pub(super) async fn can_enter(self, folder: &Path) -> bool {
        if self == Self::ours() {
            return true;
        }
        self.command("test".as_ref())
            .arg("-x")
            .arg(folder)
            .stdin(Stdio::null())
            .status()
            .await
            .is_ok_and(|status| status.success())
    }

    /// A program to run as this account.
    ///
    /// It gets a process group of its own: Ctrl-C is for us, and we stop PostgreSQL after the last connection is closed.
    pub(super) fn command(self, program: &OsStr) -> Command {
        let mut command = bare(program);
        command.current_dir("/").process_group(0);
        if self != Self::ours() {
            command.uid(self.uid).gid(self.gid);
        }
        command
    }
}

/// A program that gets no environment of ours, which holds secrets and settings of other databases.
pub(super) fn bare(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path))).env("LC_ALL", "C");
    command
}

/// Runs a program to its end. It holds the lock as its standard input, so that whoever comes next waits for it even
/// if we do not live to see it end.
pub(super) async fn run(mut command: Command, lock: File) -> Result<(), Error> {
    let program = PathBuf::from(command.as_std().get_program());
    let output = match command.stdin(lock).output().await {
        Ok(output) => output,
        Err(source) => return Err(Error::NotRunnable { program, source }),
    };
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(Error::Failed { program, output: String::from_utf8_lossy(&said).trim().to_owned() })
}

/// Asks the system's own `id`, which knows every source of accounts and not only `/etc/passwd`.
async fn id(what: &str, name: &str) -> Option<u32> {
    let output = bare("id").args([what, name]).output().await.ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}
