//! Whether a token that a program presents is valid, and for whom it acts.

use axum::http::StatusCode;
use time::OffsetDateTime;

use super::Role;
use super::credential::CredentialHash;
use super::principal::{Principal, Via};
use super::token_cache::Check;
use super::tokens::PREFIX;
use crate::error::{Problem, Result};
use crate::id::{TokenId, UserId};
use crate::rate;
use crate::state::AppState;

/// Characters after the prefix.
const CHARACTERS: usize = 43;

/// For whom a presented token acts, or 401 with the reason. Whoever holds the token may know the reason.
pub(super) async fn check(app: &AppState, text: &str) -> Result<Principal> {
    let is_ours = text.strip_prefix(PREFIX).is_some_and(|rest| rest.len() == CHARACTERS);
    if !is_ours {
        return Err(unknown().into());
    }
    let hash = CredentialHash::of(text);
    let now = app.clock.now();
    if let Some(principal) = app.token_cache.get(hash, now) {
        return within_its_rate(app, principal, now);
    }
    let generation = app.token_cache.generation();
    let found = sqlx::query!(
        r#"
        select
            api_tokens.id as "id: TokenId",
            api_tokens.name,
            api_tokens.scopes,
            api_tokens.expires_at,
            api_tokens.revoked_at is not null as "revoked!",
            api_tokens.replaced_by is not null as "replaced!",
            coalesce(api_tokens.expires_at <= clock_timestamp() + $2, false) as "expired!",
            coalesce(api_tokens.last_used_at < clock_timestamp() + $2 - interval '1 minute', true) as "stale!",
            users.id as "user: UserId",
            users.email,
            users.name as user_name,
            users.role as "role: Role",
            users.must_change_password,
            exists (
                select
                from second_factors
                where user_id = users.id and set_at is not null)
            or exists (
                select
                from user_identities
                where user_id = users.id and second_factor) as "has_second_factor!",
            users.invited_at is not null as "invited!",
            users.disabled_at is not null as "disabled!"
        from api_tokens
        join users on users.id = api_tokens.user_id
        where api_tokens.token_hash = $1
        "#,
        hash.0.as_slice(),
        app.clock.offset(),
    )
    .fetch_optional(&app.db)
    .await?;
    let token = found.ok_or_else(unknown)?;
    if token.revoked {
        return Err(refused("token_revoked", "This token was revoked. Make a new one with `token create`.").into());
    }
    if token.expired && token.replaced {
        let detail = "This token was replaced by another of the same name, and its time is over. Use the other one.";
        return Err(refused("token_expired", detail).into());
    }
    if token.expired {
        return Err(refused("token_expired", "This token has expired. Make a new one with `token create`.").into());
    }
    if token.disabled {
        return Err(refused("account_disabled", "The person behind this token is disabled. Ask an admin.").into());
    }
    if token.invited {
        let detail = "The person behind this token has not used their invitation yet. Ask them to.";
        return Err(refused("account_invited", detail).into());
    }
    if token.stale {
        note_use(app, token.id);
    }
    let scopes = token.scopes.iter().filter_map(|scope| scope.parse().ok()).collect();
    let principal = Principal {
        user: token.user,
        email: token.email,
        name: token.user_name,
        role: token.role,
        via: Via::Token { id: token.id, name: token.name, scopes },
        must_change_password: token.must_change_password,
        has_second_factor: token.has_second_factor,
    };
    let check = Check { principal: principal.clone(), checked_at: now, expires_at: token.expires_at };
    app.token_cache.put(generation, hash, check);
    // Of a burst of requests the first: the others' ends are logged, with their correlation ids.
    tracing::info!(event = "auth.verified", user = %principal.user, "by token");
    within_its_rate(app, principal, now)
}

/// Lets a token pass that has not asked too often. Whoever is not known is not counted: guessing costs a look-up, not a
/// place in memory.
fn within_its_rate(app: &AppState, principal: Principal, now: OffsetDateTime) -> Result<Principal> {
    let Via::Token { id, .. } = &principal.via else { return Ok(principal) };
    let a_minute = app.settings.current().api.requests_per_minute;
    let Err(wait) = app.token_cache.rates.admit(*id, a_minute, now) else { return Ok(principal) };
    tracing::warn!(event = "auth.rate_limited", token = %id, "a token asks too often");
    Err(rate::refused("This token asks", a_minute, wait).into())
}

/// Notes beside the request, at most once a minute, that a token is in use.
fn note_use(app: &AppState, id: TokenId) {
    let (db, offset) = (app.db.clone(), app.clock.offset());
    app.tasks.tracker.spawn(async move {
        let noted = sqlx::query!(
            r#"
            update api_tokens
            set last_used_at = clock_timestamp() + $2
            where id = $1
              and coalesce(last_used_at < clock_timestamp() + $2 - interval '1 minute', true)
            "#,
            id.0,
            offset,
        )
        .execute(&db)
        .await;
        if let Err(error) = noted {
            tracing::warn!(event = "auth.use_not_noted", token = %id, %error, "a token's last use was not noted");
        }
    });
}

fn unknown() -> Problem {
    refused("unauthenticated", "This is not a token of ours. Send `Authorization: Bearer mc_...`.")
}

fn refused(code: &'static str, detail: &str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, code, detail)
}
