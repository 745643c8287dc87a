//! One person's browser: what they see, click and type, and what the browser complains about behind their back.

use std::time::Duration;

use fantoccini::actions::{InputSource as _, KeyAction, KeyActions};
use fantoccini::elements::Element;
use fantoccini::error::CmdError;
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, Locator};
use mission_control::auth::Role;
use reqwest::Method;
use serde_json::{Value, json};
use url::{ParseError, Url};

use super::driver;
use crate::support::service::{PASSWORD, Service, eventually};

/// Wide enough for two panes, as most people have it.
pub(super) const USUAL: u32 = 1280;

/// A browser window with a profile of its own.
pub(super) struct Window<'a> {
    service: &'a Service,
    client: Client,
    /// The addresses whose refusal is part of the journey.
    refusals: Vec<String>,
}

impl<'a> Window<'a> {
    /// Somebody who has not signed in.
    pub(super) async fn open(service: &'a Service) -> Self {
        Self::with(service, json!({})).await
    }

    /// The same, with scripts switched off in the browser's settings.
    pub(super) async fn without_scripts(service: &'a Service) -> Self {
        Self::with(service, json!({ "profile.managed_default_content_settings.javascript": 2 })).await
    }

    async fn with(service: &'a Service, preferences: Value) -> Self {
        let client = driver::session(preferences).await;
        Self { service, client, refusals: Vec::new() }
    }

    /// A new person with this role, who has signed in.
    pub(super) async fn of(service: &'a Service, email: &str, role: Role) -> Self {
        let window = Self::open(service).await;
        window.join(email, role).await;
        window
    }

    /// Makes a new person with this role, and signs them in.
    pub(super) async fn join(&self, email: &str, role: Role) {
        self.service.person(email, role).await;
        self.go("/login").await;
        self.sign_in(email, PASSWORD).await;
        self.at("/dashboard/operations").await;
    }

    /// Fills in the page on which the person stands.
    pub(super) async fn sign_in(&self, email: &str, password: &str) {
        self.fill("email", email).await;
        self.fill("password", password).await;
        self.press("Sign in").await;
    }

    /// Has everybody who is signed in have signed in just now.
    pub(super) async fn stays_fresh(&self) {
        let statement = "update sessions set authenticated_at = last_seen_at";
        sqlx::query(statement).execute(&self.service.app().db).await.expect("fresh sessions");
    }

    /// Says that this address will refuse something, which the browser logs and which is no fault here.
    pub(super) fn expect_refusal(&mut self, path: &str) {
        self.refusals.push(self.service.url(path));
    }

    pub(super) async fn go(&self, path: &str) {
        self.client.goto(&self.service.url(path)).await.unwrap_or_else(|error| panic!("{path}: {error}"));
    }

    pub(super) async fn back(&self) {
        self.client.back().await.expect("a page before");
    }

    pub(super) async fn forward(&self) {
        self.client.forward().await.expect("a page after");
    }

    pub(super) async fn reload(&self) {
        self.client.refresh().await.expect("a page");
    }

