//! The signed request that reports a status: where it may go, how it is made, and how often it is tried.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use hyper::header::{CONTENT_TYPE, HOST, USER_AGENT};
use time::macros::format_description;

use super::{
    api::API_VERSION,
    destination::{Retries, Target},
    faults::{Fault, Moment},
    life::Status,
    messages::Message,
    now, random_hex,
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
    /// The message has no `StatusCallback`.
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

/// Reports the status of `message` as it is in this copy.
pub(super) async fn deliver(shared: &Shared, message: &Message) -> Outcome {
    let Some(callback) = &message.status_callback else {
        return Outcome::NotWanted;
    };
    let mut times = 1;
    match shared.take_fault(Moment::Callback, Some(&message.to)) {
        Some(Fault::CallbackLost) => return Outcome::Lost,
        Some(Fault::CallbackRepeated { n }) => times = n,
        Some(Fault::CallbackDelayed { ms }) if !shared.pause(Duration::from_millis(ms)).await => {
            return Outcome::Stopped;
        }
        _ => {}
    }
    let report = match Report::of(shared, message, callback).await {
        Ok(report) => report,
        Err(reason) => {
            tracing::warn!(
                event = "sandbox.callback.refused",
                sid = message.sid,
                reason,
                "no callback for {}: {reason}",
                message.sid
            );
            return Outcome::Refused(reason);
        }
    };
    let mut outcome = Outcome::Stopped;
    for _ in 0..times {
        outcome = report.send(shared).await;
    }
    tracing::info!(
        event = "sandbox.callback",
        sid = message.sid,
        status = message.status.name(),
        ?outcome,
        "reported {}",
        message.status.name()
    );
    outcome
}

/// One report, ready to be sent any number of times.
struct Report {
    target: Target,
    retries: Retries,
    signature: String,
    /// The same for all tries of one report, so that the receiver can tell them from two reports.
    token: String,
    form: String,
}

impl Report {
    async fn of(shared: &Shared, message: &Message, callback: &str) -> Result<Self, String> {
        let target = Target::parse(callback, shared.callbacks_to.as_ref())?;
        let credentials = shared.credentials.current().await.ok_or("there are no credentials to sign with")?;
        let params = params(message);
        Ok(Self {
            target,
            retries: Retries::parse(callback),
            signature: signature::sign(callback, &params, &credentials.auth_token).ok_or("the auth token is empty")?,
            token: random_hex(),
            form: url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&params).finish(),
        })
    }

    async fn send(&self, shared: &Shared) -> Outcome {
        let mut tries_left = self.retries.count;
        loop {
            let result = tokio::select! {
                () = shared.stop.cancelled() => return Outcome::Stopped,
                result = self.send_once(&shared.client) => result,
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

    async fn send_once(&self, client: &reqwest::Client) -> reqwest::Result<u16> {
        let mut request = client
            .post(self.target.url.clone())
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded; charset=UTF-8")
            .header(USER_AGENT, "TwilioProxy/1.1")
            .header(SIGNATURE_HEADER, &self.signature)
            .header("I-Twilio-Idempotency-Token", &self.token)
            .body(self.form.clone());
        if let Some(host) = &self.target.host {
            request = request.header(HOST, host);
        }
        Ok(request.send().await?.status().as_u16())
    }
}

fn params(message: &Message) -> Vec<(String, String)> {
    let status = message.status;
    let mut params = vec![
        ("MessageSid", message.sid.clone()),
        ("SmsSid", message.sid.clone()),
        ("AccountSid", message.account_sid.clone()),
        ("From", message.from.clone()),
        ("To", message.to.clone()),
        ("MessageStatus", status.name().to_owned()),
        ("SmsStatus", status.name().to_owned()),
        ("ApiVersion", API_VERSION.to_owned()),
    ];
    if let Some(service) = &message.messaging_service_sid {
        params.push(("MessagingServiceSid", service.clone()));
    }
    if let Some(code) = message.error_code.filter(|_| matches!(status, Status::Failed | Status::Undelivered)) {
        params.push(("ErrorCode", code.to_string()));
    }
    if matches!(status, Status::Delivered | Status::Undelivered) {
        let done = now().format(format_description!("[year repr:last_two][month][day][hour][minute]"));
        params.push(("RawDlrDoneDate", done.expect("every time has these parts")));
    }
    params.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
