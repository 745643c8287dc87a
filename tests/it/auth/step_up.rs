//! Confirming who one is before what cannot be taken back.

use std::time::Duration;

use mission_control::access::Confirmation;
use mission_control::auth::{Role, Scope};
use mission_control::router;
use reqwest::Method;
use serde_json::json;

use crate::pages::browser::{Browser, hidden};
use crate::support::authenticator;
use crate::support::log;
use crate::support::service::{PASSWORD, Service};

const EMAIL: &str = "anna@example.com";
const ASKED: &str = "Confirm that it is you";

/// How long ago somebody has signed in who is asked.
const STALE: Duration = Duration::from_mins(10);

async fn confirmations(service: &Service) -> Vec<String> {
    sqlx::query_scalar("select details ->> 'by' from audit_lines where action = 'user.confirmed' order by id")
        .fetch_all(&service.app().db)
        .await
        .expect("lines")
}

#[tokio::test]
async fn within_ten_minutes_of_signing_in_nobody_is_asked() {
    let service = Service::start().await;
    let mut anna = Browser::of(&service, EMAIL, Role::Approver).await;
    let operation = anna.ask("+14155550132", "Soon").await;
    let digest = hidden(&anna.page(&operation).await, "digest");
    service.clock.advance(Duration::from_secs(595));
    assert_eq!(anna.submit(&format!("{operation}/approve"), &[("digest", &digest)]).await, operation);
    assert!(confirmations(&service).await.is_empty());
    service.stop().await;
}

#[tokio::test]
async fn who_was_away_confirms_and_one_click_still_does_one_thing() {
    let service = Service::start().await;
    let mut anna = Browser::of(&service, EMAIL, Role::Approver).await;
    let operation = anna.ask("+14155550132", "Late").await;
    let digest = hidden(&anna.page(&operation).await, "digest");
    let approve = format!("{operation}/approve?state=pending_approval");
    service.clock.advance(STALE);
    let fields = [("digest", digest.as_str()), ("comment", "Checked <b> & \"all\"")];
    let asked = anna.refused(&approve, &fields, 403).await;
    assert!(asked.contains(ASKED) && asked.contains(&format!("action=\"{approve}\"")), "{asked}");
    assert!(asked.contains("name=\"comment\" value=\"Checked &#60;b&#62; &#38; &#34;all&#34;\""), "{asked}");
    assert!(service.accepted().await.is_empty() && anna.page(&operation).await.contains("Waiting for approval"));

    let before = anna.clone();
    let again = [("digest", digest.as_str()), ("comment", "Checked"), ("proof", PASSWORD)];
    let location = anna.submit(&approve, &again).await;
    assert!(location.starts_with(&operation), "{location}");
    let done = anna.until(&operation, "Twilio reports that it arrived").await;
    assert!(done.contains("“Checked”"));
    assert_eq!(service.accepted().await.len(), 1);
    assert_eq!(confirmations(&service).await, ["password"]);
    let mut before = before;
    assert!(before.get("/dashboard/help").await.status.is_redirection(), "the session has another name");
    assert!(!log::text().contains(PASSWORD));

    // It holds for the next ten minutes.
    service.clock.advance(Duration::from_mins(9));
    let next = anna.ask("+14155550133", "Next").await;
    let digest = hidden(&anna.page(&next).await, "digest");
    anna.submit(&format!("{next}/approve"), &[("digest", &digest)]).await;
    assert_eq!(confirmations(&service).await.len(), 1);
    service.stop().await;
}

#[tokio::test]
async fn a_wrong_password_confirms_nothing_and_is_throttled() {
    let service = Service::start().await;
    let mut anna = Browser::of(&service, EMAIL, Role::Approver).await;
    let operation = anna.ask("+14155550132", "Not so").await;
    let digest = hidden(&anna.page(&operation).await, "digest");
    let approve = format!("{operation}/approve");
    service.clock.advance(STALE);
    for _ in 0..5 {
        let fields = [("digest", digest.as_str()), ("proof", "some other words")];
        let asked = anna.refused(&approve, &fields, 403).await;
        assert!(asked.contains("This is not your password.") && asked.contains(&digest));
        assert!(!asked.contains("some other words"));
    }
    let blocked = anna.post(&approve, &[("digest", &digest), ("proof", PASSWORD)]).await;
    assert_eq!(blocked.status.as_u16(), 429, "{}", blocked.text);
    assert!(blocked.header("retry-after").is_some() && service.accepted().await.is_empty());
    assert!(confirmations(&service).await.is_empty());
    service.stop().await;
}

