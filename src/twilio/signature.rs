//! The signature that Twilio puts on its webhooks: made (by the sandbox) and checked (before a callback is believed).
//!
//! Signed is the public URL as Twilio was told it, then, for a form, every parameter's name and value in the byte
//! order of the names. Nothing here is normalised: a re-ordered query or a trimmed value is another message.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Carries the signature.
pub const SIGNATURE_HEADER: &str = "X-Twilio-Signature";

/// Names the shared key and the algorithm, if a request was not signed with the auth token.
pub const SETTINGS_HEADER: &str = "X-Twilio-Webhooks-Signature-Settings";

/// The query parameter that binds a JSON body to the signed URL.
const BODY_HASH: &str = "bodySHA256";

/// A request as it arrived, with the URL as it was configured (never rebuilt from `Host` or `X-Forwarded-*`).
pub struct Signed<'a> {
    /// Scheme, host and port from the configuration; path and query byte for byte as requested.
    pub url: &'a str,
    /// The value of [`SIGNATURE_HEADER`].
    pub signature: &'a str,
    /// The value of [`SETTINGS_HEADER`], if the request has that header.
    pub settings: Option<&'a str>,
    pub body: Body<'a>,
}

/// The part of a request below its headers, as far as the signature covers it.
#[derive(Clone, Copy)]
pub enum Body<'a> {
    /// The decoded parameters of a form: all of them, known or not.
    Form(&'a [(String, String)]),
    /// The raw bytes; the signed URL holds their hash.
    Json(&'a [u8]),
    /// A GET: everything is in the URL.
    None,
}

/// A webhook signing key of our Twilio account, which takes the auth token's place where it is configured.
pub struct SharedKey {
    pub id: String,
    pub secret: SecretString,
}

/// The key that a valid signature was made with, as an index into what [`verify`] was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignedBy {
    AuthToken(usize),
    SharedKey(usize),
}

/// The key that made the request's signature; `None` if no configured key did.
///
/// The settings header may choose among the shared keys that are configured and nothing else: naming an unknown key or
/// another algorithm makes the request invalid, it does not fall back to the auth token.
pub fn verify(request: &Signed<'_>, auth_tokens: &[&SecretString], shared_keys: &[SharedKey]) -> Option<SignedBy> {
    let signature = STANDARD.decode(request.signature).ok()?;
    let url = SignedUrl::parse(request.url)?;
    let params = match request.body {
        Body::Form(params) => params,
        Body::Json(body) => {
            url.binds(body).then_some(())?;
            &[]
        }
        Body::None => &[],
    };
    let messages = url.candidates().map(|candidate| message(candidate, params));
    match request.settings.filter(|settings| !settings.trim().is_empty()) {
        None => auth_tokens
            .iter()
            .position(|token| fits::<Hmac<Sha1>>(&signature, token, &messages))
            .map(SignedBy::AuthToken),
        Some(settings) => {
            let id = shared_key_id(settings)?;
            let chosen = shared_keys.iter().position(|key| key.id == id)?;
            fits::<Hmac<Sha256>>(&signature, &shared_keys[chosen].secret, &messages)
                .then_some(SignedBy::SharedKey(chosen))
        }
    }
}

/// The signature of a form POST to `url`; `None` if the URL has no scheme or the token is empty. The fragment and the user
/// information of the URL are left out, as Twilio does.
pub fn sign(url: &str, params: &[(String, String)], auth_token: &SecretString) -> Option<String> {
    let message = message(SignedUrl::parse(url)?.as_given(), params);
    let mac = keyed::<Hmac<Sha1>>(auth_token)?.chain_update(message);
    Some(STANDARD.encode(mac.finalize().into_bytes()))
}

/// What Twilio signed, as one text: two requests with the same text are one request, however they are written. Without the
/// port, which may be signed or not.
pub fn signed_text(url: &str, params: &[(String, String)]) -> Option<String> {
    Some(message(SignedUrl::parse(url)?.with_port(None), params))
}

