//! The running service, as a caller meets it.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context as _, bail};
use reqwest::{Method, RequestBuilder};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use crate::operation::api::SOURCE;
use crate::tls;

/// Longest wait for an answer.
const TIMEOUT: Duration = Duration::from_secs(20);

pub(crate) struct Service {
    client: reqwest::Client,
    base: String,
    token: SecretString,
    /// Who asks, for the operation's label: `api` or `gateway`.
    source: &'static str,
    /// The ids of what was asked for.
    asked: Mutex<Vec<String>>,
}

impl Service {
    pub(crate) fn new(base: &str, token: &SecretString, source: &'static str) -> anyhow::Result<Self> {
        let client = reqwest::Client::builder().tls_backend_preconfigured(tls::client()?).timeout(TIMEOUT).build()?;
        Ok(Self { client, base: base.to_owned(), token: token.clone(), source, asked: Mutex::default() })
    }

    /// Fails unless the service is there and can work.
    pub(crate) async fn ready(&self) -> anyhow::Result<()> {
        let sent = self.client.get(format!("{}/readyz", self.base)).send().await;
        let answer = sent.with_context(|| {
            format!("nobody answers at {}. Start the service, or set MISSION_CONTROL_PUBLIC_URL", self.base)
        })?;
        anyhow::ensure!(answer.status().is_success(), "{}/readyz answers {}", self.base, answer.status());
        Ok(())
    }

    /// Asks for an SMS or a call, or for the same once more.
    pub(crate) async fn ask(&self, route: &str, key: &str, body: &Value) -> anyhow::Result<Value> {
        let path = format!("/api/twilio/{route}");
        let request = self.request(Method::POST, &path).header("Idempotency-Key", key).json(body);
        let request = request.header(SOURCE, self.source);
        let operation = told(request, &path).await?;
        if let (Some(id), Ok(mut asked)) = (operation["operationId"].as_str(), self.asked.lock()) {
            asked.push(id.to_owned());
        }
        Ok(operation)
    }

    pub(crate) async fn approve(&self, operation: &Value) -> anyhow::Result<()> {
        let path = format!("/api/operations/{}/approve", super::word(&operation["operationId"]));
        told(self.request(Method::POST, &path).json(&json!({ "digest": operation["digest"] })), &path).await?;
        Ok(())
    }

    /// The whole story of an operation.
    pub(crate) async fn operation(&self, id: &str) -> anyhow::Result<Value> {
        let path = format!("/api/operations/{id}");
        told(self.request(Method::GET, &path), &path).await
    }

    /// Withdraws whatever is not approved and sent yet; what is, cannot be withdrawn.
    pub(crate) async fn withdraw_all(&self) {
        let asked = self.asked.lock().map(|asked| asked.clone()).unwrap_or_default();
        for id in asked {
            let reason = json!({ "reason": "The verification was given up" });
            let request = self.request(Method::POST, &format!("/api/operations/{id}/cancel")).json(&reason);
            // Refused for what has ended, which is well.
            let _ = request.send().await;
        }
    }

    /// How often each event was logged so far, by the service's own count.
    pub(crate) async fn log_events(&self) -> anyhow::Result<BTreeMap<String, u64>> {
        let answer = self.request(Method::GET, "/metrics").send().await?.error_for_status()?;
        Ok(read_events(&answer.text().await?))
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        #[expect(clippy::disallowed_methods, reason = "the token of this run, as the service takes it")]
        let token = self.token.expose_secret();
        self.client.request(method, format!("{}{path}", self.base)).bearer_auth(token)
    }
}

/// The body of an answer about an operation. A refusal before there is one is an error in the service's own words.
async fn told(request: RequestBuilder, path: &str) -> anyhow::Result<Value> {
    let answer = request.send().await.with_context(|| format!("no answer from {path}"))?;
    let status = answer.status();
    let body: Value = answer.json().await.with_context(|| format!("{path} answered {status} without JSON"))?;
    if body.get("operationId").is_none() {
        bail!("{path} answered {status}: {}", super::word(&body["detail"]));
    }
    Ok(body)
}

/// Reads the counter of log lines out of Prometheus' text.
fn read_events(metrics: &str) -> BTreeMap<String, u64> {
    let lines = metrics.lines().filter_map(|line| line.strip_prefix("mission_control_log_events_total{event=\""));
    lines
        .filter_map(|line| line.split_once("\"} "))
        .filter_map(|(name, times)| Some((name.to_owned(), times.parse().ok()?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_of_log_lines_is_read() {
        let text =
            "# TYPE x counter\nmission_control_log_events_total{event=\"twilio.outcome\"} 7\nother{event=\"x\"} 1\n";
        assert_eq!(read_events(text), BTreeMap::from([("twilio.outcome".to_owned(), 7)]));
    }
}
