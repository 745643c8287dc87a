//! That a recording or a clip was fetched, as a fact beside Twilio's reports. A fetch carries no signature, so it is shown
//! and moves nothing.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use sqlx::PgPool;

use crate::clock::Clock;
use crate::config::Mode;
use crate::id::{AttemptId, OperationId};

/// Stores the first fetch of the recording that a call under way plays; answers the call, if there is one with this
/// address.
pub(crate) async fn note_fetch(
    db: &PgPool,
    clock: &Clock,
    mode: Mode,
    url: &str,
    agent: &str,
) -> sqlx::Result<Option<OperationId>> {
    let dedup: [u8; 32] = Sha256::digest(json!(["clip_fetch", mode.as_str(), url]).to_string()).into();
    sqlx::query_scalar!(
        r#"
        insert into provider_events (
            mode, kind, operation_id, matched_by, account_sid, sid, status, rank, payload, received_at, dedup)
        select
            o.mode, 'clip_fetch', o.id, 'nothing',
            coalesce((select a.account_sid from attempts a where a.operation_id = o.id and a.number = o.attempts), ''),
            coalesce(o.provider_sid, ''), 'fetched', 0, $4, clock_timestamp() + $1::interval, $5
        from operations o
        where o.audio_url = $2
            and o.mode = $3
            and o.state in ('sending', 'accepted', 'delivered', 'failed', 'unknown', 'needs_review')
        order by o.id desc
        limit 1
        on conflict (dedup) do nothing
        returning operation_id as "operation: OperationId"
        "#,
        clock.offset(),
        url,
        mode.as_str(),
        told_by(agent),
        &dedup[..],
    )
    .fetch_optional(db)
    .await
    .map(Option::flatten)
}

/// A fetch of a clip.
pub(crate) struct Fetch<'a> {
    /// The clip's public name.
    pub(crate) clip: &'a str,
    /// The attempt that the address is of.
    pub(crate) attempt: AttemptId,
    /// Who says to fetch.
    pub(crate) agent: &'a str,
}

/// Stores the first fetch at the address that was made for this attempt; answers the call, if it plays this clip.
pub(crate) async fn note_clip_fetch(
    db: &PgPool,
    clock: &Clock,
    mode: Mode,
    fetch: &Fetch<'_>,
) -> sqlx::Result<Option<OperationId>> {
    let dedup: [u8; 32] = Sha256::digest(json!(["clip_fetch", mode.as_str(), fetch.attempt]).to_string()).into();
    sqlx::query_scalar!(
        r#"
        insert into provider_events (
            mode, kind, operation_id, attempt_id, matched_by, account_sid, sid, status, rank, payload, received_at, dedup)
        select
            o.mode, 'clip_fetch', o.id, a.id, 'nothing', coalesce(a.account_sid, ''), coalesce(o.provider_sid, ''),
            'fetched', 0, $5, clock_timestamp() + $1::interval, $6
        from attempts a
        join operations o on o.id = a.operation_id
        where a.id = $2 and o.clip_id = $3 and o.mode = $4
        on conflict (dedup) do nothing
        returning operation_id as "operation: OperationId"
        "#,
        clock.offset(),
        fetch.attempt.0,
        fetch.clip,
        mode.as_str(),
        told_by(fetch.agent),
        &dedup[..],
    )
    .fetch_optional(db)
    .await
    .map(Option::flatten)
}

fn told_by(agent: &str) -> Value {
    json!({ "userAgent": agent.chars().filter(|character| !character.is_control()).take(200).collect::<String>() })
}
