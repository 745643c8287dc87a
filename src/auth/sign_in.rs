//! Signing in and out, and changing one's own password.

use secrecy::SecretString;
use serde_json::{Value, json};
use sqlx::PgConnection;

use super::credential::{Credential, CredentialHash};
use super::network::Masked;
use super::new_password::NewPassword;
use super::principal::Principal;
use super::proof::{self, Answer};
use super::second_factor::{factors, present};
use super::sessions::{self, Origin};
use super::{first_admin, half_sessions, throttle, users};
use crate::audit::{self, Actor, Change};
use crate::database;
use crate::error::Result;
use crate::id::UserId;
use crate::state::AppState;
use crate::web::client::ClientAddress;
use crate::web::correlation::CorrelationId;

/// A browser at the door.
pub(crate) struct Visitor {
    pub(super) address: ClientAddress,
    pub(super) correlation_id: CorrelationId,
    pub(super) user_agent: Option<String>,
    /// The session that it came with, if any.
    pub(super) session: Option<CredentialHash>,
    /// What it got for a password that was right, if its code is still to come.
    pub(super) half_session: Option<CredentialHash>,
}

/// What somebody showed, before any code of ours.
pub(super) struct Shown {
    /// As the audit line tells it.
    pub(super) details: Value,
    /// More than a password, at somebody else's: then no code is asked for besides.
    pub(super) second_factor: bool,
    /// When, in seconds since 1970, if it was at a provider.
    pub(super) at: Option<i64>,
}

impl Shown {
    /// A password, just now.
    pub(super) fn password() -> Self {
        Self { details: json!({}), second_factor: false, at: None }
    }
}

/// What somebody has who presented what they know.
pub(super) enum Entered {
    /// Everything that is asked of them.
    Whole(Credential),
    /// The password; the code is still to come.
    Half(Credential),
}

impl Visitor {
    fn origin(&self) -> Origin<'_> {
        Origin { address: self.address.0, user_agent: self.user_agent.as_deref() }
    }

    /// The author of an audit line, for somebody who is not a principal: not yet, or not any more.
    pub(super) fn actor(&self, user: UserId, email: &str) -> Actor {
        Actor {
            name: email.to_owned(),
            user: Some(user),
            token: None,
            ip: Some(self.address.0.to_string()),
            correlation_id: Some(self.correlation_id.0.clone()),
        }
    }
}

/// Lets in whoever knows the password, as far as it lets anybody in.
pub(super) async fn sign_in(
    app: &AppState,
    visitor: &Visitor,
    email: &str,
    password: &SecretString,
) -> Result<Answer<Entered>> {
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
        set password_hash = coalesce($3, password_hash)
        where id = $1
          and password_hash = $2
          and disabled_at is null
          and invited_at is null
        "#,
        account.id.0,
        account.stored,
        account.rehashed,
    )
    .execute(&mut *tx)
    .await?;
    if admitted.rows_affected() == 0 {
        return Ok(Answer::Refused);
    }
    let entered = enter(&mut tx, app, visitor, (account.id, &account.email), Shown::password()).await?;
    proof::forgive(&mut tx, visitor.address.0, &account.email).await?;
    tx.commit().await?;
    if let Entered::Whole(_) = entered {
        first_admin::remove_password_file(&app.config.data_dir, &account.email).await;
    }
    Ok(Answer::Verified(entered))
}

/// Goes on from the password to the code: with a right one the session begins. `None`: there is no password that was right
/// lately, so it begins again at the password.
pub(super) async fn finish(
    app: &AppState,
    visitor: &Visitor,
    typed: &SecretString,
) -> Result<Option<Answer<Credential>>> {
    let Some(hash) = visitor.half_session else { return Ok(None) };
    let Some(half) = half_sessions::find(&app.db, &app.clock, hash).await? else { return Ok(None) };
    let (actor, person) = (visitor.actor(half.user, &half.email), (half.user, half.email.as_str()));
    let (mut tx, taken) = match present(app, visitor.address.0, &actor, person, typed).await? {
        Answer::Verified(presented) => presented,
        Answer::Refused => return Ok(Some(Answer::Refused)),
        Answer::Blocked { retry_after } => return Ok(Some(Answer::Blocked { retry_after })),
    };
    if !half_sessions::end(&mut tx, hash).await? {
        return Ok(None);
    }
    let shown = Shown { details: json!({ "secondFactor": taken.word() }), second_factor: true, at: None };
    let session = begin(&mut tx, app, visitor, person, shown).await?;
    tx.commit().await?;
    first_admin::remove_password_file(&app.config.data_dir, &half.email).await;
    Ok(Some(Answer::Verified(session)))
}

/// Lets in somebody who showed the password, or chose it by a link: with a session, or to the page that asks for the code
/// where a second factor is set.
pub(super) async fn enter(
    tx: &mut PgConnection,
    app: &AppState,
    visitor: &Visitor,
    person: (UserId, &str),
    shown: Shown,
) -> Result<Entered> {
    if !shown.second_factor && factors::is_set(&mut *tx, person.0).await? {
        return Ok(Entered::Half(half_sessions::begin(tx, &app.clock, person.0).await?));
    }
    Ok(Entered::Whole(begin(tx, app, visitor, person, shown).await?))
}

/// Begins a session. The one that the browser came with ends: nobody can plant one beforehand and share it afterwards.
async fn begin(
    tx: &mut PgConnection,
    app: &AppState,
    visitor: &Visitor,
    (user, email): (UserId, &str),
    shown: Shown,
) -> Result<Credential> {
    if let Some(previous) = visitor.session {
        sessions::end(&mut *tx, previous).await?;
    }
    let begun = sessions::begin(&mut *tx, &app.clock, user, &visitor.origin(), shown.second_factor).await?;
    if let Some(at) = shown.at {
        sessions::begun_at_provider(&mut *tx, begun.hash, at).await?;
    }
    sqlx::query!(
        "update users set last_sign_in_at = clock_timestamp() + $2 where id = $1",
        user.0,
        app.clock.offset(),
    )
    .execute(&mut *tx)
    .await?;
    let change = Change { object: users::object(email), action: "user.signed_in", details: shown.details };
    audit::record(&mut *tx, &visitor.actor(user, email), change).await?;
    sessions::sweep(&mut *tx, &app.clock).await?;
    half_sessions::sweep(&mut *tx, &app.clock).await?;
    throttle::sweep(&mut *tx, &app.clock).await?;
    tracing::info!(event = "auth.verified", %user, ip = %Masked(visitor.address.0), "somebody signed in");
    Ok(begun)
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
    let second_factor = principal.used_second_factor();
    let session = sessions::begin(&mut tx, &app.clock, account.id, &visitor.origin(), second_factor).await?;
    let details = json!({ "endedSessions": ended });
    let change = Change { object: users::object(&account.email), action: "user.password_changed", details };
    audit::record(&mut tx, &principal.actor(visitor.address, &visitor.correlation_id), change).await?;
    proof::forgive(&mut tx, visitor.address.0, &account.email).await?;
    tx.commit().await?;
    app.token_cache.forget();
    Ok(Answer::Verified(session))
}
