//! Passwords on their way in: what may become one, and random ones.

use std::collections::HashSet;
use std::sync::LazyLock;

use secrecy::{ExposeSecret as _, SecretString};

use super::EmailAddress;
use super::credential::readable;

/// Fewest characters of a password.
pub(super) const SHORTEST: usize = 12;

/// Most bytes of a password; more would only cost us work.
pub(super) const LONGEST: usize = 1024;

/// What everybody tries first, in lower case, one a line; where it is from stands beside it.
static COMMON: LazyLock<HashSet<&str>> = LazyLock::new(|| include_str!("common_passwords.txt").lines().collect());

/// A password that may be stored, as a hash.
#[derive(Debug)]
pub struct NewPassword(SecretString);

/// Why a text may not become a password, and what to choose instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WeakPassword {
    /// Under 12 characters.
    #[error("The password is shorter than {SHORTEST} characters. Choose a longer one; a few words will do.")]
    TooShort,
    /// Over 1024 bytes.
    #[error("The password is longer than {LONGEST} bytes. Choose a shorter one.")]
    TooLong,
    /// On the list, or made of an entry of the list.
    #[error("The password is one of those that are tried first. Choose another; a few unrelated words will do.")]
    Common,
    /// The account's own name.
    #[error("The password is the email address or a part of it. Choose another.")]
    Email,
}

impl NewPassword {
    /// Takes a text that a person chose. There are no rules of composition: they make passwords worse.
    pub fn choose(text: SecretString, email: &EmailAddress) -> Result<Self, WeakPassword> {
        #[expect(clippy::disallowed_methods, reason = "a new password is measured before it is hashed")]
        match weakness(text.expose_secret(), email) {
            Some(weakness) => Err(weakness),
            None => Ok(Self(text)),
        }
    }

    /// A random one that can be read aloud: 24 characters in groups of four, 120 bits.
    pub fn random() -> anyhow::Result<Self> {
        readable::<24>().map(Self)
    }

    /// The text, to be hashed.
    pub(super) fn secret(&self) -> &SecretString {
        &self.0
    }

    /// The text, for whoever shows it once.
    pub(super) fn into_secret(self) -> SecretString {
        self.0
    }
}

fn weakness(text: &str, email: &EmailAddress) -> Option<WeakPassword> {
    if text.len() > LONGEST {
        return Some(WeakPassword::TooLong);
    }
    if text.chars().count() < SHORTEST {
        return Some(WeakPassword::TooShort);
    }
    let lower = text.to_lowercase();
    let name = email.as_str().split('@').next().unwrap_or_default();
    let core = lower.trim_matches(|c: char| !c.is_alphabetic());
    if [lower.as_str(), core].iter().any(|text| *text == email.as_str() || *text == name) {
        return Some(WeakPassword::Email);
    }
    ([lower.as_str(), core].into_iter().any(is_common)).then_some(WeakPassword::Common)
}

/// Whether the text is on the list, or something on the list again and again, or three characters again and again.
fn is_common(text: &str) -> bool {
    let repeated = smallest_period(text);
    COMMON.contains(text) || COMMON.contains(repeated) || (!text.is_empty() && repeated.chars().count() <= 3)
}

/// The shortest beginning that makes the whole text when it is repeated.
fn smallest_period(text: &str) -> &str {
    (1..=text.len() / 2)
        .filter(|length| text.len().is_multiple_of(*length))
        .filter_map(|length| text.get(..length))
        .find(|beginning| text == beginning.repeat(text.len() / beginning.len()))
        .unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(text: &str) -> Option<WeakPassword> {
        weakness(text, &"ada.lovelace@example.com".parse().expect("an address"))
    }

    #[test]
    fn length_is_the_only_rule_of_form() {
        assert_eq!(judged("elevenchars"), Some(WeakPassword::TooShort));
        assert_eq!(judged("zwölf zeichen"), None);
        assert_eq!(judged("correct horse battery staple"), None);
        assert_eq!(judged(&"correct horse ".repeat(80)), Some(WeakPassword::TooLong));
        // Characters count, not bytes: six of these are 18 bytes.
        assert_eq!(judged("密码密码密码"), Some(WeakPassword::TooShort));
    }

    #[test]
    fn what_is_tried_first_is_refused() {
        for text in [
            "Password1234",
            "passwordpassword",
            "aaaaaaaaaaaaaa",
            "123123123123",
            "1234567890123",
            "qwertyuiop!1",
            "startfinding",
            "Telechargement",
            "monkeymonkey",
            "Liverpool2026!",
            "1q2w3e4r5t6y",
        ] {
            assert_eq!(judged(text), Some(WeakPassword::Common), "{text}");
        }
        for text in ["ada.lovelace@example.com", "Ada.Lovelace2026"] {
            assert_eq!(judged(text), Some(WeakPassword::Email), "{text}");
        }
    }

    #[test]
    fn random_ones_pass_the_rules_and_differ() {
        let made = || {
            #[expect(clippy::disallowed_methods, reason = "a test looks at what it made")]
            NewPassword::random().expect("random").secret().expose_secret().to_owned()
        };
        let one = made();
        assert_eq!((one.len(), judged(&one)), (29, None));
        assert_ne!(one, made());
    }

    #[test]
    fn the_list_is_in_the_form_that_it_is_searched_in() {
        assert!(COMMON.len() >= 3000, "{}", COMMON.len());
        assert!(COMMON.iter().all(|entry| !entry.is_empty() && *entry == entry.to_lowercase().trim()));
    }
}
