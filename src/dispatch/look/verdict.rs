//! What a look leads to: the moves of an attempt and its operation, each by compare-and-set with its audit line. The
//! caller holds the attempt's lock and the operation's row.

use sqlx::PgConnection;

use super::Due;
use crate::clock::Clock;

/// How often an operation may be sent again by itself after it was proven absent.
const AUTOMATIC_RESENDS: i32 = 2;

/// Binds what is listed, unless another attempt with the same content may have sent it: then nobody can tell whose it is.
pub(super) async fn bind(tx: &mut PgConnection, clock: &Clock, due: &Due, sid: &str) -> sqlx::Result<bool> {
    let bound = sqlx::query_scalar!(
        r#"
        with clock as materialized (
            select clock_timestamp() + $1::interval as at
        ), closed as (
            update attempts a
            set state = 'accepted',
                provider_sid = $3,
                bound_by = 'list',
                ended_at = clock.at
            from clock
            where a.id = $2
                and a.state = 'unknown'
                and not exists (
                    select
                    from attempts other
                    where other.match_key = a.match_key
                        and other.id <> a.id
                        and other.provider_sid is null
                        -- these provably handed nothing over
                        and other.state not in ('not_sent', 'refused')
                        and other.started_at > a.started_at - interval '24 hours')
            returning a.operation_id, a.number
        ), moved as (
            update operations o
            set state = 'accepted',
                provider_sid = $3,
                provider_rank = greatest(o.provider_rank, 1),
                reason = null,
                unknown_since = null,
                acknowledged_at = null,
                accepted_at = clock.at,
                -- what has become of it since is asked at once
                poll_at = clock.at,
                updated_at = clock.at
            from closed, clock
            where o.id = closed.operation_id and o.state = 'unknown'
            returning o.id, o.mode, o.correlation_id
        ), line as (
            insert into audit_lines (object, at, actor, action, from_state, to_state, mode, correlation_id, details)
            select
                'operation/' || moved.id, clock.at, 'reconciler', 'dispatch.reconciled', 'unknown', 'accepted', moved.mode,
                moved.correlation_id,
                jsonb_build_object('attempt', closed.number, 'sid', $3::text, 'evidence', 'list')
            from moved, closed, clock
        )
        select operation_id from closed
        "#,
        clock.offset(),
        due.id.0,
        sid,
    )
    .fetch_optional(tx)
    .await?;
    if bound.is_some() {
        tracing::info!(event = "dispatch.reconciled", operation = %due.operation, sid, "settled by Twilio's list");
    }
    Ok(bound.is_some())
}

/// Notes the first look that found nothing.
pub(super) async fn note_absence(tx: &mut PgConnection, due: &Due) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        update attempts
        set absent_reads = 1, last_absent_at = $2
        where id = $1 and state = 'unknown' and absent_reads = 0
        "#,
        due.id.0,
        due.asked_at,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// The second look that found nothing, 60 s after the first: it never arrived. It may be sent again inside its window and
/// not too often; else a person decides.
pub(super) async fn absent(tx: &mut PgConnection, clock: &Clock, due: &Due, may_resend: bool) -> sqlx::Result<bool> {
    let resent = sqlx::query_scalar!(
        r#"
        with clock as materialized (
            select clock_timestamp() + $1::interval as at
        ), again as (
            update operations o
            set state = 'approved',
                automatic_resends = o.automatic_resends + 1,
                reason = null,
                delay_reason = 'Twilio never got the last try.',
                not_before = clock.at,
                unknown_since = null,
                acknowledged_at = null,
                updated_at = clock.at
            from attempts a, clock
            where a.id = $2
                and a.state = 'unknown'
                and a.absent_reads = 1
                and o.id = a.operation_id
                and o.state = 'unknown'
                and o.attempts = a.number
                and o.automatic_resends < $4
                and o.execute_before > clock.at
                and o.duplicate_suspected_at is null
                and $5
            returning o.id, o.mode, o.correlation_id, o.automatic_resends
        ), closed as (
            update attempts a
            set state = 'absent',
                absent_reads = 2,
                last_absent_at = $3,
                ended_at = clock.at
            from again, clock
            where a.id = $2
            returning a.number
        ), line as (
            insert into audit_lines (object, at, actor, action, from_state, to_state, mode, correlation_id, details)
            select
                'operation/' || again.id, clock.at, 'reconciler', 'dispatch.reconciled', 'unknown', 'approved', again.mode,
                again.correlation_id,
                jsonb_build_object('attempt', closed.number, 'evidence', 'absent', 'resend', again.automatic_resends)
            from again, closed, clock
        )
        select automatic_resends from again
        "#,
        clock.offset(),
        due.id.0,
        due.asked_at,
        AUTOMATIC_RESENDS,
        may_resend,
    )
    .fetch_optional(&mut *tx)
    .await?;
    if let Some(resend) = resent {
        tracing::info!(event = "dispatch.reconciled", operation = %due.operation, resend, "it never arrived; sent again");
        return Ok(true);
    }
    let reason = if may_resend {
        "Twilio lists nothing like it. It was sent again as often, or as long, as that may be done without a person."
    } else {
        "Twilio lists nothing like it, twice. A person decides whether it is sent again."
    };
    hand_to_a_person(tx, clock, due, reason).await
}

/// The evidence does not settle it. The match key is free again: its twins may go.
pub(super) async fn hand_to_a_person(
    tx: &mut PgConnection,
    clock: &Clock,
    due: &Due,
    reason: &str,
) -> sqlx::Result<bool> {
    let moved = sqlx::query_scalar!(
        r#"
        with clock as materialized (
            select clock_timestamp() + $1::interval as at
        ), closed as (
            update attempts a
            set state = 'needs_review', ended_at = clock.at
            from clock
            where a.id = $2 and a.state = 'unknown' and a.settle_at < clock.at
            returning a.operation_id, a.number
        ), moved as (
            update operations o
            set state = 'needs_review',
                reason = $3,
                acknowledged_at = null,
                updated_at = clock.at
            from closed, clock
            where o.id = closed.operation_id and o.state = 'unknown'
            returning o.id, o.mode, o.correlation_id
        ), line as (
            insert into audit_lines (object, at, actor, action, from_state, to_state, mode, correlation_id, details)
            select
                'operation/' || moved.id, clock.at, 'reconciler', 'dispatch.needs_review', 'unknown', 'needs_review',
                moved.mode, moved.correlation_id, jsonb_build_object('attempt', closed.number, 'reason', $3::text)
            from moved, closed, clock
        )
        select operation_id from closed
        "#,
        clock.offset(),
        due.id.0,
        reason,
    )
    .fetch_optional(tx)
    .await?;
    if moved.is_some() {
        tracing::warn!(event = "dispatch.needs_review", operation = %due.operation, attempt = due.number, reason);
    }
    Ok(moved.is_some())
}
