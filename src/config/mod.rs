//! Settings that are read once at start: `config/default.toml`, then a file, then the environment. They are parsed into
//! what they mean, or the service refuses to start with the setting's name and the remedy.

mod clips;
mod layers;
mod master_key;
mod oidc;
mod operating;
mod prices;
mod proxies;
mod public_url;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::num::NonZero;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clips::ClipSettings;
use oidc::OidcSettings;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use url::Url;

pub use clips::{Bucket, ClipStorage};
pub use master_key::MasterKeySource;
pub use oidc::OidcProvider;
pub(crate) use operating::is_speech_id;
pub use operating::{Api, Approval, Dispatch, OnUnknown, Operating, SecondFactor, SignIn, VoiceSettings, WrongSetting};
pub(crate) use prices::CURRENCIES;
pub use prices::{InvalidPrice, Price, Prices};
pub use proxies::Proxies;
pub use public_url::{PublicUrl, is_loopback, loopback_hosts};

const DEFAULTS: &str = include_str!("../../config/default.toml");
const PREFIX: &str = "MISSION_CONTROL_";

/// The environment variable of an operating setting, given as `table.name`.
pub(crate) fn variable(setting: &str) -> String {
    format!("{PREFIX}{}", setting.replace('.', "_").to_uppercase())
}

/// Where operations go: the emulator, or Twilio. Stamped on each operation, never guessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::Type, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Mode {
    /// Twilio is emulated; nothing leaves the machine.
    Sandbox,
    /// The real Twilio.
    Live,
}

impl Mode {
    /// The mode's name in settings, rows and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sandbox => "sandbox",
            Self::Live => "live",
        }
    }

    /// The mode that it is not.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Sandbox => Self::Live,
            Self::Live => Self::Sandbox,
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// The environment, as a value: tests bring their own.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The process's environment. Names or values that are not UTF-8 are none of ours.
    pub fn of_process() -> Self {
        let variables = std::env::vars_os();
        Self(
            variables.filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))).collect(),
        )
    }

    /// An environment of these variables alone.
    pub fn of<const N: usize>(variables: [(&str, &str); N]) -> Self {
        Self(variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    /// Adds or replaces a variable.
    pub fn set(&mut self, name: &str, value: &str) {
        self.0.insert(name.to_owned(), value.to_owned());
    }

    /// A variable that is set, and not to nothing or to a placeholder.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(|value| value.trim())
            .filter(|value| !value.is_empty() && !value.starts_with("PLACEHOLDER"))
    }

    pub(crate) fn secret(&self, name: &str) -> Option<SecretString> {
        self.get(name).map(SecretString::from)
    }
}

/// The settings of this process.
#[derive(Clone, Debug)]
pub struct Config {
    /// Address that the service listens on.
    pub listen: SocketAddr,
    /// Where the private PostgreSQL, the master key and the sandbox keep their files.
    pub data_dir: PathBuf,
    /// Sandbox or live.
    pub mode: Mode,
    /// As configured; `None` follows the listening port.
    pub public_url: Option<PublicUrl>,
    /// Where Twilio's API is; `None`: the embedded sandbox, or Twilio itself in live mode.
    pub twilio_base_url: Option<Url>,
    /// Where `ElevenLabs`' API is; `None`: the embedded sandbox, or `ElevenLabs` itself in live mode.
    pub elevenlabs_base_url: Option<Url>,
    /// Address of the embedded sandbox.
    pub sandbox_listen: SocketAddr,
    /// Where the audio of calls from text is kept.
    pub clips: ClipStorage,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Proxies,
    /// Most connections at once.
    pub connections: NonZero<usize>,
    /// What is logged.
    pub log: String,
    /// How it is logged.
    pub log_format: LogFormat,
    /// A PostgreSQL of the operator's; `None`: the private one.
    pub database_url: Option<SecretString>,
    /// The master keys of the vault.
    pub master_key: MasterKeySource,
    /// Credentials from the environment, behind those in the vault.
    pub credentials: EnvironmentCredentials,
    /// `TEST_TO_NUMBER`: who is reached when the installation is verified, as written.
    pub test_to_number: Option<String>,
    /// Shared keys with which Twilio may sign webhooks, as `id:secret`.
    pub webhook_shared_keys: Vec<(String, SecretString)>,
    /// Where else people may sign in.
    pub oidc: Option<OidcProvider>,
    /// Start values of the operating settings.
    pub operating: Operating,
    /// Operating settings that the environment fixes, as `table.name`.
    pub locked: Vec<String>,
}

