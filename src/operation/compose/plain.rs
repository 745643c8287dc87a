//! Plain characters for typographic ones: what word processors put into a text, and what makes an SMS twice as long.

/// A character that has a plain form in the GSM-7 alphabet, with that form and its name.
type Form = (char, &'static str, &'static str);

const FORMS: &[Form] = &[
    ('\u{2018}', "'", "an opening quote"),
    ('\u{2019}', "'", "a curly apostrophe"),
    ('\u{201A}', "'", "a low quote"),
    ('\u{201B}', "'", "a reversed quote"),
    ('\u{2032}', "'", "a prime"),
    ('\u{02BC}', "'", "a letter apostrophe"),
    ('\u{00B4}', "'", "an acute accent"),
    ('\u{0060}', "'", "a grave accent"),
    ('\u{2039}', "'", "an angled quote"),
    ('\u{203A}', "'", "an angled quote"),
    ('\u{201C}', "\"", "an opening double quote"),
    ('\u{201D}', "\"", "a closing double quote"),
    ('\u{201E}', "\"", "a low double quote"),
    ('\u{201F}', "\"", "a reversed double quote"),
    ('\u{2033}', "\"", "a double prime"),
    ('\u{00AB}', "\"", "an angled double quote"),
    ('\u{00BB}', "\"", "an angled double quote"),
    ('\u{2010}', "-", "a typographic hyphen"),
    ('\u{2011}', "-", "a hyphen that does not break"),
    ('\u{2012}', "-", "a figure dash"),
    ('\u{2013}', "-", "an en dash"),
    ('\u{2014}', "-", "an em dash"),
    ('\u{2015}', "-", "a horizontal bar"),
    ('\u{2212}', "-", "a minus sign"),
    ('\u{2022}', "-", "a bullet"),
    ('\u{2026}', "...", "an ellipsis"),
    ('\u{00D7}', "x", "a multiplication sign"),
    ('\u{2044}', "/", "a fraction slash"),
    ('\t', " ", "a tab"),
    ('\u{00A0}', " ", "a space that does not break"),
    ('\u{2002}', " ", "an en space"),
    ('\u{2003}', " ", "an em space"),
    ('\u{2007}', " ", "a figure space"),
    ('\u{2009}', " ", "a thin space"),
    ('\u{200A}', " ", "a hair space"),
    ('\u{202F}', " ", "a narrow space that does not break"),
    ('\u{3000}', " ", "an ideographic space"),
    ('\u{2028}', "\n", "a line separator"),
    ('\u{2029}', "\n", "a paragraph separator"),
    ('\u{00AD}', "", "a soft hyphen, which is invisible"),
    ('\u{200B}', "", "a zero-width space, which is invisible"),
    ('\u{2060}', "", "a word joiner, which is invisible"),
    ('\u{FEFF}', "", "a byte order mark, which is invisible"),
];

/// The plain form of a character and its name, if it has one.
pub(crate) fn form(character: char) -> Option<(&'static str, &'static str)> {
    FORMS.iter().find(|(known, ..)| *known == character).map(|(_, plain, name)| (*plain, *name))
}

/// The text with every character that has a plain form replaced by it.
pub(crate) fn plain(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut made, character| {
        match form(character) {
            Some((plain, _)) => made.push_str(plain),
            None => made.push(character),
        }
        made
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::segments::first_outside_gsm;

    #[test]
    fn each_form_makes_a_text_shorter_and_none_is_there_twice() {
        for (index, (character, plain, _)) in FORMS.iter().enumerate() {
            assert!(first_outside_gsm(&character.to_string()).is_some(), "{character:?} costs nothing");
            assert_eq!(first_outside_gsm(plain), None, "{plain:?}");
            assert!(FORMS[..index].iter().all(|(other, ..)| other != character), "{character:?}");
        }
    }

    #[test]
    fn only_what_has_a_plain_form_is_replaced() {
        assert_eq!(plain("“We’ll come\u{a0}– soon…”"), "\"We'll come - soon...\"");
        for kept in ["Grüße, ça va? ñ € {}", "日本語", "👩\u{200d}👧", "a\nb"] {
            assert_eq!(plain(kept), kept);
        }
    }
}
