//! The codes of authenticator apps: RFC 6238 with SHA-1, six digits and half minutes, which is what every app can do.

use secrecy::{ExposeSecret as _, SecretString};
use time::OffsetDateTime;
use totp_rs::{Algorithm, Builder, Secret, Totp};
use url::Url;

use crate::auth::credential::random_bytes;
use crate::config::Mode;

/// Digits of a code.
pub(super) const DIGITS: u8 = 6;

/// Seconds for which a code is shown.
const PERIOD: u64 = 30;

/// Codes before and after the current one that are taken as well: clocks differ, and people type.
const WINDOW: u16 = 1;

/// A new secret of 160 bits, in the base32 in which apps take it.
pub(super) fn random_secret() -> anyhow::Result<SecretString> {
    Ok(Secret::new_stack(random_bytes::<20>()?).to_base32().into())
}

/// Which half minute this code is of, if it is a code of now.
pub(super) fn step(secret: &SecretString, typed: &str, now: OffsetDateTime) -> Option<i64> {
    let totp = totp(secret)?;
    let now = u64::try_from(now.unix_timestamp()).ok()?;
    totp.check(typed, now).and_then(|step| i64::try_from(step).ok())
}

/// What an app reads from the picture: <https://github.com/google/google-authenticator/wiki/Key-Uri-Format>.
pub(super) fn address(secret: &SecretString, email: &str, mode: Mode) -> SecretString {
    // Two installations of one person must not take each other's place in the app.
    let issuer = match mode {
        Mode::Live => "Mission Control",
        Mode::Sandbox => "Mission Control sandbox",
    };
    let mut url = Url::parse("otpauth://totp").expect("an address");
    if let Ok(mut path) = url.path_segments_mut() {
        path.push(&format!("{issuer}:{email}"));
    }
    #[expect(clippy::disallowed_methods, reason = "the app of its owner takes the secret from here")]
    url.query_pairs_mut()
        .append_pair("secret", secret.expose_secret())
        .append_pair("issuer", issuer)
        .append_pair("algorithm", "SHA1")
        .append_pair("digits", &DIGITS.to_string())
        .append_pair("period", &PERIOD.to_string());
    // A space, which apps would show as a plus sign.
    let query = url.query().unwrap_or_default().replace('+', "%20");
    url.set_query(Some(&query));
    String::from(url).into()
}

/// The secret in groups of four, for whoever types it.
pub(super) fn in_groups(secret: &SecretString) -> String {
    #[expect(clippy::disallowed_methods, reason = "shown to its owner while they set it up")]
    let letters: Vec<char> = secret.expose_secret().chars().collect();
    letters.chunks(4).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join(" ")
}

fn totp(secret: &SecretString) -> Option<Totp> {
    #[expect(clippy::disallowed_methods, reason = "the secret goes into the code")]
    let secret = Secret::try_from_base32(secret.expose_secret()).ok()?;
    let builder = Builder::new().with_algorithm(Algorithm::SHA1).with_digits(DIGITS).with_skew(WINDOW);
    builder.with_step_duration(PERIOD).with_secret(secret).build().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `12345678901234567890` of RFC 6238, appendix B.
    fn secret() -> SecretString {
        Secret::new_stack(*b"12345678901234567890").to_base32().into()
    }

    fn at(seconds: i64) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(seconds).expect("a time")
    }

    #[test]
    fn the_codes_are_those_of_rfc_6238() {
        // The last six of its eight digits.
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(step(&secret(), code, at(seconds)), Some(seconds / 30), "{seconds}");
        }
    }

    #[test]
    fn a_code_is_taken_half_a_minute_early_or_late_and_no_more() {
        let taken = |seconds: i64| step(&secret(), "005924", at(1_234_567_890 + seconds));
        let its_own = Some(1_234_567_890 / 30);
        assert_eq!([taken(-30), taken(0), taken(29), taken(59)], [its_own; 4]);
        assert_eq!([taken(-31), taken(60), taken(3600)], [None; 3]);
    }

    #[test]
    fn what_is_no_code_is_none() {
        for typed in ["", "5924", "05924", "0005924", "+05924", "00592a", "００５９２４"] {
            assert_eq!(step(&secret(), typed, at(1_234_567_890)), None, "{typed}");
        }
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test looks at what it made")]
    fn an_app_reads_everything_from_the_address() {
        let address = address(&secret(), "ada+test@example.com", Mode::Sandbox);
        assert_eq!(
            address.expose_secret(),
            "otpauth://totp/Mission%20Control%20sandbox:ada+test@example.com?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\
             &issuer=Mission%20Control%20sandbox&algorithm=SHA1&digits=6&period=30"
        );
        assert_eq!(in_groups(&secret()), "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ");
        assert_ne!(random_secret().expect("random").expose_secret(), random_secret().expect("random").expose_secret());
    }
}
