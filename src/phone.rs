//! Telephone numbers in E.164, by the rules of Google's libphonenumber.

use std::fmt;
use std::str::FromStr;

use rlibphonenumber::{ParseError, PhoneNumberFormat, ValidationError};

/// A number that can exist, as `+` and 2 to 15 digits (ITU-T E.164).
///
/// *Possible* numbers pass, not only assigned ones: Twilio's magic numbers (+1 500 555 000x) and 555 numbers are not
/// assigned to anybody.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, sqlx::Type)]
#[serde(transparent)]
#[sqlx(transparent)]
pub struct PhoneNumber(String);

/// Why a text is not a telephone number, and what to write instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPhoneNumber {
    /// Nothing was written.
    #[error("A number is needed. Write it with a plus and the country code, for example +14155550132.")]
    Empty,
    /// No plus, or no such country code.
    #[error("This number has no valid country code. Write it with a plus, for example +14155550132.")]
    CountryCode,
    /// Letters, or no number at all.
    #[error("This is not a telephone number. Write a plus, the country code and digits, for example +14155550132.")]
    NotANumber,
    /// Too few digits for its country.
    #[error("This number is too short for its country code. Check that no digit is missing.")]
    TooShort,
    /// Too many digits for its country.
    #[error("This number is too long for its country code. Check that no digit is there twice.")]
    TooLong,
    /// An extension, which neither an SMS nor a call from here can reach.
    #[error("A number with an extension cannot be reached from here. Write the number without it.")]
    Extension,
}

impl PhoneNumber {
    /// Reads a number with its country code; spaces, dots, dashes and brackets are dropped.
    pub fn parse(text: &str) -> Result<Self, InvalidPhoneNumber> {
        let text = text.trim();
        if text.is_empty() {
            return Err(InvalidPhoneNumber::Empty);
        }
        // The parser looks for a number in the text and passes over what follows it.
        if text.contains(char::is_control) {
            return Err(InvalidPhoneNumber::NotANumber);
        }
        let number = rlibphonenumber::PhoneNumber::parse(text, None).map_err(|error| match error {
            ParseError::InvalidCountryCode => InvalidPhoneNumber::CountryCode,
            ParseError::TooShortAfterIdd | ParseError::TooShortNsn => InvalidPhoneNumber::TooShort,
            ParseError::TooLongNsn => InvalidPhoneNumber::TooLong,
            ParseError::NotANumber(_) => InvalidPhoneNumber::NotANumber,
        })?;
        if number.extension.as_ref().is_some_and(|extension| !extension.is_empty()) {
            return Err(InvalidPhoneNumber::Extension);
        }
        // Google's rules dial the letters of +1 800 FLOWERS; here a letter is more likely a slip.
        if text.chars().any(char::is_alphabetic) {
            return Err(InvalidPhoneNumber::NotANumber);
        }
        match number.is_possible_with_reason() {
            Ok(_) => {}
            Err(ValidationError::InvalidCountryCode) => return Err(InvalidPhoneNumber::CountryCode),
            Err(ValidationError::TooShort) => return Err(InvalidPhoneNumber::TooShort),
            Err(ValidationError::TooLong) => return Err(InvalidPhoneNumber::TooLong),
            Err(ValidationError::InvalidLength) => return Err(InvalidPhoneNumber::NotANumber),
        }
        let e164 = number.format_as(PhoneNumberFormat::E164);
        // In +49 (0)30 the zero is dropped; what begins with one still would be another number to whoever reads it next.
        let again = rlibphonenumber::PhoneNumber::parse(&*e164, None);
        if !again.is_ok_and(|again| again.format_as(PhoneNumberFormat::E164) == e164) {
            return Err(InvalidPhoneNumber::NotANumber);
        }
        Ok(Self(e164.into_owned()))
    }

    /// The number in E.164.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The number for logs: country code and last four digits at most, so that no log tells whom we wrote to.
    pub fn masked(&self) -> String {
        mask(&self.0)
    }
}

