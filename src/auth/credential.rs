//! Random credentials: what session cookies and API tokens are made of.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

/// 256 random bits. The text is handed out once; the hash is what we keep, so that a copy of the table opens nothing.
/// A plain hash suffices: unlike a password, the text cannot be guessed.
pub(super) struct Credential {
    pub(super) text: SecretString,
    pub(super) hash: CredentialHash,
}

/// SHA-256 of a credential's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct CredentialHash(pub(super) [u8; 32]);

impl Credential {
    /// A new credential whose text starts with `prefix`.
    pub(super) fn random(prefix: &str) -> anyhow::Result<Self> {
        let text = format!("{prefix}{}", URL_SAFE_NO_PAD.encode(random_bytes::<32>()?));
        Ok(Self { hash: CredentialHash::of(&text), text: text.into() })
    }

    /// The last four characters, to tell credentials apart in a list; the rest still cannot be guessed.
    pub(super) fn hint(&self) -> String {
        #[expect(clippy::disallowed_methods, reason = "four characters of 43 are shown in lists")]
        let text = self.text.expose_secret();
        text[text.len() - 4..].to_owned()
    }
}

impl CredentialHash {
    /// The hash of a text that a caller presents.
    pub(super) fn of(text: &str) -> Self {
        Self(Sha256::digest(text).into())
    }
}

/// Letters and digits that cannot be taken for one another. There are 32, so each is worth five bits.
const READABLE: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// So many random characters that can be read aloud, in groups of four.
pub(super) fn readable<const N: usize>() -> anyhow::Result<SecretString> {
    let letters = random_bytes::<N>()?.map(|byte| char::from(READABLE[usize::from(byte % 32)]));
    let groups: Vec<String> = letters.chunks(4).map(|group| group.iter().collect()).collect();
    Ok(groups.join("-").into())
}

/// Random bytes from the operating system.
pub(super) fn random_bytes<const N: usize>() -> anyhow::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("the system has no random bytes: {error}"))?;
    Ok(bytes)
}
