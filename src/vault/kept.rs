//! Secrets that other parts of the service keep here: each under its purpose and the id of what it belongs to, sealed
//! like the vault's own. They have no mode. A process opens what any process kept that has one of its keys.
//!
//! The change is the caller's, and so is the audit line about it, in the same transaction.

use secrecy::SecretString;
use sqlx::PgConnection;
use uuid::Uuid;

use super::cipher::Place;
use super::sealed::Sealed;
use super::{Vault, VaultError, canary};

impl Vault {
    /// Keeps a secret in the caller's transaction, in the place of one that was kept there before. The transaction
    /// should end soon: until then no other process can store a secret.
    pub async fn keep(
        &self,
        tx: &mut PgConnection,
        purpose: &'static str,
        id: Uuid,
        secret: &SecretString,
    ) -> Result<(), VaultError> {
        canary::lock(tx, self.mode, &self.ring).await?;
        let sealed = Sealed::seal(self.ring.primary(), self.kept_at(purpose, id), secret);
        sqlx::query!(
            r#"
            insert into kept_secrets (purpose, id, key_id, wrapped_key, ciphertext, created_at)
            values ($1, $2, $3, $4, $5, clock_timestamp() + $6)
            on conflict (purpose, id) do update
            set key_id = excluded.key_id,
                wrapped_key = excluded.wrapped_key,
                ciphertext = excluded.ciphertext,
                created_at = excluded.created_at
            "#,
            purpose,
            id,
            sealed.key_id,
            sealed.wrapped_key,
            sealed.ciphertext,
            self.clock.offset(),
        )
        .execute(tx)
        .await?;
        Ok(())
    }

    /// The secret that is kept there, if one is.
    pub async fn recall(
        &self,
        connection: &mut PgConnection,
        purpose: &'static str,
        id: Uuid,
    ) -> Result<Option<SecretString>, VaultError> {
        let row = sqlx::query!(
            r#"
            select
                key_id,
                wrapped_key,
                ciphertext
            from kept_secrets
            where purpose = $1
                and id = $2
            "#,
            purpose,
            id,
        )
        .fetch_optional(connection)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let sealed = Sealed { key_id: row.key_id, wrapped_key: row.wrapped_key, ciphertext: row.ciphertext };
        let opened = sealed.open(&self.ring, self.kept_at(purpose, id));
        opened.map(Some).map_err(|why| VaultError::kept_unopened(why, purpose, id, &sealed.key_id))
    }

    /// Forgets the secret that is kept there, in the caller's transaction. False: none was.
    pub async fn forget(&self, tx: &mut PgConnection, purpose: &'static str, id: Uuid) -> Result<bool, VaultError> {
        let forgotten = sqlx::query!(
            r#"
            delete from kept_secrets
            where purpose = $1
                and id = $2
            "#,
            purpose,
            id,
        );
        Ok(forgotten.execute(tx).await?.rows_affected() > 0)
    }

    /// Wraps some of those kept under other keys of the ring by the primary one; answers how many.
    ///
    /// The other mode's processes recall the same secrets. What they can open now and could not afterwards, because they
    /// have not started with the new key yet, stays as it is.
    pub(super) async fn rewrap_kept(&self, tx: &mut PgConnection, batch: i64) -> Result<u64, VaultError> {
        let ring = self.ring.ids();
        let rows = sqlx::query!(
            r#"
            select
                purpose,
                id,
                key_id,
                wrapped_key,
                ciphertext
            from kept_secrets
            where key_id <> $1
                and key_id = any($2)
                and (
                    exists (select from vault_canaries where key_id = $3 || '/' || $1)
                    or not exists (
                        select
                        from vault_canaries
                        where vault_canaries.key_id = $3 || '/' || kept_secrets.key_id))
            order by
                purpose,
                id
            limit $4
            for update skip locked
            "#,
            self.ring.primary().id(),
            ring.as_slice() as _,
            self.mode.other().as_str(),
            batch,
        )
        .fetch_all(&mut *tx)
        .await?;
        let mut count = 0;
        for row in rows {
            let sealed = Sealed { key_id: row.key_id, wrapped_key: row.wrapped_key, ciphertext: row.ciphertext };
            let rewrapped = sealed
                .rewrap(&self.ring, self.kept_at(&row.purpose, row.id))
                .map_err(|why| VaultError::kept_unopened(why, &row.purpose, row.id, &sealed.key_id))?;
            sqlx::query!(
                r#"
                update kept_secrets
                set key_id = $3,
                    wrapped_key = $4
                where purpose = $1
                    and id = $2
                "#,
                row.purpose,
                row.id,
                rewrapped.key_id,
                rewrapped.wrapped_key,
            )
            .execute(&mut *tx)
            .await?;
            count += 1;
        }
        Ok(count)
    }

    fn kept_at<'a>(&self, purpose: &'a str, id: Uuid) -> Place<'a> {
        Place::Kept { deployment: self.deployment, purpose, id }
    }
}
