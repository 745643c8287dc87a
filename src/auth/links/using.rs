//! Presenting a link: counted, looked up, and used up with the password that is chosen by it.

use serde_json::json;

use super::{CHARACTERS, Invited, Purpose};
use crate::audit::{self, Change};
use crate::auth::NewPassword;
use crate::auth::credential::CredentialHash;
use crate::auth::network::Masked;
use crate::auth::proof::Answer;
use crate::auth::sign_in::{self, Entered, Shown, Visitor};
use crate::auth::throttle::{self, Subject};
use crate::auth::{first_admin, sessions, users};
use crate::database;
use crate::error::Result;
use crate::state::AppState;

/// Whom a presented link is for. Whoever presents what is no link of ours, or not any more, learns nothing but that; and
/// not often.
pub(super) async fn look(app: &AppState, visitor: &Visitor, text: &str) -> Result<Answer<Invited>> {
    let network = Subject::network(visitor.address.0);
    if let Some(retry_after) = throttle::count(&app.db, &app.clock, &network).await? {
        return Ok(Answer::Blocked { retry_after });
    }
    let is_link = text.len() == CHARACTERS;
    let found = if is_link { super::find(&app.db, &app.clock, CredentialHash::of(text)).await? } else { None };
    match found {
        Some(invited) => {
            throttle::take_back(&app.db, &network).await?;
            Ok(Answer::Verified(invited))
        }
        None => {
            let ip = Masked(visitor.address.0);
            tracing::warn!(event = "auth.failed", reason = "link", %ip, "a link was refused");
            Ok(Answer::Refused)
        }
    }
}

/// Uses a link up: the password becomes the account's, and whoever chose it is let in, as far as a password lets anybody
/// in.
pub(super) async fn use_up(
    app: &AppState,
    visitor: &Visitor,
    invited: &Invited,
    text: &str,
    password: &NewPassword,
) -> Result<Answer<Entered>> {
    let Invited { user, email, purpose, .. } = invited;
    let hash = app.passwords.hash(password).await?;
    let mut tx = database::begin(&app.db).await?;
    // The person's row first, as whoever makes or voids a link does.
    let chosen = sqlx::query!(
        r#"
        update users
        set password_hash = $2,
            must_change_password = false,
            invited_at = null
        where id = $1
          and disabled_at is null
        "#,
        user.0,
        hash,
    )
    .execute(&mut *tx)
    .await?;
    if chosen.rows_affected() == 0 || !super::take(&mut tx, &app.clock, CredentialHash::of(text)).await? {
        return Ok(Answer::Refused);
    }
    let ended = sessions::end_all(&mut tx, *user).await?;
    let (action, details) = match purpose {
        Purpose::Invitation => ("user.joined", json!({})),
        Purpose::Reset => ("user.password_changed", json!({ "by": "link", "endedSessions": ended })),
    };
    let change = Change { object: users::object(email), action, details };
    audit::record(&mut tx, &visitor.actor(*user, email), change).await?;
    let entered = sign_in::enter(&mut tx, app, visitor, (*user, email), Shown::password()).await?;
    tx.commit().await?;
    app.token_cache.forget();
    first_admin::remove_password_file(&app.config.data_dir, email).await;
    Ok(Answer::Verified(entered))
}
