//! The client for addresses that a person names: it looks up the name itself, once; refuses unless all that it finds is on
//! the open network; and connects to what it found and nothing else, whatever the name leads to by then.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::Context as _;
use reqwest::Response;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use url::{Host, Url};

use super::public;
use crate::config::Mode;
use crate::tls;

/// The port that is asked in live mode. Others are where services listen that are meant for few.
const PORT: u16 = 443;

/// The client.
#[derive(Clone, Debug)]
pub(crate) struct Guarded {
    mode: Mode,
    tls: rustls::ClientConfig,
    names: Names,
    /// Why nobody may be asked there; [`public::why_not`] outside tests.
    why_not: fn(IpAddr) -> Option<&'static str>,
}

/// Who knows where a name leads.
#[derive(Clone, Debug)]
pub(super) enum Names {
    /// The system.
    System,
    /// A test: its answers, one after another, and the last one for ever.
    #[cfg(test)]
    Scripted(std::sync::Arc<std::sync::Mutex<std::collections::VecDeque<Vec<IpAddr>>>>),
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Stopped {
    /// The address leads off the open network, in a sentence. Nothing was sent.
    Forbidden(String),
    /// Nobody was asked, for a reason that is nobody's fault, in a sentence.
    NotAsked(String),
    /// The name leads nowhere, in a sentence.
    Unknown(String),
    /// Nobody answered, or not by HTTP.
    Failed(anyhow::Error),
}

impl Guarded {
    /// Prepares to ask; nothing is sent.
    pub(crate) fn new(mode: Mode) -> anyhow::Result<Self> {
        Ok(Self { mode, tls: tls::client()?, names: Names::System, why_not: public::why_not })
    }

    /// Asks for the headers of what is there. An answer to this has no body, so that there is none to bound.
    pub(crate) async fn head(&self, url: Url, patience: Duration) -> Result<Response, Stopped> {
        self.admit(&url)?;
        self.ask(url, patience).await
    }

    /// What can be told from the address alone.
    fn admit(&self, url: &Url) -> Result<(), Stopped> {
        let forbidden = |why: &str| Err(Stopped::Forbidden(why.to_owned()));
        if !url.username().is_empty() || url.password().is_some() {
            return forbidden("It contains a user name or password.");
        }
        match (self.mode, url.scheme()) {
            (Mode::Live, "https") if url.port_or_known_default() == Some(PORT) => Ok(()),
            (Mode::Live, "https") => Err(Stopped::NotAsked(format!(
                "Nobody looked: only port {PORT} is asked, and the address names another."
            ))),
            (Mode::Sandbox, "https" | "http") => Ok(()),
            (Mode::Live | Mode::Sandbox, _) => forbidden("It does not begin with https://."),
        }
    }

