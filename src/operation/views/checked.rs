//! What is said about a form as it stands: on the page, and while somebody types.

use askama::Template;

use super::content::Kind;
use crate::operation::compose::commands::Commands;
use crate::operation::compose::cost::Estimate;
use crate::operation::compose::size::Size;

/// A form looked over. Nothing was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Checked {
    pub(crate) kind: Kind,
    /// Below the numbers: what they are, what is wrong with them, or how to write one.
    pub(crate) to: String,
    pub(crate) from: String,
    /// How long the message is; `None` while there is none.
    pub(crate) size: Option<Size>,
    /// Below the text of a call.
    pub(crate) text: String,
    /// Below the address of a recording.
    pub(crate) audio: String,
    /// The address, if it can be opened.
    pub(crate) recording: Option<String>,
    /// What Twilio is told to do when the call is answered.
    pub(crate) twiml: Option<String>,
    /// `None` where no price is set.
    pub(crate) cost: Option<Estimate>,
    pub(crate) commands: Commands,
}

/// The parts of a form's page that follow what is typed, each in an element with the id of its place.
#[derive(Template)]
#[template(path = "operations/terms/checked.html")]
pub(crate) struct CheckedParts {
    pub(crate) checked: Checked,
}
