//! Clips that are wanted: the one of a text in a voice is made once, whoever wants it.

use sqlx::PgConnection;

use super::clip::{new_name, request_hash};
use crate::clock::Clock;
use crate::config::Mode;
use crate::speech::catalogue::Chosen;
use crate::speech::elevenlabs::FORMAT;

/// The clip of this text for somebody who is no operation: the one that is there or being made, else a new one. Its row is
/// locked until the caller has written down that it is wanted, so that nobody removes it before that.
pub(crate) async fn clip_of(
    tx: &mut PgConnection,
    clock: &Clock,
    mode: Mode,
    text: &str,
    chosen: &Chosen,
) -> anyhow::Result<String> {
    let request_hash = request_hash(mode, text, &chosen.voice, &chosen.model, FORMAT);
    let clip = sqlx::query_scalar!(
        r#"
        insert into clips (id, request_hash, state, text_spoken, voice_id, model_id, format, created_at)
        values ($2, $3, 'preparing', $4, $5, $6, $7, clock_timestamp() + $1::interval)
        -- somebody wanted the same: an update of nothing names that one
        on conflict (request_hash) where state in ('preparing', 'ready') do update set tries = clips.tries
        returning id
        "#,
        clock.offset(),
        new_name()?,
        &request_hash[..],
        text,
        chosen.voice,
        chosen.model,
        FORMAT,
    );
    Ok(clip.fetch_one(tx).await?)
}
