//! The column beside an operation: what the reader may decide, and why not if they may not.

use time::OffsetDateTime;

use super::evidence::Candidate;
use crate::web::frame::{FormError, Tone, errors_of};
use crate::web::text;

/// Before the SID of a candidate, in the form's word for choosing it.
pub(crate) const SENT_AS: &str = "sent:";

/// Everything that can be decided here and now by this reader. The default is nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Decision {
    pub(crate) deadline: Option<Deadline>,
    pub(crate) approval: Right<Approval>,
    pub(crate) resolution: Right<Resolution>,
    /// What else this reader may do.
    pub(crate) acts: Vec<Act>,
    /// Why the last decision was refused.
    pub(crate) errors: Vec<FormError>,
    /// The reason that was typed with it.
    pub(crate) typed_reason: String,
}

/// What needs nothing but a button, or a reason and a button.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Reject,
    Cancel,
    /// It stands under "Needs attention" until someone takes note of it.
    Acknowledge,
    /// The same content once more, as a new operation.
    AskAgain,
}

/// Whether the reader may do something.
#[derive(Clone, Debug, Default)]
pub(crate) enum Right<T> {
    /// There is nothing to do.
    #[default]
    Nothing,
    /// There is, but not for this reader: what is so, and who can.
    Denied(String),
    Granted(T),
}

/// What an approval is bound to.
#[derive(Clone, Debug)]
pub(crate) struct Approval {
    /// The digest of exactly what the page shows.
    pub(crate) digest: String,
    /// The reader has to say that the earlier one was seen.
    pub(crate) asks_about_duplicate: bool,
    /// What it is estimated to cost, where prices are set.
    pub(crate) cost: Option<String>,
    /// What is unusual about approving it now: a queue longer than the window.
    pub(crate) warning: Option<String>,
    /// The comment that was typed, when the form comes back.
    pub(crate) typed_comment: String,
}

/// How an unknown outcome can be settled.
#[derive(Clone, Debug)]
pub(crate) struct Resolution {
    /// A person is asked. If not, the service is still looking, and this is for who knows more than it does.
    pub(crate) is_urgent: bool,
    /// The choice that was made before, when the form comes back: `sent`, `sent:` and a SID, `failed` or `send_again`.
    pub(crate) chosen: String,
    pub(crate) typed_sid: String,
    /// What Twilio has that may be this one.
    pub(crate) candidates: Vec<Candidate>,
    pub(crate) again: Again,
}

impl Resolution {
    pub(crate) fn is_chosen(&self, choice: &str) -> bool {
        self.chosen == choice
    }

    /// The form's word for one of the candidates.
    pub(crate) fn choice(candidate: &Candidate) -> String {
        format!("{SENT_AS}{}", candidate.sid)
    }
}

/// Whether it can be sent again.
#[derive(Clone, Debug)]
pub(crate) enum Again {
    Now,
    /// Not before this time: until then Twilio may come to know of the first.
    From(OffsetDateTime),
    /// Not by this reader: what is so, and who can.
    Denied(String),
}

/// Until when something can be done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    /// `Time left to decide`.
    pub(crate) label: &'static str,
    pub(crate) began_at: OffsetDateTime,
    pub(crate) ends_at: OffsetDateTime,
}

impl Deadline {
    /// Below this share of the time the reader is hurried.
    const SHORT: f64 = 0.1;

    fn share_left(&self, now: OffsetDateTime) -> f64 {
        let (left, whole) = (self.ends_at - now, self.ends_at - self.began_at);
        if whole.is_positive() { (left / whole).clamp(0.0, 1.0) } else { 0.0 }
    }

    pub(crate) fn percent_left(&self, now: OffsetDateTime) -> String {
        format!("{:.0}", self.share_left(now) * 100.0)
    }

    pub(crate) fn tone(&self, now: OffsetDateTime) -> Tone {
        if self.share_left(now) < Self::SHORT { Tone::Bad } else { Tone::Accent }
    }

    pub(crate) fn left(&self, now: OffsetDateTime) -> String {
        if now < self.ends_at { text::span(self.ends_at - now) } else { "none".to_owned() }
    }
}

impl Decision {
    /// Whether an approval is asked for, of this reader or of others.
    pub(crate) fn concerns_approval(&self) -> bool {
        !matches!(self.approval, Right::Nothing)
    }

    /// Whether there is a column to show at all.
    pub(crate) fn is_empty(&self) -> bool {
        !self.concerns_approval() && matches!(self.resolution, Right::Nothing) && self.acts.is_empty()
    }

    pub(crate) fn offers(&self, act: Act) -> bool {
        self.acts.contains(&act)
    }

    pub(crate) fn title(&self) -> &'static str {
        match (&self.resolution, &self.approval) {
            (Right::Granted(Resolution { is_urgent: true, .. }) | Right::Denied(_), _) => "Settle it",
            (_, Right::Granted(_) | Right::Denied(_)) => "Your decision",
            _ => "What you can do",
        }
    }

    pub(crate) fn errors_of(&self, field: &str) -> Vec<&str> {
        errors_of(&self.errors, field)
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn little_time_left_is_shown_as_such() {
        let deadline = Deadline {
            label: "Time left to decide",
            began_at: datetime!(2026-11-23 14:00 UTC),
            ends_at: datetime!(2026-11-24 14:00 UTC),
        };
        let early = datetime!(2026-11-23 20:00 UTC);
        assert_eq!(deadline.percent_left(early), "75");
        assert_eq!((deadline.tone(early), deadline.left(early).as_str()), (Tone::Accent, "18 h"));
        let late = datetime!(2026-11-24 13:51 UTC);
        assert_eq!((deadline.tone(late), deadline.left(late).as_str()), (Tone::Bad, "9 min"));
        let over = datetime!(2026-11-24 14:00 UTC);
        assert_eq!((deadline.percent_left(over), deadline.left(over)), ("0".to_owned(), "none".to_owned()));
    }

    #[test]
    fn a_reader_who_may_do_nothing_sees_no_column() {
        assert!(Decision::default().is_empty());
        let denied = Decision { approval: Right::Denied("It is your own request.".to_owned()), ..Decision::default() };
        assert!(!denied.is_empty());
    }
}
