//! The names of the vault: which secrets there are, and what each must look like.

use std::fmt;
use std::str::FromStr;

use secrecy::{ExposeSecret as _, SecretString};

use crate::config::EnvironmentCredentials;
use crate::phone::{InvalidPhoneNumber, PhoneNumber};

/// Longest secret. The longest known key has 164 characters.
const LONGEST: usize = 512;

/// A secret at least this long shows its last four characters: of a shorter one they would tell too much.
const SHORTEST_WITH_HINT: usize = 20;

/// One of the secrets that the vault keeps.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    serde::Serialize,
    serde::Deserialize,
    sqlx::Type,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum VaultName {
    /// The account at Twilio; an identifier.
    TwilioAccountSid,
    /// Signs requests to Twilio, and Twilio's callbacks to us.
    TwilioAuthToken,
    /// The name of an API key of the account, with which requests are made in the auth token's place; an identifier.
    TwilioApiKeySid,
    /// Its secret.
    TwilioApiKeySecret,
    /// The number that sends unless a request names another; an identifier.
    TwilioPhoneNumber,
    /// The key of `ElevenLabs`.
    ElevenlabsApiKey,
}

/// A text that is not the name of a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "The vault has no such entry. Its names are twilio_account_sid, twilio_auth_token, twilio_api_key_sid, twilio_api_key_secret, twilio_phone_number and elevenlabs_api_key."
)]
pub struct UnknownVaultName;

/// Why a value is refused. Says what to write and never repeats the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSecret {
    /// Nothing but blanks.
    #[error("This is empty. To take a value out, remove the entry.")]
    Empty,
    /// More than any known secret has.
    #[error("This is longer than {LONGEST} characters. Check that only the value itself was copied.")]
    TooLong,
    /// A line break or another character that does not print.
    #[error("This contains a line break or another character that does not print. Copy the value again.")]
    NotPrintable,
    /// Not a SID of an account.
    #[error("An account SID is AC and 32 hexadecimal digits. Copy it from the Twilio Console.")]
    AccountSid,
    /// Not a SID of an API key.
    #[error("The SID of an API key is SK and 32 hexadecimal digits. Copy it from the Twilio Console.")]
    ApiKeySid,
    /// Not a telephone number.
    #[error(transparent)]
    PhoneNumber(#[from] InvalidPhoneNumber),
}

impl VaultName {
    /// All names, in the order in which they are shown.
    pub const ALL: [Self; 6] = [
        Self::TwilioAccountSid,
        Self::TwilioAuthToken,
        Self::TwilioApiKeySid,
        Self::TwilioApiKeySecret,
        Self::TwilioPhoneNumber,
        Self::ElevenlabsApiKey,
    ];

    /// The two halves of Twilio's API key.
    pub(crate) const API_KEY: [Self; 2] = [Self::TwilioApiKeySid, Self::TwilioApiKeySecret];

    /// Those without which Twilio cannot be used, in the same order.
    pub(crate) const TWILIO: [Self; 3] = [Self::TwilioAccountSid, Self::TwilioAuthToken, Self::TwilioPhoneNumber];

