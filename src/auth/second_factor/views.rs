//! The pages of one's own second factor: how it stands, setting it, and recovery codes.

use askama::Template;
use secrecy::{ExposeSecret, SecretString};
use time::OffsetDateTime;

use super::picture::Picture;
use super::recovery::Left;
use crate::web::frame::{FormError, Frame, errors_of};

/// How it stands, and what can be done about it.
#[derive(Template)]
#[template(path = "second_factor.html")]
pub(crate) struct SecondFactorPage {
    pub(crate) frame: Frame,
    /// Since when there is one.
    pub(crate) set_at: Option<OffsetDateTime>,
    pub(crate) recovery_codes: Left,
    /// The settings ask for one of this role.
    pub(crate) is_required: bool,
    /// Other pages are open before it is done.
    pub(crate) may_skip: bool,
    pub(crate) errors: Vec<FormError>,
    pub(crate) now: OffsetDateTime,
}

/// A new secret, for the app, and the field for its first code.
#[derive(Template)]
#[template(path = "second_factor_set.html")]
pub(crate) struct SetPage {
    pub(crate) frame: Frame,
    pub(crate) picture: Picture,
    /// For whoever cannot scan it.
    pub(crate) secret: String,
    pub(crate) email: String,
    pub(crate) errors: Vec<FormError>,
}

/// Recovery codes, in the one answer that shows them.
#[derive(Template)]
#[template(path = "recovery_codes.html")]
pub(crate) struct RecoveryCodesPage {
    pub(crate) frame: Frame,
    pub(crate) codes: Vec<SecretString>,
    /// The factor itself was set with them.
    pub(crate) is_first: bool,
}

impl SecondFactorPage {
    /// What the reader saw of the recovery codes, for the form that makes them anew.
    fn seen(&self) -> String {
        seen(self.recovery_codes)
    }
}

impl SetPage {
    fn errors_of(&self, field: &str) -> Vec<&str> {
        errors_of(&self.errors, field)
    }
}

impl RecoveryCodesPage {
    /// One a line.
    #[expect(clippy::disallowed_methods, reason = "shown once to their owner")]
    fn text(&self) -> String {
        self.codes.iter().map(ExposeSecret::expose_secret).collect::<Vec<_>>().join("\n")
    }
}

/// The recovery codes as they were read: another text after they were made anew.
pub(super) fn seen(left: Left) -> String {
    left.made_at.map_or_else(String::new, |at| at.unix_timestamp_nanos().to_string())
}
