//! How sessions end by themselves.

use std::time::Duration;

use mission_control::auth::Role;

use super::service::{PASSWORD, Service};

const MINUTE: Duration = Duration::from_mins(1);

#[tokio::test]
async fn half_an_hour_without_a_request_ends_a_session() {
    let service = Service::sandbox().await;
    service.add("ada@example.com", Role::Viewer).await;
    let mut browser = service.signed_in("ada@example.com").await;
    for _ in 0..3 {
        service.app.clock.advance(29 * MINUTE);
        assert!(browser.is_signed_in().await);
    }
    service.app.clock.advance(31 * MINUTE);
    assert!(!browser.is_signed_in().await);
}

#[tokio::test]
async fn twelve_hours_end_the_busiest_session() {
    let service = Service::sandbox().await;
    service.add("ada@example.com", Role::Viewer).await;
    let mut browser = service.signed_in("ada@example.com").await;
    for _ in 0..(12 * 60 - 20) / 20 {
        service.app.clock.advance(20 * MINUTE);
        assert!(browser.is_signed_in().await);
    }
    service.app.clock.advance(19 * MINUTE);
    assert!(browser.is_signed_in().await);
    service.app.clock.advance(2 * MINUTE);
    assert!(!browser.is_signed_in().await);
}

#[tokio::test]
async fn use_is_noted_at_most_once_a_minute() {
    let service = Service::sandbox().await;
    service.add("ada@example.com", Role::Viewer).await;
    let mut browser = service.signed_in("ada@example.com").await;
    let seen = async || {
        let seen = sqlx::query_scalar!("select last_seen_at from sessions").fetch_one(&service.app.db).await;
        seen.expect("a session")
    };
    let first = seen().await;
    assert!(browser.is_signed_in().await);
    assert_eq!(seen().await, first);
    service.app.clock.advance(Duration::from_secs(61));
    assert!(browser.is_signed_in().await);
    assert!(seen().await > first);
}

#[tokio::test]
async fn ended_sessions_are_removed_when_somebody_signs_in() {
    let service = Service::sandbox().await;
    service.add("ada@example.com", Role::Viewer).await;
    for _ in 0..3 {
        service.signed_in("ada@example.com").await;
    }
    service.app.clock.advance(31 * MINUTE);
    service.browser().sign_in("ada@example.com", PASSWORD).await;
    let left = sqlx::query_scalar!(r#"select count(*) as "count!" from sessions"#).fetch_one(&service.app.db).await;
    assert_eq!(left.expect("a count"), 1);
}
