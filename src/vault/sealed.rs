//! One secret at rest: encrypted under a data key of its own, which is wrapped by a master key.

use secrecy::{ExposeSecret as _, SecretString};

use super::cipher::{self, Key, Place, Purpose, associated_data};
use super::key_ring::{KeyRing, MasterKey};

/// What is stored of a secret.
#[derive(Clone)]
pub(super) struct Sealed {
    /// The master key around the data key.
    pub(super) key_id: String,
    /// The data key, encrypted.
    pub(super) wrapped_key: Vec<u8>,
    /// The secret, encrypted.
    pub(super) ciphertext: Vec<u8>,
}

/// Why a stored secret does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unopened {
    /// Its master key is not in the key ring.
    KeyMissing,
    /// It was altered, or it belongs to another place.
    Altered,
}

impl Sealed {
    /// Encrypts a secret for its place, under a new data key. A data key encrypts once.
    #[expect(clippy::disallowed_methods, reason = "the plaintext goes into the cipher and nowhere else")]
    pub(super) fn seal(master: &MasterKey, place: Place<'_>, secret: &SecretString) -> Self {
        let data_key = cipher::random();
        let bound = associated_data(Purpose::Secret, place, "");
        let ciphertext = cipher::encrypt(&data_key, &bound, secret.expose_secret().as_bytes());
        Self { key_id: master.id().to_owned(), wrapped_key: wrap(master, place, &data_key), ciphertext }
    }

    /// Decrypts the secret of a place.
    pub(super) fn open(&self, ring: &KeyRing, place: Place<'_>) -> Result<SecretString, Unopened> {
        let data_key = self.unwrap(ring, place)?;
        let bound = associated_data(Purpose::Secret, place, "");
        let plaintext = cipher::decrypt(&data_key, &bound, &self.ciphertext).ok_or(Unopened::Altered)?;
        let text = std::str::from_utf8(&plaintext).map_err(|_| Unopened::Altered)?;
        Ok(SecretString::from(text))
    }

    /// Wraps the data key by another master key; the secret itself is not touched.
    pub(super) fn rewrap(&self, ring: &KeyRing, place: Place<'_>) -> Result<Self, Unopened> {
        let data_key = self.unwrap(ring, place)?;
        let master = ring.primary();
        let wrapped_key = wrap(master, place, &data_key);
        Ok(Self { key_id: master.id().to_owned(), wrapped_key, ciphertext: self.ciphertext.clone() })
    }

    fn unwrap(&self, ring: &KeyRing, place: Place<'_>) -> Result<Key, Unopened> {
        let master = ring.find(&self.key_id).ok_or(Unopened::KeyMissing)?;
        let bound = associated_data(Purpose::DataKey, place, &self.key_id);
        let bytes = cipher::decrypt(master.key(), &bound, &self.wrapped_key).ok_or(Unopened::Altered)?;
        cipher::key_of(&bytes).ok_or(Unopened::Altered)
    }
}

fn wrap(master: &MasterKey, place: Place<'_>, data_key: &Key) -> Vec<u8> {
    cipher::encrypt(master.key(), &associated_data(Purpose::DataKey, place, master.id()), data_key.as_slice())
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the tests compare what was sealed")]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::config::Mode;

    const PLACE: Place<'_> = place(Uuid::nil(), Mode::Live, "twilio_auth_token", 3);

    const fn place(deployment: Uuid, mode: Mode, name: &str, version: i32) -> Place<'_> {
        Place::Entry { deployment, mode, name, version }
    }

    fn ring(text: &str) -> KeyRing {
        KeyRing::parse(text, "a test").expect("a key ring")
    }

    fn one() -> KeyRing {
        ring("one:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=")
    }

    fn two_then_one() -> KeyRing {
        ring("two:AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=,one:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=")
    }

    fn sealed() -> Sealed {
        Sealed::seal(one().primary(), PLACE, &SecretString::from("very secret"))
    }

    fn opened(sealed: &Sealed, ring: &KeyRing, place: Place<'_>) -> Result<String, Unopened> {
        sealed.open(ring, place).map(|secret| secret.expose_secret().to_owned())
    }

    #[test]
    fn a_secret_comes_back_and_never_looks_the_same() {
        assert_eq!(opened(&sealed(), &one(), PLACE), Ok("very secret".to_owned()));
        let (first, second) = (sealed(), sealed());
        assert_ne!(first.wrapped_key, second.wrapped_key);
        assert_ne!(first.ciphertext, second.ciphertext);
    }

    #[test]
    fn a_secret_opens_in_its_own_place_only() {
        let elsewhere = [
            place(Uuid::max(), Mode::Live, "twilio_auth_token", 3),
            place(Uuid::nil(), Mode::Sandbox, "twilio_auth_token", 3),
            place(Uuid::nil(), Mode::Live, "twilio_account_sid", 3),
            place(Uuid::nil(), Mode::Live, "twilio_auth_token", 4),
            Place::Kept { deployment: Uuid::nil(), purpose: "twilio_auth_token", id: Uuid::nil() },
        ];
        for place in elsewhere {
            assert_eq!(opened(&sealed(), &one(), place), Err(Unopened::Altered));
        }
    }

    #[test]
    fn the_halves_of_two_secrets_do_not_open_together() {
        let mixed = Sealed { ciphertext: sealed().ciphertext, ..sealed() };
        assert_eq!(opened(&mixed, &one(), PLACE), Err(Unopened::Altered));
        let swapped = Sealed { wrapped_key: sealed().ciphertext, ciphertext: sealed().wrapped_key, ..sealed() };
        assert_eq!(opened(&swapped, &one(), PLACE), Err(Unopened::Altered));
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let sealed = sealed();
        for bit in 0..sealed.wrapped_key.len() * 8 {
            let mut altered = sealed.clone();
            altered.wrapped_key[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(opened(&altered, &one(), PLACE), Err(Unopened::Altered), "bit {bit} of the wrapped key");
        }
        for bit in 0..sealed.ciphertext.len() * 8 {
            let mut altered = sealed.clone();
            altered.ciphertext[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(opened(&altered, &one(), PLACE), Err(Unopened::Altered), "bit {bit} of the ciphertext");
        }
    }

    #[test]
    fn another_key_does_not_open_it_whatever_its_name() {
        let impostor = ring("one:AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=");
        assert_eq!(opened(&sealed(), &impostor, PLACE), Err(Unopened::Altered));
        let other = ring("two:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=");
        assert_eq!(opened(&sealed(), &other, PLACE), Err(Unopened::KeyMissing));
        let renamed = Sealed { key_id: "two".to_owned(), ..sealed() };
        assert_eq!(opened(&renamed, &other, PLACE), Err(Unopened::Altered));
    }

    #[test]
    fn a_rewrapped_secret_needs_the_new_key_alone() {
        let rewrapped = sealed().rewrap(&two_then_one(), PLACE).expect("both keys are there");
        assert_eq!(rewrapped.key_id, "two");
        assert_eq!(opened(&rewrapped, &one(), PLACE), Err(Unopened::KeyMissing));
        assert_eq!(opened(&rewrapped, &two_then_one(), PLACE), Ok("very secret".to_owned()));
    }
}
