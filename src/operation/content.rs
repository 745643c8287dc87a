//! What goes out, parsed: typed, frozen, and named by a digest. No function below a handler takes a `String` for it.

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::audio_url::AudioUrl;
use super::message::Message;
use super::segments::Segments;
use super::speech::{Speech, Spoken};
use crate::config::Mode;
use crate::phone::PhoneNumber;

/// An SMS or a call.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, sqlx::Type, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Kind {
    /// A text message.
    Sms,
    /// A voice call.
    Call,
}

impl Kind {
    /// The kind's name in the API, the logs and the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sms => "sms",
            Self::Call => "call",
        }
    }
}

/// What will be sent: exactly this is approved, and exactly what was approved is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// Sandbox or live: an approval of one is none of the other.
    pub mode: Mode,
    /// Who gets it.
    pub to: PhoneNumber,
    /// Who it comes from.
    pub from: PhoneNumber,
    /// What it says or plays.
    pub payload: Payload,
}

/// What the person who is reached reads or hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// An SMS with this text.
    Text(Message),
    /// A call that plays what Twilio finds at this address when it is answered.
    Recording(AudioUrl),
    /// A call that will play what is made of this text.
    Speech(Speech),
    /// A call that plays what was made of a text.
    Spoken(Spoken),
}

impl Payload {
    /// An SMS, or a call.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Text(_) => Kind::Sms,
            Self::Recording(_) | Self::Speech(_) | Self::Spoken(_) => Kind::Call,
        }
    }

    /// The text of an SMS.
    pub fn message(&self) -> Option<&str> {
        if let Self::Text(message) = self { Some(message.as_str()) } else { None }
    }

    /// The address of a recording.
    pub fn audio_url(&self) -> Option<&str> {
        if let Self::Recording(url) = self { Some(url.as_str()) } else { None }
    }

    /// What has still to be spoken.
    pub fn speech(&self) -> Option<&Speech> {
        if let Self::Speech(speech) = self { Some(speech) } else { None }
    }

    /// Its names and values in the canonical content and in the fingerprint of a request.
    pub(super) fn members(&self) -> Map<String, Value> {
        let members = match self {
            Self::Text(message) => vec![("message", message.as_str().to_owned())],
            Self::Recording(url) => vec![("audioUrl", url.as_str().to_owned())],
            Self::Speech(Speech { text, voice, model }) => {
                let chosen = [("voiceId", voice), ("modelId", model)];
                let chosen = chosen.into_iter().filter_map(|(name, id)| Some((name, id.as_ref()?.as_str().to_owned())));
                std::iter::once(("text", text.as_str().to_owned())).chain(chosen).collect()
            }
            Self::Spoken(Spoken { text, voice, model, clip_hash }) => vec![
                ("clipSha256", hex(clip_hash)),
                ("modelId", model.as_str().to_owned()),
                ("text", text.as_str().to_owned()),
                ("voiceId", voice.as_str().to_owned()),
            ],
        };
        members.into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect()
    }
}

/// SHA-256 of the canonical content: what a decision is bound to.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ContentDigest([u8; 32]);

impl Content {
    /// The digest; `None` as long as what will be heard is not made. Canonical form: `mission-control content v1`, a
    /// newline, and a JSON object with sorted names and no white space (RFC 8785). Note and idempotency key are not in it.
    pub fn digest(&self) -> Option<ContentDigest> {
        if self.payload.speech().is_some() {
            return None;
        }
        let mut members = self.payload.members();
        for (name, value) in [
            ("from", self.from.as_str()),
            ("kind", self.payload.kind().as_str()),
            ("mode", self.mode.as_str()),
            ("to", self.to.as_str()),
        ] {
            members.insert(name.to_owned(), json!(value));
        }
        Some(ContentDigest(hash("mission-control content v1", &Value::Object(members).to_string())))
    }

    /// SHA-256 of what Twilio's list would show of it: two operations with the same key cannot be told apart there. Its
    /// list of calls does not show what is played.
    pub fn match_key(&self) -> [u8; 32] {
        let shown = [self.mode.as_str(), self.payload.kind().as_str(), self.from.as_str(), self.to.as_str()];
        let shown: Vec<&str> = shown.into_iter().chain(self.payload.message()).collect();
        hash("mission-control match v1", &json!(shown).to_string())
    }

    /// The segments that an SMS takes; a call has none.
    pub fn segments(&self) -> Option<Segments> {
        self.payload.message().map(Segments::of)
    }
}

impl ContentDigest {
    /// As it is stored.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Reads the 64 hexadecimal digits that a decision names.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix("sha256:").unwrap_or(text);
        if text.len() != 64 || !text.is_ascii() {
            return None;
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(Self(bytes))
    }
}

