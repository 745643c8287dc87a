//! The master keys. The first is the primary one: it wraps what is stored from now on; the others still open what was
//! stored before them.

use std::fmt;
use std::path::Path;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::cipher::{self, Key};
use super::key_command::{self, KeyCommandError};
use super::key_file::{self, KeyFileError};
use crate::config::{MasterKeySource, Mode};

/// Longest key id. Shorter than 32 bytes in base64, so that a key pasted in the place of an id is never taken for one
/// and stored or shown.
const LONGEST_KEY_ID: usize = 32;

/// Base64 with or without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Why there is no key ring. Names the setting and never a value.
#[derive(Debug, thiserror::Error)]
pub enum KeyRingError {
    /// An entry has another form.
    #[error(
        "{setting}: entry {entry} is not `id:key`. An id has 1 to {LONGEST_KEY_ID} letters, digits, `.`, `_` or `-`; a key is 32 random bytes in base64, for example from `openssl rand -base64 32`."
    )]
    Form {
        /// Where the keys come from.
        setting: String,
        /// Which one, from 1.
        entry: usize,
    },
    /// Two entries share an id.
    #[error("{setting}: two keys are named `{id}`. Give each key an id of its own.")]
    Repeated {
        /// Where the keys come from.
        setting: String,
        /// The id.
        id: String,
    },
    /// Live mode makes no key by itself.
    #[error(
        "mode is live, but there is no master key. Set MISSION_CONTROL_MASTER_KEY_FILE to a file with `id:key`, and keep a copy apart from the database."
    )]
    NoneInLiveMode,
    /// The file cannot be used.
    #[error(transparent)]
    File(#[from] KeyFileError),
    /// The command gave none.
    #[error(transparent)]
    Command(#[from] KeyCommandError),
}

/// One master key.
pub(super) struct MasterKey {
    id: String,
    key: Key,
}

impl MasterKey {
    /// The name under which rows refer to it.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn key(&self) -> &Key {
        &self.key
    }

    /// A number that only this key and this installation give, for the credentials of the embedded sandbox.
    pub(super) fn derive(&self, label: &str, deployment: Uuid) -> u128 {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.key.as_slice()).expect("HMAC takes keys of any length");
        mac.update(label.as_bytes());
        mac.update(deployment.as_bytes());
        let half: [u8; 16] = mac.finalize().into_bytes()[..16].try_into().expect("SHA-256 has 32 bytes");
        u128::from_be_bytes(half)
    }
}

/// The master keys of this process; never empty.
pub(super) struct KeyRing {
    primary: MasterKey,
    others: Vec<MasterKey>,
}

impl KeyRing {
    /// Reads the keys from where the settings say. In sandbox mode the first start makes one.
    #[expect(clippy::disallowed_methods, reason = "the text is parsed into keys and nothing else")]
    pub(super) async fn load(source: &MasterKeySource, data_dir: &Path, mode: Mode) -> Result<Self, KeyRingError> {
        match source {
            MasterKeySource::Value(text) => Self::parse(text.expose_secret(), "MISSION_CONTROL_MASTER_KEY"),
            MasterKeySource::File(path) => {
                let text = key_file::read_guarded(path)?;
                Self::parse(&text, &format!("MISSION_CONTROL_MASTER_KEY_FILE ({})", path.display()))
            }
            MasterKeySource::Command(command) => {
                let text = key_command::run(command, key_command::PATIENCE).await?;
                Self::parse(&text, "What MISSION_CONTROL_MASTER_KEY_COMMAND printed")
            }
            MasterKeySource::DataDir if mode == Mode::Live => Err(KeyRingError::NoneInLiveMode),
            MasterKeySource::DataDir => {
                let path = data_dir.join("master-key");
                let text = key_file::read_or_make(&path)?;
                Self::parse(&text, &path.display().to_string())
            }
        }
    }

