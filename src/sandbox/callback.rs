//! The signed requests that report a status or ask for a script: how they are made, and how often they are tried.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use hyper::header::CONTENT_TYPE;
use reqwest::{Method, Response};

use super::{
    destination::{Retries, Target},
    faults::{Fault, Moment},
    living::Living,
    random_hex,
    state::Shared,
};
use crate::twilio::signature::{self, SIGNATURE_HEADER};

/// Twilio's limits for one try.
const CONNECT_TIME_OUT: Duration = Duration::from_secs(5);
const TOTAL_TIME_OUT: Duration = Duration::from_secs(15);

/// What became of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Answered, with this HTTP status.
    Answered(u16),
    /// There is no `StatusCallback`, or it is not told of this status.
    NotWanted,
    /// It would have left the machine, or could not be signed.
    Refused(String),
    /// Every try failed before an answer.
    Failed(String),
    /// Lost on demand.
    Lost,
    /// The sandbox stopped first.
    Stopped,
}

/// A client that follows nothing, asks no proxy and never leaves the machine through a name.
pub(super) fn client() -> reqwest::Result<reqwest::Client> {
    // Whoever was first wins; all of this process use the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_TIME_OUT)
        .timeout(TOTAL_TIME_OUT)
        .pool_max_idle_per_host(0)
        .resolve("localhost", SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
        .build()
}

/// Reports the status as it is in this copy.
pub(super) async fn deliver<L: Living>(shared: &Shared, living: &L) -> Outcome {
    let vitals = living.vitals();
    let Some(callback) = vitals.status_callback.as_ref().filter(|_| !vitals.reported) else {
        return Outcome::NotWanted;
    };
    let mut times = 1;
    match shared.take_fault(Moment::Callback, Some(&vitals.to)) {
        Some(Fault::CallbackLost) => return Outcome::Lost,
        Some(Fault::CallbackRepeated { n }) => times = n,
        Some(Fault::CallbackDelayed { ms }) if !shared.pause(Duration::from_millis(ms)).await => {
            return Outcome::Stopped;
        }
        _ => {}
    }
    let (sid, status) = (&vitals.sid, vitals.status);
    let webhook = match Webhook::of(shared, callback, living.report(), L::SIGNS_HTTPS_PORT).await {
        Ok(webhook) => webhook,
        Err(reason) => {
            tracing::warn!(event = "sandbox.callback.refused", sid, reason, "no callback for {sid}: {reason}");
            return Outcome::Refused(reason);
        }
    };
    let mut outcome = Outcome::Stopped;
    for _ in 0..times {
        outcome = webhook.report(shared).await;
    }
    tracing::info!(event = "sandbox.callback", sid, %status, ?outcome, "reported {status}");
    outcome
}

/// One signed request, ready to be sent any number of times.
pub(super) struct Webhook {
    target: Target,
    retries: Retries,
    signature: String,
    /// The same for all tries of one request, so that the receiver can tell them from two requests.
    token: String,
    form: String,
}

impl Webhook {
    /// The request to `url`, or why it cannot be made.
    pub(super) async fn of(
        shared: &Shared,
        url: &str,
        params: Vec<(&'static str, String)>,
        signs_https_port: bool,
    ) -> Result<Self, String> {
        let target = Target::parse(url, shared.callbacks_to.as_ref())?;
        let credentials = shared.credentials.current().await.map_err(|error| error.to_string())?;
        let credentials = credentials.ok_or("there are no credentials to sign with")?;
        let params: Vec<_> = params.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let signed = if signs_https_port { url.to_owned() } else { without_https_port(url) };
        Ok(Self {
            target,
            retries: Retries::parse(url),
            signature: signature::sign(&signed, &params, &credentials.auth_token).ok_or("the auth token is empty")?,
            token: random_hex(),
            form: url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&params).finish(),
        })
    }

    /// Sends it until it is answered as its URL wants it.
    async fn report(&self, shared: &Shared) -> Outcome {
        let mut tries_left = self.retries.count;
        loop {
            let result = tokio::select! {
                () = shared.stop.cancelled() => return Outcome::Stopped,
                result = self.post(&shared.client) => result.map(|answer| answer.status().as_u16()),
            };
            if tries_left == 0 || !self.retries.covers(&result) {
                return result.map_or_else(|error| Outcome::Failed(error.without_url().to_string()), Outcome::Answered);
            }
            tries_left -= 1;
            if !shared.pause(shared.pace.retry()).await {
                return Outcome::Stopped;
            }
        }
    }

    pub(super) async fn post(&self, client: &reqwest::Client) -> reqwest::Result<Response> {
        let request = self
            .target
            .request(client, Method::POST)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded; charset=UTF-8")
            .header(SIGNATURE_HEADER, &self.signature)
            .header("I-Twilio-Idempotency-Token", &self.token);
        request.body(self.form.clone()).send().await
    }
}

/// The URL as Twilio signs it for calls: https without its port, the rest to the letter.
fn without_https_port(url: &str) -> String {
    let Some(rest) = url.strip_prefix("https://") else {
        return url.to_owned();
    };
    let (authority, rest) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => host,
        _ => authority,
    };
    format!("https://{host}{rest}")
}

#[cfg(test)]
mod tests {
    use super::without_https_port;

    #[test]
    fn calls_are_signed_without_the_port_of_https() {
        for (url, signed) in [
            ("https://example.com:8443/cb?a=b:1#rc=1", "https://example.com/cb?a=b:1#rc=1"),
            ("https://example.com/cb:1", "https://example.com/cb:1"),
            ("https://user:secret@example.com", "https://user:secret@example.com"),
            ("https://[::1]/cb", "https://[::1]/cb"),
            ("https://[::1]:8443/cb", "https://[::1]/cb"),
            ("http://example.com:8080/cb", "http://example.com:8080/cb"),
        ] {
            assert_eq!(without_https_port(url), signed);
        }
    }
}
