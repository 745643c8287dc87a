//! What can be said of a telephone number while it is typed: where it is, how people write it, and what answers it.

use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumberFormat, PhoneNumberType};

use super::countries;
use crate::phone::{InvalidPhoneNumber, PhoneNumber};
use crate::web::text;

/// What is said below the field; `None` while there is nothing in it.
pub(crate) fn told(typed: &str, is_texted: bool) -> Option<String> {
    match PhoneNumber::parse(typed) {
        Ok(number) => Some(known(&number, is_texted)),
        Err(InvalidPhoneNumber::Empty) => None,
        Err(why) => Some(match example(typed, why) {
            Some(example) => format!("{why} {example}"),
            None => why.to_string(),
        }),
    }
}

fn known(number: &PhoneNumber, is_texted: bool) -> String {
    let written = text::phone(number.as_str());
    let Ok(parsed) = rlibphonenumber::PhoneNumber::parse(number.as_str(), None) else { return written };
    let country = parsed.get_region_code().and_then(|region| countries::name(&region.to_string()));
    let country = country.map_or_else(|| format!("Country code +{}", parsed.country_code), str::to_owned);
    format!("{country}: {written}, {}", line(parsed.get_type(), is_texted))
}

/// What kind of line has the number.
fn line(kind: PhoneNumberType, is_texted: bool) -> &'static str {
    match kind {
        PhoneNumberType::FixedLine if is_texted => "a fixed line, which may not get an SMS",
        PhoneNumberType::FixedLine => "a fixed line",
        PhoneNumberType::Mobile => "mobile",
        PhoneNumberType::FixedLineOrMobile => "mobile or a fixed line",
        PhoneNumberType::TollFree => "toll-free",
        PhoneNumberType::PremiumRate => "premium rate",
        PhoneNumberType::SharedCost => "shared cost",
        PhoneNumberType::VoIP => "internet telephone",
        PhoneNumberType::PersonalNumber => "a personal number",
        PhoneNumberType::Pager => "a pager",
        PhoneNumberType::UAN => "a company number",
        PhoneNumberType::VoiceMail => "voicemail",
        PhoneNumberType::Unknown => "kind of line unknown",
    }
}

/// How a number of that country looks, where its digits are what is wrong.
fn example(typed: &str, why: InvalidPhoneNumber) -> Option<String> {
    if !matches!(why, InvalidPhoneNumber::TooShort | InvalidPhoneNumber::TooLong) {
        return None;
    }
    let code = rlibphonenumber::PhoneNumber::parse(typed.trim(), None).ok()?.country_code;
    let region = PHONE_NUMBER_UTIL.get_region_for_country_code(code)?;
    let of = |kind| PHONE_NUMBER_UTIL.get_example_number_for_type_and_region(region, kind).ok();
    let example = of(PhoneNumberType::Mobile).or_else(|| of(PhoneNumberType::FixedLine))?;
    let example = text::phone(&example.format_as(PhoneNumberFormat::E164));
    Some(format!("With +{code} one looks like {example}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_told_with_country_form_and_line() {
        for (typed, said) in [
            ("+14155550132", "United States: +1 415 555 0132, mobile or a fixed line"),
            ("+1 (506) 234-5678", "Canada: +1 506 234 5678, mobile or a fixed line"),
            ("+447400123456", "United Kingdom: +44 7400 123456, mobile"),
            ("+493023125014", "Germany: +49 30 23125014, a fixed line, which may not get an SMS"),
            ("+18002345678", "United States: +1 800 234 5678, toll-free"),
            ("+15005550006", "United States: +1 500 555 0006, a personal number"),
            ("+15552345678", "Country code +1: +1 555 234 5678, kind of line unknown"),
        ] {
            assert_eq!(told(typed, true).as_deref(), Some(said));
        }
        assert_eq!(told("+493023125014", false).as_deref(), Some("Germany: +49 30 23125014, a fixed line"));
        assert_eq!(told("  ", true), None);
    }

    #[test]
    fn what_is_wrong_is_told_as_a_refusal_tells_it_with_an_example_of_the_country() {
        for (typed, example) in [
            ("+1415555", Some("With +1 one looks like +1 201 555 0123.")),
            ("+44 7400 12345678", Some("With +44 one looks like +44 7400 123456.")),
            ("+4", None),
            ("4155550132", None),
            ("hello", None),
            ("+999123456789", None),
            ("+14155550132 ext. 7", None),
        ] {
            let refusal = PhoneNumber::parse(typed).expect_err("refused").to_string();
            let said = told(typed, true).expect("something is said");
            assert!(said.starts_with(&refusal), "{typed}: {said}");
            assert_eq!(said.strip_prefix(&refusal).map(str::trim).filter(|rest| !rest.is_empty()), example, "{typed}");
        }
    }
}
