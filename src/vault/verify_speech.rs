//! Whether the key of `ElevenLabs` in force works: one look-up that changes nothing and costs nothing, whose result is kept
//! with exactly the version that was used.

use serde_json::json;
use time::OffsetDateTime;

use super::entries::Held;
use super::{Checked, Finding, Vault, VaultError, VaultName, canary};
use crate::audit::{self, Actor, Change};
use crate::database;
use crate::speech::elevenlabs::{ElevenLabs, ElevenLabsError, Subscription};

const NAME: VaultName = VaultName::ElevenlabsApiKey;

/// What a verification of the key found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpeechVerification {
    /// Of the key.
    pub finding: Finding,
    /// What the account may use, where it was told.
    pub subscription: Option<Subscription>,
    /// When.
    pub at: OffsetDateTime,
    /// Whether the result stands with the entry: a value that is not stored has no version to keep it with.
    pub is_kept: bool,
    /// The key was replaced while `ElevenLabs` was asked: the result is about the one before it, and kept nowhere.
    pub is_outdated: bool,
}

impl Vault {
    /// Asks `ElevenLabs` about the key in force. `None`: there is none.
    pub async fn verify_elevenlabs(
        &self,
        elevenlabs: &ElevenLabs,
        actor: &Actor,
    ) -> Result<Option<SpeechVerification>, VaultError> {
        let held = self.held().await?;
        let Some(key) = self.elevenlabs_among(&held)? else { return Ok(None) };
        let asked = elevenlabs.subscription(&key).await;
        let finding = finding(&asked);
        let version = version(&held);

        let mut tx = database::begin(&self.db).await?;
        // Whoever sets or removes a value waits for this lock.
        canary::lock(&mut tx, self.mode, &self.ring).await?;
        let is_outdated = self::version(&self.held_in(&mut *tx).await?) != version;
        let is_kept = !is_outdated && !self.mark(&mut tx, &[NAME], finding).await?.is_empty();
        let details = json!({ "mode": self.mode, "key": finding.words(), "version": version, "kept": is_kept });
        let object = "vault/elevenlabs".to_owned();
        audit::record(&mut tx, actor, Change { object, action: "vault.verified", details }).await?;
        tx.commit().await?;
        tracing::info!(event = "vault.verified", mode = %self.mode, found = finding.as_str(), "ElevenLabs was asked");
        let subscription = asked.ok();
        Ok(Some(SpeechVerification { finding, subscription, at: self.clock.now(), is_kept, is_outdated }))
    }

    /// What was last found about the key in force, as far as it is stored.
    pub async fn last_speech_verification(&self) -> Result<Option<Checked>, VaultError> {
        let held = self.held().await?;
        Ok(held.iter().find(|held| held.is_current && held.name == NAME).and_then(|held| held.verified))
    }
}

fn version(held: &[Held]) -> Option<i32> {
    held.iter().find(|held| held.is_current && held.name == NAME).map(|held| held.version)
}

fn finding(asked: &Result<Subscription, ElevenLabsError>) -> Finding {
    match asked {
        Ok(subscription) if subscription.left() == 0 => Finding::CharactersUsedUp,
        Ok(_) => Finding::KeyAccepted,
        Err(ElevenLabsError::InvalidKey) => Finding::KeyRefused,
        Err(ElevenLabsError::MissingPermission { .. }) => Finding::KeyLimited,
        Err(ElevenLabsError::Blocked { .. }) => Finding::SpeechBlocked,
        Err(ElevenLabsError::Quota { .. }) => Finding::CharactersUsedUp,
        Err(ElevenLabsError::Nowhere) => Finding::NotEmulated,
        Err(ElevenLabsError::Unreachable { .. }) => Finding::SpeechUnreachable,
        Err(_) => Finding::SpeechUnclear,
    }
}
