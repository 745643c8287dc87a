//! The text of an SMS.

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

    /// As a row holds it: it was parsed when it was asked for, and cannot have changed since.
    pub(crate) const fn stored(text: String) -> Self {
        Self(text)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_1_to_1600_characters() {
        assert_eq!(Message::parse(""), Err(InvalidMessage::Empty));
        assert_eq!(Message::parse(" \n"), Err(InvalidMessage::Empty));
        assert_eq!(Message::parse("a\0b"), Err(InvalidMessage::Nul));
        assert!(Message::parse(&"é".repeat(1600)).is_ok());
        assert_eq!(Message::parse(&"é".repeat(1601)), Err(InvalidMessage::TooLong(1601)));
        assert_eq!(Message::parse(" kept ").map(|message| message.0), Ok(" kept ".to_owned()));
    }
}
