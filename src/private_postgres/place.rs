//! Where the cluster lives, and where its socket does.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::account::Account;
use super::error::{Error, cannot};

/// Name of the socket inside its folder; PostgreSQL makes it from the port.
pub(super) const SOCKET_NAME: &str = ".s.PGSQL.5432";
/// Longest path of a socket, in bytes: the system's limit is 104 on macOS and 108 on Linux, and the name of
/// PostgreSQL's lock file beside the socket is five longer.
const LONGEST_SOCKET_PATH: usize = 90;
/// Where root's cluster goes if PostgreSQL's account cannot enter the data folder.
const SYSTEM_FOLDER: &str = "/var/lib/mission-control";

/// Creates the data folder where it is missing; returns its absolute path.
pub(super) fn prepare(data_dir: &Path) -> Result<PathBuf, Error> {
    // Others may pass through it (as PostgreSQL's account has to where we are root) but not look around.
    DirBuilder::new().recursive(true).mode(0o711).create(data_dir).map_err(cannot("create", data_dir))?;
    fs::canonicalize(data_dir).map_err(cannot("find", data_dir))
}

/// The cluster of this data folder, if there is one: in `postgres`, which may be a link to elsewhere.
pub(super) fn existing(data_dir: &Path) -> Result<Option<PathBuf>, Error> {
    let entry = data_dir.join("postgres");
    let target = match fs::canonicalize(&entry) {
        Ok(target) => target,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // A link to nothing: an empty database instead would hide that the data is gone.
            return match fs::read_link(&entry) {
                Ok(target) => Err(Error::Lost { link: entry, target }),
                Err(_) => Ok(None),
            };
        }
        Err(error) => return Err(cannot("find", &entry)(error)),
    };
    Ok(Some(target))
}

/// The folder for a new cluster of this data folder.
pub(super) async fn for_new_cluster(data_dir: &Path, account: Account) -> Result<PathBuf, Error> {
    if account.can_enter(data_dir).await {
        return Ok(data_dir.join("postgres"));
    }
    // A number more where there is one already: it belonged to a data folder that stood here before, and may be all
    // that is left of it.
    let name = short_hash(data_dir);
    let mut folder = Path::new(SYSTEM_FOLDER).join(&name);
    let mut number = 1;
    while folder.join("postgres").exists() {
        number += 1;
        folder = Path::new(SYSTEM_FOLDER).join(format!("{name}-{number}"));
    }
    fs::create_dir_all(&folder).map_err(cannot("create", &folder))?;
    for passage in [Path::new(SYSTEM_FOLDER), &folder] {
        // Whatever our umask says, the account has to pass through.
        fs::set_permissions(passage, Permissions::from_mode(0o755)).map_err(cannot("open", passage))?;
    }
    Ok(folder.join("postgres"))
}

/// Leaves a link in the data folder to a cluster that is elsewhere.
pub(super) fn remember(data_dir: &Path, folder: &Path) -> Result<(), Error> {
    let entry = data_dir.join("postgres");
    if entry == folder {
        return Ok(());
    }
    symlink(folder, &entry).map_err(cannot("create", &entry))
}

/// A new, empty folder that only this account can enter. An older one of that name is removed with all it holds.
pub(super) fn make_private(folder: &Path, account: Account) -> Result<(), Error> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(cannot("remove", folder)(error));
        }
        _ => {}
    }
    DirBuilder::new().mode(0o700).create(folder).map_err(cannot("create", folder))?;
    account.take_over(folder)
}

/// The folder for the socket: the cluster's own, or a short one under the temporary folder if that path is too long.
pub(super) async fn socket_folder(cluster: &Path, account: Account) -> Result<PathBuf, Error> {
    if is_short(cluster) {
        return Ok(cluster.to_owned());
    }
    let mut parent = std::env::temp_dir();
    let name = format!("mc-{}", short_hash(cluster));
    if !is_short(&parent.join(&name)) || !is_plain(&parent) || !account.can_enter(&parent).await {
        parent = PathBuf::from("/tmp");
    }
    let folder = parent.join(name);
    match DirBuilder::new().mode(0o700).create(&folder) {
        Ok(()) => account.take_over(&folder)?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(cannot("create", &folder)(error)),
    }
    if is_private(&folder, account) { Ok(folder) } else { Err(Error::SocketFolder(folder)) }
}

/// Whether this is a folder that only this account can enter. In the temporary folder anyone can make one of that name
/// before us, and would then receive our connections.
pub(super) fn is_private(folder: &Path, account: Account) -> bool {
    fs::symlink_metadata(folder)
        .is_ok_and(|metadata| metadata.is_dir() && metadata.uid() == account.uid && metadata.mode() & 0o777 == 0o700)
}

fn is_short(folder: &Path) -> bool {
    folder.join(SOCKET_NAME).as_os_str().len() <= LONGEST_SOCKET_PATH
}

/// Whether a path can stand on PostgreSQL's command line without any quoting.
fn is_plain(path: &Path) -> bool {
    path.as_os_str().as_bytes().iter().all(|byte| byte.is_ascii_alphanumeric() || b"/._-+".contains(byte))
}

/// Sixteen hexadecimal digits that stand for a path.
fn short_hash(path: &Path) -> String {
    let digest = Sha256::digest(path.as_os_str().as_bytes());
    digest.iter().take(8).fold(String::new(), |digits, byte| format!("{digits}{byte:02x}"))
}
