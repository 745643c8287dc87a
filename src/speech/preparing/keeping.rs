//! What was made is paid for: it is named in the row, stored, and called ready, and what was stored by a process that then
//! ended is found again.

use std::time::Duration;

use bytes::Bytes;

use super::lease::{Failure, Leased, pause};
use crate::speech::clips::{self, KeepError};
use crate::speech::elevenlabs::Synthesis;
use crate::state::AppState;

/// How often what was made is written down again when the store or the database does not answer.
const TRIES: u32 = 20;

/// Pause between these.
const PAUSE: Duration = Duration::from_millis(500);

/// The hash of the audio that an earlier process stored before it ended.
pub(super) async fn kept(app: &AppState, leased: &Leased) -> Result<Option<[u8; 32]>, Failure> {
    let named = leased.content_hash.as_deref().and_then(|hash| <[u8; 32]>::try_from(hash).ok());
    let (Some(content_hash), Some(bytes)) = (named, leased.bytes) else { return Ok(None) };
    match app.clips.size(&content_hash).await {
        Ok(size) => {
            Ok(size.and_then(|size| i64::try_from(size).ok()).filter(|size| *size == bytes).map(|_| content_hash))
        }
        Err(error) => Err(Failure {
            code: "clip_store_failed",
            reason: format!("The store of recordings does not answer: {error}."),
            try_after: Some(pause(leased.tries)),
        }),
    }
}

/// Names the audio in the row and stores it. `None`: the clip is not wanted any more, or somebody else made it.
pub(super) async fn keep(app: &AppState, leased: &Leased, audio: &Bytes) -> Result<Option<[u8; 32]>, Failure> {
    let mut last = String::new();
    for _ in 0..TRIES {
        match clips::keep(&app.db, &app.clips, &leased.clip, audio.clone()).await {
            Ok(kept) => return Ok(kept),
            Err(error) => {
                tracing::warn!(event = "voice.not_kept", clip = %clips::in_log(&leased.clip), %error, "trying again");
                last = match error {
                    KeepError::Database(_) => "the database did not answer".to_owned(),
                    KeepError::Store(error) => error.to_string(),
                };
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
    // It is not made again by itself: each time would be paid for.
    let reason =
        format!("The speech was made, and could not be kept: {last}. Look at the store of recordings, then ask again.");
    Err(Failure { code: "clip_not_kept", reason, try_after: None })
}

/// The clip can be heard from now on, if it is still this content that it names.
pub(super) async fn ready(
    app: &AppState,
    leased: &Leased,
    content_hash: [u8; 32],
    synthesis: Option<&Synthesis>,
) -> Result<(), Failure> {
    let mut last = None;
    for _ in 0..TRIES {
        match mark_ready(app, leased, content_hash, synthesis).await {
            Ok(()) => return Ok(()),
            Err(error) => {
                tracing::warn!(event = "voice.not_kept", clip = %clips::in_log(&leased.clip), %error, "trying again");
                last = Some(error);
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
    // The audio is named and stored: whoever takes over has only to say so.
    let last = last.map_or_else(String::new, |error| format!(": {error}"));
    let reason = format!("The database did not take what was made{last}.");
    Err(Failure { code: "speech_failed", reason, try_after: Some(pause(leased.tries)) })
}

async fn mark_ready(
    app: &AppState,
    leased: &Leased,
    content_hash: [u8; 32],
    synthesis: Option<&Synthesis>,
) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        with clock as materialized (
            select clock_timestamp() + $1::interval as at
        ), made as (
            update clips c
            set state = 'ready', ready_at = clock.at, leased_by = null, leased_until = null, reason = null,
                reason_code = null
            from clock
            where c.id = $2 and c.state = 'preparing' and c.content_hash = $3
            returning c.id, c.bytes, c.voice_id, c.model_id
        )
        insert into audit_lines (object, at, actor, action, from_state, to_state, mode, correlation_id, details)
        select
            'clip/' || id, clock.at, 'speech', 'clip.made', 'preparing', 'ready', $4, $5, jsonb_build_object(
                'sha256', encode($3::bytea, 'hex'), 'bytes', bytes, 'voice', voice_id, 'model', model_id,
                'characters', $6::bigint, 'request', $7::text)
        from made, clock
        "#,
        app.clock.offset(),
        leased.clip,
        &content_hash[..],
        app.config.mode.as_str(),
        leased.correlation_id,
        synthesis.and_then(|synthesis| i64::try_from(synthesis.characters?).ok()),
        synthesis.and_then(|synthesis| synthesis.request_id.as_deref()),
    )
    .execute(&app.db)
    .await?;
    Ok(())
}
