//! Between the password and the code: whoever knows the password of somebody with a second factor gets this, and it opens
//! nothing but the page that asks for the code. It is bound to the browser by a cookie of its own.

use std::time::Duration;

use sqlx::{PgConnection, PgExecutor};

use super::credential::{Credential, CredentialHash};
use crate::clock::{Clock, interval};
use crate::error::Result;
use crate::id::UserId;

/// How long the code may take.
pub(super) const LASTS: Duration = Duration::from_mins(5);

/// Ended ones that one sign-in removes at most.
const SWEEP: i64 = 100;

/// Whose password was right.
pub(super) struct HalfSession {
    pub(super) user: UserId,
    pub(super) email: String,
}

/// Notes that the password was right; the credential goes into the cookie and nowhere else.
pub(super) async fn begin(tx: &mut PgConnection, clock: &Clock, user: UserId) -> Result<Credential> {
    let credential = Credential::random("")?;
    sqlx::query!(
        r#"
        insert into half_sessions (token_hash, user_id, made_at, expires_at)
        values ($1, $2, clock_timestamp() + $3, clock_timestamp() + $3 + $4::interval)
        "#,
        credential.hash.0.as_slice(),
        user.0,
        clock.offset(),
        interval(LASTS),
    )
    .execute(tx)
    .await?;
    Ok(credential)
}

/// Whose it is, if it has not ended.
pub(super) async fn find(
    db: impl PgExecutor<'_>,
    clock: &Clock,
    hash: CredentialHash,
) -> sqlx::Result<Option<HalfSession>> {
    sqlx::query_as!(
        HalfSession,
        r#"
        select
            users.id as "user: UserId",
            users.email
        from half_sessions
        join users on users.id = half_sessions.user_id
        where half_sessions.token_hash = $1
          and half_sessions.expires_at > clock_timestamp() + $2
          and users.disabled_at is null
        "#,
        hash.0.as_slice(),
        clock.offset(),
    )
    .fetch_optional(db)
    .await
}

/// Uses it up; `false` if it is not there any more.
pub(super) async fn end(tx: &mut PgConnection, hash: CredentialHash) -> sqlx::Result<bool> {
    let ended = sqlx::query!("delete from half_sessions where token_hash = $1", hash.0.as_slice()).execute(tx).await?;
    Ok(ended.rows_affected() == 1)
}

/// Ends all of a person's.
pub(super) async fn end_all(tx: &mut PgConnection, user: UserId) -> sqlx::Result<()> {
    sqlx::query!("delete from half_sessions where user_id = $1", user.0).execute(tx).await?;
    Ok(())
}

/// Removes those that have ended by themselves.
pub(super) async fn sweep(db: impl PgExecutor<'_>, clock: &Clock) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        delete from half_sessions
        where token_hash in (
            select token_hash
            from half_sessions
            where expires_at < clock_timestamp() + $1
            limit $2
            for update skip locked)
        "#,
        clock.offset(),
        SWEEP,
    )
    .execute(db)
    .await?;
    Ok(())
}
