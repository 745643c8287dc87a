//! What is counted of a day: small sums that can be added up to those of many days.

use std::collections::BTreeMap;
use std::ops::AddAssign;
use std::time::Duration;

use time::Date;

use crate::operation::content::Kind;

/// What became of operations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) asked: i64,
    /// Taken by Twilio, whatever became of it there.
    pub(crate) sent: i64,
    pub(crate) delivered: i64,
    pub(crate) failed: i64,
    /// Not decided on yet.
    pub(crate) waiting: i64,
    /// Approved, and neither delivered nor failed so far.
    pub(crate) under_way: i64,
    /// Rejected, expired or withdrawn.
    pub(crate) stopped: i64,
}

impl Counts {
    /// Counts this many more in a state.
    pub(super) fn add(&mut self, state: &str, is_sent: bool, count: i64) {
        self.asked += count;
        if is_sent {
            self.sent += count;
        }
        *match state {
            "delivered" => &mut self.delivered,
            "failed" => &mut self.failed,
            "preparing" | "pending_approval" => &mut self.waiting,
            "rejected" | "expired" | "cancelled" => &mut self.stopped,
            _ => &mut self.under_way,
        } += count;
    }

    /// How many are delivered of those of which it is known; `None` where nothing is known.
    pub(crate) fn rate(&self) -> Option<Rate> {
        let known = self.delivered + self.failed;
        (known > 0).then_some(Rate { delivered: self.delivered, known })
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.asked += other.asked;
        self.sent += other.sent;
        self.delivered += other.delivered;
        self.failed += other.failed;
        self.waiting += other.waiting;
        self.under_way += other.under_way;
        self.stopped += other.stopped;
    }
}

/// Delivered, of those that were delivered or failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    pub(crate) delivered: i64,
    pub(crate) known: i64,
}

impl Rate {
    /// In thousandths, rounded down: only a whole is 1,000.
    pub(crate) fn per_mille(self) -> i64 {
        self.delivered * 1_000 / self.known
    }
}

/// How long something took, counted in classes that each reach 5 % further than the one before: sums of days can be
/// added, and the median of the sum is exact to 3 %.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Durations(BTreeMap<i32, i64>);

impl Durations {
    /// By how much one class reaches further than the one before.
    const STEP: f64 = 1.05;

    /// The width of a class, in logarithms of seconds.
    pub(super) fn width() -> f64 {
        Self::STEP.ln()
    }

    /// Counts this many more in a class.
    pub(super) fn add(&mut self, class: i32, count: i64) {
        *self.0.entry(class).or_default() += count;
    }

    pub(super) fn add_all(&mut self, other: &Self) {
        for (class, count) in &other.0 {
            self.add(*class, *count);
        }
    }

    pub(crate) fn count(&self) -> i64 {
        self.0.values().sum()
    }

    /// Half of them took no longer than this.
    pub(crate) fn median(&self) -> Option<Duration> {
        let half = (self.count() + 1) / 2;
        let mut passed = 0;
        let class = self.0.iter().find_map(|(class, count)| {
            passed += count;
            (passed >= half).then_some(*class)
        })?;
        Duration::try_from_secs_f64(((f64::from(class) + 0.5) * Self::width()).exp()).ok()
    }
}

/// What was asked for on one day, in UTC, and what became of it since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Day {
    pub(crate) date: Date,
    pub(crate) sms: Counts,
    pub(crate) calls: Counts,
    /// From the request to a person's decision.
    pub(super) deciding: Durations,
    /// From the approval to the end of a call or the arrival of an SMS.
    pub(super) delivering: Durations,
    /// Twilio's codes of what failed.
    pub(super) errors: BTreeMap<i32, i64>,
}

impl Day {
    /// A day on which nothing happened.
    pub(super) fn empty(date: Date) -> Self {
        Self {
            date,
            sms: Counts::default(),
            calls: Counts::default(),
            deciding: Durations::default(),
            delivering: Durations::default(),
            errors: BTreeMap::new(),
        }
    }

    pub(super) fn counts_mut(&mut self, kind: Kind) -> &mut Counts {
        match kind {
            Kind::Sms => &mut self.sms,
            Kind::Call => &mut self.calls,
        }
    }

    /// SMS and calls together.
    pub(crate) fn counts(&self) -> Counts {
        let mut counts = self.sms;
        counts += self.calls;
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::status::State;

    #[test]
    fn each_state_is_counted_once() {
        let mut counts = Counts::default();
        for state in State::ALL {
            counts.add(state.as_str(), state == State::Accepted, 1);
        }
        let Counts { asked, sent, delivered, failed, waiting, under_way, stopped } = counts;
        assert_eq!((asked, sent), (12, 1));
        assert_eq!([delivered, failed, waiting, under_way, stopped], [1, 1, 2, 5, 3]);
    }

    #[test]
    fn only_a_whole_is_a_whole() {
        assert_eq!(Counts::default().rate(), None);
        let rate = |delivered, failed| Counts { delivered, failed, ..Counts::default() }.rate().unwrap().per_mille();
        assert_eq!([rate(1, 0), rate(0, 3), rate(2, 1), rate(999_999, 1)], [1_000, 0, 666, 999]);
    }

    #[test]
    fn a_median_of_added_days_is_near_the_exact_one() {
        #[expect(clippy::cast_possible_truncation, reason = "a small whole number")]
        let class = |seconds: f64| (seconds.ln() / Durations::width()).floor() as i32;
        let (mut one, mut other) = (Durations::default(), Durations::default());
        assert_eq!(one.median(), None);
        for seconds in [4.0, 90.0, 95.0] {
            one.add(class(seconds), 1);
        }
        for seconds in [100.0, 86_400.0] {
            other.add(class(seconds), 1);
        }
        one.add_all(&other);
        let median = one.median().unwrap().as_secs_f64();
        assert!((median / 95.0 - 1.0).abs() < 0.03, "{median}");
        assert_eq!(one.count(), 5);
    }
}