/// Credentials from the environment.
#[derive(Clone, Debug, Default)]
pub struct EnvironmentCredentials {
    /// `TWILIO_ACCOUNT_SID`
    pub twilio_account_sid: Option<SecretString>,
    /// `TWILIO_AUTH_TOKEN`
    pub twilio_auth_token: Option<SecretString>,
    /// `TWILIO_API_KEY_SID`
    pub twilio_api_key_sid: Option<SecretString>,
    /// `TWILIO_API_KEY_SECRET`
    pub twilio_api_key_secret: Option<SecretString>,
    /// `TWILIO_PHONE_NUMBER`
    pub twilio_phone_number: Option<SecretString>,
    /// `ELEVENLABS_API_KEY`
    pub elevenlabs_api_key: Option<SecretString>,
}

/// The settings as they stand in TOML.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    listen: SocketAddr,
    data_dir: PathBuf,
    mode: Mode,
    public_url: String,
    twilio_base_url: String,
    elevenlabs_base_url: String,
    sandbox_listen: SocketAddr,
    clips_url: String,
    clips_endpoint: String,
    clips_region: String,
    trusted_proxies: Vec<String>,
    connections: NonZero<usize>,
    oidc_name: String,
    oidc_issuer: String,
    oidc_client_id: String,
    oidc_groups_claim: String,
    oidc_roles: String,
    log: String,
    log_format: LogFormat,
    sign_in: SignIn,
    approval: Approval,
    dispatch: Dispatch,
    api: Api,
    voice: VoiceSettings,
    prices: Prices,
}

impl Config {
    /// Reads the settings, or says which one is wrong and what to write.
    pub fn load(environment: &Environment) -> anyhow::Result<Self> {
        let mut table: toml::Table = DEFAULTS.parse().context("config/default.toml")?;
        if let Some(path) = environment.get("MISSION_CONTROL_CONFIG") {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("MISSION_CONTROL_CONFIG names {path}, which cannot be read"))?;
            let file: toml::Table = text.parse().with_context(|| format!("{path} is not TOML"))?;
            layers::overlay(&mut table, file, path)?;
        }
        let locked = layers::overlay_environment(&mut table, environment)?;
        let file: File = table.try_into().context("a setting cannot be read")?;

        let public_url = match file.public_url.as_str() {
            "" => None,
            text => Some(PublicUrl::parse(text).map_err(anyhow::Error::msg)?),
        };
        let oidc = OidcSettings {
            name: &file.oidc_name,
            issuer: &file.oidc_issuer,
            client_id: &file.oidc_client_id,
            groups_claim: &file.oidc_groups_claim,
            roles: &file.oidc_roles,
        };
        let clips = ClipSettings { url: &file.clips_url, endpoint: &file.clips_endpoint, region: &file.clips_region };
        let config = Self {
            oidc: OidcProvider::read(&oidc, environment, file.mode)?,
            clips: ClipStorage::read(&clips, environment, &file.data_dir)?,
            listen: file.listen,
            data_dir: file.data_dir,
            mode: file.mode,
            public_url,
            twilio_base_url: base_url("TWILIO_BASE_URL", &file.twilio_base_url, file.mode)?,
            elevenlabs_base_url: base_url("ELEVENLABS_BASE_URL", &file.elevenlabs_base_url, file.mode)?,
            sandbox_listen: file.sandbox_listen,
            trusted_proxies: Proxies::parse(&file.trusted_proxies)?,
            connections: file.connections,
            log: file.log,
            log_format: file.log_format,
            database_url: environment.secret("DATABASE_URL"),
            master_key: MasterKeySource::read(environment)?,
            test_to_number: environment.get("TEST_TO_NUMBER").map(str::to_owned),
            credentials: EnvironmentCredentials {
                twilio_account_sid: environment.secret("TWILIO_ACCOUNT_SID"),
                twilio_auth_token: environment.secret("TWILIO_AUTH_TOKEN"),
                twilio_api_key_sid: environment.secret("TWILIO_API_KEY_SID"),
                twilio_api_key_secret: environment.secret("TWILIO_API_KEY_SECRET"),
                twilio_phone_number: environment.secret("TWILIO_PHONE_NUMBER"),
                elevenlabs_api_key: environment.secret("ELEVENLABS_API_KEY"),
            },
            webhook_shared_keys: shared_keys(environment)?,
            operating: Operating {
                sign_in: file.sign_in,
                approval: file.approval,
                dispatch: file.dispatch,
                api: file.api,
                voice: file.voice,
                prices: file.prices,
            },
            locked,
        };
        config.operating.validate()?;
        config.refuse_half_live()?;
        Ok(config)
    }

    /// The public URL, given the port that was bound.
    pub fn public_url(&self, listening: SocketAddr) -> PublicUrl {
        self.public_url.clone().unwrap_or_else(|| PublicUrl::loopback(listening.port()))
    }

    /// Whether the emulator runs within the service: in sandbox mode, unless Twilio's address is given.
    pub fn embeds_sandbox(&self) -> bool {
        self.mode == Mode::Sandbox && self.twilio_base_url.is_none()
    }

    /// Live mode needs what would be dangerous to default.
    fn refuse_half_live(&self) -> anyhow::Result<()> {
        if self.mode == Mode::Sandbox {
            return Ok(());
        }
        if !self.public_url.as_ref().is_some_and(PublicUrl::is_https) {
            bail!(
                "mode is live, but MISSION_CONTROL_PUBLIC_URL is not an https URL. Twilio has to reach it: set it to the service's public address."
            );
        }
        if matches!(self.master_key, MasterKeySource::DataDir) {
            bail!(
                "mode is live, but there is no master key. Set MISSION_CONTROL_MASTER_KEY_FILE to a file with `kid:base64` of 32 random bytes, and keep a copy apart from the database."
            );
        }
        Ok(())
    }
}

