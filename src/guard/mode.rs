//! The sandbox and the live service never mix: what waits in one does not wake up in the other.

use sqlx::PgPool;

use crate::clock::Clock;
use crate::config::Mode;

/// At the start: operations of the other mode that still wait are cancelled with that reason, so that the sandbox and
/// the live service never mix.
pub async fn cancel_other_mode(db: &PgPool, clock: &Clock, mode: Mode) -> sqlx::Result<u64> {
    let cancelled = sqlx::query_scalar!(
        r#"
        with clock as materialized (
            select clock_timestamp() + $1::interval as at
        ), before as (
            select id, state
            from operations
            where mode <> $2 and state in ('preparing', 'pending_approval', 'approved')
            for update
        ), moved as (
            update operations o
            set state = 'cancelled',
                reason = 'The mode was changed to ' || $2,
                reason_code = 'mode_changed',
                finished_at = clock.at,
                updated_at = clock.at
            from clock, before
            where o.id = before.id
            returning o.id, o.mode, before.state as from_state
        ), line as (
            insert into audit_lines (object, at, actor, action, from_state, to_state, mode, details)
            select
                'operation/' || id, clock.at, 'start', 'operation.cancelled', from_state, 'cancelled', mode,
                jsonb_build_object('reason', 'mode_changed')
            from moved, clock
        )
        select count(*) as "count!" from moved
        "#,
        clock.offset(),
        mode.as_str(),
    )
    .fetch_one(db)
    .await?;
    Ok(cancelled.unsigned_abs())
}
