//! What an operation says, and to whom.

use crate::web::text;

pub(crate) use crate::operation::content::Kind;

/// The two ways to reach a person, in words.
impl Kind {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Sms => "SMS",
            Self::Call => "Call",
        }
    }

    /// Within a sentence.
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Self::Sms => "SMS",
            Self::Call => "call",
        }
    }

    /// The symbol of the same name.
    pub(crate) fn icon(self) -> &'static str {
        self.as_str()
    }
}

/// What goes out, exactly.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    Sms {
        message: String,
        segments: i32,
        encoding: String,
    },
    /// A recording that Twilio fetches: the address is what is approved, not what is found there.
    CallAudio {
        url: String,
    },
    /// A text that is made into speech, which is then what is approved.
    CallText {
        text: String,
        voice: Option<String>,
        model: Option<String>,
        clip: Clip,
    },
}

/// Whether the speech of a text can be heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Clip {
    /// It is being made.
    Awaited,
    /// It can be, at this address; exactly these bytes are played.
    Ready { address: String, bytes: i64 },
    /// It was made, and has been deleted since.
    Deleted,
    /// It was never made.
    Never,
}

impl Content {
    /// Its start, on one line, for lists.
    pub(crate) fn first_words(&self) -> String {
        match self {
            Self::Sms { message, .. } => text::first_words(message),
            Self::CallAudio { url } => format!("Plays {}", text::first_words(url)),
            Self::CallText { text, .. } => format!("Says “{}”", text::first_words(text)),
        }
    }

    /// How long it is, in the unit that is paid for.
    pub(crate) fn size(&self) -> Option<String> {
        match self {
            Self::Sms { message, segments, encoding } => {
                let characters = i64::try_from(message.chars().count()).unwrap_or(i64::MAX);
                let segments = text::counted(i64::from(*segments), "segment");
                Some(format!("{segments}, {encoding}, {}", text::counted(characters, "character")))
            }
            Self::CallAudio { .. } => None,
            Self::CallText { text, clip, .. } => {
                let characters = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
                let characters = text::counted(characters, "character");
                Some(match clip {
                    Clip::Ready { bytes, .. } => format!("{characters}, {}", text::counted(*bytes, "byte")),
                    Clip::Awaited | Clip::Deleted | Clip::Never => characters,
                })
            }
        }
    }
}

/// A telephone number as one reader may see it.
#[derive(Clone, Debug)]
pub(crate) struct Recipient {
    /// In E.164.
    pub(crate) number: String,
    /// Viewers see the country and the last digits only.
    pub(crate) is_masked: bool,
}

impl std::fmt::Display for Recipient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&if self.is_masked { text::masked_phone(&self.number) } else { text::phone(&self.number) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_measured_in_segments_and_characters_not_bytes() {
        let content = Content::Sms { message: "Grüße".to_owned(), segments: 1, encoding: "GSM-7".to_owned() };
        assert_eq!(content.size().as_deref(), Some("1 segment, GSM-7, 5 characters"));
        assert_eq!(content.first_words(), "Grüße");
    }

    #[test]
    fn a_text_is_measured_in_characters_and_its_clip_in_bytes() {
        let said = |clip| Content::CallText { text: "Grüße\nan alle".to_owned(), voice: None, model: None, clip };
        let ready = Clip::Ready { address: "/clip".to_owned(), bytes: 16_000 };
        assert_eq!(said(ready).size().as_deref(), Some("13 characters, 16,000 bytes"));
        assert_eq!(said(Clip::Awaited).size().as_deref(), Some("13 characters"));
        assert_eq!(said(Clip::Never).first_words(), "Says “Grüße an alle”");
    }

    #[test]
    fn a_viewer_never_sees_the_whole_number() {
        let number = "+14155550132".to_owned();
        assert_eq!(Recipient { number: number.clone(), is_masked: true }.to_string(), "+1•••••0132");
        assert_eq!(Recipient { number, is_masked: false }.to_string(), "+1 415 555 0132");
    }
}
