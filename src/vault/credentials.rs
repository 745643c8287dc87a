//! The credentials in force: from the vault, else from the environment, else (before the embedded sandbox) generated.

use secrecy::{ExposeSecret as _, SecretString};

use super::entries::Held;
use super::{Vault, VaultError, VaultName};
use crate::config::EnvironmentCredentials;
use crate::phone::PhoneNumber;

/// Twilio's magic number that accepts everything: the sender of the embedded sandbox.
const SANDBOX_NUMBER: &str = "+15005550006";

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The vault.
    Vault,
    /// The environment.
    Environment,
    /// Generated for the embedded sandbox.
    Sandbox,
}

/// What a request to Twilio is made with.
#[derive(Clone, Debug)]
pub struct TwilioCredentials {
    /// The account.
    pub account_sid: String,
    /// Its auth token.
    pub auth_token: SecretString,
    /// What requests are made with in the token's place.
    pub api_key: Option<ApiKey>,
    /// The number that sends unless a request names another.
    pub phone_number: Option<PhoneNumber>,
    /// The auth token's version, if it comes from the vault.
    pub version: Option<i32>,
    /// Where the auth token comes from.
    pub source: Source,
}

/// A key of the account, which can be ended at Twilio without ending the auth token.
#[derive(Clone, Debug)]
pub struct ApiKey {
    /// Its name.
    pub sid: String,
    /// Its secret.
    pub secret: SecretString,
    /// The secret's version, if it comes from the vault.
    pub version: Option<i32>,
    /// Where both come from.
    pub source: Source,
}

/// What there is of an API key.
pub(super) enum KeyStanding {
    /// Nothing: requests are made with the auth token.
    None,
    /// One half. Nothing is sent then: whoever sets a key up does not mean to send with the token.
    Half,
    /// Both.
    Whole(ApiKey),
}

impl TwilioCredentials {
    /// User and password of Twilio's basic authentication.
    pub(crate) fn login(&self) -> (&str, &SecretString) {
        match &self.api_key {
            Some(key) => (&key.sid, &key.secret),
            None => (&self.account_sid, &self.auth_token),
        }
    }

    /// Whether a request that is made with these is made with those.
    pub(crate) fn are(&self, others: &Self) -> bool {
        let key =
            |credentials: &Self| credentials.api_key.as_ref().map(|key| (key.sid.clone(), key.version, key.source));
        (&self.account_sid, self.version, self.source) == (&others.account_sid, others.version, others.source)
            && key(self) == key(others)
    }
}

