//! What names a clip: in public by chance, among ourselves by what it is made from.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use crate::config::Mode;
use crate::operation::content::hash;

/// A new public name: 256 random bits as 43 characters, which nobody guesses.
pub(super) fn new_name() -> Result<String, getrandom::Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// SHA-256 of all that decides what is heard: one clip is made for all who want the same.
pub(super) fn request_hash(mode: Mode, text: &str, voice: &str, model: &str, format: &str) -> [u8; 32] {
    // No settings of the voice are sent: it speaks as the account has set it up.
    let wanted = json!({
        "format": format, "mode": mode.as_str(), "model": model, "settings": {}, "text": text, "voice": voice,
    });
    hash("mission-control clip v1", &wanted.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_long_and_never_the_same() {
        let [one, other] = [new_name(), new_name()].map(|name| name.expect("random bytes"));
        assert_eq!((one.len(), other.len()), (43, 43));
        assert_ne!(one, other);
        assert!(one.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)), "{one}");
    }

    #[test]
    fn whatever_can_be_heard_makes_another_clip() {
        let base = request_hash(Mode::Sandbox, "Hello", "v", "m", "mp3");
        assert_eq!(base, request_hash(Mode::Sandbox, "Hello", "v", "m", "mp3"));
        for other in [
            request_hash(Mode::Live, "Hello", "v", "m", "mp3"),
            request_hash(Mode::Sandbox, "Hello.", "v", "m", "mp3"),
            request_hash(Mode::Sandbox, "Hello", "m", "v", "mp3"),
            request_hash(Mode::Sandbox, "Hello", "v", "n", "mp3"),
            request_hash(Mode::Sandbox, "Hello", "v", "m", "wav"),
        ] {
            assert_ne!(base, other);
        }
    }
}
