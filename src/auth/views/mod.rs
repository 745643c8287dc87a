//! The pages of signing in: the door, and a password of one's own. Below, those of the settings: people, tokens and sessions.

pub(crate) mod people;
pub(crate) mod sessions;
pub(crate) mod tokens;

use askama::Template;

use crate::web::frame::{FormError, Frame, errors_of};

/// Where a person signs in.
#[derive(Template)]
#[template(path = "login.html")]
pub(crate) struct LoginPage {
    pub(crate) frame: Frame,
    /// What was typed; kept when it was refused.
    pub(crate) email: String,
    /// Why the last try was refused.
    pub(crate) failure: Option<String>,
    /// Nobody has signed in yet: say where the first password is.
    pub(crate) first_start: bool,
    /// Where else people may sign in, by its name.
    pub(crate) provider: Option<String>,
    /// The address that leads there.
    pub(crate) provider_address: String,
    /// The page that was asked for, on our own origin, to go on to.
    pub(crate) next: Option<String>,
}

/// Where a person shows a code, once the password was right.
#[derive(Template)]
#[template(path = "code.html")]
pub(crate) struct CodePage {
    pub(crate) frame: Frame,
    /// Why the last try was refused.
    pub(crate) failure: Option<String>,
    /// The page that was asked for, on our own origin, to go on to.
    pub(crate) next: Option<String>,
}

/// Where a person chooses a password of their own.
#[derive(Template)]
#[template(path = "password.html")]
pub(crate) struct PasswordPage {
    pub(crate) frame: Frame,
    /// Whose it is, for the browser's own store of passwords.
    pub(crate) email: String,
    /// Somebody else knows the current one.
    pub(crate) required: bool,
    /// Other pages are open before it is done.
    pub(crate) may_skip: bool,
    pub(crate) minimum_length: usize,
    pub(crate) errors: Vec<FormError>,
}

impl PasswordPage {
    fn errors_of(&self, field: &str) -> Vec<&str> {
        errors_of(&self.errors, field)
    }
}