/// The text that is signed. Values of one name count once each and in their own order.
fn message(mut url: String, params: &[(String, String)]) -> String {
    let mut by_name = BTreeMap::<&str, BTreeSet<&str>>::new();
    for (name, value) in params {
        by_name.entry(name).or_default().insert(value);
    }
    for (name, values) in by_name {
        for value in values {
            url.push_str(name);
            url.push_str(value);
        }
    }
    url
}

/// Whether `key` signed one of these messages, in constant time for each. An empty key is no key: anyone has it.
fn fits<M: Mac + KeyInit>(signature: &[u8], key: &SecretString, messages: &[String]) -> bool {
    messages
        .iter()
        .any(|message| keyed::<M>(key).is_some_and(|mac| mac.chain_update(message).verify_slice(signature).is_ok()))
}

#[expect(clippy::disallowed_methods, reason = "the key enters the MAC here and is not kept")]
fn keyed<M: Mac + KeyInit>(key: &SecretString) -> Option<M> {
    let key = key.expose_secret().as_bytes();
    (!key.is_empty()).then(|| <M as KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length"))
}

/// The key named by `key=<id>,algorithm=HMAC_SHA256`; `None` for any other algorithm or form.
fn shared_key_id(settings: &str) -> Option<&str> {
    let field = |wanted: &str| {
        let mut values = settings
            .split(',')
            .filter_map(|part| part.split_once('='))
            .filter(|(name, _)| name.trim() == wanted)
            .map(|(_, value)| value.trim());
        values.next().filter(|_| values.next().is_none())
    };
    field("algorithm").filter(|algorithm| algorithm.eq_ignore_ascii_case("HMAC_SHA256")).and_then(|_| field("key"))
}

/// A URL cut into the parts that matter to the signature, each verbatim.
struct SignedUrl<'a> {
    scheme: &'a str,
    host: &'a str,
    port: Option<&'a str>,
    /// Path and query, without the fragment.
    rest: &'a str,
}

impl<'a> SignedUrl<'a> {
    fn parse(url: &'a str) -> Option<Self> {
        let (scheme, after) = url.split_once("://")?;
        let (authority, rest) = after.split_at(after.find(['/', '?', '#']).unwrap_or(after.len()));
        let rest = rest.split_once('#').map_or(rest, |(before, _)| before);
        let host_and_port = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        // The colons inside an IPv6 address are no port.
        let (host, port) = match host_and_port.rsplit_once(':') {
            Some((host, port))
                if port.bytes().all(|digit| digit.is_ascii_digit()) && (!host.contains(':') || host.ends_with(']')) =>
            {
                (host, Some(port))
            }
            _ => (host_and_port, None),
        };
        Some(Self { scheme, host, port, rest })
    }

    fn as_given(&self) -> String {
        self.with_port(self.port)
    }

    fn with_port(&self, port: Option<&str>) -> String {
        let Self { scheme, host, rest, .. } = self;
        port.map_or_else(|| format!("{scheme}://{host}{rest}"), |port| format!("{scheme}://{host}:{port}{rest}"))
    }

    /// The URL as Twilio may have signed it: with its port (the default one if it names none) and without. Twilio drops
    /// the port of an https URL for voice and keeps it for messages.
    fn candidates(&self) -> [String; 2] {
        let default = if self.scheme == "https" { "443" } else { "80" };
        [self.with_port(Some(self.port.unwrap_or(default))), self.with_port(None)]
    }

