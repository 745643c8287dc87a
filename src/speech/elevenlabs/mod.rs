//! How speech is made: `ElevenLabs` reads a text aloud and sends it as MP3; it also says which voices and models the account
//! has, and how many characters are left. What goes wrong is told by [`ElevenLabsError`], in words.

mod account;
mod error;
mod exchange;
mod mp3;
mod refusal;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use reqwest::Method;
use secrecy::SecretString;
use serde_json::json;
use url::Url;

use self::exchange::{Bounds, Exchange};
use crate::metrics::Metrics;
use crate::tls;

pub use self::account::{Model, Subscription, Voice};
pub use self::error::ElevenLabsError;

/// Where `ElevenLabs` is.
const ELEVENLABS: &str = "https://api.elevenlabs.io";

/// What speech is made as: Twilio plays MP3, and telephones have no use for more than this.
pub const FORMAT: &str = "mp3_44100_64";

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// While this time runs, what failed in passing is tried again.
const SYNTHESIS_BUDGET: Duration = Duration::from_secs(30);

/// Longest wait for the speech of a short text.
const SHORT_SPEECH: Duration = Duration::from_secs(30);

/// So much longer for each character: the slowest models make about ten minutes of speech in one of time.
const FOR_EACH_CHARACTER: Duration = Duration::from_millis(8);

/// Longer than the longest text of any model takes.
const LONGEST_SPEECH: Duration = Duration::from_mins(5);

/// Most bytes of a recording: the longest text of any model is three quarters of an hour, 22 MB.
const LARGEST_AUDIO: usize = 64 * 1024 * 1024;

/// The way to `ElevenLabs`, or to the emulator at another address; cheap to clone.
#[derive(Clone)]
pub struct ElevenLabs {
    /// `None`: there is no address that may be asked.
    base: Option<Arc<Url>>,
    client: reqwest::Client,
    metrics: Option<Metrics>,
}

/// A text to be read aloud.
#[derive(Clone, Copy, Debug)]
pub struct Order<'a> {
    /// What is said, to the letter.
    pub text: &'a str,
    /// The voice, by its id.
    pub voice: &'a str,
    /// The model, by its id.
    pub model: &'a str,
}

/// A text that was read aloud.
#[derive(Clone, Debug)]
pub struct Synthesis {
    /// MP3.
    pub audio: Bytes,
    /// What `ElevenLabs` calls the request.
    pub request_id: Option<String>,
    /// What it cost.
    pub characters: Option<u64>,
}

impl Order<'_> {
    /// Longest wait for the answer to one try.
    fn patience(&self) -> Duration {
        let characters = u32::try_from(self.text.chars().count()).unwrap_or(u32::MAX);
        FOR_EACH_CHARACTER.saturating_mul(characters).saturating_add(SHORT_SPEECH).min(LONGEST_SPEECH)
    }

    /// Longest time that [`ElevenLabs::synthesise`] takes, with everything that it tries.
    pub fn longest(&self) -> Duration {
        SYNTHESIS_BUDGET + self.patience()
    }
}

impl ElevenLabs {
    /// Prepares the way; nothing is sent. `base` replaces the address of `ElevenLabs` itself.
    pub fn new(base: Option<Url>) -> anyhow::Result<Self> {
        let base = base.map_or_else(|| Url::parse(ELEVENLABS), Ok)?;
        anyhow::ensure!(!base.cannot_be_a_base(), "the address of ElevenLabs, {base}, has no place for a path");
        Self::at(Some(Arc::new(base)))
    }

    /// A way that leads nowhere: in sandbox mode nothing leaves the machine, and no emulator is on it.
    pub fn nowhere() -> anyhow::Result<Self> {
        Self::at(None)
    }

