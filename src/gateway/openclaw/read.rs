//! From the document to what the gateway does.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use super::document::Node;
use super::finding::Findings;
use super::keys::{
    self, CONFIG_KEYS, ENTRY_KEYS, NUMBER_KEYS, OUTBOUND_KEYS, SERVE_KEYS, TWILIO_KEYS, WEBHOOK_SECURITY_KEYS,
};
use super::public_url::{self, is_path, normalised};
use super::secret::Sources;
use super::section::{Section, e164};
use super::{
    ENTRY, InboundPolicy, NumberSettings, Outbound, OutboundMode, Region, SECRETS, Serve, VoiceCall, WebhookSecurity,
    lint,
};
use crate::config::Environment;
use crate::phone::PhoneNumber;

/// The plugin's name.
const PLUGIN: &str = "voice-call";

/// What is served unless something else is said.
const PATH: &str = "/voice/webhook";

/// Reads the plugin's entry. `None` only if something was found that stands in the way.
pub(super) fn voice_call(document: &Node, environment: &Environment, findings: &mut Findings) -> Option<VoiceCall> {
    let plugins = Section::of(document.get("plugins"), "plugins".to_owned(), environment, findings);
    lint::plugins(&plugins, PLUGIN, findings);
    let entries = plugins.section("entries", findings);
    if entries.value(PLUGIN).is_none() {
        let similar = keys::closest(entries.entries().map(|(name, _)| name.as_str()), PLUGIN);
        let problem = match similar {
            Some(_) => "is not there, but an entry with a similar name.",
            None => "is not there.",
        };
        findings.error(ENTRY, problem, "`mission-control openclaw init` prints a complete entry.");
        return None;
    }
    let entry = entries.section(PLUGIN, findings);
    lint::entry(&entry, findings);
    entry.check_keys(ENTRY_KEYS, findings);
    let config = entry.section("config", findings);
    let serve = serve(&config.section("serve", findings), findings);
    lint::enabled(&config, findings);
    config.check_keys(CONFIG_KEYS, findings);
    lint::behaviour(&config, findings);
    let provider = provider(&config, findings);
    let sources = Sources { environment, secrets: document.get(SECRETS) };
    let twilio = config.section("twilio", findings);
    twilio.check_keys(TWILIO_KEYS, findings);
    let account_sid = account_sid(&twilio, environment, findings);
    let auth_token = auth_token(&twilio, &sources, findings);
    let region = [("us1", Region::Us1), ("ie1", Region::Ie1), ("au1", Region::Au1)];
    let region = twilio.word("region", &region, findings).unwrap_or(Region::Us1);
    let from_number = from_number(&config, environment, findings);
    let to_number = config.number("toNumber", findings);
    let (inbound_policy, allow_from) = inbound(&config, findings);
    let inbound_greeting = config.text("inboundGreeting", findings);
    let numbers = numbers(&config.section("numbers", findings), findings);
    let outbound = outbound(&config.section("outbound", findings), findings);
    let max_duration = config.whole("maxDurationSeconds", 1..=u32::MAX, 300, findings);
    let stale = config.whole("staleCallReaperSeconds", 0..=u32::MAX, 120, findings);
    let max_concurrent_calls = config.whole("maxConcurrentCalls", 1..=u32::MAX, 1, findings);
    let webhook_security = webhook_security(&config.section("webhookSecurity", findings), findings);
    let public_url = public_url(&config, &serve.path, findings);
    provider?;
    Some(VoiceCall {
        account_sid: account_sid?,
        auth_token: auth_token?,
        region,
        from_number: from_number?,
        to_number,
        inbound_policy,
        allow_from,
        inbound_greeting,
        numbers,
        outbound,
        max_duration: Duration::from_secs(max_duration.into()),
        stale_call_reaper: (stale > 0).then(|| Duration::from_secs(stale.into())),
        max_concurrent_calls,
        serve,
        public_url: public_url?,
        webhook_security,
    })
}

fn provider(config: &Section<'_>, findings: &mut Findings) -> Option<()> {
    let path = config.at("provider");
    match config.text("provider", findings).as_deref() {
        Some("twilio") => return Some(()),
        Some(_) => findings.error(
            &path,
            "is not twilio, the only one that this gateway serves.",
            "Write \"twilio\", or let OpenClaw serve this installation itself.",
        ),
        None if config.value("provider").is_none() => {
            findings.lacking(&path, "is not there.", "Add it.", "\"provider\": \"twilio\",".to_owned());
        }
        None => findings.error(&path, "is empty.", "Write \"twilio\"."),
    }
    None
}

