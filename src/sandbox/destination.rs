//! Where the sandbox's own requests go, what their URLs say of trying again, and what comes back.

use std::net::SocketAddr;

use hyper::header::{CONTENT_TYPE, HOST, USER_AGENT};
use reqwest::{Client, Method, RequestBuilder, Response};
use url::{Host, Position, Url};

/// Where a request is sent: to loopback, with another `Host` if it stands for the public origin.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) url: Url,
    pub(super) host: Option<String>,
}

impl Target {
    pub(super) fn parse(callback: &str, callbacks_to: Option<&(String, SocketAddr)>) -> Result<Self, String> {
        let mut url = Url::parse(callback).map_err(|error| error.to_string())?;
        let host = url[Position::BeforeHost..Position::AfterPort].to_owned();
        let unset = |()| "the URL cannot be re-addressed".to_owned();
        url.set_fragment(None);
        url.set_username("").map_err(unset)?;
        url.set_password(None).map_err(unset)?;
        let ours =
            callbacks_to.filter(|(origin, _)| Url::parse(origin).is_ok_and(|origin| origin.origin() == url.origin()));
        if let Some((_, address)) = ours {
            url.set_scheme("http").map_err(unset)?;
            url.set_ip_host(address.ip()).map_err(unset)?;
            url.set_port(Some(address.port())).map_err(unset)?;
            return Ok(Self { url, host: Some(host) });
        }
        let is_loopback = match url.host() {
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => false,
        };
        is_loopback.then_some(Self { url, host: None }).ok_or_else(|| format!("{host} is not on this machine"))
    }

    /// A request to it with what is on all of Twilio's.
    pub(super) fn request(&self, client: &Client, method: Method) -> RequestBuilder {
        let request = client.request(method, self.url.clone()).header(USER_AGENT, "TwilioProxy/1.1");
        match &self.host {
            Some(host) => request.header(HOST, host),
            None => request,
        }
    }
}

/// Reads an answer to its end: its content type without parameters, its first `keep` bytes, and how many there were.
pub(super) async fn read(mut answer: Response, keep: usize) -> reqwest::Result<(String, Vec<u8>, usize)> {
    let given = answer.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let content_type = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let (mut kept, mut bytes) = (Vec::new(), 0);
    while let Some(chunk) = answer.chunk().await? {
        bytes += chunk.len();
        kept.extend(chunk.iter().take(keep - kept.len()));
    }
    Ok((content_type, kept, bytes))
}

/// When to try again: the `#rc=..&rp=..` overrides of the callback URL.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Retries {
    pub(super) count: u8,
    policy: Vec<String>,
}

impl Retries {
    /// Twilio's default is one more try, only if no connection came about; it allows five.
    pub(super) fn parse(callback: &str) -> Self {
        let fragment = callback.split_once('#').map_or("", |(_, fragment)| fragment);
        let value = |wanted: &str| {
            fragment
                .split('&')
                .filter_map(|pair| pair.split_once('='))
                .find(|(name, _)| *name == wanted)
                .map(|(_, value)| value)
        };
        Self {
            count: value("rc").and_then(|count| count.parse().ok()).map_or(1, |count: u8| count.min(5)),
            policy: value("rp").unwrap_or("ct").split(',').map(str::to_owned).collect(),
        }
    }

    pub(super) fn covers(&self, result: &reqwest::Result<u16>) -> bool {
        let kind = match result {
            Ok(400..=499) => "4xx",
            Ok(500..=599) => "5xx",
            Ok(_) => return false,
            Err(error) if error.is_connect() => "ct",
            Err(_) => "rt",
        };
        self.policy.iter().any(|one| one == kind || one == "all")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_and_the_public_origin_are_called() {
        let public = ("https://control.example.com".to_owned(), SocketAddr::from(([127, 0, 0, 1], 3000)));
        for refused in [
            "https://example.com/cb",
            "http://127.0.0.1.example.com/cb",
            "http://localhost.example.com/cb",
            "http://127.0.0.1@example.com/cb",
            "http://10.0.0.1/cb",
            "http://0.0.0.0/cb",
            "http://169.254.169.254/latest",
            "https://control.example.com:8443/cb",
            "http://control.example.com/cb",
        ] {
            assert!(Target::parse(refused, Some(&public)).is_err(), "{refused}");
        }
        for allowed in
            ["http://127.0.0.1:3000/cb", "http://127.9.9.9/cb", "http://[::1]:3000/cb", "http://localhost:3000/cb"]
        {
            assert_eq!(Target::parse(allowed, None).map(|target| target.host), Ok(None), "{allowed}");
        }
        let target =
            Target::parse("https://control.example.com/cb/1?ref=a%2Fb&x#rc=3", Some(&public)).expect("it is ours");
        assert_eq!(target.url.as_str(), "http://127.0.0.1:3000/cb/1?ref=a%2Fb&x");
        assert_eq!(target.host.as_deref(), Some("control.example.com"));
    }

    #[test]
    fn the_fragment_says_when_to_try_again() {
        let policy = |callback| {
            let Retries { count, policy } = Retries::parse(callback);
            (count, policy.join(","))
        };
        assert_eq!(policy("http://localhost/cb?rc=4"), (1, "ct".to_owned()));
        assert_eq!(policy("http://localhost/cb#rc=3&rp=5xx,ct,rt"), (3, "5xx,ct,rt".to_owned()));
        assert_eq!(policy("http://localhost/cb#rc=99"), (5, "ct".to_owned()));
        assert!(Retries::parse("http://localhost/cb#rp=5xx").covers(&Ok(503)));
        assert!(!Retries::parse("http://localhost/cb#rp=5xx").covers(&Ok(404)));
        assert!(Retries::parse("http://localhost/cb#rp=all").covers(&Ok(404)));
        assert!(!Retries::parse("http://localhost/cb#rp=all").covers(&Ok(204)));
    }
}