    /// Reads `id:base64,id:base64`; `setting` says in an error where the text came from.
    pub(super) fn parse(text: &str, setting: &str) -> Result<Self, KeyRingError> {
        let mut keys: Vec<MasterKey> = Vec::new();
        for (index, entry) in text.trim().split(',').enumerate() {
            let malformed = || KeyRingError::Form { setting: setting.to_owned(), entry: index + 1 };
            let key = parse_entry(entry).ok_or_else(malformed)?;
            if keys.iter().any(|known| known.id == key.id) {
                return Err(KeyRingError::Repeated { setting: setting.to_owned(), id: key.id });
            }
            keys.push(key);
        }
        let primary = keys.remove(0);
        Ok(Self { primary, others: keys })
    }

    /// The key that wraps what is stored from now on.
    pub(super) fn primary(&self) -> &MasterKey {
        &self.primary
    }

    /// The ids of all keys, the primary one's first.
    pub(super) fn ids(&self) -> Vec<&str> {
        std::iter::once(&self.primary).chain(&self.others).map(MasterKey::id).collect()
    }

    /// The key with this id.
    pub(super) fn find(&self, id: &str) -> Option<&MasterKey> {
        std::iter::once(&self.primary).chain(&self.others).find(|key| key.id == id)
    }
}

impl fmt::Debug for KeyRing {
    /// The ids alone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.ids()).finish()
    }
}

fn parse_entry(entry: &str) -> Option<MasterKey> {
    let (id, encoded) = entry.trim().split_once(':')?;
    let is_id = (1..=LONGEST_KEY_ID).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    if !is_id {
        return None;
    }
    let bytes = Zeroizing::new(BASE64.decode(encoded.trim()).ok()?);
    Some(MasterKey { id: id.to_owned(), key: cipher::key_of(&bytes)? })
}

/// One key as the ring reads it.
pub(super) fn format_entry(id: &str, key: &Key) -> SecretString {
    SecretString::from(format!("{id}:{}", Zeroizing::new(BASE64.encode(key.as_slice())).as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONES: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

    fn refusal(text: &str) -> String {
        KeyRing::parse(text, "THE_SETTING").expect_err(text).to_string()
    }

    #[test]
    fn the_first_key_is_the_primary_one() {
        let text = format!(" new:{} ,\nold:{ONES}\n", ONES.replace('Q', "g").trim_end_matches('='));
        let ring = KeyRing::parse(&text, "THE_SETTING").expect("two keys");
        assert_eq!(ring.primary().id(), "new");
        assert_eq!(ring.find("old").map(|key| **key.key()), Some([1; 32]));
        assert!(ring.find("other").is_none());
        assert_eq!(format!("{ring:?}"), r#"["new", "old"]"#);
    }

    #[test]
    fn what_is_no_key_is_refused_without_being_repeated() {
        let short = &ONES[..40];
        for text in ["", "a", ONES, &format!(":{ONES}"), &format!("a:{short}"), "a:not base64", &format!("{ONES}:a")] {
            let refusal = refusal(text);
            assert!(refusal.starts_with("THE_SETTING: entry 1 is not `id:key`"), "{refusal}");
            assert!(!refusal.contains("AQEB") && !refusal.contains("not base64"), "{refusal}");
        }
        assert!(refusal(&format!("a:{ONES},")).contains("entry 2"));
        assert!(refusal(&format!("a:{ONES},a:{ONES}")).contains("`a`"));
    }

    #[test]
    fn derived_numbers_depend_on_key_label_and_installation() {
        let ring = KeyRing::parse(&format!("a:{ONES}"), "THE_SETTING").expect("a key");
        let key = ring.primary();
        assert_eq!(key.derive("x", Uuid::nil()), key.derive("x", Uuid::nil()));
        assert_ne!(key.derive("x", Uuid::nil()), key.derive("y", Uuid::nil()));
        assert_ne!(key.derive("x", Uuid::nil()), key.derive("x", Uuid::max()));
    }
}
