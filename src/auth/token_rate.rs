//! How often a token may ask: so many requests a minute, in any rhythm, by the generic cell rate algorithm. Each token has
//! one time in memory, up to which it has asked; what it may ask at once is a minute's worth.
//!
//! Each process counts for itself: behind a balancer a token may ask as often in each.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use time::{Duration, OffsetDateTime};

use crate::id::TokenId;

/// What may be asked at once, as the time that it takes to be allowed again.
const BURST: Duration = Duration::MINUTE;

/// Tokens of whom a time is kept before those are forgotten who may ask a whole burst again.
const CAPACITY: usize = 4096;

/// Up to when each token has asked. Clones share it.
#[derive(Clone, Default)]
pub(super) struct TokenRates(Arc<Mutex<HashMap<TokenId, OffsetDateTime>>>);

impl TokenRates {
    /// Counts a request of a token, or says after how long it may come again. 0 a minute: it may come always.
    pub(super) fn admit(&self, id: TokenId, a_minute: u32, now: OffsetDateTime) -> Result<(), Duration> {
        if a_minute == 0 {
            return Ok(());
        }
        let one = Duration::MINUTE / a_minute;
        // Every change leaves the map whole, so a panic elsewhere while it was held does not matter.
        let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if asked.len() >= CAPACITY {
            asked.retain(|_, until| *until > now);
        }
        let until = asked.entry(id).or_insert(now);
        // No further ahead than a burst: else a clock that was set back would shut the token out.
        *until = (*until).clamp(now, now + BURST);
        let next = *until + one;
        if next - now > BURST {
            return Err(next - now - BURST);
        }
        *until = next;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    fn admitted(rates: &TokenRates, id: TokenId, a_minute: u32, now: OffsetDateTime, tries: usize) -> usize {
        (0..tries).filter(|_| rates.admit(id, a_minute, now).is_ok()).count()
    }

    #[test]
    fn a_minutes_worth_may_come_at_once_and_the_rest_in_its_rhythm() {
        let (rates, id) = (TokenRates::default(), TokenId::new());
        assert_eq!(admitted(&rates, id, 60, START, 100), 60);
        assert_eq!(rates.admit(id, 60, START), Err(Duration::SECOND));
        assert_eq!(admitted(&rates, id, 60, START + Duration::milliseconds(2999), 100), 2);
        assert_eq!(admitted(&rates, id, 60, START + Duration::minutes(5), 100), 60, "more is not saved up");
    }

    #[test]
    fn tokens_do_not_count_for_one_another() {
        let (rates, one, other) = (TokenRates::default(), TokenId::new(), TokenId::new());
        assert_eq!(admitted(&rates, one, 5, START, 10), 5);
        assert_eq!(admitted(&rates, other, 5, START, 10), 5);
    }

    #[test]
    fn none_is_no_limit_and_a_clock_set_back_shuts_nobody_out_for_long() {
        let (rates, id) = (TokenRates::default(), TokenId::new());
        assert_eq!(admitted(&rates, id, 0, START, 1000), 1000);
        assert_eq!(admitted(&rates, id, 60, START + Duration::days(1), 100), 60);
        assert!(rates.admit(id, 60, START).is_err_and(|wait| wait <= Duration::SECOND));
        assert_eq!(admitted(&rates, id, 60, START + Duration::minutes(1), 100), 60);
    }

    #[test]
    fn it_does_not_grow_without_end() {
        let rates = TokenRates::default();
        for second in 0..3 * 4096 {
            let _ = rates.admit(TokenId::new(), 600, START + Duration::seconds(second));
        }
        assert!(rates.0.lock().expect("not poisoned").len() <= CAPACITY);
    }
}
