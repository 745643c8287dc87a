//! Attempts that nobody recorded, or whose outcome is not known: what Twilio reported about them settles them, and those
//! without an owner past their deadline are called unknown. Every process does this; the attempt's lock keeps them from
//! each other and from an owner that is alive. What no report settles is looked up: see [`look`](super::look).

use sqlx::{PgConnection, PgPool};

use super::fence;
use crate::clock::Clock;
use crate::config::Mode;
use crate::database;
use crate::id::{AttemptId, OperationId};

/// Most attempts that one pass looks at.
const BATCH: i64 = 100;

/// An attempt that is due.
struct Open {
    id: AttemptId,
    operation: OperationId,
    number: i32,
    lock_key: i64,
}

/// Settles every attempt that is due, and answers which operations changed. What fails for one does not keep the others.
pub async fn reconcile(db: &PgPool, clock: &Clock, mode: Mode) -> sqlx::Result<Vec<OperationId>> {
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
        where a.mode = $2
            and ((a.state = 'sending' and a.deadline_at < clock.at)
                or (a.state in ('unknown', 'needs_review')
                    and exists (
                        select
                        from provider_events e
                        where e.attempt_id = a.id)))
        order by a.deadline_at
        limit $3
        "#,
        clock.offset(),
        mode.as_str(),
        BATCH,
    )
    .fetch_all(db)
    .await?;
    let mut changed = rebind(db, clock, mode).await?;
    for attempt in open {
        match settle(db, clock, &attempt).await {
            Ok(true) => changed.push(attempt.operation),
            Ok(false) => {}
            Err(error) if database::is_unavailable(&error) => return Err(error),
            Err(error) => {
                tracing::error!(event = "dispatch.not_reconciled", operation = %attempt.operation, %error, "tried again");
            }
        }
    }
    Ok(changed)
}

async fn settle(db: &PgPool, clock: &Clock, attempt: &Open) -> sqlx::Result<bool> {
    let mut tx = database::begin(db).await?;
    if !fence::owner_is_gone(&mut tx, attempt.lock_key).await? {
        return Ok(false);
    }
    lock_operation(&mut tx, attempt.operation).await?;
    let changed = close_by_report(&mut tx, clock, attempt.id, attempt.operation, attempt.number).await?
        || call_unknown(&mut tx, clock, attempt).await?;
    tx.commit().await?;
    Ok(changed)
}

/// Waits for whoever is changing the operation: what follows sees what they did, and they see what follows.
pub(super) async fn lock_operation(tx: &mut PgConnection, operation: OperationId) -> sqlx::Result<()> {
    sqlx::query_scalar!("select id from operations where id = $1 for update", operation.0).fetch_one(tx).await?;
    Ok(())
}

/// A report with the attempt's reference proves that Twilio has it. The report itself has moved the operation; here the
/// attempt is closed, which lets its twins go. A SID that stands at another attempt, where a list or a person put it, is
/// not taken from there: both operations are shown to a person.
pub(super) async fn close_by_report(
    tx: &mut PgConnection,
    clock: &Clock,
    attempt: AttemptId,
    operation: OperationId,
    number: i32,
) -> sqlx::Result<bool> {
    let closed = sqlx::query!(
        r#"
        with clock as materialized (
            select clock_timestamp() + $2::interval as at
        ), report as (
            select sid, (
                    select other.operation_id
                    from attempts other
                    where other.provider_sid = e.sid and other.id <> $1
                ) as bound_elsewhere
            from provider_events e
            where e.attempt_id = $1
            order by e.id
            limit 1
        ), closed as (
            update attempts a
            set state = 'accepted',
                provider_sid = case when report.bound_elsewhere is null then report.sid end,
                bound_by = 'callback',
                ended_at = clock.at
            from report, clock
            where a.id = $1 and a.state in ('sending', 'unknown', 'needs_review')
            returning report.sid, report.bound_elsewhere
        ), conflicted as (
            update operations o
            set conflicted_at = coalesce(o.conflicted_at, clock.at), acknowledged_at = null, updated_at = clock.at
            from closed, clock
            where closed.bound_elsewhere is not null and o.id in (closed.bound_elsewhere, $3)
        ), line as (
            insert into audit_lines (object, at, actor, action, details)
            select
                'operation/' || $3::uuid, clock.at, 'reconciler', 'dispatch.reconciled',
                jsonb_build_object('attempt', $4::integer, 'sid', closed.sid, 'evidence', 'callback')
                || jsonb_strip_nulls(jsonb_build_object('boundElsewhere', closed.bound_elsewhere))
            from closed, clock
            union all
            select
                'operation/' || closed.bound_elsewhere, clock.at, 'reconciler', 'dispatch.conflicted',
                jsonb_build_object('sid', closed.sid, 'reportedOn', $3::uuid)
            from closed, clock
            where closed.bound_elsewhere is not null
        )
        select sid, bound_elsewhere as "bound_elsewhere: OperationId"
        from closed
        "#,
        attempt.0,
        clock.offset(),
        operation.0,
        number,
    )
    .fetch_optional(tx)
    .await?;
    let Some(closed) = closed else { return Ok(false) };
    match closed.bound_elsewhere {
        None => {
            tracing::info!(event = "dispatch.reconciled", %operation, sid = closed.sid, "settled by Twilio's report");
        }
        Some(other) => {
            tracing::error!(event = "dispatch.reconciled", %operation, sid = closed.sid, %other, "the SID stands elsewhere");
        }
    }
    Ok(true)
}

