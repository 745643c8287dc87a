//! The page that asks who one is once more.

use askama::Template;

use super::Proof;
use crate::web::frame::{FormError, Frame, errors_of};

/// "Confirm that it is you".
#[derive(Template)]
#[template(path = "confirm.html")]
pub(crate) struct ConfirmPage {
    pub(crate) frame: Frame,
    /// Whose session it is, for the browser's own store of passwords.
    pub(crate) email: String,
    pub(crate) proof: Proof,
    /// Where the form goes: what was asked for, so that it is done with the same click.
    pub(crate) action: String,
    /// What was asked for, field by field; none of it is a secret.
    pub(crate) fields: Vec<(String, String)>,
    /// What was typed was not kept, because it is a secret: it has to be typed again.
    pub(crate) lost: bool,
    pub(crate) errors: Vec<FormError>,
    /// Where it was asked for.
    pub(crate) back: String,
}

impl ConfirmPage {
    fn errors_of(&self, field: &str) -> Vec<&str> {
        errors_of(&self.errors, field)
    }
}