#[tokio::test]
async fn who_has_a_second_factor_shows_a_code_and_not_the_password() {
    let service = Service::start().await;
    let mut anna = Browser::of(&service, EMAIL, Role::Approver).await;
    let (app, codes) = authenticator::set(&service, &mut anna).await;
    let operation = anna.ask("+14155550132", "By code").await;
    let digest = hidden(&anna.page(&operation).await, "digest");
    let approve = format!("{operation}/approve");
    service.clock.advance(STALE);
    let asked = anna.refused(&approve, &[("digest", &digest)], 403).await;
    assert!(asked.contains("Code from your app") && !asked.contains("Your password"));
    anna.refused(&approve, &[("digest", &digest), ("proof", PASSWORD)], 403).await;
    let code = app.next_code(&service.clock);
    assert_eq!(anna.submit(&approve, &[("digest", &digest), ("proof", &code)]).await, operation);

    let second = anna.ask("+14155550133", "By recovery code").await;
    let digest = hidden(&anna.page(&second).await, "digest");
    service.clock.advance(STALE);
    anna.refused(&format!("{second}/approve"), &[("digest", &digest), ("proof", &code)], 403).await;
    anna.submit(&format!("{second}/approve"), &[("digest", &digest), ("proof", &codes[0])]).await;
    assert_eq!(confirmations(&service).await, ["code", "recovery_code"]);
    service.stop().await;
}

#[tokio::test]
async fn stopping_is_never_asked_about() {
    let service = Service::start().await;
    let mut ada = Browser::of(&service, "ada@example.com", Role::Admin).await;
    let (one, two) = (ada.ask("+14155550132", "One").await, ada.ask("+14155550133", "Two").await);
    let mut elsewhere = Browser::new(&service);
    elsewhere.sign_in("ada@example.com", PASSWORD).await;
    service.clock.advance(STALE);
    ada.submit(&format!("{one}/reject"), &[("reason", "No")]).await;
    ada.submit(&format!("{two}/cancel"), &[]).await;
    ada.submit("/dashboard/hold", &[("reason", "Stop")]).await;
    ada.submit("/dashboard/settings/sessions/end-others", &[]).await;

    // Letting it go on is, and leads back to where it was asked for.
    let address = "/dashboard/hold/release";
    let asked = ada.post_from(address, &[], "same-origin", "/dashboard/audit?q=x").await;
    assert_eq!(asked.status.as_u16(), 403);
    assert!(asked.text.contains(ASKED) && ada.page("/dashboard/help").await.contains("Sending is on hold"));
    let from = hidden(&asked.text, "proof_from");
    let fields = [("proof", PASSWORD), ("proof_from", from.as_str())];
    let released = ada.post_from(address, &fields, "same-origin", address).await;
    assert_eq!(released.header("location"), Some("/dashboard/audit?q=x"), "{}", released.text);
    assert!(ada.page("/dashboard/help").await.contains("Sending is on<"));
    service.stop().await;
}

#[tokio::test]
async fn every_route_that_says_so_asks_and_does_nothing_before() {
    let service = Service::start().await;
    let mut ada = Browser::of(&service, "ada@example.com", Role::Admin).await;
    service.clock.advance(STALE);
    let count = || sqlx::query_scalar::<_, i64>("select count(*) from audit_lines").fetch_one(&service.app().db);
    let before = count().await.expect("a count");
    let routes = router::routes();
    let asking: Vec<_> = routes.iter().filter(|route| route.terms.confirmation != Confirmation::None).collect();
    for route in &asking {
        let path =
            route.path.replace("{id}", "019ab2c4-7e10-7c3a-9f21-5b8e0d6a41c2").replace("{name}", "twilio_auth_token");
        assert!(!path.contains('{'), "{path}");
        let fields = [("seen", "1"), ("value", "x")];
        let answer = if route.path.starts_with("/api/") {
            ada.ask_as(route.method.clone(), &path, &json!({})).await
        } else {
            ada.post(&path, &fields).await
        };
        assert_eq!(answer.status.as_u16(), 403, "{} {path}: {}", route.method, answer.text);
        let says = if route.path.starts_with("/api/") { "confirmation_required" } else { ASKED };
        assert!(answer.text.contains(says), "{} {path}: {}", route.method, answer.text);
    }
    assert_eq!(count().await.expect("a count"), before, "nothing was done");
    // What must be among them, whatever else is.
    for known in [
        "/api/operations/{id}/approve",
        "/api/operations/{id}/resolve",
        "/api/hold",
        "/api/vault/{name}",
        "/api/vault/verify",
        "/dashboard/operations/{id}/approve",
        "/dashboard/operations/{id}/resolve",
        "/dashboard/operations/review/approve",
        "/dashboard/hold/release",
        "/dashboard/settings/sending",
        "/dashboard/settings/voice",
        "/dashboard/settings/people",
        "/dashboard/settings/people/{id}/role",
        "/dashboard/settings/people/{id}/disable",
        "/dashboard/settings/people/{id}/enable",
        "/dashboard/settings/people/{id}/reset-password",
        "/dashboard/settings/people/{id}/reset-second-factor",
        "/dashboard/settings/tokens",
        "/dashboard/settings/vault/{name}",
        "/dashboard/settings/vault/{name}/remove",
        "/dashboard/settings/vault/verify",
        "/account/second-factor/offer",
        "/account/second-factor/set",
        "/account/second-factor/remove",
        "/account/second-factor/recovery-codes",
    ] {
        assert!(asking.iter().any(|route| route.path == known), "{known} is not confirmed");
    }
    service.stop().await;
}

