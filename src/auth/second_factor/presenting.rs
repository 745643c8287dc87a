//! Presenting a code, or a recovery code: counted first, then taken once.

use std::net::IpAddr;

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use sqlx::{PgConnection, Postgres, Transaction};

use super::{codes, factors, recovery};
use crate::audit::{self, Actor, Change};
use crate::auth::network::Masked;
use crate::auth::proof::Answer;
use crate::auth::throttle::{self, Subject};
use crate::auth::users;
use crate::database;
use crate::error::Result;
use crate::id::UserId;
use crate::state::AppState;

/// What was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::auth) enum Taken {
    /// A code of the app.
    Code,
    /// A recovery code.
    RecoveryCode,
}

impl Taken {
    /// As an audit line tells it.
    pub(in crate::auth) fn word(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::RecoveryCode => "recovery_code",
        }
    }
}

/// Takes a code that somebody presents for an account. What follows from it goes into the same transaction, so that a code
/// is used up exactly when it had its effect. A wrong code counts as a failure of the network and of the account's codes;
/// that the password is known forgives none of them.
pub(in crate::auth) async fn present(
    app: &AppState,
    address: IpAddr,
    actor: &Actor,
    (user, email): (UserId, &str),
    typed: &SecretString,
) -> Result<Answer<(Transaction<'static, Postgres>, Taken)>> {
    let subjects = [Subject::network(address), Subject::codes(user)];
    for subject in &subjects {
        if let Some(retry_after) = throttle::count(&app.db, &app.clock, subject).await? {
            tracing::warn!(event = "auth.failed", reason = "throttled", ip = %Masked(address), retry_after, "too many tries");
            return Ok(Answer::Blocked { retry_after });
        }
    }
    let mut tx = database::begin(&app.db).await?;
    let Some(taken) = take(app, &mut tx, user, typed).await? else {
        tracing::warn!(event = "auth.failed", reason = "code", %user, ip = %Masked(address), "a code was refused");
        return Ok(Answer::Refused);
    };
    let [network, of_codes] = &subjects;
    throttle::take_back(&mut *tx, network).await?;
    throttle::forget(&mut *tx, of_codes).await?;
    if taken == Taken::RecoveryCode {
        let left = recovery::left(&mut *tx, user).await?.count;
        let change = Change {
            object: users::object(email),
            action: "user.recovery_code_used",
            details: json!({ "before": { "recoveryCodes": left + 1 }, "after": { "recoveryCodes": left } }),
        };
        audit::record(&mut tx, actor, change).await?;
    }
    Ok(Answer::Verified((tx, taken)))
}

async fn take(app: &AppState, tx: &mut PgConnection, user: UserId, typed: &SecretString) -> Result<Option<Taken>> {
    #[expect(clippy::disallowed_methods, reason = "what was typed is looked at to tell which kind of code it is")]
    let code: String = typed.expose_secret().chars().filter(|character| !character.is_whitespace()).collect();
    let is_code = code.len() == usize::from(codes::DIGITS) && code.bytes().all(|byte| byte.is_ascii_digit());
    let taken = if is_code {
        factors::spend(tx, &app.vault, user, &code, app.clock.now()).await?.then_some(Taken::Code)
    } else {
        recovery::spend(tx, &app.clock, user, typed).await?.then_some(Taken::RecoveryCode)
    };
    Ok(taken)
}
