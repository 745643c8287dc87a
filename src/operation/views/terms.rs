//! What stands in and around a form that asks for an operation, whatever is asked for.

use super::content::Kind;
use crate::web::frame::{FormError, errors_of};

/// The key of the form, who decides, and what was wrong with what was typed.
pub(crate) struct Terms {
    /// Made by the server for this form: pressing twice, reloading or going back makes one operation.
    pub(crate) idempotency_key: String,
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

/// What was typed, or is proposed: of both kinds, so that nothing is lost on the way from one to the other.
#[derive(Clone, Debug, Default)]
pub(crate) struct Typed {
    pub(crate) to: String,
    pub(crate) from: String,
    pub(crate) message: String,
    pub(crate) text: String,
    pub(crate) voice_id: String,
    pub(crate) model_id: String,
    pub(crate) audio_url: String,
    /// Whether a call plays a recording, and does not speak the text.
    pub(crate) plays_recording: bool,
    pub(crate) note: String,
}

impl Terms {
    pub(crate) fn errors_of(&self, field: &str) -> Vec<&str> {
        errors_of(&self.errors, field)
    }

    /// What the button of the form does.
    pub(crate) fn act(&self, kind: Kind) -> &'static str {
        match (self.is_held, kind) {
            (true, _) => "Request approval",
            (false, Kind::Sms) => "Send SMS",
            (false, Kind::Call) => "Place call",
        }
    }
}

impl Typed {
    /// Names and values of the fields that a form of this kind does not show.
    pub(crate) fn carried(&self, kind: Kind) -> Vec<(&'static str, &str)> {
        match kind {
            Kind::Sms => vec![
                ("text", &self.text),
                ("voice_id", &self.voice_id),
                ("model_id", &self.model_id),
                ("audio_url", &self.audio_url),
                ("source", if self.plays_recording { "audio" } else { "" }),
            ],
            Kind::Call => vec![("message", &self.message)],
        }
    }
}
