//! Passwords at rest: argon2id, at most two at a time, and the same work for every sign-in.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context as _;
use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use axum::http::StatusCode;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::credential::random_bytes;
use super::new_password::{LONGEST, NewPassword};
use crate::error::{Problem, Result};

/// Hashes that are computed at a time: each takes a core and its memory.
const RUNNING: usize = 2;

/// Hashes that run or wait; further ones are refused at once instead of waiting for longer than a person would.
const PLACES: usize = 18;

/// What one hash costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Memory in KiB.
    pub memory: u32,
    /// Passes over that memory.
    pub passes: u32,
}

impl Cost {
    /// OWASP's first choice for argon2id with one lane.
    pub const RECOMMENDED: Self = Self { memory: 19 * 1024, passes: 2 };
}

/// Hashes passwords and checks them. Clones share one queue.
#[derive(Clone)]
pub struct Passwords(Arc<Inner>);

struct Inner {
    params: Params,
    /// What is checked where there is no account, so that its absence takes as long as a wrong password.
    nobody: PasswordHash,
    running: Arc<Semaphore>,
    places: Arc<Semaphore>,
    verifications: AtomicU64,
}

/// What became of checking a password.
pub(super) enum Verdict {
    /// It is not the account's, or there is no account.
    Wrong,
    /// It is the account's.
    Right {
        /// The hash to store instead, if the stored one was made at another cost.
        rehashed: Option<String>,
    },
}

/// The right to one computation; it is given back when the computation ends, even if nobody waits for it any more.
struct Turn {
    _place: OwnedSemaphorePermit,
    _running: OwnedSemaphorePermit,
}

impl Passwords {
    /// A queue whose hashes cost this much.
    pub fn new(cost: Cost) -> anyhow::Result<Self> {
        let params = Params::new(cost.memory, cost.passes, 1, Some(Params::DEFAULT_OUTPUT_LEN))
            .map_err(|error| anyhow::anyhow!("argon2 does not take this cost: {error}"))?;
        let nobody = PasswordHash {
            algorithm: Algorithm::Argon2id.ident(),
            version: Some(Version::V0x13.into()),
            params: ParamsString::try_from(&params).context("argon2 parameters")?,
            salt: Some(Salt::new(&random_bytes::<16>()?).context("a salt")?),
            hash: Some(Output::new(&random_bytes::<32>()?).context("a hash")?),
        };
        Ok(Self(Arc::new(Inner {
            params,
            nobody,
            running: Arc::new(Semaphore::new(RUNNING)),
            places: Arc::new(Semaphore::new(PLACES)),
            verifications: AtomicU64::new(0),
        })))
    }

    /// How many passwords were checked so far.
    pub fn verifications(&self) -> u64 {
        self.0.verifications.load(Ordering::Relaxed)
    }

    /// The hash to store for a new password, as a PHC string.
    pub(super) async fn hash(&self, password: &NewPassword) -> Result<String> {
        let password = password.secret().clone();
        self.compute(move |inner| inner.hash(&password)).await
    }

    /// Checks a password against the stored hash, or against nobody's, which costs the same and is never right.
    pub(super) async fn verify(&self, password: &SecretString, stored: Option<&str>) -> Result<Verdict> {
        let password = password.clone();
        let stored = stored.map(PasswordHash::new).transpose().context("a stored password hash cannot be read")?;
        self.compute(move |inner| inner.verify(&password, stored.as_ref())).await
    }

    async fn compute<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> anyhow::Result<T> + Send + 'static,
    ) -> Result<T> {
        let turn = self.turn().await?;
        let inner = Arc::clone(&self.0);
        let computed = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work(&inner)
        });
        Ok(computed.await.context("hashing a password ended early")??)
    }

    async fn turn(&self) -> Result<Turn> {
        let place = Arc::clone(&self.0.places).try_acquire_owned().map_err(|_| busy())?;
        let running = Arc::clone(&self.0.running).acquire_owned().await.context("the queue is closed")?;
        Ok(Turn { _place: place, _running: running })
    }
}

