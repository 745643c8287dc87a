//! The operating settings, each with its name and its meaning, in the order of the page.

use serde_json::json;

use super::{Kind, ON_OFF, ON_UNKNOWN, SECOND_FACTOR, Setting};
use crate::config::{CURRENCIES, OnUnknown, SecondFactor};

/// All of them, as they stand on the page.
pub(in crate::settings) static SETTINGS: [Setting; 21] = [
    Setting {
        name: "sign_in.second_factor",
        label: "Second factor",
        meaning: "Who needs an authenticator app besides the password. Whoever has none yet is asked to set one, and can do \
            nothing else before.",
        kind: Kind::Choice(SECOND_FACTOR),
        by_mode: Some(|operating, mode| match operating.sign_in.second_factor(mode) {
            SecondFactor::Optional => json!("optional"),
            SecondFactor::Approvers => json!("approvers"),
            SecondFactor::Everyone => json!("everyone"),
        }),
    },
    Setting {
        name: "approval.required",
        label: "Approval required",
        meaning: "Every operation waits for a person’s yes. Off: it goes out as soon as it is asked for.",
        kind: Kind::Choice(ON_OFF),
        by_mode: None,
    },
    Setting {
        name: "approval.four_eyes",
        label: "Four eyes",
        meaning: "Whoever asked may not approve.",
        kind: Kind::Choice(ON_OFF),
        by_mode: Some(|operating, mode| json!(operating.approval.four_eyes(mode))),
    },
    Setting {
        name: "approval.allow_self_approval",
        label: "Own approval allowed",
        meaning: "For installations with one person: whoever asked may approve in spite of four eyes. Each such decision is marked.",
        kind: Kind::Choice(ON_OFF),
        by_mode: None,
    },
    Setting {
        name: "approval.tokens_may_decide",
        label: "Tokens may decide",
        meaning: "API tokens with the scope approvals:write may approve and reject.",
        kind: Kind::Choice(ON_OFF),
        by_mode: Some(|operating, mode| json!(operating.approval.tokens_may_decide(mode))),
    },
    Setting {
        name: "approval.pending_seconds",
        label: "Time to decide",
        meaning: "How long an operation waits for a decision before it expires unsent.",
        kind: Kind::Seconds,
        by_mode: None,
    },
    Setting {
        name: "approval.execution_window_seconds",
        label: "Time to send",
        meaning: "How long after its approval an operation may still go out.",
        kind: Kind::Seconds,
        by_mode: None,
    },
    Setting {
        name: "dispatch.sms_segments_per_second",
        label: "SMS segments a second",
        meaning: "How much one sender number sends. 0: no limit of ours. Empty: as the mode decides.",
        kind: Kind::Rate("segment"),
        by_mode: Some(|operating, mode| json!(operating.dispatch.sms_segments_per_second(mode))),
    },
    Setting {
        name: "dispatch.calls_per_second",
        label: "Calls a second",
        meaning: "How many calls one sender number starts. 0: no limit of ours.",
        kind: Kind::Rate("call"),
        by_mode: None,
    },
    Setting {
        name: "dispatch.deadline_seconds",
        label: "Deadline of a try",
        meaning: "How long one try to hand an operation to Twilio may take before its outcome counts as unknown.",
        kind: Kind::Seconds,
        by_mode: None,
    },
    Setting {
        name: "dispatch.settle_seconds",
        label: "Settling time",
        meaning: "How long after that deadline Twilio may still come to list what it accepted.",
        kind: Kind::Seconds,
        by_mode: None,
    },
    Setting {
        name: "dispatch.on_unknown",
        label: "If Twilio never got it",
        meaning: "What is to happen after a try whose outcome was unknown, once Twilio’s list, read twice, proves that \
            nothing arrived.",
        kind: Kind::Choice(ON_UNKNOWN),
        by_mode: Some(|operating, mode| match operating.dispatch.on_unknown(mode) {
            OnUnknown::Auto => json!("auto"),
            OnUnknown::Person => json!("person"),
        }),
    },
    Setting {
        name: "dispatch.sender_is_exclusive",
        label: "Only we send from our numbers",
        meaning: "Only then may a message in Twilio’s list be taken for ours by its content, where no report names it.",
        kind: Kind::Choice(ON_OFF),
        by_mode: Some(|operating, mode| json!(operating.dispatch.sender_is_exclusive(mode))),
    },
    Setting {
        name: "api.require_idempotency_key",
        label: "Idempotency key required",
        meaning: "Requests without a key are refused. Off: each is given a key of its own.",
        kind: Kind::Choice(ON_OFF),
        by_mode: None,
    },
    Setting {
        name: "api.requests_per_minute",
        label: "Requests a minute",
        meaning: "How many one API token may make of one process. 0: no limit. Reports of Twilio have none.",
        kind: Kind::AMinute("request"),
        by_mode: None,
    },
    Setting {
        name: "voice.voice_id",
        label: "Voice",
        meaning: "Who speaks in calls from text, unless a request names another voice.",
        kind: Kind::SpeechId,
        by_mode: None,
    },
    Setting {
        name: "voice.model_id",
        label: "Model",
        meaning: "What makes the speech, unless a request names another model. Models differ in quality, price and in how \
            much text they take.",
        kind: Kind::SpeechId,
        by_mode: None,
    },
    Setting {
        name: "voice.clips_kept_hours",
        label: "Recordings are kept",
        meaning: "How long the recording of a call from text stays after the last operation that needs it ended. Its row \
            stays.",
        kind: Kind::Hours,
        by_mode: None,
    },
    Setting {
        name: "prices.sms_segment",
        label: "Price of an SMS segment",
        meaning: "For the estimate beside each message. Twilio’s own charge may differ. Empty: SMS are not estimated.",
        kind: Kind::Price("a segment"),
        by_mode: None,
    },
    Setting {
        name: "prices.call_minute",
        label: "Price of a call minute",
        meaning: "For the estimate beside each call. Twilio counts every minute that begins. Empty: calls are not estimated.",
        kind: Kind::Price("a minute"),
        by_mode: None,
    },
    Setting {
        name: "prices.currency",
        label: "Currency",
        meaning: "In which both prices are.",
        kind: Kind::Choice(CURRENCIES),
        by_mode: None,
    },
];
