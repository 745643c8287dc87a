//! `publicUrl`: what Twilio signs. Everything about a signature hangs on its being exactly what Twilio calls.

use url::{Host, Url};

use super::finding::Findings;
use crate::outbound::public;

/// Names that nobody outside can resolve.
const PRIVATE_NAMES: [&str; 5] = ["localhost", "local", "internal", "lan", "home.arpa"];

/// Names that are nobody's (RFC 2606).
const EXAMPLE_NAMES: [&str; 6] = ["example", "example.com", "example.net", "example.org", "invalid", "test"];

/// Reads the address under which Twilio reaches the gateway, and says what speaks against it.
pub(super) fn parse(text: &str, path: &str, findings: &mut Findings) -> Option<Url> {
    let remedy = "Write the address that Twilio calls, such as https://voice.example.com/voice/webhook.";
    let Ok(url) = Url::parse(text) else {
        findings.error(path, "is not a URL.", remedy);
        return None;
    };
    let Some(host) = url.host().filter(|_| matches!(url.scheme(), "http" | "https")) else {
        findings.error(path, "is neither http nor https.", remedy);
        return None;
    };
    if !url.username().is_empty() || url.password().is_some() {
        findings.error(path, "names a user.", "Write it without one: Twilio proves itself by its signature.");
    }
    if url.query().is_some() || url.fragment().is_some() {
        let remedy = "Leave it out: the query of each request is put behind it when the signature is checked.";
        findings.error(path, "has a query or a fragment.", remedy);
    }
    if let Some(why) = why_not(&host) {
        let remedy = "Write the public address of the proxy or tunnel in front of the gateway.";
        findings.error(path, format!("cannot be reached by Twilio: its host {why}."), remedy);
    }
    if is_within_any(&host, &EXAMPLE_NAMES) {
        findings.warning(path, "is an example, which belongs to nobody.", "Write the host that the proxy serves.");
    }
    if url.scheme() == "http" {
        let remedy = "Let the proxy serve https, and write https here and in Twilio's console.";
        findings.warning(path, "is http: callers' numbers pass the internet unencrypted.", remedy);
    }
    Some(url)
}

/// Compares the path that Twilio calls with the one that is served.
pub(super) fn compare(url: &Url, served: &str, path: &str, findings: &mut Findings) {
    if normalised(url.path()) != served {
        let remedy = "That works only behind a proxy that rewrites it. Otherwise write the same path.";
        findings.warning(path, "has another path than serve.path.", remedy);
    }
}

/// Whether it is one path that requests can have, written in one way only.
pub(super) fn is_path(path: &str) -> bool {
    path.starts_with('/')
        && path.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#' | b'%' | b'"' | b'\\'))
        && !path.contains("//")
        && path.split('/').all(|step| !matches!(step, "." | ".."))
}

/// A path without the slash at its end, which counts for nothing.
pub(super) fn normalised(path: &str) -> &str {
    match path.trim_end_matches('/') {
        "" => "/",
        path => path,
    }
}

/// Why Twilio cannot reach a host; `None`: it may.
fn why_not(host: &Host<&str>) -> Option<&'static str> {
    match host {
        Host::Domain(_) => is_within_any(host, &PRIVATE_NAMES).then_some("is a name of this machine or network only"),
        Host::Ipv4(address) => public::why_not((*address).into()),
        Host::Ipv6(address) => public::why_not((*address).into()),
    }
}

/// Whether a host is one of these names or below one.
fn is_within_any(host: &Host<&str>, names: &[&str]) -> bool {
    let Host::Domain(domain) = host else { return false };
    let domain = domain.trim_end_matches('.');
    names.iter().any(|name| domain.strip_suffix(name).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_twilio_cannot_reach_is_refused() {
        for host in [
            "localhost",
            "gateway.local",
            "voice.internal.",
            "127.0.0.1",
            "127.1",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.1.1",
            "100.64.0.1",
            "0.0.0.0",
            "[::1]",
            "[::ffff:10.0.0.1]",
            "[fd00::1]",
            "[fe80::1]",
        ] {
            let mut findings = Findings::default();
            parse(&format!("https://{host}/voice/webhook"), "publicUrl", &mut findings);
            assert_eq!(findings.errors(), 1, "{host}: {findings}");
        }
        for host in ["voice.acme.io", "93.184.215.14", "100.128.0.1", "[2606:4700::1111]", "notlocalhost", "mylocal"] {
            let mut findings = Findings::default();
            let url = parse(&format!("https://{host}/voice/webhook/"), "publicUrl", &mut findings);
            compare(&url.expect("a URL"), "/voice/webhook", "publicUrl", &mut findings);
            assert_eq!(findings, Findings::default(), "{host}");
        }
    }
}
