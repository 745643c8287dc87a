//! The people who may sign in.

use axum::http::StatusCode;
use serde_json::json;
use sqlx::{PgConnection, PgExecutor, PgPool};
use time::OffsetDateTime;

use super::new_password::NewPassword;
use super::passwords::Passwords;
use super::{EmailAddress, Role, TokenCache, sessions};
use crate::audit::{self, Actor, Change};
use crate::clock::Clock;
use crate::database;
use crate::error::{Problem, Result};
use crate::id::UserId;

/// A person to be added.
#[derive(Debug)]
pub struct NewUser {
    /// How they sign in.
    pub email: EmailAddress,
    /// How pages call them.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Their first password.
    pub password: NewPassword,
    /// Whether somebody else knows that password, so that it has to be changed.
    pub must_change_password: bool,
}

/// A person as lists show them.
#[derive(Debug)]
pub struct User {
    /// Their id.
    pub id: UserId,
    /// How they sign in.
    pub email: String,
    /// How pages call them.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Whether somebody else knows their password.
    pub must_change_password: bool,
    /// Since when they are disabled.
    pub disabled_at: Option<OffsetDateTime>,
    /// When they last signed in.
    pub last_sign_in_at: Option<OffsetDateTime>,
}

/// Adds a person.
pub async fn add(db: &PgPool, clock: &Clock, passwords: &Passwords, actor: &Actor, new: NewUser) -> Result<UserId> {
    let hash = passwords.hash(&new.password).await?;
    let mut tx = database::begin(db).await?;
    let id = insert(&mut tx, clock, actor, &new, &hash).await?;
    tx.commit().await?;
    Ok(id)
}

/// Adds a person whose password is hashed already, in the caller's transaction.
pub(super) async fn insert(
    tx: &mut PgConnection,
    clock: &Clock,
    actor: &Actor,
    new: &NewUser,
    hash: &str,
) -> Result<UserId> {
    let id = UserId::new();
    let inserted = sqlx::query!(
        r#"
        insert into users (id, email, name, role, password_hash, must_change_password, created_at)
        values ($1, $2, $3, $4, $5, $6, clock_timestamp() + $7)
        "#,
        id.0,
        new.email.as_str(),
        new.name,
        new.role as Role,
        hash,
        new.must_change_password,
        clock.offset(),
    )
    .execute(&mut *tx)
    .await;
    if let Err(error) = inserted {
        return Err(match database::violated_constraint(&error) {
            Some("users_email_key") => email_taken(&new.email).into(),
            _ => error.into(),
        });
    }
    let details = json!({ "role": new.role, "name": new.name });
    audit::record(tx, actor, Change { object: object(&new.email), action: "user.added", details }).await?;
    Ok(id)
}

/// Everybody, by address.
pub async fn list(db: impl PgExecutor<'_>) -> sqlx::Result<Vec<User>> {
    sqlx::query_as!(
        User,
        r#"
        select
            id as "id: UserId",
            email,
            name,
            role as "role: Role",
            must_change_password,
            disabled_at,
            last_sign_in_at
        from users
        order by email
        "#
    )
    .fetch_all(db)
    .await
}

/// Shuts a person out: no signing in, no session, no token. The last enabled admin stays, so that somebody can let
/// others in. Answers `false` if they had been disabled before.
pub async fn disable(
    db: &PgPool,
    clock: &Clock,
    cache: &TokenCache,
    actor: &Actor,
    email: &EmailAddress,
) -> Result<bool> {
    let mut tx = database::begin(db).await?;
    // Locked in one order: of two who disable each other at once, the second finds the first disabled.
    let admins = sqlx::query_scalar!(
        r#"
        select email
        from users
        where role = 'admin'
          and disabled_at is null
        order by id
        for update
        "#
    )
    .fetch_all(&mut *tx)
    .await?;
    if admins.as_slice() == [email.as_str()] {
        return Err(last_admin(email).into());
    }
    let disabled = sqlx::query!(
        r#"
        update users
        set disabled_at = clock_timestamp() + $2
        where email = $1
          and disabled_at is null
        returning id as "id: UserId"
        "#,
        email.as_str(),
        clock.offset(),
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(disabled) = disabled else {
        return if exists(&mut tx, email).await? { Ok(false) } else { Err(no_such_user(email).into()) };
    };
    let ended = sessions::end_all(&mut tx, disabled.id).await?;
    let details = json!({ "endedSessions": ended });
    audit::record(&mut tx, actor, Change { object: object(email), action: "user.disabled", details }).await?;
    tx.commit().await?;
    cache.forget();
    Ok(true)
}

/// Gives a person another password, which they must change: somebody else knows it. Ends their sessions.
pub async fn reset_password(
    db: &PgPool,
    passwords: &Passwords,
    cache: &TokenCache,
    actor: &Actor,
    email: &EmailAddress,
    new: &NewPassword,
) -> Result<()> {
    let hash = passwords.hash(new).await?;
    let mut tx = database::begin(db).await?;
    let reset = sqlx::query!(
        r#"
        update users
        set password_hash = $2,
            must_change_password = true
        where email = $1
        returning id as "id: UserId"
        "#,
        email.as_str(),
        hash,
    )
    .fetch_optional(&mut *tx)
    .await?;
    let reset = reset.ok_or_else(|| no_such_user(email))?;
    let ended = sessions::end_all(&mut tx, reset.id).await?;
    let details = json!({ "endedSessions": ended });
    audit::record(&mut tx, actor, Change { object: object(email), action: "user.password_reset", details }).await?;
    tx.commit().await?;
    cache.forget();
    Ok(())
}

async fn exists(tx: &mut PgConnection, email: &EmailAddress) -> sqlx::Result<bool> {
    sqlx::query_scalar!(r#"select exists (select from users where email = $1) as "exists!""#, email.as_str())
        .fetch_one(tx)
        .await
}

/// The name of a person in the audit.
pub(super) fn object(email: impl std::fmt::Display) -> String {
    format!("user/{email}")
}

fn email_taken(email: &EmailAddress) -> Problem {
    let detail = format!("There is a user {email} already. `user list` shows all of them.");
    Problem::new(StatusCode::CONFLICT, "email_taken", detail)
}

fn last_admin(email: &EmailAddress) -> Problem {
    let detail = format!("{email} is the last enabled admin. Add another one first.");
    Problem::new(StatusCode::CONFLICT, "last_admin", detail)
}

fn no_such_user(email: &EmailAddress) -> Problem {
    Problem::not_found(format!("There is no user {email}. `user list` shows all of them."))
}
