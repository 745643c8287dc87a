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
    let mut faults = Vec::new();
    for reader in Reader::ALL {
        let mut window = Window::open(&furnished.service).await;
        prepare(&window).await;
        if let Some(email) = reader.email() {
            window.go("/login").await;
            window.sign_in(email, PASSWORD).await;
            if reader == Reader::Guarded {
                window.fill("code", &furnished.recovery_code()).await;
                window.press("Sign in").await;
            }
            window.at("/dashboard/operations").await;
        }
        for page in pages.iter().filter(|page| page.reader == reader) {
            for width in widths {
                faults.extend(look(&mut window, page, *width).await);
            }
        }
        if reader == Reader::Admin {
            faults.extend(dialogs(&window, &furnished.id("waiting")).await);
        }
        window.close().await;
    }
    furnished.service.stop().await;
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

/// Has axe in every page that is loaded from now on, and nothing move that could be between two colours.
async fn prepare(window: &Window<'_>) {
    window.be_patient(Duration::from_mins(1)).await;
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

/// What is wrong with a page at this width.
async fn look(window: &mut Window<'_>, page: &Page, width: u32) -> Vec<String> {
    window.resize(width).await;
    page.open(window).await;
    // What is folded is a page too.
    window.run("document.querySelectorAll('details').forEach(folded => { folded.open = true })", &[]).await;
    let mut faults = sideways(window).await;
    faults.extend(broken(window, &json!(ALL_RULES), "light").await);
    if torture::is_full() {
        faults.extend(broken(window, &json!(ALL_RULES), "dark").await);
        emulate(window, "active").await;
        faults.extend(broken(window, &json!(ALL_RULES), "light").await);
        emulate(window, "none").await;
    } else {
        // Only colours depend on the theme.
        faults.extend(broken(window, &json!({ "type": "rule", "values": ["color-contrast"] }), "dark").await);
    }
    faults.extend(window.complaints().await);
    faults.into_iter().map(|fault| format!("{} at {width} px: {fault}", page.name())).collect()
}

/// What is wrong with the dialogs that stand over the page of an operation.
async fn dialogs(window: &Window<'_>, operation: &str) -> Vec<String> {
    window.go(&format!("/dashboard/operations/{operation}")).await;
    let mut faults = Vec::new();
    for dialog in ["#shortcuts", "#approve-dialog"] {
        window.run("document.querySelector(arguments[0]).showModal()", &[json!(dialog)]).await;
        faults.extend(sideways(window).await);
        for theme in ["light", "dark"] {
            faults.extend(broken(window, &json!(ALL_RULES), theme).await);
        }
        window.run("document.querySelector(arguments[0]).close()", &[json!(dialog)]).await;
    }
    faults.into_iter().map(|fault| format!("dialogs: {fault}")).collect()
}

/// Nothing has to be scrolled to the side.
async fn sideways(window: &Window<'_>) -> Vec<String> {
    let widths = window.run("return [document.scrollingElement.scrollWidth, innerWidth]", &[]).await;
    let fits = widths[0].as_u64() <= widths[1].as_u64();
    if fits { Vec::new() } else { vec![format!("it is {} wide, the window {}", widths[0], widths[1])] }
}

/// Which of these rules the page breaks in this theme, and where.
async fn broken(window: &Window<'_>, rules: &Value, theme: &str) -> Vec<String> {
    window.run("document.documentElement.dataset.theme = arguments[0]", &[json!(theme)]).await;
    let broken = window.run_async(RUN, std::slice::from_ref(rules)).await;
    broken.as_array().expect("a list").iter().map(|rule| format!("{theme}: {rule:#}")).collect()
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
    let mut faults = Vec::new();
    for page in pages {
        for width in [320, 1280] {
            window.resize(width).await;
            window.go(page).await;
            faults.extend(sideways(&window).await);
            for theme in ["light", "dark"] {
                faults.extend(broken(&window, &json!(ALL_RULES), theme).await);
            }
        }
    }
    // The menu of a narrow window lies over the page.
    window.resize(320).await;
    window.press("Menu").await;
    window.until_seen("#nav").await;
    for theme in ["light", "dark"] {
        faults.extend(broken(&window, &json!(ALL_RULES), theme).await);
    }
    window.close().await;
    service.stop().await;
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}
