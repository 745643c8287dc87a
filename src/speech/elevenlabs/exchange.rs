//! One request to `ElevenLabs` and its answer: within limits of time and size, and tried again where waiting mends it.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{RequestBuilder, Response};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use tokio::time::Instant;

use super::{ElevenLabsError, refusal};

const KEY: HeaderName = HeaderName::from_static("xi-api-key");

/// First pause between two tries; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// Longest pause of our own choosing.
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// Most bytes of a refusal that are read.
const LARGEST_REFUSAL: usize = 64 * 1024;

/// How much a request may take.
#[derive(Clone, Copy)]
pub(super) struct Bounds {
    /// No other try begins later than this.
    pub(super) budget: Duration,
    /// Longest wait for the answer to one try, to its last byte.
    pub(super) patience: Duration,
    /// Most bytes of the answer.
    pub(super) largest: usize,
}

/// A request that is ready to be sent.
pub(super) struct Exchange<'a> {
    request: RequestBuilder,
    key: &'a SecretString,
}

/// A 2xx, whole.
pub(super) struct Answer {
    headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Answer {
    /// Whether the content is of this type, whatever its parameters.
    pub(super) fn is_of_type(&self, wanted: &str) -> bool {
        let given = self.text_header(CONTENT_TYPE.as_str()).unwrap_or_default();
        given.split(';').next().is_some_and(|essence| essence.trim().eq_ignore_ascii_case(wanted))
    }

    /// A header as text; nobody needs a long one.
    pub(super) fn text_header(&self, name: &str) -> Option<String> {
        Some(self.headers.get(name)?.to_str().ok()?.chars().take(100).collect())
    }

    pub(super) fn number_header(&self, name: &str) -> Option<u64> {
        self.text_header(name)?.trim().parse().ok()
    }
}

impl<'a> Exchange<'a> {
    pub(super) fn new(request: RequestBuilder, key: &'a SecretString) -> Self {
        Self { request, key }
    }

    pub(super) fn query(self, query: &[(&str, &str)]) -> Self {
        Self { request: self.request.query(query), ..self }
    }

    pub(super) fn accept(self, content_type: &'static str) -> Self {
        Self { request: self.request.header(ACCEPT, content_type), ..self }
    }

    pub(super) fn json(self, body: &impl Serialize) -> Self {
        Self { request: self.request.json(body), ..self }
    }

    /// Sends it until there is an answer that waiting would not mend, or the budget is spent.
    pub(super) async fn send(self, bounds: Bounds) -> Result<Answer, ElevenLabsError> {
        #[expect(clippy::disallowed_methods, reason = "the key goes into the header that ElevenLabs reads it from")]
        let secret = self.key.expose_secret();
        let mut key = HeaderValue::try_from(secret).map_err(|_| ElevenLabsError::InvalidKey)?;
        key.set_sensitive(true);
        let request = self.request.header(KEY, key).timeout(bounds.patience);
        let began = Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            let again = request.try_clone().ok_or(ElevenLabsError::Unreadable)?;
            let error = match try_once(again, bounds.largest, secret).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let wait = error.retry_after().unwrap_or_else(|| with_jitter(pause));
            if !error.is_transient() || began.elapsed() + wait > bounds.budget {
                return Err(error);
            }
            tracing::info!(event = "elevenlabs.retry", code = error.code(), %error, "ElevenLabs is asked once more");
            tokio::time::sleep(wait).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

async fn try_once(request: RequestBuilder, largest: usize, secret: &str) -> Result<Answer, ElevenLabsError> {
    let response = request.send().await.map_err(|error| unreachable(&error))?;
    let status = response.status();
    let headers = response.headers().clone();
    if status.is_success() {
        return Ok(Answer { headers, body: read(response, largest).await? });
    }
    let seconds = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    // What cannot be read of a refusal says no less than its status.
    let body = read(response, LARGEST_REFUSAL).await.unwrap_or_default();
    Err(refusal::read(status.as_u16(), &body, seconds.map(Duration::from_secs), secret))
}

async fn read(mut response: Response, largest: usize) -> Result<Bytes, ElevenLabsError> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| unreachable(&error))? {
        if body.len() + chunk.len() > largest {
            return Err(ElevenLabsError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// The error with its causes. Its URL has nothing secret, and says nothing that helps.
fn unreachable(error: &reqwest::Error) -> ElevenLabsError {
    let first = if error.is_timeout() { "no answer in time" } else { "the connection failed" };
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    let reason = causes.fold(first.to_owned(), |text, cause| format!("{text}: {cause}"));
    ElevenLabsError::Unreachable { reason }
}

/// A pause that is up to a tenth longer, so that those who failed together do not come back together.
fn with_jitter(pause: Duration) -> Duration {
    let mut random = [0_u8; 1];
    let share = getrandom::fill(&mut random).map_or(0, |()| u32::from(random[0]));
    pause + pause * share / 2560
}

#[cfg(test)]
impl Exchange<'_> {
    /// Where it would go.
    pub(super) fn url(self) -> String {
        self.request.build().expect("a request").url().to_string()
    }
}
