//! The door: who comes in, what it costs, and where they go on to.

use axum::http::StatusCode;
use mission_control::auth::{Cost, Role};

use super::service::{CHEAP, PASSWORD, Service};

#[tokio::test]
async fn a_person_signs_in_and_out() {
    let service = Service::sandbox().await;
    service.add("ada@example.com", Role::Operator).await;
    let mut browser = service.browser();
    assert_eq!(
        browser.get("/dashboard/help?q=1").await.header("location"),
        Some("/login?next=%2Fdashboard%2Fhelp%3Fq%3D1")
    );
    assert_eq!(browser.post("/dashboard/help", &[]).await.header("location"), Some("/login"));

    let answer = browser.sign_in(" Ada@Example.com ", PASSWORD).await;
    assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, Some("/dashboard/operations")));
    assert_eq!(browser.get("/dashboard/help").await.body, "ada@example.com");
    assert_eq!(browser.get("/api/who").await.body, "ada@example.com operator session");
    assert_eq!(browser.get("/login?next=/dashboard/help").await.header("location"), Some("/dashboard/help"));

    let kept = browser.clone();
    let answer = browser.post("/logout", &[]).await;
    assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, Some("/login")));
    assert_eq!(browser.cookie, None, "the browser is told to forget its cookie");
    let mut kept = kept;
    assert!(!kept.is_signed_in().await, "a copy of the cookie opens nothing");
}

#[tokio::test]
async fn each_sign_in_has_a_session_of_its_own_and_ends_the_one_before() {
    let service = Service::sandbox().await;
    service.add("ada@example.com", Role::Operator).await;
    let mut browser = service.signed_in("ada@example.com").await;
    let mut before = browser.clone();
    browser.sign_in("ada@example.com", PASSWORD).await;
    assert_ne!(browser.cookie, before.cookie);
    assert!(browser.is_signed_in().await);
    assert!(!before.is_signed_in().await);
}

#[tokio::test]
async fn a_planted_cookie_never_becomes_a_session() {
    let service = Service::sandbox().await;
    service.add("ada@example.com", Role::Operator).await;
    let mut browser = service.browser();
    browser.cookie = Some(format!("mc={}", "A".repeat(43)));
    let mut attacker = browser.clone();
    browser.sign_in("ada@example.com", PASSWORD).await;
    assert!(browser.is_signed_in().await);
    assert_ne!(browser.cookie, attacker.cookie);
    assert!(!attacker.is_signed_in().await);
}

#[tokio::test]
async fn every_try_costs_one_verification_and_says_the_same() {
    let service = Service::sandbox().await;
    service.add("ada@example.com", Role::Operator).await;
    service.add("gone@example.com", Role::Operator).await;
    service.disable("gone@example.com").await.expect("disabled");
    let long = "x".repeat(2000);
    let mut said = Vec::new();
    for (email, password) in [
        ("ada@example.com", "some other words"),
        ("nobody@example.com", PASSWORD),
        ("gone@example.com", PASSWORD),
        ("no address at all", PASSWORD),
        ("ada@example.com\0", PASSWORD),
        ("ada@example.com", long.as_str()),
    ] {
        let before = service.app.passwords.verifications();
        let answer = service.browser().sign_in(email, password).await;
        assert_eq!(service.app.passwords.verifications() - before, 1, "{email}");
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{email}");
        assert_eq!(answer.header("set-cookie"), None, "{email}");
        said.push(answer.body.replace(email, ""));
    }
    said.dedup();
    assert_eq!(said.len(), 1, "{said:?}");
}

#[tokio::test]
async fn a_hash_of_another_cost_is_replaced_at_the_next_sign_in() {
    let service = Service::sandbox().await;
    service.add("ada@example.com", Role::Operator).await;
    let dearer = service.replica(Cost { memory: 16, ..CHEAP });
    for _ in 0..2 {
        dearer.signed_in("ada@example.com").await;
        let stored = sqlx::query_scalar!("select password_hash from users").fetch_one(&service.app.db).await;
        let stored = stored.expect("a user");
        assert!(stored.starts_with("$argon2id$v=19$m=16,t=1,p=1$"), "{stored}");
    }
}

#[tokio::test]
async fn whoever_signs_in_goes_on_within_this_site_only() {
    let service = Service::sandbox().await;
    service.add("ada@example.com", Role::Operator).await;
    for (next, expected) in [
        ("/dashboard/help?a=b", "/dashboard/help?a=b"),
        ("//evil.example", "/dashboard/operations"),
        ("/\\evil.example", "/dashboard/operations"),
        ("https://evil.example", "/dashboard/operations"),
        ("/\t/evil.example", "/dashboard/operations"),
        ("", "/dashboard/operations"),
    ] {
        let fields = [("email", "ada@example.com"), ("password", PASSWORD), ("next", next)];
        let answer = service.browser().post("/login", &fields).await;
        assert_eq!(answer.header("location"), Some(expected), "{next:?}");
        let page = service.browser().post("/login", &[("email", "x"), ("password", "y"), ("next", next)]).await;
        assert!(!page.body.contains("evil.example"), "{next:?}");
    }
}

#[tokio::test]
async fn the_cookie_is_as_strict_as_the_scheme_allows() {
    let service = Service::sandbox().await;
    service.add("ada@example.com", Role::Operator).await;
    let set = service.browser().sign_in("ada@example.com", PASSWORD).await;
    let set = set.header("set-cookie").expect("a cookie").to_owned();
    assert!(set.starts_with("mc=") && set.ends_with("; HttpOnly; SameSite=Lax; Path=/"), "{set}");

    let service = Service::live().await;
    service.add("ada@example.com", Role::Operator).await;
    let mut browser = service.browser();
    let set = browser.sign_in("ada@example.com", PASSWORD).await;
    let set = set.header("set-cookie").expect("a cookie").to_owned();
    assert!(set.starts_with("__Host-mc=") && set.ends_with("; HttpOnly; SameSite=Lax; Secure; Path=/"), "{set}");
    assert!(browser.is_signed_in().await);
    let answer = browser.post("/logout", &[]).await;
    assert!(answer.header("clear-site-data").is_some_and(|what| what.contains("\"cookies\"")));
}

#[tokio::test]
async fn what_was_typed_cannot_change_the_page() {
    let service = Service::sandbox().await;
    let answer = service.browser().sign_in("\"><script>alert(1)</script>", "wrong").await;
    assert!(!answer.body.contains("<script>"), "{}", answer.body);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}