fn account_sid(twilio: &Section<'_>, environment: &Environment, findings: &mut Findings) -> Option<String> {
    let path = twilio.at("accountSid");
    let found = findings.errors();
    let written = twilio.text("accountSid", findings);
    if findings.errors() > found {
        return None;
    }
    let Some(sid) = written.or_else(|| environment.get("TWILIO_ACCOUNT_SID").map(str::to_owned)) else {
        let remedy = "Set TWILIO_ACCOUNT_SID in the environment of this program, or write the SID here.";
        findings.error(&path, "is not there, is empty or is a placeholder.", remedy);
        return None;
    };
    let digits = sid.strip_prefix("AC").unwrap_or_default();
    if digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Some(sid);
    }
    let remedy = "Copy the Account SID from Twilio's console: AC and 32 hexadecimal digits.";
    findings.error(&path, "is not the SID of an account.", remedy);
    None
}

fn auth_token(twilio: &Section<'_>, sources: &Sources<'_>, findings: &mut Findings) -> Option<SecretString> {
    let path = twilio.at("authToken");
    let found = findings.errors();
    let written = twilio.value("authToken").and_then(|value| sources.read(value, &path, findings));
    if findings.errors() > found {
        return None;
    }
    let token = written.or_else(|| sources.environment.secret("TWILIO_AUTH_TOKEN"));
    if token.is_none() {
        let remedy = "Set TWILIO_AUTH_TOKEN in the environment of this program, or write \
            { source: \"env\", provider: \"default\", id: \"TWILIO_AUTH_TOKEN\" } here.";
        findings.error(&path, "is not there, is empty or is a placeholder: no signature could be checked.", remedy);
    }
    token
}

fn from_number(config: &Section<'_>, environment: &Environment, findings: &mut Findings) -> Option<PhoneNumber> {
    let path = config.at("fromNumber");
    let found = findings.errors();
    let written = config.number("fromNumber", findings);
    if written.is_some() || findings.errors() > found {
        return written;
    }
    if let Some(text) = environment.get("TWILIO_FROM_NUMBER") {
        return e164(text, &format!("{path}, from TWILIO_FROM_NUMBER,"), findings);
    }
    let remedy = if environment.get("TWILIO_PHONE_NUMBER").is_some() {
        "TWILIO_PHONE_NUMBER is set, but OpenClaw reads TWILIO_FROM_NUMBER: set that one to the same number, or write \
         the number here."
    } else {
        "Write the account's number here in E.164, such as \"+14155550132\", or set TWILIO_FROM_NUMBER."
    };
    findings.error(&path, "is not there, is empty or is a placeholder.", remedy);
    None
}

fn inbound(config: &Section<'_>, findings: &mut Findings) -> (InboundPolicy, Vec<PhoneNumber>) {
    let path = config.at("inboundPolicy");
    let words = [
        ("disabled", InboundPolicy::Disabled),
        ("allowlist", InboundPolicy::Allowlist),
        ("pairing", InboundPolicy::Allowlist),
        ("open", InboundPolicy::Open),
    ];
    let policy = config.word("inboundPolicy", &words, findings).unwrap_or(InboundPolicy::Disabled);
    let listed = config.texts("allowFrom", findings);
    let allow_from: Vec<PhoneNumber> = listed.iter().filter_map(|(path, text)| e164(text, path, findings)).collect();
    let is_pairing = matches!(config.value("inboundPolicy"), Some(Node::Text(text)) if text.trim() == "pairing");
    if is_pairing {
        let remedy = "Write \"allowlist\", which is the same: nobody can be paired by telephone.";
        findings.warning(&path, "is pairing, which admits those in allowFrom and nobody else.", remedy);
    }
    match policy {
        InboundPolicy::Allowlist if listed.is_empty() => {
            let remedy = "Add numbers to allowFrom, or write \"disabled\".";
            findings.warning(&path, "admits nobody, because allowFrom is empty.", remedy);
        }
        InboundPolicy::Open => {
            let remedy = "Write \"allowlist\" and list callers in allowFrom, unless the greeting is for everybody.";
            findings.warning(&path, "is open: every caller hears the greeting, also one without a number.", remedy);
        }
        InboundPolicy::Disabled | InboundPolicy::Allowlist => {}
    }
    (policy, allow_from)
}

fn numbers(section: &Section<'_>, findings: &mut Findings) -> BTreeMap<PhoneNumber, NumberSettings> {
    let mut numbers = BTreeMap::new();
    for (key, _) in section.entries() {
        let settings = section.section(key, findings);
        settings.check_keys(NUMBER_KEYS, findings);
        let inbound_greeting = settings.text("inboundGreeting", findings);
        if let Some(number) = e164(key, &section.at(key), findings) {
            numbers.insert(number, NumberSettings { inbound_greeting });
        }
    }
    numbers
}

