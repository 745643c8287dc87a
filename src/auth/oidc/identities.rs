//! Which of our people the provider means: kept by the provider's own name for them.

use serde_json::json;
use sqlx::PgConnection;

use super::provider::Vouched;
use crate::audit::{self, Actor, Change};
use crate::auth::new_password::NewPassword;
use crate::auth::users::{self, NewUser};
use crate::auth::{EmailAddress, Role};
use crate::error::Result;
use crate::id::UserId;
use crate::state::AppState;

/// One of our people.
pub(super) struct Known {
    pub(super) id: UserId,
    pub(super) email: EmailAddress,
    pub(super) role: Role,
}

/// Why nobody of ours is meant.
pub(super) enum Unknown {
    /// The person is disabled here.
    Disabled,
    /// They are new, and the provider has not made sure of an address that they could be known by.
    NoAddress,
    /// Their address is an account of somebody whom the provider calls otherwise.
    Otherwise,
}

/// Finds the person, or takes them in: an account with their address becomes theirs, because the provider has made sure
/// that the address is; where there is none, they get one.
pub(super) async fn find_or_take_in(
    tx: &mut PgConnection,
    app: &AppState,
    actor: &Actor,
    issuer: &str,
    vouched: &Vouched,
    role: Role,
) -> Result<Result<Known, Unknown>> {
    let known = sqlx::query!(
        r#"
        select
            users.id as "id: UserId",
            users.email,
            users.role as "role: Role",
            users.disabled_at is not null as "disabled!"
        from user_identities
        join users on users.id = user_identities.user_id
        where user_identities.issuer = $1
          and user_identities.subject = $2
        for update of users
        "#,
        issuer,
        vouched.subject,
    )
    .fetch_optional(&mut *tx)
    .await?;
    if let Some(known) = known {
        if known.disabled {
            return Ok(Err(Unknown::Disabled));
        }
        let email = known.email.parse().map_err(anyhow::Error::from)?;
        return Ok(Ok(Known { id: known.id, email, role: known.role }));
    }
    let Some(email) = vouched.email.as_deref().and_then(|email| email.parse::<EmailAddress>().ok()) else {
        return Ok(Err(Unknown::NoAddress));
    };
    let account = sqlx::query!(
        r#"
        select
            id as "id: UserId",
            role as "role: Role",
            disabled_at is not null as "disabled!",
            exists (
                select
                from user_identities
                where user_id = users.id and issuer = $2) as "linked!"
        from users
        where email = $1
        for update
        "#,
        email.as_str(),
        issuer,
    )
    .fetch_optional(&mut *tx)
    .await?;
    let person = match account {
        Some(account) if account.disabled => return Ok(Err(Unknown::Disabled)),
        Some(account) if account.linked => return Ok(Err(Unknown::Otherwise)),
        Some(account) => Known { id: account.id, email, role: account.role },
        None => take_in(&mut *tx, app, actor, email, vouched, role).await?,
    };
    link(tx, app, actor, issuer, vouched, &person).await?;
    Ok(Ok(person))
}

/// An account whose password nobody knows: it is entered through the provider.
async fn take_in(
    tx: &mut PgConnection,
    app: &AppState,
    actor: &Actor,
    email: EmailAddress,
    vouched: &Vouched,
    role: Role,
) -> Result<Known> {
    let name = vouched.name.as_deref().map(visible).filter(|name| !name.is_empty());
    let new = NewUser {
        name: name.unwrap_or_else(|| email.to_string()),
        email,
        role,
        password: NewPassword::random()?,
        must_change_password: false,
    };
    let hash = app.passwords.hash(&new.password).await?;
    let id = users::insert(tx, &app.clock, actor, &new, &hash).await?;
    Ok(Known { id, email: new.email, role })
}

/// A name as lists show it: one short line of characters that can be seen.
fn visible(name: &str) -> String {
    name.chars().filter(|character| !character.is_control()).take(80).collect::<String>().trim().to_owned()
}

async fn link(
    tx: &mut PgConnection,
    app: &AppState,
    actor: &Actor,
    issuer: &str,
    vouched: &Vouched,
    person: &Known,
) -> Result<()> {
    sqlx::query!(
        r#"
        insert into user_identities (issuer, subject, user_id, linked_at)
        values ($1, $2, $3, clock_timestamp() + $4)
        "#,
        issuer,
        vouched.subject,
        person.id.0,
        app.clock.offset(),
    )
    .execute(&mut *tx)
    .await?;
    // Whoever waited for a link to choose a password needs none.
    sqlx::query!("update users set invited_at = null where id = $1", person.id.0).execute(&mut *tx).await?;
    let details = json!({ "issuer": issuer, "subject": vouched.subject });
    let change = Change { object: users::object(&person.email), action: "user.identity_linked", details };
    audit::record(tx, actor, change).await?;
    Ok(())
}
