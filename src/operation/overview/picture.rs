//! The days put together: what the pages show of them.

use std::collections::BTreeMap;
use std::time::Duration;

use time::OffsetDateTime;

use super::tally::{Counts, Day, Durations};

/// How the last days went, as of a moment.
#[derive(Clone, Debug)]
pub(crate) struct Picture {
    /// When today was counted.
    pub(crate) at: OffsetDateTime,
    /// The oldest first, each day once; the last is today.
    pub(crate) days: Vec<Day>,
}

/// What Twilio most often said when something failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// Twilio's code.
    pub(crate) code: i32,
    pub(crate) count: i64,
}

/// A median, and of how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Median {
    pub(crate) duration: Duration,
    pub(crate) count: i64,
}

impl Picture {
    /// What became of what was asked for today.
    pub(crate) fn today(&self) -> Counts {
        self.days.last().map(Day::counts).unwrap_or_default()
    }

    /// What became of all of it.
    pub(crate) fn total(&self) -> Counts {
        let mut total = Counts::default();
        for day in &self.days {
            total += day.counts();
        }
        total
    }

    /// From a request to a person's decision.
    pub(crate) fn deciding(&self) -> Option<Median> {
        self.median(|day| &day.deciding)
    }

    /// From an approval to the arrival.
    pub(crate) fn delivering(&self) -> Option<Median> {
        self.median(|day| &day.delivering)
    }

    fn median(&self, of: impl Fn(&Day) -> &Durations) -> Option<Median> {
        let mut durations = Durations::default();
        for day in &self.days {
            durations.add_all(of(day));
        }
        durations.median().map(|duration| Median { duration, count: durations.count() })
    }

    /// This many of the codes, the most frequent first.
    pub(crate) fn failures(&self, most: usize) -> Vec<Failure> {
        let mut counts = BTreeMap::<i32, i64>::new();
        for (code, count) in self.days.iter().flat_map(|day| &day.errors) {
            *counts.entry(*code).or_default() += count;
        }
        let mut failures: Vec<_> = counts.into_iter().map(|(code, count)| Failure { code, count }).collect();
        failures.sort_by_key(|failure| std::cmp::Reverse(failure.count));
        failures.truncate(most);
        failures
    }
}

#[cfg(test)]
impl Picture {
    /// Fourteen days that went well, but for a few.
    pub(crate) fn sample(at: OffsetDateTime) -> Self {
        let today = at.to_utc().date();
        let days = (0..14_i32).rev().map(|back| {
            let mut day = Day::empty(today - time::Duration::days(back.into()));
            for (state, count) in [("delivered", 80), ("failed", 2), ("accepted", 3), ("rejected", 1)] {
                day.sms.add(state, count != 1, count * i64::from(back % 5));
            }
            day.calls.add("delivered", true, 7);
            day.deciding.add(84, 20);
            day.delivering.add(30, 20);
            day.errors.extend([(30_003, 2), (21_211 + back, 1)]);
            day
        });
        let mut picture = Self { at, days: days.collect() };
        if let Some(today) = picture.days.last_mut() {
            today.sms.add("pending_approval", false, 4);
        }
        picture
    }

    /// Fourteen days on which nothing happened.
    pub(crate) fn sample_empty(at: OffsetDateTime) -> Self {
        let mut picture = Self::sample(at);
        for day in &mut picture.days {
            *day = Day::empty(day.date);
        }
        picture
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_days_are_added_up() {
        let picture = Picture::sample(OffsetDateTime::UNIX_EPOCH);
        assert_eq!((picture.days.len(), picture.today().waiting, picture.total().waiting), (14, 4, 4));
        assert_eq!(picture.total().delivered, 14 * 7 + 80 * (2 * (1 + 2 + 3 + 4) + 1 + 2 + 3));
        assert_eq!(picture.deciding().unwrap().count, 14 * 20);
        assert_eq!(picture.failures(2)[0], Failure { code: 30_003, count: 28 });
        assert_eq!(picture.failures(2).len(), 2);
        assert_eq!(Picture::sample_empty(OffsetDateTime::UNIX_EPOCH).delivering(), None);
    }
}
