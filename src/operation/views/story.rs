//! What happened to an operation: its timeline, attempts, decisions and Twilio's reports.

use serde_json::Value;
use time::{Duration, OffsetDateTime};

use crate::web::frame::Tone;
use crate::web::text;

/// What happened, as a kind of thing: it decides the symbol and the colour, and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Happening {
    Requested,
    /// Its speech was made.
    Prepared,
    Approved,
    Rejected,
    Cancelled,
    Expired,
    SendingBegan,
    NotSent,
    Accepted,
    Delivered,
    Failed,
    OutcomeUnknown,
    NeedsReview,
    Resolved,
    /// What a look at Twilio proved.
    Looked,
    /// Twilio was heard of too late, or otherwise than was thought.
    Contradicted,
    Reported,
    Acknowledged,
    /// Whatever a later version writes down.
    Other,
}

impl Happening {
    pub(crate) fn tone(self) -> Tone {
        match self {
            Self::Delivered => Tone::Ok,
            Self::Approved | Self::SendingBegan | Self::Accepted | Self::Resolved | Self::Looked => Tone::Accent,
            Self::NotSent => Tone::Warn,
            Self::Failed => Tone::Bad,
            Self::OutcomeUnknown | Self::NeedsReview | Self::Contradicted => Tone::Odd,
            Self::Requested
            | Self::Prepared
            | Self::Rejected
            | Self::Cancelled
            | Self::Expired
            | Self::Reported
            | Self::Acknowledged
            | Self::Other => Tone::Mute,
        }
    }

    pub(crate) fn icon(self) -> &'static str {
        match self {
            Self::Requested => "pencil",
            Self::Prepared => "audio",
            Self::Approved => "shield-check",
            Self::Rejected => "ban",
            Self::Cancelled => "circle-slash",
            Self::Expired => "timer-off",
            Self::SendingBegan => "arrow-up-right",
            Self::NotSent => "refresh",
            Self::Accepted => "send",
            Self::Delivered => "delivered",
            Self::Failed => "circle-x",
            Self::OutcomeUnknown => "unknown",
            Self::NeedsReview => "review",
            Self::Resolved => "check",
            Self::Looked => "search",
            Self::Contradicted => "warning",
            Self::Reported => "webhook",
            Self::Acknowledged => "eye",
            Self::Other => "info",
        }
    }
}

/// One line of the timeline.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) at: OffsetDateTime,
    pub(crate) happening: Happening,
    /// `Approved`, `Attempt 1 was not sent`.
    pub(crate) title: String,
    /// A person's name, `API key billing-worker`, `Twilio`; `None` for the service itself.
    pub(crate) actor: Option<String>,
    pub(crate) text: String,
    pub(crate) correlation_id: Option<String>,
    pub(crate) raw: Option<Value>,
}

/// One try to hand the operation to Twilio.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    pub(crate) number: i32,
    /// The name of an attempt's state.
    pub(crate) state: String,
    pub(crate) started_at: OffsetDateTime,
    pub(crate) took: Option<Duration>,
    pub(crate) http_status: Option<i32>,
    pub(crate) sid: Option<String>,
    /// `answer`, `callback`, `list` or `person`: whence we know the SID.
    pub(crate) bound_by: Option<String>,
    pub(crate) error_code: Option<i32>,
    pub(crate) detail: Option<String>,
}

impl Attempt {
    fn words(&self) -> (&'static str, &'static str, Tone) {
        attempt_words(&self.state)
    }

    pub(crate) fn word(&self) -> &'static str {
        self.words().0
    }

    pub(crate) fn icon(&self) -> &'static str {
        self.words().1
    }

    pub(crate) fn tone(&self) -> Tone {
        self.words().2
    }

    pub(crate) fn source_of_sid(&self) -> &'static str {
        match self.bound_by.as_deref() {
            Some("answer") => "from Twilio’s answer",
            Some("callback") => "from a callback",
            Some("list") => "found in Twilio’s list",
            Some("person") => "named by a person",
            _ => "",
        }
    }

    pub(crate) fn took(&self) -> Option<String> {
        self.took.map(text::span)
    }
}

