//! What a person may do, and whether they may come in at all. One enabled admin always stays, so that somebody can let
//! others in; and nobody decides on their own standing.

use axum::http::StatusCode;
use serde_json::json;
use sqlx::{PgConnection, PgPool};

use super::{EmailAddress, Role, TokenCache, links, sessions, users};
use crate::audit::{self, Actor, Change};
use crate::clock::Clock;
use crate::database;
use crate::error::{Problem, Result};
use crate::id::UserId;

/// A person whose standing is about to change, locked together with every enabled admin.
struct Subject {
    id: UserId,
    role: Role,
    is_disabled: bool,
    is_last_admin: bool,
}

/// Gives a person another role. Their sessions end; it counts at once for this process's tokens, after two seconds at most
/// for those of others. Answers `false` if they had it before.
pub async fn change_role(
    db: &PgPool,
    cache: &TokenCache,
    actor: &Actor,
    email: &EmailAddress,
    role: Role,
) -> Result<bool> {
    let mut tx = database::begin(db).await?;
    let subject = lock(&mut tx, actor, email).await?;
    if subject.role == role {
        return Ok(false);
    }
    if subject.is_last_admin {
        return Err(last_admin(email).into());
    }
    sqlx::query!("update users set role = $2 where id = $1", subject.id.0, role as Role).execute(&mut *tx).await?;
    // What they may do from now on, they do in a session that was begun knowing it.
    let ended = sessions::end_all(&mut tx, subject.id).await?;
    let details = json!({ "before": { "role": subject.role }, "after": { "role": role }, "endedSessions": ended });
    let change = Change { object: users::object(email), action: "user.role_changed", details };
    audit::record(&mut tx, actor, change).await?;
    tx.commit().await?;
    cache.forget();
    Ok(true)
}

/// Gives a person the role that somebody else's word says, in the caller's transaction. The last admin keeps theirs, so
/// that somebody can let others in. Answers whether it changed.
pub(super) async fn assign(
    tx: &mut PgConnection,
    actor: &Actor,
    (user, email): (UserId, &EmailAddress),
    role: Role,
) -> Result<bool> {
    let subject = lock(&mut *tx, actor, email).await?;
    if subject.role == role {
        return Ok(false);
    }
    if subject.is_last_admin {
        tracing::warn!(event = "auth.last_admin", %user, %role, "the last enabled admin keeps the role");
        return Ok(false);
    }
    sqlx::query!("update users set role = $2 where id = $1", user.0, role as Role).execute(&mut *tx).await?;
    let ended = sessions::end_all(&mut *tx, user).await?;
    let details = json!({ "before": { "role": subject.role }, "after": { "role": role }, "endedSessions": ended });
    audit::record(tx, actor, Change { object: users::object(email), action: "user.role_changed", details }).await?;
    Ok(true)
}

/// Shuts a person out: no signing in, no session, no token, no link. Answers `false` if they had been disabled before.
pub async fn disable(
    db: &PgPool,
    clock: &Clock,
    cache: &TokenCache,
    actor: &Actor,
    email: &EmailAddress,
) -> Result<bool> {
    let mut tx = database::begin(db).await?;
    let subject = lock(&mut tx, actor, email).await?;
    if subject.is_disabled {
        return Ok(false);
    }
    if subject.is_last_admin {
        return Err(last_admin(email).into());
    }
    sqlx::query!(
        r#"
        update users
        set disabled_at = clock_timestamp() + $2
        where id = $1
        "#,
        subject.id.0,
        clock.offset(),
    )
    .execute(&mut *tx)
    .await?;
    let ended = sessions::end_all(&mut tx, subject.id).await?;
    links::void(&mut tx, subject.id).await?;
    let details = json!({ "before": { "disabled": false }, "after": { "disabled": true }, "endedSessions": ended });
    let change = Change { object: users::object(email), action: "user.disabled", details };
    audit::record(&mut tx, actor, change).await?;
    tx.commit().await?;
    cache.forget();
    Ok(true)
}

/// Lets a disabled person in again, with the password and the tokens that they had. Answers `false` if they were not
/// disabled.
pub async fn enable(db: &PgPool, cache: &TokenCache, actor: &Actor, email: &EmailAddress) -> Result<bool> {
    let mut tx = database::begin(db).await?;
    let subject = lock(&mut tx, actor, email).await?;
    if !subject.is_disabled {
        return Ok(false);
    }
    sqlx::query!("update users set disabled_at = null where id = $1", subject.id.0).execute(&mut *tx).await?;
    let details = json!({ "before": { "disabled": true }, "after": { "disabled": false } });
    let change = Change { object: users::object(email), action: "user.enabled", details };
    audit::record(&mut tx, actor, change).await?;
    tx.commit().await?;
    cache.forget();
    Ok(true)
}

/// Locks the person and every enabled admin, in one order: of two admins who act on each other at once, the second finds
/// what the first did.
async fn lock(tx: &mut PgConnection, actor: &Actor, email: &EmailAddress) -> Result<Subject> {
    let locked = sqlx::query!(
        r#"
        select
            id as "id: UserId",
            email = $1 as "is_subject!",
            role as "role: Role",
            disabled_at is not null as "is_disabled!",
            invited_at is not null as "is_invited!"
        from users
        where email = $1
           or (role = 'admin' and disabled_at is null and invited_at is null)
        order by id
        for update
        "#,
        email.as_str(),
    )
    .fetch_all(tx)
    .await?;
    let admins: Vec<UserId> = locked
        .iter()
        .filter(|row| row.role == Role::Admin && !row.is_disabled && !row.is_invited)
        .map(|row| row.id)
        .collect();
    if actor.user.is_some_and(|user| !admins.contains(&user)) {
        return Err(no_admin_any_more().into());
    }
    let subject = locked.into_iter().find(|row| row.is_subject).ok_or_else(|| users::no_such_user(email))?;
    if actor.user == Some(subject.id) {
        return Err(own_account().into());
    }
    Ok(Subject {
        id: subject.id,
        role: subject.role,
        is_disabled: subject.is_disabled,
        is_last_admin: admins == [subject.id],
    })
}

fn last_admin(email: &EmailAddress) -> Problem {
    let detail = format!("{email} is the last enabled admin. Add another one first.");
    Problem::new(StatusCode::CONFLICT, "last_admin", detail)
}

fn own_account() -> Problem {
    let detail = "Nobody changes their own role or disables themselves. Ask another admin.";
    Problem::new(StatusCode::CONFLICT, "own_account", detail)
}

/// The role was looked at when the request came in; it is looked at again once nobody can change it any more.
fn no_admin_any_more() -> Problem {
    Problem::forbidden("role_missing", "You are no longer an admin. Ask somebody who is.")
}
