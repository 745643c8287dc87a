//! What Twilio signed: the public URL of this gateway with the query of the request, and the parameters of the form. The
//! URL comes from the configuration. What a request says of itself is believed only of a proxy that is trusted by its
//! address, and then only for host names that are listed.

use std::net::IpAddr;

use axum::http::request::Parts;
use url::Url;

use super::openclaw::WebhookSecurity;
use super::refusal::Refusal;
use super::replay::Identity;
use crate::twilio::signature::{self, Body, SETTINGS_HEADER, SIGNATURE_HEADER, Signed};
use secrecy::SecretString;

/// A request whose signature fits.
#[derive(Debug)]
pub(super) struct Verified {
    pub(super) params: Params,
    pub(super) identity: Identity,
}

/// The parameters of a form, decoded, in their order.
#[derive(Clone, Debug)]
pub(super) struct Params(Vec<(String, String)>);

impl Params {
    /// Reads a form. Any bytes are one.
    pub(super) fn parse(body: &[u8]) -> Self {
        Self(url::form_urlencoded::parse(body).into_owned().collect())
    }

    /// The value of a name, if there is one.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// All of them, as they are stored. PostgreSQL's JSON holds no NUL.
    pub(super) fn document(&self) -> serde_json::Value {
        let members = self.0.iter().map(|(name, value)| (name.replace('\0', ""), value.replace('\0', "").into()));
        serde_json::Value::Object(members.collect())
    }
}

/// The value of the signature's header, which is there once. Looked at before anything is read.
pub(super) fn signature_of(parts: &Parts) -> Result<&str, Refusal> {
    only(parts, SIGNATURE_HEADER).filter(|signature| !signature.is_empty()).ok_or(Refusal::Unsigned)
}

/// Checks the signature of a request whose body has been read.
pub(super) fn verify(
    parts: &Parts,
    body: &[u8],
    peer: IpAddr,
    public_url: &Url,
    security: &WebhookSecurity,
    auth_token: &SecretString,
) -> Result<Verified, Refusal> {
    let signature = signature_of(parts)?;
    // Asks for a key that is none of ours.
    let settings = parts.headers.get(SETTINGS_HEADER).map(|value| value.to_str().unwrap_or("another"));
    let params = Params::parse(body);
    let query = parts.uri.query();
    let urls = [Some(configured(public_url, query)), forwarded(parts, peer, public_url, security, query)];
    urls.into_iter()
        .flatten()
        .find_map(|url| {
            let signed = Signed { url: &url, signature, settings, body: Body::Form(&params.0) };
            signature::verify(&signed, &[auth_token], &[])?;
            signature::signed_text(&url, &params.0)
        })
        .map(|text| Verified { identity: Identity::of(&text), params })
        .ok_or(Refusal::BadSignature)
}

/// The public URL as it was configured, with the request's query byte for byte.
fn configured(public_url: &Url, query: Option<&str>) -> String {
    at(&public_url[..url::Position::BeforePath], public_url, query)
}

/// The same under the name by which a trusted proxy was asked, if it is one of ours.
fn forwarded(
    parts: &Parts,
    peer: IpAddr,
    public_url: &Url,
    security: &WebhookSecurity,
    query: Option<&str>,
) -> Option<String> {
    let is_trusted = security.trusted_proxies.iter().any(|proxy| proxy.to_canonical() == peer.to_canonical());
    let host = only(parts, "x-forwarded-host").filter(|_| is_trusted)?;
    let is_ours = security.allowed_hosts.iter().any(|allowed| allowed == host);
    let scheme = match only(parts, "x-forwarded-proto") {
        Some(scheme @ ("http" | "https")) => scheme,
        Some(_) => return None,
        None => "https",
    };
    is_ours.then(|| at(&format!("{scheme}://{host}"), public_url, query))
}

fn at(origin: &str, public_url: &Url, query: Option<&str>) -> String {
    let path = public_url.path();
    query.map_or_else(|| format!("{origin}{path}"), |query| format!("{origin}{path}?{query}"))
}

/// A header that is there once. Of two, somebody else may read the other.
fn only<'a>(parts: &'a Parts, name: &str) -> Option<&'a str> {
    let mut values = parts.headers.get_all(name).iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    value.to_str().ok()
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    const PROXY: &str = "203.0.113.7";

    fn security() -> WebhookSecurity {
        WebhookSecurity {
            allowed_hosts: vec!["voice.example".to_owned()],
            trusted_proxies: vec![PROXY.parse().expect("an address")],
        }
    }

    fn url_of(peer: &str, headers: &[(&str, &str)]) -> Option<String> {
        let request = headers
            .iter()
            .fold(Request::builder().uri("/voice?type=status"), |request, (name, value)| request.header(*name, *value));
        let (parts, ()) = request.body(()).expect("a request").into_parts();
        let public_url = "https://public.example/twilio/voice".parse().expect("a URL");
        forwarded(&parts, peer.parse().expect("an address"), &public_url, &security(), parts.uri.query())
    }

    #[test]
    fn only_a_trusted_proxy_may_name_a_host_and_only_a_listed_one() {
        let host = ("x-forwarded-host", "voice.example");
        let expected = |scheme| Some(format!("{scheme}://voice.example/twilio/voice?type=status"));
        assert_eq!(url_of(PROXY, &[host]), expected("https"));
        assert_eq!(url_of("::ffff:203.0.113.7", &[host]), expected("https"));
        assert_eq!(url_of(PROXY, &[host, ("x-forwarded-proto", "http")]), expected("http"));
        for (peer, headers) in [
            ("203.0.113.8", &[host][..]),
            ("127.0.0.1", &[host]),
            (PROXY, &[]),
            (PROXY, &[("host", "voice.example")]),
            (PROXY, &[("x-original-host", "voice.example")]),
            (PROXY, &[("x-forwarded-host", "evil.example")]),
            (PROXY, &[("x-forwarded-host", "voice.example.evil.example")]),
            (PROXY, &[("x-forwarded-host", "evil.voice.example")]),
            (PROXY, &[("x-forwarded-host", "voice.example:8443")]),
            (PROXY, &[("x-forwarded-host", "user@voice.example")]),
            (PROXY, &[("x-forwarded-host", "voice.example, evil.example")]),
            (PROXY, &[host, ("x-forwarded-host", "evil.example")]),
            (PROXY, &[host, ("x-forwarded-proto", "gopher")]),
        ] {
            assert_eq!(url_of(peer, headers), None, "{peer} {headers:?}");
        }
    }

    #[test]
    fn the_query_is_taken_byte_for_byte_and_the_path_from_the_configuration() {
        let public_url = "https://public.example:8443/twilio/voice".parse().expect("a URL");
        assert_eq!(configured(&public_url, None), "https://public.example:8443/twilio/voice");
        assert_eq!(configured(&public_url, Some("b=%41&a=+")), "https://public.example:8443/twilio/voice?b=%41&a=+");
    }
}
