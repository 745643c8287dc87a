//! How often somebody may guess.

use std::time::Duration;

use axum::http::StatusCode;
use futures_util::future::join_all;
use mission_control::auth::{Cost, Role};
use time::OffsetDateTime;

use super::service::{Answer, CHEAP, PASSWORD, Service};

/// The longest wait.
const QUARTER: Duration = Duration::from_mins(15);

/// Fails to sign in so often that the next wait is over a minute: no test takes that long.
async fn fail_eleven_times(service: &Service, email: &str) {
    for number in 0..11 {
        let answer = service.browser().sign_in(email, "some other words").await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{number}");
        if number < 10 {
            service.app.clock.advance(QUARTER);
        }
    }
}

fn wait(answer: &Answer) -> Option<u64> {
    answer.header("retry-after").map(|seconds| seconds.parse().expect("seconds"))
}

#[tokio::test]
async fn after_five_failures_each_wait_is_twice_the_one_before() {
    let service = Service::sandbox().await;
    let now = async || {
        let now = sqlx::query_scalar!(r#"select clock_timestamp() + $1 as "now!""#, service.app.clock.offset());
        now.fetch_one(&service.app.db).await.expect("the time")
    };
    let blocked_until = async || {
        let blocked = sqlx::query_scalar!(
            r#"
            select nullif(blocked_until, '-infinity')
            from sign_in_failures
            where subject like 'account/%'
            "#
        );
        let blocked: Option<OffsetDateTime> = blocked.fetch_one(&service.app.db).await.expect("a row");
        blocked
    };
    for (number, wait) in [0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900].into_iter().enumerate() {
        let before = now().await;
        let answer = service.browser().sign_in("ada@example.com", "some other words").await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{number}");
        let wait = Duration::from_secs(wait);
        match blocked_until().await {
            None => assert!(wait.is_zero(), "{number}"),
            Some(blocked) => assert!((before + wait..=now().await + wait).contains(&blocked), "{number} {blocked}"),
        }
        service.app.clock.advance(wait);
    }
}

#[tokio::test]
async fn a_block_tells_nothing_and_ends_and_signing_in_forgets_the_failures() {
    let service = Service::sandbox().await;
    service.add("ada@example.com", Role::Viewer).await;
    let mut pages = Vec::new();
    for email in ["ada@example.com", "bob@example.com"] {
        fail_eleven_times(&service, email).await;
        let before = service.app.passwords.verifications();
        let answer = service.browser().sign_in(email, PASSWORD).await;
        assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS, "even with the right password");
        assert!(wait(&answer).is_some_and(|seconds| (30..=64).contains(&seconds)), "{answer:?}");
        assert_eq!(service.app.passwords.verifications(), before);
        let page = answer.body.replace(email, "").replace(char::is_numeric, "");
        pages.push(page);
    }
    assert_eq!(pages[0], pages[1]);
    service.app.clock.advance(QUARTER);
    service.signed_in("ada@example.com").await;
    for _ in 0..4 {
        service.browser().sign_in("ada@example.com", "some other words").await;
    }
    service.signed_in("ada@example.com").await;
}

#[tokio::test]
async fn guesses_that_come_at_once_are_counted_one_by_one() {
    let service = Service::sandbox().await;
    service.add("ada@example.com", Role::Viewer).await;
    fail_eleven_times(&service, "ada@example.com").await;
    service.app.clock.advance(QUARTER);
    let before = service.app.passwords.verifications();
    let guess = || async { service.browser().sign_in("ada@example.com", "some other words").await.status };
    let answers = join_all((0..16).map(|_| guess())).await;
    let looked_at = answers.iter().filter(|status| **status == StatusCode::UNAUTHORIZED).count();
    assert_eq!(looked_at, 1, "{answers:?}");
    assert_eq!(service.app.passwords.verifications() - before, 1);
}

#[tokio::test]
async fn replicas_count_together() {
    let service = Service::sandbox().await;
    let other = service.replica(CHEAP);
    for at in [&service, &other].into_iter().cycle().take(12) {
        service.app.clock.advance(QUARTER);
        let answer = at.browser().sign_in("ada@example.com", "some other words").await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    }
    for at in [&service, &other] {
        let answer = at.browser().sign_in("ada@example.com", "some other words").await;
        // The wait after twelve failures, not after six.
        assert!(wait(&answer).is_some_and(|seconds| (65..=128).contains(&seconds)), "{answer:?}");
    }
}

#[tokio::test]
async fn one_network_has_thirty_guesses_in_ten_minutes_whatever_it_guesses_at() {
    let service = Service::sandbox().await;
    service.add("ada@example.com", Role::Viewer).await;
    let mut attacker = service.browser();
    for number in 0..30 {
        // One customer's machines are one network.
        attacker.address = format!("2001:db8:1:2::{number:x}");
        let answer = attacker.sign_in(&format!("person{number}@example.com"), "some other words").await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{number}");
        if number % 10 == 9 {
            // An account of one's own gives back no guess but its own.
            let answer = attacker.clone().sign_in("ada@example.com", PASSWORD).await;
            assert_eq!(answer.status == StatusCode::SEE_OTHER, number < 29, "{number}");
        }
    }
    let answer = attacker.sign_in("ada@example.com", PASSWORD).await;
    assert!(wait(&answer).is_some_and(|seconds| (500..=600).contains(&seconds)), "{answer:?}");
    service.signed_in("ada@example.com").await;
    service.app.clock.advance(Duration::from_mins(10));
    assert_eq!(attacker.sign_in("ada@example.com", PASSWORD).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_crowd_at_the_door_is_no_failure_of_anybodys() {
    let service = Service::sandbox().await;
    let service = service.replica(Cost::RECOMMENDED);
    let come = async |number: usize| {
        let mut browser = service.browser();
        browser.address = format!("203.0.113.{number}");
        browser.sign_in(&format!("person{number}@example.com"), PASSWORD).await.status
    };
    let answers = join_all((0..60).map(come)).await;
    let count = |status| answers.iter().filter(|answer| **answer == status).count();
    let (refused, sent_away) = (count(StatusCode::UNAUTHORIZED), count(StatusCode::SERVICE_UNAVAILABLE));
    assert!(sent_away > 0 && refused + sent_away == 60, "{answers:?}");
    let counted = sqlx::query!(
        r#"
        select
            coalesce(sum(failures) filter (where subject like 'account/%'), 0) as "accounts!",
            coalesce(sum(failures) filter (where subject like 'network/%'), 0) as "networks!"
        from sign_in_failures
        "#
    );
    let counted = counted.fetch_one(&service.app.db).await.expect("a count");
    let expected = i64::try_from(refused).expect("a number");
    assert_eq!((counted.accounts, counted.networks), (expected, expected));
}

#[tokio::test]
async fn rows_die_with_their_window() {
    let service = Service::sandbox().await;
    service.add("ada@example.com", Role::Viewer).await;
    let mut stranger = service.browser();
    stranger.address = "198.51.100.7".to_owned();
    stranger.sign_in("nobody@example.com", "some other words").await;
    service.app.clock.advance(Duration::from_secs(86_401));
    service.signed_in("ada@example.com").await;
    let left = sqlx::query_scalar!("select subject from sign_in_failures").fetch_all(&service.app.db).await;
    assert_eq!(left.expect("rows"), ["network/203.0.113.1/32"], "only what has just been counted");
}
