//! API tokens: `mc_` and 43 characters, shown once, kept as a hash. One acts for its owner, within its scopes and within
//! the owner's role.

use axum::http::StatusCode;
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
use crate::id::{TokenId, UserId};

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
    /// Whether its owner is disabled, and it opens nothing until they are enabled again.
    pub owner_disabled: bool,
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
    /// The last four characters of the token that came in its place.
    pub replaced_by: Option<String>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<OffsetDateTime>,
}

/// Makes a token; its text exists only in the answer.
pub async fn create(db: &PgPool, clock: &Clock, actor: &Actor, new: NewToken) -> Result<(TokenId, SecretString)> {
    let id = TokenId::new();
    Ok((id, create_once(db, clock, actor, id, new).await?))
}

/// Makes the token of this id: a form that is sent twice makes one, and the second time hears so.
pub async fn create_once(
    db: &PgPool,
    clock: &Clock,
    actor: &Actor,
    id: TokenId,
    new: NewToken,
) -> Result<SecretString> {
    let credential = Credential::random(PREFIX)?;
    let hint = credential.hint();
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
        on conflict (id) do nothing
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
        if find(&mut *tx, id).await?.is_some() {
            return Err(made_before().into());
        }
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
    Ok(credential.text)
}

/// Ends a token for good: at once in this process, after two seconds at most in others. Answers `false` if it had been
/// revoked before.
pub async fn revoke(db: &PgPool, clock: &Clock, cache: &TokenCache, actor: &Actor, id: TokenId) -> Result<bool> {
    let mut tx = database::begin(db).await?;
    let revoked = sqlx::query!(
        r#"
        update api_tokens
        set revoked_at = clock_timestamp() + $2
        from users
        where api_tokens.id = $1
          and api_tokens.revoked_at is null
          and users.id = api_tokens.user_id
        returning
            users.email as owner,
            api_tokens.name
        "#,
        id.0,
        clock.offset(),
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(revoked) = revoked else {
        return match find(&mut *tx, id).await? {
            Some(_) => Ok(false),
            None => Err(Problem::not_found("There is no token with this id. `token list` shows them.").into()),
        };
    };
    let details = json!({
        "owner": revoked.owner,
        "name": revoked.name,
        "before": { "revoked": false },
        "after": { "revoked": true },
    });
    let change = Change { object: format!("token/{id}"), action: "token.revoked", details };
    audit::record(&mut tx, actor, change).await?;
    tx.commit().await?;
    cache.forget();
    Ok(true)
}

impl Token {
    /// Whether another can be made in its place.
    pub fn may_rotate(&self, now: OffsetDateTime) -> bool {
        self.revoked_at.is_none()
            && self.replaced_by.is_none()
            && !self.owner_disabled
            && self.expires_at.is_none_or(|end| now < end)
    }
}

/// All tokens, the newest first.
pub async fn list(db: impl PgExecutor<'_>) -> sqlx::Result<Vec<Token>> {
    select(db, None, None).await
}

/// The tokens of one person, the newest first.
pub async fn list_of(db: impl PgExecutor<'_>, owner: UserId) -> sqlx::Result<Vec<Token>> {
    select(db, None, Some(owner)).await
}

/// One token.
pub async fn find(db: impl PgExecutor<'_>, id: TokenId) -> sqlx::Result<Option<Token>> {
    Ok(select(db, Some(id), None).await?.pop())
}

async fn select(db: impl PgExecutor<'_>, id: Option<TokenId>, owner: Option<UserId>) -> sqlx::Result<Vec<Token>> {
    sqlx::query_as!(
        Token,
        r#"
        select
            api_tokens.id as "id: TokenId",
            users.email as owner,
            users.disabled_at is not null as "owner_disabled!",
            api_tokens.name,
            api_tokens.hint,
            api_tokens.scopes,
            api_tokens.created_at,
            api_tokens.expires_at,
            api_tokens.revoked_at,
            newer.hint as "replaced_by?",
            api_tokens.last_used_at
        from api_tokens
        join users on users.id = api_tokens.user_id
        left join api_tokens newer on newer.id = api_tokens.replaced_by
        where ($1::uuid is null or api_tokens.id = $1)
          and ($2::uuid is null or users.id = $2)
        order by
            api_tokens.created_at desc,
            api_tokens.id desc
        "#,
        id.map(|id| id.0),
        owner.map(|owner| owner.0),
    )
    .fetch_all(db)
    .await
}

fn made_before() -> Problem {
    let detail = "This form made its token before. The token was shown in the first answer and is not kept. If nobody \
        kept it, revoke it and make another.";
    Problem::new(StatusCode::CONFLICT, "token_made", detail)
}
