//! The page that belongs to no subject: the refusal.

use askama::Template;

use super::frame::Frame;

/// What is so, and what to do: the page of any refusal or failure.
#[derive(Template)]
#[template(path = "error.html")]
pub(crate) struct ErrorPage {
    pub(crate) frame: Frame,
    pub(crate) status: u16,
    /// What is so, in a few words.
    pub(crate) title: String,
    /// What is so, in a sentence.
    pub(crate) detail: String,
    /// What the reader can do about it.
    pub(crate) advice: String,
    pub(crate) correlation_id: String,
}
