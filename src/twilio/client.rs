//! How we speak to Twilio: one HTTP/1.1 request on a connection of its own, no redirects, no retries of the client's.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use reqwest::redirect::Policy;
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;
use url::Url;

use super::freshness::{CheckedAt, FreshnessLayer};
use crate::tls;
use crate::vault::TwilioCredentials;

/// Where Twilio is.
const TWILIO: &str = "https://api.twilio.com";

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Longest we wait for Twilio to take a message; past this the outcome is unknown.
const SEND_TIMEOUT: Duration = Duration::from_secs(20);

/// Longest wait for a look-up.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// Most bytes of an answer that are read; a page of a list is the largest.
const ANSWER_LIMIT: usize = 4 * 1024 * 1024;

/// The way to Twilio, or to the emulator at another address.
#[derive(Clone)]
pub struct Twilio {
    base: Arc<Url>,
    tls: rustls::ClientConfig,
    reader: reqwest::Client,
}

/// What came back.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) request_id: Option<String>,
    pub(super) retry_after: Option<Duration>,
    /// What Twilio's clock said.
    pub(super) date: Option<OffsetDateTime>,
    /// `None`: it ended early or was too long.
    pub(super) body: Option<Vec<u8>>,
}

/// Why there is no answer.
pub(super) enum NoAnswer {
    /// No connection: nothing was written.
    NotConnected(String),
    /// Anything may have happened.
    Lost(String),
}

/// Twilio's error body.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct TwilioError {
    pub(super) code: i32,
    #[serde(default)]
    pub(super) message: String,
}

impl Twilio {
    /// Prepares the way; nothing is sent. `base` replaces Twilio's own address.
    pub fn new(base: Option<Url>) -> anyhow::Result<Self> {
        let base = base.map_or_else(|| Url::parse(TWILIO), Ok)?;
        let tls = tls::client()?;
        let reader = builder(&tls, READ_TIMEOUT).build().context("the HTTP client for look-ups")?;
        Ok(Self { base: Arc::new(base), tls, reader })
    }

    /// The URL of a resource of the account.
    pub(super) fn resource(&self, account_sid: &str, resource: &str) -> Result<Url, url::ParseError> {
        self.base.join(&format!("/2010-04-01/Accounts/{account_sid}/{resource}.json"))
    }

    /// Sends a form once, on a connection of its own that was made no later than allowed after the check.
    pub(super) async fn post_once(
        &self,
        url: Url,
        credentials: &TwilioCredentials,
        form: &[(&str, String)],
        checked_at: CheckedAt,
    ) -> Result<Answer, NoAnswer> {
        let client = builder(&self.tls, SEND_TIMEOUT)
            .connector_layer(FreshnessLayer(checked_at))
            .build()
            .map_err(|error| NoAnswer::NotConnected(format!("the HTTP client could not be made: {error}")))?;
        answer(authorized(client.post(url), credentials).form(form)).await
    }

    /// Reads a resource.
    pub(super) async fn get(&self, url: Url, credentials: &TwilioCredentials) -> Result<Answer, NoAnswer> {
        answer(authorized(self.reader.get(url), credentials)).await
    }

    /// The absolute URL of a `next_page_uri`, which must stay at Twilio's address.
    pub(super) fn page(&self, uri: &str) -> Option<Url> {
        self.base.join(uri).ok().filter(|url| url.origin() == self.base.origin())
    }
}

/// No pool: a connection that Twilio closed meanwhile would make an outcome unknown for nothing, and a fresh one tells
/// "not connected" from "lost".
fn builder(tls: &rustls::ClientConfig, timeout: Duration) -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls.clone())
        .http1_only()
        .redirect(Policy::none())
        .retry(reqwest::retry::never())
        .pool_max_idle_per_host(0)
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(timeout)
        .no_proxy()
        .user_agent(concat!("mission-control/", env!("CARGO_PKG_VERSION")))
}

fn authorized(request: reqwest::RequestBuilder, credentials: &TwilioCredentials) -> reqwest::RequestBuilder {
    let (user, password) = credentials.login();
    #[expect(clippy::disallowed_methods, reason = "the password of Twilio's basic authentication")]
    let password = password.expose_secret();
    request.basic_auth(user, Some(password))
}

async fn answer(request: reqwest::RequestBuilder) -> Result<Answer, NoAnswer> {
    let mut response = request.send().await.map_err(|error| {
        let text = describe(&error);
        if error.is_connect() || error.is_builder() { NoAnswer::NotConnected(text) } else { NoAnswer::Lost(text) }
    })?;
    let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
    let request_id = header("twilio-request-id").map(|id| id.chars().take(64).collect());
    let retry_after = header("retry-after").and_then(|value| value.parse().ok()).map(Duration::from_secs);
    let date = header("date").and_then(|date| OffsetDateTime::parse(date, &Rfc2822).ok());
    let status = response.status().as_u16();
    let mut body = Some(Vec::new());
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) => match &mut body {
                Some(bytes) if bytes.len() + chunk.len() <= ANSWER_LIMIT => bytes.extend_from_slice(&chunk),
                _ => body = None,
            },
            Ok(None) => break,
            Err(_) => {
                body = None;
                break;
            }
        }
        if body.is_none() {
            break;
        }
    }
    Ok(Answer { status, request_id, retry_after, date, body })
}

/// The error with its causes, and without the URL, which holds the account.
fn describe(error: &reqwest::Error) -> String {
    let mut text = if error.is_timeout() { "no answer in time".to_owned() } else { "the connection failed".to_owned() };
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
