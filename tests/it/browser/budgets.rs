//! What the first page weighs on its way, and that nothing in a page needs a weaker policy.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use mission_control::auth::{Role, Scope};
use reqwest::header::{ACCEPT_ENCODING, COOKIE, SET_COOKIE};

use super::Stopwatch;
use crate::support::service::{PASSWORD, Service};

/// Most bytes, as they travel.
const WITH_FONTS: usize = 120_000;
const WITHOUT_FONTS: usize = 60_000;
const SCRIPTS: usize = 25_000;

/// Rows of a full page.
const ROWS: usize = 50;

/// Somebody's way to the service, as a browser asks: for compressed answers.
struct Scales<'a> {
    service: &'a Service,
    cookie: String,
}

impl<'a> Scales<'a> {
    async fn of(service: &'a Service, email: &str) -> Self {
        let form = [("email", email), ("password", PASSWORD)];
        let login = service.client().post(service.url("/login")).form(&form).header("sec-fetch-site", "same-origin");
        let answer = login.send().await.expect("an answer");
        let cookie = answer.headers()[SET_COOKIE].to_str().expect("text").split(';').next().unwrap_or_default();
        Self { service, cookie: cookie.to_owned() }
    }

    /// What travels, and what it is when it has arrived.
    async fn weigh(&self, path: &str) -> (usize, String) {
        let ask = |encoding: &str| {
            let request = self.service.client().get(self.service.url(path)).header(COOKIE, &self.cookie);
            request.header(ACCEPT_ENCODING, encoding).send()
        };
        let travelling = ask("gzip").await.expect("an answer");
        assert!(travelling.status().is_success(), "{path}: {}", travelling.status());
        let weight = travelling.bytes().await.expect("a body").len();
        let arrived = ask("identity").await.expect("an answer").bytes().await.expect("a body");
        (weight, String::from_utf8_lossy(&arrived).into_owned())
    }
}

/// The addresses of our files that follow this mark, each up to the end of its attribute.
fn files(text: &str, mark: &str) -> BTreeSet<String> {
    let ends = ['"', '\'', ')', '#'];
    text.split(mark).skip(1).filter_map(|rest| rest.split(ends).next()).map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_page_is_light() {
    let _stopwatch = Stopwatch::start("the budgets");
    let service = Service::start().await;
    service.person("ada@example.com", Role::Admin).await;
    let token = service.token_of("ada@example.com", &Scope::ALL).await;
    for number in 0..ROWS {
        let message = format!("Parcel {number} comes between {} and {} o’clock.", number % 12, number % 12 + 2);
        service.ask(&token, &format!("+141555501{number:02}"), &message).await;
    }
    let scales = Scales::of(&service, "ada@example.com").await;
    let (page, html) = scales.weigh("/dashboard/operations").await;
    assert!(html.contains("Parcel 49"), "a full page");

    let mut loaded = files(&html, "href=\"/static/");
    loaded.append(&mut files(&html, "src=\"/static/"));
    let (mut light, mut scripts, mut fonts) = (page, 0, 0);
    let mut parts = vec![format!("the page itself: {page}")];
    for file in &loaded {
        let (weight, content) = scales.weigh(&format!("/static/{file}")).await;
        light += weight;
        parts.push(format!("{file}: {weight}"));
        let (name, kind) = file.rsplit_once('.').unwrap_or_default();
        if kind == "js" {
            scripts += weight;
        }
        if kind == "css" {
            let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
            for font in files(&content, "url(") {
                let (weight, _) = scales.weigh(&format!("/static/{folder}/{font}")).await;
                fonts += weight;
                parts.push(format!("{font}: {weight}"));
            }
        }
    }
    assert!(scripts > 0 && fonts > 0, "all was found: {parts:#?}");
    assert!(light <= WITHOUT_FONTS, "{light} bytes without fonts: {parts:#?}");
    assert!(light + fonts <= WITH_FONTS, "{} bytes: {parts:#?}", light + fonts);
    assert!(scripts <= SCRIPTS, "{scripts} bytes of scripts: {parts:#?}");
    service.stop().await;
}

fn templates(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            templates(&path, found);
        } else {
            found.push((path.display().to_string(), fs::read_to_string(&path).expect("a text")));
        }
    }
}

#[test]
fn no_template_has_anything_inline() {
    let mut all = Vec::new();
    templates(&Path::new(env!("CARGO_MANIFEST_DIR")).join("templates"), &mut all);
    assert!(!all.is_empty());
    for (name, text) in all {
        let scripts = text.matches("<script").count();
        assert_eq!(scripts, text.matches("<script src=\"").count(), "{name}: a script of its own");
        for forbidden in
            ["<style", " style=", "hx-on", "js:", "javascript:", " onclick=", " onchange=", " onsubmit=", " onload="]
        {
            assert!(!text.contains(forbidden), "{name}: {forbidden}");
        }
        let triggers = text.split("hx-trigger=\"").skip(1).filter_map(|rest| rest.split('"').next());
        for trigger in triggers {
            assert!(!trigger.contains('['), "{name}: a filter is code: {trigger}");
        }
    }
}
