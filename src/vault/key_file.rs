//! Master keys in a file: readable by its owner alone, and made once at the first start of a sandbox.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

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
    /// Others may read it.
    #[error("The master key file {path} is open to its group or to everyone. Run: chmod 600 {path}")]
    OpenToOthers {
        /// The file.
        path: PathBuf,
    },
}

/// Reads a file that its owner alone may read or write.
pub(super) fn read(path: &Path) -> Result<Zeroizing<String>, KeyFileError> {
    let unusable = |source| KeyFileError::Unusable { path: path.to_owned(), verb: "read", source };
    let mut file = File::open(path).map_err(unusable)?;
    // Asked of the open file: the one at the path may be another by now.
    let metadata = file.metadata().map_err(unusable)?;
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
