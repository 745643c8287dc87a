//! The cookie that carries a session.

use axum::http::HeaderMap;
use axum_extra::extract::CookieJar;
use axum_extra::extract::cookie::{Cookie, SameSite};
use secrecy::ExposeSecret as _;

use super::credential::{Credential, CredentialHash};
use crate::config::PublicUrl;

/// On https the prefix makes browsers refuse the cookie from anybody but this very host; on plain http they would
/// refuse the prefix.
fn name(public_url: &PublicUrl) -> &'static str {
    if public_url.is_https() { "__Host-mc" } else { "mc" }
}

fn cookie(public_url: &PublicUrl, value: String) -> Cookie<'static> {
    Cookie::build((name(public_url), value))
        .path("/")
        .secure(public_url.is_https())
        .http_only(true)
        .same_site(SameSite::Lax)
        .build()
}

/// `Set-Cookie` for a new session. It ends with the browser; the table ends it earlier.
pub(super) fn set(public_url: &PublicUrl, session: &Credential) -> String {
    #[expect(clippy::disallowed_methods, reason = "the one place where a session's credential leaves us")]
    let value = session.text.expose_secret().to_owned();
    cookie(public_url, value).to_string()
}

/// `Set-Cookie` that removes it.
pub(super) fn clear(public_url: &PublicUrl) -> String {
    let mut cookie = cookie(public_url, String::new());
    cookie.make_removal();
    cookie.to_string()
}

/// The session that a request presents.
pub(super) fn presented(public_url: &PublicUrl, headers: &HeaderMap) -> Option<CredentialHash> {
    let jar = CookieJar::from_headers(headers);
    jar.get(name(public_url)).map(|cookie| CredentialHash::of(cookie.value()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_for_this_host_alone_and_not_for_scripts() {
        let session = Credential::random("").expect("random");
        let https = PublicUrl::parse("https://mission.example").expect("an origin");
        let set_https = set(&https, &session);
        let (value, attributes) = set_https.split_once("; ").expect("attributes");
        assert_eq!(value.len(), "__Host-mc=".len() + 43);
        assert_eq!(attributes, "HttpOnly; SameSite=Lax; Secure; Path=/");
        let http = set(&PublicUrl::loopback(3000), &session);
        assert!(http.starts_with("mc=") && http.ends_with("; HttpOnly; SameSite=Lax; Path=/"), "{http}");
        assert!(clear(&https).starts_with("__Host-mc=; ") && clear(&https).contains("Max-Age=0"));
    }
}
