//! What came of an attempt, recorded by compare-and-set: whatever a callback or the reconciler knew first stays.

use std::time::Duration;

use serde_json::json;
use sqlx::PgPool;

use super::claim::Claimed;
use crate::clock::{Clock, interval};
use crate::twilio::{Exchange, SendOutcome, errors};

/// First pause after a try that did not leave us; each further one doubles it.
const FIRST_BACKOFF: Duration = Duration::from_secs(1);

/// Longest pause between two tries.
const LONGEST_BACKOFF: Duration = Duration::from_mins(5);

/// How the rows move.
struct Move<'a> {
    attempt_state: &'a str,
    operation_state: &'a str,
    /// From which states of the attempt; an answer of Twilio's is evidence even after others gave up.
    from: &'a [&'a str],
    sid: Option<&'a str>,
    provider_status: Option<&'a str>,
    reason: Option<String>,
    backoff: Duration,
    action: &'a str,
}

/// Records what is known. Returns whether the rows moved: if not, somebody knew more.
pub async fn record(db: &PgPool, clock: &Clock, claimed: &Claimed, exchange: &Exchange) -> sqlx::Result<bool> {
    let change = match &exchange.outcome {
        SendOutcome::Accepted { sid, status } => Move {
            attempt_state: "accepted",
            operation_state: "accepted",
            from: &["sending", "unknown", "needs_review"],
            sid: Some(sid.as_str()),
            provider_status: Some(status),
            reason: None,
            backoff: Duration::ZERO,
            action: "dispatch.accepted",
        },
        SendOutcome::Refused { code, message } => Move {
            attempt_state: "refused",
            operation_state: "failed",
            from: &["sending", "unknown", "needs_review"],
            sid: None,
            provider_status: None,
            reason: Some(format!("{} Twilio says: {message} ({code})", errors::in_words(*code))),
            backoff: Duration::ZERO,
            action: "dispatch.refused",
        },
        SendOutcome::NotSent { reason, retry_after, .. } => Move {
            attempt_state: "not_sent",
            operation_state: "approved",
            from: &["sending", "unknown"],
            sid: None,
            provider_status: None,
            reason: Some(reason.clone()),
            backoff: retry_after.unwrap_or_default().max(backoff(claimed.number)),
            action: "dispatch.not_sent",
        },
        SendOutcome::Unknown { reason } => Move {
            attempt_state: "unknown",
            operation_state: "unknown",
            from: &["sending"],
            sid: None,
            provider_status: None,
            reason: Some(reason.clone()),
            backoff: Duration::ZERO,
            action: "dispatch.unknown",
        },
    };
    if apply(db, clock, claimed, exchange, &change).await? {
        return Ok(true);
    }
    match change.sid {
        Some(sid) => note_late_answer(db, clock, claimed, sid).await,
        None => Ok(false),
    }
}

/// Twilio has it, and it was judged meanwhile that it has not: an alarm, which also stops what was to go out again.
async fn note_late_answer(db: &PgPool, clock: &Clock, claimed: &Claimed, sid: &str) -> sqlx::Result<bool> {
    let suspected = sqlx::query_scalar!(
        r#"
        with clock as materialized (
            select clock_timestamp() + $1::interval as at
        ), suspected as (
            update operations o
            set duplicate_suspected_at = coalesce(o.duplicate_suspected_at, clock.at),
                acknowledged_at = null,
                updated_at = clock.at
            from attempts a, clock
            where a.id = $2
                and a.state in ('absent', 'not_sent', 'refused', 'resolved')
                and a.provider_sid is distinct from $3
                and o.id = a.operation_id
            returning o.id, o.state, o.mode, o.correlation_id
        ), line as (
            insert into audit_lines (object, at, actor, action, from_state, to_state, mode, correlation_id, details)
            select
                'operation/' || id, clock.at, 'dispatch', 'dispatch.late_answer', state, state, mode, correlation_id,
                jsonb_build_object('attempt', $4::integer, 'sid', $3::text)
            from suspected, clock
        )
        select id from suspected
        "#,
        clock.offset(),
        claimed.attempt.0,
        sid,
        claimed.number,
    )
    .fetch_optional(db)
    .await?;
    if suspected.is_some() {
        let operation = claimed.operation;
        tracing::error!(event = "dispatch.late_answer", %operation, sid, "Twilio took an attempt that was judged absent");
    }
    Ok(suspected.is_some())
}

