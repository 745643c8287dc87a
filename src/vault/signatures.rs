//! The auth tokens with which Twilio may have signed a callback. For a while after a change these are two: callbacks of
//! messages sent before it are still under way, and Twilio may change over later than we do.

use std::sync::atomic::Ordering;

use secrecy::{ExposeSecret as _, SecretString};

use super::entries::Held;
use super::{Source, Vault, VaultError, VaultName};

/// A token that may sign callbacks.
#[derive(Clone, Debug)]
pub struct WebhookToken {
    /// The token.
    pub token: SecretString,
    /// Its version, if it comes from the vault.
    pub version: Option<i32>,
    /// The account that it belongs to.
    pub account_sid: String,
}

impl Vault {
    /// The current token, then the one before it until 24 h after the current one verified its first callback.
    pub async fn webhook_tokens(&self) -> Result<Vec<WebhookToken>, VaultError> {
        let held = self.held().await?;
        let Some(current) = self.account_among(&held)? else { return Ok(Vec::new()) };
        let mut tokens = vec![WebhookToken {
            token: current.auth_token,
            version: current.version,
            account_sid: current.account_sid.clone(),
        }];
        let mut versions = held.iter().filter(|held| held.name == VaultName::TwilioAuthToken);
        let is_established = versions.clone().any(|held| held.is_current && held.is_established);
        if let Some(previous) = versions.find(|held| !held.is_current)
            && current.source == Source::Vault
            && !is_established
        {
            match self.previous_token(&held, previous, current.account_sid) {
                Ok(token) => tokens.push(token),
                // Whoever set a token anew because the old one does not open must not lose the callbacks of the new one.
                Err(error) => {
                    tracing::warn!(event = "vault.unopened", %error, "the previous auth token verifies nothing");
                }
            }
        }
        Ok(tokens)
    }

    fn previous_token(&self, held: &[Held], token: &Held, account_sid: String) -> Result<WebhookToken, VaultError> {
        Ok(WebhookToken {
            token: self.open_held(token)?,
            version: Some(token.version),
            account_sid: self.account_of(held, token)?.unwrap_or(account_sid),
        })
    }

    /// Notes that a callback was verified with this version of the auth token. Only the first time writes.
    pub async fn note_signature(&self, version: i32) -> Result<(), VaultError> {
        if version <= self.noted_signature.load(Ordering::Relaxed) {
            return Ok(());
        }
        sqlx::query!(
            r#"
            update vault_entries
            set first_signature_at = clock_timestamp() + $4
            where mode = $1
                and name = $2
                and version = $3
                and first_signature_at is null
            "#,
            self.mode.as_str(),
            VaultName::TwilioAuthToken.as_str(),
            version,
            self.clock.offset(),
        )
        .execute(&self.db)
        .await?;
        self.noted_signature.fetch_max(version, Ordering::Relaxed);
        Ok(())
    }

    /// The stored account SID that was in force when a token was stored, or the first one stored after it: people set
    /// the two one after the other, in either order.
    #[expect(clippy::disallowed_methods, reason = "an account SID is an identifier")]
    fn account_of(&self, held: &[Held], token: &Held) -> Result<Option<String>, VaultError> {
        let accounts = || held.iter().filter(|held| held.name == VaultName::TwilioAccountSid);
        let account = accounts().rfind(|account| account.created_at <= token.created_at).or_else(|| accounts().next());
        account.map(|account| Ok(self.open_held(account)?.expose_secret().to_owned())).transpose()
    }
}