/// Word, symbol and tone of an attempt's state.
pub(crate) fn attempt_words(state: &str) -> (&'static str, &'static str, Tone) {
    match state {
        "sending" => ("Sending", "loader", Tone::Accent),
        "unknown" => ("Outcome unknown", "unknown", Tone::Odd),
        "accepted" => ("Accepted", "send", Tone::Accent),
        "refused" => ("Refused", "circle-x", Tone::Bad),
        "not_sent" => ("Not sent", "refresh", Tone::Warn),
        "absent" => ("Not at Twilio", "search", Tone::Mute),
        "needs_review" => ("Needs review", "review", Tone::Odd),
        "resolved" => ("Settled by a person", "check", Tone::Accent),
        _ => ("State not known to this version", "help", Tone::Mute),
    }
}

/// One decision of a person or a rule.
#[derive(Clone, Debug)]
pub(crate) struct Decided {
    pub(crate) at: OffsetDateTime,
    /// `approve`, `reject`, `cancel` or `resolve`.
    pub(crate) decision: String,
    /// `sent`, `failed` or `send_again`, of a `resolve`.
    pub(crate) outcome: Option<String>,
    /// A person's name, or `Rule “…”`.
    pub(crate) by: String,
    pub(crate) reason: Option<String>,
    pub(crate) is_own_request: bool,
    pub(crate) digest: Option<String>,
    pub(crate) sid: Option<String>,
}

impl Decided {
    pub(crate) fn word(&self) -> &'static str {
        match (self.decision.as_str(), self.outcome.as_deref()) {
            ("approve", _) => "Approved",
            ("reject", _) => "Rejected",
            ("cancel", _) => "Cancelled",
            ("resolve", Some("sent")) => "It was sent",
            ("resolve", Some("failed")) => "It was not sent",
            ("resolve", Some("send_again")) => "Send it again",
            _ => "Decided",
        }
    }

    pub(crate) fn digest(&self) -> Option<String> {
        self.digest.as_deref().map(text::short_digest)
    }
}

/// One report of Twilio.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    pub(crate) at: OffsetDateTime,
    /// Twilio's own word.
    pub(crate) word: Option<String>,
    /// `message_status`, `call_status`, `clip_fetch` or `look_up`.
    pub(crate) source: String,
    /// `reference`, `sid` or `nothing`.
    pub(crate) matched_by: String,
    pub(crate) error_code: Option<i32>,
    pub(crate) raw: Value,
}

impl Report {
    pub(crate) fn source_word(&self) -> &'static str {
        match self.source.as_str() {
            "message_status" | "call_status" => "Callback",
            "clip_fetch" => "Recording fetched",
            "look_up" => "Look-up",
            _ => "Report",
        }
    }

    pub(crate) fn match_word(&self) -> &'static str {
        match self.matched_by.as_str() {
            "reference" => "Our reference",
            "sid" => "The SID",
            _ => "Nothing",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const ATTEMPTS: [&str; 8] =
        ["sending", "unknown", "accepted", "refused", "not_sent", "absent", "needs_review", "resolved"];

    #[test]
    fn each_state_of_an_attempt_has_words_of_its_own() {
        let words: BTreeSet<_> = ATTEMPTS.iter().map(|state| attempt_words(state).0).collect();
        assert_eq!(words.len(), ATTEMPTS.len());
        assert!(!words.contains(attempt_words("made up").0));
    }

    #[test]
    fn every_symbol_exists() {
        use Happening as H;
        let sprite = include_str!("../../../static/icons.svg");
        let all = [
            H::Requested,
            H::Prepared,
            H::Approved,
            H::Rejected,
            H::Cancelled,
            H::Expired,
            H::SendingBegan,
            H::NotSent,
            H::Accepted,
            H::Delivered,
            H::Failed,
            H::OutcomeUnknown,
            H::NeedsReview,
            H::Resolved,
            H::Looked,
            H::Contradicted,
            H::Reported,
            H::Acknowledged,
            H::Other,
        ];
        for icon in all.into_iter().map(H::icon).chain(ATTEMPTS.iter().map(|state| attempt_words(state).1)) {
            assert!(sprite.contains(&format!("<symbol id=\"{icon}\"")), "{icon}");
        }
    }
}
