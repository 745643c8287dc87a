//! Credentials at rest. Each version of each secret is encrypted under a data key of its own, which is wrapped by a
//! master key that is never in the database. A secret is decrypted at the moment of its use and shown nowhere.

pub(crate) mod api;
mod document;
mod canary;
mod cipher;
pub mod commands;
mod credentials;
mod entries;
mod error;
mod finding;
mod kept;
mod key_command;
mod key_file;
mod key_ring;
mod key_views;
mod keys_in_use;
mod listing;
mod name;
pub(crate) mod pages;
mod rotation;
#[cfg(test)]
mod samples;
mod sealed;
mod sender;
mod signatures;
mod verify;
mod verify_speech;
pub(crate) mod views;
mod wrapping;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicI32;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use sqlx::PgPool;
use uuid::Uuid;

use crate::clock::Clock;
use crate::config::{Config, EnvironmentCredentials, MasterKeySource, Mode};
use crate::database;
use crate::id::UserId;
use crate::operation::content::hex;
use crate::rate::Rates;

use cipher::Place;
use key_ring::KeyRing;
use sender::Remembered;
use wrapping::Progress;

pub use credentials::{ApiKey, Source, TwilioCredentials};
pub use error::VaultError;
pub use finding::{Checked, Finding};
pub use key_command::KeyCommandError;
pub use key_file::KeyFileError;
pub use key_ring::KeyRingError;
pub use keys_in_use::KeyUse;
pub use listing::{Entry, EntryState};
pub use name::{InvalidSecret, UnknownVaultName, VaultName};
pub use rotation::Rotation;
pub use signatures::WebhookToken;
pub use verify::{LastVerification, Verification};
pub use verify_speech::SpeechVerification;

/// The open vault of one mode; cheap to clone.
#[derive(Clone)]
pub struct Vault {
    db: PgPool,
    mode: Mode,
    clock: Clock,
    deployment: Uuid,
    ring: Arc<KeyRing>,
    environment: Arc<EnvironmentCredentials>,
    /// The names behind whose other values generated ones stand.
    generated: &'static [VaultName],
    /// Newest version of the auth token that is known to have verified a callback.
    noted_signature: Arc<AtomicI32>,
    sender: Arc<Remembered>,
    /// The rotation that this process makes in the background.
    progress: Arc<Progress>,
    /// How often each person has asked whether the credentials work.
    verifications: Rates<UserId>,
}

impl Vault {
    /// Reads the master keys and proves that they open what this database holds. Where the error
    /// [is only that the database is away](VaultError::is_unavailable), the same call may be repeated.
    pub async fn open(
        db: PgPool,
        mode: Mode,
        master_key: &MasterKeySource,
        data_dir: &Path,
        environment: &EnvironmentCredentials,
        clock: Clock,
    ) -> Result<Self, VaultError> {
        let ring = KeyRing::load(master_key, data_dir, mode).await?;
        let environment = credentials::parse_environment(environment)?;
        let mut tx = database::begin(&db).await?;
        let deployment = canary::check(&mut tx, mode, &ring).await?;
        tx.commit().await?;
        Ok(Self {
            db,
            mode,
            clock,
            deployment,
            ring: Arc::new(ring),
            environment: Arc::new(environment),
            generated: &[],
            noted_signature: Arc::new(AtomicI32::new(0)),
            sender: Arc::default(),
            progress: Arc::default(),
            verifications: Rates::default(),
        })
    }

    /// The same vault with generated credentials behind all others, for the embedded sandbox; never in live mode.
    #[must_use]
    pub fn with_sandbox_defaults(self) -> Self {
        self.with_generated(&VaultName::ALL)
    }

    /// The same vault with generated credentials for what is emulated within the service by these settings.
    #[must_use]
    pub fn with_defaults_of(self, config: &Config) -> Self {
        match (config.embeds_sandbox(), &config.elevenlabs_base_url) {
            (false, _) => self,
            (true, None) => self.with_sandbox_defaults(),
            // An emulator of ElevenLabs elsewhere knows nothing of a key that is generated here.
            (true, Some(_)) => self.with_generated(&VaultName::TWILIO),
        }
    }

    fn with_generated(self, names: &'static [VaultName]) -> Self {
        Self { generated: if self.mode == Mode::Sandbox { names } else { &[] }, ..self }
    }

    /// What only this installation answers to a question, so that it recognises itself over the network. It opens
    /// nothing.
    pub(crate) fn sign_of_presence(&self, question: &str) -> String {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(self.deployment.as_bytes()).expect("HMAC takes keys of any length");
        mac.update(b"presence/");
        mac.update(question.as_bytes());
        hex(&mac.finalize().into_bytes())
    }

    fn place(&self, name: VaultName, version: i32) -> Place<'static> {
        Place::Entry { deployment: self.deployment, mode: self.mode, name: name.as_str(), version }
    }
}
