//! From the request to the delivery, with two people who see each other's work without loading anything anew.

use mission_control::auth::{Role, Scope};
use mission_control::sandbox::Pace;
use serde_json::json;

use crate::browser::Stopwatch;
use crate::browser::window::Window;
use crate::support::service::{Service, Setup, text};

const LIST: &str = "/dashboard/operations";

#[tokio::test(flavor = "multi_thread")]
async fn two_people_watch_an_sms_from_the_request_to_the_delivery() {
    let _stopwatch = Stopwatch::start("the journey of an SMS before two people");
    // Twilio reports when the test says so: each step is to be seen.
    let service = Setup::new().await.pace(Pace::ByHand).start().await;
    let otto = Window::of(&service, "otto@example.com", Role::Operator).await;
    let token = service.token_of("otto@example.com", &Scope::ALL).await;
    service.ask(&token, "+14155550199", "The one before").await;
    let anna = Window::of(&service, "anna@example.com", Role::Approver).await;
    until_live(&anna).await;

    otto.press("New SMS").await;
    otto.fill("to", "+14155550132").await;
    otto.fill("message", "Your driver is 10 minutes away.").await;
    otto.press("Request approval").await;
    let operation = otto.at_some(&format!("{LIST}/0")).await;
    let row = operation.replace(&format!("{LIST}/"), "#op-");
    until_live(&otto).await;

    // It is said that there is something new, and nothing moves until somebody wants it to.
    anna.shows("#new-pill", "1 new operation").await;
    anna.shows("#nav [data-count=waiting]", "2").await;
    assert_eq!(anna.count(".strip-to").await, 1);
    anna.click("#new-pill").await;
    anna.until_count(".strip-to", 2).await;
    anna.click(&format!("{row} .strip-to")).await;
    anna.at(&operation).await;
    anna.shows("#detail .slip", "Your driver is 10 minutes away.").await;
    anna.has_stayed().await;
    anna.press("Approve and send").await;

    otto.shows("#detail", "Accepted by Twilio").await;
    anna.shows(&row, "Accepted by Twilio").await;
    until_live(&anna).await;
    let sid = text(&service.accepted().await[0]["sid"]);
    for (word, shown) in [("sent", "Twilio says sent"), ("delivered", "Delivered")] {
        report(&service, &sid, word).await;
        otto.shows("#detail", shown).await;
        anna.shows("#detail", shown).await;
    }
    anna.shows(&row, "Delivered").await;
    anna.shows("#nav [data-count=waiting]", "1").await;
    otto.has_stayed().await;
    anna.has_stayed().await;
    assert_eq!(service.accepted().await.len(), 1);
    otto.close().await;
    anna.close().await;
    service.stop().await;
}

/// Waits until the page follows what happens and says so, and marks it.
async fn until_live(window: &Window<'_>) {
    window.until_count("#live-state[data-state=live]", 1).await;
    window.shows("[data-live]", "Live").await;
    window.mark().await;
}

/// The sandbox's Twilio reports on a message.
async fn report(service: &Service, sid: &str, word: &str) {
    let told = service.client().post(format!("{}/sandbox/messages/{sid}/status", service.sandbox()));
    let told = told.json(&json!({ "status": word })).send().await.expect("the sandbox");
    assert!(told.status().is_success(), "{}", told.text().await.unwrap_or_default());
}