/// The value in force of one name, still closed.
pub(super) enum Standing<'a> {
    Stored(&'a Held),
    Environment(&'a SecretString),
    Generated(SecretString),
    Missing,
}

impl Vault {
    /// Twilio's credentials as of now. `None` while account SID or auth token is missing, or one half of an API key;
    /// [`Vault::list`] says which.
    pub async fn twilio(&self) -> Result<Option<TwilioCredentials>, VaultError> {
        self.twilio_among(&self.held().await?)
    }

    /// The account as Twilio itself knows it, for the emulator: it signs even while half an API key keeps us from sending.
    pub(crate) async fn signing_account(&self) -> Result<Option<TwilioCredentials>, VaultError> {
        let held = self.held().await?;
        let Some(account) = self.account_among(&held)? else { return Ok(None) };
        let key = self.api_key_among(&held)?;
        Ok(Some(TwilioCredentials {
            api_key: if let KeyStanding::Whole(key) = key { Some(key) } else { None },
            ..account
        }))
    }

    /// The number that sends unless a request names another.
    pub async fn phone_number(&self) -> Result<Option<PhoneNumber>, VaultError> {
        self.phone_number_among(&self.held().await?)
    }

    /// The key of `ElevenLabs` as of now.
    pub async fn elevenlabs_key(&self) -> Result<Option<SecretString>, VaultError> {
        self.elevenlabs_among(&self.held().await?)
    }

    pub(super) fn elevenlabs_among(&self, held: &[Held]) -> Result<Option<SecretString>, VaultError> {
        Ok(self.value(held, VaultName::ElevenlabsApiKey)?.map(|(key, ..)| key))
    }

    #[expect(clippy::disallowed_methods, reason = "a telephone number is no secret")]
    fn phone_number_among(&self, held: &[Held]) -> Result<Option<PhoneNumber>, VaultError> {
        let name = VaultName::TwilioPhoneNumber;
        self.value(held, name)?
            .map(|(number, ..)| PhoneNumber::parse(number.expose_secret()))
            .transpose()
            .map_err(|problem| VaultError::Invalid { name, problem: problem.into() })
    }

    pub(super) fn twilio_among(&self, held: &[Held]) -> Result<Option<TwilioCredentials>, VaultError> {
        let Some(account) = self.account_among(held)? else { return Ok(None) };
        Ok(match self.api_key_among(held)? {
            KeyStanding::None => Some(account),
            KeyStanding::Half => None,
            KeyStanding::Whole(key) => Some(TwilioCredentials { api_key: Some(key), ..account }),
        })
    }

    /// What there is of the API key. Both halves come from one place: one in the vault is never used with one in the
    /// environment.
    #[expect(clippy::disallowed_methods, reason = "the SID of a key is no secret")]
    pub(super) fn api_key_among(&self, held: &[Held]) -> Result<KeyStanding, VaultError> {
        let [sid, secret] = VaultName::API_KEY;
        Ok(match (self.value(held, sid)?, self.value(held, secret)?) {
            (None, None) => KeyStanding::None,
            (Some((sid, ..)), Some((secret, version, source))) => {
                KeyStanding::Whole(ApiKey { sid: sid.expose_secret().to_owned(), secret, version, source })
            }
            (Some(_), None) | (None, Some(_)) => KeyStanding::Half,
        })
    }

    /// Account SID and auth token as of now, whatever there is of an API key: with these Twilio signs.
    #[expect(clippy::disallowed_methods, reason = "an account SID is no secret")]
    pub(super) fn account_among(&self, held: &[Held]) -> Result<Option<TwilioCredentials>, VaultError> {
        let account_sid = self.value(held, VaultName::TwilioAccountSid)?;
        let auth_token = self.value(held, VaultName::TwilioAuthToken)?;
        let (Some((account_sid, ..)), Some((auth_token, version, source))) = (account_sid, auth_token) else {
            return Ok(None);
        };
        let phone_number = self.phone_number_among(held)?;
        let account_sid = account_sid.expose_secret().to_owned();
        Ok(Some(TwilioCredentials { account_sid, auth_token, api_key: None, phone_number, version, source }))
    }

    fn value(&self, held: &[Held], name: VaultName) -> Result<Option<(SecretString, Option<i32>, Source)>, VaultError> {
        Ok(match self.standing(held, name) {
            // A version that was put back in the place of a newer one opens, as what it was.
            Standing::Stored(current)
                if held.iter().any(|other| other.name == name && other.version > current.version) =>
            {
                return Err(VaultError::Altered { name, version: current.version });
            }
            Standing::Stored(held) => Some((self.open_held(held)?, Some(held.version), Source::Vault)),
            Standing::Environment(value) => Some((value.clone(), None, Source::Environment)),
            Standing::Generated(value) => Some((value, None, Source::Sandbox)),
            Standing::Missing => None,
        })
    }

    /// What stands for a name.
    pub(super) fn standing<'a>(&'a self, held: &'a [Held], name: VaultName) -> Standing<'a> {
        if let Some(current) = held.iter().find(|held| held.name == name && held.is_current) {
            return Standing::Stored(current);
        }
        let is_current = |name: &VaultName| held.iter().any(|held| held.name == *name && held.is_current);
        if VaultName::API_KEY.contains(&name) && VaultName::API_KEY.iter().any(is_current) {
            return Standing::Missing;
        }
        if let Some(value) = name.in_environment(&self.environment) {
            return Standing::Environment(value);
        }
        match self.generated(held, name) {
            Some(value) => Standing::Generated(value),
            None => Standing::Missing,
        }
    }

    /// The generated value of a name. Account SID and auth token are a pair: a generated one never stands beside one
    /// that somebody set.
    fn generated(&self, held: &[Held], name: VaultName) -> Option<SecretString> {
        let pair = [VaultName::TwilioAccountSid, VaultName::TwilioAuthToken];
        let is_set = |name: &VaultName| {
            held.iter().any(|held| held.name == *name && held.is_current)
                || name.in_environment(&self.environment).is_some()
        };
        let derive = |label| format!("{:032x}", self.ring.primary().derive(label, self.deployment));
        match name {
            _ if !self.generated.contains(&name) => None,
            VaultName::TwilioPhoneNumber => Some(SecretString::from(SANDBOX_NUMBER)),
            VaultName::ElevenlabsApiKey => {
                Some(SecretString::from(format!("sk_{}", derive("mission-control/sandbox/elevenlabs-key"))))
            }
            VaultName::TwilioApiKeySid | VaultName::TwilioApiKeySecret => None,
            _ if pair.iter().any(is_set) => None,
            VaultName::TwilioAccountSid => {
                Some(SecretString::from(format!("AC{}", derive("mission-control/sandbox/account-sid"))))
            }
            VaultName::TwilioAuthToken => Some(SecretString::from(derive("mission-control/sandbox/auth-token"))),
        }
    }
}

/// The environment's values in the form in which the vault keeps its own.
pub(super) fn parse_environment(environment: &EnvironmentCredentials) -> Result<EnvironmentCredentials, VaultError> {
    let parse = |name: VaultName| {
        let value = name.in_environment(environment).map(|value| name.parse_value(value));
        value.transpose().map_err(|problem| VaultError::Environment { variable: name.variable(), problem })
    };
    Ok(EnvironmentCredentials {
        twilio_account_sid: parse(VaultName::TwilioAccountSid)?,
        twilio_auth_token: parse(VaultName::TwilioAuthToken)?,
        twilio_api_key_sid: parse(VaultName::TwilioApiKeySid)?,
        twilio_api_key_secret: parse(VaultName::TwilioApiKeySecret)?,
        twilio_phone_number: parse(VaultName::TwilioPhoneNumber)?,
        elevenlabs_api_key: parse(VaultName::ElevenlabsApiKey)?,
    })
}