    pub(super) async fn ask(&self, url: Url, patience: Duration) -> Result<Response, Stopped> {
        let addresses = self.resolve(&url).await?;
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(self.tls.clone())
            .dns_resolver(Checked(addresses))
            .http1_only()
            .redirect(Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .pool_max_idle_per_host(0)
            .timeout(patience)
            .user_agent(concat!("mission-control/", env!("CARGO_PKG_VERSION")));
        let asked =
            async { client.build().context("the HTTP client")?.head(url).send().await.map_err(anyhow::Error::from) };
        asked.await.map_err(Stopped::Failed)
    }

    /// Finds the addresses of a host, once: what is checked here is what is connected to.
    pub(super) async fn resolve(&self, url: &Url) -> Result<Vec<SocketAddr>, Stopped> {
        let port = url.port_or_known_default().unwrap_or(PORT);
        let found: Vec<IpAddr> = match (url.host(), self.mode) {
            (Some(Host::Ipv4(address)), _) => vec![address.into()],
            (Some(Host::Ipv6(address)), _) => vec![address.into()],
            (Some(Host::Domain("localhost")), _) => vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
            (Some(Host::Domain(name)), Mode::Live) => self
                .names
                .look_up(name, port)
                .await
                .map_err(|_| Stopped::Unknown(format!("The name {name} leads nowhere. Check the address.")))?,
            // In the sandbox no name is looked up: whoever would be asked for it may be elsewhere.
            (Some(Host::Domain(_)) | None, _) => Vec::new(),
        };
        self.judge(&found)?;
        Ok(found.into_iter().map(|address| SocketAddr::new(address, port)).collect())
    }

    /// All of them, or none: a client may choose any.
    pub(super) fn judge(&self, found: &[IpAddr]) -> Result<(), Stopped> {
        match self.mode {
            Mode::Sandbox if found.is_empty() || !found.iter().all(IpAddr::is_loopback) => Err(Stopped::NotAsked(
                "Nobody looked: in sandbox mode nothing leaves this machine, and the address is elsewhere.".to_owned(),
            )),
            Mode::Sandbox => Ok(()),
            Mode::Live if found.is_empty() => {
                Err(Stopped::Unknown("Its host has no address. Check the name.".to_owned()))
            }
            Mode::Live => {
                let closed = found.iter().find_map(|address| Some((address, (self.why_not)(*address)?)));
                closed.map_or(Ok(()), |(address, why)| {
                    Err(Stopped::Forbidden(format!("It leads to {address}, which {why}.")))
                })
            }
        }
    }
}

impl Names {
    async fn look_up(&self, name: &str, port: u16) -> std::io::Result<Vec<IpAddr>> {
        match self {
            Self::System => Ok(tokio::net::lookup_host((name, port)).await?.map(|found| found.ip()).collect()),
            #[cfg(test)]
            Self::Scripted(answers) => {
                let mut answers = answers.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                let next = if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() };
                Ok(next.unwrap_or_default())
            }
        }
    }
}

/// The addresses that were checked, for whatever name is asked.
struct Checked(Vec<SocketAddr>);

impl Resolve for Checked {
    fn resolve(&self, _: Name) -> Resolving {
        let addresses: Addrs = Box::new(self.0.clone().into_iter());
        Box::pin(std::future::ready(Ok(addresses)))
    }
}

#[cfg(test)]
impl Guarded {
    /// In live mode, with names and closed networks of a test's own.
    pub(super) fn scripted(answers: &[&[&str]], why_not: fn(IpAddr) -> Option<&'static str>) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let answers = answers.iter().map(|found| found.iter().map(|text| text.parse().expect("an address")).collect());
        let names = Names::Scripted(std::sync::Arc::new(std::sync::Mutex::new(answers.collect())));
        Self { names, why_not, ..Self::new(Mode::Live).expect("a client") }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    fn guarded(mode: Mode) -> Guarded {
        let _ = rustls::crypto::ring::default_provider().install_default();
        Guarded::new(mode).expect("a client")
    }

    fn url(text: &str) -> Url {
        text.parse().unwrap_or_else(|_| panic!("{text}"))
    }

    /// Answers everybody so, and counts them.
    async fn serving(ip: &str, port: u16, answer: &'static str) -> (u16, Arc<AtomicUsize>) {
        let listener = TcpListener::bind((ip, port)).await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        #[expect(clippy::disallowed_methods, reason = "ends with the test")]
        tokio::spawn(async move {
            while let Ok((mut connection, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let _ = connection.read(&mut [0; 4096]).await;
                let _ = connection.write_all(answer.as_bytes()).await;
            }
        });
        (port, asked)
    }

    /// Of two networks of this machine, one that stands for the open one.
    fn only_9_is_open(address: IpAddr) -> Option<&'static str> {
        (address != IpAddr::from([127, 0, 0, 9])).then_some("is closed")
    }

    const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

    #[tokio::test]
    async fn a_name_that_changes_after_the_check_is_not_followed() {
        let (port, open) = serving("127.0.0.9", 0, OK).await;
        let (_, closed) = serving("127.0.0.1", port, OK).await;
        // Checked, then connected to: whoever answers differently the second time is not asked a second time.
        let rebinding = Guarded::scripted(&[&["127.0.0.9"], &["127.0.0.1"]], only_9_is_open);
        for name in ["rebinding.example", "localhost.", "127.0.0.1.rebinding.example", "rebinding.example."] {
            let address = url(&format!("http://{name}:{port}/a.mp3"));
            let answer = rebinding.ask(address, PATIENCE).await;
            match name {
                "rebinding.example" => assert_eq!(answer.expect("an answer").status(), 200),
                // By now the name is one of this machine.
                _ => assert!(matches!(answer, Err(Stopped::Forbidden(_))), "{name}: {answer:?}"),
            }
        }
        assert_eq!((open.load(Ordering::SeqCst), closed.load(Ordering::SeqCst)), (1, 0));
    }

    #[tokio::test]
    async fn one_closed_address_among_open_ones_closes_the_name() {
        let (port, open) = serving("127.0.0.9", 0, OK).await;
        let (_, closed) = serving("127.0.0.1", port, OK).await;
        for answers in [["127.0.0.9", "127.0.0.1"], ["127.0.0.1", "127.0.0.9"]] {
            let mixed = Guarded::scripted(&[&answers], only_9_is_open);
            let answer = mixed.ask(url(&format!("http://mixed.example:{port}/")), PATIENCE).await;
            assert!(matches!(&answer, Err(Stopped::Forbidden(why)) if why.contains("127.0.0.1")), "{answer:?}");
        }
        assert_eq!((open.load(Ordering::SeqCst), closed.load(Ordering::SeqCst)), (0, 0));
    }

    #[tokio::test]
    async fn a_redirect_is_an_answer_and_is_not_followed() {
        let (port, metadata) = serving("127.0.0.1", 0, OK).await;
        let leading_on: &'static str = Box::leak(
            format!(
                "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:{port}/latest/meta-data/\r\ncontent-length: 0\r\n\r\n"
            )
            .into_boxed_str(),
        );
        let (port, open) = serving("127.0.0.9", 0, leading_on).await;
        let guarded = Guarded::scripted(&[&["127.0.0.9"]], only_9_is_open);
        let answer = guarded.ask(url(&format!("http://leading-on.example:{port}/")), PATIENCE).await;
        assert_eq!(answer.expect("an answer").status(), 302);
        assert_eq!((open.load(Ordering::SeqCst), metadata.load(Ordering::SeqCst)), (1, 0));
    }

