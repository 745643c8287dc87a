//! Twilio's names for what it has.

use crate::operation::content::Kind;

/// Twilio's name for a message (`SM` or `MM`) or a call (`CA`): the prefix and 32 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sid(String);

impl Sid {
    /// Reads the SID of an SMS or of a call.
    pub fn parse(kind: Kind, text: &str) -> Option<Self> {
        let digits = match kind {
            Kind::Sms => text.strip_prefix("SM").or_else(|| text.strip_prefix("MM")),
            Kind::Call => text.strip_prefix("CA"),
        }?;
        let is_sid = digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_sid.then(|| Self(text.to_owned()))
    }

    /// The SID.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sid_is_of_a_message_or_of_a_call() {
        let digits = "0123456789abcdef0123456789ABCDEF";
        for (prefix, kind) in [("SM", Kind::Sms), ("MM", Kind::Sms), ("CA", Kind::Call)] {
            let text = format!("{prefix}{digits}");
            for read_as in [Kind::Sms, Kind::Call] {
                assert_eq!(Sid::parse(read_as, &text).is_some(), read_as == kind, "{text}");
            }
            assert!(Sid::parse(kind, &text[..33]).is_none() && Sid::parse(kind, &format!("{text}0")).is_none());
        }
        assert!(Sid::parse(Kind::Sms, &format!("SM{}", "g".repeat(32))).is_none());
    }
}
