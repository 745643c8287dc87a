//! What a state is called, and how it looks: a word, a symbol, and a name that the style sheet colours.

use super::content::Kind;

/// The state of one operation, as a reader sees it. `state` is the name of a state of `operation/status.rs`.
#[derive(Clone, Debug)]
pub(crate) struct Status {
    pub(crate) kind: Kind,
    pub(crate) state: String,
    /// Accepted, and without news for so long that none is expected any more.
    pub(crate) is_settled: bool,
}

impl Status {
    /// The name that the style sheet knows. Calls are completed, not delivered.
    pub(crate) fn name(&self) -> &str {
        match (self.state.as_str(), self.kind) {
            ("delivered", Kind::Call) => "completed",
            (state, _) => state,
        }
    }

    pub(crate) fn word(&self) -> &'static str {
        match self.name() {
            "accepted" if self.is_settled => "Sent, not confirmed by the carrier",
            name => words(name).word,
        }
    }

    pub(crate) fn icon(&self) -> &'static str {
        words(self.name()).icon
    }

    /// What it means for the reader.
    pub(crate) fn meaning(&self) -> &'static str {
        match self.name() {
            "accepted" if self.is_settled => "Twilio took it and has not reported since. Nothing more is expected.",
            name => words(name).meaning,
        }
    }

    /// Violet on white is not enough where a person must judge: this badge is filled.
    pub(crate) fn is_solid(&self) -> bool {
        self.state == "needs_review"
    }
}

/// The words and the symbol of one state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Words {
    pub(crate) word: &'static str,
    pub(crate) icon: &'static str,
    pub(crate) meaning: &'static str,
}

/// Every state that the pages can name, in the order of an operation's life.
pub(crate) const STATES: [&str; 12] = [
    "preparing",
    "pending_approval",
    "approved",
    "sending",
    "accepted",
    "delivered",
    "failed",
    "unknown",
    "needs_review",
    "rejected",
    "expired",
    "cancelled",
];

/// The words for a state's name. A name that is not ours is shown as such rather than hidden.
pub(crate) fn words(state: &str) -> Words {
    let (word, icon, meaning) = match state {
        "preparing" => ("Preparing", "audio", "Its speech is being made. Nothing has been sent."),
        "pending_approval" => ("Waiting for approval", "clock", "Nothing has been sent. A person has to decide."),
        "approved" => ("Approved", "circle-check", "It may go out, and has not been sent yet."),
        "sending" => ("Sending", "loader", "It is being handed to Twilio now."),
        "accepted" => ("Accepted by Twilio", "send", "Twilio took it. Whether it arrives is not known yet."),
        "delivered" => ("Delivered", "delivered", "Twilio reports that it arrived."),
        "completed" => ("Completed", "delivered", "Twilio reports that the call took place."),
        "failed" => ("Failed", "circle-x", "It is closed as not delivered, and is not tried again."),
        "unknown" => (
            "Outcome unknown",
            "unknown",
            "It may have been sent. Twilio’s report is awaited, and nothing is sent again meanwhile.",
        ),
        "needs_review" => {
            ("Needs review", "review", "It may have been sent, and the evidence does not tell. A person has to.")
        }
        "rejected" => ("Rejected", "ban", "A person decided against it. Nothing was sent."),
        "expired" => ("Expired", "timer-off", "Its time ran out. Nothing was sent."),
        "cancelled" => ("Cancelled", "circle-slash", "It was withdrawn. Nothing was sent."),
        _ => ("State not known to this version", "help", "A newer version of Mission Control wrote it."),
    };
    Words { word, icon, meaning }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(kind: Kind, state: &str, is_settled: bool) -> Status {
        Status { kind, state: state.to_owned(), is_settled }
    }

    #[test]
    fn each_state_has_words_of_its_own_and_a_symbol_that_exists() {
        let sprite = include_str!("../../../static/icons.svg");
        let mut seen = std::collections::BTreeSet::new();
        for state in STATES.into_iter().chain(["completed"]) {
            let words = words(state);
            assert!(seen.insert(words.word), "{state}: {}", words.word);
            assert!(sprite.contains(&format!("<symbol id=\"{}\"", words.icon)), "{state}: {}", words.icon);
        }
        assert!(!seen.contains(words("made up").word));
    }

    #[test]
    fn the_style_sheet_colours_every_state_where_someone_acts_or_learns_something() {
        let sheet = include_str!("../../../static/app.css");
        for state in STATES.iter().filter(|state| !["preparing", "rejected", "expired", "cancelled"].contains(state)) {
            assert!(sheet.contains(&format!("[data-status={state}]")), "{state}");
        }
    }

    #[test]
    fn a_call_is_completed_and_a_message_delivered() {
        assert_eq!(status(Kind::Call, "delivered", false).word(), "Completed");
        assert_eq!(status(Kind::Sms, "delivered", false).word(), "Delivered");
    }

    #[test]
    fn accepted_without_news_does_not_claim_more_than_is_known() {
        assert_eq!(status(Kind::Sms, "accepted", true).word(), "Sent, not confirmed by the carrier");
        assert_eq!(status(Kind::Sms, "accepted", false).word(), "Accepted by Twilio");
    }
}
