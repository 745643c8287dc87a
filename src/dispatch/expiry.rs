//! What waited too long goes nowhere: undecided after its time, or approved and not sent inside its window. Nor does a call
//! whose clip is gone.

use sqlx::PgPool;

use crate::clock::Clock;
use crate::config::Mode;
use crate::id::OperationId;

/// Most operations that one pass ends.
const BATCH: i64 = 500;

/// Ends what is past its time, and answers which.
pub async fn expire(db: &PgPool, clock: &Clock, mode: Mode) -> sqlx::Result<Vec<OperationId>> {
    let expired = sqlx::query!(
        r#"
        with clock as materialized (
            select clock_timestamp() + $1::interval as at
        ), due as (
            select o.id, o.state, lost.clip_is_lost
            from operations o
            cross join clock
            cross join lateral (
                select o.clip_id is not null
                    and not exists (select from clips c where c.id = o.clip_id and c.state = 'ready') as clip_is_lost
            ) lost
            where o.mode = $2
                and ((o.state in ('preparing', 'pending_approval') and o.expires_at <= clock.at)
                    or (o.state = 'approved' and (o.execute_before <= clock.at or lost.clip_is_lost)))
            order by o.id
            limit $3
            for update of o skip locked
        ), moved as (
            update operations o
            set state = 'expired',
                reason_code = case
                    when due.state = 'preparing' then 'not_prepared'
                    when due.state <> 'approved' then 'not_decided'
                    when due.clip_is_lost then 'clip_gone'
                    when o.duplicate_suspected_at is not null then 'duplicate_suspected'
                    when exists (select from do_not_contact d where d.number = o.to_number) then 'do_not_contact'
                    when exists (
                        select
                        from attempts a
                        where a.match_key = o.match_key and a.state in ('sending', 'unknown')) then 'blocked'
                    when (select held from hold) then 'held'
                    when o.delay_reason is not null then 'not_sent'
                    else 'not_in_time'
                end,
                reason = case
                    when due.state = 'preparing' then 'Its speech was not made in time. Nothing was sent.'
                    when due.state <> 'approved' then 'Nobody decided in time. Nothing was sent.'
                    when due.clip_is_lost
                        then 'The recording that was approved has been deleted, so nobody was called.'
                    when o.duplicate_suspected_at is not null
                        then 'It may have been sent already, so it was not sent again.'
                    when exists (select from do_not_contact d where d.number = o.to_number)
                        then 'The recipient was put on the do-not-contact list meanwhile. Nothing was sent.'
                    when exists (
                        select
                        from attempts a
                        where a.match_key = o.match_key and a.state in ('sending', 'unknown'))
                        then 'An identical message with an unknown outcome stood in its way. Nothing was sent.'
                    when (select held from hold) then 'Sending was on hold until its time ran out. Nothing was sent.'
                    when o.delay_reason is not null then 'It could not be sent in time: ' || o.delay_reason
                    else 'It was not its turn before its time ran out. Nothing was sent.'
                end,
                finished_at = clock.at,
                updated_at = clock.at
            from due, clock
            where o.id = due.id
            returning o.id, o.mode, due.state as from_state, o.reason_code
        ), line as (
            insert into audit_lines (object, at, actor, action, from_state, to_state, mode, details)
            select
                'operation/' || id, clock.at, 'clock', 'approval.expired', from_state, 'expired', mode,
                jsonb_build_object('reason', reason_code)
            from moved, clock
        )
        select id as "id: OperationId", reason_code as "reason_code!"
        from moved
        "#,
        clock.offset(),
        mode.as_str(),
        BATCH,
    )
    .fetch_all(db)
    .await?;
    for operation in &expired {
        tracing::info!(event = "approval.expired", operation = %operation.id, reason = operation.reason_code, "expired");
    }
    Ok(expired.into_iter().map(|operation| operation.id).collect())
}
