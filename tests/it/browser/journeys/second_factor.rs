//! From an invitation to an approval, with a second factor on the way.

use std::time::Duration;

use mission_control::auth::Role;

use crate::browser::Stopwatch;
use crate::browser::window::Window;
use crate::support::authenticator::{Authenticator, PATH};
use crate::support::service::{PASSWORD, Service, Setup};

#[tokio::test(flavor = "multi_thread")]
async fn an_invited_approver_sets_a_second_factor_signs_in_with_it_and_confirms_before_approving() {
    let _stopwatch = Stopwatch::start("the journey of the second factor");
    let setup = Setup::new().await.with("MISSION_CONTROL_SIGN_IN_SECOND_FACTOR", "approvers");
    let service = setup.start().await;
    let token = service.token("otto@example.com", Role::Operator).await;
    let link = invited(&service).await;
    let mut anna = Window::open(&service).await;
    anna.go(&link).await;
    anna.fill("new_password", PASSWORD).await;
    anna.fill("new_password_again", PASSWORD).await;
    anna.press("Set the password and sign in").await;

    // Nothing else opens before it is set.
    anna.at(PATH).await;
    anna.go("/dashboard/operations").await;
    anna.at(PATH).await;
    anna.press("Set it up").await;
    anna.until_seen(".qr").await;
    let app = Authenticator::of(&anna.value("secret").await);
    anna.fill("code", &app.code(&service.clock)).await;
    anna.press("Set it").await;
    anna.shows("#main", "They are shown only now").await;
    let codes = anna.value("codes").await;
    assert_eq!(codes.lines().count(), 10, "{codes}");
    anna.press("I have kept them").await;
    anna.at("/dashboard/operations").await;
    anna.press("Sign out").await;

    anna.at("/login").await;
    anna.sign_in("anna@example.com", PASSWORD).await;
    anna.at_some("/login/code").await;
    anna.expect_refusal("/login/code");
    anna.fill("code", "000000").await;
    anna.press("Sign in").await;
    anna.shows("[role=alert]", "This code is not right").await;
    anna.fill("code", &app.next_code(&service.clock)).await;
    anna.press("Sign in").await;
    anna.at("/dashboard/operations").await;
    approve(&service, &mut anna, &app, &token).await;
    anna.close().await;
    service.stop().await;
}

/// Invites Anna as an admin does, who has a second factor too; answers the path of her link.
async fn invited(service: &Service) -> String {
    let mut ada = crate::pages::browser::Browser::of(service, "ada@example.com", Role::Admin).await;
    crate::support::authenticator::set(service, &mut ada).await;
    let fields = [("email", "anna@example.com"), ("name", "Anna"), ("role", "approver")];
    let answer = ada.post("/dashboard/settings/people", &fields).await;
    let link = crate::support::authenticator::textarea(&answer.text, "link");
    link.strip_prefix(&service.url("")).expect("a link of ours").to_owned()
}

/// After a while away, the dialog's one click leads to the question and from there to the approval.
async fn approve(service: &Service, anna: &mut Window<'_>, app: &Authenticator, token: &str) {
    let asked = service.ask(token, "+14155550132", "Gate code 7719").await;
    let operation = format!("/dashboard/operations/{}", asked["operationId"].as_str().expect("an id"));
    anna.go(&operation).await;
    service.clock.advance(Duration::from_mins(11));
    anna.expect_refusal(&format!("{operation}/approve"));
    anna.fill("comment", "Read twice").await;
    anna.press("Approve and send").await;
    anna.shows("h1", "Confirm that it is you").await;
    assert!(service.accepted().await.is_empty());
    anna.fill("proof", &app.code(&service.clock)).await;
    anna.press("Confirm").await;
    anna.at_some(&operation).await;
    anna.shows("#main", "Read twice").await;
    anna.until("the message", async || {
        let count = service.accepted().await.len();
        if count == 1 { Ok(()) } else { Err(count.to_string()) }
    })
    .await;
}
