//! The keys of the plugin `voice-call` (2026.9.6), and what is made of each here.

/// What is made of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// It is read.
    Served,
    /// `OpenClaw` knows it and the gateway does not do it: why that is no harm.
    Ignored(&'static str),
    /// It belongs to something that has to be off.
    Idle,
    /// An old key, which `OpenClaw` does not read any longer either: where its value goes.
    Moved(&'static str),
}

use Use::{Idle, Ignored, Moved, Served};

/// The keys of one object.
pub(super) type Keys = &'static [(&'static str, Use)];

const NO_AGENT: &str = "no agent answers here: a caller hears the greeting";
const NO_CONVERSATION: &str = "there are no conversations here: a caller hears the greeting";
const OTHER_PROVIDER: &str = "it is for another provider than Twilio";

/// `plugins.entries.voice-call`
pub(super) const ENTRY_KEYS: Keys = &[
    ("enabled", Served),
    ("config", Served),
    ("hooks", Idle),
    ("subagent", Idle),
    ("llm", Idle),
    ("env", Ignored("the environment of this program is what counts")),
    ("apiKey", Ignored("voice-call has none")),
];

/// `plugins.entries.voice-call.config`
pub(super) const CONFIG_KEYS: Keys = &[
    ("enabled", Served),
    ("provider", Served),
    ("fromNumber", Served),
    ("toNumber", Served),
    ("twilio", Served),
    ("inboundPolicy", Served),
    ("allowFrom", Served),
    ("inboundGreeting", Served),
    ("numbers", Served),
    ("outbound", Served),
    ("maxDurationSeconds", Served),
    ("staleCallReaperSeconds", Served),
    ("maxConcurrentCalls", Served),
    ("serve", Served),
    ("publicUrl", Served),
    ("tunnel", Served),
    ("tailscale", Served),
    ("webhookSecurity", Served),
    ("skipSignatureVerification", Served),
    ("streaming", Served),
    ("realtime", Served),
    ("telnyx", Ignored(OTHER_PROVIDER)),
    ("plivo", Ignored(OTHER_PROVIDER)),
    ("agentId", Ignored(NO_AGENT)),
    ("sessionScope", Ignored(NO_AGENT)),
    ("responseModel", Ignored(NO_AGENT)),
    ("responseSystemPrompt", Ignored(NO_AGENT)),
    ("responseTimeoutMs", Ignored(NO_AGENT)),
    ("silenceTimeoutMs", Ignored(NO_CONVERSATION)),
    ("transcriptTimeoutMs", Ignored(NO_CONVERSATION)),
    ("ringTimeoutMs", Ignored("Mission Control places the calls, with Twilio's own time-out")),
    ("tts", Ignored("the voice is chosen in Mission Control's settings")),
    ("store", Ignored("call records are kept in PostgreSQL")),
];

/// `config.twilio`
pub(super) const TWILIO_KEYS: Keys =
    &[("accountSid", Served), ("authToken", Served), ("region", Served), ("from", Moved("fromNumber"))];

/// `config.numbers.<number>`
pub(super) const NUMBER_KEYS: Keys = &[
    ("inboundGreeting", Served),
    ("tts", Ignored("the voice is chosen in Mission Control's settings")),
    ("agentId", Ignored(NO_AGENT)),
    ("responseModel", Ignored(NO_AGENT)),
    ("responseSystemPrompt", Ignored(NO_AGENT)),
    ("responseTimeoutMs", Ignored(NO_AGENT)),
];

/// `config.outbound`
pub(super) const OUTBOUND_KEYS: Keys = &[
    ("defaultMode", Served),
    ("notifyHangupDelaySec", Ignored("a call of Mission Control ends when its recording has ended")),
];

/// `config.serve`
pub(super) const SERVE_KEYS: Keys = &[("port", Served), ("bind", Served), ("path", Served)];

