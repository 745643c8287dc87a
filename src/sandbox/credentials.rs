//! Who may use the sandbox: the one emulated account.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures_util::future::BoxFuture;
use hyper::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

/// The number that every account has, as with Twilio's test credentials.
pub(super) const NUMBER_OF_EVERY_ACCOUNT: &str = "+15005550006";

/// An account as the sandbox knows it.
#[derive(Clone, Debug)]
pub struct Credentials {
    pub account_sid: String,
    pub auth_token: SecretString,
    /// SID and secret of a standard API key: it opens everything but the account itself.
    pub api_key: Option<(String, SecretString)>,
    /// Numbers in E.164 that belong to the account, beside `+15005550006`.
    pub numbers: Vec<String>,
}

/// The credentials in force cannot be read at this moment: nobody can be told whether theirs are right.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the credentials in force cannot be read at this moment")]
pub struct NotKnown;

/// Asks for the key of `ElevenLabs` in force; `None` while there is none.
pub type KeyLookup = Arc<dyn Fn() -> BoxFuture<'static, Result<Option<SecretString>, NotKnown>> + Send + Sync>;

/// Where the key of `ElevenLabs` comes from that is accepted.
pub enum KeySource {
    /// Without one nobody is served.
    Fixed(Option<SecretString>),
    /// Asked at each use, so that a change in the vault counts at once.
    Dynamic(KeyLookup),
}

impl KeySource {
    /// Whether this is the value of a header with exactly that key.
    #[expect(clippy::disallowed_methods, reason = "compared here, in constant time, and not kept")]
    pub(super) async fn admits(&self, given: &HeaderValue) -> Result<bool, NotKnown> {
        let key = match self {
            Self::Fixed(key) => key.clone(),
            Self::Dynamic(lookup) => lookup().await?,
        };
        Ok(key.is_some_and(|key| key.expose_secret().as_bytes().ct_eq(given.as_bytes()).into()))
    }
}

/// Asks for the credentials in force; `None` while there are none.
pub type CredentialLookup = Arc<dyn Fn() -> BoxFuture<'static, Result<Option<Credentials>, NotKnown>> + Send + Sync>;

/// Where the accepted credentials come from.
pub enum CredentialSource {
    Fixed(Credentials),
    /// Asked at each use, so that a change in the vault counts at once.
    Dynamic(CredentialLookup),
}

impl CredentialSource {
    pub(super) async fn current(&self) -> Result<Option<Credentials>, NotKnown> {
        match self {
            Self::Fixed(credentials) => Ok(Some(credentials.clone())),
            Self::Dynamic(lookup) => lookup().await,
        }
    }
}

impl Credentials {
    pub(super) fn owns(&self, number: &str) -> bool {
        self.numbers().any(|own| own == number)
    }

    /// The account's numbers, each once.
    pub(super) fn numbers(&self) -> impl Iterator<Item = &str> {
        let others = self.numbers.iter().map(String::as_str).filter(|number| *number != NUMBER_OF_EVERY_ACCOUNT);
        std::iter::once(NUMBER_OF_EVERY_ACCOUNT).chain(others)
    }

    /// What an `Authorization` header shows, if it is exactly one of these.
    pub(super) fn shown_by(&self, authorization: Option<&HeaderValue>) -> Option<Shown> {
        let given = authorization
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"))
            .and_then(|(_, encoded)| STANDARD.decode(encoded.trim()).ok())?;
        if is_login(&given, &self.account_sid, &self.auth_token) {
            return Some(Shown::AuthToken);
        }
        let (sid, secret) = self.api_key.as_ref()?;
        is_login(&given, sid, secret).then_some(Shown::ApiKey)
    }
}

/// What a request is made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    AuthToken,
    ApiKey,
}

#[expect(clippy::disallowed_methods, reason = "compared here, in constant time, and not kept")]
fn is_login(given: &[u8], user: &str, password: &SecretString) -> bool {
    format!("{user}:{}", password.expose_secret()).as_bytes().ct_eq(given).into()
}
