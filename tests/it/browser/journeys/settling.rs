//! What a machine cannot know, a person settles; and how people find what they look for, and let programs in.

use std::time::Duration;

use mission_control::auth::{Role, Scope};
use serde_json::json;

use crate::browser::Stopwatch;
use crate::browser::window::Window;
use crate::support::service::{Service, Setup};

const LIST: &str = "/dashboard/operations";

/// More than one page of the list.
const PARCELS: usize = 55;

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_outcome_is_settled_by_a_person() {
    let _stopwatch = Stopwatch::start("the journey to a settled outcome");
    let setup = Setup::new().await.with("MISSION_CONTROL_DISPATCH_ON_UNKNOWN", "person");
    let service = setup.start().await;
    let window = Window::of(&service, "anna@example.com", Role::Approver).await;
    let token = service.token_of("anna@example.com", &Scope::ALL).await;
    service.fault(json!([{ "fault": "drop_without" }])).await;
    let id = service.ask_approved(&token, "+14155550132", "Did it go?").await;
    service.until(&token, &id, "unknown").await;
    window.go(&format!("{LIST}/{id}")).await;
    window.shows("#main", "The outcome is not known, so nothing is sent again").await;

    // Past the settle time Twilio's list is looked at, and again a minute later.
    service.clock.advance(Duration::from_secs(92));
    reload_until(&window, "Twilio listed").await;
    service.clock.advance(Duration::from_secs(61));
    service.until(&token, &id, "needs_review").await;
    window.go(LIST).await;
    window.click("#nav a[href$='attention=true']").await;
    window.at(&format!("{LIST}?attention=true")).await;
    window.click(&format!("a[href^='{LIST}/{id}']")).await;
    window.shows("#main", "Was this SMS sent?").await;
    window.click("input[name=outcome][value=failed]").await;
    window.fill("reason", "They say that nothing came.").await;
    window.press("Record this decision").await;
    window.shows("#main", "anna@example.com settled it as not sent").await;
    window.go(&format!("{LIST}?attention=true")).await;
    window.shows("#main", "Nothing needs attention").await;
    window.close().await;
    service.stop().await;
}

/// Loads the page until it shows this.
async fn reload_until(window: &Window<'_>, text: &str) {
    window
        .until(text, async || {
            window.reload().await;
            let shown = window.text("#main").await;
            if shown.contains(text) { Ok(()) } else { Err(shown) }
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_looked_for_stands_in_the_address() {
    let _stopwatch = Stopwatch::start("the journey through filters and pages");
    let service = Service::start().await;
    let window = Window::of(&service, "ada@example.com", Role::Admin).await;
    let token = make_token(&window).await;
    for number in 0..PARCELS {
        service.ask(&token, &format!("+141555501{number:02}"), &format!("Parcel {number}")).await;
    }
    window.go(LIST).await;
    window.until_count(".strip-to", 50).await;

    window.fill_found("input[name=q]", "Parcel 54").await;
    window.press("Filter").await;
    let searched = window.at_some(&format!("{LIST}?")).await;
    assert!(searched.contains("q=Parcel+54"), "{searched}");
    window.until_count(".strip-to", 1).await;
    window.back().await;
    window.until_count(".strip-to", 50).await;
    window.forward().await;
    window.until_count(".strip-to", 1).await;
    assert_eq!(window.place().await, searched);

    window.press("Clear filters").await;
    window.at(LIST).await;
    window.click("#nav a[href$='state=pending_approval']").await;
    window.at(&format!("{LIST}?state=pending_approval")).await;
    window.until_count(".strip-to", 50).await;
    window.click("a[rel=next]").await;
    let older = window.at_some(&format!("{LIST}?state=pending_approval&cursor=")).await;
    window.until_count(".strip-to", 5).await;
    window.back().await;
    window.at(&format!("{LIST}?state=pending_approval")).await;
    window.until_count(".strip-to", 50).await;
    // What somebody is sent is what they see.
    window.go(&older).await;
    window.until_count(".strip-to", 5).await;
    window.go(&format!("{LIST}?q=nothing+like+it")).await;
    window.shows("#main", "No operation matches these filters").await;
    window.close().await;
    service.stop().await;
}

/// Makes a token on its page, as it is shown once, and sees that it opens the API and nothing else.
async fn make_token(window: &Window<'_>) -> String {
    window.go("/dashboard/settings/tokens").await;
    window.fill("name", "billing-worker").await;
    for scope in ["operations:read", "operations:write"] {
        window.click(&format!("input[name=scope][value='{scope}']")).await;
    }
    window.press("Make token").await;
    window.shows("#main", "It is shown only now").await;
    let token = window.value("token").await;
    window.press("All tokens").await;
    window.shows("#main", "billing-worker").await;
    let page = window.run("return document.documentElement.outerHTML", &[]).await.to_string();
    assert!(!page.contains(&token), "never again");
    token
}