    /// Where the window is: path and query.
    pub(super) async fn place(&self) -> String {
        let url = self.client.current_url().await.expect("an address");
        url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()))
    }

    /// Waits until the window is at this address.
    pub(super) async fn at(&self, path: &str) {
        self.until(&format!("the address {path}"), async || {
            let place = self.place().await;
            if place == path { Ok(()) } else { Err(place) }
        })
        .await;
    }

    /// Waits until the window is at an address that begins so, and says which.
    pub(super) async fn at_some(&self, start: &str) -> String {
        self.until(&format!("an address {start}…"), async || {
            let place = self.place().await;
            if place.starts_with(start) { Ok(place) } else { Err(place) }
        })
        .await
    }

    /// Waits until what this selector finds shows this text, and says what it shows.
    pub(super) async fn shows(&self, css: &str, text: &str) -> String {
        self.until(&format!("{css} to show {text:?}"), async || {
            let shown = self.text(css).await;
            if shown.contains(text) { Ok(shown) } else { Err(shown) }
        })
        .await
    }

    /// What this selector finds, as a person reads it.
    pub(super) async fn text(&self, css: &str) -> String {
        let script = "return [...document.querySelectorAll(arguments[0])].map(found => found.innerText).join('\\n')";
        self.run(script, &[json!(css)]).await.as_str().unwrap_or_default().to_owned()
    }

    /// How many this selector finds.
    pub(super) async fn count(&self, css: &str) -> u64 {
        let counted = self.run("return document.querySelectorAll(arguments[0]).length", &[json!(css)]).await;
        counted.as_u64().expect("a number")
    }

    /// Waits until this selector finds so many.
    pub(super) async fn until_count(&self, css: &str, count: u64) {
        self.until(&format!("{count} of {css}"), async || {
            let found = self.count(css).await;
            if found == count { Ok(()) } else { Err(format!("{found}, at {}", self.place().await)) }
        })
        .await;
    }

    /// Waits until something that this selector finds is seen.
    pub(super) async fn until_seen(&self, css: &str) {
        let script = "return [...document.querySelectorAll(arguments[0])].some(found => found.checkVisibility())";
        self.until(&format!("the sight of {css}"), async || {
            // Between two pages there is none.
            let seen = self.client.execute(script, vec![json!(css)]).await.map_err(|error| error.to_string())?;
            if seen == json!(true) { Ok(()) } else { Err(self.text("h1, [role=alert]").await) }
        })
        .await;
    }

    /// Clicks what this selector finds first.
    pub(super) async fn click(&self, css: &str) {
        self.click_on(Locator::Css(css), css).await;
    }

    /// Clicks the button or the link that is called so, of those that are seen.
    pub(super) async fn press(&self, label: &str) {
        let called = format!("[normalize-space(.)=\"{label}\" or @aria-label=\"{label}\"]");
        let path = format!("//button{called} | //a{called} | //summary{called}");
        self.click_on(Locator::XPath(&path), label).await;
    }

    /// Tries again where the page changed under the pointer, as live pages do.
    async fn click_on(&self, locator: Locator<'_>, name: &str) {
        self.until(&format!("a click on {name:?}"), async || {
            let mut last = format!("it is not on {}", self.place().await);
            for found in self.client.find_all(locator).await.map_err(|error| error.to_string())? {
                match found.is_displayed().await {
                    Ok(false) => "it is not seen".clone_into(&mut last),
                    Ok(true) => match self.click_element(&found).await {
                        Ok(()) => return Ok(()),
                        Err(error) => last = error.to_string(),
                    },
                    Err(error) => last = error.to_string(),
                }
            }
            Err(last)
        })
        .await;
    }

    async fn click_element(&self, element: &Element) -> Result<(), CmdError> {
        // By itself the driver scrolls it to the edge, where bars lie that stay in place.
        let script = "arguments[0].scrollIntoView({ block: 'center', behavior: 'instant' })";
        self.client.execute(script, vec![json!(element)]).await?;
        element.click().await
    }

    /// Types into the field with this id, in place of what stood there.
    pub(super) async fn fill(&self, id: &str, text: &str) {
        // Not `#id`: the ids of settings have full stops.
        self.fill_found(&format!("[id='{id}']"), text).await;
    }

    /// Types into the field that this selector finds, in place of what stood there.
    pub(super) async fn fill_found(&self, css: &str, text: &str) {
        self.until(&format!("the field {css}"), async || {
            self.type_into(css, text).await.map_err(|error| error.to_string())
        })
        .await;
    }

    async fn type_into(&self, css: &str, text: &str) -> Result<(), CmdError> {
        let field = self.client.find(Locator::Css(css)).await?;
        field.clear().await?;
        field.send_keys(text).await
    }

    /// Presses keys one after another, wherever the focus is.
    pub(super) async fn keys(&self, keys: &[char]) {
        let pressed = keys.iter().fold(KeyActions::new("keys".to_owned()), |actions, key| {
            actions.then(KeyAction::Down { value: *key }).then(KeyAction::Up { value: *key })
        });
        self.client.perform_actions(pressed).await.expect("a keyboard");
    }

    /// The value of a field.
    pub(super) async fn value(&self, id: &str) -> String {
        let value = self.run("return document.getElementById(arguments[0]).value", &[json!(id)]).await;
        value.as_str().unwrap_or_else(|| panic!("no value in {id}")).to_owned()
    }

    /// Runs a script in the page, past its policy.
    pub(super) async fn run(&self, script: &str, arguments: &[Value]) -> Value {
        let ran = self.client.execute(script, arguments.to_vec()).await;
        ran.unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    /// Runs a script that answers later.
    pub(super) async fn run_async(&self, script: &str, arguments: &[Value]) -> Value {
        let ran = self.client.execute_async(script, arguments.to_vec()).await;
        ran.unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    /// Gives the window this width, however narrow.
    pub(super) async fn resize(&self, width: u32) {
        let size = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", size).await;
    }

    /// One command of Chromium's own protocol.
    pub(super) async fn devtools(&self, name: &str, parameters: Value) -> Value {
        let command = Command { path: "goog/cdp/execute", body: json!({ "cmd": name, "params": parameters }) };
        self.client.issue_cmd(command).await.unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Leaves a mark that only a newly loaded page has not.
    pub(super) async fn mark(&self) {
        self.run("window.stayed = true", &[]).await;
    }

    /// Makes sure that no page was loaded since the mark was left.
    pub(super) async fn has_stayed(&self) {
        let stayed = self.run("return window.stayed === true", &[]).await;
        assert_eq!(stayed, json!(true), "the page was loaded anew, at {}", self.place().await);
    }

    /// Waits until it is so. A live page may change between two looks, so a look that fails is only one more to come.
    pub(super) async fn until<T>(&self, what: &str, look: impl AsyncFn() -> Result<T, String>) -> T {
        eventually(what, || look()).await
    }

    /// Fails if a script failed, the policy was broken, or something was not there, since the last time.
    pub(super) async fn is_clean(&self) {
        let complaints = self.complaints().await;
        assert!(complaints.is_empty(), "the browser complains at {}: {complaints:#?}", self.place().await);
    }

    /// What the browser complained of since the last time.
    pub(super) async fn complaints(&self) -> Vec<String> {
        let command = Command { path: "se/log", body: json!({ "type": "browser" }) };
        let log = self.client.issue_cmd(command).await.expect("the browser's log");
        let is_expected = |entry: &Value| {
            let message = entry["message"].as_str().unwrap_or_default();
            entry["source"] == "network" && self.refusals.iter().any(|url| message.starts_with(&format!("{url} - ")))
        };
        let entries = log.as_array().expect("a list").iter();
        let severe = entries.filter(|entry| entry["level"] == "SEVERE" || entry["source"] == "security");
        severe.filter(|entry| !is_expected(entry)).map(|entry| entry["message"].to_string()).collect()
    }

    /// Closes the window, if all was clean.
    pub(super) async fn close(self) {
        self.is_clean().await;
        self.client.close().await.expect("a window that closes");
    }

    /// How long a script that answers later may take.
    pub(super) async fn be_patient(&self, patience: Duration) {
        let timeouts = fantoccini::wd::TimeoutConfiguration::new(Some(patience), None, None);
        self.client.update_timeouts(timeouts).await.expect("patience");
    }
}

/// What `WebDriver` has no word for, and Chromium's driver has.
#[derive(Debug)]
struct Command {
    path: &'static str,
    body: Value,
}

impl WebDriverCompatibleCommand for Command {
    fn endpoint(&self, base_url: &Url, session_id: Option<&str>) -> Result<Url, ParseError> {
        base_url.join(&format!("session/{}/{}", session_id.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.body.to_string()))
    }
}
