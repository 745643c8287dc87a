//! One sign-in that is under way at the provider. Everything about it follows from one secret that the browser keeps in a
//! cookie: whoever comes back with another browser, or with another's answer, comes back with nothing. We keep nothing.

use axum::http::HeaderMap;
use axum_extra::extract::CookieJar;
use axum_extra::extract::cookie::{Cookie, SameSite};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use time::Duration;

use crate::auth::credential::Credential;
use crate::auth::next::Next;
use crate::config::PublicUrl;

/// How long somebody may take at the provider.
const LASTS: Duration = Duration::minutes(10);

/// A sign-in under way.
pub(super) struct Attempt {
    secret: SecretString,
    /// Where to go on afterwards.
    pub(super) next: Option<Next>,
    /// Whether the provider is to ask anew, even whoever it knows already.
    pub(super) anew: bool,
}

impl Attempt {
    /// A new one.
    pub(super) fn begin(next: Option<Next>, anew: bool) -> anyhow::Result<Self> {
        Ok(Self { secret: Credential::random("")?.text, next, anew })
    }

    /// What comes back through the browser, so that no other site can send somebody to us with an answer of its own.
    pub(super) fn state(&self) -> String {
        self.derived("state")
    }

    /// What stands in the token, so that it cannot be one from elsewhere.
    pub(super) fn nonce(&self) -> String {
        self.derived("nonce")
    }

    /// What the provider gets only from us, so that a code alone is worth nothing (RFC 7636).
    pub(super) fn verifier(&self) -> String {
        self.derived("verifier")
    }

    /// Whether the answer is to this.
    pub(super) fn is_answered_by(&self, state: &str) -> bool {
        self.state().as_bytes().ct_eq(state.as_bytes()).into()
    }

    /// 256 bits that only this attempt gives, and from which the secret cannot be found.
    fn derived(&self, purpose: &str) -> String {
        #[expect(clippy::disallowed_methods, reason = "it goes into a hash")]
        let secret = self.secret.expose_secret().as_bytes();
        let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of any length");
        mac.update(b"mission-control oidc ");
        mac.update(purpose.as_bytes());
        URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
    }

    /// `Set-Cookie` that keeps it.
    pub(super) fn cookie(&self, public_url: &PublicUrl) -> String {
        #[expect(clippy::disallowed_methods, reason = "the browser keeps it, and nobody else")]
        let secret = self.secret.expose_secret();
        let next = self.next.as_ref().map_or_else(String::new, |next| URL_SAFE_NO_PAD.encode(next.as_str()));
        let value = format!("{secret}.{}.{next}", u8::from(self.anew));
        let mut cookie = made(public_url, value);
        cookie.set_max_age(LASTS);
        cookie.to_string()
    }

    /// `Set-Cookie` that forgets it.
    pub(super) fn forget(public_url: &PublicUrl) -> String {
        let mut cookie = made(public_url, String::new());
        cookie.make_removal();
        cookie.to_string()
    }

    /// What a browser kept.
    pub(super) fn kept(public_url: &PublicUrl, headers: &HeaderMap) -> Option<Self> {
        let jar = CookieJar::from_headers(headers);
        let mut parts = jar.get(name(public_url))?.value().splitn(3, '.');
        let (secret, anew, next) = (parts.next()?, parts.next()?, parts.next()?);
        // Shorter ones are none of ours, and could be guessed.
        if secret.len() != 43 {
            return None;
        }
        let next = URL_SAFE_NO_PAD.decode(next).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        Some(Self { secret: secret.into(), anew: anew == "1", next: next.as_deref().and_then(Next::parse) })
    }
}

fn name(public_url: &PublicUrl) -> &'static str {
    if public_url.is_https() { "__Host-mc-oidc" } else { "mc-oidc" }
}

/// `Lax`, because the provider sends the browser back from its own site.
fn made(public_url: &PublicUrl, value: String) -> Cookie<'static> {
    Cookie::build((name(public_url), value))
        .path("/")
        .secure(public_url.is_https())
        .http_only(true)
        .same_site(SameSite::Lax)
        .build()
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderValue, header};

    use super::*;

    fn kept(cookie: &str) -> Option<Attempt> {
        let pair = cookie.split(';').next().expect("a pair");
        let headers = HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_str(pair).expect("a value"))]);
        Attempt::kept(&PublicUrl::loopback(3000), &headers)
    }

    #[test]
    fn the_browser_brings_back_what_it_began_with() {
        let next = Next::parse("/dashboard/operations");
        let begun = Attempt::begin(next.clone(), true).expect("random");
        let cookie = begun.cookie(&PublicUrl::loopback(3000));
        assert!(cookie.contains("HttpOnly; SameSite=Lax; Path=/; Max-Age=600"), "{cookie}");
        let back = kept(&cookie).expect("an attempt");
        assert_eq!((back.state(), back.nonce(), back.verifier()), (begun.state(), begun.nonce(), begun.verifier()));
        assert!(back.anew && back.next == next && back.is_answered_by(&begun.state()));
        let https = PublicUrl::parse("https://mission.example").expect("an origin");
        assert!(begun.cookie(&https).starts_with("__Host-mc-oidc="));
    }

    #[test]
    fn another_browser_has_nothing_to_bring() {
        let (one, other) = (Attempt::begin(None, false).expect("random"), Attempt::begin(None, false).expect("random"));
        assert!(!one.is_answered_by(&other.state()) && !one.is_answered_by(""));
        let all = [one.state(), one.nonce(), one.verifier(), other.state(), other.nonce(), other.verifier()];
        assert!(all.iter().enumerate().all(|(index, value)| !all[..index].contains(value)), "none tells another");
        for cookie in ["mc-oidc=", "mc-oidc=short.0.", "mc-oidc=..", "mc=x"] {
            assert!(kept(cookie).is_none(), "{cookie}");
        }
    }
}
