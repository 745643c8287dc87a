//! Signing in and out, and changing one's own password.

use secrecy::SecretString;
use serde_json::json;

use super::credential::{Credential, CredentialHash};
use super::network::Masked;
use super::new_password::NewPassword;
use super::principal::Principal;
use super::proof::{self, Answer};
use super::sessions::{self, Origin};
use super::{first_admin, throttle, users};
use crate::audit::{self, Actor, Change};
use crate::database;
use crate::error::Result;
use crate::id::UserId;
use crate::state::AppState;
use crate::web::client::ClientAddress;
use crate::web::correlation::CorrelationId;

/// A browser at the door.
pub(super) struct Visitor {
    pub(super) address: ClientAddress,
    pub(super) correlation_id: CorrelationId,
    pub(super) user_agent: Option<String>,
    /// The session that it came with, if any.
    pub(super) session: Option<CredentialHash>,
}

impl Visitor {
    fn origin(&self) -> Origin<'_> {
        Origin { address: self.address.0, user_agent: self.user_agent.as_deref() }
    }

    /// The author of an audit line, for somebody who is not a principal: not yet, or not any more.
    fn actor(&self, user: UserId, email: &str) -> Actor {
        Actor {
            name: email.to_owned(),
            user: Some(user),
            token: None,
            ip: Some(self.address.0.to_string()),
            correlation_id: Some(self.correlation_id.0.clone()),
        }
    }
}

/// Begins a session for whoever knows the password. The session that the browser came with ends: nobody can plant one
/// beforehand and share it afterwards.
pub(super) async fn sign_in(
    app: &AppState,
    visitor: &Visitor,
    email: &str,
    password: &SecretString,
) -> Result<Answer<Credential>> {
    let account = match proof::check(app, visitor.address.0, email, password).await? {
        Answer::Verified(account) => account,
        Answer::Refused => return Ok(Answer::Refused),
        Answer::Blocked { retry_after } => return Ok(Answer::Blocked { retry_after }),
    };
    let mut tx = database::begin(&app.db).await?;
    // Disabling and resetting change this row first: whichever comes second sees the other.
    let admitted = sqlx::query!(
        r#"
        update users
        set last_sign_in_at = clock_timestamp() + $3,
            password_hash = coalesce($4, password_hash)
        where id = $1
          and password_hash = $2
          and disabled_at is null
        "#,
        account.id.0,
        account.stored,
        app.clock.offset(),
        account.rehashed,
    )
    .execute(&mut *tx)
    .await?;
    if admitted.rows_affected() == 0 {
        return Ok(Answer::Refused);
    }
    if let Some(previous) = visitor.session {
        sessions::end(&mut tx, previous).await?;
    }
    let session = sessions::begin(&mut tx, &app.clock, account.id, &visitor.origin()).await?;
    let change = Change { object: users::object(&account.email), action: "user.signed_in", details: json!({}) };
    audit::record(&mut tx, &visitor.actor(account.id, &account.email), change).await?;
    proof::forgive(&mut tx, visitor.address.0, &account.email).await?;
    sessions::sweep(&mut *tx, &app.clock).await?;
    throttle::sweep(&mut *tx, &app.clock).await?;
    tx.commit().await?;
    first_admin::remove_password_file(&app.config.data_dir, &account.email).await;
    tracing::info!(event = "auth.verified", user = %account.id, ip = %Masked(visitor.address.0), "somebody signed in");
    Ok(Answer::Verified(session))
}

/// Ends the session that a browser came with.
pub(super) async fn sign_out(app: &AppState, visitor: &Visitor) -> Result<()> {
    let Some(session) = visitor.session else { return Ok(()) };
    let mut tx = database::begin(&app.db).await?;
    if let Some((user, email)) = sessions::end(&mut tx, session).await? {
        let change = Change { object: users::object(&email), action: "user.signed_out", details: json!({}) };
        audit::record(&mut tx, &visitor.actor(user, &email), change).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Changes a person's own password. All their sessions end; the answer is the one that goes on.
pub(super) async fn change_password(
    app: &AppState,
    visitor: &Visitor,
    principal: &Principal,
    current: &SecretString,
    new: &NewPassword,
) -> Result<Answer<Credential>> {
    let account = match proof::check(app, visitor.address.0, &principal.email, current).await? {
        Answer::Verified(account) => account,
        Answer::Refused => return Ok(Answer::Refused),
        Answer::Blocked { retry_after } => return Ok(Answer::Blocked { retry_after }),
    };
    let hash = app.passwords.hash(new).await?;
    let mut tx = database::begin(&app.db).await?;
    let changed = sqlx::query!(
        r#"
        update users
        set password_hash = $3,
            must_change_password = false
        where id = $1
          and password_hash = $2
          and disabled_at is null
        "#,
        account.id.0,
        account.stored,
        hash,
    )
    .execute(&mut *tx)
    .await?;
    if changed.rows_affected() == 0 {
        return Ok(Answer::Refused);
    }
    let ended = sessions::end_all(&mut tx, account.id).await?;
    let session = sessions::begin(&mut tx, &app.clock, account.id, &visitor.origin()).await?;
    let details = json!({ "endedSessions": ended });
    let change = Change { object: users::object(&account.email), action: "user.password_changed", details };
    audit::record(&mut tx, &principal.actor(visitor.address, &visitor.correlation_id), change).await?;
    proof::forgive(&mut tx, visitor.address.0, &account.email).await?;
    tx.commit().await?;
    app.token_cache.forget();
    Ok(Answer::Verified(session))
}
