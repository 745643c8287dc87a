//! What stands around a form that asks for an operation, whatever is asked for.

use crate::web::frame::{FormError, errors_of};
use crate::web::text;

/// The key of the form, who decides, and what was wrong with what was typed.
pub(crate) struct Terms {
    /// Made by the server for this form: pressing twice, reloading or going back makes one operation.
    pub(crate) idempotency_key: String,
    /// The number that is used if none is given.
    pub(crate) usual_sender: Option<String>,
    pub(crate) errors: Vec<FormError>,
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

impl Terms {
    pub(crate) fn errors_of(&self, field: &str) -> Vec<&str> {
        errors_of(&self.errors, field)
    }

    pub(crate) fn usual_sender(&self) -> Option<String> {
        self.usual_sender.as_deref().map(text::phone)
    }
}