    /// Whether the URL holds the hash of exactly this body: once, and in lower case, as Twilio writes it.
    fn binds(&self, body: &[u8]) -> bool {
        let query = self.rest.split_once('?').map_or("", |(_, query)| query);
        let mut hashes =
            query.split('&').filter_map(|pair| pair.split_once('=')).filter(|(name, _)| *name == BODY_HASH);
        let (Some((_, given)), None) = (hashes.next(), hashes.next()) else {
            return false;
        };
        let mut expected = String::new();
        for byte in Sha256::digest(body) {
            write!(expected, "{byte:02x}").expect("a string takes any text");
        }
        expected.as_bytes().ct_eq(given.as_bytes()).into()
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::btree_map;
    use proptest::prelude::*;
    use proptest::sample::Index;

    use super::*;

    type Params = Vec<(String, String)>;

    fn url() -> impl Strategy<Value = String> {
        "https?://[a-z]{1,9}(\\.[a-z]{2,5}){0,2}(:[1-9][0-9]{0,3})?(/[a-zA-Z0-9%_.~-]{0,9}){1,4}(\\?[a-z]{1,5}=[a-zA-Z0-9%+]{0,9})?"
    }

    fn params() -> impl Strategy<Value = Params> {
        btree_map("[A-Za-z]{1,12}", any::<String>(), 0..9).prop_map(|params| params.into_iter().collect())
    }

    fn key(text: &str) -> SecretString {
        SecretString::from(text)
    }

    fn is_valid(url: &str, params: &[(String, String)], signature: &str, token: &SecretString) -> bool {
        let request = Signed { url, signature, settings: None, body: Body::Form(params) };
        verify(&request, &[token], &[]) == Some(SignedBy::AuthToken(0))
    }

    /// Another text, in one character.
    fn with_one_changed(text: &str, at: Index) -> String {
        let mut characters: Vec<char> = text.chars().collect();
        let at = at.index(characters.len());
        characters[at] = if characters[at] == 'x' { 'y' } else { 'x' };
        characters.into_iter().collect()
    }

    proptest! {
        #[test]
        fn what_we_sign_is_valid_in_any_order(url in url(), params in params(), token in "[0-9a-f]{32}") {
            let (token, mut params) = (key(&token), params);
            let signature = sign(&url, &params, &token).expect("a signature");
            prop_assert!(is_valid(&url, &params, &signature, &token));
            params.reverse();
            prop_assert!(is_valid(&url, &params, &signature, &token), "a form has no order");
        }

        #[test]
        fn one_change_anywhere_makes_it_void(
            url in url(), params in params(), token in "[0-9a-f]{32}", at: Index, which: Index, added in "[a-z]{1,5}",
        ) {
            let token_text = token;
            let token = key(&token_text);
            let signature = sign(&url, &params, &token).expect("a signature");
            let refused = |url: &str, params: &[(String, String)], signature: &str, token: &SecretString| {
                !is_valid(url, params, signature, token)
            };
            let path = url.find("://").map(|scheme| scheme + 3).and_then(|host| url[host..].find('/').map(|path| host + path));
            let (before, path) = url.split_at(path.expect("a path"));
            let other = format!("{before}{}", with_one_changed(path, at));
            prop_assert!(refused(&other, &params, &signature, &token), "{}", other);
            let longer = [url.as_str(), &added].concat();
            prop_assert!(refused(&longer, &params, &signature, &token), "{}", longer);
            prop_assert!(refused(&url.replacen("://", "://x", 1), &params, &signature, &token), "another host");
            prop_assert!(refused(&url, &params, &with_one_changed(&signature, at), &token));
            prop_assert!(refused(&url, &params, "", &token));
            prop_assert!(refused(&url, &params, &signature, &key(&with_one_changed(&token_text, at))));
            prop_assert!(refused(&url, &params, &signature, &key("")), "an empty key is no key");
            let more: Params = params.iter().cloned().chain([(format!("zzz{added}"), added.clone())]).collect();
            prop_assert!(refused(&url, &more, &signature, &token), "one more");
            if !params.is_empty() {
                let which = which.index(params.len());
                let mut less = params.clone();
                less.remove(which);
                prop_assert!(refused(&url, &less, &signature, &token), "one less");
                let mut other = params.clone();
                other[which].1.push('x');
                prop_assert!(refused(&url, &other, &signature, &token), "another value");
            }
        }
    }
}
