//! What was looked up about an outcome that nobody knew: what was asked, what Twilio listed, and what follows from it.

use serde_json::Value;
use time::OffsetDateTime;

use super::content::Recipient;
use crate::web::frame::Tone;

/// One look at what Twilio has.
#[derive(Clone, Debug)]
pub(crate) struct LookUp {
    pub(crate) at: OffsetDateTime,
    /// The number of the attempt that it is about.
    pub(crate) attempt: i32,
    /// What was asked for, as a sentence.
    pub(crate) asked: String,
    /// What was listed, as a sentence.
    pub(crate) listed: String,
    /// What is listed and may be this one; empty if it is the same as in the look before.
    pub(crate) candidates: Vec<Candidate>,
    /// The name of a conclusion.
    pub(crate) conclusion: String,
    pub(crate) raw: Value,
}

/// Something at Twilio that belongs to no operation and shares something with this one.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) sid: String,
    pub(crate) recipient: Option<Recipient>,
    /// Twilio's word for how it stands.
    pub(crate) word: Option<String>,
    pub(crate) created_at: Option<OffsetDateTime>,
    /// Which of its parts agree with the operation's, in words; `None` if nobody compared them.
    pub(crate) agreement: Option<String>,
}

impl LookUp {
    fn words(&self) -> (&'static str, Tone, &'static str) {
        conclusion_words(&self.conclusion)
    }

    pub(crate) fn title(&self) -> &'static str {
        self.words().0
    }

    pub(crate) fn tone(&self) -> Tone {
        self.words().1
    }

    /// What follows from it.
    pub(crate) fn meaning(&self) -> &'static str {
        self.words().2
    }
}

/// Heading, tone and meaning of a conclusion.
fn conclusion_words(conclusion: &str) -> (&'static str, Tone, &'static str) {
    match conclusion {
        "bound" => (
            "Found in Twilio’s list",
            Tone::Accent,
            "Exactly one agrees in everything. This operation is bound to it and followed from there.",
        ),
        "absent_once" => (
            "Not in Twilio’s list",
            Tone::Mute,
            "A list can lag behind, so it proves nothing yet. Twilio is asked again a minute later.",
        ),
        "absent" => (
            "Not in Twilio’s list, a second time",
            Tone::Accent,
            "Twilio knows neither it nor anything like it. It counts as not sent.",
        ),
        "waiting" => (
            "Another of our sends is under way",
            Tone::Mute,
            "What is listed may belong to the other one. Twilio is asked again once that is known.",
        ),
        "unclear" => (
            "Something in Twilio’s list may be this one",
            Tone::Odd,
            "It may be this one, or somebody else’s. A machine cannot tell, so a person has to.",
        ),
        "checked" => (
            "Looked once more before the decision",
            Tone::Mute,
            "Twilio lists nothing that could be it, so a person could decide to send it again.",
        ),
        "not_looked_up" => {
            ("Twilio could not be asked", Tone::Warn, "Nothing follows from it, so nothing is sent again.")
        }
        _ => ("Looked in Twilio’s list", Tone::Mute, "What follows from it is not known to this version."),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::conclusion_words;

    #[test]
    fn each_conclusion_has_words_of_its_own() {
        let conclusions =
            ["bound", "absent_once", "absent", "waiting", "unclear", "checked", "not_looked_up", "made up"];
        let titles: BTreeSet<_> = conclusions.map(|conclusion| conclusion_words(conclusion).0).into();
        assert_eq!(titles.len(), conclusions.len());
    }
}
