//! API tokens: what they open, and when they stop.

use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use mission_control::audit::Actor;
use mission_control::auth::{Permission, Role, Scope, TokenCache, tokens};

use super::service::{CHEAP, Service};

/// How long a check of a token is believed.
const FRESH: Duration = Duration::from_secs(2);

#[tokio::test]
async fn a_token_needs_both_its_scope_and_its_owners_role() {
    let service = Service::sandbox().await;
    for role in Role::ALL {
        let email = format!("{role}@example.com");
        service.add(&email, role).await;
        for scope in Scope::ALL {
            let (_, token) = service.token(&email, &[scope], None).await;
            for (number, permission) in Permission::ALL.into_iter().enumerate() {
                let answer = service.ask(&format!("/api/may/{number}"), &token).await;
                let expected = match permission.scope() {
                    _ if role < permission.role() => Some("role_missing"),
                    None => Some("session_required"),
                    Some(needed) => (needed != scope).then_some("scope_missing"),
                };
                match expected {
                    None => assert_eq!(answer.body, "yes", "{role} {scope} {permission:?}"),
                    Some(code) => {
                        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{role} {scope} {permission:?}");
                        assert_eq!(answer.code(), code, "{role} {scope} {permission:?}");
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn what_is_no_valid_token_is_refused() {
    let service = Service::sandbox().await;
    service.add("ada@example.com", Role::Operator).await;
    let mut browser = service.signed_in("ada@example.com").await;
    let session = browser.cookie.clone().expect("a session");
    let unknown = format!("Bearer mc_{}", "A".repeat(43));
    let stolen = format!("Bearer {}", session.trim_start_matches("mc="));
    for value in [unknown.as_str(), stolen.as_str(), "Bearer mc_short", "Bearer", "Basic YTpi", "mc_x", ""] {
        // The cookie does not stand in for a token that is not valid.
        let request = Request::get("/api/who").header(header::AUTHORIZATION, value).header(header::COOKIE, &session);
        let answer = service.send(request.body(Body::empty()).expect("a request")).await;
        assert_eq!((answer.status, answer.code().as_str()), (StatusCode::UNAUTHORIZED, "unauthenticated"), "{value}");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"), "{value}");
    }
    let nobody = service.send(Request::get("/api/who").body(Body::empty()).expect("a request")).await;
    assert_eq!(nobody.code(), "unauthenticated");
    assert!(browser.is_signed_in().await);
}

#[tokio::test]
async fn pages_do_not_open_for_a_token() {
    let service = Service::sandbox().await;
    service.add("ada@example.com", Role::Operator).await;
    let (_, token) = service.token("ada@example.com", &Scope::ALL, None).await;
    let answer = service.ask("/dashboard/help", &token).await;
    assert_eq!(
        (answer.status, answer.header("location")),
        (StatusCode::SEE_OTHER, Some("/login?next=%2Fdashboard%2Fhelp"))
    );
    let as_cookie = Request::get("/api/who").header(header::COOKIE, format!("mc={token}"));
    let answer = service.send(as_cookie.body(Body::empty()).expect("a request")).await;
    assert_eq!(answer.code(), "unauthenticated");
}

#[tokio::test]
async fn a_revoked_token_stops_here_at_once_and_elsewhere_within_two_seconds() {
    let service = Service::sandbox().await;
    let other = service.replica(CHEAP);
    service.add("ada@example.com", Role::Operator).await;
    let (id, token) = service.token("ada@example.com", &[Scope::OperationsRead], None).await;
    for at in [&service, &other] {
        assert_eq!(at.ask("/api/who", &token).await.status, StatusCode::OK);
    }
    let app = &service.app;
    let revoke = || async { tokens::revoke(&app.db, &app.clock, &app.token_cache, &Actor::command_line(), id).await };
    assert!(revoke().await.expect("revoked"));
    assert_eq!(service.ask("/api/who", &token).await.code(), "token_revoked");
    app.clock.advance(FRESH);
    assert_eq!(other.ask("/api/who", &token).await.code(), "token_revoked");
    assert!(!revoke().await.expect("revoked before"));
    let nothing = mission_control::id::TokenId::new();
    let cache = TokenCache::default();
    assert!(tokens::revoke(&app.db, &app.clock, &cache, &Actor::command_line(), nothing).await.is_err());
}

#[tokio::test]
async fn an_expired_token_is_refused() {
    let service = Service::sandbox().await;
    service.add("ada@example.com", Role::Operator).await;
    let (_, token) = service.token("ada@example.com", &[Scope::OperationsRead], Some(1)).await;
    service.app.clock.advance(Duration::from_mins(24 * 60 - 1));
    assert_eq!(service.ask("/api/who", &token).await.status, StatusCode::OK);
    service.app.clock.advance(Duration::from_secs(61));
    assert_eq!(service.ask("/api/who", &token).await.code(), "token_expired");
}

#[tokio::test]
async fn a_fresh_check_asks_no_database() {
    let service = Service::sandbox().await;
    service.add("ada@example.com", Role::Operator).await;
    let (_, token) = service.token("ada@example.com", &[Scope::OperationsRead], None).await;
    let checked = Instant::now();
    assert_eq!(service.ask("/api/who", &token).await.status, StatusCode::OK);
    service.app.tasks.tracker.close();
    service.app.tasks.tracker.wait().await;
    service.app.db.close().await;
    let answer = service.ask("/api/who", &token).await;
    assert!(answer.status == StatusCode::OK || checked.elapsed() >= FRESH, "{answer:?}");
    service.app.clock.advance(FRESH);
    let answer = service.ask("/api/who", &token).await;
    assert_eq!((answer.status, answer.code().as_str()), (StatusCode::SERVICE_UNAVAILABLE, "database_unavailable"));
}

#[tokio::test]
async fn use_is_noted_at_most_once_a_minute() {
    let service = Service::sandbox().await;
    service.add("ada@example.com", Role::Operator).await;
    let (_, token) = service.token("ada@example.com", &[Scope::OperationsRead], None).await;
    let used = async || {
        assert_eq!(service.ask("/api/who", &token).await.status, StatusCode::OK);
        service.app.tasks.tracker.close();
        service.app.tasks.tracker.wait().await;
        tokens::list(&service.app.db).await.expect("tokens")[0].last_used_at
    };
    let first = used().await.expect("used");
    service.app.clock.advance(Duration::from_secs(30));
    assert_eq!(used().await, Some(first));
    service.app.clock.advance(Duration::from_secs(31));
    assert!(used().await.expect("used") > first);
}

#[tokio::test]
async fn a_token_that_asks_too_often_is_told_when_to_come_back() {
    let service = Service::sandbox().await;
    service.add("ada@example.com", Role::Operator).await;
    let (_, token) = service.token("ada@example.com", &[Scope::OperationsRead], None).await;
    let (_, other) = service.token("ada@example.com", &[Scope::OperationsRead], None).await;
    // All at one time: the clock of the test does not stand still by itself.
    let mut refused = None;
    for asked in 0..2_000 {
        let answer = service.ask("/api/who", &token).await;
        if answer.status != StatusCode::OK {
            assert!(asked >= 600, "the default lets 600 a minute pass, and this was number {asked}");
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("a burst has an end");
    assert_eq!((refused.status, refused.code().as_str()), (StatusCode::TOO_MANY_REQUESTS, "rate_limited"));
    let wait: u64 = refused.header("retry-after").and_then(|wait| wait.parse().ok()).expect("seconds");
    assert!((1..=60).contains(&wait), "{wait}");
    assert_eq!(service.ask("/api/who", &other).await.status, StatusCode::OK, "another token counts for itself");
    service.app.clock.advance(Duration::from_secs(wait));
    assert_eq!(service.ask("/api/who", &token).await.status, StatusCode::OK);
}
