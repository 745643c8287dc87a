//! The people who may sign in, or are invited to.

use axum::http::StatusCode;
use serde_json::json;
use sqlx::{PgConnection, PgExecutor, PgPool};
use time::OffsetDateTime;

use super::links::{self, Link, Purpose};
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

/// A person to be invited.
#[derive(Debug)]
pub struct Invitation {
    /// How they will sign in.
    pub email: EmailAddress,
    /// How pages call them.
    pub name: String,
    /// What they may do.
    pub role: Role,
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
    /// Since when they are invited, while they have not come.
    pub invited_at: Option<OffsetDateTime>,
    /// When they last signed in.
    pub last_sign_in_at: Option<OffsetDateTime>,
    /// Since when they have a second factor.
    pub second_factor_at: Option<OffsetDateTime>,
    /// The row as it was read, for whoever acts on what it showed: another one after any change.
    pub seen: String,
}

/// Adds a person.
pub async fn add(db: &PgPool, clock: &Clock, passwords: &Passwords, actor: &Actor, new: NewUser) -> Result<UserId> {
    let hash = passwords.hash(&new.password).await?;
    let mut tx = database::begin(db).await?;
    let id = insert(&mut tx, clock, actor, &new, &hash).await?;
    tx.commit().await?;
    Ok(id)
}

/// Adds a person who is to choose a password themselves, by the link that this makes. Until then nobody knows one.
pub async fn invite(
    db: &PgPool,
    clock: &Clock,
    passwords: &Passwords,
    actor: &Actor,
    invitation: &Invitation,
) -> Result<(UserId, Link)> {
    let hash = passwords.hash(&NewPassword::random()?).await?;
    let mut tx = database::begin(db).await?;
    let Invitation { email, name, role } = invitation;
    let id = insert_row(&mut tx, clock, (email, name, *role), &hash, Standing::Invited).await?;
    let link = links::make(&mut tx, clock, actor, id, Purpose::Invitation).await?;
    let details = json!({ "role": role, "name": name, "hours": link.purpose.lasts().as_secs() / 3600 });
    audit::record(&mut tx, actor, Change { object: object(email), action: "user.invited", details }).await?;
    tx.commit().await?;
    Ok((id, link))
}

/// Adds a person whose password is hashed already, in the caller's transaction.
pub(super) async fn insert(
    tx: &mut PgConnection,
    clock: &Clock,
    actor: &Actor,
    new: &NewUser,
    hash: &str,
) -> Result<UserId> {
    let standing = if new.must_change_password { Standing::MustChangePassword } else { Standing::Ready };
    let id = insert_row(&mut *tx, clock, (&new.email, &new.name, new.role), hash, standing).await?;
    let details = json!({ "role": new.role, "name": new.name });
    audit::record(tx, actor, Change { object: object(&new.email), action: "user.added", details }).await?;
    Ok(id)
}

/// How a new account begins.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Its person chose the password.
    Ready,
    /// Somebody else knows the password.
    MustChangePassword,
    /// Nobody knows the password; the person is to choose one.
    Invited,
}

async fn insert_row(
    tx: &mut PgConnection,
    clock: &Clock,
    (email, name, role): (&EmailAddress, &str, Role),
    hash: &str,
    standing: Standing,
) -> Result<UserId> {
    let id = UserId::new();
    let inserted = sqlx::query!(
        r#"
        insert into users (id, email, name, role, password_hash, must_change_password, created_at, invited_at)
        values (
            $1, $2, $3, $4, $5, $6, clock_timestamp() + $7, case when $8 then clock_timestamp() + $7 end)
        "#,
        id.0,
        email.as_str(),
        name,
        role as Role,
        hash,
        standing == Standing::MustChangePassword,
        clock.offset(),
        standing == Standing::Invited,
    )
    .execute(tx)
    .await;
    match inserted {
        Ok(_) => Ok(id),
        Err(error) => Err(match database::violated_constraint(&error) {
            Some("users_email_key") => email_taken(email).into(),
            _ => error.into(),
        }),
    }
}

/// The address of who has had this role longest and may sign in.
pub async fn first_enabled(db: impl PgExecutor<'_>, role: Role) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar!(
        r#"
        select email
        from users
        where role = $1 and disabled_at is null and invited_at is null
        order by created_at, id
        limit 1
        "#,
        role.as_str(),
    )
    .fetch_optional(db)
    .await
}

/// Everybody, by address.
pub async fn list(db: impl PgExecutor<'_>) -> sqlx::Result<Vec<User>> {
    select(db, None).await
}

/// One person.
pub async fn find(db: impl PgExecutor<'_>, id: UserId) -> sqlx::Result<Option<User>> {
    Ok(select(db, Some(id)).await?.pop())
}