    #[tokio::test]
    async fn in_live_mode_only_https_on_its_own_port_is_asked() {
        let live = guarded(Mode::Live);
        for (address, is_forbidden) in [
            ("http://1.1.1.1/", true),
            ("ftp://1.1.1.1/", true),
            ("https://user@1.1.1.1/", true),
            ("https://:secret@1.1.1.1/", true),
            ("https://1.1.1.1:22/", false),
            ("https://1.1.1.1:8443/", false),
            ("https://1.1.1.1:80/", false),
        ] {
            let answer = live.head(url(address), PATIENCE).await;
            assert_eq!(matches!(answer, Err(Stopped::Forbidden(_))), is_forbidden, "{address}: {answer:?}");
            assert_eq!(matches!(answer, Err(Stopped::NotAsked(_))), !is_forbidden, "{address}: {answer:?}");
        }
    }

    #[tokio::test]
    async fn nothing_leaves_the_machine_in_sandbox_mode() {
        let sandbox = guarded(Mode::Sandbox);
        for elsewhere in ["https://example.com/a.mp3", "http://1.1.1.1/a.mp3", "http://10.0.0.7/", "http://0.0.0.0/"] {
            let answer = sandbox.head(url(elsewhere), PATIENCE).await;
            assert!(matches!(answer, Err(Stopped::NotAsked(_))), "{elsewhere}: {answer:?}");
        }
        let here = sandbox.resolve(&url("http://localhost:81/a")).await.expect("this machine");
        assert_eq!(here, ["127.0.0.1:81".parse().expect("an address"), "[::1]:81".parse().expect("an address")]);
    }

    #[test]
    fn a_name_without_addresses_leads_nowhere() {
        assert!(matches!(guarded(Mode::Live).judge(&[]), Err(Stopped::Unknown(_))));
    }
}
