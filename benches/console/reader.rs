//! Somebody who has signed in and looks at pages.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use reqwest::header::{COOKIE, SET_COOKIE};
use reqwest::{Client, RequestBuilder};

use crate::product::Product;

/// The first admin, by the session's cookie.
pub(crate) struct Reader {
    client: Client,
    url: String,
    pub(crate) cookie: String,
    token: String,
}

impl Reader {
    pub(crate) async fn sign_in(product: &Product) -> anyhow::Result<Self> {
        // The provider of TLS for every client, though nothing here uses any.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let no_redirect = reqwest::redirect::Policy::none();
        let client = Client::builder().redirect(no_redirect).no_proxy().timeout(Duration::from_mins(1)).build()?;
        let password = std::fs::read_to_string(product.folder.path().join("data/initial-admin-password"))?;
        let form = [("email", "admin@localhost"), ("password", password.trim())];
        let login = client.post(format!("{}/login", product.url)).header("sec-fetch-site", "same-origin").form(&form);
        let answer = login.send().await?;
        let set = answer.headers().get(SET_COOKIE).context("a session")?.to_str()?;
        let cookie = set.split(';').next().unwrap_or_default().to_owned();
        Ok(Self { client, url: product.url.clone(), cookie, token: product.token()? })
    }

    fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("{}{path}", self.url)).header(COOKIE, &self.cookie)
    }

    /// Loads a page, and says how long that took.
    pub(crate) async fn page(&self, path: &str) -> anyhow::Result<Duration> {
        let began = Instant::now();
        let answer = self.get(path).send().await?;
        anyhow::ensure!(answer.status().is_success(), "{path}: {}", answer.status());
        answer.bytes().await?;
        Ok(began.elapsed())
    }

    /// Asks for an SMS, and returns its id as soon as it is committed.
    pub(crate) async fn ask(&self, number: u32) -> anyhow::Result<String> {
        let body = serde_json::json!({ "to": "+14155550132", "message": format!("Driver {number} is near.") });
        let asked = self.client.post(format!("{}/api/twilio/send-sms", self.url)).bearer_auth(&self.token).json(&body);
        let answer = asked.send().await?;
        anyhow::ensure!(answer.status().as_u16() == 202, "{}", answer.status());
        let answer: serde_json::Value = answer.json().await?;
        Ok(answer["operationId"].as_str().context("an id")?.to_owned())
    }
}
