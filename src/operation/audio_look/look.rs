//! The request, for the headers alone, and what they say.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Response;
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderName};
use tokio::sync::Semaphore;
use url::Url;

use super::store::AudioLook;
use crate::config::Mode;
use crate::outbound::{Guarded, Stopped};

/// Longest that a look may take, with its turn, the name, the connection and the answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Looks that are under way at once: each holds a request of somebody's.
const AT_ONCE: usize = 16;

/// Most characters of a header that are kept.
const WORD_LIMIT: usize = 200;

/// What Twilio plays; of anything else it says 13420. Source: Twilio, "`TwiML` Voice: Play", supported audio file types.
const PLAYABLE: [&str; 10] = [
    "audio/mpeg",
    "audio/wav",
    "audio/wave",
    "audio/x-wav",
    "audio/aiff",
    "audio/x-aifc",
    "audio/x-aiff",
    "audio/x-gsm",
    "audio/gsm",
    "audio/ulaw",
];

/// Looks at recordings, a few at a time.
#[derive(Clone, Debug)]
pub struct Looker {
    client: Guarded,
    turns: Arc<Semaphore>,
}

/// What became of a look.
#[derive(Debug)]
pub(super) enum Looked {
    /// It was made, or it failed, which is told.
    Done(AudioLook),
    /// The address is one that nobody may fetch from, in a sentence.
    Forbidden(String),
}

impl Looker {
    /// Prepares to look; nothing is sent.
    pub fn new(mode: Mode) -> anyhow::Result<Self> {
        Ok(Self { client: Guarded::new(mode)?, turns: Arc::new(Semaphore::new(AT_ONCE)) })
    }

    /// Looks at an address.
    pub(super) async fn look(&self, url: &str) -> Looked {
        let late = || {
            let seconds = TIMEOUT.as_secs();
            AudioLook::failed(format!("Its server did not answer within {seconds} seconds. Check the address."))
        };
        let looking = async {
            let _turn = self.turns.acquire().await;
            let Ok(url) = Url::parse(url) else { return Looked::Done(AudioLook::failed("This is not a web address.")) };
            Looked::Done(match self.client.head(url, TIMEOUT).await {
                Ok(answer) => seen(&answer),
                Err(Stopped::Forbidden(why)) => return Looked::Forbidden(why),
                Err(Stopped::NotAsked(why) | Stopped::Unknown(why)) => AudioLook::failed(why),
                Err(Stopped::Failed(error)) => {
                    tracing::debug!(event = "audio_look.failed", error = format!("{error:#}"), "nothing was seen");
                    AudioLook::failed(
                        "Its server could not be reached, or its certificate is not valid. Check the address.",
                    )
                }
            })
        };
        tokio::time::timeout(TIMEOUT, looking).await.unwrap_or_else(|_| Looked::Done(late()))
    }
}

/// What the headers say.
fn seen(answer: &Response) -> AudioLook {
    let status = answer.status();
    let text = |name: HeaderName| answer.headers().get(name).and_then(|value| value.to_str().ok());
    let word =
        |text: &str| text.chars().filter(|character| !character.is_control()).take(WORD_LIMIT).collect::<String>();
    let content_type = text(CONTENT_TYPE).and_then(|given| given.split(';').next());
    let look = AudioLook {
        looked_at: None,
        http_status: Some(i32::from(status.as_u16())),
        content_type: content_type
            .map(|given| word(given.trim()).to_ascii_lowercase())
            .filter(|given| !given.is_empty()),
        bytes: text(CONTENT_LENGTH).and_then(|length| length.parse().ok()).filter(|bytes| *bytes >= 0),
        etag: text(ETAG).map(word),
        problem: None,
    };
    if status.is_success() {
        let problem = doubts(&look);
        return AudioLook { problem, ..look };
    }
    let problem = if status.is_redirection() {
        format!("The address leads on to another one (HTTP {}). Use the one where the recording is.", status.as_u16())
    } else {
        let code = status.as_u16();
        format!(
            "Its server answered HTTP {code} to the question what is there. If it lets the recording itself be fetched, the call will play."
        )
    };
    // Type and length are of the refusal, not of the recording.
    AudioLook { content_type: None, bytes: None, etag: None, problem: Some(problem), ..look }
}

/// What speaks against a recording that is there.
fn doubts(look: &AudioLook) -> Option<String> {
    let given = look.content_type.as_deref();
    match given {
        _ if look.bytes == Some(0) => Some("The recording is empty: they would hear nothing.".to_owned()),
        None => Some("Its server does not say of what type it is. Twilio may refuse to play it.".to_owned()),
        Some(given) if !PLAYABLE.contains(&given) => Some(format!(
            "Its type is {given}, which Twilio cannot play: the call would fail. Use an MP3 (audio/mpeg) or WAV (audio/wav)."
        )),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::http::HeaderMap;
    use axum::response::{IntoResponse as _, Response as Answer};
    use axum::routing::get;
    use tokio::net::TcpListener;

    use super::*;

    fn looker(mode: Mode) -> Looker {
        let _ = rustls::crypto::ring::default_provider().install_default();
        Looker::new(mode).expect("a looker")
    }

    type Serve = fn(HeaderMap) -> Answer;

    /// Serves one answer on a port of its own, and answers the port.
    async fn serving(answer: Serve) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let router = Router::new().route("/a.mp3", get(async move |headers: HeaderMap| answer(headers)));
        #[expect(clippy::disallowed_methods, reason = "ends with the test")]
        tokio::spawn(async move { axum::serve(listener, router).await });
        port
    }

    async fn look_at(answer: Serve) -> AudioLook {
        let url = format!("http://127.0.0.1:{}/a.mp3", serving(answer).await);
        match looker(Mode::Sandbox).look(&url).await {
            Looked::Done(look) => look,
            Looked::Forbidden(why) => panic!("{why}"),
        }
    }

    #[tokio::test]
    async fn type_and_size_are_seen() {
        let look = look_at(|_| {
            let headers = [("content-type", "Audio/MPEG; x=1"), ("etag", "\"one\""), ("content-length", "60000000")];
            (headers, "").into_response()
        })
        .await;
        assert_eq!((look.http_status, look.content_type.as_deref()), (Some(200), Some("audio/mpeg")));
        assert_eq!((look.bytes, look.etag.as_deref(), look.problem), (Some(60_000_000), Some("\"one\""), None));
    }

    #[tokio::test]
    async fn what_will_not_play_is_told_in_words() {
        use axum::http::StatusCode;
        let told: [(Serve, &str); 5] = [
            (|_| ([("content-type", "text/html")], "<p>").into_response(), "text/html, which Twilio cannot play"),
            (|_| ([("content-type", "audio/mpeg")], "").into_response(), "empty"),
            (|_| (StatusCode::NOT_FOUND, "no").into_response(), "HTTP 404"),
            (|_| (StatusCode::FOUND, [("location", "http://127.0.0.1:1/")]).into_response(), "leads on to another one"),
            (|_| Answer::new("RIFF".into()), "does not say of what type"),
        ];
        for (answer, words) in told {
            let look = look_at(answer).await;
            assert!(look.problem.as_ref().is_some_and(|problem| problem.contains(words)), "{words}: {look:?}");
        }
        let Looked::Done(look) = looker(Mode::Sandbox).look("http://127.0.0.1:1/a.mp3").await else {
            panic!("forbidden")
        };
        assert!(look.problem.is_some_and(|problem| problem.contains("could not be reached")));
    }
}
