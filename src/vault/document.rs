//! What the API says of entries and verifications. Never a value.

use serde::Serialize;
use utoipa::ToSchema;

use super::{Entry, EntryState, Finding, SpeechVerification, VaultName, Verification};
use crate::clock::Timestamp;
use crate::config::Mode;

/// All entries.
#[derive(Serialize, ToSchema)]
#[schema(as = Vault)]
pub(super) struct EntriesDocument {
    pub(super) mode: Mode,
    pub(super) entries: Vec<EntryDocument>,
}

/// One entry, without its value.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = VaultEntry)]
pub(super) struct EntryDocument {
    name: VaultName,
    state: EntryState,
    /// A telephone number, the last four characters of anything else, or nothing.
    #[schema(required = true, example = "cdef")]
    hint: Option<String>,
    /// The stored version.
    #[schema(required = true)]
    version: Option<i32>,
    #[schema(required = true)]
    created_by: Option<String>,
    #[schema(required = true)]
    created_at: Option<Timestamp>,
    #[schema(required = true)]
    verified_at: Option<Timestamp>,
    /// What the last verification of this version found, as a word.
    #[schema(required = true, example = "active")]
    verify_result: Option<&'static str>,
    /// The same in words.
    #[schema(required = true)]
    verify_detail: Option<&'static str>,
    #[serde(flatten)]
    #[schema(value_type = PreviousDocument)]
    previous: Option<PreviousDocument>,
}

/// The version before, while callbacks that are signed with it are still believed.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PreviousVersion)]
struct PreviousDocument {
    #[schema(required = false)]
    previous_version: i32,
    /// Null: until 24 h after the first callback that the current version verifies.
    previous_accepted_until: Option<Timestamp>,
}

/// What Twilio and `ElevenLabs` said.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Verification)]
pub(super) struct VerificationDocument {
    /// Of the account's credentials; null where there are none.
    #[schema(required = true)]
    account: Option<FindingDocument>,
    /// Of the API key; null where there is none.
    #[schema(required = true)]
    api_key: Option<FindingDocument>,
    /// Of the phone number.
    #[schema(required = true)]
    number: Option<FindingDocument>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verified_at: Option<Timestamp>,
    /// The entries with which the result is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    kept_with: Option<Vec<VaultName>>,
    /// A value was replaced meanwhile: the result is about the one before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    outdated: Option<bool>,
    /// Of the key of `ElevenLabs`; null where there is none.
    #[schema(required = true)]
    elevenlabs: Option<SpeechDocument>,
}

/// What was found about one thing.
#[derive(Serialize, ToSchema)]
#[schema(as = Finding)]
struct FindingDocument {
    /// As a word.
    #[schema(example = "active")]
    result: &'static str,
    /// Whether all is well.
    ok: bool,
    /// In words.
    detail: &'static str,
}

/// What was found about the key of `ElevenLabs`.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SpeechVerification)]
struct SpeechDocument {
    #[serde(flatten)]
    finding: FindingDocument,
    verified_at: Timestamp,
    /// Whether the result stands with the entry.
    kept: bool,
    outdated: bool,
    #[serde(flatten)]
    #[schema(value_type = CharactersDocument)]
    characters: Option<CharactersDocument>,
}

/// What the account may still use.
#[derive(Serialize, ToSchema)]
#[schema(as = Characters)]
struct CharactersDocument {
    #[serde(rename = "charactersLeft")]
    #[schema(required = false)]
    left: u64,
    #[serde(rename = "charactersLimit")]
    #[schema(required = false)]
    limit: u64,
    #[serde(rename = "charactersResetAt")]
    resets_at: Option<Timestamp>,
}

impl From<&Entry> for EntryDocument {
    fn from(entry: &Entry) -> Self {
        Self {
            name: entry.name,
            state: entry.state,
            hint: entry.ending(),
            version: entry.version,
            created_by: entry.created_by.clone(),
            created_at: entry.created_at.map(Timestamp),
            verified_at: entry.verified.map(|checked| Timestamp(checked.at)),
            verify_result: entry.verified.map(|checked| checked.finding.as_str()),
            verify_detail: entry.verified.map(|checked| checked.finding.words()),
            previous: entry.previous.map(|previous| PreviousDocument {
                previous_version: previous.version,
                previous_accepted_until: previous.accepted_until.map(Timestamp),
            }),
        }
    }
}

impl VerificationDocument {
    /// What was found about either; both absent is no verification.
    pub(super) fn of(twilio: Option<&Verification>, speech: Option<&SpeechVerification>) -> Self {
        Self {
            account: twilio.map(|found| found.account.into()),
            api_key: twilio.and_then(|found| found.api_key).map(FindingDocument::from),
            number: twilio.map(|found| found.number.into()),
            verified_at: twilio.map(|found| Timestamp(found.at)),
            kept_with: twilio.map(|found| found.kept_with.clone()),
            outdated: twilio.map(|found| found.is_outdated),
            elevenlabs: speech.map(SpeechDocument::from),
        }
    }
}

impl From<Finding> for FindingDocument {
    fn from(finding: Finding) -> Self {
        Self { result: finding.as_str(), ok: finding.is_good(), detail: finding.words() }
    }
}

impl From<&SpeechVerification> for SpeechDocument {
    fn from(verification: &SpeechVerification) -> Self {
        Self {
            finding: verification.finding.into(),
            verified_at: Timestamp(verification.at),
            kept: verification.is_kept,
            outdated: verification.is_outdated,
            characters: verification.subscription.as_ref().map(|subscription| CharactersDocument {
                left: subscription.left(),
                limit: subscription.limit,
                resets_at: subscription.resets_at().map(Timestamp),
            }),
        }
    }
}
