//! What can go wrong at `ElevenLabs`, in words for those who run this service: what is so, then what to do.

use std::time::Duration;

/// Why `ElevenLabs` did not do what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ElevenLabsError {
    /// There is no address that may be asked.
    #[error(
        "In sandbox mode nothing leaves this machine, and no emulator of ElevenLabs is known. Set MISSION_CONTROL_ELEVENLABS_BASE_URL to one on this machine, such as that of `mission-control sandbox`."
    )]
    Nowhere,
    /// The key is wrong, or none.
    #[error("ElevenLabs refused the key. Replace the ElevenLabs API key in the API Vault.")]
    InvalidKey,
    /// The key may not do this.
    #[error(
        "The ElevenLabs key lacks a permission. Give it access to text to speech, voices, models and user in ElevenLabs’ settings.{}", told(.said.as_deref())
    )]
    MissingPermission {
        /// In the words of `ElevenLabs`.
        said: Option<String>,
    },
    /// No characters are left.
    #[error(
        "The characters of the ElevenLabs account are used up. Wait for their reset, or buy more at ElevenLabs; then ask again.{}", told(.said.as_deref())
    )]
    Quota {
        /// In the words of `ElevenLabs`.
        said: Option<String>,
    },
    /// The account is blocked.
    #[error(
        "ElevenLabs blocked the account because of unusual activity. Look at the account at ElevenLabs.{}", told(.said.as_deref())
    )]
    Blocked {
        /// In the words of `ElevenLabs`.
        said: Option<String>,
    },
    /// The plan does not include it.
    #[error("The plan of the ElevenLabs account does not include this. Choose another voice or model, or another plan.{}", told(.said.as_deref()))]
    Plan {
        /// In the words of `ElevenLabs`.
        said: Option<String>,
    },
    /// There is no such voice.
    #[error(
        "ElevenLabs does not know the voice, or the account may not use it. Choose another one in Settings, Voice."
    )]
    UnknownVoice,
    /// There is no such model.
    #[error("ElevenLabs does not know the model, or it cannot read a text. Choose another one in Settings, Voice.")]
    UnknownModel,
    /// More text than one request may have.
    #[error("The text is longer than the model reads in one call. Shorten it, or choose a model with a higher limit.{}", told(.said.as_deref()))]
    TextTooLong {
        /// In the words of `ElevenLabs`.
        said: Option<String>,
    },
    /// Too many requests, or too much going on.
    #[error("ElevenLabs takes no more requests at this moment. Try again in a minute.")]
    Busy {
        /// How long to wait at least.
        retry_after: Option<Duration>,
    },
    /// A fault on the side of `ElevenLabs`.
    #[error("ElevenLabs had a fault of its own (HTTP {status}). Try again in a minute.")]
    Down {
        /// The status of its answer.
        status: u16,
        /// How long to wait at least.
        retry_after: Option<Duration>,
    },
    /// There was no whole answer.
    #[error("ElevenLabs could not be reached: {reason}. Check this server’s way to the internet, then try again.")]
    Unreachable {
        /// What happened.
        reason: String,
    },
    /// It was answered, and the answer is more than it can be.
    #[error(
        "ElevenLabs’ answer was larger than it can be, so it was not used. Try again; if it stays so, tell ElevenLabs."
    )]
    TooLarge,
    /// What came is no MP3.
    #[error(
        "What ElevenLabs sent is no MP3, so it was not used. Check that nothing in between answers in its place, then try again."
    )]
    NotAudio,
    /// What came cannot be read.
    #[error("ElevenLabs’ answer cannot be read. Check that nothing in between answers in its place, then try again.")]
    Unreadable,
    /// Anything else that it refused.
    #[error("ElevenLabs refused the request ({code}, HTTP {status}).{}", told(.said.as_deref()))]
    Refused {
        /// The status of its answer.
        status: u16,
        /// Its name for the reason.
        code: String,
        /// In the words of `ElevenLabs`.
        said: Option<String>,
    },
}

fn told(said: Option<&str>) -> String {
    said.map(|said| format!(" ElevenLabs says: {said}")).unwrap_or_default()
}

impl ElevenLabsError {
    /// Whether the same request may succeed a little later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Busy { .. } | Self::Down { .. } | Self::Unreachable { .. })
    }

    /// How long to wait at least before the same request, where `ElevenLabs` said so.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy { retry_after } | Self::Down { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// Whether it is about the key or the account, so that no other text, voice or model would fare better.
    pub fn concerns_account(&self) -> bool {
        matches!(
            self,
            Self::Nowhere
                | Self::InvalidKey
                | Self::MissingPermission { .. }
                | Self::Quota { .. }
                | Self::Blocked { .. }
        )
    }

    /// Its name in rows, in the API and in figures; stable.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Nowhere => "speech_not_emulated",
            Self::InvalidKey => "speech_key_refused",
            Self::MissingPermission { .. } => "speech_key_lacks_permission",
            Self::Quota { .. } => "speech_quota_exceeded",
            Self::Blocked { .. } => "speech_account_blocked",
            Self::Plan { .. } => "speech_plan_too_small",
            Self::UnknownVoice => "speech_voice_not_found",
            Self::UnknownModel => "speech_model_not_found",
            Self::TextTooLong { .. } => "speech_text_too_long",
            Self::Busy { .. } => "speech_busy",
            Self::Down { .. } => "speech_service_failed",
            Self::Unreachable { .. } => "speech_unreachable",
            Self::TooLarge => "speech_answer_too_large",
            Self::NotAudio => "speech_not_audio",
            Self::Unreadable => "speech_answer_unreadable",
            Self::Refused { .. } => "speech_refused",
        }
    }
}
