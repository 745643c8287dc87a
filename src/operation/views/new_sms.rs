//! The form that asks for one SMS.

use askama::Template;

use super::checked::Checked;
use super::content::Kind;
use super::terms::{Terms, Typed};
use crate::web::frame::Frame;

#[derive(Template)]
#[template(path = "operations/new_sms.html")]
pub(crate) struct NewSmsPage {
    pub(crate) frame: Frame,
    pub(crate) terms: Terms,
    pub(crate) typed: Typed,
    pub(crate) checked: Checked,
}
