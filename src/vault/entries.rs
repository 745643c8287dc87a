//! The stored secrets: one current version a name, the one before it, and the traces of those destroyed.

use secrecy::SecretString;
use serde_json::json;
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::sealed::Sealed;
use super::{Checked, Finding, Vault, VaultError, VaultName, canary};
use crate::audit::{self, Actor, Change};
use crate::database;
use crate::id::VaultEntryId;

/// A version that still holds its secret.
pub(super) struct Held {
    pub(super) name: VaultName,
    pub(super) version: i32,
    pub(super) is_current: bool,
    pub(super) hint: Option<String>,
    pub(super) created_by: String,
    pub(super) created_at: OffsetDateTime,
    /// What the last verification of this version found.
    pub(super) verified: Option<Checked>,
    /// When its first signed callback was checked.
    pub(super) first_signature_at: Option<OffsetDateTime>,
    /// Whether its first signed callback is so long ago that none signed with the version before is under way.
    pub(super) is_established: bool,
    sealed: Sealed,
}

impl Vault {
    /// Stores a value as the new current version and keeps the one before it; the one before that is destroyed.
    /// Answers the new version's number.
    pub async fn set(&self, name: VaultName, value: SecretString, actor: &Actor) -> Result<i32, VaultError> {
        let value = name.parse_value(&value).map_err(|problem| VaultError::Invalid { name, problem })?;
        let hint = name.hint(&value);
        let mut tx = database::begin(&self.db).await?;
        canary::lock(&mut tx, self.mode, &self.ring).await?;
        let version = sqlx::query_scalar!(
            r#"
            select coalesce(max(version), 0) + 1 as "version!"
            from vault_entries
            where mode = $1
                and name = $2
            "#,
            self.mode.as_str(),
            name.as_str(),
        )
        .fetch_one(&mut *tx)
        .await?;
        self.destroy(&mut tx, name, &["previous"]).await?;
        let before = sqlx::query!(
            r#"
            update vault_entries
            set state = 'previous'
            where mode = $1
                and name = $2
                and state = 'current'
            returning version, hint
            "#,
            self.mode.as_str(),
            name.as_str(),
        )
        .fetch_optional(&mut *tx)
        .await?;
        // A secret belongs to one key: with the SID of another it would only be refused.
        let is_another_key = name == VaultName::TwilioApiKeySid
            && before.as_ref().is_some_and(|before| before.hint.as_deref() != hint.as_deref());
        let voided = if is_another_key {
            self.destroy(&mut tx, VaultName::TwilioApiKeySecret, &["current", "previous"]).await?
        } else {
            Vec::new()
        };
        let sealed = Sealed::seal(self.ring.primary(), self.place(name, version), &value);
        sqlx::query!(
            r#"
            insert into vault_entries (
                id, mode, name, version, state, key_id, wrapped_key, ciphertext, hint, created_by, created_at)
            values ($1, $2, $3, $4, 'current', $5, $6, $7, $8, $9, clock_timestamp() + $10)
            "#,
            VaultEntryId::new().0,
            self.mode.as_str(),
            name.as_str(),
            version,
            sealed.key_id,
            sealed.wrapped_key,
            sealed.ciphertext,
            hint,
            actor.name,
            self.clock.offset(),
        )
        .execute(&mut *tx)
        .await?;
        self.forget_findings(&mut tx, name).await?;
        let mut details = json!({
            "mode": self.mode,
            "before": before.map(|before| json!({ "version": before.version, "hint": before.hint })),
            "after": { "version": version, "hint": hint },
        });
        if !voided.is_empty() {
            details["removed"] = json!({ VaultName::TwilioApiKeySecret.as_str(): voided });
        }
        audit::record(&mut tx, actor, Change { object: format!("vault/{name}"), action: "vault.set", details }).await?;
        tx.commit().await?;
        self.sender.forget();
        tracing::info!(event = "vault.changed", %name, version, mode = %self.mode, "a secret was set");
        Ok(version)
    }

