//! The cookies that carry a session, and what comes before it.

use axum::http::{HeaderMap, HeaderValue, header};
use axum_extra::extract::CookieJar;
use axum_extra::extract::cookie::{Cookie, SameSite};
use secrecy::ExposeSecret as _;

use super::credential::{Credential, CredentialHash};
use crate::config::PublicUrl;

/// What a cookie carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carries {
    /// A session.
    Session,
    /// A password that was right, until the code has come too.
    HalfSession,
}

/// On https the prefix makes browsers refuse the cookie from anybody but this very host; on plain http they would
/// refuse the prefix.
fn name(carries: Carries, public_url: &PublicUrl) -> &'static str {
    match (carries, public_url.is_https()) {
        (Carries::Session, true) => "__Host-mc",
        (Carries::Session, false) => "mc",
        (Carries::HalfSession, true) => "__Host-mc-half",
        (Carries::HalfSession, false) => "mc-half",
    }
}

fn cookie(carries: Carries, public_url: &PublicUrl, value: String) -> Cookie<'static> {
    Cookie::build((name(carries, public_url), value))
        .path("/")
        .secure(public_url.is_https())
        .http_only(true)
        .same_site(SameSite::Lax)
        .build()
}

/// `Set-Cookie` for a new one. It ends with the browser; the table ends it earlier.
pub(super) fn set(carries: Carries, public_url: &PublicUrl, credential: &Credential) -> String {
    #[expect(clippy::disallowed_methods, reason = "the one place where a session's credential leaves us")]
    let value = credential.text.expose_secret().to_owned();
    cookie(carries, public_url, value).to_string()
}

/// `Set-Cookie` that removes it.
pub(super) fn clear(carries: Carries, public_url: &PublicUrl) -> String {
    let mut cookie = cookie(carries, public_url, String::new());
    cookie.make_removal();
    cookie.to_string()
}

/// What a request presents.
pub(super) fn presented(carries: Carries, public_url: &PublicUrl, headers: &HeaderMap) -> Option<CredentialHash> {
    let jar = CookieJar::from_headers(headers);
    jar.get(name(carries, public_url)).map(|cookie| CredentialHash::of(cookie.value()))
}

/// Puts a new session in the place of the one that a request came with, for the handlers behind.
pub(super) fn replace(public_url: &PublicUrl, headers: &mut HeaderMap, session: &Credential) {
    let others = CookieJar::from_headers(headers);
    let others = others.iter().filter(|known| known.name() != name(Carries::Session, public_url));
    let mut pairs: Vec<String> = others.map(|other| format!("{}={}", other.name(), other.value())).collect();
    #[expect(clippy::disallowed_methods, reason = "as the browser will present it from now on")]
    let value = session.text.expose_secret();
    pairs.push(format!("{}={value}", name(Carries::Session, public_url)));
    if let Ok(value) = HeaderValue::from_str(&pairs.join("; ")) {
        headers.insert(header::COOKIE, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_for_this_host_alone_and_not_for_scripts() {
        let session = Credential::random("").expect("random");
        let https = PublicUrl::parse("https://mission.example").expect("an origin");
        let set_https = set(Carries::Session, &https, &session);
        let (value, attributes) = set_https.split_once("; ").expect("attributes");
        assert_eq!(value.len(), "__Host-mc=".len() + 43);
        assert_eq!(attributes, "HttpOnly; SameSite=Lax; Secure; Path=/");
        let http = set(Carries::Session, &PublicUrl::loopback(3000), &session);
        assert!(http.starts_with("mc=") && http.ends_with("; HttpOnly; SameSite=Lax; Path=/"), "{http}");
        let clear = clear(Carries::Session, &https);
        assert!(clear.starts_with("__Host-mc=; ") && clear.contains("Max-Age=0"));
    }

    #[test]
    fn half_a_session_is_no_session() {
        let (https, half) = (PublicUrl::parse("https://mission.example").expect("an origin"), Credential::random(""));
        let set = set(Carries::HalfSession, &https, &half.expect("random"));
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, set.split(';').next().expect("a pair").parse().expect("a value"));
        assert!(presented(Carries::HalfSession, &https, &headers).is_some());
        assert!(presented(Carries::Session, &https, &headers).is_none());
    }

    #[test]
    fn a_replaced_session_leaves_the_other_cookies() {
        let (here, old, new) = (PublicUrl::loopback(3000), "old", Credential::random("").expect("random"));
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, format!("theme=dark; mc={old}").parse().expect("a value"));
        replace(&here, &mut headers, &new);
        assert_eq!(presented(Carries::Session, &here, &headers), Some(new.hash));
        assert_eq!(
            CookieJar::from_headers(&headers).get("theme").map(|cookie| cookie.value().to_owned()).as_deref(),
            Some("dark")
        );
    }
}
