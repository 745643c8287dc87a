use std::io;
use std::path::{Path, PathBuf};

use super::binaries::MINIMUM_MAJOR;

const INSTALL_COMMAND: &str =
    if cfg!(target_os = "macos") { "brew install postgresql@17" } else { "apt-get install postgresql" };

/// Why the private PostgreSQL is not available. Each text says what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "PostgreSQL {MINIMUM_MAJOR} or newer is not installed. Install it with: {INSTALL_COMMAND} \
         (or set DATABASE_URL to use a PostgreSQL of your own)"
    )]
    NotInstalled,

    #[error(
        "{folder} was made by PostgreSQL {major}, which is not installed. \
         Install that version, or move the data to a newer one with pg_upgrade"
    )]
    VersionMissing { folder: PathBuf, major: u32 },

    #[error(
        "PostgreSQL does not run as root, and there is neither a `postgres` nor a `nobody` account for it. \
         Create one with: useradd --system postgres"
    )]
    NoAccount,

    #[error(
        "another server uses the data folder {data_dir}: {holder}. \
         Stop it first, or set MISSION_CONTROL_DATA_DIR to another folder"
    )]
    AlreadyServing { data_dir: PathBuf, holder: String },

    #[error("{0} is not a PostgreSQL data folder. Move it away, and an empty database is made in its place")]
    NotACluster(PathBuf),

    #[error(
        "{link} says that the database is in {target}, but it is not there. \
         Put it back, or remove {link} to start with an empty database"
    )]
    Lost { link: PathBuf, target: PathBuf },

    #[error(
        "{folder} belongs to the user with uid {owner}, and this process runs as uid {ours}. \
         Run as that user, or as root where that user is not root"
    )]
    ForeignOwner { folder: PathBuf, owner: u32, ours: u32 },

    #[error(
        "{folder} belongs to the user with uid {uid}, who cannot enter the folders above it any more. \
         Give those back their permission with: chmod o+x"
    )]
    Unreachable { folder: PathBuf, uid: u32 },

    #[error(
        "{0} is where the PostgreSQL socket should go, but it belongs to someone else or others can enter it. \
         Remove it, or set TMPDIR to another folder"
    )]
    SocketFolder(PathBuf),

    #[error(
        "another process has been starting or stopping PostgreSQL for over {seconds} s and holds {path}. \
         End that process, then try again"
    )]
    Locked { path: PathBuf, seconds: u64 },

    #[error("cannot {action} {path}: {source}")]
    File { action: &'static str, path: PathBuf, source: io::Error },

    #[error("cannot run {program}: {source}")]
    NotRunnable { program: PathBuf, source: io::Error },

    #[error("{program} failed: {output}")]
    Failed { program: PathBuf, output: String },

    #[error("PostgreSQL in {folder} refuses the connection; its log is in {folder}/log: {source}")]
    Refused { folder: PathBuf, source: sqlx::Error },

    #[error("PostgreSQL in {folder} did not become ready within {seconds} s; its log is in {folder}/log")]
    NotReady { folder: PathBuf, seconds: u64 },
}

/// Makes an [`Error::File`] out of an input or output error: `fs::create_dir(path).map_err(cannot("create", path))`.
pub(super) fn cannot(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::File { action, path, source }
}
