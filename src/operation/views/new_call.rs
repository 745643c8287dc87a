//! The form that asks for one call.

use askama::Template;

use super::terms::Terms;
use crate::web::frame::Frame;

#[derive(Template)]
#[template(path = "operations/new_call.html")]
pub(crate) struct NewCallPage {
    pub(crate) frame: Frame,
    pub(crate) terms: Terms,
    /// What was typed, or is proposed.
    pub(crate) typed: Typed,
}

/// The fields of the form.
#[derive(Clone, Debug, Default)]
pub(crate) struct Typed {
    pub(crate) to: String,
    pub(crate) from: String,
    pub(crate) audio_url: String,
    pub(crate) note: String,
}