/// Attempts that were bound by a list or a person, and about which Twilio reported under another SID: the report knows.
/// It has moved the operation; here the attempt follows, and lets the other SID go.
async fn rebind(db: &PgPool, clock: &Clock, mode: Mode) -> sqlx::Result<Vec<OperationId>> {
    let rebound = sqlx::query!(
        r#"
        with clock as materialized (
            select clock_timestamp() + $1::interval as at
        ), wrong as (
            select a.id, a.operation_id, a.number, a.provider_sid as was, (
                    select e.sid
                    from provider_events e
                    where e.attempt_id = a.id
                    order by e.id
                    limit 1
                ) as sid
            from attempts a, clock
            where a.mode = $2
                and a.state = 'accepted'
                and a.bound_by in ('list', 'person')
                -- Twilio does not report on older ones
                and a.started_at > clock.at - interval '7 days'
                and exists (
                    select
                    from provider_events e
                    where e.attempt_id = a.id)
            for update of a skip locked
        ), rebound as (
            update attempts a
            set provider_sid = case
                    when exists (select from attempts other where other.provider_sid = wrong.sid and other.id <> a.id)
                        then a.provider_sid
                    else wrong.sid
                end,
                bound_by = 'callback'
            from wrong
            where a.id = wrong.id
            returning a.operation_id, wrong.number, wrong.was, wrong.sid
        ), line as (
            insert into audit_lines (object, at, actor, action, details)
            select
                'operation/' || operation_id, clock.at, 'reconciler', 'dispatch.rebound',
                jsonb_build_object('attempt', number, 'sid', sid, 'was', was)
            from rebound, clock
            where was is distinct from sid
        )
        select operation_id as "operation: OperationId", sid as "sid!"
        from rebound
        where was is distinct from sid
        "#,
        clock.offset(),
        mode.as_str(),
    )
    .fetch_all(db)
    .await?;
    for one in &rebound {
        tracing::warn!(event = "dispatch.rebound", operation = %one.operation, sid = one.sid, "Twilio reported another SID");
    }
    Ok(rebound.into_iter().map(|one| one.operation).collect())
}

/// Past its deadline with no owner: nobody knows whether the request left.
async fn call_unknown(tx: &mut PgConnection, clock: &Clock, attempt: &Open) -> sqlx::Result<bool> {
    let reason = "The process that was sending ended before it could record an answer.";
    let moved = sqlx::query_scalar!(
        r#"
        with clock as materialized (
            select clock_timestamp() + $1::interval as at
        ), closed as (
            update attempts a
            set state = 'unknown',
                detail = coalesce(a.detail, $3),
                -- its owner lived until a moment ago, perhaps long past the deadline, and may have written just then
                settle_at = greatest(a.settle_at, clock.at + (a.settle_at - a.deadline_at))
            from clock
            where a.id = $2 and a.state = 'sending' and a.deadline_at < clock.at
            returning a.operation_id, a.number
        ), moved as (
            update operations o
            set state = 'unknown',
                reason = $3,
                unknown_since = clock.at,
                sending_deadline = null,
                acknowledged_at = null,
                updated_at = clock.at
            from closed, clock
            where o.id = closed.operation_id and o.state = 'sending'
            returning o.id, o.mode, o.correlation_id
        ), line as (
            insert into audit_lines (object, at, actor, action, from_state, to_state, mode, correlation_id, details)
            select
                'operation/' || moved.id, clock.at, 'reconciler', 'dispatch.unknown', 'sending', 'unknown', moved.mode,
                moved.correlation_id, jsonb_build_object('attempt', closed.number, 'reason', $3::text)
            from moved, closed, clock
        )
        select operation_id from closed
        "#,
        clock.offset(),
        attempt.id.0,
        reason,
    )
    .fetch_optional(tx)
    .await?;
    if moved.is_some() {
        tracing::warn!(event = "dispatch.unknown", operation = %attempt.operation, attempt = attempt.number, reason);
    }
    Ok(moved.is_some())
}
