//! Authenticated encryption: XChaCha20-Poly1305 under random nonces, each text bound to the place where it belongs.

use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305, XNonce};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::config::Mode;

/// Bytes of a key.
const KEY_BYTES: usize = 32;

/// Bytes of the nonce in front of each ciphertext. 24 random bytes do not repeat in practice; 12 could.
const NONCE_BYTES: usize = 24;

/// A key in memory, wiped when it is dropped.
pub(super) type Key = Zeroizing<[u8; KEY_BYTES]>;

/// The key that these bytes are, without a copy of it that is not wiped.
pub(super) fn key_of(bytes: &[u8]) -> Option<Key> {
    let mut key = Key::default();
    if bytes.len() != KEY_BYTES {
        return None;
    }
    key.copy_from_slice(bytes);
    Some(key)
}

/// What a ciphertext is for: one made for the first purpose never opens as the second.
#[derive(Clone, Copy)]
pub(super) enum Purpose {
    /// The data key of a secret, under a master key.
    DataKey,
    /// A secret, under its data key.
    Secret,
    /// The known text, under a master key.
    Canary,
}

impl Purpose {
    fn label(self) -> &'static [u8] {
        match self {
            Self::DataKey => b"mission-control/vault/1/data-key",
            Self::Secret => b"mission-control/vault/1/secret",
            Self::Canary => b"mission-control/vault/1/canary",
        }
    }
}

/// Where a ciphertext belongs. Copied to any other place it does not open.
#[derive(Clone, Copy)]
pub(super) enum Place<'a> {
    /// A version of an entry.
    Entry {
        /// The installation.
        deployment: Uuid,
        /// Sandbox or live.
        mode: Mode,
        /// The entry's name.
        name: &'a str,
        /// The entry's version.
        version: i32,
    },
    /// What another part of the service keeps.
    Kept {
        /// The installation.
        deployment: Uuid,
        /// What it is kept for.
        purpose: &'a str,
        /// What it belongs to.
        id: Uuid,
    },
}

/// The associated data of a ciphertext. Each part is preceded by its length, so that no two lists of parts give the
/// same bytes. `key_id` is empty for a secret: its data key is bound to the master key, and rotation replaces only that.
pub(super) fn associated_data(purpose: Purpose, place: Place<'_>, key_id: &str) -> Vec<u8> {
    let of = |parts: [&[u8]; 6]| -> Vec<u8> {
        parts.iter().flat_map(|part| [&(part.len() as u64).to_be_bytes(), *part].concat()).collect()
    };
    let (label, key_id) = (purpose.label(), key_id.as_bytes());
    match place {
        Place::Entry { deployment, mode, name, version } => of([
            label,
            deployment.as_bytes(),
            mode.as_str().as_bytes(),
            name.as_bytes(),
            &version.to_be_bytes(),
            key_id,
        ]),
        // No mode is called like that, so neither kind of place gives the bytes of the other.
        Place::Kept { deployment, purpose, id } => {
            of([label, deployment.as_bytes(), b"kept", purpose.as_bytes(), id.as_bytes(), key_id])
        }
    }
}

/// Random bytes from the operating system.
///
/// # Panics
/// When it has none: nothing secret can be made then.
pub(super) fn random<const N: usize>() -> Zeroizing<[u8; N]> {
    let mut bytes = Zeroizing::new([0; N]);
    getrandom::fill(bytes.as_mut_slice()).expect("the operating system gives random bytes");
    bytes
}

/// Encrypts a text; the nonce stands in front.
pub(super) fn encrypt(key: &Key, associated_data: &[u8], plaintext: &[u8]) -> Vec<u8> {
    let nonce = random::<NONCE_BYTES>();
    let payload = Payload { msg: plaintext, aad: associated_data };
    let ciphertext = XChaCha20Poly1305::new((&**key).into())
        .encrypt(&XNonce::from(*nonce), payload)
        .expect("only texts past 256 GiB cannot be encrypted");
    [nonce.as_slice(), &ciphertext].concat()
}

/// Decrypts a text. `None` for anything that was not made with this key and associated data, without saying why.
pub(super) fn decrypt(key: &Key, associated_data: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, ciphertext) = sealed.split_first_chunk::<NONCE_BYTES>()?;
    let payload = Payload { msg: ciphertext, aad: associated_data };
    XChaCha20Poly1305::new((&**key).into()).decrypt(&XNonce::from(*nonce), payload).ok().map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn place(name: &str, version: i32) -> Place<'_> {
        Place::Entry { deployment: Uuid::nil(), mode: Mode::Sandbox, name, version }
    }

    #[test]
    fn nonces_differ() {
        let key = random();
        assert_ne!(encrypt(&key, b"", b"text"), encrypt(&key, b"", b"text"));
    }

    #[test]
    fn what_is_short_or_foreign_does_not_open() {
        let key = random();
        let sealed = encrypt(&key, b"here", b"text");
        for length in 0..sealed.len() {
            assert!(decrypt(&key, b"here", &sealed[..length]).is_none(), "{length} bytes");
        }
        assert!(decrypt(&random(), b"here", &sealed).is_none());
        assert!(decrypt(&key, b"there", &sealed).is_none());
    }

    #[test]
    fn every_part_changes_the_associated_data() {
        let elsewhere = Place::Entry { deployment: Uuid::max(), mode: Mode::Sandbox, name: "ab", version: 1 };
        let live = Place::Entry { deployment: Uuid::nil(), mode: Mode::Live, name: "ab", version: 1 };
        let kept = |deployment, purpose, id| Place::Kept { deployment, purpose, id };
        let all = [
            associated_data(Purpose::DataKey, place("ab", 1), "c"),
            associated_data(Purpose::Secret, place("ab", 1), "c"),
            associated_data(Purpose::DataKey, elsewhere, "c"),
            associated_data(Purpose::DataKey, live, "c"),
            associated_data(Purpose::DataKey, place("a", 1), "bc"),
            associated_data(Purpose::DataKey, place("ab", 2), "c"),
            associated_data(Purpose::DataKey, place("ab", 1), "d"),
            associated_data(Purpose::DataKey, kept(Uuid::nil(), "ab", Uuid::nil()), "c"),
            associated_data(Purpose::Secret, kept(Uuid::nil(), "ab", Uuid::nil()), "c"),
            associated_data(Purpose::DataKey, kept(Uuid::max(), "ab", Uuid::nil()), "c"),
            associated_data(Purpose::DataKey, kept(Uuid::nil(), "a", Uuid::nil()), "bc"),
            associated_data(Purpose::DataKey, kept(Uuid::nil(), "ab", Uuid::max()), "c"),
            associated_data(Purpose::DataKey, kept(Uuid::nil(), "ab", Uuid::nil()), "d"),
        ];
        let different: std::collections::HashSet<&Vec<u8>> = all.iter().collect();
        assert_eq!(different.len(), all.len());
    }

    proptest! {
        #[test]
        fn what_was_encrypted_comes_back(text: Vec<u8>, associated: Vec<u8>) {
            let key = random();
            let opened = decrypt(&key, &associated, &encrypt(&key, &associated, &text));
            prop_assert_eq!(opened.map(|opened| opened.to_vec()), Some(text));
        }

        #[test]
        fn garbage_never_opens_and_never_panics(garbage: Vec<u8>) {
            prop_assert!(decrypt(&random(), b"", &garbage).is_none());
        }
    }
}
