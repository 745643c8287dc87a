//! The page of the overview, and the strip of it above the list: values in, HTML out.

use std::sync::Arc;

use askama::Template;
use time::OffsetDateTime;

use super::chart::{Chart, OUTCOMES, Outcome};
use super::picture::{Failure, Median, Picture};
use super::tally::{Counts, Day, Rate};
use crate::twilio::errors;
use crate::web::frame::Frame;
use crate::web::text;

/// How many of Twilio's codes are listed.
const CODES: usize = 5;

/// How the last days went.
#[derive(Template)]
#[template(path = "operations/overview.html")]
pub(crate) struct OverviewPage {
    pub(crate) frame: Frame,
    pub(crate) now: OffsetDateTime,
    pub(crate) picture: Arc<Picture>,
}

impl OverviewPage {
    fn name(&self, day: &Day) -> String {
        text::day(day.date.midnight().as_utc(), self.now.to_utc())
    }

    fn outcomes(&self) -> Chart {
        Chart::outcomes(&self.picture.days, |day| self.name(day))
    }

    fn rates(&self) -> Chart {
        Chart::rates(&self.picture.days, |day| self.name(day))
    }

    /// The newest day first, as people read a table.
    fn newest_first(&self) -> impl Iterator<Item = &Day> {
        self.picture.days.iter().rev()
    }

    fn first(&self) -> String {
        self.picture.days.first().map(|day| self.name(day)).unwrap_or_default()
    }

    /// The first chart in words.
    fn outcomes_in_words(&self) -> String {
        let busiest = self.picture.days.iter().max_by_key(|day| day.counts().asked);
        let busiest = busiest.map_or_else(String::new, |day| {
            let count = text::thousands(day.counts().asked);
            format!(" Busiest: {} with {count}.", self.name(day))
        });
        format!("Operations of each day, by what became of them. {}{busiest}", self.picture.in_words())
    }

    /// The second chart in words.
    fn rates_in_words(&self) -> String {
        let worst = self.picture.days.iter().filter_map(|day| Some((day.counts().rate()?, day)));
        let worst = worst.min_by_key(|(rate, _)| rate.per_mille());
        worst.map_or_else(
            || "Delivery rate of each day. Nothing is known yet.".to_owned(),
            |(rate, day)| format!("Delivery rate of each day. Lowest: {} with {}.", self.name(day), percent(rate)),
        )
    }

    fn failures(&self) -> Vec<Failure> {
        self.picture.failures(CODES)
    }

    fn outcome_key() -> [Outcome; OUTCOMES.len()] {
        OUTCOMES
    }
}

impl Picture {
    /// When it was counted, `14:31`.
    pub(crate) fn as_of(&self) -> String {
        text::clock(self.at.to_utc()).chars().take(5).collect()
    }

    /// All days in a sentence.
    pub(crate) fn in_words(&self) -> String {
        let Counts { asked, delivered, failed, waiting, .. } = self.total();
        let [asked, delivered, failed, waiting] = [asked, delivered, failed, waiting].map(text::thousands);
        format!("In 14 days {asked} asked for, {delivered} delivered, {failed} failed, {waiting} waiting.")
    }

    /// The bars alone, for the strip above the list.
    pub(crate) fn chart(&self) -> Chart {
        Chart::outcomes(&self.days, |day| day.date.to_string())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.total().asked == 0
    }
}

impl Failure {
    fn words(&self) -> &'static str {
        errors::in_words(self.code)
    }

    fn link(&self) -> String {
        errors::link(self.code)
    }
}

/// `98.2 %`
pub(super) fn percent(rate: Rate) -> String {
    let per_mille = rate.per_mille();
    match per_mille % 10 {
        0 => format!("{} %", per_mille / 10),
        rest => format!("{}.{rest} %", per_mille / 10),
    }
}

/// `of 84 that ended`
fn denominator(rate: Option<Rate>) -> String {
    rate.map_or_else(
        || "Nothing was delivered or failed yet".to_owned(),
        |Rate { delivered, known }| {
            format!("{} of {} that were delivered or failed", text::thousands(delivered), text::thousands(known))
        },
    )
}

fn rate(counts: Counts) -> String {
    counts.rate().map_or_else(|| "–".to_owned(), percent)
}

fn median(median: Option<Median>) -> String {
    let span = |median: Median| text::span(median.duration.try_into().unwrap_or_default());
    median.map_or_else(|| "–".to_owned(), span)
}

/// `Median of 120 decisions`
fn of(median: Option<Median>, one: &str, many: &str) -> String {
    let count = median.map_or(0, |median| median.count);
    format!("Median of {} {}", text::thousands(count), if count == 1 { one } else { many })
}

/// One kind of a day: `12, 11 delivered, 1 failed`.
fn split(counts: Counts) -> String {
    let part = |count: i64, word| (count > 0).then(|| format!("{} {word}", text::thousands(count)));
    let parts = [part(counts.delivered, "delivered"), part(counts.failed, "failed")];
    [Some(text::thousands(counts.asked))].into_iter().chain(parts).flatten().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
impl OverviewPage {
    pub(crate) fn sample() -> Self {
        use crate::web::frame::Place;
        let now = time::macros::datetime!(2026-11-23 14:33 UTC);
        Self { frame: Frame::sample(Place::Operations), now, picture: Picture::sample(now).into() }
    }

    pub(crate) fn sample_empty() -> Self {
        let sample = Self::sample();
        Self { picture: Picture::sample_empty(sample.now).into(), ..sample }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_told_with_what_it_is_of() {
        let counts = Counts { delivered: 982, failed: 18, ..Counts::default() };
        assert_eq!(rate(counts), "98.2 %");
        assert_eq!(denominator(counts.rate()), "982 of 1,000 that were delivered or failed");
        assert_eq!(rate(Counts::default()), "–");
    }

    #[test]
    fn the_page_tells_the_charts_in_words_too() {
        let page = OverviewPage::sample().render().expect("a page");
        for told in [
            "aria-label=\"Operations of each day, by what became of them. In 14 days 2,",
            "Lowest: ",
            "<td data-label=\"Day\">Today</td>",
            "<td data-label=\"Day\">Yesterday</td>",
            "As of 14:33 UTC",
            "The phone cannot be reached.",
            "/docs/api/errors/30003\"",
        ] {
            assert!(page.contains(told), "{told}: {page}");
        }
        let empty = OverviewPage::sample_empty().render().expect("a page");
        assert!(empty.contains("Nothing was asked for in the last 14 days") && !empty.contains("<svg class=\"chart"));
    }
}
