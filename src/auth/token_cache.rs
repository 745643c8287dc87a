//! Checks of tokens that are still fresh: a burst of requests asks the database once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use time::{Duration, OffsetDateTime};

use super::credential::CredentialHash;
use super::principal::Principal;
use crate::id::TokenId;
use crate::rate::Rates;

/// How long a check is believed. A token that another process revoked is refused after at most this long; one that this
/// process revoked is refused at once.
const FRESH: Duration = Duration::seconds(2);

/// Most checks that are kept.
const CAPACITY: usize = 1024;

/// The tokens that were found valid in the last two seconds, and how often each has asked. Clones share both.
#[derive(Clone, Default)]
pub struct TokenCache {
    checks: Arc<Mutex<Checks>>,
    /// Not forgotten with the checks: whoever has something changed may not ask more often for it.
    pub(super) rates: Rates<TokenId>,
}

#[derive(Default)]
struct Checks {
    valid: HashMap<CredentialHash, Check>,
    generation: Generation,
}

/// A token that was found valid.
pub(super) struct Check {
    pub(super) principal: Principal,
    /// When the look-up began.
    pub(super) checked_at: OffsetDateTime,
    pub(super) expires_at: Option<OffsetDateTime>,
}

impl Check {
    fn holds(&self, now: OffsetDateTime) -> bool {
        // A clock that was set back makes the age negative; then nothing is known about it.
        (Duration::ZERO..FRESH).contains(&(now - self.checked_at)) && self.expires_at.is_none_or(|end| now < end)
    }
}

/// How often checks were forgotten. A look-up that began before must not bring back what was forgotten meanwhile.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Generation(u64);

impl TokenCache {
    /// Forgets every check, because a token or its owner changed.
    pub(super) fn forget(&self) {
        let mut checks = self.checks();
        checks.generation.0 += 1;
        checks.valid.clear();
    }

    /// For whom a token acts, if that is known.
    pub(super) fn get(&self, hash: CredentialHash, now: OffsetDateTime) -> Option<Principal> {
        let checks = self.checks();
        checks.valid.get(&hash).filter(|check| check.holds(now)).map(|check| check.principal.clone())
    }

    /// To be taken before a look-up, for [`TokenCache::put`].
    pub(super) fn generation(&self) -> Generation {
        self.checks().generation
    }

    /// Keeps a check, unless something was forgotten since its look-up began.
    pub(super) fn put(&self, generation: Generation, hash: CredentialHash, check: Check) {
        let mut checks = self.checks();
        if checks.generation != generation {
            return;
        }
        if checks.valid.len() >= CAPACITY {
            let now = check.checked_at;
            checks.valid.retain(|_, kept| kept.holds(now));
        }
        if checks.valid.len() < CAPACITY {
            checks.valid.insert(hash, check);
        }
    }

    fn checks(&self) -> MutexGuard<'_, Checks> {
        // Every change leaves the map whole, so a panic elsewhere while it was held does not matter.
        self.checks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::{Role, Scope, Via};
    use crate::id::{TokenId, UserId};

    const START: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    fn check(expires_at: Option<OffsetDateTime>) -> Check {
        let via = Via::Token { id: TokenId::new(), name: String::new(), scopes: vec![Scope::AuditRead] };
        let principal = Principal {
            user: UserId::new(),
            email: String::new(),
            name: String::new(),
            role: Role::Viewer,
            via,
            must_change_password: false,
            has_second_factor: false,
        };
        Check { principal, checked_at: START, expires_at }
    }

    #[test]
    fn a_check_is_believed_for_two_seconds_and_never_past_the_tokens_end() {
        let (cache, lasting, ending) = (TokenCache::default(), CredentialHash([1; 32]), CredentialHash([2; 32]));
        cache.put(cache.generation(), lasting, check(None));
        cache.put(cache.generation(), ending, check(Some(START + Duration::SECOND)));
        let known = |hash, after: Duration| cache.get(hash, START + after).is_some();
        assert!(known(lasting, Duration::ZERO) && known(lasting, Duration::milliseconds(1999)));
        assert!(!known(lasting, Duration::seconds(2)) && !known(lasting, Duration::seconds(-1)));
        assert!(known(ending, Duration::milliseconds(999)) && !known(ending, Duration::SECOND));
    }

    #[test]
    fn a_look_up_that_was_under_way_brings_nothing_back() {
        let (cache, hash) = (TokenCache::default(), CredentialHash([1; 32]));
        let before = cache.generation();
        cache.forget();
        cache.put(before, hash, check(None));
        assert!(cache.get(hash, START).is_none());
    }

    #[test]
    fn it_does_not_grow_without_end() {
        let cache = TokenCache::default();
        for number in 0..2 * CAPACITY {
            let mut hash = [0; 32];
            hash[..8].copy_from_slice(&number.to_le_bytes());
            cache.put(cache.generation(), CredentialHash(hash), check(None));
        }
        assert_eq!(cache.checks().valid.len(), CAPACITY);
    }
}
