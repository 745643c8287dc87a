//! What must be read before acting on an operation, each with its heading, colour and symbol.

use time::OffsetDateTime;

use super::{content::Kind, status::Status};
use crate::web::frame::Tone;

/// One thing that must be read.
#[derive(Clone, Debug)]
pub(crate) enum Notice {
    /// The same content was asked for to the same number not long ago.
    PossibleDuplicate { id: String, at: OffsetDateTime, status: Status },
    /// Twilio has what had been taken for not sent, or for another.
    DuplicateSuspected { why: &'static str },
    /// Twilio's own report names another SID than the list or a person did.
    Rebound { sid: String, was: String },
    /// Twilio's final reports contradict each other.
    Conflicted,
    /// Another operation that looks the same is still open.
    Blocked { by: String },
    /// It waits for something else than its turn.
    Delayed { reason: String, since: OffsetDateTime },
    /// Its speech is tried again.
    SpeechDelayed { reason: String },
    /// Proven not to be at Twilio, so it goes again.
    NotAtTwilio { attempt: i32 },
    /// Its outcome is awaited. `looks_from` is when Twilio's list begins to tell.
    OutcomeUnknown { why: String, looks_from: Option<OffsetDateTime> },
    /// The evidence is not enough for a machine.
    EvidenceUnclear { why: String },
    /// The recording was looked at when the call was asked for, and may not play.
    RecordingDoubted { why: String },
    /// The call took place, and nobody had fetched what it was to play; `later` is when somebody did after all.
    AudioNotFetched { later: Option<OffsetDateTime> },
    /// It failed, for one of several reasons.
    Failed { reason: String, code: Option<i32> },
    /// Approved, and then its time ran out.
    ExpiredAfterApproval { cause: String, at: OffsetDateTime },
    /// Never approved in time.
    ExpiredUndecided { at: OffsetDateTime },
    /// A person said no.
    Rejected { by: String, reason: String },
    /// A person, or a change of mode, withdrew it.
    Cancelled { by: String, reason: Option<String> },
    /// Accepted, and no news since.
    NotConfirmed { accepted_at: OffsetDateTime },
    /// The requester approved it.
    SelfApproved { by: String },
}

impl Notice {
    pub(crate) fn tone(&self) -> Tone {
        match self {
            Self::PossibleDuplicate { .. }
            | Self::RecordingDoubted { .. }
            | Self::AudioNotFetched { .. }
            | Self::Blocked { .. }
            | Self::Delayed { .. }
            | Self::SpeechDelayed { .. }
            | Self::SelfApproved { .. } => Tone::Warn,
            Self::DuplicateSuspected { .. }
            | Self::Rebound { .. }
            | Self::Conflicted
            | Self::OutcomeUnknown { .. }
            | Self::EvidenceUnclear { .. } => Tone::Odd,
            Self::Failed { .. } => Tone::Bad,
            Self::NotAtTwilio { .. } => Tone::Accent,
            Self::ExpiredAfterApproval { .. }
            | Self::ExpiredUndecided { .. }
            | Self::Rejected { .. }
            | Self::Cancelled { .. }
            | Self::NotConfirmed { .. } => Tone::Mute,
        }
    }

    pub(crate) fn icon(&self) -> &'static str {
        match self {
            Self::PossibleDuplicate { .. } | Self::DuplicateSuspected { .. } => "repeat",
            Self::Conflicted | Self::Rebound { .. } | Self::RecordingDoubted { .. } | Self::AudioNotFetched { .. } => {
                "warning"
            }
            Self::NotAtTwilio { .. } => "search",
            Self::Blocked { .. } => "lock",
            Self::Delayed { .. } | Self::SpeechDelayed { .. } => "clock",
            Self::OutcomeUnknown { .. } => "unknown",
            Self::EvidenceUnclear { .. } => "review",
            Self::Failed { .. } => "circle-x",
            Self::ExpiredAfterApproval { .. } | Self::ExpiredUndecided { .. } => "timer-off",
            Self::Rejected { .. } => "ban",
            Self::Cancelled { .. } => "circle-slash",
            Self::NotConfirmed { .. } => "send",
            Self::SelfApproved { .. } => "user",
        }
    }

    pub(crate) fn title(&self, kind: Kind) -> String {
        let noun = kind.noun();
        match self {
            Self::PossibleDuplicate { .. } => "This may be a duplicate".to_owned(),
            Self::NotAtTwilio { .. } => "Twilio does not have it, so it is sent again".to_owned(),
            Self::Rebound { .. } => "Twilio’s own report names another one".to_owned(),
            Self::DuplicateSuspected { .. } => "It may have gone out twice".to_owned(),
            Self::Conflicted => "Twilio’s reports contradict each other".to_owned(),
            Self::Blocked { .. } => format!("It waits for another {noun} that looks the same"),
            Self::Delayed { .. } => "It could not be sent so far".to_owned(),
            Self::SpeechDelayed { .. } => "Its speech could not be made so far".to_owned(),
            Self::OutcomeUnknown { .. } => "The outcome is not known, so nothing is sent again".to_owned(),
            Self::EvidenceUnclear { .. } => "The evidence does not settle it, so nothing was sent again".to_owned(),
            Self::RecordingDoubted { .. } => "The recording may not play".to_owned(),
            Self::AudioNotFetched { .. } => "Completed, audio was not fetched".to_owned(),
            Self::Failed { .. } => format!("This {noun} failed"),
            Self::ExpiredAfterApproval { .. } => "The approval ran out, and nothing was sent".to_owned(),
            Self::ExpiredUndecided { .. } => "Nobody decided in time, and nothing was sent".to_owned(),
            Self::Rejected { by, .. } => format!("Rejected by {by}"),
            Self::Cancelled { by, .. } => format!("Cancelled by {by}"),
            Self::NotConfirmed { .. } => "Sent, not confirmed by the carrier".to_owned(),
            Self::SelfApproved { by } => format!("{by} requested this {noun} and approved it too"),
        }
    }
}
