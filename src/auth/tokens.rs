//! API tokens: `mc_` and 43 characters, shown once, kept as a hash. One acts for its owner, within its scopes and within
//! the owner's role.

use secrecy::SecretString;
use serde_json::json;
use sqlx::{PgExecutor, PgPool};
use time::OffsetDateTime;

use super::credential::Credential;
use super::{EmailAddress, Scope, TokenCache};
use crate::audit::{self, Actor, Change};
use crate::clock::Clock;
use crate::database;
use crate::error::{Problem, Result};
use crate::id::TokenId;

/// How every token starts, so that a leaked one is recognised.
pub(super) const PREFIX: &str = "mc_";

/// What a new token is to be.
#[derive(Debug)]
pub struct NewToken {
    /// For whom it acts.
    pub owner: EmailAddress,
    /// What its owner calls it.
    pub name: String,
    /// What it may be used for.
    pub scopes: Vec<Scope>,
    /// After how many days it ends; `None`: when it is revoked.
    pub days: Option<u32>,
}

/// A token as lists show it.
#[derive(Debug)]
pub struct Token {
    /// Its id.
    pub id: TokenId,
    /// Its owner's address.
    pub owner: String,
    /// What its owner calls it.
    pub name: String,
    /// Its last four characters.
    pub hint: String,
    /// What it may be used for.
    pub scopes: Vec<String>,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When it ends.
    pub expires_at: Option<OffsetDateTime>,
    /// When it was revoked.
    pub revoked_at: Option<OffsetDateTime>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<OffsetDateTime>,
}

/// Makes a token; its text exists only in the answer.
pub async fn create(db: &PgPool, clock: &Clock, actor: &Actor, new: NewToken) -> Result<(TokenId, SecretString)> {
    let credential = Credential::random(PREFIX)?;
    let (id, hint) = (TokenId::new(), credential.hint());
    let scopes: Vec<String> =
        Scope::ALL.iter().filter(|scope| new.scopes.contains(scope)).map(Scope::to_string).collect();
    let mut tx = database::begin(db).await?;
    let made = sqlx::query_scalar!(
        r#"
        insert into api_tokens (id, user_id, name, token_hash, hint, scopes, created_at, expires_at)
        select
            $1,
            id,
            $2,
            $3,
            $4,
            $5,
            clock_timestamp() + $6,
            clock_timestamp() + $6 + make_interval(days => $7)
        from users
        where email = $8
          and disabled_at is null
        returning expires_at
        "#,
        id.0,
        new.name,
        credential.hash.0.as_slice(),
        hint,
        &scopes,
        clock.offset(),
        new.days.map(|days| i32::try_from(days).unwrap_or(i32::MAX)),
        new.owner.as_str(),
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(expires_at) = made else {
        let detail = format!("There is no enabled user {}. Add one with `user add`.", new.owner);
        return Err(Problem::not_found(detail).into());
    };
    let details = json!({
        "owner": new.owner.as_str(),
        "name": new.name,
        "scopes": scopes,
        "expiresAt": expires_at.map(OffsetDateTime::unix_timestamp),
    });
    audit::record(&mut tx, actor, Change { object: format!("token/{id}"), action: "token.created", details }).await?;
    tx.commit().await?;
    Ok((id, credential.text))
}

/// Ends a token for good: at once in this process, after two seconds at most in others. Answers `false` if it had been
/// revoked before.
pub async fn revoke(db: &PgPool, clock: &Clock, cache: &TokenCache, actor: &Actor, id: TokenId) -> Result<bool> {
    let mut tx = database::begin(db).await?;
    let revoked = sqlx::query!(
        r#"
        update api_tokens
        set revoked_at = clock_timestamp() + $2
        where id = $1
          and revoked_at is null
        "#,
        id.0,
        clock.offset(),
    )
    .execute(&mut *tx)
    .await?;
    if revoked.rows_affected() == 0 {
        let known = sqlx::query_scalar!(r#"select true as "known!" from api_tokens where id = $1"#, id.0);
        return match known.fetch_optional(&mut *tx).await? {
            Some(_) => Ok(false),
            None => Err(Problem::not_found("There is no token with this id. `token list` shows them.").into()),
        };
    }
    let change = Change { object: format!("token/{id}"), action: "token.revoked", details: json!({}) };
    audit::record(&mut tx, actor, change).await?;
    tx.commit().await?;
    cache.forget();
    Ok(true)
}

/// All tokens, the newest first.
pub async fn list(db: impl PgExecutor<'_>) -> sqlx::Result<Vec<Token>> {
    sqlx::query_as!(
        Token,
        r#"
        select
            api_tokens.id as "id: TokenId",
            users.email as owner,
            api_tokens.name,
            api_tokens.hint,
            api_tokens.scopes,
            api_tokens.created_at,
            api_tokens.expires_at,
            api_tokens.revoked_at,
            api_tokens.last_used_at
        from api_tokens
        join users on users.id = api_tokens.user_id
        order by api_tokens.id desc
        "#
    )
    .fetch_all(db)
    .await
}