/// A number in E.164 with all but its first two and last four characters hidden.
pub fn mask(number: &str) -> String {
    let characters: Vec<char> = number.chars().collect();
    if characters.len() < 8 {
        return "•".repeat(characters.len());
    }
    let hidden = characters.len() - 6;
    let head: String = characters[..2].iter().collect();
    let tail: String = characters[characters.len() - 4..].iter().collect();
    format!("{head}{}{tail}", "•".repeat(hidden))
}

impl fmt::Display for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for PhoneNumber {
    /// Masked: debug output ends in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PhoneNumber({})", self.masked())
    }
}

impl FromStr for PhoneNumber {
    type Err = InvalidPhoneNumber;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn is_e164(text: &str) -> bool {
        let digits = text.strip_prefix('+').unwrap_or_default();
        (2..=15).contains(&digits.len())
            && digits.bytes().all(|digit| digit.is_ascii_digit())
            && !digits.starts_with('0')
    }

    proptest! {
        #[test]
        fn whatever_is_accepted_is_e164_and_stays_as_it_is(
            text in prop_oneof![any::<String>(), "[+０-９0-9 ().x;/a-e-]{0,24}", "\\+[1-9][0-9 ().-]{0,20}", "tel:\\+[0-9]{1,16}(;ext=[0-9]{1,4})?"],
        ) {
            if let Ok(number) = PhoneNumber::parse(&text) {
                prop_assert!(is_e164(number.as_str()), "{} of {}", number.as_str(), text);
                prop_assert_eq!(PhoneNumber::parse(number.as_str()), Ok(number.clone()));
                prop_assert!(!number.masked().contains(number.as_str()));
            }
        }

        #[test]
        fn how_a_number_is_grouped_does_not_matter(digits in "1[2-9][0-9]{2}[2-9][0-9]{6}", gaps in "[ .-]{4}") {
            let gaps: Vec<char> = gaps.chars().collect();
            let grouped = format!(
                "+{}{}({}){}{}{}{}", &digits[..1], gaps[0], &digits[1..4], gaps[1], &digits[4..7], gaps[2], &digits[7..],
            );
            prop_assert_eq!(PhoneNumber::parse(&grouped), PhoneNumber::parse(&format!("+{digits}")), "{}", grouped);
        }
    }

    #[test]
    fn numbers_are_normalised_to_e164() {
        for (text, expected) in [
            ("+14155550132", "+14155550132"),
            (" +1 (415) 555-0132 ", "+14155550132"),
            ("+44 7700 900123", "+447700900123"),
            ("+49 30 23125 014", "+493023125014"),
            ("+49 (0)30 23125 014", "+493023125014"),
        ] {
            assert_eq!(PhoneNumber::parse(text).map(|number| number.to_string()), Ok(expected.to_owned()), "{text}");
        }
    }

    #[test]
    fn the_magic_numbers_of_twilio_pass() {
        for last in 0..=9 {
            let number = format!("+1500555000{last}");
            assert_eq!(PhoneNumber::parse(&number).map(|number| number.to_string()), Ok(number));
        }
    }

    #[test]
    fn what_is_not_a_number_says_why() {
        for (text, expected) in [
            ("", InvalidPhoneNumber::Empty),
            ("4155550132", InvalidPhoneNumber::CountryCode),
            ("+999123456789", InvalidPhoneNumber::CountryCode),
            ("hello", InvalidPhoneNumber::NotANumber),
            ("+1 800 FLOWERS", InvalidPhoneNumber::NotANumber),
            ("+49000000", InvalidPhoneNumber::NotANumber),
            ("+1415555O132", InvalidPhoneNumber::NotANumber),
            ("+1415555", InvalidPhoneNumber::TooShort),
            ("+141555501321234", InvalidPhoneNumber::TooLong),
            ("+14155550132 ext. 7", InvalidPhoneNumber::Extension),
        ] {
            assert_eq!(PhoneNumber::parse(text), Err(expected), "{text}");
        }
    }

    #[test]
    fn logs_see_only_the_ends_of_a_number() {
        let number = PhoneNumber::parse("+14155550132").expect("a number");
        assert_eq!(number.masked(), "+1••••••0132");
        assert_eq!(format!("{number:?}"), "PhoneNumber(+1••••••0132)");
    }
}
