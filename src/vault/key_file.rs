//! Master keys in a file: readable by its owner alone, and made once at the first start of a sandbox.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::process::geteuid;
use secrecy::ExposeSecret as _;
use zeroize::Zeroizing;

use super::cipher;
use super::key_ring::format_entry;

/// Why a key file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// It cannot be read or made.
    #[error("The master key file {path} cannot be {verb}: {source}.")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// `read` or `made`.
        verb: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// It is something else.
    #[error("The master key file {path} is not a file. Name one that holds `id:key`.")]
    NoFile {
        /// What is there.
        path: PathBuf,
    },
    /// It is another account's, which may change it.
    #[error(
        "The master key file {path} belongs to account {owner}, and must belong to root or to the account {ours} that runs this. Run: chown {ours} {path}"
    )]
    ForeignOwner {
        /// The file.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Who we are.
        ours: u32,
    },
    /// Others may put another file in its place.
    #[error(
        "The master key file {path} is in the folder {folder}, in which others may put another in its place. The folder must belong to root or to the account that runs this, and nobody else may write in it. Run: chmod go-w {folder}"
    )]
    FolderOpenToOthers {
        /// The file.
        path: PathBuf,
        /// The folder.
        folder: PathBuf,
    },
    /// Others may read it.
    #[error("The master key file {path} is open to its group or to everyone. Run: chmod 600 {path}")]
    OpenToOthers {
        /// The file.
        path: PathBuf,
    },
}

/// Most links on the way to a file, as for the system itself.
const MOST_LINKS: usize = 40;

/// Reads a file that nobody but its owner and root can read, change or replace: neither it, nor a folder on the way to it,
/// nor what a link on that way names.
pub(super) fn read_guarded(path: &Path) -> Result<Zeroizing<String>, KeyFileError> {
    let unusable = |source| KeyFileError::Unusable { path: path.to_owned(), verb: "read", source };
    let mut at = std::path::absolute(path).map_err(unusable)?;
    for _ in 0..MOST_LINKS {
        let folder = at.parent().unwrap_or(Path::new("/")).to_owned();
        let real = folder.canonicalize().map_err(unusable)?;
        for folder in folder.ancestors().chain(real.ancestors()) {
            refuse_open_folder(path, folder)?;
        }
        match fs::read_link(&at) {
            Ok(target) => at = real.join(target),
            Err(_) => return read(path),
        }
    }
    Err(unusable(io::ErrorKind::TooManyLinks.into()))
}

/// In a folder with the sticky bit, such as `/tmp`, everybody may make files, and replace their own alone.
fn refuse_open_folder(path: &Path, folder: &Path) -> Result<(), KeyFileError> {
    let unusable = |source| KeyFileError::Unusable { path: path.to_owned(), verb: "read", source };
    let metadata = fs::metadata(folder).map_err(unusable)?;
    let mode = metadata.permissions().mode();
    if is_ours(metadata.uid()) && (mode & 0o022 == 0 || mode & 0o1000 != 0) {
        return Ok(());
    }
    Err(KeyFileError::FolderOpenToOthers { path: path.to_owned(), folder: folder.to_owned() })
}

fn is_ours(owner: u32) -> bool {
    owner == 0 || owner == geteuid().as_raw()
}

/// Reads a file that its owner alone may read or write, and that is ours or root's.
pub(super) fn read(path: &Path) -> Result<Zeroizing<String>, KeyFileError> {
    let unusable = |source| KeyFileError::Unusable { path: path.to_owned(), verb: "read", source };
    let mut file = File::open(path).map_err(unusable)?;
    // Asked of the open file: the one at the path may be another by now.
    let metadata = file.metadata().map_err(unusable)?;
    if !metadata.is_file() {
        return Err(KeyFileError::NoFile { path: path.to_owned() });
    }
    if !is_ours(metadata.uid()) {
        let (owner, ours) = (metadata.uid(), geteuid().as_raw());
        return Err(KeyFileError::ForeignOwner { path: path.to_owned(), owner, ours });
    }
    if metadata.permissions().mode() & 0o077 != 0 {
        return Err(KeyFileError::OpenToOthers { path: path.to_owned() });
    }
    let mut text = Zeroizing::new(String::new());
    file.read_to_string(&mut text).map_err(unusable)?;
    Ok(text)
}

/// Reads the file; the first process to come makes it, with a new key.
pub(super) fn read_or_make(path: &Path) -> Result<Zeroizing<String>, KeyFileError> {
    match fs::exists(path) {
        Ok(true) => {}
        Ok(false) => {
            make(path).map_err(|source| KeyFileError::Unusable { path: path.to_owned(), verb: "made", source })?;
        }
        Err(source) => return Err(KeyFileError::Unusable { path: path.to_owned(), verb: "read", source }),
    }
    read(path)
}

/// Makes the file whole or not at all: it is written aside and linked into place, which fails if another process was
/// faster. That one's key is used then.
#[expect(clippy::disallowed_methods, reason = "the key goes into its file")]
fn make(path: &Path) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;

    // The id is random, so that the keys of two installations cannot be taken for each other.
    let suffix = format!("{:08x}", u32::from_be_bytes(*cipher::random()));
    let aside = path.with_extension(&suffix);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&aside)?;
    let entry = format_entry(&format!("local-{suffix}"), &cipher::random());
    let linked = file
        .write_all(entry.expose_secret().as_bytes())
        .and_then(|()| file.write_all(b"\n"))
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::hard_link(&aside, path));
    fs::remove_file(&aside)?;
    File::open(folder)?.sync_all()?;
    match linked {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    }
}