fn base_url(name: &str, text: &str, mode: Mode) -> anyhow::Result<Option<Url>> {
    if text.is_empty() {
        return Ok(None);
    }
    let url = Url::parse(text).with_context(|| format!("MISSION_CONTROL_{name} is not a URL: {text}"))?;
    if mode == Mode::Sandbox && !is_loopback(&url) {
        bail!(
            "MISSION_CONTROL_{name} is {text}, but in sandbox mode nothing leaves the machine. Use a loopback address, or set the mode to live."
        );
    }
    Ok(Some(url))
}

fn shared_keys(environment: &Environment) -> anyhow::Result<Vec<(String, SecretString)>> {
    let Some(text) = environment.get("MISSION_CONTROL_WEBHOOK_SHARED_KEYS") else { return Ok(Vec::new()) };
    text.split(',')
        .map(|pair| match pair.trim().split_once(':') {
            Some((id, secret)) if !id.is_empty() && !secret.is_empty() => {
                Ok((id.to_owned(), SecretString::from(secret)))
            }
            _ => bail!("MISSION_CONTROL_WEBHOOK_SHARED_KEYS is not a list of id:secret, separated by commas."),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal<const N: usize>(variables: [(&str, &str); N]) -> String {
        match Config::load(&Environment::of(variables)) {
            Ok(_) => panic!("accepted"),
            Err(error) => format!("{error:#}"),
        }
    }

    #[test]
    fn nothing_set_is_a_sandbox_on_loopback() {
        let config = Config::load(&Environment::default()).expect("the defaults");
        assert_eq!(config.mode, Mode::Sandbox);
        assert!(config.listen.ip().is_loopback());
        assert!(config.operating.approval.required);
    }

    #[test]
    fn the_environment_wins_and_locks_an_operating_setting() {
        let environment = Environment::of([
            ("MISSION_CONTROL_LISTEN", "127.0.0.1:4000"),
            ("MISSION_CONTROL_APPROVAL_FOUR_EYES", "true"),
            ("MISSION_CONTROL_DISPATCH_SMS_SEGMENTS_PER_SECOND", "2.5"),
        ]);
        let config = Config::load(&environment).expect("valid");
        assert_eq!(config.listen.port(), 4000);
        assert!(config.operating.approval.four_eyes(Mode::Sandbox));
        assert!((config.operating.dispatch.sms_segments_per_second(Mode::Live) - 2.5).abs() < f64::EPSILON);
        assert_eq!(config.locked, ["approval.four_eyes", "dispatch.sms_segments_per_second"]);
    }

    #[test]
    fn a_placeholder_counts_as_unset() {
        let environment =
            Environment::of([("TWILIO_AUTH_TOKEN", "PLACEHOLDER"), ("TWILIO_PHONE_NUMBER", "PLACEHOLDER_E164_NUMBER")]);
        let credentials = Config::load(&environment).expect("valid").credentials;
        assert!(credentials.twilio_auth_token.is_none() && credentials.twilio_phone_number.is_none());
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_its_name() {
        assert!(refusal([("MISSION_CONTROL_APROVAL_REQUIRED", "false")]).contains("MISSION_CONTROL_APROVAL_REQUIRED"));
        assert!(
            refusal([("MISSION_CONTROL_APPROVAL_REQUIRED", "maybe")]).contains("MISSION_CONTROL_APPROVAL_REQUIRED")
        );
        assert!(refusal([("MISSION_CONTROL_TWILIO_BASE_URL", "https://api.twilio.com")]).contains("nothing leaves"));
        assert!(refusal([("MISSION_CONTROL_MODE", "live")]).contains("PUBLIC_URL"));
        let live = [("MISSION_CONTROL_MODE", "live"), ("MISSION_CONTROL_PUBLIC_URL", "https://mission.example")];
        assert!(refusal(live).contains("master key"));
        assert!(refusal([("MISSION_CONTROL_DISPATCH_DEADLINE_SECONDS", "5")]).contains("deadline_seconds"));
    }
}
