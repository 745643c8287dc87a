//! Days as bars: whole numbers in, geometry out. The style sheet alone knows the colours and the size.

use super::tally::{Counts, Day};
use crate::web::text;

/// Units across for a day; the bar leaves one free on each side.
const STEP: i64 = 10;

/// Units up.
const HEIGHT: i64 = 1_000;

/// Least height of what is not nothing: one of ten thousand must be seen.
const LEAST: i64 = 25;

/// Bars beside each other, each of parts that stand on each other.
pub(crate) struct Chart {
    pub(crate) width: i64,
    pub(crate) parts: Vec<Part>,
    /// What the highest bar stands for.
    pub(crate) highest: i64,
}

/// One part of a bar.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) x: i64,
    pub(crate) y: i64,
    pub(crate) height: i64,
    /// Of what it tells, which gives it its colour.
    pub(crate) class: &'static str,
    /// What it tells, under the pointer.
    pub(crate) title: String,
}

/// One of the things that can become of an operation.
#[derive(Clone, Copy)]
pub(super) struct Outcome {
    pub(super) label: &'static str,
    /// The name of its colour.
    pub(super) class: &'static str,
    count: fn(&Counts) -> i64,
}

/// What a bar is made of, from below.
pub(super) const OUTCOMES: [Outcome; 5] = [
    Outcome { label: "Delivered", class: "ok", count: |counts| counts.delivered },
    Outcome { label: "Failed", class: "bad", count: |counts| counts.failed },
    Outcome { label: "Under way", class: "way", count: |counts| counts.under_way },
    Outcome { label: "Waiting", class: "wait", count: |counts| counts.waiting },
    Outcome { label: "Not sent", class: "not", count: |counts| counts.stopped },
];

impl Chart {
    /// What became of each day's operations; `name` tells a day.
    pub(super) fn outcomes(days: &[Day], name: impl Fn(&Day) -> String) -> Self {
        let highest = days.iter().map(|day| day.counts().asked).max().unwrap_or_default();
        Self::of(days, highest, |day| {
            let counts = day.counts();
            let part = |Outcome { label, class, count }: Outcome| {
                let count = count(&counts);
                (class, count, format!("{}: {} {}", name(day), text::thousands(count), label.to_lowercase()))
            };
            OUTCOMES.map(part).into()
        })
    }

    /// How much of each day arrived, of what is known of it.
    pub(super) fn rates(days: &[Day], name: impl Fn(&Day) -> String) -> Self {
        Self::of(days, HEIGHT, |day| {
            let rate = day.counts().rate();
            rate.map(|rate| ("ok", rate.per_mille(), format!("{}: {}", name(day), super::views::percent(rate))))
                .into_iter()
                .collect()
        })
    }

    fn of(days: &[Day], highest: i64, parts_of: impl Fn(&Day) -> Vec<(&'static str, i64, String)>) -> Self {
        let (mut parts, mut x) = (Vec::new(), 0);
        for day in days {
            let mut top = HEIGHT;
            for (class, value, title) in parts_of(day) {
                if value > 0 {
                    let height = (value * HEIGHT / highest.max(1)).max(LEAST);
                    top -= height;
                    parts.push(Part { x: x + 1, y: top, height, class, title });
                }
            }
            x += STEP;
        }
        Self { width: x, parts, highest }
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::operation::overview::picture::Picture;

    #[test]
    fn parts_stand_on_each_other_and_none_is_invisible() {
        let mut days = Picture::sample_empty(datetime!(2026-11-23 14:33 UTC)).days;
        days[12].sms.add("delivered", true, 99_990);
        days[12].calls.add("failed", true, 10);
        days[13].sms.add("pending_approval", false, 50_000);
        let chart = Chart::outcomes(&days, |day| day.date.to_string());
        let drawn: Vec<_> =
            chart.parts.iter().map(|part| (part.x, part.y, part.height, part.class, part.title.as_str())).collect();
        assert_eq!(
            drawn,
            [
                (121, 1, 999, "ok", "2026-11-22: 99,990 delivered"),
                (121, -24, 25, "bad", "2026-11-22: 10 failed"),
                (131, 500, 500, "wait", "2026-11-23: 50,000 waiting"),
            ]
        );
        assert_eq!((chart.width, chart.highest), (140, 100_000));
    }

    #[test]
    fn a_day_of_which_nothing_is_known_has_no_rate() {
        let mut days = Picture::sample_empty(datetime!(2026-11-23 14:33 UTC)).days;
        days[13].sms.add("delivered", true, 3);
        days[13].sms.add("failed", true, 1);
        days[12].sms.add("accepted", true, 1);
        let chart = Chart::rates(&days, |day| day.date.to_string());
        assert_eq!(chart.parts.len(), 1);
        assert_eq!((chart.parts[0].height, chart.parts[0].title.as_str()), (750, "2026-11-23: 75 %"));
    }

    #[test]
    fn nothing_is_drawn_of_nothing() {
        let days = Picture::sample_empty(datetime!(2026-11-23 14:33 UTC)).days;
        assert!(Chart::outcomes(&days, |day| day.date.to_string()).parts.is_empty());
    }
}
