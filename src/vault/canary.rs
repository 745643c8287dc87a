//! A known text under each master key in use. A process whose key ring cannot open it finds out at its start, and not
//! at the first send.
//!
//! A row is named `mode/key id`: keys belong to a mode, and the key that a sandbox made for itself must not stand in
//! the way of going live on the same database. No key id contains a slash.

use sqlx::PgConnection;
use uuid::Uuid;

use super::cipher::{self, Place, Purpose, associated_data};
use super::error::VaultError;
use super::key_ring::{KeyRing, MasterKey};
use crate::config::Mode;

const TEXT: &[u8] = b"This vault opens.";

/// Proves that the key ring opens everything that this mode's vault may hold, and puts the primary key into use.
/// Answers the id of the installation.
pub(super) async fn check(tx: &mut PgConnection, mode: Mode, ring: &KeyRing) -> Result<Uuid, VaultError> {
    // Locked, so that of two first starts with different keys the second sees the first one's canary and refuses.
    let deployment = sqlx::query_scalar!("select id from deployment for update").fetch_one(&mut *tx).await?;
    let canaries = sqlx::query!(
        r#"
        select
            split_part(key_id, '/', 2) as "key_id!",
            ciphertext
        from vault_canaries
        where split_part(key_id, '/', 1) = $1
        "#,
        mode.as_str(),
    )
    .fetch_all(&mut *tx)
    .await?;

    for canary in canaries {
        let key_id = canary.key_id;
        let Some(key) = ring.find(&key_id) else { return Err(VaultError::ForeignKey { mode, key_id }) };
        let opened = cipher::decrypt(key.key(), &bound(deployment, mode, key), &canary.ciphertext);
        if opened.is_none_or(|opened| opened.as_slice() != TEXT) {
            return Err(VaultError::WrongKey { mode, key_id });
        }
    }

    let primary = ring.primary();
    sqlx::query!(
        r#"
        insert into vault_canaries (key_id, ciphertext)
        values ($1, $2)
        on conflict do nothing
        "#,
        row(mode, primary.id()),
        cipher::encrypt(primary.key(), &bound(deployment, mode, primary), TEXT),
    )
    .execute(tx)
    .await?;
    Ok(deployment)
}

/// Holds this mode's vault still until the transaction ends, and refuses if a rotation ended our primary key since the
/// start: what we would seal with it, no other process might be able to open.
pub(super) async fn lock(tx: &mut PgConnection, mode: Mode, ring: &KeyRing) -> Result<(), VaultError> {
    // All rows in one order: processes with different primary keys then wait for each other too, and never in a circle.
    let in_use = sqlx::query_scalar!(
        r#"
        select split_part(key_id, '/', 2) as "key_id!"
        from vault_canaries
        where split_part(key_id, '/', 1) = $1
        order by key_id
        for update
        "#,
        mode.as_str(),
    )
    .fetch_all(tx)
    .await?;
    let primary = ring.primary().id();
    if in_use.iter().any(|key_id| key_id == primary) {
        Ok(())
    } else {
        Err(VaultError::KeyRetired { key_id: primary.to_owned() })
    }
}

/// Ends the use of all keys of the mode but the primary one; answers their ids. The caller holds the [`lock`].
pub(super) async fn retire_others(tx: &mut PgConnection, mode: Mode, ring: &KeyRing) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"
        delete from vault_canaries
        where split_part(key_id, '/', 1) = $1
            and key_id <> $2
        returning split_part(key_id, '/', 2) as "key_id!"
        "#,
        mode.as_str(),
        row(mode, ring.primary().id()),
    )
    .fetch_all(tx)
    .await
}

fn row(mode: Mode, key_id: &str) -> String {
    format!("{mode}/{key_id}")
}

fn bound(deployment: Uuid, mode: Mode, key: &MasterKey) -> Vec<u8> {
    associated_data(Purpose::Canary, Place::Entry { deployment, mode, name: "", version: 0 }, key.id())
}
