//! The configuration of the plugin `voice-call` in an `openclaw.json`, as the gateway serves it: JSON5 with `$include`,
//! `${VAR}` and secrets by reference. Only `plugins.entries.voice-call` is read; the rest of the file is `OpenClaw`'s.
//!
//! Nothing that is written there is passed over in silence: a key that nobody knows is refused with the one that was
//! meant, as is everything that the gateway would do otherwise than `OpenClaw` does; what merely has no effect here is a
//! warning. All of it is said at once.

pub mod call;
pub mod commands;
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

#[cfg(test)]
mod tests {
    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;
    use proptest::sample::select;
    use serde_json::{Value, json};

    use super::*;

    fn environment() -> Environment {
        Environment::of([
            ("TWILIO_ACCOUNT_SID", "AC0123456789abcdef0123456789abcdef"),
            ("TWILIO_AUTH_TOKEN", "the-token"),
            ("TWILIO_FROM_NUMBER", "+14155550100"),
        ])
    }

    fn loaded(text: &str) -> Result<Loaded, Findings> {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("openclaw.json");
        std::fs::write(&file, text).expect("a file");
        load(&file, &environment())
    }

    /// A configuration that can be served, with these entries over it.
    fn around(config: &Value) -> String {
        let mut whole =
            json!({ "enabled": true, "provider": "twilio", "publicUrl": "https://voice.acme.io/voice/webhook" });
        if let (Some(whole), Some(config)) = (whole.as_object_mut(), config.as_object()) {
            whole.extend(config.clone());
        }
        json!({ "plugins": { "entries": { "voice-call": { "enabled": true, "config": whole } } } }).to_string()
    }

    /// Any value, with many keys that mean something.
    fn value() -> impl Strategy<Value = Value> {
        let key = prop_oneof![
            select(keys::CONFIG_KEYS.iter().map(|(name, _)| *name).collect::<Vec<_>>()).prop_map(str::to_owned),
            select(vec!["plugins", "entries", "voice-call", "config", "$include", "secrets", "source", "id", "port"])
                .prop_map(str::to_owned),
            any::<String>(),
        ];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
            select(vec!["${TWILIO_AUTH_TOKEN}", "$${X}", "${X}", "+14155550132", "./openclaw.json", "..", "env"])
                .prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 5, move |inner| {
            prop_oneof![
                vec(inner.clone(), 0..4).prop_map(Value::from),
                btree_map(key.clone(), inner, 0..5).prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn no_document_is_too_strange(value in value()) {
            let _ = loaded(&value.to_string());
            let _ = loaded(&around(&value));
            let _ = loaded(&json!({ "plugins": { "entries": value.clone() }, "secrets": value }).to_string());
        }

        #[test]
        fn no_text_is_too_strange(text in any::<String>(), brackets in "[\\[{}\\]:,'\"a0/*\\n\\\\-]{0,60}") {
            let _ = loaded(&text);
            let _ = loaded(&brackets);
        }

        #[test]
        fn a_key_that_nobody_knows_is_found(key in "[a-zA-Z_]{1,20}", section in select(vec!["", "twilio", "serve", "outbound"])) {
            let known = match section {
                "twilio" => keys::TWILIO_KEYS,
                "serve" => keys::SERVE_KEYS,
                "outbound" => keys::OUTBOUND_KEYS,
                _ => keys::CONFIG_KEYS,
            };
            prop_assume!(keys::find(known, &key).is_none());
            let inner = json!({ key.clone(): 1 });
            let config = if section.is_empty() { inner } else { json!({ section: inner }) };
            let Err(findings) = loaded(&around(&config)) else { panic!("{key} was accepted") };
            let path = format!("{ENTRY}.config.{section}{}{key}", if section.is_empty() { "" } else { "." });
            prop_assert!(findings.iter().any(|finding| finding.path == path && finding.severity == Severity::Error));
        }
    }

    #[test]
    fn what_is_written_is_what_is_served() {
        let config = json!({
            "twilio": { "region": "ie1" },
            "toNumber": "+14155550199",
            "inboundPolicy": "allowlist",
            "allowFrom": ["+14155550132"],
            "inboundGreeting": "Hello.",
            "numbers": { "+14155550100": { "inboundGreeting": "Hello from 100." } },
            "maxDurationSeconds": 60,
            "staleCallReaperSeconds": 0,
            "maxConcurrentCalls": 4,
            "serve": { "bind": "::1", "port": 4000, "path": "/voice/webhook/" },
            "webhookSecurity": { "allowedHosts": ["Voice.acme.io"], "trustedProxyIPs": ["127.0.0.1"] },
        });
        let Loaded { voice_call, warnings } = loaded(&around(&config)).expect("a configuration");
        assert_eq!(warnings, []);
        assert_eq!((voice_call.region, voice_call.region.api()), (Region::Ie1, "https://api.dublin.ie1.twilio.com"));
        assert_eq!(voice_call.from_number.as_str(), "+14155550100");
        assert_eq!(voice_call.to_number.map(|number| number.to_string()).as_deref(), Some("+14155550199"));
        assert_eq!(voice_call.inbound_policy, InboundPolicy::Allowlist);
        assert_eq!(voice_call.allow_from, [PhoneNumber::parse("+14155550132").expect("a number")]);
        let settings =
            voice_call.numbers.get(&voice_call.from_number).and_then(|number| number.inbound_greeting.clone());
        assert_eq!(settings.as_deref(), Some("Hello from 100."));
        assert_eq!((voice_call.max_duration, voice_call.stale_call_reaper), (Duration::from_mins(1), None));
        assert_eq!(voice_call.max_concurrent_calls, 4);
        let serve = Serve { bind: "::1".parse().expect("an address"), port: 4000, path: "/voice/webhook".to_owned() };
        assert_eq!(voice_call.serve, serve);
        assert_eq!(voice_call.webhook_security.allowed_hosts, ["voice.acme.io"]);
        assert_eq!(voice_call.outbound.default_mode, OutboundMode::Notify);
    }

    #[test]
    fn what_is_not_written_has_the_defaults_of_openclaw() {
        let voice_call = loaded(&around(&json!({}))).expect("a configuration").voice_call;
        assert_eq!((voice_call.region, voice_call.inbound_policy), (Region::Us1, InboundPolicy::Disabled));
        assert_eq!(voice_call.max_duration, Duration::from_mins(5));
        assert_eq!(voice_call.stale_call_reaper, Some(Duration::from_mins(2)));
        assert_eq!(voice_call.max_concurrent_calls, 1);
        let serve =
            Serve { bind: "127.0.0.1".parse().expect("an address"), port: 3334, path: "/voice/webhook".to_owned() };
        assert_eq!(voice_call.serve, serve);
        assert!(voice_call.allow_from.is_empty() && voice_call.numbers.is_empty());
    }
}
