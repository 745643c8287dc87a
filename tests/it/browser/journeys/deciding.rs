//! Decisions: a call that is heard before it is approved, a rejection that says why, and several at once.

use mission_control::auth::Role;
use serde_json::{Value, json};

use crate::browser::Stopwatch;
use crate::browser::window::Window;
use crate::support::service::Service;

const LIST: &str = "/dashboard/operations";

/// Plays what the first player of the page would play, without a loudspeaker: its length in seconds, or why it is none.
const LISTEN: &str = "
    const done = arguments[0];
    const player = document.querySelector('audio');
    player.addEventListener('loadedmetadata', () => done(player.duration));
    player.addEventListener('error', () => done(String(player.error.message)));
    player.preload = 'metadata';
    player.load();";

#[tokio::test(flavor = "multi_thread")]
async fn a_call_from_text_is_heard_before_it_is_approved() {
    let _stopwatch = Stopwatch::start("the journey of a call");
    let service = Service::start().await;
    let window = Window::of(&service, "anna@example.com", Role::Approver).await;
    window.press("New call").await;
    window.fill("to", "+14155550132").await;
    window.fill("text", "Good evening. Your table is ready.").await;
    window.press("Request approval").await;
    let operation = window.at_some(&format!("{LIST}/0")).await;
    window
        .until("its speech", async || {
            if window.count("audio").await == 0 {
                window.reload().await;
            }
            if window.count("audio").await == 1 { Ok(()) } else { Err(window.text("#main").await) }
        })
        .await;
    let length = window.run_async(LISTEN, &[]).await;
    assert!(length.as_f64().is_some_and(|seconds| seconds > 1.0), "{length}");

    window.press("Approve and call").await;
    window.at_some(&operation).await;
    until_it_shows(&window, "completed").await;
    let calls = service.ledger().await["calls"].clone();
    assert_eq!(calls.as_array().map(Vec::len), Some(1));
    assert_eq!(calls[0]["audio"][0]["fetched"], json!(true), "what was heard is what was played");
    window.close().await;
    service.stop().await;
}

/// Waits for this, and asks for the page again, as often as it takes.
async fn until_it_shows(window: &Window<'_>, text: &str) {
    window
        .until(text, async || {
            let shown = window.text("#main").await;
            if shown.contains(text) {
                return Ok(());
            }
            window.reload().await;
            Err(shown)
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejection_says_why() {
    let _stopwatch = Stopwatch::start("the journey of a rejection");
    let service = Service::start().await;
    let otto = Window::of(&service, "otto@example.com", Role::Operator).await;
    let mut anna = Window::of(&service, "anna@example.com", Role::Approver).await;
    otto.press("New SMS").await;
    otto.fill("to", "+14155550132").await;
    otto.fill("message", "FINAL NOTICE").await;
    otto.press("Request approval").await;
    let operation = otto.at_some(&format!("{LIST}/0")).await;
    otto.shows("#main", "You cannot approve it").await;
    assert_eq!(otto.count("form[action$='/approve']").await, 0);

    anna.go(&operation).await;
    // Spaces are no reason. The browser's own check lets them pass, ours does not.
    anna.expect_refusal(&format!("{operation}/reject"));
    anna.fill("reason", "   ").await;
    anna.click("form[action$='/reject'] button:not([type=button])").await;
    anna.shows("[role=alert]", "A reason is needed").await;
    anna.fill("reason", "We do not threaten people.").await;
    anna.click("form[action$='/reject'] button:not([type=button])").await;
    anna.shows("#main", "Rejected by anna@example.com").await;

    otto.go(&operation).await;
    otto.shows("#main", "We do not threaten people.").await;
    otto.press("Ask again").await;
    otto.at_some(&format!("{LIST}/new-sms?again=")).await;
    assert_eq!(otto.value("message").await, "FINAL NOTICE");
    let accepted: Vec<Value> = service.accepted().await;
    assert!(accepted.is_empty(), "{accepted:?}");
    otto.close().await;
    anna.close().await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_are_approved_together_by_whoever_has_read_them() {
    let _stopwatch = Stopwatch::start("the journey of three at once");
    let service = Service::start().await;
    let token = service.token("otto@example.com", Role::Operator).await;
    for number in 0..4 {
        service.ask(&token, &format!("+1415555013{number}"), &format!("Parcel {number}")).await;
    }
    let anna = Window::of(&service, "anna@example.com", Role::Approver).await;
    for number in 0..3 {
        anna.click(&format!("#list li:has(a[href]):nth-child({}) input[name=id]", number + 1)).await;
    }
    anna.press("Review selected").await;
    anna.at_some(&format!("{LIST}/review?id=")).await;
    // The newest stand first: 3, 2 and 1, and not 0.
    let slips = anna.text(".slip").await;
    for (number, is_in) in [(3, true), (2, true), (1, true), (0, false)] {
        assert_eq!(slips.contains(&format!("Parcel {number}")), is_in, "{number}: {slips}");
    }
    assert!(service.accepted().await.is_empty(), "nothing goes out by looking at it");
    anna.press("Approve and send 3").await;
    anna.shows("#main", "3 of 3 decided").await;
    anna.until("three messages", async || {
        let count = service.accepted().await.len();
        if count == 3 { Ok(()) } else { Err(count.to_string()) }
    })
    .await;
    anna.go(&format!("{LIST}?state=pending_approval")).await;
    anna.until_count(".strip-to", 1).await;
    anna.shows("#list", "Parcel 0").await;
    anna.close().await;
    service.stop().await;
}
