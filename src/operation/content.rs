//! What goes out, parsed: typed, frozen, and named by a digest. No function below a handler takes a `String` for it.

use sha2::{Digest as _, Sha256};

use super::segments::Segments;
use crate::config::Mode;
use crate::phone::PhoneNumber;

/// Most characters of a message (Twilio: error 21617 above).
pub const MESSAGE_LIMIT: usize = 1600;

/// The text of an SMS: 1 to 1600 characters, kept byte for byte.
#[derive(Clone, PartialEq, Eq)]
pub struct Message(String);

/// Why a text is not a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMessage {
    /// Nothing, or white space only.
    #[error("A message is needed. Write 1 to 1600 characters.")]
    Empty,
    /// More than Twilio takes.
    #[error("The message has {0} characters, and Twilio takes 1600. Shorten it, or send two.")]
    TooLong(usize),
    /// A NUL cannot be stored nor sent.
    #[error("The message contains a NUL character. Remove it.")]
    Nul,
}

impl Message {
    /// Reads a message; nothing is trimmed or replaced.
    pub fn parse(text: &str) -> Result<Self, InvalidMessage> {
        if text.trim().is_empty() {
            return Err(InvalidMessage::Empty);
        }
        if text.contains('\0') {
            return Err(InvalidMessage::Nul);
        }
        match text.chars().count() {
            count if count > MESSAGE_LIMIT => Err(InvalidMessage::TooLong(count)),
            _ => Ok(Self(text.to_owned())),
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Message {
    /// Its length: what people write to each other does not belong into logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Message({} characters)", self.0.chars().count())
    }
}

/// An SMS or a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, sqlx::Type)]
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
    /// What it says.
    pub message: Message,
}

/// SHA-256 of the canonical content: what a decision is bound to.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ContentDigest([u8; 32]);

impl Content {
    /// An SMS, or a call.
    pub const fn kind(&self) -> Kind {
        Kind::Sms
    }

    /// The digest. Canonical form: `mission-control content v1`, a newline, and a JSON object with sorted names and no
    /// white space (RFC 8785). Note and idempotency key are not in it.
    pub fn digest(&self) -> ContentDigest {
        let canonical = serde_json::json!({
            "from": self.from.as_str(),
            "kind": self.kind().as_str(),
            "message": self.message.as_str(),
            "mode": self.mode.as_str(),
            "to": self.to.as_str(),
        });
        ContentDigest(hash("mission-control content v1", &canonical.to_string()))
    }

    /// SHA-256 of what Twilio's list would show of it: two operations with the same key cannot be told apart there.
    pub fn match_key(&self) -> [u8; 32] {
        let shown =
            [self.mode.as_str(), self.kind().as_str(), self.from.as_str(), self.to.as_str(), self.message.as_str()];
        hash("mission-control match v1", &serde_json::json!(shown).to_string())
    }

    /// The segments that the message takes.
    pub fn segments(&self) -> Segments {
        Segments::of(self.message.as_str())
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

    fn content() -> Content {
        Content {
            mode: Mode::Sandbox,
            to: PhoneNumber::parse("+14155550132").expect("a number"),
            from: PhoneNumber::parse("+15005550006").expect("a number"),
            message: Message::parse("Hello").expect("a message"),
        }
    }

    #[test]
    fn the_digest_can_be_made_by_anybody() {
        let canonical =
            r#"{"from":"+15005550006","kind":"sms","message":"Hello","mode":"sandbox","to":"+14155550132"}"#;
        assert_eq!(content().digest().0, hash("mission-control content v1", canonical));
        assert_eq!(ContentDigest::parse(&content().digest().to_string()), Some(content().digest()));
    }

    #[test]
    fn every_part_of_the_content_is_in_the_digest() {
        let base = content();
        let other_number = PhoneNumber::parse("+14155550133").expect("a number");
        let changed = [
            Content { mode: Mode::Live, ..base.clone() },
            Content { to: other_number.clone(), ..base.clone() },
            Content { from: other_number, ..base.clone() },
            Content { message: Message::parse("Hello ").expect("a message"), ..base.clone() },
        ];
        for content in changed {
            assert_ne!(content.digest(), base.digest(), "{content:?}");
            assert_ne!(content.match_key(), base.match_key(), "{content:?}");
        }
    }

    #[test]
    fn a_message_has_1_to_1600_characters() {
        assert_eq!(Message::parse(""), Err(InvalidMessage::Empty));
        assert_eq!(Message::parse(" \n"), Err(InvalidMessage::Empty));
        assert_eq!(Message::parse("a\0b"), Err(InvalidMessage::Nul));
        assert!(Message::parse(&"é".repeat(1600)).is_ok());
        assert_eq!(Message::parse(&"é".repeat(1601)), Err(InvalidMessage::TooLong(1601)));
        assert_eq!(Message::parse(" kept ").map(|message| message.0), Ok(" kept ".to_owned()));
    }

    #[test]
    fn a_digest_is_64_digits() {
        for text in ["", "xyz", &"g".repeat(64), &"a".repeat(63), &"ä".repeat(32)] {
            assert_eq!(ContentDigest::parse(text), None, "{text}");
        }
    }
}