    fn at(base: Option<Arc<Url>>) -> anyhow::Result<Self> {
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls::client()?)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .connect_timeout(CONNECT_TIMEOUT)
            .user_agent(concat!("mission-control/", env!("CARGO_PKG_VERSION")))
            .build()
            .context("the HTTP client for ElevenLabs")?;
        Ok(Self { base, client, metrics: None })
    }

    /// The same way, with every synthesis counted.
    #[must_use]
    pub(crate) fn counting(self, metrics: Metrics) -> Self {
        Self { metrics: Some(metrics), ..self }
    }

    /// Whether there is anybody to ask.
    pub fn is_nowhere(&self) -> bool {
        self.base.is_none()
    }

    /// Has a text read aloud. What fails in passing is tried again while the budget lasts; the text is never cut.
    pub async fn synthesise(&self, key: &SecretString, order: &Order<'_>) -> Result<Synthesis, ElevenLabsError> {
        let made = self.make(key, order).await;
        if let Some(metrics) = &self.metrics {
            let outcome = made.as_ref().err().map_or("made", ElevenLabsError::code);
            let characters = made.as_ref().ok().and_then(|made| made.characters).unwrap_or(0);
            metrics.count_synthesis(outcome, characters);
        }
        made
    }

    async fn make(&self, key: &SecretString, order: &Order<'_>) -> Result<Synthesis, ElevenLabsError> {
        let exchange = self.exchange(Method::POST, &["v1", "text-to-speech", order.voice], key)?;
        let exchange = exchange
            .query(&[("output_format", FORMAT)])
            .accept("audio/mpeg")
            .json(&json!({ "text": order.text, "model_id": order.model }));
        let bounds = Bounds { budget: SYNTHESIS_BUDGET, patience: order.patience(), largest: LARGEST_AUDIO };
        let answer = exchange.send(bounds).await?;
        if !answer.is_of_type("audio/mpeg") || !mp3::begins(&answer.body) {
            return Err(ElevenLabsError::NotAudio);
        }
        Ok(Synthesis {
            request_id: answer.text_header("request-id"),
            // The older name stands behind.
            characters: answer.number_header("character-cost").or_else(|| answer.number_header("x-character-count")),
            audio: answer.body,
        })
    }

    fn exchange<'a>(
        &self,
        method: Method,
        path: &[&str],
        key: &'a SecretString,
    ) -> Result<Exchange<'a>, ElevenLabsError> {
        let mut url = Url::clone(self.base.as_deref().ok_or(ElevenLabsError::Nowhere)?);
        // Each part is escaped: what an id contains cannot lead to another place.
        url.path_segments_mut().map_err(|()| ElevenLabsError::Nowhere)?.pop_if_empty().extend(path);
        Ok(Exchange::new(self.client.request(method, url), key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_text_is_awaited_longer_and_not_without_end() {
        let patience = |text: &str| Order { text, voice: "v", model: "m" }.patience();
        assert!(patience("Hello") < Duration::from_secs(31));
        assert_eq!(patience(&"x".repeat(10_000)), Duration::from_secs(110));
        assert_eq!(patience(&"x".repeat(1_000_000)), LONGEST_SPEECH);
    }

    #[test]
    fn an_id_stays_within_its_part_of_the_path() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let way = ElevenLabs::new(Some("http://127.0.0.1:1/under".parse().expect("a URL"))).expect("a way");
        let key = SecretString::from("key");
        let url = |voice: &str| {
            let exchange = way.exchange(Method::POST, &["v1", "text-to-speech", voice], &key).expect("an exchange");
            exchange.url()
        };
        assert_eq!(url("abc"), "http://127.0.0.1:1/under/v1/text-to-speech/abc");
        assert_eq!(url("a/b?c#d%"), "http://127.0.0.1:1/under/v1/text-to-speech/a%2Fb%3Fc%23d%25");
    }

    #[tokio::test]
    async fn a_way_that_leads_nowhere_says_so() {
        let way = ElevenLabs::nowhere().expect("a way");
        let order = Order { text: "Hello", voice: "v", model: "m" };
        let error = way.synthesise(&SecretString::from("key"), &order).await.expect_err("refused");
        assert_eq!(error, ElevenLabsError::Nowhere);
        assert!(error.to_string().contains("MISSION_CONTROL_ELEVENLABS_BASE_URL"));
    }
}
