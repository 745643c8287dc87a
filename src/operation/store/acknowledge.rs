//! Taking note: an operation that stood under "Needs attention" leaves it.

use sqlx::PgPool;

use crate::audit::Actor;
use crate::clock::Clock;
use crate::id::{OperationId, UserId};

/// Notes that somebody looked; `false` if it did not need attention (any more).
pub async fn acknowledge(db: &PgPool, clock: &Clock, id: OperationId, by: UserId, actor: &Actor) -> sqlx::Result<bool> {
    let noted = sqlx::query_scalar!(
        r#"
        with clock as materialized (
            select clock_timestamp() + $1::interval as at
        ), noted as (
            update operations o
            set acknowledged_at = clock.at, acknowledged_by = $3, updated_at = clock.at
            from clock
            where o.id = $2 and needs_attention(o, clock.at)
            returning o.id, o.state, o.mode
        ), line as (
            insert into audit_lines (object, at, actor, actor_id, token_id, action, from_state, to_state, mode, ip, correlation_id)
            select 'operation/' || id, clock.at, $4, $3, $5, 'operation.acknowledged', state, state, mode, $6, $7
            from noted, clock
        )
        select id from noted
        "#,
        clock.offset(),
        id.0,
        by.0,
        actor.name,
        actor.token.map(|token| token.0),
        actor.ip,
        actor.correlation_id,
    )
    .fetch_optional(db)
    .await?;
    Ok(noted.is_some())
}