async fn select(db: impl PgExecutor<'_>, id: Option<UserId>) -> sqlx::Result<Vec<User>> {
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
            invited_at,
            last_sign_in_at,
            (
                select set_at
                from second_factors
                where user_id = users.id and set_at is not null) as second_factor_at,
            xmin::text as "seen!"
        from users
        where $1::uuid is null or id = $1
        order by email
        "#,
        id.map(|id| id.0),
    )
    .fetch_all(db)
    .await
}

/// Gives a person another password, which they must change: somebody else knows it. Ends their sessions. Whoever acts on
/// what a page showed brings what was `seen` there: a form that is sent twice must not take away the password that its
/// first answer showed.
pub async fn reset_password(
    db: &PgPool,
    passwords: &Passwords,
    cache: &TokenCache,
    actor: &Actor,
    email: &EmailAddress,
    new: &NewPassword,
    seen: Option<&str>,
) -> Result<()> {
    let hash = passwords.hash(new).await?;
    let mut tx = database::begin(db).await?;
    let known = lock(&mut tx, actor, email, seen).await?;
    // What was on its way to them is void: they were given a password now.
    links::void(&mut tx, known.id).await?;
    sqlx::query!(
        r#"
        update users
        set password_hash = $2,
            must_change_password = true,
            invited_at = null
        where id = $1
        "#,
        known.id.0,
        hash,
    )
    .execute(&mut *tx)
    .await?;
    let ended = sessions::end_all(&mut tx, known.id).await?;
    let details = json!({
        "before": { "mustChangePassword": known.must_change_password },
        "after": { "mustChangePassword": true },
        "endedSessions": ended,
    });
    audit::record(&mut tx, actor, Change { object: object(email), action: "user.password_reset", details }).await?;
    tx.commit().await?;
    cache.forget();
    Ok(())
}

/// Makes a link by which a person chooses another password, or somebody who is still invited the first one. The password
/// that they had stops working now, and their sessions end; a link that was made before is void.
pub async fn make_link(
    db: &PgPool,
    clock: &Clock,
    passwords: &Passwords,
    actor: &Actor,
    email: &EmailAddress,
    seen: Option<&str>,
) -> Result<Link> {
    let hash = passwords.hash(&NewPassword::random()?).await?;
    let mut tx = database::begin(db).await?;
    let known = lock(&mut tx, actor, email, seen).await?;
    sqlx::query!("update users set password_hash = $2, must_change_password = false where id = $1", known.id.0, hash,)
        .execute(&mut *tx)
        .await?;
    let ended = sessions::end_all(&mut tx, known.id).await?;
    let (purpose, action) =
        if known.invited { (Purpose::Invitation, "user.invited") } else { (Purpose::Reset, "user.password_reset") };
    let link = links::make(&mut tx, clock, actor, known.id, purpose).await?;
    let details = json!({ "hours": purpose.lasts().as_secs() / 3600, "endedSessions": ended });
    audit::record(&mut tx, actor, Change { object: object(email), action, details }).await?;
    tx.commit().await?;
    Ok(link)
}

/// A person whose password is about to be replaced.
struct Known {
    id: UserId,
    must_change_password: bool,
    invited: bool,
    as_seen: bool,
}

/// Locks the person, if the actor may act on them and they are as the actor saw them.
async fn lock(tx: &mut PgConnection, actor: &Actor, email: &EmailAddress, seen: Option<&str>) -> Result<Known> {
    let known = sqlx::query_as!(
        Known,
        r#"
        select
            id as "id: UserId",
            must_change_password,
            invited_at is not null as "invited!",
            coalesce(xmin::text = $2, true) as "as_seen!"
        from users
        where email = $1
        for update
        "#,
        email.as_str(),
        seen,
    )
    .fetch_optional(tx)
    .await?;
    let known = known.ok_or_else(|| no_such_user(email))?;
    if actor.user == Some(known.id) {
        return Err(own_password().into());
    }
    if !known.as_seen {
        return Err(changed_meanwhile(email).into());
    }
    Ok(known)
}

/// The name of a person in the audit.
pub(super) fn object(email: impl std::fmt::Display) -> String {
    format!("user/{email}")
}

fn email_taken(email: &EmailAddress) -> Problem {
    let detail = format!("There is a user {email} already. `user list` shows all of them.");
    Problem::new(StatusCode::CONFLICT, "email_taken", detail)
}

fn own_password() -> Problem {
    let detail = "Nobody resets their own password here. Change it under “Change password”.";
    Problem::new(StatusCode::CONFLICT, "own_account", detail)
}

fn changed_meanwhile(email: &EmailAddress) -> Problem {
    let detail = format!(
        "{email} was changed, or signed in, since this page was loaded, so the password stays as it is. Look at the page as it is now."
    );
    Problem::new(StatusCode::CONFLICT, "changed_meanwhile", detail)
}

pub(super) fn no_such_user(email: &EmailAddress) -> Problem {
    Problem::not_found(format!("There is no user {email}. `user list` shows all of them."))
}
