//! The hold: while it is on, nothing is claimed and no fence lets a send pass.

use serde_json::json;
use sqlx::{PgConnection, PgPool};
use time::OffsetDateTime;

use crate::audit::{self, Actor, Change};
use crate::clock::Clock;
use crate::database;
use crate::id::OperationId;

/// Why sending was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, sqlx::Type, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[schema(as = HoldCause)]
pub enum Cause {
    /// A person did.
    Person,
    /// Twilio refused our credentials.
    Credentials,
    /// The database went back in time, or may lose commits.
    Restored,
}

/// The hold as it stands.
#[derive(Clone, Debug)]
pub struct Hold {
    /// Whether sending is stopped.
    pub held: bool,
    /// Why, while it is.
    pub cause: Option<Cause>,
    /// The reason in words.
    pub reason: Option<String>,
    /// Who changed it last.
    pub changed_by: Option<String>,
    /// When.
    pub changed_at: OffsetDateTime,
}

/// Reads the hold.
pub async fn current(db: &PgPool) -> sqlx::Result<Hold> {
    sqlx::query_as!(
        Hold,
        r#"
        select held, cause as "cause: Cause", reason, changed_by, changed_at
        from hold
        "#,
    )
    .fetch_one(db)
    .await
}

/// Stops all sending, and answers which sends were already under way when it took effect. A hold that stands keeps its
/// first reason.
pub async fn set(
    db: &PgPool,
    clock: &Clock,
    cause: Cause,
    reason: &str,
    actor: &Actor,
) -> sqlx::Result<Vec<OperationId>> {
    let mut tx = database::begin(db).await?;
    set_within(&mut tx, clock, cause, reason, actor).await?;
    tx.commit().await?;
    // After the commit: a fence that passed before it is among these.
    under_way(db).await
}

/// Stops all sending when the caller's transaction commits.
pub(super) async fn set_within(
    tx: &mut PgConnection,
    clock: &Clock,
    cause: Cause,
    reason: &str,
    actor: &Actor,
) -> sqlx::Result<()> {
    let changed = sqlx::query!(
        r#"
        update hold
        set held = true, cause = $1, reason = $2, changed_by = $3, changed_at = clock_timestamp() + $4::interval
        where not held
        "#,
        cause as Cause,
        reason,
        actor.name,
        clock.offset(),
    )
    .execute(&mut *tx)
    .await?;
    if changed.rows_affected() == 1 {
        let details = json!({ "cause": cause, "reason": reason });
        audit::record(tx, actor, Change { object: "hold".to_owned(), action: "hold.set", details }).await?;
        tracing::warn!(event = "hold.set", ?cause, reason, "all sending is on hold");
    }
    Ok(())
}

/// Lets sending go on.
pub async fn release(db: &PgPool, clock: &Clock, actor: &Actor) -> sqlx::Result<()> {
    let mut tx = database::begin(db).await?;
    let changed = sqlx::query!(
        r#"
        update hold
        set held = false, cause = null, reason = null, changed_by = $1, changed_at = clock_timestamp() + $2::interval
        where held
        "#,
        actor.name,
        clock.offset(),
    )
    .execute(&mut *tx)
    .await?;
    if changed.rows_affected() == 1 {
        audit::record(
            &mut tx,
            actor,
            Change { object: "hold".to_owned(), action: "hold.released", details: json!({}) },
        )
        .await?;
        tracing::info!(event = "hold.released", "sending goes on");
    }
    tx.commit().await
}

async fn under_way(db: &PgPool) -> sqlx::Result<Vec<OperationId>> {
    sqlx::query_scalar!(
        r#"
        select id as "id: OperationId"
        from operations
        where state = 'sending'
        order by id
        "#,
    )
    .fetch_all(db)
    .await
}
