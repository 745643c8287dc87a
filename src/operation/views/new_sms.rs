//! The form that asks for one SMS.

use askama::Template;

use super::content::Content;
use crate::web::frame::{FormError, Frame, errors_of};
use crate::web::text;

/// Twilio's limit on one message, in characters. The field itself has none: it would cut what is pasted, silently.
const LONGEST_MESSAGE: i64 = 1_600;

#[derive(Template)]
#[template(path = "operations/new_sms.html")]
pub(crate) struct NewSmsPage {
    pub(crate) frame: Frame,
    /// Made by the server for this form: pressing twice, reloading or going back makes one operation.
    pub(crate) idempotency_key: String,
    /// What was typed, or is proposed.
    pub(crate) typed: Typed,
    /// The number that is used if none is given.
    pub(crate) usual_sender: Option<String>,
    pub(crate) errors: Vec<FormError>,
    /// What the message comes to; known once it has been sent to the server.
    pub(crate) size: Option<Content>,
    /// The first character that costs the message its short encoding.
    pub(crate) widest: Option<Widest>,
    /// Who can approve it, in words.
    pub(crate) approvers: String,
    /// Whether a person has to approve it.
    pub(crate) is_held: bool,
    /// How long it stays open, in words.
    pub(crate) open_for: String,
    /// The operation that this one repeats, for a link back.
    pub(crate) again: Option<String>,
    /// Where a refusal can be found in the log.
    pub(crate) correlation_id: String,
}

/// The fields of the form.
#[derive(Clone, Debug, Default)]
pub(crate) struct Typed {
    pub(crate) to: String,
    pub(crate) from: String,
    pub(crate) message: String,
    pub(crate) note: String,
}

/// A character outside the GSM-7 alphabet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Widest {
    pub(crate) character: char,
    /// Counted from one.
    pub(crate) position: usize,
}

impl Widest {
    fn code_point(self) -> String {
        format!("U+{:04X}", u32::from(self.character))
    }
}

impl NewSmsPage {
    fn errors_of(&self, field: &str) -> Vec<&str> {
        errors_of(&self.errors, field)
    }

    fn usual_sender(&self) -> Option<String> {
        self.usual_sender.as_deref().map(text::phone)
    }
}
