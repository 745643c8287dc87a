//! What may be shown of the vault: which entries there are and where their values come from, never a value.

use time::{Duration, OffsetDateTime};

use super::credentials::Standing;
use super::entries::Held;
use super::{Checked, Vault, VaultError, VaultName};

/// How long the token before is accepted after the first callback of the current one; `entries.rs` decides by the same.
const PREVIOUS_ACCEPTED: Duration = Duration::hours(24);

/// Where the value in force of an entry comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
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
    /// What the last verification of this version found.
    pub verified: Option<Checked>,
    /// The version before it, while callbacks that are signed with that one are still believed.
    pub previous: Option<Previous>,
}

/// A replaced auth token that may still sign callbacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Previous {
    /// Its version.
    pub version: i32,
    /// Until when; `None`: the current one has not verified its first callback yet.
    pub accepted_until: Option<OffsetDateTime>,
}

impl Entry {
    /// What answers show of the value: a telephone number, the last four characters of anything else, or nothing.
    pub(crate) fn ending(&self) -> Option<String> {
        let hint = self.hint.as_deref()?;
        let shown = if self.name == VaultName::TwilioPhoneNumber { 0 } else { hint.len().saturating_sub(4) };
        hint.get(shown..).map(str::to_owned)
    }
}

impl Vault {
    /// All entries, in the order in which they are shown.
    pub async fn list(&self) -> Result<Vec<Entry>, VaultError> {
        let held = self.held().await?;
        Ok(VaultName::ALL.map(|name| self.entry_of(&held, name)).into())
    }

    /// One of them.
    pub(crate) async fn entry(&self, name: VaultName) -> Result<Entry, VaultError> {
        Ok(self.entry_of(&self.held().await?, name))
    }

    /// Where a value would come from once nothing is stored under its name.
    pub(crate) async fn state_without(&self, name: VaultName) -> Result<EntryState, VaultError> {
        let mut held = self.held().await?;
        held.retain(|held| held.name != name);
        Ok(self.entry_of(&held, name).state)
    }

    fn entry_of(&self, held: &[Held], name: VaultName) -> Entry {
        let unstored = |state, hint| Entry {
            name,
            state,
            hint,
            version: None,
            created_by: None,
            created_at: None,
            verified: None,
            previous: None,
        };
        match self.standing(held, name) {
            Standing::Stored(current) => Entry {
                name,
                state: EntryState::Stored,
                hint: current.hint.clone(),
                version: Some(current.version),
                created_by: Some(current.created_by.clone()),
                created_at: Some(current.created_at),
                verified: current.verified,
                previous: previous(held, current),
            },
            Standing::Environment(value) => unstored(EntryState::Env, name.hint(value)),
            Standing::Generated(value) => unstored(EntryState::Sandbox, name.hint(&value)),
            Standing::Missing => unstored(EntryState::Missing, None),
        }
    }
}

/// The version before this one, while it is accepted; [`Vault::webhook_tokens`] is what accepts it.
fn previous(held: &[Held], current: &Held) -> Option<Previous> {
    if current.name != VaultName::TwilioAuthToken || current.is_established {
        return None;
    }
    let previous = held.iter().find(|held| held.name == current.name && !held.is_current)?;
    let accepted_until = current.first_signature_at.map(|at| at + PREVIOUS_ACCEPTED);
    Some(Previous { version: previous.version, accepted_until })
}
