//! What may be shown of the vault: which entries there are and where their values come from, never a value.

use time::OffsetDateTime;

use super::credentials::Standing;
use super::{Vault, VaultError, VaultName};

/// Where the value in force of an entry comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryState {
    /// It is in the vault.
    Stored,
    /// It is in the environment.
    Env,
    /// It was generated for the embedded sandbox.
    Sandbox,
    /// There is none.
    Missing,
}

impl EntryState {
    /// The state's name in the API and in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::Env => "env",
            Self::Sandbox => "sandbox",
            Self::Missing => "missing",
        }
    }
}

/// One entry as it may be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: VaultName,
    /// Where its value comes from.
    pub state: EntryState,
    /// An identifier in full, the last four characters of a long secret, or nothing.
    pub hint: Option<String>,
    /// The stored version.
    pub version: Option<i32>,
    /// Who stored it.
    pub created_by: Option<String>,
    /// When it was stored.
    pub created_at: Option<OffsetDateTime>,
    /// When it was last tried out.
    pub verified_at: Option<OffsetDateTime>,
}

impl Vault {
    /// All entries, in the order in which they are shown.
    pub async fn list(&self) -> Result<Vec<Entry>, VaultError> {
        let held = self.held().await?;
        let unstored = |name, state, hint| Entry {
            name,
            state,
            hint,
            version: None,
            created_by: None,
            created_at: None,
            verified_at: None,
        };
        let entries = VaultName::ALL.map(|name| match self.standing(&held, name) {
            Standing::Stored(held) => Entry {
                name,
                state: EntryState::Stored,
                hint: held.hint.clone(),
                version: Some(held.version),
                created_by: Some(held.created_by.clone()),
                created_at: Some(held.created_at),
                verified_at: held.verified_at,
            },
            Standing::Environment(value) => unstored(name, EntryState::Env, name.hint(value)),
            Standing::Generated(value) => unstored(name, EntryState::Sandbox, name.hint(&value)),
            Standing::Missing => unstored(name, EntryState::Missing, None),
        });
        Ok(entries.into())
    }
}
