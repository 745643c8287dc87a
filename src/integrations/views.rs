//! The page of the integrations: values in, HTML out.

use askama::Template;
use time::OffsetDateTime;

use super::arrival::Arrival;
use crate::operation::content::Kind;
use crate::operation::pages::ask::AskForm;
use crate::operation::views::content::Recipient;
use crate::operation::views::status::Status;
use crate::operation::views::story::attempt_words;
use crate::vault::{Checked, EntryState, LastVerification};
use crate::web::frame::{FormError, Frame, Tone, errors_of};

/// The providers with their evidence, and the tests.
#[derive(Template)]
#[template(path = "integrations/page.html")]
pub(crate) struct IntegrationsPage {
    pub(crate) frame: Frame,
    pub(crate) now: OffsetDateTime,
    /// The test that the address names.
    pub(crate) followed: Option<Followed>,
    /// The address names a test that there is none of.
    pub(crate) is_unknown_test: bool,
    pub(crate) twilio: Twilio,
    pub(crate) elevenlabs: Speech,
    pub(crate) may_manage: bool,
    pub(crate) forms: Forms,
    pub(crate) address: Address,
    /// What a check of the public address has just found.
    pub(crate) arrival: Option<Arrival>,
    /// The newest first.
    pub(crate) latest: Vec<Latest>,
    pub(crate) errors: Vec<FormError>,
    pub(crate) correlation_id: String,
}

/// A test on its way.
pub(crate) struct Followed {
    pub(crate) id: String,
    pub(crate) status: Status,
    pub(crate) recipient: Recipient,
    pub(crate) requested_by: String,
    pub(crate) at: OffsetDateTime,
    /// Twilio's own word for its state.
    pub(crate) provider_word: Option<String>,
    /// What is awaited, and of whom.
    pub(crate) next: String,
    pub(crate) error_code: Option<i32>,
    pub(crate) may_approve: bool,
    /// Nothing more will be heard of it.
    pub(crate) is_over: bool,
    /// When Twilio last reported on it.
    pub(crate) reported_at: Option<OffsetDateTime>,
    /// Of the recording, where it is a call.
    pub(crate) fetch: Option<Fetch>,
}

/// Whether the recording was fetched.
pub(crate) enum Fetch {
    Seen(OffsetDateTime),
    Awaited,
    NeverSeen,
}

/// Twilio: what it is reached with, and what came of that.
pub(crate) struct Twilio {
    pub(crate) access: AccountAccess,
    pub(crate) has_number: bool,
    pub(crate) verification: LastVerification,
    pub(crate) accepted: Option<News>,
    pub(crate) failed: Option<News>,
    /// When it last reported on anything.
    pub(crate) reported_at: Option<OffsetDateTime>,
    /// The embedded sandbox answers in its place.
    pub(crate) is_emulated: bool,
}

/// ElevenLabs: what it is reached with, and what came of that.
pub(crate) struct Speech {
    /// Where the key comes from.
    pub(crate) key: EntryState,
    /// What the last verification found.
    pub(crate) verification: Option<Checked>,
    /// When it last read a text aloud.
    pub(crate) made_at: Option<OffsetDateTime>,
    /// When it last did not, and why.
    pub(crate) failed: Option<(OffsetDateTime, String)>,
    /// An emulator answers in its place.
    pub(crate) is_emulated: bool,
    /// Nobody answers: in sandbox mode nothing leaves the machine, and there is no emulator.
    pub(crate) is_nowhere: bool,
}

/// Where Account SID and Auth Token come from, as the one thing that they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AccountAccess(pub(super) EntryState);

/// What came of an attempt.
pub(crate) struct News {
    pub(crate) operation: String,
    pub(crate) kind: Kind,
    pub(crate) recipient: Recipient,
    /// The name of the attempt's state.
    pub(crate) state: String,
    pub(crate) words: String,
    pub(crate) at: OffsetDateTime,
}

/// The forms that ask for a test, or why there are none.
pub(crate) enum Forms {
    Denied(&'static str),
    Granted {
        sms: Box<TestForm>,
        call: Box<TestForm>,
        /// A call from text, where one can be spoken.
        speech: Option<Box<TestForm>>,
        is_held: bool,
    },
}

/// What stands in one of them.
pub(crate) struct TestForm {
    pub(crate) idempotency_key: String,
    pub(crate) to: String,
    pub(crate) message: String,
    pub(crate) audio_url: String,
    pub(crate) text: String,
}

/// Where Twilio reports to.
pub(crate) struct Address {
    /// Without a path.
    pub(crate) public: String,
    /// How the addresses of reports begin.
    pub(crate) messages: String,
    pub(crate) calls: String,
    pub(crate) reach: Reach,
}

/// Who can reach an address.
pub(crate) enum Reach {
    /// It is this machine's, and so is the emulator.
    Here,
    /// It is encrypted and does not look like one of a private network.
    Public,
    /// Of this machine or a private network.
    Private,
}

/// A test, in short.
pub(crate) struct Latest {
    pub(crate) id: String,
    pub(crate) status: Status,
    pub(crate) recipient: Recipient,
    pub(crate) requested_by: String,
    pub(crate) at: OffsetDateTime,
}

impl IntegrationsPage {
    fn errors_of(&self, field: &str) -> Vec<&str> {
        errors_of(&self.errors, field)
    }
}

impl Speech {
    /// Whether a text can be spoken, as far as that is known without asking.
    pub(crate) fn is_complete(&self) -> bool {
        self.key != EntryState::Missing && !self.is_nowhere
    }

