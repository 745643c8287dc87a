//! The records for readers, newest first, by keyset.

use sqlx::PgPool;
use time::OffsetDateTime;

use super::{CallState, Verdict};
use crate::config::Mode;

/// Most rows a page may have.
pub(in crate::gateway) const PAGE_LIMIT: i64 = 200;

/// The record of one call.
#[derive(Clone, Debug)]
pub(in crate::gateway) struct Call {
    pub(in crate::gateway) id: i64,
    pub(in crate::gateway) sid: String,
    pub(in crate::gateway) direction: String,
    pub(in crate::gateway) from: String,
    pub(in crate::gateway) to: String,
    pub(in crate::gateway) verdict: Verdict,
    pub(in crate::gateway) greeting: Option<String>,
    pub(in crate::gateway) clip: Option<String>,
    pub(in crate::gateway) state: CallState,
    pub(in crate::gateway) status: Option<String>,
    pub(in crate::gateway) duration_seconds: Option<i32>,
    pub(in crate::gateway) started_at: OffsetDateTime,
    pub(in crate::gateway) answered_at: Option<OffsetDateTime>,
    pub(in crate::gateway) ended_at: Option<OffsetDateTime>,
    pub(in crate::gateway) end_reason: Option<String>,
    pub(in crate::gateway) conflicted_at: Option<OffsetDateTime>,
}

/// One page.
#[derive(Debug)]
pub(in crate::gateway) struct Page {
    pub(in crate::gateway) calls: Vec<Call>,
    /// Where the next page begins; `None` on the last.
    pub(in crate::gateway) next: Option<i64>,
}

/// A page of the calls of this mode, of every account, after the call with this id.
pub(in crate::gateway) async fn list(db: &PgPool, mode: Mode, after: Option<i64>, limit: i64) -> sqlx::Result<Page> {
    let limit = limit.clamp(1, PAGE_LIMIT);
    let mut calls = sqlx::query_as!(
        Call,
        r#"
        select
            id, sid, direction, from_number as "from", to_number as "to", verdict as "verdict: Verdict", greeting,
            clip_id as clip, state as "state: CallState", provider_status as status, duration_seconds, started_at,
            answered_at, ended_at, end_reason, conflicted_at
        from gateway_calls
        where mode = $1 and ($2::bigint is null or id < $2)
        order by id desc
        limit $3
        "#,
        mode.as_str(),
        after,
        limit + 1,
    )
    .fetch_all(db)
    .await?;
    let has_more = i64::try_from(calls.len()).is_ok_and(|count| count > limit);
    if has_more {
        calls.pop();
    }
    let next = calls.last().filter(|_| has_more).map(|last| last.id);
    Ok(Page { calls, next })
}
