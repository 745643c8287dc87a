//! What can be set on a telephone number: the parameters of its creation and update, as Twilio names and checks them.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use url::Url;

use super::{answer::Refusal, api::ApiRequest};

/// Twilio's own limit of `FriendlyName`, in characters, here and on accounts.
pub(super) const LONGEST_NAME: usize = 64;

/// The fields that were set, as given. Those that are missing have their defaults.
pub(super) type Settings = BTreeMap<String, String>;

/// The form of one setting, which says what is refused and what its default is.
enum Kind {
    Name,
    Url,
    Method,
    Flag,
    /// The SID of an application, which Twilio answers as an empty text while there is none.
    Application,
    /// A SID with this prefix.
    Sid(&'static str),
    /// The first is the default.
    OneOf([&'static str; 2]),
}

/// The parameter, the field that answers it, and its form.
const SETTINGS: [(&str, &str, Kind); 22] = [
    ("FriendlyName", "friendly_name", Kind::Name),
    ("ApiVersion", "api_version", Kind::OneOf(["2010-04-01", "2008-08-01"])),
    ("SmsUrl", "sms_url", Kind::Url),
    ("SmsMethod", "sms_method", Kind::Method),
    ("SmsFallbackUrl", "sms_fallback_url", Kind::Url),
    ("SmsFallbackMethod", "sms_fallback_method", Kind::Method),
    ("SmsApplicationSid", "sms_application_sid", Kind::Application),
    ("StatusCallback", "status_callback", Kind::Url),
    ("StatusCallbackMethod", "status_callback_method", Kind::Method),
    ("VoiceUrl", "voice_url", Kind::Url),
    ("VoiceMethod", "voice_method", Kind::Method),
    ("VoiceFallbackUrl", "voice_fallback_url", Kind::Url),
    ("VoiceFallbackMethod", "voice_fallback_method", Kind::Method),
    ("VoiceApplicationSid", "voice_application_sid", Kind::Application),
    ("VoiceCallerIdLookup", "voice_caller_id_lookup", Kind::Flag),
    ("VoiceReceiveMode", "voice_receive_mode", Kind::OneOf(["voice", "fax"])),
    ("TrunkSid", "trunk_sid", Kind::Sid("TK")),
    ("EmergencyStatus", "emergency_status", Kind::OneOf(["Inactive", "Active"])),
    ("EmergencyAddressSid", "emergency_address_sid", Kind::Sid("AD")),
    ("AddressSid", "address_sid", Kind::Sid("AD")),
    ("IdentitySid", "identity_sid", Kind::Sid("RI")),
    ("BundleSid", "bundle_sid", Kind::Sid("BU")),
];

/// Takes over what the form sets; an empty value brings the default back.
pub(super) fn take_over(settings: &mut Settings, request: &ApiRequest) -> Result<(), Refusal> {
    for (parameter, field, kind) in &SETTINGS {
        let Some(value) = request.form(parameter) else {
            continue;
        };
        settings.remove(*field);
        if value.is_empty() {
            continue;
        }
        kind.check(parameter, value)?;
        settings.insert((*field).to_owned(), value.to_owned());
        // Calls go to a trunk or to an application: setting one unsets the other.
        match *field {
            "trunk_sid" => settings.remove("voice_application_sid"),
            "voice_application_sid" => settings.remove("trunk_sid"),
            _ => None,
        };
    }
    Ok(())
}

/// Every field with its value.
pub(super) fn fields(settings: &Settings, phone_number: &str) -> Map<String, Value> {
    let value = |field: &str, kind: &Kind| match (kind, settings.get(field)) {
        (Kind::Flag, set) => json!(set.is_some_and(|value| value == "true")),
        (_, Some(value)) => json!(value),
        (Kind::Name, None) => json!(formatted(phone_number)),
        (Kind::Url | Kind::Application, None) => json!(""),
        (Kind::Method, None) => json!("POST"),
        (Kind::Sid(_), None) => Value::Null,
        (Kind::OneOf([default, _]), None) => json!(default),
    };
    SETTINGS.iter().map(|(_, field, kind)| ((*field).to_owned(), value(field, kind))).collect()
}

/// The name of a number that has no other: `(415) 555-2671` in North America, elsewhere the number itself.
pub(super) fn formatted(phone_number: &str) -> String {
    match phone_number.strip_prefix("+1") {
        Some(digits) if digits.len() == 10 => format!("({}) {}-{}", &digits[..3], &digits[3..6], &digits[6..]),
        _ => phone_number.to_owned(),
    }
}

impl Kind {
    fn check(&self, parameter: &str, value: &str) -> Result<(), Refusal> {
        let is_valid = match self {
            Self::Name => value.chars().count() <= LONGEST_NAME,
            Self::Url => Url::parse(value).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host()),
            Self::Method => matches!(value, "GET" | "POST"),
            Self::Flag => matches!(value, "true" | "false"),
            Self::Application => is_sid("AP", value),
            Self::Sid(prefix) => is_sid(prefix, value),
            Self::OneOf(values) => values.contains(&value),
        };
        if is_valid {
            return Ok(());
        }
        Err(match self {
            Self::Url => Refusal::bad_request(21402, format!("{parameter} is not a valid URL: {value}")),
            Self::Method => Refusal::bad_request(21403, format!("{parameter} is not a valid HTTP method: {value}")),
            _ => Refusal::invalid(parameter),
        })
    }
}

fn is_sid(prefix: &str, value: &str) -> bool {
    let digits = value.strip_prefix(prefix).unwrap_or_default();
    digits.len() == 32 && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
}