    fn is_there(&self) -> bool {
        self.key != EntryState::Missing
    }

    /// Where the key comes from, and what to do next.
    fn words(&self) -> &'static str {
        if self.is_nowhere {
            return "No emulator of ElevenLabs is known, and in sandbox mode nothing leaves this machine. Set MISSION_CONTROL_ELEVENLABS_BASE_URL to one.";
        }
        match (self.key, self.verification.map(|checked| checked.finding)) {
            (EntryState::Missing, _) => {
                "There is none, so no call from text can be placed. Store one in the API Vault."
            }
            (EntryState::Sandbox, _) => {
                "The sandbox made its own. Nothing has to be set up: place a test call from text."
            }
            (EntryState::Stored, Some(finding)) if !finding.is_good() => {
                "It cannot be used as it is. Mend that, or replace the key in the API Vault; then verify again."
            }
            (EntryState::Stored, Some(_)) => {
                "Stored in the API Vault, and accepted. Choose a voice in Settings, or place a test call from text."
            }
            (EntryState::Stored, None) => "Stored in the API Vault. Verify it, then place a test call from text.",
            (EntryState::Env, _) => {
                "It comes from this server’s environment. Verify it, then place a test call from text."
            }
        }
    }
}

impl Twilio {
    /// Whether there is everything that a test is sent with.
    pub(crate) fn is_complete(&self) -> bool {
        self.access.0 != EntryState::Missing && self.has_number
    }

    /// What the last verification found, of each thing that it looked at.
    fn findings(&self) -> impl Iterator<Item = (&'static str, Checked)> {
        let LastVerification { account, number } = self.verification;
        [("Account", account), ("Number", number)].into_iter().filter_map(|(label, checked)| Some((label, checked?)))
    }

    /// Where its credentials come from, and what to do next.
    fn words(&self) -> &'static str {
        let finding = self.verification.account.map(|checked| checked.finding);
        match (self.access.0, finding) {
            (EntryState::Missing, _) => {
                "Nothing is sent without the Account SID and the Auth Token. Store both in the API Vault."
            }
            _ if !self.has_number => "There is no phone number to send from. Store one in the API Vault.",
            (EntryState::Sandbox, _) => "The sandbox made its own. Nothing has to be set up: send a test.",
            (_, Some(finding)) if !finding.is_good() => {
                "Twilio did not accept them. Correct them in the API Vault, then verify again."
            }
            (EntryState::Stored, Some(_)) => "Stored in the API Vault, and accepted. Send a test to try the whole way.",
            (EntryState::Stored, None) => "Stored in the API Vault. Verify them, then send a test.",
            (EntryState::Env, _) => "They come from this server’s environment. Verify them, then send a test.",
        }
    }
}

impl AccountAccess {
    /// Of both values. One half opens nothing; of two sources the environment is named, which is outside of the vault.
    pub(crate) fn of(account_sid: EntryState, auth_token: EntryState) -> Self {
        let weakest = [EntryState::Missing, EntryState::Env, EntryState::Sandbox];
        let found = weakest.into_iter().find(|state| [account_sid, auth_token].contains(state));
        Self(found.unwrap_or(EntryState::Stored))
    }

    fn is_there(self) -> bool {
        self.0 != EntryState::Missing
    }

    /// Values that are not stored have no version to keep a result with.
    fn keeps_results(self) -> bool {
        self.0 == EntryState::Stored
    }
}

impl News {
    /// Word, symbol and tone of what came of it.
    fn outcome(&self) -> (&'static str, &'static str, Tone) {
        attempt_words(&self.state)
    }
}

impl TestForm {
    /// What was typed, or is proposed.
    pub(crate) fn of(form: AskForm) -> Self {
        Self {
            idempotency_key: form.key(),
            to: form.to,
            message: form.message,
            audio_url: form.audio_url,
            text: form.text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::Finding;

    use EntryState::{Env, Missing, Sandbox, Stored};

    #[test]
    fn two_values_are_one_access() {
        for (account_sid, auth_token, together) in [
            (Stored, Stored, Stored),
            (Sandbox, Sandbox, Sandbox),
            (Env, Env, Env),
            (Stored, Env, Env),
            (Env, Stored, Env),
            (Stored, Missing, Missing),
            (Missing, Env, Missing),
        ] {
            assert_eq!(
                AccountAccess::of(account_sid, auth_token),
                AccountAccess(together),
                "{account_sid:?} {auth_token:?}"
            );
        }
    }

    #[test]
    fn each_state_says_what_to_do_next() {
        let words = |state, has_number, finding: Option<Finding>| {
            let at = OffsetDateTime::UNIX_EPOCH;
            let account = finding.map(|finding| Checked { finding, at });
            let verification = LastVerification { account, number: None };
            let sample = IntegrationsPage::sample("").twilio;
            Twilio { access: AccountAccess(state), has_number, verification, ..sample }.words()
        };
        for (state, has_number, finding, next) in [
            (Missing, true, None, "Store both"),
            (Sandbox, true, None, "send a test"),
            (Stored, false, Some(Finding::Active), "no phone number"),
            (Stored, true, None, "Verify them"),
            (Stored, true, Some(Finding::Trial), "Send a test"),
            (Stored, true, Some(Finding::Refused), "Correct them"),
            (Env, true, None, "Verify them"),
        ] {
            let words = words(state, has_number, finding);
            assert!(words.contains(next), "{state:?}: {words}");
        }
    }
}
