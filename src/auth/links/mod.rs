//! One-time links by which people choose a password themselves: an invitation, or another password for a lost one. Whoever
//! makes one hands it over; nobody ever tells anybody a password.
//!
//! A link is 256 random bits, of which only the hash is kept. It opens once, until a day named on it, and a new one of the
//! same person takes its place. Looking at its page uses up nothing: mail programs look at what people have not opened yet.

mod using;
pub(super) mod views;
pub(super) mod welcome;

use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use sqlx::{PgConnection, PgExecutor, PgPool};
use time::OffsetDateTime;

use super::credential::{Credential, CredentialHash};
use super::users;
use crate::audit::{self, Actor, Change};
use crate::clock::{Clock, interval};
use crate::config::PublicUrl;
use crate::database;
use crate::error::Result;
use crate::id::UserId;

/// Characters of a link's last part.
const CHARACTERS: usize = 43;

/// What a link is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Purpose {
    /// The first password of somebody new.
    Invitation,
    /// Another password for one that was lost.
    Reset,
}

/// A link, in the one answer that shows it.
#[derive(Debug)]
pub struct Link {
    credential: SecretString,
    /// What it is for.
    pub purpose: Purpose,
}

/// A link that can still be used, as an admin sees it: without what opens it.
#[derive(Debug)]
pub(crate) struct OpenLink {
    pub(crate) made_by: String,
    pub(crate) expires_at: OffsetDateTime,
}

/// Whom a link lets choose a password.
pub(super) struct Invited {
    pub(super) user: UserId,
    pub(super) email: String,
    pub(super) name: String,
    pub(super) purpose: Purpose,
}

impl Purpose {
    /// How long a link for it can be used.
    pub fn lasts(self) -> Duration {
        match self {
            Self::Invitation => Duration::from_hours(72),
            Self::Reset => Duration::from_hours(24),
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Invitation => "invitation",
            Self::Reset => "reset",
        }
    }
}

impl Link {
    /// The whole address, to be handed over.
    pub fn address(&self, public_url: &PublicUrl) -> SecretString {
        #[expect(clippy::disallowed_methods, reason = "shown once to whoever had it made")]
        let credential = self.credential.expose_secret();
        format!("{public_url}/welcome/{credential}").into()
    }
}

/// Makes a link in the caller's transaction, in place of the person's former one.
pub(super) async fn make(
    tx: &mut PgConnection,
    clock: &Clock,
    actor: &Actor,
    user: UserId,
    purpose: Purpose,
) -> Result<Link> {
    let credential = Credential::random("")?;
    sqlx::query!(
        r#"
        insert into password_links (user_id, link_hash, purpose, made_by, made_at, expires_at)
        values ($1, $2, $3, $4, clock_timestamp() + $5, clock_timestamp() + $5 + $6::interval)
        on conflict (user_id) do update set
            link_hash = excluded.link_hash,
            purpose = excluded.purpose,
            made_by = excluded.made_by,
            made_at = excluded.made_at,
            expires_at = excluded.expires_at
        "#,
        user.0,
        credential.hash.0.as_slice(),
        purpose.as_str(),
        actor.name,
        clock.offset(),
        interval(purpose.lasts()),
    )
    .execute(tx)
    .await?;
    Ok(Link { credential: credential.text, purpose })
}

/// Whom a presented link is for, if it can still be used.
async fn find(db: impl PgExecutor<'_>, clock: &Clock, hash: CredentialHash) -> sqlx::Result<Option<Invited>> {
    sqlx::query_as!(
        Invited,
        r#"
        select
            users.id as "user: UserId",
            users.email,
            users.name,
            password_links.purpose as "purpose: Purpose"
        from password_links
        join users on users.id = password_links.user_id
        where password_links.link_hash = $1
          and password_links.expires_at > clock_timestamp() + $2
          and users.disabled_at is null
        "#,
        hash.0.as_slice(),
        clock.offset(),
    )
    .fetch_optional(db)
    .await
}

/// Uses a link up. Of many at once one finds it.
async fn take(tx: &mut PgConnection, clock: &Clock, hash: CredentialHash) -> sqlx::Result<bool> {
    let taken = sqlx::query!(
        r#"
        delete from password_links
        where link_hash = $1
          and expires_at > clock_timestamp() + $2
        "#,
        hash.0.as_slice(),
        clock.offset(),
    )
    .execute(tx)
    .await?;
    Ok(taken.rows_affected() == 1)
}

/// Voids a person's link; `false` if there was none.
pub(super) async fn void(tx: &mut PgConnection, user: UserId) -> sqlx::Result<bool> {
    let voided = sqlx::query!("delete from password_links where user_id = $1", user.0).execute(tx).await?;
    Ok(voided.rows_affected() == 1)
}

/// Voids a person's link, because an admin says so. Answers `false` if there was none.
pub(super) async fn withdraw(db: &PgPool, actor: &Actor, user: UserId, email: &str) -> Result<bool> {
    let mut tx = database::begin(db).await?;
    if !void(&mut tx, user).await? {
        return Ok(false);
    }
    let change = Change { object: users::object(email), action: "user.link_withdrawn", details: json!({}) };
    audit::record(&mut tx, actor, change).await?;
    tx.commit().await?;
    Ok(true)
}

/// A person's link, if it can still be used.
pub(super) async fn open_of(db: impl PgExecutor<'_>, clock: &Clock, user: UserId) -> sqlx::Result<Option<OpenLink>> {
    sqlx::query_as!(
        OpenLink,
        r#"
        select made_by, expires_at
        from password_links
        where user_id = $1
          and expires_at > clock_timestamp() + $2
        "#,
        user.0,
        clock.offset(),
    )
    .fetch_optional(db)
    .await
}
