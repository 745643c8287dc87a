//! How long a message is: its segments, how full they are, and which character makes them short.

use crate::operation::compose::plain::{form, plain};
use crate::operation::message::MESSAGE_LIMIT;
use crate::operation::segments::{Encoding, Filling, Segments, first_outside_gsm};
use crate::web::text;

/// Most segments that are drawn: a message that may be sent has fewer.
const DRAWN: usize = 24;

/// How much of the message is shown around the character.
const AROUND: usize = 12;

/// A message measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    filling: Filling,
    characters: usize,
    /// The first character that costs the message its short encoding.
    pub(crate) widest: Option<Widest>,
}

/// A character outside the GSM-7 alphabet, where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Widest {
    pub(crate) character: char,
    /// Counted from one.
    pub(crate) position: usize,
    pub(crate) before: String,
    pub(crate) after: String,
    /// What it is, where that cannot be seen.
    pub(crate) name: Option<&'static str>,
    /// What plain characters would come to, if there are any to use.
    pub(crate) remedy: Option<Remedy>,
}

/// What the message is with plain characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Remedy {
    /// What stands for the first of them.
    pub(crate) plain: Option<&'static str>,
    /// How many characters change.
    pub(crate) changes: usize,
    pub(crate) then: Segments,
}

impl Size {
    /// `None` while there is no message.
    pub(crate) fn of(message: &str) -> Option<Self> {
        let filling = Filling::of(message);
        let widest = first_outside_gsm(message).and_then(|character| Widest::of(message, character));
        (!message.is_empty()).then(|| Self { filling, characters: message.chars().count(), widest })
    }

    pub(crate) fn segments(&self) -> Segments {
        self.filling.segments()
    }

    /// `2 segments, GSM-7`
    pub(crate) fn words(&self) -> String {
        in_words(self.segments())
    }

    /// `175 of 1,600 characters`
    pub(crate) fn characters(&self) -> String {
        let [characters, limit] = [self.characters, MESSAGE_LIMIT].map(count);
        format!("{characters} of {limit} characters")
    }

    /// What is more than Twilio takes.
    pub(crate) fn excess(&self) -> Option<String> {
        let excess = self.characters.checked_sub(MESSAGE_LIMIT).filter(|excess| *excess > 0)?;
        let plural = if excess == 1 { "" } else { "s" };
        Some(format!("{} character{plural} too many. Shorten it, or send two.", count(excess)))
    }

    pub(crate) fn left(&self) -> String {
        count(self.filling.left())
    }

    /// How full each segment is.
    pub(crate) fn bars(&self) -> &[usize] {
        &self.filling.used[..self.filling.used.len().min(DRAWN)]
    }

    pub(crate) fn capacity(&self) -> usize {
        self.filling.capacity
    }
}

impl Widest {
    fn of(message: &str, character: char) -> Option<Self> {
        let (start, _) = message.char_indices().find(|(_, one)| *one == character)?;
        let (before, after) = (&message[..start], &message[start + character.len_utf8()..]);
        let form = form(character);
        let changed = plain(message);
        let remedy = (changed != message).then(|| Remedy {
            plain: form.map(|(plain, _)| plain),
            changes: message.chars().filter(|one| self::form(*one).is_some()).count(),
            then: Segments::of(&changed),
        });
        let ahead = before.chars().rev().take(AROUND).collect::<Vec<_>>();
        Some(Self {
            character,
            position: before.chars().count() + 1,
            before: ahead.into_iter().rev().collect(),
            after: after.chars().take(AROUND).collect(),
            name: form.map(|(_, name)| name),
            remedy,
        })
    }

    pub(crate) fn code_point(&self) -> String {
        format!("U+{:04X}", u32::from(self.character))
    }

    /// What a reader sees of it; some are seen by nobody.
    pub(crate) fn shown(&self) -> String {
        let is_invisible = self.character.is_whitespace() || self.name.is_some_and(|name| name.ends_with("invisible"));
        if is_invisible { "␣".to_owned() } else { self.character.to_string() }
    }
}

impl Remedy {
    /// What the button does.
    pub(crate) fn act(&self) -> String {
        match (self.plain, self.changes) {
            (Some(plain), 1) if !plain.trim().is_empty() => format!("Use plain {plain} instead"),
            (_, 1) => "Use a plain character instead".to_owned(),
            (_, changes) => format!("Use plain characters for all {}", count(changes)),
        }
    }

    pub(crate) fn words(&self) -> String {
        in_words(self.then)
    }

    /// Whether nothing else is in the way of the short encoding.
    pub(crate) fn is_enough(&self) -> bool {
        self.then.encoding == Encoding::Gsm7
    }
}

fn in_words(segments: Segments) -> String {
    format!("{}, {}", text::counted(segments.count.into(), "segment"), segments.encoding)
}

fn count(count: usize) -> String {
    text::thousands(i64::try_from(count).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn widest(message: &str) -> Widest {
        Size::of(message).and_then(|size| size.widest).expect("one is outside")
    }

    #[test]
    fn a_message_is_measured_in_segments_and_characters() {
        let size = Size::of(&"é".repeat(175)).expect("a message");
        assert_eq!(
            (size.words().as_str(), size.characters().as_str()),
            ("2 segments, GSM-7", "175 of 1,600 characters")
        );
        assert_eq!((size.bars(), size.capacity(), size.left().as_str()), (&[153, 22][..], 153, "131"));
        assert_eq!((size.excess(), size.widest), (None, None));
        assert_eq!(Size::of(""), None);
        let long = Size::of(&"a".repeat(1_601)).expect("a message");
        assert_eq!(long.excess().as_deref(), Some("1 character too many. Shorten it, or send two."));
        assert_eq!(Size::of(&"я".repeat(50_000)).expect("a message").bars().len(), DRAWN);
    }

    #[test]
    fn the_character_that_costs_the_short_encoding_is_named_where_it_stands() {
        let widest = widest("Your order is on its way and we’ll be with you soon…");
        assert_eq!((widest.character, widest.position, widest.code_point().as_str()), ('’', 32, "U+2019"));
        assert_eq!((widest.before.as_str(), widest.after.as_str()), ("s way and we", "ll be with y"));
        assert_eq!(widest.name, Some("a curly apostrophe"));
        let remedy = widest.remedy.expect("a remedy");
        assert_eq!(remedy.act(), "Use plain characters for all 2");
        assert!(remedy.is_enough() && remedy.words() == "1 segment, GSM-7");
    }

    #[test]
    fn where_no_plain_form_exists_none_is_offered() {
        assert_eq!(widest("Привет").remedy, None);
        let both = widest("It’s 😀");
        assert_eq!(both.remedy.as_ref().map(Remedy::act).as_deref(), Some("Use plain ' instead"));
        assert!(!both.remedy.expect("a remedy").is_enough());
        let emoji_first = widest("😀 It’s");
        assert_eq!((emoji_first.name, emoji_first.position), (None, 1));
        assert_eq!(emoji_first.remedy.expect("a remedy").act(), "Use a plain character instead");
        assert_eq!(widest("a\u{a0}b").shown(), "␣");
        assert_eq!(widest("a\u{200b}b").remedy.expect("a remedy").act(), "Use a plain character instead");
    }
}
