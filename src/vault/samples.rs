//! The pages of the vault with everything on them, for the tests.

use time::{Duration, OffsetDateTime, macros::datetime};

use super::listing::Previous;
use super::views::{Card, Outcome, RemovePage, SpeechOutcome, VaultPage};
use super::wrapping::Wrapping;
use super::{Checked, Entry, EntryState, Finding, KeyUse, SpeechVerification, VaultName, Verification};
use crate::web::frame::{FormError, Frame, Place};

const NOW: OffsetDateTime = datetime!(2026-11-23 14:33:00 UTC);

fn card(name: VaultName, state: EntryState) -> Card {
    let is_stored = state == EntryState::Stored;
    let finding = if name == VaultName::TwilioAuthToken { Finding::Refused } else { Finding::Active };
    let entry = Entry {
        name,
        state,
        hint: Some("7c21".to_owned()),
        version: is_stored.then_some(3),
        created_by: is_stored.then(|| "aisha@harbour.example\"><script>".to_owned()),
        created_at: is_stored.then_some(NOW - Duration::days(21)),
        verified: is_stored.then_some(Checked { finding, at: NOW - Duration::minutes(2) }),
        previous: (is_stored && name == VaultName::TwilioAuthToken)
            .then_some(Previous { version: 2, accepted_until: Some(NOW + Duration::hours(3)) }),
    };
    Card { entry, is_masked: false, errors: Vec::new() }
}

fn key(id: &str, is_primary: bool, count: i64) -> KeyUse {
    let is_in_use = is_primary || count > 0;
    KeyUse {
        id: id.to_owned(),
        is_primary,
        is_in_ring: true,
        entries: count,
        kept: count,
        is_in_use,
        is_used_elsewhere: false,
    }
}

impl VaultPage {
    /// Each state, with a verification just made.
    pub(crate) fn sample() -> Self {
        let verification = Verification {
            account: Finding::Refused,
            api_key: Some(Finding::ApiKeyRefused),
            number: Finding::NotChecked,
            at: NOW,
            kept_with: Vec::new(),
            is_outdated: false,
        };
        Self {
            frame: Frame::sample_admin(Place::Settings),
            may_manage: true,
            proof: None,
            twilio: vec![
                card(VaultName::TwilioAccountSid, EntryState::Stored),
                card(VaultName::TwilioAuthToken, EntryState::Stored),
                card(VaultName::TwilioApiKeySid, EntryState::Stored),
                card(VaultName::TwilioApiKeySecret, EntryState::Missing),
                card(VaultName::TwilioPhoneNumber, EntryState::Env),
            ],
            keys: vec![key("2026-11", true, 0), key("2026-05", false, 7), key("2025-11", false, 0)],
            wrapping: Wrapping::Failed("The database does not answer.".to_owned()),
            elevenlabs: vec![card(VaultName::ElevenlabsApiKey, EntryState::Missing)],
            outcome: Some(Outcome(verification)),
            speech_outcome: Some(SpeechOutcome(SpeechVerification {
                finding: Finding::KeyRefused,
                subscription: None,
                at: NOW,
                is_kept: false,
                is_outdated: false,
            })),
            errors: Vec::new(),
            correlation_id: String::new(),
            is_emulated: true,
            is_speech_emulated: true,
            now: NOW,
        }
    }

    /// Nothing is set up, and a value was refused.
    pub(crate) fn sample_refused() -> Self {
        let text = "An account SID is AC and 32 hexadecimal digits.".to_owned();
        let mut twilio: Vec<Card> = VaultName::TWILIO.map(|name| card(name, EntryState::Missing)).into();
        twilio[0].errors.push(text.clone());
        let field = Some(VaultName::TwilioAccountSid.as_str());
        Self {
            twilio,
            outcome: None,
            speech_outcome: None,
            errors: vec![FormError { field, text }],
            correlation_id: "req-7f3a90".to_owned(),
            ..Self::sample()
        }
    }
}

impl RemovePage {
    /// The step before the auth token goes, after a slip.
    pub(crate) fn sample() -> Self {
        Self {
            frame: Frame::sample_held(Place::Settings),
            card: card(VaultName::TwilioAuthToken, EntryState::Stored),
            left: EntryState::Missing,
            errors: vec![FormError { field: Some("confirm"), text: "This is not the name of the entry.".to_owned() }],
            correlation_id: "req-7f3a90".to_owned(),
        }
    }
}
