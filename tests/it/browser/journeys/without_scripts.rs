//! Everything that has to be done can be done with scripts switched off, on a telephone too.

use mission_control::auth::Role;
use serde_json::json;

use crate::browser::Stopwatch;
use crate::browser::window::{USUAL, Window};
use crate::support::service::Service;

/// The narrowest that is supported.
const TELEPHONE: u32 = 320;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_needs_scripts() {
    let _stopwatch = Stopwatch::start("the journey without scripts");
    let service = Service::start().await;
    let window = Window::without_scripts(&service).await;
    window.resize(TELEPHONE).await;
    window.join("ada@example.com", Role::Admin).await;
    assert_eq!(window.run("return typeof htmx", &[]).await, json!("undefined"), "scripts are off");

    let operation = ask(&window).await;
    approve(&window, &operation).await;
    change_a_setting(&window).await;
    choose_a_theme(&window).await;
    window.close().await;
    service.stop().await;
}

async fn ask(window: &Window<'_>) -> String {
    window.press("Menu").await;
    window.press("New SMS").await;
    window.at("/dashboard/operations/new-sms").await;
    window.fill("to", "+14155550132").await;
    window.fill("message", "Your driver is 10 minutes away.").await;
    window.press("Request approval").await;
    let operation = window.at_some("/dashboard/operations/0").await;
    window.shows("#main", "Waiting for approval").await;
    window.shows(".slip", "Your driver is 10 minutes away.").await;
    operation
}

/// Two taps from anywhere: what waits, and yes. Here the person looks at the list in between.
async fn approve(window: &Window<'_>, operation: &str) {
    window.click("a.chip[href$='state=pending_approval']").await;
    window.click(&format!("a[href^='{operation}']")).await;
    window.press("Approve and send").await;
    window.at_some(operation).await;
    // Nothing changes by itself now: the person asks again.
    window
        .until("the delivery", async || {
            window.reload().await;
            let shown = window.text("#main").await;
            if shown.contains("Twilio reports that it arrived") { Ok(()) } else { Err(shown) }
        })
        .await;
}

async fn change_a_setting(window: &Window<'_>) {
    window.resize(USUAL).await;
    window.go("/dashboard/settings/sending").await;
    window.fill("approval.pending_seconds", "7200").await;
    window.press("Save settings").await;
    window.shows("#main", "2 h").await;
    assert_eq!(window.value("approval.pending_seconds").await, "7200");
}

async fn choose_a_theme(window: &Window<'_>) {
    window.go("/dashboard/help").await;
    window.press("Dark theme").await;
    window.at("/dashboard/help").await;
    window.until_count("html[data-theme=dark]", 1).await;
    window.press("Same theme as the device").await;
    window.until_count("html:not([data-theme])", 1).await;
}