    /// Destroys all that is stored under a name. False: nothing was.
    pub async fn remove(&self, name: VaultName, actor: &Actor) -> Result<bool, VaultError> {
        self.destroy_for(name, &["current", "previous"], "vault.removed", actor).await
    }

    /// Destroys the version before the current one, so that nothing signed with it is believed any longer. False: there
    /// was none.
    pub async fn revoke_previous(&self, name: VaultName, actor: &Actor) -> Result<bool, VaultError> {
        self.destroy_for(name, &["previous"], "vault.previous_revoked", actor).await
    }

    async fn destroy_for(
        &self,
        name: VaultName,
        states: &[&str],
        action: &'static str,
        actor: &Actor,
    ) -> Result<bool, VaultError> {
        let mut tx = database::begin(&self.db).await?;
        canary::lock(&mut tx, self.mode, &self.ring).await?;
        let versions = self.destroy(&mut tx, name, states).await?;
        if versions.is_empty() {
            return Ok(false);
        }
        if states.contains(&"current") {
            self.forget_findings(&mut tx, name).await?;
        }
        let details = json!({
            "mode": self.mode,
            "versions": versions,
            "before": { "kept": true },
            "after": { "kept": false },
        });
        audit::record(&mut tx, actor, Change { object: format!("vault/{name}"), action, details }).await?;
        tx.commit().await?;
        self.sender.forget();
        tracing::info!(event = "vault.changed", %name, ?versions, mode = %self.mode, action, "a secret was destroyed");
        Ok(true)
    }

    /// Forgets the key and the ciphertext of the versions in these states; the rows stay as a trace.
    async fn destroy(&self, tx: &mut PgConnection, name: VaultName, states: &[&str]) -> sqlx::Result<Vec<i32>> {
        sqlx::query_scalar!(
            r#"
            update vault_entries
            set state = 'destroyed',
                wrapped_key = null,
                ciphertext = null,
                destroyed_at = clock_timestamp() + $4
            where mode = $1
                and name = $2
                and state = any($3)
            returning version
            "#,
            self.mode.as_str(),
            name.as_str(),
            states as _,
            self.clock.offset(),
        )
        .fetch_all(tx)
        .await
    }

    /// All versions that hold a secret, of all names, oldest first: one statement, so that they fit together.
    pub(super) async fn held(&self) -> sqlx::Result<Vec<Held>> {
        self.held_in(&self.db).await
    }

    /// The same, as a transaction sees it.
    pub(super) async fn held_in(&self, db: impl sqlx::PgExecutor<'_>) -> sqlx::Result<Vec<Held>> {
        sqlx::query!(
            r#"
            select
                name as "name: VaultName",
                version,
                state = 'current' as "is_current!",
                key_id,
                wrapped_key as "wrapped_key!",
                ciphertext as "ciphertext!",
                hint,
                created_by,
                created_at,
                verified_at,
                verify_result,
                first_signature_at,
                coalesce(first_signature_at + interval '24 hours' <= clock_timestamp() + $2, false)
                    as "is_established!"
            from vault_entries
            where mode = $1
                and state <> 'destroyed'
            order by
                name,
                version
            "#,
            self.mode.as_str(),
            self.clock.offset(),
        )
        .map(|row| Held {
            name: row.name,
            version: row.version,
            is_current: row.is_current,
            hint: row.hint,
            created_by: row.created_by,
            created_at: row.created_at,
            verified: row
                .verify_result
                .and_then(|name| Finding::parse(&name))
                .zip(row.verified_at)
                .map(|(finding, at)| Checked { finding, at }),
            first_signature_at: row.first_signature_at,
            is_established: row.is_established,
            sealed: Sealed { key_id: row.key_id, wrapped_key: row.wrapped_key, ciphertext: row.ciphertext },
        })
        .fetch_all(db)
        .await
    }

    /// Decrypts one version.
    pub(super) fn open_held(&self, held: &Held) -> Result<SecretString, VaultError> {
        let (name, version) = (held.name, held.version);
        let opened = held.sealed.open(&self.ring, self.place(name, version));
        opened.map_err(|why| VaultError::unopened(why, name, version, &held.sealed.key_id))
    }
}
