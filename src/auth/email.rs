//! Email addresses as names of accounts.

use std::fmt;
use std::str::FromStr;

/// Longest address that mail systems carry, in bytes.
const LONGEST: usize = 254;

/// An email address in lower case, which is how accounts are told apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmailAddress(String);

impl EmailAddress {
    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The text is not an address that an account can have.
#[derive(Clone, Debug, thiserror::Error)]
#[error("this is not an email address; write it as name@example.com")]
pub struct NotAnAddress;

impl FromStr for EmailAddress {
    type Err = NotAnAddress;

    /// Reads an address of plain ASCII: letters of other scripts could imitate somebody else's.
    fn from_str(text: &str) -> Result<Self, NotAnAddress> {
        let text = text.trim().to_ascii_lowercase();
        let (name, domain) = text.split_once('@').ok_or(NotAnAddress)?;
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b".!#$%&'*+/=?^_`{|}~-".contains(&byte);
        let is_domain = |byte: u8| byte.is_ascii_alphanumeric() || b".-".contains(&byte);
        let well_formed = !name.is_empty()
            && !domain.is_empty()
            && text.len() <= LONGEST
            && name.bytes().all(is_name)
            && domain.bytes().all(is_domain)
            && !domain.starts_with(['.', '-'])
            && !domain.ends_with(['.', '-']);
        if well_formed { Ok(Self(text)) } else { Err(NotAnAddress) }
    }
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::EmailAddress;

    #[test]
    fn one_account_has_one_spelling() {
        let address: EmailAddress = " Ada.L+ops@Example.COM ".parse().expect("an address");
        assert_eq!(address.as_str(), "ada.l+ops@example.com");
        assert!("admin@localhost".parse::<EmailAddress>().is_ok());
    }

    #[test]
    fn what_is_no_address_is_refused() {
        let long = format!("{}@example.com", "a".repeat(250));
        for text in
            ["", "ada", "@example.com", "ada@", "a@b@c", "a da@example.com", "ada@.com", "аda@example.com", &long]
        {
            assert!(text.parse::<EmailAddress>().is_err(), "{text}");
        }
    }
}