fn outbound(section: &Section<'_>, findings: &mut Findings) -> Outbound {
    section.check_keys(OUTBOUND_KEYS, findings);
    let words = [("notify", OutboundMode::Notify), ("conversation", OutboundMode::Conversation)];
    let default_mode = section.word("defaultMode", &words, findings).unwrap_or(OutboundMode::Notify);
    if default_mode == OutboundMode::Conversation {
        findings.warning(
            &section.at("defaultMode"),
            "is conversation, which is not served: `mission-control openclaw call` refuses to place calls.",
            "Write \"notify\": the message is played, then the call ends.",
        );
    }
    Outbound { default_mode }
}

fn serve(section: &Section<'_>, findings: &mut Findings) -> Serve {
    section.check_keys(SERVE_KEYS, findings);
    let port = section.whole("port", 0..=u16::MAX.into(), 3334, findings);
    if port == 0 {
        let remedy = "Write the port that the proxy knows; OpenClaw itself refuses 0.";
        findings.warning(&section.at("port"), "is 0: a free port is taken at each start.", remedy);
    }
    let bind = match section.text("bind", findings).as_deref() {
        None | Some("localhost") => Ipv4Addr::LOCALHOST.into(),
        Some(text) => text.parse().unwrap_or_else(|_| {
            findings.error(&section.at("bind"), "is no IP address.", "Write an address such as \"127.0.0.1\".");
            IpAddr::from(Ipv4Addr::LOCALHOST)
        }),
    };
    if !bind.is_loopback() {
        findings.warning(
            &section.at("bind"),
            "is not loopback: the listener, which has no TLS, can be reached from other machines.",
            "Write \"127.0.0.1\" and let a proxy on this machine serve the public address, restricted to this one path.",
        );
    }
    let mut path = section.text("path", findings).unwrap_or_else(|| PATH.to_owned());
    if !is_path(&path) {
        let remedy = "Write one absolute path of plain characters, such as \"/voice/webhook\".";
        findings.error(&section.at("path"), "is no path that requests could have.", remedy);
        PATH.clone_into(&mut path);
    }
    let port = u16::try_from(port).unwrap_or_default();
    Serve { bind, port, path: normalised(&path).to_owned() }
}

fn webhook_security(section: &Section<'_>, findings: &mut Findings) -> WebhookSecurity {
    section.check_keys(WEBHOOK_SECURITY_KEYS, findings);
    if section.flag("trustForwardingHeaders", findings) == Some(true) {
        findings.warning(
            &section.at("trustForwardingHeaders"),
            "is not served: forwarded headers of just anybody are never believed.",
            "Take it out; signatures are checked over publicUrl. Behind a proxy with several names list them in \
             allowedHosts and the proxy in trustedProxyIPs.",
        );
    }
    let mut allowed_hosts = Vec::new();
    for (path, text) in section.texts("allowedHosts", findings) {
        let is_host = Url::parse(&format!("https://{text}/"))
            .is_ok_and(|url| url.host_str().is_some_and(|host| host.eq_ignore_ascii_case(&text)));
        if is_host {
            allowed_hosts.push(text.to_lowercase());
        } else {
            findings.error(&path, "is no host.", "Write a host name without scheme, port and path.");
        }
    }
    let mut trusted_proxies = Vec::new();
    for (path, text) in section.texts("trustedProxyIPs", findings) {
        match text.parse::<IpAddr>() {
            Ok(address) => trusted_proxies.push(address.to_canonical()),
            Err(_) => findings.error(&path, "is no IP address.", "Write single addresses, such as \"127.0.0.1\"."),
        }
    }
    if allowed_hosts.is_empty() != trusted_proxies.is_empty() {
        findings.warning(
            &section.at(if allowed_hosts.is_empty() { "trustedProxyIPs" } else { "allowedHosts" }),
            "has no effect alone: a forwarded host is believed only if a trusted proxy names an allowed host.",
            "Set both, or neither: publicUrl is enough where it is the one address.",
        );
    }
    WebhookSecurity { allowed_hosts, trusted_proxies }
}

fn public_url(config: &Section<'_>, serve_path: &str, findings: &mut Findings) -> Option<Url> {
    let path = config.at("publicUrl");
    let found = findings.errors();
    match config.text("publicUrl", findings) {
        Some(text) => {
            let url = public_url::parse(&text, &path, findings)?;
            public_url::compare(&url, serve_path, &path, findings);
            Some(url)
        }
        None => {
            if findings.errors() == found {
                findings.lacking(
                    &path,
                    "is not there: Twilio signs the address that it calls, and this gateway takes it from nowhere else.",
                    "Add it, with the host that your proxy serves.",
                    format!("\"publicUrl\": \"https://voice.example.com{serve_path}\","),
                );
            }
            None
        }
    }
}
