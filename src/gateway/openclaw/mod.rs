//! The configuration of the plugin `voice-call` in an `openclaw.json`, as the gateway serves it: JSON5 with `$include`,
//! `${VAR}` and secrets by reference. Only `plugins.entries.voice-call` is read; the rest of the file is `OpenClaw`'s.
//!
//! Nothing that is written there is passed over in silence: a key that nobody knows is refused with the one that was
//! meant, as is everything that the gateway would do otherwise than `OpenClaw` does; what merely has no effect here is a
//! warning. All of it is said at once.

mod document;
mod dotenv;
mod finding;
mod include;
mod keys;
mod lint;
mod public_url;
mod read;
mod secret;
mod section;
mod substitute;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

pub use self::finding::{Finding, Findings, Severity};
use crate::config::Environment;
use crate::phone::PhoneNumber;

/// Where the plugin stands in the document.
const ENTRY: &str = "plugins.entries.voice-call";

/// Where secrets are set up in the document.
const SECRETS: &str = "secrets";

/// What the gateway is configured to do.
#[derive(Clone, Debug)]
pub struct VoiceCall {
    /// The account whose requests are served.
    pub account_sid: String,
    /// The key of Twilio's signatures; never empty.
    pub auth_token: SecretString,
    /// Where the account's calls are processed.
    pub region: Region,
    /// The account's number.
    pub from_number: PhoneNumber,
    /// Who is called when nobody is named.
    pub to_number: Option<PhoneNumber>,
    /// Who may call.
    pub inbound_policy: InboundPolicy,
    /// The callers of [`InboundPolicy::Allowlist`].
    pub allow_from: Vec<PhoneNumber>,
    /// What a caller hears.
    pub inbound_greeting: Option<String>,
    /// What differs for single numbers that are dialled.
    pub numbers: BTreeMap<PhoneNumber, NumberSettings>,
    /// Calls that are placed.
    pub outbound: Outbound,
    /// Longest call.
    pub max_duration: Duration,
    /// After this a call that nobody answered is looked up; `None`: never.
    pub stale_call_reaper: Option<Duration>,
    /// Most calls at a time.
    pub max_concurrent_calls: u32,
    /// Where the gateway listens.
    pub serve: Serve,
    /// The address that Twilio calls and signs; without query and fragment.
    pub public_url: Url,
    /// Whose forwarded headers are believed.
    pub webhook_security: WebhookSecurity,
}

/// Where an account's calls are processed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Region {
    /// United States.
    Us1,
    /// Ireland.
    Ie1,
    /// Australia.
    Au1,
}

impl Region {
    /// Twilio's API there.
    pub fn api(self) -> &'static str {
        match self {
            Self::Us1 => "https://api.twilio.com",
            Self::Ie1 => "https://api.dublin.ie1.twilio.com",
            Self::Au1 => "https://api.sydney.au1.twilio.com",
        }
    }
}

/// Who may call. `pairing` is read as [`Self::Allowlist`]: so does `OpenClaw`, which has no pairing by telephone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InboundPolicy {
    /// Nobody.
    Disabled,
    /// Those in the list, by their exact number.
    Allowlist,
    /// Everybody, also without a number.
    Open,
}

/// What differs for a number that is dialled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NumberSettings {
    /// What its callers hear instead.
    pub inbound_greeting: Option<String>,
}

/// Calls that are placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outbound {
    /// What a call is when nothing else is said.
    pub default_mode: OutboundMode,
}

/// What a call that is placed is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutboundMode {
    /// A message is played, then it ends.
    Notify,
    /// Somebody talks back: nothing that is served here.
    Conversation,
}

/// Where the gateway listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Serve {
    /// Its address.
    pub bind: IpAddr,
    /// Its port; 0 takes a free one.
    pub port: u16,
    /// The one path that is served: a slash first, none at the end.
    pub path: String,
}

/// Whose forwarded headers are believed: only those of a trusted proxy that names an allowed host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WebhookSecurity {
    /// Hosts that a proxy may name, in lower case.
    pub allowed_hosts: Vec<String>,
    /// The proxies.
    pub trusted_proxies: Vec<IpAddr>,
}

/// A configuration that can be served.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What it says.
    pub voice_call: VoiceCall,
    /// What somebody should know.
    pub warnings: Vec<Finding>,
}

/// Reads a configuration, or says everything that stands in the way.
pub fn load(path: &Path, environment: &Environment) -> Result<Loaded, Findings> {
    let mut findings = Findings::default();
    let Some(document) = include::read(path, &mut findings) else { return Err(findings) };
    let folder = path.parent().unwrap_or(path);
    let environment = dotenv::complete(environment, folder, &mut findings);
    let voice_call = read::voice_call(&document.root, &environment, &mut findings);
    lint::secrets(&document, &mut findings);
    match voice_call {
        Some(voice_call) if findings.errors() == 0 => Ok(Loaded { voice_call, warnings: findings.into_vec() }),
        _ => Err(findings),
    }
}
