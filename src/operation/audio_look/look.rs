//! The request: to an address that was checked, for its headers alone.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use reqwest::Response;
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderName};
use reqwest::redirect::Policy;
use tokio::sync::Semaphore;
use url::{Host, Url};

use super::public;
use super::store::AudioLook;
use crate::config::Mode;
use crate::tls;

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
    mode: Mode,
    tls: rustls::ClientConfig,
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

/// Where a host is.
#[derive(Debug, PartialEq, Eq)]
enum Resolved {
    At(Vec<SocketAddr>),
    /// It leads off the open network.
    Forbidden(String),
    /// Nobody knows, or asking would leave the machine.
    Unknown(String),
}

impl Looker {
    /// Prepares to look; nothing is sent.
    pub fn new(mode: Mode) -> anyhow::Result<Self> {
        Ok(Self { mode, tls: tls::client()?, turns: Arc::new(Semaphore::new(AT_ONCE)) })
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
            match self.resolve(&url).await {
                Resolved::At(addresses) => Looked::Done(self.head(url, &addresses).await),
                Resolved::Forbidden(why) => Looked::Forbidden(why),
                Resolved::Unknown(why) => Looked::Done(AudioLook::failed(why)),
            }
        };
        tokio::time::timeout(TIMEOUT, looking).await.unwrap_or_else(|_| Looked::Done(late()))
    }

    /// Finds the addresses of a host, once: what is checked here is what is connected to.
    async fn resolve(&self, url: &Url) -> Resolved {
        let port = url.port_or_known_default().unwrap_or(443);
        let at = |addresses: &[IpAddr]| addresses.iter().map(|address| SocketAddr::new(*address, port)).collect();
        let found: Vec<SocketAddr> = match (url.host(), self.mode) {
            (Some(Host::Ipv4(address)), _) => at(&[address.into()]),
            (Some(Host::Ipv6(address)), _) => at(&[address.into()]),
            (Some(Host::Domain("localhost")), _) => at(&[Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]),
            (Some(Host::Domain(name)), Mode::Live) => match tokio::net::lookup_host((name, port)).await {
                Ok(found) => found.collect(),
                Err(_) => return Resolved::Unknown(format!("The name {name} leads nowhere. Check the address.")),
            },
            // In the sandbox no name is looked up: whoever would be asked for it may be elsewhere.
            (Some(Host::Domain(_)) | None, _) => Vec::new(),
        };
        self.judge(found)
    }

    /// All of them, or none: a client may choose any.
    fn judge(&self, found: Vec<SocketAddr>) -> Resolved {
        match self.mode {
            Mode::Sandbox if found.is_empty() || !found.iter().all(|address| address.ip().is_loopback()) => {
                Resolved::Unknown(
                    "Nobody looked: in sandbox mode nothing leaves this machine, and the address is elsewhere."
                        .to_owned(),
                )
            }
            Mode::Live if found.is_empty() => Resolved::Unknown("Its host has no address. Check the name.".to_owned()),
            Mode::Live => {
                let closed = found.iter().find_map(|address| Some((address.ip(), public::why_not(address.ip())?)));
                closed.map_or(Resolved::At(found), |(address, why)| {
                    Resolved::Forbidden(format!("It leads to {address}, which {why}."))
                })
            }
            Mode::Sandbox => Resolved::At(found),
        }
    }

    /// Asks for the headers, of one of these addresses and no other, whatever the name leads to by now. TLS checks the name.
    async fn head(&self, url: Url, addresses: &[SocketAddr]) -> AudioLook {
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(self.tls.clone())
            .http1_only()
            .redirect(Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .pool_max_idle_per_host(0)
            .timeout(TIMEOUT)
            .user_agent(concat!("mission-control/", env!("CARGO_PKG_VERSION")));
        let client = match url.host() {
            Some(Host::Domain(name)) => client.resolve_to_addrs(name, addresses),
            _ => client,
        };
        let asked =
            async { client.build().context("the HTTP client")?.head(url).send().await.map_err(anyhow::Error::from) };
        match asked.await {
            Ok(answer) => seen(&answer),
            Err(error) => {
                tracing::debug!(event = "audio_look.failed", error = format!("{error:#}"), "nothing was seen");
                AudioLook::failed(
                    "Its server could not be reached, or its certificate is not valid. Check the address.",
                )
            }
        }
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

    fn at(addresses: &[&str]) -> Vec<SocketAddr> {
        addresses.iter().map(|address| address.parse().expect("an address")).collect()
    }

    #[test]
    fn one_closed_address_closes_a_host_in_live_mode() {
        let live = looker(Mode::Live);
        let open = at(&["1.1.1.1:443", "[2606:4700::1111]:443"]);
        assert_eq!(live.judge(open.clone()), Resolved::At(open.clone()));
        for closed in ["127.0.0.1:443", "10.0.0.7:443", "[::1]:443", "[::ffff:169.254.169.254]:443"] {
            let judged = live.judge([open.clone(), at(&[closed])].concat());
            assert!(matches!(judged, Resolved::Forbidden(_)), "{closed}: {judged:?}");
        }
        assert!(matches!(live.judge(Vec::new()), Resolved::Unknown(_)));
    }

    #[tokio::test]
    async fn nothing_leaves_the_machine_in_sandbox_mode() {
        let sandbox = looker(Mode::Sandbox);
        for elsewhere in ["https://example.com/a.mp3", "http://1.1.1.1/a.mp3", "http://10.0.0.7/", "http://0.0.0.0/"] {
            let Looked::Done(look) = sandbox.look(elsewhere).await else { panic!("{elsewhere}") };
            assert!(look.problem.is_some_and(|problem| problem.contains("Nobody looked")), "{elsewhere}");
        }
        let here = sandbox.resolve(&"http://localhost:81/a".parse().expect("a URL")).await;
        assert_eq!(here, Resolved::At(at(&["127.0.0.1:81", "[::1]:81"])));
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
    async fn the_connection_goes_to_the_checked_address_and_the_name_stays() {
        let port = serving(|headers| {
            let host = headers["host"].to_str().unwrap_or_default().to_owned();
            ([("content-type", "audio/mpeg".to_owned()), ("etag", host)], "").into_response()
        })
        .await;
        let url = format!("http://audio.invalid:{port}/a.mp3").parse().expect("a URL");
        let look = looker(Mode::Live).head(url, &at(&["127.0.0.1:1"])).await;
        assert_eq!(look.etag, Some(format!("audio.invalid:{port}")), "{look:?}");
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
