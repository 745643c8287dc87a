//! Whether a password is the account's: counted, then compared, and always at the same cost.

use std::net::IpAddr;

use secrecy::SecretString;
use sqlx::{PgConnection, PgPool};

use super::EmailAddress;
use super::network::Masked;
use super::passwords::Verdict;
use super::throttle::{self, Subject};
use crate::error::Result;
use crate::id::UserId;
use crate::state::AppState;

/// What became of presenting a password or a code. Whoever is refused learns nothing about the account.
pub(super) enum Answer<T> {
    /// It was right.
    Verified(T),
    /// No such account, one that nobody may come in by, or not its password.
    Refused,
    /// Too many failures: what was presented was not looked at.
    Blocked {
        /// Seconds until the next try.
        retry_after: u64,
    },
}

/// An enabled account whose password was presented.
pub(super) struct Account {
    pub(super) id: UserId,
    pub(super) email: String,
    /// What was compared. A change of the account that finds another hash comes too late.
    pub(super) stored: String,
    /// The hash to store instead, if that one was made at another cost.
    pub(super) rehashed: Option<String>,
}

/// An account before its password was compared.
struct Found {
    id: UserId,
    email: String,
    password_hash: String,
    /// Disabled, or invited and not here yet.
    disabled: bool,
}

/// Checks the password of the account with this address, as it was typed.
pub(super) async fn check(
    app: &AppState,
    address: IpAddr,
    email: &str,
    password: &SecretString,
) -> Result<Answer<Account>> {
    let subjects = [Subject::network(address), Subject::account(email)];
    for subject in &subjects {
        if let Some(retry_after) = throttle::count(&app.db, &app.clock, subject).await? {
            tracing::warn!(event = "auth.failed", reason = "throttled", ip = %Masked(address), retry_after, "too many tries");
            return Ok(Answer::Blocked { retry_after });
        }
    }
    let found = find(&app.db, email).await?;
    let verdict = app.passwords.verify(password, found.as_ref().map(|found| found.password_hash.as_str())).await;
    if verdict.is_err() {
        // The password was never looked at: a full queue must not lock anybody out.
        for subject in &subjects {
            throttle::take_back(&app.db, subject).await?;
        }
    }
    match (verdict?, found) {
        (Verdict::Right { rehashed }, Some(found)) if !found.disabled => {
            Ok(Answer::Verified(Account { id: found.id, email: found.email, stored: found.password_hash, rehashed }))
        }
        (_, found) => {
            // An address without an account is not logged: it may be a password in the wrong field.
            let user = found.map(|found| tracing::field::display(found.id));
            tracing::warn!(event = "auth.failed", reason = "password", user, ip = %Masked(address), "a password was refused");
            Ok(Answer::Refused)
        }
    }
}

/// The account that a typed address names. What is no address is not even looked for: it may be anything, even text that
/// no table can hold.
async fn find(db: &PgPool, typed: &str) -> sqlx::Result<Option<Found>> {
    let Ok(email) = typed.parse::<EmailAddress>() else { return Ok(None) };
    sqlx::query_as!(
        Found,
        r#"
        select
            id as "id: UserId",
            email,
            password_hash,
            disabled_at is not null or invited_at is not null as "disabled!"
        from users
        where email = $1
        "#,
        email.as_str(),
    )
    .fetch_optional(db)
    .await
}

/// Forgets the failures of somebody who turned out to know the password; their network gets back this one try only, so
/// that an account of one's own does not buy guesses at others.
pub(super) async fn forgive(tx: &mut PgConnection, address: IpAddr, email: &str) -> sqlx::Result<()> {
    throttle::take_back(&mut *tx, &Subject::network(address)).await?;
    throttle::forget(&mut *tx, &Subject::account(email)).await
}
