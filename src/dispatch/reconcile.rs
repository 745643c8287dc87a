//! Attempts that nobody recorded, or whose outcome is not known: settled by Twilio's own reports, or handed to a person.
//! Every process does this; the attempt's lock keeps them from each other and from an owner that is alive.

use serde_json::json;
use sqlx::{PgConnection, PgPool};

use super::fence;
use crate::clock::Clock;
use crate::database;
use crate::id::{AttemptId, OperationId};

/// Most attempts that one pass looks at.
const BATCH: i64 = 100;

/// An attempt that is due for a look.
struct Open {
    id: AttemptId,
    operation: OperationId,
    number: i32,
    lock_key: i64,
}

/// Looks at every attempt that is due, and answers which operations changed.
pub async fn reconcile(db: &PgPool, clock: &Clock) -> sqlx::Result<Vec<OperationId>> {
    let open = sqlx::query_as!(
        Open,
        r#"
        with clock as materialized (
            select clock_timestamp() + $1::interval as at
        )
        select
            a.id as "id: AttemptId",
            a.operation_id as "operation: OperationId",
            a.number,
            a.lock_key
        from attempts a, clock
        where (a.state = 'sending' and a.deadline_at < clock.at)
            or (a.state = 'unknown' and a.settle_at < clock.at)
            or (a.state in ('unknown', 'needs_review')
                and exists (
                    select
                    from provider_events e
                    where e.attempt_id = a.id))
        order by a.deadline_at
        limit $2
        "#,
        clock.offset(),
        BATCH,
    )
    .fetch_all(db)
    .await?;
    let mut changed = Vec::new();
    for attempt in open {
        if look_at(db, clock, &attempt).await? {
            changed.push(attempt.operation);
        }
    }
    Ok(changed)
}

async fn look_at(db: &PgPool, clock: &Clock, attempt: &Open) -> sqlx::Result<bool> {
    let mut tx = database::begin(db).await?;
    if !fence::owner_is_gone(&mut tx, attempt.lock_key).await? {
        return Ok(false);
    }
    let changed = close_by_report(&mut tx, clock, attempt).await?
        || call_unknown(&mut tx, clock, attempt).await?
        || hand_to_a_person(&mut tx, clock, attempt).await?;
    tx.commit().await?;
    Ok(changed)
}

/// A report with the attempt's reference proves that Twilio has it. The report itself has moved the operation; here the
/// attempt is closed, which lets its twins go.
async fn close_by_report(tx: &mut PgConnection, clock: &Clock, attempt: &Open) -> sqlx::Result<bool> {
    let sid = sqlx::query_scalar!(
        r#"
        update attempts a
        set state = 'accepted',
            provider_sid = e.sid,
            bound_by = 'callback',
            ended_at = clock_timestamp() + $2::interval
        from (
            select sid
            from provider_events
            where attempt_id = $1
            order by id
            limit 1
        ) e
        where a.id = $1 and a.state in ('sending', 'unknown', 'needs_review')
        returning e.sid
        "#,
        attempt.id.0,
        clock.offset(),
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(sid) = sid else { return Ok(false) };
    let details = json!({ "attempt": attempt.number, "sid": sid, "evidence": "callback" });
    sqlx::query!(
        r#"
        insert into audit_lines (object, actor, action, details)
        values ('operation/' || $1::uuid, 'reconciler', 'dispatch.reconciled', $2)
        "#,
        attempt.operation.0,
        details,
    )
    .execute(tx)
    .await?;
    tracing::info!(event = "dispatch.reconciled", operation = %attempt.operation, sid, "settled by Twilio's report");
    Ok(true)
}

/// Past its deadline with no owner: nobody knows whether the request left.
async fn call_unknown(tx: &mut PgConnection, clock: &Clock, attempt: &Open) -> sqlx::Result<bool> {
    let reason = "The process that was sending ended before it could record an answer.";
    let moved =
        settle(tx, clock, attempt, Settling { from: "sending", to: "unknown", action: "dispatch.unknown", reason })
            .await?;
    if moved {
        tracing::warn!(event = "dispatch.unknown", operation = %attempt.operation, attempt = attempt.number, reason);
    }
    Ok(moved)
}

/// After the settle time without a report: only a person can say, and the match key is free again.
async fn hand_to_a_person(tx: &mut PgConnection, clock: &Clock, attempt: &Open) -> sqlx::Result<bool> {
    let reason = "Twilio did not report on it in the time in which it normally does.";
    let settling = Settling { from: "unknown", to: "needs_review", action: "dispatch.needs_review", reason };
    let moved = settle(tx, clock, attempt, settling).await?;
    if moved {
        tracing::warn!(event = "dispatch.needs_review", operation = %attempt.operation, attempt = attempt.number, reason);
    }
    Ok(moved)
}

/// A move of an attempt and its operation that comes with time and never leads back to `approved`.
struct Settling {
    from: &'static str,
    to: &'static str,
    action: &'static str,
    reason: &'static str,
}

async fn settle(tx: &mut PgConnection, clock: &Clock, attempt: &Open, settling: Settling) -> sqlx::Result<bool> {
    let moved = sqlx::query_scalar!(
        r#"
        with clock as materialized (
            select clock_timestamp() + $1::interval as at
        ), closed as (
            update attempts a
            set state = $4,
                detail = coalesce(a.detail, $5),
                ended_at = case when $4 = 'needs_review' then clock.at end
            from clock
            where a.id = $2 and a.state = $3
                and clock.at > case $3 when 'sending' then a.deadline_at else a.settle_at end
            returning a.operation_id, a.number
        ), moved as (
            update operations o
            set state = $4,
                reason = coalesce(o.reason, $5),
                unknown_since = coalesce(o.unknown_since, clock.at),
                sending_deadline = null,
                updated_at = clock.at
            from closed, clock
            where o.id = closed.operation_id and o.state = $3
            returning o.id, o.mode, o.correlation_id
        ), line as (
            insert into audit_lines (object, at, actor, action, from_state, to_state, mode, correlation_id, details)
            select
                'operation/' || moved.id, clock.at, 'reconciler', $6, $3, $4, moved.mode, moved.correlation_id,
                jsonb_build_object('attempt', closed.number, 'reason', $5::text)
            from moved, closed, clock
        )
        select operation_id from closed
        "#,
        clock.offset(),
        attempt.id.0,
        settling.from,
        settling.to,
        settling.reason,
        settling.action,
    )
    .fetch_optional(tx)
    .await?;
    Ok(moved.is_some())
}