async fn apply(
    db: &PgPool,
    clock: &Clock,
    claimed: &Claimed,
    exchange: &Exchange,
    change: &Move<'_>,
) -> sqlx::Result<bool> {
    let from: Vec<String> = change.from.iter().map(|&state| state.to_owned()).collect();
    let details = json!({
        "attempt": claimed.number,
        "httpStatus": exchange.http_status,
        "errorCode": exchange.error_code,
        "sid": change.sid,
        "reason": change.reason,
    });
    let moved = sqlx::query!(
        r#"
        with clock as materialized (
            select clock_timestamp() + $1::interval as at
        ), before as (
            select id, state from operations where id = $2 for update
        ), closed as (
            update attempts a
            set state = $4,
                provider_sid = coalesce(a.provider_sid, $5),
                bound_by = coalesce(a.bound_by, case when $5::text is not null then 'answer' end),
                http_status = $6,
                error_code = $7,
                request_id = $8,
                detail = $9,
                -- a request that was written late, by a process that had been paused, arrives late
                settle_at = case
                    when $4 = 'unknown' then greatest(a.settle_at, clock.at + (a.settle_at - a.deadline_at))
                    else a.settle_at
                end,
                ended_at = case when $4 <> 'unknown' then clock.at end
            from clock, before
            where a.id = $3 and a.state = any ($10)
            returning a.id
        ), moved as (
            update operations o
            set state = $11,
                provider_sid = coalesce(o.provider_sid, $5),
                provider_status = coalesce($12, o.provider_status),
                provider_rank = case when $11 = 'accepted' then greatest(o.provider_rank, 1) else o.provider_rank end,
                error_code = case when $11 = 'failed' then $7 else o.error_code end,
                reason = case when $11 in ('failed', 'unknown') then $9 end,
                reason_code = case when $11 = 'failed' then 'provider_refused' end,
                delay_reason = case when $11 = 'approved' then $9 end,
                not_before = case when $11 = 'approved' then clock.at + $13::interval else o.not_before end,
                unknown_since = case when $11 = 'unknown' then clock.at end,
                accepted_at = case when $11 = 'accepted' then clock.at else o.accepted_at end,
                finished_at = case when $11 = 'failed' then clock.at end,
                sending_deadline = null,
                updated_at = clock.at
            from closed, clock, before
            where o.id = before.id and before.state in ('sending', 'unknown', 'needs_review')
            returning o.id, before.state as from_state, o.mode
        ),
        -- a report was faster than the answer: the state stays, the SID is bound
        bound as (
            update operations o
            set provider_sid = $5, updated_at = clock.at
            from closed, clock, before
            where $5::text is not null and o.id = before.id and o.provider_sid is null
                and before.state not in ('sending', 'unknown', 'needs_review')
        ), line as (
            insert into audit_lines (object, at, actor, action, from_state, to_state, mode, correlation_id, details)
            select
                'operation/' || before.id, clock.at, 'dispatch', $14, before.state,
                coalesce((select $11::text from moved), before.state), $15, $16, $17
            from closed, clock, before
        )
        select exists (select from closed) as "closed!"
        "#,
        clock.offset(),
        claimed.operation.0,
        claimed.attempt.0,
        change.attempt_state,
        change.sid,
        exchange.http_status.map(i32::from),
        exchange.error_code,
        exchange.request_id,
        change.reason,
        &from,
        change.operation_state,
        change.provider_status,
        interval(change.backoff),
        change.action,
        claimed.mode.as_str(),
        claimed.correlation_id,
        details,
    )
    .fetch_one(db)
    .await?;
    Ok(moved.closed)
}

/// 1, 2, 4 ... 300 s, each shortened by up to a fifth so that those who were refused together do not come together.
fn backoff(number: i32) -> Duration {
    let doublings = u32::try_from(number.saturating_sub(1)).unwrap_or(0).min(16);
    let full = FIRST_BACKOFF.saturating_mul(1 << doublings).min(LONGEST_BACKOFF);
    let mut random = [0; 1];
    // Without randomness the pause is merely the full one.
    let share = getrandom::fill(&mut random).map_or(0, |()| u32::from(random[0]));
    full.saturating_sub(full / 5 * share / 255)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_backoff_doubles_and_ends() {
        for (number, most) in [(1, 1), (2, 2), (3, 4), (9, 256), (10, 300), (1000, 300)] {
            let most = Duration::from_secs(most);
            let pause = backoff(number);
            assert!(pause <= most && pause >= most / 5 * 4, "{number}: {pause:?}");
        }
    }
}
