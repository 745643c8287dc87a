//! A person with a browser: a cookie jar, forms, and an eye for what every page must have.

use std::collections::BTreeMap;

use mission_control::auth::Role;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::Value;

use crate::support::service::{Answer, PASSWORD, Service, eventually};

/// A browser of one person.
#[derive(Clone)]
pub(crate) struct Browser<'a> {
    service: &'a Service,
    cookies: BTreeMap<String, String>,
}

impl<'a> Browser<'a> {
    pub(crate) fn new(service: &'a Service) -> Self {
        Self { service, cookies: BTreeMap::new() }
    }

    /// The browser of a new person with this role, who has signed in.
    pub(crate) async fn of(service: &'a Service, email: &str, role: Role) -> Self {
        service.person(email, role).await;
        let mut browser = Self::new(service);
        browser.sign_in(email, PASSWORD).await;
        browser
    }

    pub(crate) async fn sign_in(&mut self, email: &str, password: &str) {
        let answer = self.post("/login", &[("email", email), ("password", password)]).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
    }

    /// Loads a page, which must be there and sound.
    pub(crate) async fn page(&mut self, path: &str) -> String {
        let answer = self.get(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text);
        sound(path, &answer);
        answer.text
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.send(self.service.client().get(self.service.url(path))).await
    }

    /// Asks as a script of a page of ours does, with headers of its own.
    pub(crate) async fn get_with(&mut self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let request = self.service.client().get(self.service.url(path));
        self.send(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))).await
    }

    /// Asks as a script of a page of ours does, with JSON.
    pub(crate) async fn ask_as(&mut self, method: Method, path: &str, body: &Value) -> Answer {
        let request = self.service.client().request(method, self.service.url(path)).json(body);
        self.send(request.header("sec-fetch-site", "same-origin")).await
    }

    /// The value of a cookie.
    pub(crate) fn cookie(&self, name: &str) -> Option<String> {
        self.cookies.get(name).cloned()
    }

    /// Posts a form as a page of ours does.
    pub(crate) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.post_from(path, fields, "same-origin", "/dashboard/operations").await
    }

    /// Posts a form as a page of this site does, on which the reader stands.
    pub(crate) async fn post_from(&mut self, path: &str, fields: &[(&str, &str)], site: &str, page: &str) -> Answer {
        let request = self.service.client().post(self.service.url(path)).form(fields);
        self.send(request.header("sec-fetch-site", site).header("referer", self.service.url(page))).await
    }

    /// Posts a form that must be taken, and returns where it leads.
    pub(crate) async fn submit(&mut self, path: &str, fields: &[(&str, &str)]) -> String {
        let answer = self.post(path, fields).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{path}: {}", answer.text);
        answer.header("location").expect("a way on").to_owned()
    }

    /// Posts a form that must be refused with this status, and returns the page that says why.
    pub(crate) async fn refused(&mut self, path: &str, fields: &[(&str, &str)], status: u16) -> String {
        let answer = self.post(path, fields).await;
        assert_eq!(answer.status.as_u16(), status, "{path}: {}", answer.text);
        sound(path, &answer);
        answer.text
    }

    /// Asks for an SMS by the form, and returns the address of its page.
    pub(crate) async fn ask(&mut self, to: &str, message: &str) -> String {
        let form = self.page("/dashboard/operations/new-sms").await;
        let key = hidden(&form, "idempotency_key");
        let fields = [("kind", "sms"), ("idempotency_key", &key), ("to", to), ("message", message)];
        self.submit("/dashboard/operations", &fields).await
    }

    /// Loads a page until it shows this.
    pub(crate) async fn until(&mut self, path: &str, text: &str) -> String {
        let cell = tokio::sync::Mutex::new(self);
        eventually(&format!("{path} to show {text}"), || async {
            let page = cell.lock().await.page(path).await;
            if page.contains(text) { Ok(page) } else { Err(page) }
        })
        .await
    }

    async fn send(&mut self, mut request: RequestBuilder) -> Answer {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !cookies.is_empty() {
            request = request.header("cookie", cookies.join("; "));
        }
        let answer = self.service.send(request.header("accept", "text/html")).await;
        for set in answer.headers.get_all("set-cookie") {
            let pair = set.to_str().expect("text").split(';').next().unwrap_or_default();
            let (name, value) = pair.split_once('=').expect("a cookie");
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        answer
    }
}

/// What every page of ours has, and what none may have.
fn sound(path: &str, answer: &Answer) {
    let page = &answer.text;
    let policy = answer.header("content-security-policy").unwrap_or_default();
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{path}: {policy}");
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"), "{path}");
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
    assert_eq!(page.matches("<h1").count(), 1, "{path}");
    assert!(page.contains("<title>[Sandbox] ") && page.contains("class=\"mode-bar\""), "{path}");
    let scripts = page.matches("<script").count();
    assert_eq!(scripts, page.matches("<script src=\"/static/").count(), "{path}: no script of its own");
    for forbidden in ["<style", " style=\"", " onclick", " onload"] {
        assert!(!page.contains(forbidden), "{path}: {forbidden}");
    }
}

/// The value of a hidden field.
pub(crate) fn hidden(page: &str, name: &str) -> String {
    let mark = format!("name=\"{name}\" value=\"");
    let (_, rest) = page.split_once(&mark).unwrap_or_else(|| panic!("no field {name}: {page}"));
    rest.split('"').next().unwrap_or_default().to_owned()
}