/// `config.tunnel`
pub(super) const TUNNEL_KEYS: Keys = &[
    ("provider", Served),
    ("ngrokAuthToken", Idle),
    ("ngrokDomain", Idle),
    ("allowNgrokFreeTierLoopbackBypass", Idle),
];

/// `config.tailscale`
pub(super) const TAILSCALE_KEYS: Keys = &[("mode", Served), ("port", Idle), ("path", Idle)];

/// `config.webhookSecurity`
pub(super) const WEBHOOK_SECURITY_KEYS: Keys =
    &[("allowedHosts", Served), ("trustForwardingHeaders", Served), ("trustedProxyIPs", Served)];

/// `config.streaming`
pub(super) const STREAMING_KEYS: Keys = &[
    ("enabled", Served),
    ("provider", Idle),
    ("providers", Idle),
    ("streamPath", Idle),
    ("preStartTimeoutMs", Idle),
    ("maxPendingConnections", Idle),
    ("maxPendingConnectionsPerIp", Idle),
    ("maxConnections", Idle),
    ("sttProvider", Moved("streaming.provider")),
    ("openaiApiKey", Moved("streaming.providers.openai.apiKey")),
    ("sttModel", Moved("streaming.providers.openai.model")),
    ("silenceDurationMs", Moved("streaming.providers.openai.silenceDurationMs")),
    ("vadThreshold", Moved("streaming.providers.openai.vadThreshold")),
];

/// Objects of `config` with keys of their own, which are looked for one level too high.
const OBJECTS: [(&str, Keys); 7] = [
    ("twilio", TWILIO_KEYS),
    ("serve", SERVE_KEYS),
    ("outbound", OUTBOUND_KEYS),
    ("webhookSecurity", WEBHOOK_SECURITY_KEYS),
    ("tunnel", TUNNEL_KEYS),
    ("tailscale", TAILSCALE_KEYS),
    ("streaming", STREAMING_KEYS),
];

/// The use of a key.
pub(super) fn find(keys: Keys, key: &str) -> Option<Use> {
    keys.iter().find(|(name, _)| *name == key).map(|(_, made)| *made)
}

/// The known name that an unknown key most likely means.
pub(super) fn nearest(keys: Keys, key: &str) -> Option<String> {
    let current = keys.iter().filter(|(_, made)| !matches!(made, Moved(_))).map(|(name, _)| *name);
    if let Some(name) = closest(current, key) {
        return Some(name.to_owned());
    }
    // What belongs into an object is often written beside it.
    OBJECTS.iter().filter(|_| keys == CONFIG_KEYS).find_map(|(object, keys)| {
        let (name, _) = keys.iter().find(|(name, _)| name.eq_ignore_ascii_case(key))?;
        Some(format!("{object}.{name}"))
    })
}

/// The candidate that takes the fewest slips of the pen, if they are few.
pub(super) fn closest<'a>(candidates: impl Iterator<Item = &'a str>, text: &str) -> Option<&'a str> {
    let text = text.to_lowercase();
    let slips = candidates.map(|name| (strsim::osa_distance(&name.to_lowercase(), &text), name));
    let (slips, name) = slips.min_by_key(|(slips, _)| *slips)?;
    (slips <= 1 + name.len() / 4).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_the_one_that_was_meant() {
        for (key, expected) in [
            ("publicURL", Some("publicUrl")),
            ("public_url", Some("publicUrl")),
            ("fromNumer", Some("fromNumber")),
            ("allowedFrom", Some("allowFrom")),
            ("greeting", None),
            ("authToken", Some("twilio.authToken")),
            ("trustedProxyIps", Some("webhookSecurity.trustedProxyIPs")),
            ("port", Some("serve.port")),
            ("banana", None),
        ] {
            assert_eq!(nearest(CONFIG_KEYS, key).as_deref(), expected, "{key}");
        }
        assert_eq!(nearest(TWILIO_KEYS, "acountSid").as_deref(), Some("accountSid"));
        assert_eq!(nearest(TWILIO_KEYS, "port"), None);
    }
}
