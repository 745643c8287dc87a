//! The URL under which browsers and Twilio reach the service.

use std::fmt;
use std::net::SocketAddr;

use url::Url;

/// Scheme, host and port of this installation: the base of every link, callback and signature. Configured, never taken
/// from a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl(String);

impl PublicUrl {
    /// Reads an origin: `https://mission.example` or `http://127.0.0.1:3000`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let refuse = |why: &str| {
            Err(format!("PUBLIC_URL {why}. Write scheme, host and port only, such as https://mission.example."))
        };
        let Ok(url) = Url::parse(text) else { return refuse("is not a URL") };
        if !matches!(url.scheme(), "http" | "https") {
            return refuse("is neither http nor https");
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return refuse("has a path, a query or a fragment");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return refuse("names a user");
        }
        Ok(Self(url.origin().ascii_serialization()))
    }

    /// The default: this machine only.
    pub fn loopback(port: u16) -> Self {
        Self(format!("http://127.0.0.1:{port}"))
    }

    /// Without a trailing slash.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether browsers reach it encrypted.
    pub fn is_https(&self) -> bool {
        self.0.starts_with("https://")
    }

    /// Host, and port where it is not the scheme's own: as it stands in a Host header.
    pub fn host(&self) -> &str {
        self.0.split_once("://").map_or(self.0.as_str(), |(_, host)| host)
    }

    /// The absolute URL of a path that starts with a slash.
    pub fn join(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a URL's host is this machine: an address of the loopback range, or `localhost`.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// The names under which a browser on this machine may also reach a sandbox.
pub fn loopback_hosts(listening: SocketAddr) -> [String; 3] {
    let port = listening.port();
    [format!("localhost:{port}"), format!("127.0.0.1:{port}"), format!("[::1]:{port}")]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_kept_without_its_default_port() {
        let url = PublicUrl::parse("https://Mission.example:443/").expect("an origin");
        assert_eq!((url.as_str(), url.host()), ("https://mission.example", "mission.example"));
        assert_eq!(url.join("/login"), "https://mission.example/login");
    }

    #[test]
    fn what_is_more_or_less_than_an_origin_is_refused() {
        for text in
            ["mission.example", "ftp://a.example", "https://a.example/x", "https://u@a.example", "https://a.example?x"]
        {
            assert!(PublicUrl::parse(text).is_err(), "{text}");
        }
    }
}