impl Inner {
    fn argon2(&self) -> Argon2<'static> {
        Argon2::new(Algorithm::Argon2id, Version::V0x13, self.params.clone())
    }

    fn hash(&self, password: &SecretString) -> anyhow::Result<String> {
        let salt = random_bytes::<16>()?;
        #[expect(clippy::disallowed_methods, reason = "the password goes into its hash")]
        let hash = self.argon2().hash_password_with_salt(password.expose_secret().as_bytes(), &salt)?;
        Ok(hash.to_string())
    }

    fn verify(&self, password: &SecretString, stored: Option<&PasswordHash>) -> anyhow::Result<Verdict> {
        self.verifications.fetch_add(1, Ordering::Relaxed);
        #[expect(clippy::disallowed_methods, reason = "the password is compared with its hash")]
        let text = password.expose_secret();
        // No stored password is this long; the work is done all the same.
        let stored = stored.filter(|_| text.len() <= LONGEST);
        let verified = self.argon2().verify_password(text.as_bytes(), stored.unwrap_or(&self.nobody)).is_ok();
        let Some(stored) = stored.filter(|_| verified) else { return Ok(Verdict::Wrong) };
        let rehashed = if self.is_current(stored) { None } else { Some(self.hash(password)?) };
        Ok(Verdict::Right { rehashed })
    }

    fn is_current(&self, stored: &PasswordHash) -> bool {
        ParamsString::try_from(&self.params).is_ok_and(|current| stored.params == current)
            && stored.algorithm == Algorithm::Argon2id.ident()
    }
}

fn busy() -> Problem {
    let detail = "Too many people are signing in at this moment. Try again in a second.";
    Problem { retry_after: Some(1), ..Problem::new(StatusCode::SERVICE_UNAVAILABLE, "sign_in_busy", detail) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHEAP: Cost = Cost { memory: 8, passes: 1 };

    fn password(text: &str) -> SecretString {
        text.into()
    }

    #[test]
    fn only_the_password_itself_is_right() {
        let passwords = Passwords::new(CHEAP).expect("a cost");
        let stored = passwords.0.hash(&password("four unrelated words")).expect("a hash");
        assert!(stored.starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{stored}");
        let stored = PasswordHash::new(&stored).expect("a PHC string");
        let verdict = |text: &str| passwords.0.verify(&password(text), Some(&stored)).expect("a verdict");
        assert!(matches!(verdict("four unrelated words"), Verdict::Right { rehashed: None }));
        assert!(matches!(verdict("four unrelated word"), Verdict::Wrong));
        assert!(matches!(verdict(&"x".repeat(LONGEST + 1)), Verdict::Wrong));
        assert!(matches!(passwords.0.verify(&password("four"), None).expect("a verdict"), Verdict::Wrong));
        assert_eq!(passwords.verifications(), 4);
    }

    #[test]
    fn a_hash_of_another_cost_is_made_anew() {
        let cheap = Passwords::new(CHEAP).expect("a cost");
        let stored = cheap.0.hash(&password("four unrelated words")).expect("a hash");
        let stored = PasswordHash::new(&stored).expect("a PHC string");
        let dearer = Passwords::new(Cost { memory: 16, ..CHEAP }).expect("a cost");
        let verdict = dearer.0.verify(&password("four unrelated words"), Some(&stored)).expect("a verdict");
        let Verdict::Right { rehashed: Some(rehashed) } = verdict else { panic!("not made anew") };
        assert!(rehashed.starts_with("$argon2id$v=19$m=16,"), "{rehashed}");
    }

    #[tokio::test]
    async fn whoever_finds_the_queue_full_is_told_so() {
        let passwords = Passwords::new(CHEAP).expect("a cost");
        let taken: Vec<_> =
            (0..PLACES).map(|_| Arc::clone(&passwords.0.places).try_acquire_owned().expect("a place")).collect();
        let Err(refused) = passwords.verify(&password("four unrelated words"), None).await else { panic!("accepted") };
        assert_eq!(refused.into_problem().code, "sign_in_busy");
        drop(taken);
        assert!(passwords.verify(&password("four unrelated words"), None).await.is_ok());
    }
}
