//! How the work goes: what was asked for on each of the last days, and what became of it.
//!
//! Counting reads every row of a day, so the pages do not count: they show what was counted last, and whoever comes when
//! that is too old has it counted again beside the page. The older a day and the longer its counting took, the longer it
//! is kept, so that all the counting together takes a few hundredths of one connection's time, however much is sent.

mod chart;
mod page;
mod picture;
mod store;
mod tally;
mod views;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use sqlx::PgPool;
use time::{Date, OffsetDateTime};
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::error::Result;
use crate::state::AppState;
pub(crate) use page::routes;
pub(crate) use picture::Picture;
pub(crate) use store::Standing;
use tally::Day;
#[cfg(test)]
pub(crate) use views::OverviewPage;

/// How many days are shown, with today.
const DAYS: i64 = 14;

/// Longest that a page waits for a new count where there is an older one to show.
const RENEWAL: Duration = Duration::from_millis(50);

/// What was counted longer ago than this is not shown to whoever can wait for a new count.
const STALE: Duration = Duration::from_mins(2);

/// Longest that the list waits for the first count; it can do without.
const FIRST: Duration = Duration::from_millis(500);

/// The numbers above the list.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    pub(crate) standing: Standing,
    /// `None` until the days were counted for the first time.
    pub(crate) picture: Option<Arc<Picture>>,
}

/// Counts the days, one page at a time, and keeps what was counted. Cheap to clone.
#[derive(Clone, Default)]
pub struct Overview {
    shown: Arc<RwLock<Option<Shown>>>,
    days: Arc<Mutex<BTreeMap<Date, Kept>>>,
}

#[derive(Clone)]
struct Shown {
    picture: Arc<Picture>,
    /// When the first of its days has to be counted again.
    due: OffsetDateTime,
}

/// A day as it was counted.
struct Kept {
    day: Day,
    at: OffsetDateTime,
    /// How long the counting took.
    cost: Duration,
}

impl Kept {
    /// Until when it is shown. Of today every minute counts; what is older than a few days changes hardly ever.
    fn due(&self, today: Date) -> OffsetDateTime {
        let (share, longest) = match (today - self.day.date).whole_days() {
            ..1 => (50, Duration::from_mins(1)),
            1..5 => (500, Duration::from_mins(5)),
            _ => (5_000, Duration::from_hours(1)),
        };
        self.at + self.cost.saturating_mul(share).min(longest)
    }

    fn is_due(&self, now: OffsetDateTime, today: Date) -> bool {
        // A clock that was set back must not keep it for ever.
        now >= self.due(today) || now < self.at
    }
}

impl Overview {
    /// The numbers above the list: how things stand now, and the days as they were counted last.
    pub(crate) async fn figures(&self, app: &AppState) -> Result<Figures> {
        let (standing, picture) = tokio::join!(store::standing(&app.db, app.config.mode), self.picture(app, FIRST));
        Ok(Figures { standing: standing?, picture })
    }

    /// The days. Waits this long for the first count, and hardly for a new one.
    pub(crate) async fn picture(&self, app: &AppState, patience: Duration) -> Option<Arc<Picture>> {
        let now = app.clock.now();
        let known = self.shown();
        if let Some(shown) = &known
            && now < shown.due
            && now >= shown.picture.at
        {
            return Some(shown.picture.clone());
        }
        let is_recent = known.is_some_and(|shown| now < shown.picture.at + STALE);
        let patience = if is_recent { RENEWAL } else { patience };
        let counted = async {
            match self.days.clone().try_lock_owned() {
                // On its own: it goes on when the page that began it has gone.
                Ok(days) => drop(app.tasks.tracker.spawn(self.clone().count(app.clone(), days)).await),
                Err(_) => drop(self.days.lock().await),
            }
        };
        let _ = tokio::time::timeout(patience, counted).await;
        self.shown().map(|shown| shown.picture)
    }

    fn shown(&self) -> Option<Shown> {
        self.shown.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Counts what is due; what fails is shown as it was, and tried again by the next page.
    async fn count(self, app: AppState, mut days: OwnedMutexGuard<BTreeMap<Date, Kept>>) {
        let counting = count(&app.db, &app, &mut days);
        let counted = tokio::select! {
            () = app.tasks.stopping.cancelled() => return,
            counted = counting => counted,
        };
        match counted {
            Ok(shown) => *self.shown.write().unwrap_or_else(PoisonError::into_inner) = Some(shown),
            Err(error) => tracing::warn!(event = "overview.not_counted", %error, "the days could not be counted"),
        }
    }
}

async fn count(db: &PgPool, app: &AppState, days: &mut BTreeMap<Date, Kept>) -> sqlx::Result<Shown> {
    let now = app.clock.now();
    let today = now.to_utc().date();
    let first = today - time::Duration::days(DAYS - 1);
    days.retain(|date, kept| (first..=today).contains(date) && !kept.is_due(now, today));
    for back in 0..DAYS {
        let date = today - time::Duration::days(back);
        if let Entry::Vacant(vacant) = days.entry(date) {
            let begun = Instant::now();
            let day = store::day(db, app.config.mode, date).await?;
            vacant.insert(Kept { day, at: app.clock.now(), cost: begun.elapsed() });
        }
    }
    let at = days.get(&today).map_or(now, |kept| kept.at);
    let due = days.values().map(|kept| kept.due(today)).min().unwrap_or(now);
    // At midnight another day begins.
    let midnight = today.next_day().map_or(due, |next| next.midnight().assume_utc());
    let picture = Picture { at, days: days.values().map(|kept| kept.day.clone()).collect() };
    Ok(Shown { picture: Arc::new(picture), due: due.min(midnight) })
}

#[cfg(test)]
mod tests {
    use time::macros::{date, datetime};

    use super::*;

    #[test]
    fn what_is_older_or_took_longer_is_kept_longer() {
        let at = datetime!(2026-11-23 14:00 UTC);
        let due = |date, cost| {
            let kept = Kept { day: Day::empty(date), at, cost: Duration::from_millis(cost) };
            (kept.due(date!(2026 - 11 - 23)) - at).whole_milliseconds()
        };
        let [today, yesterday, long_ago] = [date!(2026 - 11 - 23), date!(2026 - 11 - 22), date!(2026 - 11 - 18)];
        assert_eq!([due(today, 2), due(yesterday, 2), due(long_ago, 2)], [100, 1_000, 10_000]);
        let minute = 60_000;
        assert_eq!([due(today, 5_000), due(yesterday, 5_000), due(long_ago, 5_000)], [minute, 5 * minute, 60 * minute]);
    }

    #[test]
    fn a_clock_that_is_set_back_keeps_nothing() {
        let at = datetime!(2026-11-23 14:00 UTC);
        let kept = Kept { day: Day::empty(at.date()), at, cost: Duration::from_secs(1) };
        assert!(!kept.is_due(at, at.date()));
        assert!(kept.is_due(at - time::Duration::hours(1), at.date()));
        assert!(kept.is_due(at + time::Duration::seconds(50), at.date()));
    }
}