    /// The name in the API, in rows and in logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TwilioAccountSid => "twilio_account_sid",
            Self::TwilioAuthToken => "twilio_auth_token",
            Self::TwilioApiKeySid => "twilio_api_key_sid",
            Self::TwilioApiKeySecret => "twilio_api_key_secret",
            Self::TwilioPhoneNumber => "twilio_phone_number",
            Self::ElevenlabsApiKey => "elevenlabs_api_key",
        }
    }

    /// The environment variable that stands behind the entry.
    pub fn variable(self) -> &'static str {
        match self {
            Self::TwilioAccountSid => "TWILIO_ACCOUNT_SID",
            Self::TwilioAuthToken => "TWILIO_AUTH_TOKEN",
            Self::TwilioApiKeySid => "TWILIO_API_KEY_SID",
            Self::TwilioApiKeySecret => "TWILIO_API_KEY_SECRET",
            Self::TwilioPhoneNumber => "TWILIO_PHONE_NUMBER",
            Self::ElevenlabsApiKey => "ELEVENLABS_API_KEY",
        }
    }

    /// Whether the value names something instead of opening it: it may be shown.
    pub fn is_identifier(self) -> bool {
        matches!(self, Self::TwilioAccountSid | Self::TwilioApiKeySid | Self::TwilioPhoneNumber)
    }

    pub(super) fn in_environment(self, environment: &EnvironmentCredentials) -> Option<&SecretString> {
        match self {
            Self::TwilioAccountSid => environment.twilio_account_sid.as_ref(),
            Self::TwilioAuthToken => environment.twilio_auth_token.as_ref(),
            Self::TwilioApiKeySid => environment.twilio_api_key_sid.as_ref(),
            Self::TwilioApiKeySecret => environment.twilio_api_key_secret.as_ref(),
            Self::TwilioPhoneNumber => environment.twilio_phone_number.as_ref(),
            Self::ElevenlabsApiKey => environment.elevenlabs_api_key.as_ref(),
        }
    }

    /// The value as it is kept: trimmed, and of the form that its name asks for.
    #[expect(clippy::disallowed_methods, reason = "the form of a value is checked where it enters")]
    pub(super) fn parse_value(self, value: &SecretString) -> Result<SecretString, InvalidSecret> {
        let text = value.expose_secret();
        if text.len() > LONGEST {
            return Err(InvalidSecret::TooLong);
        }
        let text = text.trim();
        if text.is_empty() {
            return Err(InvalidSecret::Empty);
        }
        if text.chars().any(char::is_control) {
            return Err(InvalidSecret::NotPrintable);
        }
        match self {
            Self::TwilioAccountSid if !is_sid("AC", text) => Err(InvalidSecret::AccountSid),
            Self::TwilioApiKeySid if !is_sid("SK", text) => Err(InvalidSecret::ApiKeySid),
            Self::TwilioPhoneNumber => PhoneNumber::parse(text)
                .map(|number| SecretString::from(number.as_str()))
                .map_err(InvalidSecret::PhoneNumber),
            Self::TwilioAccountSid
            | Self::TwilioAuthToken
            | Self::TwilioApiKeySid
            | Self::TwilioApiKeySecret
            | Self::ElevenlabsApiKey => Ok(SecretString::from(text)),
        }
    }

    /// What may be shown of a value: an identifier in full, the last four characters of a long secret, or nothing.
    #[expect(clippy::disallowed_methods, reason = "at most four characters of a secret leave")]
    pub(super) fn hint(self, value: &SecretString) -> Option<String> {
        let text = value.expose_secret();
        let length = text.chars().count();
        if self.is_identifier() {
            Some(text.to_owned())
        } else if length >= SHORTEST_WITH_HINT {
            Some(text.chars().skip(length - 4).collect())
        } else {
            None
        }
    }
}

fn is_sid(prefix: &str, text: &str) -> bool {
    text.strip_prefix(prefix).is_some_and(|rest| rest.len() == 32 && rest.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

impl fmt::Display for VaultName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for VaultName {
    type Err = UnknownVaultName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|name| name.as_str() == text).ok_or(UnknownVaultName)
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the tests compare values")]
mod tests {
    use super::*;

    const SID: &str = "AC0123456789abcdefABCDEF0123456789";

    fn parsed(name: VaultName, text: &str) -> Result<String, InvalidSecret> {
        name.parse_value(&SecretString::from(text)).map(|value| value.expose_secret().to_owned())
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        for name in VaultName::ALL {
            assert_eq!(name.to_string().parse(), Ok(name));
        }
        assert_eq!("twilio".parse::<VaultName>(), Err(UnknownVaultName));
    }

    #[test]
    fn values_are_trimmed_and_have_their_form() {
        use VaultName::{TwilioAccountSid, TwilioApiKeySid, TwilioAuthToken, TwilioPhoneNumber};
        assert_eq!(parsed(TwilioAccountSid, &format!(" {SID}\n")), Ok(SID.to_owned()));
        assert_eq!(parsed(TwilioPhoneNumber, "+1 (500) 555-0006"), Ok("+15005550006".to_owned()));
        for (name, text, refusal) in [
            (TwilioAccountSid, "", InvalidSecret::Empty),
            (TwilioAccountSid, "SK0123456789abcdefABCDEF0123456789", InvalidSecret::AccountSid),
            (TwilioAccountSid, "AC0123456789abcdefABCDEF012345678", InvalidSecret::AccountSid),
            (TwilioAccountSid, "AC0123456789abcdefABCDEF012345678g", InvalidSecret::AccountSid),
            (TwilioApiKeySid, SID, InvalidSecret::ApiKeySid),
            (TwilioPhoneNumber, "5005550006", InvalidSecret::PhoneNumber(InvalidPhoneNumber::CountryCode)),
            (TwilioAuthToken, " \r\n\t", InvalidSecret::Empty),
            (TwilioAuthToken, "two\nlines", InvalidSecret::NotPrintable),
            (TwilioAuthToken, &"x".repeat(513), InvalidSecret::TooLong),
        ] {
            assert_eq!(parsed(name, text), Err(refusal));
        }
    }

    #[test]
    fn a_hint_shows_identifiers_in_full_and_only_the_end_of_long_secrets() {
        let hint = |name: VaultName, text: &str| name.hint(&SecretString::from(text));
        assert_eq!(hint(VaultName::TwilioAccountSid, SID).as_deref(), Some(SID));
        assert_eq!(hint(VaultName::TwilioAuthToken, "0123456789012345wxyz").as_deref(), Some("wxyz"));
        assert_eq!(hint(VaultName::TwilioAuthToken, "012345678901234wxyz"), None);
    }
}
