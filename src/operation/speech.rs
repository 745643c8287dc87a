//! The text that a call speaks: as it was asked for, and as it was made.

use crate::config::is_speech_id;

/// Most characters of a text, whatever the model: what the largest models of ElevenLabs take at once. The limit of the
/// chosen model is often lower, and is known when the speech is made.
pub const SPEECH_LIMIT: usize = 40_000;

/// A text to be spoken: 1 to 40,000 characters without white space around it.
#[derive(Clone, PartialEq, Eq)]
pub struct SpeechText(String);

/// Why a text cannot be spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSpeechText {
    /// Nothing, or white space only.
    #[error("A text is needed. Write what the call says.")]
    Empty,
    /// More than any model takes.
    #[error("The text has {0} characters, and 40,000 are taken at most. Shorten it.")]
    TooLong(usize),
    /// Nobody can hear it, and it may not arrive as it was written.
    #[error("The text contains a control character (U+{0:04X}). Remove it; line breaks and tabs may stay.")]
    Control(u32),
}

impl SpeechText {
    /// Reads a text. White space around it cannot be heard and is dropped; all else is kept.
    pub fn parse(text: &str) -> Result<Self, InvalidSpeechText> {
        let text = text.trim();
        if text.is_empty() {
            return Err(InvalidSpeechText::Empty);
        }
        let is_wrong = |character: &char| character.is_control() && !matches!(character, '\n' | '\r' | '\t');
        if let Some(character) = text.chars().find(is_wrong) {
            return Err(InvalidSpeechText::Control(character.into()));
        }
        match text.chars().count() {
            count if count > SPEECH_LIMIT => Err(InvalidSpeechText::TooLong(count)),
            _ => Ok(Self(text.to_owned())),
        }
    }

    /// As a row holds it: it was parsed when it was asked for, and cannot have changed since.
    pub(crate) const fn stored(text: String) -> Self {
        Self(text)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for SpeechText {
    /// Its length: what people say to each other does not belong into logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SpeechText({} characters)", self.0.chars().count())
    }
}

/// The id of a voice or a model, as ElevenLabs gives it: 1 to 120 letters, digits, hyphens and underscores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpeakerId(String);

/// Why a text is no such id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "This is no id of ElevenLabs: 1 to 120 letters, digits, hyphens and underscores. Copy it from Settings, Voice."
)]
pub struct InvalidSpeakerId;

impl SpeakerId {
    /// Reads an id.
    pub fn parse(text: &str) -> Result<Self, InvalidSpeakerId> {
        let text = text.trim();
        if is_speech_id(text) { Ok(Self(text.to_owned())) } else { Err(InvalidSpeakerId) }
    }

    /// As a row holds it.
    pub(crate) const fn stored(text: String) -> Self {
        Self(text)
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What is to be spoken, as it was asked for: what is left out is chosen when the speech is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Speech {
    /// The words.
    pub text: SpeechText,
    /// By whom.
    pub voice: Option<SpeakerId>,
    /// By which model of the voice.
    pub model: Option<SpeakerId>,
}

/// What was spoken: exactly the clip with this hash is heard by the approver and played by the call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spoken {
    /// The words.
    pub text: SpeechText,
    /// By whom.
    pub voice: SpeakerId,
    /// By which model of the voice.
    pub model: SpeakerId,
    /// SHA-256 of the audio.
    pub clip_hash: [u8; 32],
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_kept_but_for_the_white_space_around_it() {
        for (given, kept) in
            [("Hello", "Hello"), (" \n Hello,\n\tPriya. \n", "Hello,\n\tPriya."), ("Grüße\r\n!", "Grüße\r\n!")]
        {
            assert_eq!(SpeechText::parse(given).map(|text| text.0), Ok(kept.to_owned()));
        }
        assert!(SpeechText::parse(&"é".repeat(40_000)).is_ok());
    }

    #[test]
    fn what_cannot_be_spoken_is_refused() {
        for (given, why) in [
            ("", InvalidSpeechText::Empty),
            (" \n\t", InvalidSpeechText::Empty),
            ("a\0b", InvalidSpeechText::Control(0)),
            ("a\u{7f}b", InvalidSpeechText::Control(0x7f)),
            ("a\u{85}b", InvalidSpeechText::Control(0x85)),
            (&"é".repeat(40_001), InvalidSpeechText::TooLong(40_001)),
        ] {
            assert_eq!(SpeechText::parse(given), Err(why));
        }
        let words = InvalidSpeechText::Control(7).to_string();
        assert!(words.contains("(U+0007)"), "{words}");
    }

    #[test]
    fn an_id_is_what_a_path_can_hold() {
        for id in ["JBFqnCBsd6RMkjVDRZzb", "eleven_flash_v2_5", "a-b", &"v".repeat(120)] {
            assert_eq!(SpeakerId::parse(&format!(" {id} ")).map(|id| id.0), Ok(id.to_owned()));
        }
        for id in ["", " ", ".", "..", "a/b", "../x", "a b", "é", "a\0", "%2e", &"v".repeat(121)] {
            assert_eq!(SpeakerId::parse(id), Err(InvalidSpeakerId), "{id}");
        }
    }
}