#[tokio::test]
async fn a_script_hears_where_to_confirm() {
    let service = Service::start().await;
    let mut ada = Browser::of(&service, "ada@example.com", Role::Admin).await;
    service.clock.advance(STALE);
    let refused = ada.ask_as(Method::DELETE, "/api/hold", &json!({})).await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (403, "confirmation_required"));
    assert_eq!(refused.json()["confirmUrl"], json!(service.url("/account/confirm")));
    assert!(ada.page("/account/confirm?next=/dashboard/help").await.contains("value=\"/dashboard/help\""));
    let wrong = [("proof", "some other words"), ("next", "/dashboard/help")];
    assert!(ada.refused("/account/confirm", &wrong, 403).await.contains("This is not your password."));
    let fields = [("proof", PASSWORD), ("next", "https://evil.example/")];
    assert_eq!(ada.submit("/account/confirm", &fields).await, "/dashboard/operations", "no stranger is led to");
    assert!(ada.ask_as(Method::DELETE, "/api/hold", &json!({})).await.status.is_success());
    service.stop().await;
}

#[tokio::test]
async fn no_page_repeats_a_key_that_was_typed() {
    const KEY: &str = "5d41402abc4b2a76b9719d911017c592";
    let service = Service::start().await;
    let mut ada = Browser::of(&service, "ada@example.com", Role::Admin).await;
    let (page, address) = ("/dashboard/settings?tab=integrations", "/dashboard/settings/vault/twilio_auth_token");
    assert!(!ada.page(page).await.contains("name=\"proof\""), "nobody is asked who has just signed in");
    service.clock.advance(STALE);
    let lost = ada.post_from(address, &[("value", KEY)], "same-origin", page).await;
    assert_eq!(lost.status.as_u16(), 403);
    assert!(lost.text.contains("type it again") && !lost.text.contains(KEY), "{}", lost.text);
    assert_eq!(hidden(&lost.text, "next"), page);
    // The page itself asks, so that nothing has to be typed twice.
    assert!(ada.page(page).await.contains("id=\"twilio_auth_token-proof\""));
    let stored = ada.submit(address, &[("value", KEY), ("proof", PASSWORD)]).await;
    assert!(stored.contains("#entry-twilio_auth_token"), "{stored}");
    assert!(ada.page(page).await.contains("c592"));
    service.stop().await;
}

#[tokio::test]
async fn a_token_is_never_asked() {
    let service = Service::start().await;
    service.person("ada@example.com", Role::Admin).await;
    let token = service.token_of("ada@example.com", &Scope::ALL).await;
    service.clock.advance(Duration::from_hours(5));
    let released = service.send(service.request(Method::DELETE, "/api/hold", &token)).await;
    assert!(released.status.is_success(), "{}", released.text);
    service.stop().await;
}

#[tokio::test]
async fn confirming_makes_no_session_longer() {
    let service = Service::start().await;
    let mut ada = Browser::of(&service, "ada@example.com", Role::Admin).await;
    for _ in 0..35 {
        service.clock.advance(Duration::from_mins(20));
        ada.submit("/account/confirm", &[("proof", PASSWORD)]).await;
    }
    service.clock.advance(Duration::from_mins(21));
    assert!(ada.get("/dashboard/help").await.status.is_redirection(), "it is over twelve hours after it began");
    service.stop().await;
}
