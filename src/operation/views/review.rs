//! Several operations on one page, to be decided on together.

use askama::Template;

use super::content::{Clip, Content, Kind};
use super::status::Status;
use crate::web::frame::{FormError, Frame, errors_of};
use crate::web::text;

#[derive(Template)]
#[template(path = "operations/review.html")]
pub(crate) struct ReviewPage {
    pub(crate) frame: Frame,
    /// What was chosen, before the decision.
    pub(crate) chosen: Vec<Chosen>,
    /// What became of each, after it.
    pub(crate) results: Vec<Result>,
    pub(crate) errors: Vec<FormError>,
    pub(crate) typed_reason: String,
}

/// One of those that were chosen, as it would go out.
#[derive(Clone, Debug)]
pub(crate) struct Chosen {
    pub(crate) id: String,
    /// `SMS to +1 415 555 0132`.
    pub(crate) title: String,
    pub(crate) from: String,
    pub(crate) status: Status,
    pub(crate) content: Content,
    /// The digest of exactly what the page shows; empty while there is none.
    pub(crate) digest: String,
    pub(crate) by: String,
    pub(crate) note: Option<String>,
    /// Why it is not decided on here.
    pub(crate) left_out: Option<String>,
}

/// What became of one decision.
#[derive(Clone, Debug)]
pub(crate) struct Result {
    pub(crate) id: String,
    pub(crate) title: String,
    /// Why nothing came of it.
    pub(crate) refused: Option<String>,
}

impl ReviewPage {
    fn included(&self) -> usize {
        self.chosen.iter().filter(|one| one.left_out.is_none()).count()
    }

    /// `3 SMS and 1 call`.
    fn in_words(&self) -> String {
        let count = |kind| self.chosen.iter().filter(|one| one.left_out.is_none() && one.status.kind == kind).count();
        let calls = |count: usize| text::counted(i64::try_from(count).unwrap_or(i64::MAX), "call");
        match (count(Kind::Sms), count(Kind::Call)) {
            (sms, 0) => format!("{sms} SMS"),
            (0, call) => calls(call),
            (sms, call) => format!("{sms} SMS and {}", calls(call)),
        }
    }

    fn decided(&self) -> usize {
        self.results.iter().filter(|result| result.refused.is_none()).count()
    }

    fn errors_of(&self, field: &str) -> Vec<&str> {
        errors_of(&self.errors, field)
    }
}
