//! People: shut out, given another password, choosing their own.

use std::time::Duration;

use axum::http::StatusCode;
use mission_control::audit::Actor;
use mission_control::auth::{NewPassword, Role, Scope, users};

use super::service::{Browser, PASSWORD, Service};

const ANOTHER: &str = "five more unrelated words";

async fn change(browser: &mut Browser<'_>, current: &str, new: &str, again: &str) -> StatusCode {
    let fields = [("current_password", current), ("new_password", new), ("new_password_again", again)];
    browser.post("/account/password", &fields).await.status
}

async fn reset(service: &Service, email: &str) {
    let (app, email) = (&service.app, email.parse().expect("an address"));
    let new = NewPassword::choose(ANOTHER.into(), &email).expect("a good password");
    let actor = Actor::command_line();
    let reset = users::reset_password(&app.db, &app.passwords, &app.token_cache, &actor, &email, &new, None).await;
    reset.expect("another password");
}

#[tokio::test]
async fn who_is_disabled_is_out_at_once() {
    let service = Service::sandbox().await;
    service.add("ada@example.com", Role::Operator).await;
    let mut browser = service.signed_in("ada@example.com").await;
    let (_, token) = service.token("ada@example.com", &[Scope::OperationsRead], None).await;
    assert_eq!(service.ask("/api/who", &token).await.status, StatusCode::OK);

    assert!(service.disable("ada@example.com").await.expect("disabled"));
    assert!(!browser.is_signed_in().await);
    let answer = service.ask("/api/who", &token).await;
    assert_eq!((answer.status, answer.code().as_str()), (StatusCode::UNAUTHORIZED, "account_disabled"));
    assert_eq!(service.browser().sign_in("ada@example.com", PASSWORD).await.status, StatusCode::UNAUTHORIZED);
    assert!(!service.disable("ada@example.com").await.expect("disabled before"));
    assert_eq!(service.disable("nobody@example.com").await.expect_err("nobody").code, "not_found");
}

#[tokio::test]
async fn one_admin_always_stays() {
    let service = Service::sandbox().await;
    service.add("ada@example.com", Role::Admin).await;
    service.add("bob@example.com", Role::Admin).await;
    // Held until both are under way, so that neither sees what the other did by being early.
    let mut held = mission_control::database::begin(&service.app.db).await.expect("a transaction");
    sqlx::query!("select id from users for update").fetch_all(&mut *held).await.expect("the rows");
    let release = async {
        let waiting = || {
            sqlx::query_scalar!(
                r#"
                select count(*) as "count!"
                from pg_stat_activity
                where datname = current_database()
                  and wait_event_type = 'Lock'
                "#
            )
        };
        while waiting().fetch_one(&service.app.db).await.expect("a count") < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        held.rollback().await.expect("released");
    };
    let (one, other, ()) =
        tokio::join!(service.disable("ada@example.com"), service.disable("bob@example.com"), release);
    let refused: Vec<_> = [one, other].into_iter().filter_map(Result::err).collect();
    assert_eq!(refused.iter().map(|problem| problem.code).collect::<Vec<_>>(), ["last_admin"]);
}

#[tokio::test]
async fn a_password_of_ones_own_ends_all_other_sessions() {
    let service = Service::sandbox().await;
    service.add("ada@example.com", Role::Operator).await;
    let mut here = service.signed_in("ada@example.com").await;
    let mut elsewhere = service.signed_in("ada@example.com").await;
    let mut before = here.clone();
    assert_eq!(change(&mut here, PASSWORD, ANOTHER, ANOTHER).await, StatusCode::SEE_OTHER);
    assert!(here.is_signed_in().await);
    assert!(!elsewhere.is_signed_in().await && !before.is_signed_in().await);
    assert_eq!(service.browser().sign_in("ada@example.com", PASSWORD).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(service.browser().sign_in("ada@example.com", ANOTHER).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_password_is_changed_only_by_who_knows_it_and_to_a_good_one() {
    let service = Service::sandbox().await;
    service.add("ada@example.com", Role::Operator).await;
    let mut browser = service.signed_in("ada@example.com").await;
    for (current, new, again) in [
        ("some other words", ANOTHER, ANOTHER),
        (PASSWORD, ANOTHER, "six more unrelated words"),
        (PASSWORD, "too short", "too short"),
        (PASSWORD, "Password1234", "Password1234"),
        (PASSWORD, "ada@example.com", "ada@example.com"),
        (PASSWORD, PASSWORD, PASSWORD),
    ] {
        assert_eq!(change(&mut browser, current, new, again).await, StatusCode::UNPROCESSABLE_ENTITY, "{new}");
    }
    assert!(browser.is_signed_in().await);
    // A stolen session is no place to guess the password either.
    for _ in 0..10 {
        service.app.clock.advance(Duration::from_mins(15));
        assert!(browser.is_signed_in().await);
        change(&mut browser, "some other words", ANOTHER, ANOTHER).await;
    }
    assert_eq!(change(&mut browser, PASSWORD, ANOTHER, ANOTHER).await, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn a_reset_ends_the_sessions_and_asks_for_a_change() {
    let service = Service::sandbox().await;
    service.add("ada@example.com", Role::Operator).await;
    let mut browser = service.signed_in("ada@example.com").await;
    reset(&service, "ada@example.com").await;
    assert!(!browser.is_signed_in().await);
    browser.sign_in("ada@example.com", ANOTHER).await;
    assert!(browser.is_signed_in().await, "the sandbox only asks");
    assert!(browser.get("/account/password").await.body.contains("Choose your own"));
}

#[tokio::test]
async fn live_mode_lets_nobody_on_with_a_password_that_somebody_else_knows() {
    let service = Service::live().await;
    service.add("ada@example.com", Role::Operator).await;
    let (_, token) = service.token("ada@example.com", &[Scope::OperationsRead], None).await;
    assert_eq!(service.ask("/api/who", &token).await.status, StatusCode::OK);
    reset(&service, "ada@example.com").await;
    assert_eq!(service.ask("/api/who", &token).await.code(), "password_change_required");
    let mut browser = service.browser();
    browser.sign_in("ada@example.com", ANOTHER).await;
    assert_eq!(browser.get("/dashboard/help").await.header("location"), Some("/account/password"));
    assert_eq!(browser.get("/api/who").await.code(), "password_change_required");
    assert_eq!(change(&mut browser, ANOTHER, PASSWORD, PASSWORD).await, StatusCode::SEE_OTHER);
    assert!(browser.is_signed_in().await);
    assert_eq!(service.ask("/api/who", &token).await.status, StatusCode::OK);
}
