//! The pages behind a link: the password that is chosen, and what is said of a link that opens nothing.

use askama::Template;

use super::Purpose;
use crate::web::frame::{FormError, Frame, errors_of};

/// Where somebody who was invited, or lost their password, chooses one.
#[derive(Template)]
#[template(path = "welcome.html")]
pub(crate) struct WelcomePage {
    pub(crate) frame: Frame,
    /// Where the form goes: the link itself.
    pub(crate) action: String,
    pub(crate) purpose: Purpose,
    pub(crate) name: String,
    /// How they sign in, for the browser's own store of passwords too.
    pub(crate) email: String,
    pub(crate) minimum_length: usize,
    pub(crate) errors: Vec<FormError>,
}

/// The link opens nothing: never did, or not any more. It says the same of both.
#[derive(Template)]
#[template(path = "welcome_void.html")]
pub(crate) struct VoidPage {
    pub(crate) frame: Frame,
    /// There were too many that opened nothing: what to wait for.
    pub(crate) wait: Option<String>,
}

impl WelcomePage {
    fn errors_of(&self, field: &str) -> Vec<&str> {
        errors_of(&self.errors, field)
    }
}
