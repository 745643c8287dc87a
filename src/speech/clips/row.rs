//! The rows of clips, as far as storing and serving goes. What makes a clip ready is in `speech::preparing`.

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use sqlx::PgPool;
use time::OffsetDateTime;

use super::store::{ClipStore, ClipStoreError};

/// Why a clip's audio was not kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeepError {
    /// The row could not be written.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    /// The bytes could not be stored.
    #[error(transparent)]
    Store(#[from] ClipStoreError),
}

/// Keeps the audio of a clip that is being prepared: names its content in the row, then stores the bytes, and answers
/// their hash. `None`: the clip is not being prepared (any more), and nothing was stored.
///
/// The row is named first, so that a process that takes over finds out with [`ClipStore::size`] whether the audio was
/// stored already, and the cleaning leaves it alone.
pub(crate) async fn keep(
    db: &PgPool,
    store: &ClipStore,
    clip: &str,
    audio: Bytes,
) -> Result<Option<[u8; 32]>, KeepError> {
    let content_hash: [u8; 32] = Sha256::digest(&audio).into();
    let named = sqlx::query_scalar!(
        r#"
        update clips
        set content_hash = $2, content_type = 'audio/mpeg', bytes = $3
        where id = $1 and state = 'preparing'
        returning id
        "#,
        clip,
        &content_hash[..],
        i64::try_from(audio.len()).unwrap_or(i64::MAX),
    )
    .fetch_optional(db)
    .await?;
    if named.is_none() {
        return Ok(None);
    }
    store.put(&content_hash, audio).await?;
    Ok(Some(content_hash))
}

/// What is at a public address.
pub(super) enum Found {
    /// It can be played.
    Ready(Ready),
    /// It could be played once.
    Deleted,
}

/// A clip that can be played.
pub(super) struct Ready {
    pub(super) content_hash: [u8; 32],
    pub(super) content_type: String,
    pub(super) bytes: u64,
    /// Since when.
    pub(super) since: OffsetDateTime,
}

/// Finds a clip by its public name; one that is still being made does not exist yet.
pub(super) async fn find(db: &PgPool, clip: &str) -> sqlx::Result<Option<Found>> {
    let row = sqlx::query!(
        r#"
        select state = 'deleted' as "is_deleted!", content_hash, content_type, bytes, coalesce(ready_at, created_at) as "ready_at!"
        from clips
        where id = $1 and state in ('ready', 'deleted')
        "#,
        clip,
    )
    .fetch_optional(db)
    .await?;
    Ok(row.and_then(|row| {
        if row.is_deleted {
            return Some(Found::Deleted);
        }
        Some(Found::Ready(Ready {
            content_hash: row.content_hash?.try_into().ok()?,
            content_type: row.content_type.unwrap_or_else(|| "audio/mpeg".to_owned()),
            bytes: u64::try_from(row.bytes?).ok()?,
            since: row.ready_at,
        }))
    }))
}
