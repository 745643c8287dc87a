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
    pub(crate) text: String,
    pub(crate) voice_id: String,
    pub(crate) model_id: String,
    pub(crate) audio_url: String,
    pub(crate) note: String,
}

impl NewCallPage {
    /// Whether voice and model were chosen here, or must be looked at: then they stand open.
    fn has_speaker(&self) -> bool {
        let fields = [("voice_id", &self.typed.voice_id), ("model_id", &self.typed.model_id)];
        fields.iter().any(|(field, typed)| !typed.is_empty() || !self.terms.errors_of(field).is_empty())
    }
}
