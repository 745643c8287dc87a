//! Who calls, and whether they are let in. A caller id is weak evidence at best, so it is compared exactly or not at all.

use super::openclaw::{InboundPolicy, VoiceCall};

/// Numbers that Twilio gives where the caller's is not known: these words on a telephone's keys.
const WITHHELD: [&str; 5] = ["+266696687", "+7378742833", "+2562533", "+8656696", "+86282452253"];

/// Who calls, as far as Twilio knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Caller {
    /// In E.164, as it came.
    Number(String),
    /// Withheld, unknown, or another kind of address.
    Nobody,
}

/// What the policy says about a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    Allowed,
    Disabled,
    Withheld,
    NotAllowed,
}

impl Caller {
    /// Reads a caller id as it came: a plus and 2 to 15 ASCII digits, nothing before, between or after them.
    pub(super) fn parse(text: &str) -> Self {
        let is_number = text.strip_prefix('+').is_some_and(|digits| {
            (2..=15).contains(&digits.len())
                && digits.bytes().all(|digit| digit.is_ascii_digit())
                && !digits.starts_with('0')
        });
        if is_number && !WITHHELD.contains(&text) { Self::Number(text.to_owned()) } else { Self::Nobody }
    }
}

/// Whether this caller hears the greeting.
pub(super) fn admission(settings: &VoiceCall, caller: &Caller) -> Admission {
    match (settings.inbound_policy, caller) {
        (InboundPolicy::Disabled, _) => Admission::Disabled,
        (InboundPolicy::Open, _) => Admission::Allowed,
        (InboundPolicy::Allowlist, Caller::Nobody) => Admission::Withheld,
        (InboundPolicy::Allowlist, Caller::Number(number)) => {
            let is_listed = settings.allow_from.iter().any(|allowed| allowed.as_str() == number);
            if is_listed { Admission::Allowed } else { Admission::NotAllowed }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_number_in_ascii_is_a_caller() {
        for text in ["+14155550132", "+447700900123", "+12"] {
            assert_eq!(Caller::parse(text), Caller::Number(text.to_owned()));
        }
        for text in [
            "",
            "+",
            "+1",
            "14155550132",
            " +14155550132",
            "+14155550132 ",
            "+1 415 555 0132",
            "+1415555013２",
            "+١٤١٥٥٥٥٠١٣٢",
            "+0415555013",
            "++14155550132",
            "+1415555013243566",
            "sip:+14155550132@example.com",
            "client:+14155550132",
            "Anonymous",
            "anonymous",
            "Restricted",
        ] {
            assert_eq!(Caller::parse(text), Caller::Nobody, "{text:?}");
        }
    }

    #[test]
    fn what_stands_for_a_withheld_number_is_nobody() {
        let keys = ["abc", "def", "ghi", "jkl", "mno", "pqrs", "tuv", "wxyz"];
        let key = |letter| 2 + keys.iter().position(|letters| letters.contains(letter)).expect("a letter");
        let words = ["anonymous", "restricted", "blocked", "unknown", "unavailable"];
        for (word, number) in words.into_iter().zip(WITHHELD) {
            let dialled = word.chars().fold("+".to_owned(), |number, letter| format!("{number}{}", key(letter)));
            assert_eq!(dialled, number, "{word}");
            assert_eq!(Caller::parse(number), Caller::Nobody);
        }
    }
}
