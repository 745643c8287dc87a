//! The rotation of the master key: every data key is wrapped by the primary key, then the other keys go out of use. The
//! secrets themselves are not decrypted.

use serde_json::json;

use super::sealed::Sealed;
use super::{Vault, VaultError, VaultName, canary};
use crate::audit::{self, Actor, Change};
use crate::database;

/// Data keys that are wrapped anew in one transaction, unless somebody says otherwise.
pub(super) const BATCH: u16 = 100;

/// How far a rotation came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// The primary key.
    pub key_id: String,
    /// Secrets that were wrapped anew.
    pub rewrapped: u64,
    /// Secrets that still need another key of the ring: another process held them, so run it again, or they are
    /// [shared](Self::shared).
    pub remaining: i64,
    /// Those of them that wait for the other mode: its vault uses their key, and does not know the primary one yet.
    pub shared: i64,
    /// Keys that are not needed any longer, and may leave the key ring of every process.
    pub retired: Vec<String>,
}

impl Vault {
    /// Wraps all data keys by the primary key, `batch` in one transaction: it may be stopped and started again anywhere.
    pub async fn rotate(&self, actor: &Actor, batch: u16) -> Result<Rotation, VaultError> {
        self.rotate_unless(actor, batch, || false).await
    }

    /// The same, until it is stopped.
    pub(super) async fn rotate_unless(
        &self,
        actor: &Actor,
        batch: u16,
        is_stopped: impl Fn() -> bool,
    ) -> Result<Rotation, VaultError> {
        let mut rewrapped = 0;
        while !is_stopped() {
            match self.rewrap_batch(i64::from(batch.max(1))).await? {
                0 => break,
                count => rewrapped += count,
            }
        }
        let key_id = self.ring.primary().id().to_owned();
        let mut tx = database::begin(&self.db).await?;
        canary::lock(&mut tx, self.mode, &self.ring).await?;
        let ring = self.ring.ids();
        let left = sqlx::query!(
            r#"
            select
                (select count(*)
                from vault_entries
                where mode = $1
                    and state <> 'destroyed'
                    and key_id <> $3) as "entries!",
                count(*) as "kept!",
                count(*) filter (
                    where exists (
                        select
                        from vault_canaries
                        where vault_canaries.key_id = $2 || '/' || kept_secrets.key_id)
                    and not exists (select from vault_canaries where key_id = $2 || '/' || $3)) as "shared!"
            from kept_secrets
            where key_id <> $3
                and key_id = any($4)
            "#,
            self.mode.as_str(),
            self.mode.other().as_str(),
            key_id,
            ring.as_slice() as _,
        )
        .fetch_one(&mut *tx)
        .await?;
        let (remaining, shared) = (left.entries + left.kept, left.shared);
        let retired = match remaining {
            0 => canary::retire_others(&mut tx, self.mode, &self.ring).await?,
            _ => Vec::new(),
        };
        let details = json!({
            "mode": self.mode,
            "key": key_id,
            "rewrapped": rewrapped,
            "remaining": remaining,
            "shared": shared,
            "retired": retired,
        });
        let object = "vault/master_key".to_owned();
        audit::record(&mut tx, actor, Change { object, action: "vault.rotated", details }).await?;
        tx.commit().await?;
        tracing::info!(event = "vault.changed", mode = %self.mode, key = key_id, rewrapped, remaining, "rotated");
        Ok(Rotation { key_id, rewrapped, remaining, shared, retired })
    }

    async fn rewrap_batch(&self, batch: i64) -> Result<u64, VaultError> {
        let mut tx = database::begin(&self.db).await?;
        let rows = sqlx::query!(
            r#"
            select
                id,
                name as "name: VaultName",
                version,
                key_id,
                wrapped_key as "wrapped_key!",
                ciphertext as "ciphertext!"
            from vault_entries
            where mode = $1
                and state <> 'destroyed'
                and key_id <> $2
            order by id
            limit $3
            for update skip locked
            "#,
            self.mode.as_str(),
            self.ring.primary().id(),
            batch,
        )
        .fetch_all(&mut *tx)
        .await?;
        let mut count = 0;
        for row in rows {
            let (name, version) = (row.name, row.version);
            let sealed = Sealed { key_id: row.key_id, wrapped_key: row.wrapped_key, ciphertext: row.ciphertext };
            let rewrapped = sealed
                .rewrap(&self.ring, self.place(name, version))
                .map_err(|why| VaultError::unopened(why, name, version, &sealed.key_id))?;
            sqlx::query!(
                "update vault_entries set key_id = $2, wrapped_key = $3 where id = $1",
                row.id,
                rewrapped.key_id,
                rewrapped.wrapped_key,
            )
            .execute(&mut *tx)
            .await?;
            count += 1;
        }
        count += self.rewrap_kept(&mut tx, batch).await?;
        tx.commit().await?;
        Ok(count)
    }
}
