//! Telephone numbers: their form, Twilio's magic ones, and the sandbox's own for what goes wrong after acceptance.

use hyper::StatusCode;

use super::answer::Refusal;

/// Whether this is a number in E.164. More is not asked: Twilio's magic numbers do not exist in any numbering plan.
pub(super) fn is_e164(number: &str) -> bool {
    let digits = number.strip_prefix('+').unwrap_or_default();
    (8..=15).contains(&digits.len()) && !digits.starts_with('0') && digits.bytes().all(|digit| digit.is_ascii_digit())
}

/// What Twilio says to a sender, before it looks whether the account owns it.
pub(super) fn refuse_sender(from: &str) -> Result<(), Refusal> {
    match from {
        "+15005550007" => Err(Refusal::bad_request(
            21606,
            format!(
                "The 'From' phone number provided ({from}) is not a valid message-capable Twilio phone number for this destination."
            ),
        )),
        // The one refusal with 429 that is not about too many requests.
        "+15005550008" => Err(Refusal::new(
            StatusCode::TOO_MANY_REQUESTS,
            21611,
            format!("This 'From' number ({from}) has exceeded the maximum number of queued messages"),
        )),
        "+15005550001" => Err(invalid_sender(from)),
        _ if !is_e164(from) => Err(invalid_sender(from)),
        _ => Ok(()),
    }
}

fn invalid_sender(from: &str) -> Refusal {
    Refusal::bad_request(21212, format!("Invalid From Number: {from}"))
}

/// What Twilio says to a recipient.
pub(super) fn refuse_recipient(to: &str) -> Result<(), Refusal> {
    let (code, message) = match to {
        "+15005550001" => (21211, format!("Invalid 'To' Phone Number: {to}")),
        _ if !is_e164(to) => (21211, format!("Invalid 'To' Phone Number: {to}")),
        "+15005550002" => (
            21612,
            format!("The 'To' phone number: {to}, is not currently reachable using the 'From' phone number via SMS."),
        ),
        "+15005550003" => (
            21408,
            format!("Permission to send an SMS has not been enabled for the region indicated by the 'To' number: {to}"),
        ),
        "+15005550004" => (21610, "Attempt to send to unsubscribed recipient".to_owned()),
        "+15005550009" => (21614, format!("'To' number: {to}, is not a valid mobile number")),
        _ => return Ok(()),
    };
    Err(Refusal::bad_request(code, message))
}

/// What Twilio says to a caller, before it looks whether the account owns it.
pub(super) fn refuse_caller(from: &str) -> Result<(), Refusal> {
    if from == "+15005550001" || !is_e164(from) { Err(invalid_sender(from)) } else { Ok(()) }
}

/// What Twilio says to somebody who is to be called.
pub(super) fn refuse_callee(to: &str) -> Result<(), Refusal> {
    let (code, message) = match to {
        "+15005550001" => (21217, format!("Phone number does not appear to be valid: {to}")),
        _ if !is_e164(to) => (21217, format!("Phone number does not appear to be valid: {to}")),
        "+15005550002" => (21214, format!("'To' phone number cannot be reached: {to}")),
        "+15005550003" => (21215, format!("Account not authorized to call {to}: international permission is missing")),
        "+15005550004" => (21216, format!("Account not allowed to call {to}")),
        _ => return Ok(()),
    };
    Err(Refusal::bad_request(code, message))
}

/// What Twilio says to the purchase of a number, before it looks whether somebody has it.
pub(super) fn refuse_purchase(number: &str) -> Result<(), Refusal> {
    match number {
        "+15005550000" => Err(unavailable(number)),
        _ if number == "+15005550001" || !is_e164(number) => {
            Err(Refusal::bad_request(21421, format!("PhoneNumber is invalid: {number}")))
        }
        _ => Ok(()),
    }
}

pub(super) fn unavailable(number: &str) -> Refusal {
    Refusal::bad_request(21422, format!("PhoneNumber is not available: {number}"))
}

/// The numbers to be had in an area code of North America, in the exchange that no subscriber has.
pub(super) fn in_area(code: &str) -> Result<impl Iterator<Item = String>, Refusal> {
    let is_area = code.len() == 3 && code.starts_with(|first| matches!(first, '2'..='9'));
    if !is_area || !code.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(Refusal::bad_request(21451, format!("Invalid area code: {code}")));
    }
    if code == "533" {
        return Err(nothing_in_area(code));
    }
    // From 0110 on: in area 500, those below are the recipients with a fate of their own.
    Ok((110..=9999).map(move |line| format!("+1{code}555{line:04}")))
}

pub(super) fn nothing_in_area(code: &str) -> Refusal {
    Refusal::bad_request(21452, format!("No phone numbers found in area code {code}"))
}

/// Whether a number has this part, in which `*` stands for any digit.
pub(super) fn contains(number: &str, part: &str) -> bool {
    let fits = |(digit, wanted): (&u8, &u8)| digit == wanted || (*wanted == b'*' && digit.is_ascii_digit());
    part.is_empty() || number.as_bytes().windows(part.len()).any(|window| window.iter().zip(part.as_bytes()).all(fits))
}

/// How the life of a message to some recipient ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Delivered,
    Undelivered(u32),
    Failed(u32),
    /// The carrier took it and says nothing more.
    NeverReported,
}

impl Fate {
    pub(super) fn of(to: &str) -> Self {
        match to {
            "+15005550100" => Self::NeverReported,
            "+15005550103" => Self::Undelivered(30003),
            "+15005550105" => Self::Undelivered(30005),
            "+15005550106" => Self::Undelivered(30006),
            "+15005550107" => Self::Failed(30007),
            _ => Self::Delivered,
        }
    }
}

/// Who picks up when some recipient is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pickup {
    Somebody,
    /// Somebody, but no callback tells of it.
    NeverReported,
    Busy,
    Nobody,
    /// The carrier cannot connect it.
    Unreachable,
}

impl Pickup {
    pub(super) fn of(to: &str) -> Self {
        match to {
            "+15005550100" => Self::NeverReported,
            "+15005550101" => Self::Busy,
            "+15005550102" => Self::Nobody,
            "+15005550104" => Self::Unreachable,
            _ => Self::Somebody,
        }
    }
}

/// Twilio's words for an error after acceptance.
pub(super) fn error_message(code: u32) -> Option<&'static str> {
    match code {
        30003 => Some("Unreachable destination handset"),
        30005 => Some("Unknown destination handset"),
        30006 => Some("Landline or unreachable carrier"),
        30007 => Some("Message filtered"),
        _ => None,
    }
}
