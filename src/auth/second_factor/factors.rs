//! Which factors there are. A factor is offered until its person has shown a first code, and set from then on. Its secret
//! is kept by the vault.

use secrecy::SecretString;
use sqlx::{PgConnection, PgExecutor};
use time::OffsetDateTime;
use uuid::Uuid;

use super::codes;
use crate::clock::Clock;
use crate::error::Result;
use crate::id::UserId;
use crate::vault::Vault;

/// What the vault keeps them for.
const PURPOSE: &str = "second_factor";

/// Whether a person has a factor that is set.
pub(in crate::auth) async fn is_set(db: impl PgExecutor<'_>, user: UserId) -> sqlx::Result<bool> {
    Ok(set_at(db, user).await?.is_some())
}

/// Since when a person has a factor.
pub(super) async fn set_at(db: impl PgExecutor<'_>, user: UserId) -> sqlx::Result<Option<OffsetDateTime>> {
    let set_at =
        sqlx::query_scalar!("select set_at from second_factors where user_id = $1 and set_at is not null", user.0,);
    Ok(set_at.fetch_optional(db).await?.flatten())
}

/// Offers a person a new secret, in place of one that was offered before.
pub(super) async fn offer(tx: &mut PgConnection, vault: &Vault, clock: &Clock, user: UserId) -> Result<SecretString> {
    let before =
        sqlx::query_scalar!("delete from second_factors where user_id = $1 and set_at is null returning id", user.0,);
    for id in before.fetch_all(&mut *tx).await? {
        vault.forget(&mut *tx, PURPOSE, id).await?;
    }
    let (id, secret) = (Uuid::now_v7(), codes::random_secret()?);
    sqlx::query!(
        "insert into second_factors (id, user_id, made_at) values ($1, $2, clock_timestamp() + $3)",
        id,
        user.0,
        clock.offset(),
    )
    .execute(&mut *tx)
    .await?;
    vault.keep(tx, PURPOSE, id, &secret).await?;
    Ok(secret)
}

/// The secret that a person was offered and has not set yet.
pub(super) async fn offered(
    connection: &mut PgConnection,
    vault: &Vault,
    user: UserId,
) -> Result<Option<(Uuid, SecretString)>> {
    let id = sqlx::query_scalar!("select id from second_factors where user_id = $1 and set_at is null", user.0)
        .fetch_optional(&mut *connection)
        .await?;
    let Some(id) = id else { return Ok(None) };
    Ok(vault.recall(connection, PURPOSE, id).await?.map(|secret| (id, secret)))
}

/// Sets the offered factor, whose code of this half minute was shown, in place of the one before. `false`: it is not
/// offered any more.
pub(super) async fn set(
    tx: &mut PgConnection,
    vault: &Vault,
    clock: &Clock,
    (user, id, step): (UserId, Uuid, i64),
) -> Result<bool> {
    let before = sqlx::query_scalar!(
        "delete from second_factors where user_id = $1 and set_at is not null returning id",
        user.0,
    );
    for former in before.fetch_all(&mut *tx).await? {
        vault.forget(&mut *tx, PURPOSE, former).await?;
    }
    let set = sqlx::query!(
        r#"
        update second_factors
        set set_at = clock_timestamp() + $2,
            last_step = $3
        where id = $1
          and set_at is null
        "#,
        id,
        clock.offset(),
        step,
    )
    .execute(tx)
    .await?;
    Ok(set.rows_affected() == 1)
}

/// Removes whatever factors a person has. `false`: none was set.
pub(super) async fn remove(tx: &mut PgConnection, vault: &Vault, user: UserId) -> Result<bool> {
    let removed = sqlx::query!(
        r#"delete from second_factors where user_id = $1 returning id, set_at is not null as "was_set!""#,
        user.0,
    );
    let removed = removed.fetch_all(&mut *tx).await?;
    for factor in &removed {
        vault.forget(&mut *tx, PURPOSE, factor.id).await?;
    }
    Ok(removed.iter().any(|factor| factor.was_set))
}

/// Takes a code of a person's factor. Each is taken once, and none that is older than one that was: of many at once, in
/// whichever process, one moves the step on.
pub(super) async fn spend(
    tx: &mut PgConnection,
    vault: &Vault,
    user: UserId,
    typed: &str,
    now: OffsetDateTime,
) -> Result<bool> {
    let id = sqlx::query_scalar!("select id from second_factors where user_id = $1 and set_at is not null", user.0)
        .fetch_optional(&mut *tx)
        .await?;
    let Some(id) = id else { return Ok(false) };
    let Some(secret) = vault.recall(&mut *tx, PURPOSE, id).await? else { return Ok(false) };
    let Some(step) = codes::step(&secret, typed, now) else { return Ok(false) };
    let spent = sqlx::query!(
        r#"
        update second_factors
        set last_step = $2
        where id = $1
          and set_at is not null
          and last_step < $2
        "#,
        id,
        step,
    )
    .execute(tx)
    .await?;
    Ok(spent.rows_affected() == 1)
}
