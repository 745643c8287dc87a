//! Tokens that are rotated: the new one is like the old one, which goes on for its overlap and not longer.

use std::time::Duration;

use axum::http::StatusCode;
use mission_control::audit::Actor;
use mission_control::auth::{Overlap, Role, Scope, rotate, tokens};
use mission_control::error::{Error, Result};
use mission_control::id::TokenId;
use secrecy::ExposeSecret as _;
use serde_json::Value;

use super::service::{CHEAP, Service};
use crate::support::log;

/// Rotates it; answers the new one and its id.
async fn rotated(service: &Service, id: TokenId, overlap: &str) -> Result<(TokenId, String)> {
    let (app, new) = (&service.app, TokenId::new());
    let overlap: Overlap = overlap.parse().expect("an overlap");
    let (cache, actor) = (&app.token_cache, Actor::command_line());
    let made = rotate(&app.db, &app.clock, cache, &actor, (id, new), overlap).await?;
    #[expect(clippy::disallowed_methods, reason = "the test uses the token")]
    let token = made.token.expose_secret().to_owned();
    Ok((new, token))
}

fn refusal<T: std::fmt::Debug>(rotated: Result<T>) -> &'static str {
    match rotated.expect_err("refused") {
        Error::Problem(problem) => problem.code,
        Error::Internal(error) => panic!("{error:#}"),
    }
}

#[tokio::test]
async fn the_new_token_is_like_the_old_one_which_ends_after_the_overlap() {
    let service = Service::sandbox().await;
    let other = service.replica(CHEAP);
    service.add("ada@example.com", Role::Operator).await;
    let (id, old) = service.token("ada@example.com", &[Scope::OperationsRead, Scope::AuditRead], Some(30)).await;
    let (new_id, new) = rotated(&service, id, "1h").await.expect("rotated");
    for token in [&old, &new] {
        assert_eq!(service.ask("/api/who", token).await.status, StatusCode::OK);
    }
    let list = tokens::list(&service.app.db).await.expect("tokens");
    let (of_new, of_old) = (&list[0], &list[1]);
    assert_eq!((of_new.id, of_old.id), (new_id, id));
    assert_eq!((&of_new.owner, &of_new.name, &of_new.scopes), (&of_old.owner, &of_old.name, &of_old.scopes));
    assert_eq!(of_old.replaced_by.as_deref(), Some(of_new.hint.as_str()), "it says by which it was replaced");
    let lifetime = of_new.expires_at.expect("it ends") - of_new.created_at;
    assert_eq!(lifetime.whole_days(), 30, "as long as the old one was to last");

    service.app.clock.advance(Duration::from_mins(59));
    assert_eq!(service.ask("/api/who", &old).await.status, StatusCode::OK);
    service.app.clock.advance(Duration::from_mins(2));
    for at in [&service, &other] {
        let refused = at.ask("/api/who", &old).await;
        assert_eq!((refused.status, refused.code().as_str()), (StatusCode::UNAUTHORIZED, "token_expired"));
        assert!(refused.body.contains("replaced by another"), "{}", refused.body);
        assert_eq!(at.ask("/api/who", &new).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn without_an_overlap_the_old_one_ends_at_once() {
    let service = Service::sandbox().await;
    service.add("ada@example.com", Role::Operator).await;
    let (id, old) = service.token("ada@example.com", &[Scope::OperationsRead], None).await;
    assert_eq!(service.ask("/api/who", &old).await.status, StatusCode::OK, "and its check is remembered");
    let (_, new) = rotated(&service, id, "0").await.expect("rotated");
    assert_eq!(service.ask("/api/who", &old).await.code(), "token_expired");
    assert_eq!(service.ask("/api/who", &new).await.status, StatusCode::OK);
}

#[tokio::test]
async fn an_overlap_never_makes_a_token_last_longer() {
    let service = Service::sandbox().await;
    service.add("ada@example.com", Role::Operator).await;
    let (id, old) = service.token("ada@example.com", &[Scope::OperationsRead], Some(1)).await;
    rotated(&service, id, "30d").await.expect("rotated");
    service.app.clock.advance(Duration::from_hours(25));
    assert_eq!(service.ask("/api/who", &old).await.code(), "token_expired");
}

#[tokio::test]
async fn a_token_is_rotated_once_however_many_try() {
    let service = Service::sandbox().await;
    service.add("ada@example.com", Role::Operator).await;
    let (id, _) = service.token("ada@example.com", &[Scope::OperationsRead], None).await;
    let tries = futures_util::future::join_all((0..6).map(|_| rotated(&service, id, "24h"))).await;
    let (made, refused): (Vec<_>, Vec<_>) = tries.into_iter().partition(std::result::Result::is_ok);
    assert_eq!((made.len(), refused.len()), (1, 5));
    assert!(refused.into_iter().all(|refused| refusal(refused) == "token_rotated"));
    assert_eq!(tokens::list(&service.app.db).await.expect("tokens").len(), 2);
    let (newer, _) = made.into_iter().next().expect("one").expect("made");
    rotated(&service, newer, "0").await.expect("the new one may be rotated in its turn");
}

#[tokio::test]
async fn what_opens_nothing_is_not_rotated() {
    let service = Service::sandbox().await;
    service.add("ada@example.com", Role::Operator).await;
    assert_eq!(refusal(rotated(&service, TokenId::new(), "0").await), "not_found");
    let (revoked, _) = service.token("ada@example.com", &[Scope::OperationsRead], None).await;
    let app = &service.app;
    tokens::revoke(&app.db, &app.clock, &app.token_cache, &Actor::command_line(), revoked).await.expect("revoked");
    assert_eq!(refusal(rotated(&service, revoked, "0").await), "token_ended");
    let (expired, _) = service.token("ada@example.com", &[Scope::OperationsRead], Some(1)).await;
    app.clock.advance(Duration::from_hours(25));
    assert_eq!(refusal(rotated(&service, expired, "0").await), "token_ended");
    let (of_disabled, _) = service.token("ada@example.com", &[Scope::OperationsRead], None).await;
    sqlx::query("update users set disabled_at = now()").execute(&app.db).await.expect("disabled");
    assert_eq!(refusal(rotated(&service, of_disabled, "0").await), "account_disabled");
}

#[tokio::test]
async fn both_tokens_have_their_audit_line_and_neither_its_text() {
    let service = Service::sandbox().await;
    service.add("ada@example.com", Role::Operator).await;
    let (id, old) = service.token("ada@example.com", &[Scope::OperationsRead], None).await;
    let (new_id, new) = rotated(&service, id, "24h").await.expect("rotated");
    let line = async |object: TokenId, action: &str| -> Value {
        sqlx::query_scalar("select details from audit_lines where object = $1 and action = $2")
            .bind(format!("token/{object}"))
            .bind(action)
            .fetch_one(&service.app.db)
            .await
            .expect("one line")
    };
    let (made, gone) = (line(new_id, "token.created").await, line(id, "token.rotated").await);
    assert_eq!(made["replaces"], id.to_string());
    assert_eq!(
        (&gone["after"]["replacedBy"], &gone["before"]["expiresAt"]),
        (&new_id.to_string().into(), &Value::Null)
    );
    assert!(gone["after"]["expiresAt"].is_i64());
    for token in [&old, &new] {
        assert!(!format!("{made}{gone}").contains(&token[3..]) && !log::text().contains(&token[3..]));
    }
}
