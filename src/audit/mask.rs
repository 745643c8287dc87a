//! Lines for viewers: every telephone number in them hidden, wherever it stands.

use serde_json::Value;

use crate::phone;

/// Fewest digits of what counts as a number: shorter ones reach nobody.
const FEWEST_DIGITS: usize = 7;

/// A JSON value with the numbers in its texts hidden.
pub(super) fn value(value: Value) -> Value {
    match value {
        Value::String(words) => Value::String(text(&words)),
        Value::Array(items) => items.into_iter().map(self::value).collect(),
        Value::Object(members) => {
            members.into_iter().map(|(name, member)| (text(&name), self::value(member))).collect()
        }
        other => other,
    }
}

/// A text with its numbers hidden: a plus and at least seven digits, however they are grouped.
pub(crate) fn text(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('+') {
        let (before, found) = rest.split_at(start);
        let end = 1 + found[1..].find(|letter: char| !is_part(letter)).unwrap_or(found.len() - 1);
        let number: String = found[..end].chars().filter(|letter| *letter == '+' || letter.is_ascii_digit()).collect();
        shown.push_str(before);
        if number.len() > FEWEST_DIGITS {
            // Separators at the end belong to the sentence.
            let kept = found[..end].trim_end_matches(|letter: char| !letter.is_ascii_digit());
            shown.push_str(&phone::mask(&number));
            rest = &found[kept.len()..];
        } else {
            shown.push('+');
            rest = &found[1..];
        }
    }
    shown + rest
}

fn is_part(letter: char) -> bool {
    letter.is_ascii_digit() || matches!(letter, ' ' | '-' | '.' | '(' | ')' | '\u{a0}')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_are_hidden_however_they_are_written() {
        for (words, shown) in [
            ("The number +14155550132 is not valid.", "The number +1••••••0132 is not valid."),
            ("Call +1 (415) 555-0132. Then +44 7700 900612", "Call +1••••••0132. Then +4•••••••0612"),
            ("do_not_contact/+14155550132", "do_not_contact/+1••••••0132"),
            ("++14155550132", "++1••••••0132"),
            ("2 + 2 = 4, +12 345, a+b", "2 + 2 = 4, +12 345, a+b"),
            ("SM00000000000000000000000000000001 ü+", "SM00000000000000000000000000000001 ü+"),
        ] {
            assert_eq!(text(words), shown, "{words}");
        }
    }

    #[test]
    fn they_are_hidden_at_any_depth() {
        let details = json!({ "reason": { "+14155550132": ["is +14155550132", 14_155_550_132_i64, null] } });
        let hidden = json!({ "reason": { "+1••••••0132": ["is +1••••••0132", 14_155_550_132_i64, null] } });
        assert_eq!(value(details), hidden);
    }
}
