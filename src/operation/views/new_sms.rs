//! The form that asks for one SMS.

use askama::Template;

use super::{content::Content, terms::Terms};
use crate::web::frame::Frame;
use crate::web::text;

/// Twilio's limit on one message, in characters. The field itself has none: it would cut what is pasted, silently.
const LONGEST_MESSAGE: i64 = 1_600;

#[derive(Template)]
#[template(path = "operations/new_sms.html")]
pub(crate) struct NewSmsPage {
    pub(crate) frame: Frame,
    pub(crate) terms: Terms,
    /// What was typed, or is proposed.
    pub(crate) typed: Typed,
    /// What the message comes to; known once it has been sent to the server.
    pub(crate) size: Option<Content>,
    /// The first character that costs the message its short encoding.
    pub(crate) widest: Option<Widest>,
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
