//! Everything by keyboard, single keys that a person can do without, and a theme that is there from the first moment.

use mission_control::auth::{Role, Scope};
use serde_json::json;

use crate::browser::Stopwatch;
use crate::browser::window::Window;
use crate::support::service::{Service, text};

const LIST: &str = "/dashboard/operations";

/// Keys without a character, as `WebDriver` writes them.
const TAB: char = '\u{e004}';
const ENTER: char = '\u{e007}';
const ESCAPE: char = '\u{e00c}';

#[tokio::test(flavor = "multi_thread")]
async fn somebody_works_without_a_mouse() {
    let _stopwatch = Stopwatch::start("the journey by keyboard");
    let service = Service::start().await;
    let window = Window::of(&service, "anna@example.com", Role::Approver).await;
    let token = service.token_of("anna@example.com", &Scope::ALL).await;
    let mut operations = Vec::new();
    for number in 0..3 {
        let asked = service.ask(&token, "+14155550132", &format!("Parcel {number}")).await;
        operations.push(format!("{LIST}/{}", text(&asked["operationId"])));
    }
    window.go(LIST).await;

    help_and_search(&window).await;
    decide(&window, &service, &operations).await;
    go_around(&window).await;
    switch_off(&window).await;
    window.close().await;
    service.stop().await;
}

async fn focused(window: &Window<'_>) -> String {
    let script = "return document.activeElement.getAttribute('href') ?? document.activeElement.name ?? ''";
    window.run(script, &[]).await.as_str().unwrap_or_default().to_owned()
}

async fn help_and_search(window: &Window<'_>) {
    window.keys(&['?']).await;
    window.until_seen("dialog#shortcuts[open]").await;
    window.keys(&[ESCAPE]).await;
    window.until_count("dialog[open]", 0).await;
    window.keys(&['/']).await;
    window
        .until("the focus in the search", async || {
            let name = focused(window).await;
            if name == "q" { Ok(()) } else { Err(name) }
        })
        .await;
    // What is typed is typed, and does nothing else.
    window.keys(&['n', '?', 'j']).await;
    let typed = window.run("return document.querySelector('input[name=q]').value", &[]).await;
    assert_eq!(typed, json!("n?j"));
    assert_eq!(window.count("dialog[open]").await, 0);
    window.at(LIST).await;
    window.keys(&[ESCAPE]).await;
}

async fn decide(window: &Window<'_>, service: &Service, operations: &[String]) {
    // The newest stands first.
    window.keys(&['j']).await;
    assert_eq!(focused(window).await, operations[2]);
    window.keys(&['j', 'j']).await;
    assert_eq!(focused(window).await, operations[0]);
    window.keys(&['k']).await;
    assert_eq!(focused(window).await, operations[1]);
    window.keys(&[ENTER]).await;
    window.at(&operations[1]).await;
    window.shows("#detail .slip", "Parcel 1").await;

    // `a` asks, and shows what about; it does not act.
    window.keys(&['a']).await;
    window.until_seen("dialog#approve-dialog[open]").await;
    assert!(window.text("#approve-dialog").await.contains("Parcel 1"));
    window.keys(&[ESCAPE]).await;
    window.until_count("dialog[open]", 0).await;
    assert!(service.accepted().await.is_empty(), "nothing was decided");
    window.keys(&['a']).await;
    window.until_seen("dialog#approve-dialog[open]").await;
    tab_to(window, "Approve and send").await;
    window.keys(&[ENTER]).await;
    window.shows("#detail", "Twilio reports that it arrived").await;
    assert_eq!(service.accepted().await[0]["body"], "Parcel 1");
}

/// Moves the focus on until it is where this stands.
async fn tab_to(window: &Window<'_>, label: &str) {
    for _ in 0..20 {
        let reached = window.run("return document.activeElement.innerText", &[]).await;
        if reached.as_str().is_some_and(|text| text.trim() == label) {
            return;
        }
        window.keys(&[TAB]).await;
    }
    panic!("{label} is not reached by Tab");
}

async fn go_around(window: &Window<'_>) {
    for (keys, place) in [
        (&['n'][..], "/dashboard/operations/new-sms"),
        (&['g', 'i'], "/dashboard/integrations"),
        (&['c'], "/dashboard/operations/new-call"),
        (&['g', 's'], "/dashboard/settings?tab=integrations"),
        (&['g', 'o'], LIST),
    ] {
        // On the way out of a page its keys are nobody's, so they are pressed again.
        window
            .until(place, async || {
                window.keys(keys).await;
                let now = window.place().await;
                if now == place { Ok(()) } else { Err(now) }
            })
            .await;
    }
}

/// Where single keys stand in somebody's way, they can be switched off.
async fn switch_off(window: &Window<'_>) {
    window.keys(&['?']).await;
    window.until_seen("dialog#shortcuts[open]").await;
    window.click("#shortcuts form[action$='/preferences/shortcuts'] button").await;
    window.until_count("body[data-shortcuts=off]", 1).await;
    window.keys(&['?', 'n', 'g', 'i']).await;
    window.at(LIST).await;
    assert_eq!(window.count("dialog[open]").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_theme_is_there_from_the_first_moment() {
    let _stopwatch = Stopwatch::start("the journey through themes");
    let service = Service::start().await;
    let window = Window::of(&service, "vera@example.com", Role::Viewer).await;
    let ground = || window.run("return getComputedStyle(document.documentElement).backgroundColor", &[]);
    window.press("Light theme").await;
    window.until_count("html[data-theme=light]", 1).await;
    let light = ground().await;
    window.mark().await;
    window.press("Dark theme").await;
    window.until_count("html[data-theme=dark]", 1).await;
    window.has_stayed().await;
    assert_ne!(ground().await, light);
    assert_eq!(window.count("button[aria-pressed=true][value=dark]").await, 1);
    // In what the server sends, before any script could run.
    let script = "fetch(location.href).then(answer => answer.text()).then(arguments[0])";
    let sent = window.run_async(script, &[]).await;
    assert!(sent.as_str().is_some_and(|page| page.contains("<html lang=\"en\" data-theme=\"dark\">")), "{sent}");
    window.go("/dashboard/help").await;
    window.until_count("html[data-theme=dark]", 1).await;
    window.close().await;
    service.stop().await;
}