impl std::fmt::Display for ContentDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl std::fmt::Debug for ContentDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ContentDigest({self})")
    }
}

/// SHA-256 over a domain, a newline and a text: hashes of different things never meet.
pub(crate) fn hash(domain: &str, text: &str) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(domain.as_bytes());
    hasher.update(b"\n");
    hasher.update(text.as_bytes());
    hasher.finalize().into()
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::speech::{SpeakerId, SpeechText};

    fn content() -> Content {
        Content {
            mode: Mode::Sandbox,
            to: PhoneNumber::parse("+14155550132").expect("a number"),
            from: PhoneNumber::parse("+15005550006").expect("a number"),
            payload: Payload::Text(Message::parse("Hello").expect("a message")),
        }
    }

    fn call(url: &str) -> Content {
        Content { payload: Payload::Recording(AudioUrl::stored(url.to_owned())), ..content() }
    }

    fn digest(content: &Content) -> ContentDigest {
        content.digest().expect("a digest")
    }

    fn spoken(text: &str, voice: &str, model: &str, clip: u8) -> Content {
        let spoken = Spoken {
            text: SpeechText::parse(text).expect("a text"),
            voice: SpeakerId::parse(voice).expect("a voice"),
            model: SpeakerId::parse(model).expect("a model"),
            clip_hash: [clip; 32],
        };
        Content { payload: Payload::Spoken(spoken), ..content() }
    }

    #[test]
    fn the_digest_can_be_made_by_anybody() {
        let canonical =
            r#"{"from":"+15005550006","kind":"sms","message":"Hello","mode":"sandbox","to":"+14155550132"}"#;
        assert_eq!(digest(&content()).0, hash("mission-control content v1", canonical));
        assert_eq!(ContentDigest::parse(&digest(&content()).to_string()), content().digest());
    }

    #[test]
    fn every_part_of_the_content_is_in_the_digest() {
        let base = content();
        let other_number = PhoneNumber::parse("+14155550133").expect("a number");
        let changed = [
            Content { mode: Mode::Live, ..base.clone() },
            Content { to: other_number.clone(), ..base.clone() },
            Content { from: other_number, ..base.clone() },
            Content { payload: Payload::Text(Message::stored("Hello ".to_owned())), ..base.clone() },
            Content { payload: Payload::Recording(AudioUrl::stored("Hello".to_owned())), ..base.clone() },
        ];
        for content in changed {
            assert_ne!(content.digest(), base.digest(), "{content:?}");
            assert_ne!(content.match_key(), base.match_key(), "{content:?}");
        }
    }

    #[test]
    fn another_recording_is_another_content_that_twilios_list_cannot_tell_apart() {
        let (one, other) = (call("https://example.com/1.mp3"), call("https://example.com/2.mp3"));
        let canonical = r#"{"audioUrl":"https://example.com/1.mp3","from":"+15005550006","kind":"call","mode":"sandbox","to":"+14155550132"}"#;
        assert_eq!(digest(&one).0, hash("mission-control content v1", canonical));
        assert_ne!(one.digest(), other.digest());
        assert_eq!(one.match_key(), other.match_key());
    }

    #[test]
    fn the_digest_of_a_spoken_text_binds_the_clip_that_is_heard() {
        let base = spoken("Hello", "v", "m", 0xab);
        let canonical = format!(
            r#"{{"clipSha256":"{}","from":"+15005550006","kind":"call","mode":"sandbox","modelId":"m","text":"Hello","to":"+14155550132","voiceId":"v"}}"#,
            "ab".repeat(32)
        );
        assert_eq!(digest(&base).0, hash("mission-control content v1", &canonical));
        for other in [
            spoken("Hello!", "v", "m", 0xab),
            spoken("Hello", "w", "m", 0xab),
            spoken("Hello", "v", "n", 0xab),
            spoken("Hello", "v", "m", 0xac),
        ] {
            assert_ne!(other.digest(), base.digest(), "{other:?}");
            assert_eq!(other.match_key(), base.match_key(), "{other:?}");
        }
    }

    #[test]
    fn what_is_not_made_yet_has_no_digest_and_the_match_key_of_any_call() {
        let speech = Speech { text: SpeechText::parse("Hello").expect("a text"), voice: None, model: None };
        let content = Content { payload: Payload::Speech(speech), ..content() };
        assert_eq!(content.digest(), None);
        assert_eq!(content.match_key(), call("https://example.com/1.mp3").match_key());
    }

    #[test]
    fn a_digest_is_64_digits() {
        for text in ["", "xyz", &"g".repeat(64), &"a".repeat(63), &"ä".repeat(32)] {
            assert_eq!(ContentDigest::parse(text), None, "{text}");
        }
    }
}
