//! Another token in the place of one: same owner, name, scopes and lifetime. The old one goes on for an overlap, in which
//! the programs that use it are given the new one.

use std::str::FromStr;

use axum::http::StatusCode;
use secrecy::SecretString;
use serde_json::json;
use sqlx::{PgConnection, PgPool};
use time::OffsetDateTime;

use super::TokenCache;
use super::credential::Credential;
use super::tokens::PREFIX;
use crate::audit::{self, Actor, Change};
use crate::clock::{Clock, interval};
use crate::database;
use crate::error::{Problem, Result};
use crate::id::{TokenId, UserId};

/// How long the old token goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overlap(std::time::Duration);

/// A text that is no overlap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("An overlap is 0 or a number with a unit, such as 30m, 24h or 7d, and 30d at most.")]
pub struct WrongOverlap;

impl Overlap {
    /// The longest: thirty days.
    const LONGEST: u64 = 30 * 24 * 3600;

    /// So many hours, thirty days at most.
    pub fn hours(hours: u32) -> Self {
        Self(std::time::Duration::from_secs((u64::from(hours) * 3600).min(Self::LONGEST)))
    }
}

impl FromStr for Overlap {
    type Err = WrongOverlap;

    fn from_str(text: &str) -> Result<Self, WrongOverlap> {
        if text == "0" {
            return Ok(Self::hours(0));
        }
        let units = [('m', 60), ('h', 3600), ('d', 24 * 3600)];
        let (unit, number) = units
            .into_iter()
            .find_map(|(letter, unit)| text.strip_suffix(letter).map(|number| (unit, number)))
            .ok_or(WrongOverlap)?;
        let number = number.bytes().all(|digit| digit.is_ascii_digit()).then_some(number).ok_or(WrongOverlap)?;
        let seconds = number.parse::<u32>().map_err(|_| WrongOverlap)?;
        let seconds = u64::from(seconds) * unit;
        if seconds > Self::LONGEST { Err(WrongOverlap) } else { Ok(Self(std::time::Duration::from_secs(seconds))) }
    }
}

/// A rotation that was made.
#[derive(Debug)]
pub struct Rotated {
    /// The new token; its text exists only here.
    pub token: SecretString,
    /// When the old one ends.
    pub old_ends_at: OffsetDateTime,
}

/// The token to be replaced, locked.
struct Old {
    owner: UserId,
    email: String,
    name: String,
    scopes: Vec<String>,
    expires_at: Option<OffsetDateTime>,
}

/// Makes the token `new` in the place of `old`.
pub async fn rotate(
    db: &PgPool,
    clock: &Clock,
    cache: &TokenCache,
    actor: &Actor,
    (old, new): (TokenId, TokenId),
    Overlap(overlap): Overlap,
) -> Result<Rotated> {
    let credential = Credential::random(PREFIX)?;
    let mut tx = database::begin(db).await?;
    let replaced = lock(&mut tx, clock, old).await?;
    let expires_at = sqlx::query_scalar!(
        r#"
        insert into api_tokens (id, user_id, name, token_hash, hint, scopes, created_at, expires_at)
        select
            $2,
            user_id,
            name,
            $3,
            $4,
            scopes,
            clock_timestamp() + $5,
            clock_timestamp() + $5 + (expires_at - created_at)
        from api_tokens
        where id = $1
        returning expires_at
        "#,
        old.0,
        new.0,
        credential.hash.0.as_slice(),
        credential.hint(),
        clock.offset(),
    )
    .fetch_one(&mut *tx)
    .await?;
    let old_ends_at = sqlx::query_scalar!(
        r#"
        update api_tokens
        set replaced_by = $2,
            expires_at = least(expires_at, clock_timestamp() + $3 + $4)
        where id = $1
        returning expires_at as "expires_at!"
        "#,
        old.0,
        new.0,
        clock.offset(),
        interval(overlap),
    )
    .fetch_one(&mut *tx)
    .await?;
    let made = json!({
        "owner": replaced.email,
        "name": replaced.name,
        "scopes": replaced.scopes,
        "expiresAt": expires_at.map(OffsetDateTime::unix_timestamp),
        "replaces": old,
    });
    let change = Change { object: format!("token/{new}"), action: "token.created", details: made };
    audit::record(&mut tx, actor, change).await?;
    let rotated = json!({
        "owner": replaced.email,
        "name": replaced.name,
        "before": { "expiresAt": replaced.expires_at.map(OffsetDateTime::unix_timestamp) },
        "after": { "expiresAt": old_ends_at.unix_timestamp(), "replacedBy": new },
    });
    let change = Change { object: format!("token/{old}"), action: "token.rotated", details: rotated };
    audit::record(&mut tx, actor, change).await?;
    tx.commit().await?;
    cache.forget();
    tracing::info!(event = "token.rotated", token = %old, by = %new, user = %replaced.owner, "a token was rotated");
    Ok(Rotated { token: credential.text, old_ends_at })
}

/// The token, if it can be replaced, held so that nobody else replaces it meanwhile.
async fn lock(tx: &mut PgConnection, clock: &Clock, id: TokenId) -> Result<Old> {
    let found = sqlx::query!(
        r#"
        select
            users.id as "owner: UserId",
            users.email,
            users.disabled_at is not null as "disabled!",
            api_tokens.name,
            api_tokens.scopes,
            api_tokens.expires_at,
            api_tokens.revoked_at is not null as "revoked!",
            api_tokens.replaced_by is not null as "replaced!",
            coalesce(api_tokens.expires_at <= clock_timestamp() + $2, false) as "expired!"
        from api_tokens
        join users on users.id = api_tokens.user_id
        where api_tokens.id = $1
        for update of api_tokens
        "#,
        id.0,
        clock.offset(),
    )
    .fetch_optional(tx)
    .await?;
    let found = found.ok_or_else(|| Problem::not_found("There is no token with this id. `token list` shows them."))?;
    let refused = |code, detail: &str| Err(Problem::new(StatusCode::CONFLICT, code, detail).into());
    if found.replaced {
        return refused(
            "token_rotated",
            "This token was rotated before. The new one was shown then and is not kept; rotate that one, or make another.",
        );
    }
    if found.revoked || found.expired {
        return refused("token_ended", "This token has ended, so there is nothing to take over. Make a new one.");
    }
    if found.disabled {
        return refused("account_disabled", "The person behind this token is disabled. Enable them first.");
    }
    let (owner, email, name) = (found.owner, found.email, found.name);
    Ok(Old { owner, email, name, scopes: found.scopes, expires_at: found.expires_at })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_overlap_is_written_with_its_unit() {
        let seconds = |text: &str| text.parse::<Overlap>().map(|Overlap(overlap)| overlap.as_secs());
        for (text, read) in [("0", 0), ("0h", 0), ("30m", 1800), ("24h", 86_400), ("30d", 2_592_000)] {
            assert_eq!(seconds(text), Ok(read), "{text}");
        }
        for wrong in ["", "24", "h", "-1h", "+1h", "1.5h", "31d", "4294967296m", "1w", "h24"] {
            assert_eq!(seconds(wrong), Err(WrongOverlap), "{wrong}");
        }
    }
}
