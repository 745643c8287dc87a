//! Why the vault does not do what it was asked.

use axum::http::StatusCode;
use uuid::Uuid;

use super::key_ring::KeyRingError;
use super::name::{InvalidSecret, VaultName};
use super::sealed::Unopened;
use crate::config::Mode;
use crate::database;
use crate::error::{Error, FieldProblem, Problem};

/// What is so, then what to do; never a value.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// There is no key ring.
    #[error(transparent)]
    KeyRing(#[from] KeyRingError),
    /// The database knows a key that this process does not have.
    #[error(
        "This database's vault ({mode}) was sealed with key `{key_id}`, which is not in the key ring. Add that key behind the first. If it is lost for good, its secrets are too: run `truncate vault_entries, vault_canaries, kept_secrets` in the database and set them again."
    )]
    ForeignKey {
        /// The mode that the key belongs to.
        mode: Mode,
        /// The key's id.
        key_id: String,
    },
    /// The key ring has another key under the same id.
    #[error(
        "Key `{key_id}` in the key ring is not the key `{key_id}` with which this database's vault ({mode}) was sealed, or this is another installation's database. Use the key that belongs to the database."
    )]
    WrongKey {
        /// The mode that the key belongs to.
        mode: Mode,
        /// The key's id.
        key_id: String,
    },
    /// A rotation ended the primary key of this process while it ran.
    #[error(
        "Key `{key_id}`, the first in this process's key ring, was rotated away. Restart with the new key first, then set the value again."
    )]
    KeyRetired {
        /// The key's id.
        key_id: String,
    },
    /// A variable of the environment has another form than its name asks for.
    #[error("{variable}: {problem}")]
    Environment {
        /// The variable.
        variable: &'static str,
        /// What is wrong with it.
        problem: InvalidSecret,
    },
    /// A value has another form than its name asks for.
    #[error("{name}: {problem}")]
    Invalid {
        /// The entry.
        name: VaultName,
        /// What is wrong with it.
        problem: InvalidSecret,
    },
    /// A stored value needs a key that is not there.
    #[error(
        "The stored {name} (version {version}) is sealed with key `{key_id}`, which is not in the key ring. Add that key behind the first."
    )]
    KeyMissing {
        /// The entry.
        name: VaultName,
        /// Its version.
        version: i32,
        /// The key's id.
        key_id: String,
    },
    /// A stored value is not what was stored.
    #[error(
        "The stored {name} (version {version}) does not open: it was altered, or copied from another place. Set it again."
    )]
    Altered {
        /// The entry.
        name: VaultName,
        /// Its version.
        version: i32,
    },
    /// What another part of the service keeps needs a key that is not there.
    #[error(
        "The kept secret {purpose}/{id} is sealed with key `{key_id}`, which is not in the key ring. Add that key behind the first."
    )]
    KeptKeyMissing {
        /// What it is kept for.
        purpose: String,
        /// What it belongs to.
        id: Uuid,
        /// The key's id.
        key_id: String,
    },
    /// What another part of the service keeps is not what it kept.
    #[error(
        "The kept secret {purpose}/{id} does not open: it was altered, or copied from another place. Set it up again."
    )]
    KeptAltered {
        /// What it is kept for.
        purpose: String,
        /// What it belongs to.
        id: Uuid,
    },
    /// The database.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

impl VaultError {
    /// Why this version, sealed with this key, does not open.
    pub(super) fn unopened(why: Unopened, name: VaultName, version: i32, key_id: &str) -> Self {
        match why {
            Unopened::KeyMissing => Self::KeyMissing { name, version, key_id: key_id.to_owned() },
            Unopened::Altered => Self::Altered { name, version },
        }
    }

    /// Why this kept secret, sealed with this key, does not open.
    pub(super) fn kept_unopened(why: Unopened, purpose: &str, id: Uuid, key_id: &str) -> Self {
        let purpose = purpose.to_owned();
        match why {
            Unopened::KeyMissing => Self::KeptKeyMissing { purpose, id, key_id: key_id.to_owned() },
            Unopened::Altered => Self::KeptAltered { purpose, id },
        }
    }

    /// Whether the same call may succeed later: the database is away or overloaded.
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Database(error) if database::is_unavailable(error))
    }
}

impl From<VaultError> for Error {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::Database(error) => error.into(),
            VaultError::Invalid { name, problem } => {
                Problem::invalid_fields(vec![FieldProblem::new(name.as_str(), problem.to_string())]).into()
            }
            VaultError::KeyRetired { .. } => {
                Problem::new(StatusCode::SERVICE_UNAVAILABLE, "vault_key_retired", error.to_string()).into()
            }
            error => Self::Internal(error.into()),
        }
    }
}
