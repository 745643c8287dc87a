//! Everybody can use every page: axe's rules up to WCAG 2.2 AA and its best practice, in both themes and however narrow
//! the window is. `make torture` looks at more widths, at forced colours, and at a service in which nothing has happened.

use std::time::Duration;

use mission_control::auth::Role;
use serde_json::{Value, json};

use super::Stopwatch;
use super::furnished::Furnished;
use super::pages::{self, Page, Reader};
use super::window::Window;
use crate::support::service::{PASSWORD, Service};
use crate::support::torture;

const AXE: &str = include_str!("../../vendor/axe-core/axe.min.js");

/// Runs the rules over what is shown, and answers what breaks them, with the elements.
const RUN: &str = "
    const done = arguments[arguments.length - 1];
    const options = { runOnly: arguments[0], resultTypes: ['violations'], preload: false };
    axe.run(document, options).then(
        found => done(found.violations.map(rule => ({
            rule: rule.id, help: rule.help, where: rule.nodes.map(node => [node.html.slice(0, 300), node.failureSummary]),
        }))),
        error => done([String(error)]));";

const ALL_RULES: [&str; 6] = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_accessible_on_a_telephone() {
    walk_all("on a telephone", &[320]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_accessible_on_a_desk() {
    let widths: &[u32] = if torture::is_full() { &[768, 1024, 1280, 1440] } else { &[1280] };
    walk_all("on a desk", widths).await;
}

async fn walk_all(where_to: &str, widths: &[u32]) {
    let _stopwatch = Stopwatch::start(format!("accessibility {where_to}"));
    let furnished = Furnished::new().await;
    let pages = pages::all(|name| furnished.id(name));
    for reader in Reader::ALL {
        let mut window = Window::open(&furnished.service).await;
        prepare(&window).await;
        if let Some(email) = reader.email() {
            window.go("/login").await;
            window.sign_in(email, PASSWORD).await;
            window.at("/dashboard/operations").await;
        }
        for page in pages.iter().filter(|page| page.reader == reader) {
            for width in widths {
                look(&mut window, page, *width).await;
            }
        }
        window.close().await;
    }
    furnished.service.stop().await;
}

/// Has axe in every page that is loaded from now on, and nothing move that could be between two colours.
async fn prepare(window: &Window<'_>) {
    window.be_patient(Duration::from_secs(60)).await;
    window.devtools("Page.addScriptToEvaluateOnNewDocument", json!({ "source": AXE })).await;
    emulate(window, "none").await;
}

async fn emulate(window: &Window<'_>, forced_colours: &str) {
    let features = json!([
        { "name": "prefers-reduced-motion", "value": "reduce" },
        { "name": "forced-colors", "value": forced_colours },
    ]);
    window.devtools("Emulation.setEmulatedMedia", json!({ "features": features })).await;
}

async fn look(window: &mut Window<'_>, page: &Page, width: u32) {
    window.resize(width).await;
    page.open(window).await;
    // What is folded is a page too.
    window.run("document.querySelectorAll('details').forEach(folded => { folded.open = true })", &[]).await;
    let name = format!("{} at {width} px", page.name());
    fits(window, &name).await;
    obeys(window, &json!(ALL_RULES), "light", &name).await;
    if torture::is_full() {
        obeys(window, &json!(ALL_RULES), "dark", &name).await;
        emulate(window, "active").await;
        obeys(window, &json!(ALL_RULES), "light", &format!("{name}, forced colours")).await;
        emulate(window, "none").await;
    } else {
        // Only colours depend on the theme.
        obeys(window, &json!({ "type": "rule", "values": ["color-contrast"] }), "dark", &name).await;
    }
    window.is_clean().await;
}

/// Nothing has to be scrolled to the side.
async fn fits(window: &Window<'_>, name: &str) {
    let widths = window.run("return [document.scrollingElement.scrollWidth, innerWidth]", &[]).await;
    assert!(widths[0].as_u64() <= widths[1].as_u64(), "{name}: it is {} wide, the window {}", widths[0], widths[1]);
}

async fn obeys(window: &Window<'_>, rules: &Value, theme: &str, name: &str) {
    window.run("document.documentElement.dataset.theme = arguments[0]", &[json!(theme)]).await;
    let broken = window.run_async(RUN, &[rules.clone()]).await;
    assert_eq!(broken, json!([]), "{name}, {theme}: {broken:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_without_anything_on_them_are_accessible_too() {
    let _stopwatch = Stopwatch::start("accessibility of empty pages");
    let service = Service::start().await;
    let window = Window::open(&service).await;
    prepare(&window).await;
    window.join("ada@example.com", Role::Admin).await;
    let mut pages = vec!["/dashboard/operations", "/dashboard/operations/inbound"];
    if torture::is_full() {
        pages.extend(["/dashboard/integrations", "/dashboard/settings/tokens", "/dashboard/audit"]);
    }
    for page in pages {
        for width in [320, 1280] {
            window.resize(width).await;
            window.go(page).await;
            let name = format!("empty {page} at {width} px");
            fits(&window, &name).await;
            for theme in ["light", "dark"] {
                obeys(&window, &json!(ALL_RULES), theme, &name).await;
            }
        }
    }
    // The menu of a narrow window lies over the page.
    window.resize(320).await;
    window.press("Menu").await;
    window.until_seen("#nav").await;
    for theme in ["light", "dark"] {
        obeys(&window, &json!(ALL_RULES), theme, "the menu at 320 px").await;
    }
    window.close().await;
    service.stop().await;
}
