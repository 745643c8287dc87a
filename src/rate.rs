//! How often somebody may ask: so many times a minute, in any rhythm, by the generic cell rate algorithm. Each asker has one
//! time in memory, up to which it has asked; what it may ask at once is a minute's worth.
//!
//! Each process counts for itself: behind a balancer somebody may ask as often in each.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::StatusCode;
use time::{Duration, OffsetDateTime};

use crate::error::Problem;

/// What may be asked at once, as the time that it takes to be allowed again.
const BURST: Duration = Duration::MINUTE;

/// Askers of whom a time is kept before those are forgotten who may ask a whole burst again.
const CAPACITY: usize = 4096;

/// Up to when each has asked. Clones share it.
#[derive(Clone)]
pub(crate) struct Rates<Who>(Arc<Mutex<HashMap<Who, OffsetDateTime>>>);

impl<Who> Default for Rates<Who> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<Who: Eq + Hash> Rates<Who> {
    /// Counts a request, or says after how long it may come again. 0 a minute: it may come always.
    pub(crate) fn admit(&self, who: Who, a_minute: u32, now: OffsetDateTime) -> Result<(), Duration> {
        if a_minute == 0 {
            return Ok(());
        }
        let one = Duration::MINUTE / a_minute;
        // Every change leaves the map whole, so a panic elsewhere while it was held does not matter.
        let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if asked.len() >= CAPACITY {
            asked.retain(|_, until| *until > now);
        }
        let until = asked.entry(who).or_insert(now);
        // No further ahead than a burst: else a clock that was set back would shut somebody out.
        *until = (*until).clamp(now, now + BURST);
        let next = *until + one;
        if next - now > BURST {
            return Err(next - now - BURST);
        }
        *until = next;
        Ok(())
    }
}

/// 429 that says who asks more than how often, and when to come back.
pub(crate) fn refused(who: &str, a_minute: u32, wait: Duration) -> Problem {
    // Whole seconds, rounded up: whoever comes back then is let in.
    let seconds = u64::try_from(wait.whole_milliseconds()).unwrap_or_default().div_ceil(1000).max(1);
    let detail =
        format!("{who} more than {a_minute} times a minute. Nothing was done: repeat the request after {seconds} s.");
    let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", detail);
    Problem { retry_after: Some(seconds), ..problem }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::TokenId;

    const START: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    fn admitted(rates: &Rates<TokenId>, id: TokenId, a_minute: u32, now: OffsetDateTime, tries: usize) -> usize {
        (0..tries).filter(|_| rates.admit(id, a_minute, now).is_ok()).count()
    }

    #[test]
    fn a_minutes_worth_may_come_at_once_and_the_rest_in_its_rhythm() {
        let (rates, id) = (Rates::default(), TokenId::new());
        assert_eq!(admitted(&rates, id, 60, START, 100), 60);
        assert_eq!(rates.admit(id, 60, START), Err(Duration::SECOND));
        assert_eq!(admitted(&rates, id, 60, START + Duration::milliseconds(2999), 100), 2);
        assert_eq!(admitted(&rates, id, 60, START + Duration::minutes(5), 100), 60, "more is not saved up");
    }

    #[test]
    fn askers_do_not_count_for_one_another() {
        let (rates, one, other) = (Rates::default(), TokenId::new(), TokenId::new());
        assert_eq!(admitted(&rates, one, 5, START, 10), 5);
        assert_eq!(admitted(&rates, other, 5, START, 10), 5);
    }

    #[test]
    fn none_is_no_limit_and_a_clock_set_back_shuts_nobody_out_for_long() {
        let (rates, id) = (Rates::default(), TokenId::new());
        assert_eq!(admitted(&rates, id, 0, START, 1000), 1000);
        assert_eq!(admitted(&rates, id, 60, START + Duration::days(1), 100), 60);
        assert!(rates.admit(id, 60, START).is_err_and(|wait| wait <= Duration::SECOND));
        assert_eq!(admitted(&rates, id, 60, START + Duration::minutes(1), 100), 60);
    }

    #[test]
    fn it_does_not_grow_without_end() {
        let rates = Rates::default();
        for second in 0..3 * 4096 {
            let _ = rates.admit(TokenId::new(), 600, START + Duration::seconds(second));
        }
        assert!(rates.0.lock().expect("not poisoned").len() <= CAPACITY);
    }
}
