//! Setting a second factor, removing it, and doing so for somebody who lost it.

use axum::http::StatusCode;
use secrecy::SecretString;
use serde_json::json;
use sqlx::PgPool;

use super::{codes, factors, recovery};
use crate::audit::{self, Actor, Change};
use crate::auth::credential::{Credential, CredentialHash};
use crate::auth::{EmailAddress, Principal, TokenCache, sessions, users};
use crate::database;
use crate::error::{Problem, Result};
use crate::id::UserId;
use crate::state::AppState;
use crate::vault::Vault;

/// A factor that was set just now.
pub(super) struct SetNow {
    /// The session that goes on.
    pub(super) session: Credential,
    /// Shown once.
    pub(super) recovery_codes: Vec<SecretString>,
}

/// Offers a new secret. What counted before counts until a first code of this one is shown.
pub(super) async fn offer(app: &AppState, principal: &Principal) -> Result<SecretString> {
    let mut tx = database::begin(&app.db).await?;
    lock(&mut tx, principal.user).await?;
    let secret = factors::offer(&mut tx, &app.vault, &app.clock, principal.user).await?;
    tx.commit().await?;
    Ok(secret)
}

/// The secret that was offered and is not set yet.
pub(super) async fn offered(app: &AppState, principal: &Principal) -> Result<Option<SecretString>> {
    let mut connection = app.db.acquire().await?;
    let offered = factors::offered(&mut connection, &app.vault, principal.user).await?;
    Ok(offered.map(|(_, secret)| secret))
}

/// Sets the offered factor, if this is a code of it. All other sessions end: they were begun without it. `None`: it is no
/// code of it.
pub(super) async fn set(
    app: &AppState,
    actor: &Actor,
    principal: &Principal,
    session: CredentialHash,
    typed: &str,
) -> Result<Option<SetNow>> {
    let user = principal.user;
    let mut tx = database::begin(&app.db).await?;
    lock(&mut tx, user).await?;
    let Some((id, secret)) = factors::offered(&mut tx, &app.vault, user).await? else { return Ok(None) };
    let code: String = typed.chars().filter(|character| !character.is_whitespace()).collect();
    let Some(step) = codes::step(&secret, &code, app.clock.now()) else { return Ok(None) };
    let before = factors::is_set(&mut *tx, user).await?;
    if !factors::set(&mut tx, &app.vault, &app.clock, (user, id, step)).await? {
        return Ok(None);
    }
    let recovery_codes = recovery::make(&mut tx, &app.clock, user).await?;
    let ended = sessions::end_others(&mut tx, user, session).await?;
    let Some(session) = sessions::renew(&mut tx, &app.clock, session, true).await? else { return Ok(None) };
    let details = json!({
        "before": { "secondFactor": before }, "after": { "secondFactor": true },
        "recoveryCodes": recovery::COUNT, "endedSessions": ended,
    });
    record(&mut tx, actor, &principal.email, "user.second_factor_set", details).await?;
    tx.commit().await?;
    app.token_cache.forget();
    Ok(Some(SetNow { session, recovery_codes }))
}

/// Removes a person's own factor with its recovery codes, where they may do without one. All other sessions end.
pub(super) async fn remove(
    app: &AppState,
    actor: &Actor,
    principal: &Principal,
    session: CredentialHash,
) -> Result<bool> {
    let user = principal.user;
    let mut tx = database::begin(&app.db).await?;
    lock(&mut tx, user).await?;
    if app.settings.current().sign_in.asks_second_factor_of(principal.role, app.config.mode) {
        return Err(required().into());
    }
    if !factors::remove(&mut tx, &app.vault, user).await? {
        return Ok(false);
    }
    recovery::forget(&mut tx, user).await?;
    let ended = sessions::end_others(&mut tx, user, session).await?;
    let details = json!({
        "before": { "secondFactor": true }, "after": { "secondFactor": false }, "endedSessions": ended,
    });
    record(&mut tx, actor, &principal.email, "user.second_factor_removed", details).await?;
    tx.commit().await?;
    app.token_cache.forget();
    Ok(true)
}

/// Makes a person's recovery codes anew, unless they were since the page was loaded that asks for it: a form that is sent
/// twice must not void the codes that its first answer showed.
pub(super) async fn renew_recovery_codes(
    app: &AppState,
    actor: &Actor,
    principal: &Principal,
    seen: &str,
) -> Result<Option<Vec<SecretString>>> {
    let user = principal.user;
    let mut tx = database::begin(&app.db).await?;
    lock(&mut tx, user).await?;
    let left = recovery::left(&mut *tx, user).await?;
    if super::views::seen(left) != seen || !factors::is_set(&mut *tx, user).await? {
        return Ok(None);
    }
    let made = recovery::make(&mut tx, &app.clock, user).await?;
    let details = json!({ "before": { "recoveryCodes": left.count }, "after": { "recoveryCodes": made.len() } });
    record(&mut tx, actor, &principal.email, "user.recovery_codes_made", details).await?;
    tx.commit().await?;
    Ok(Some(made))
}

/// Removes the factor of somebody who lost it, for an admin or a shell: they sign in with their password and set another.
/// Their sessions end. `false`: they had none.
pub(in crate::auth) async fn reset(
    db: &PgPool,
    vault: &Vault,
    cache: &TokenCache,
    actor: &Actor,
    email: &EmailAddress,
) -> Result<bool> {
    let mut tx = database::begin(db).await?;
    let user =
        sqlx::query_scalar!(r#"select id as "id: UserId" from users where email = $1 for update"#, email.as_str(),);
    let user = user.fetch_optional(&mut *tx).await?.ok_or_else(|| users::no_such_user(email))?;
    if actor.user == Some(user) {
        return Err(own_factor().into());
    }
    if !factors::remove(&mut tx, vault, user).await? {
        return Ok(false);
    }
    recovery::forget(&mut tx, user).await?;
    let ended = sessions::end_all(&mut tx, user).await?;
    let details = json!({
        "before": { "secondFactor": true }, "after": { "secondFactor": false }, "endedSessions": ended,
    });
    record(&mut tx, actor, email.as_str(), "user.second_factor_reset", details).await?;
    tx.commit().await?;
    cache.forget();
    Ok(true)
}

/// One change of a person's factor at a time.
async fn lock(tx: &mut sqlx::PgConnection, user: UserId) -> sqlx::Result<()> {
    sqlx::query!("select id from users where id = $1 for update", user.0).fetch_optional(tx).await?;
    Ok(())
}

async fn record(
    tx: &mut sqlx::PgConnection,
    actor: &Actor,
    email: &str,
    action: &str,
    details: serde_json::Value,
) -> sqlx::Result<()> {
    audit::record(tx, actor, Change { object: users::object(email), action, details }).await
}

fn required() -> Problem {
    let detail = "Your role needs a second factor, so it stays. Replace it instead.";
    Problem::new(StatusCode::CONFLICT, "second_factor_required", detail)
}

fn own_factor() -> Problem {
    let detail = "Nobody resets their own second factor here. Replace or remove it under “Your second factor”.";
    Problem::new(StatusCode::CONFLICT, "own_account", detail)
}
