//! The form that asks for one call.

use askama::Template;

use super::checked::Checked;
use super::content::Kind;
use super::terms::{Terms, Typed};
use crate::operation::compose::speakers::Speakers;
use crate::speech::preparing::beside::{Said, Sound};
use crate::web::frame::Frame;
use crate::web::text;

#[derive(Template)]
#[template(path = "operations/new_call.html")]
pub(crate) struct NewCallPage {
    pub(crate) frame: Frame,
    pub(crate) terms: Terms,
    pub(crate) typed: Typed,
    pub(crate) checked: Checked,
    /// Who can speak.
    pub(crate) speakers: Speakers,
    /// The text as it was spoken for whoever writes.
    pub(crate) heard: Option<Said>,
}
