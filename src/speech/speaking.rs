//! Whether a text can be spoken at all, as far as that is known without asking anybody: who asks for a call should not have
//! to look at the operation to learn that it never could be made.

use crate::config::Operating;
use crate::error::{FieldProblem, Problem, Result};
use crate::operation::speech::{SpeakerId, Speech};
use crate::speech::catalogue::Wanted;
use crate::speech::elevenlabs::ElevenLabsError;
use crate::state::AppState;
use axum::http::StatusCode;

/// Why the text cannot be spoken; `None`: nothing is known that is in its way.
pub(crate) async fn refusal(app: &AppState, settings: &Operating, speech: &Speech) -> Result<Option<Problem>> {
    if app.elevenlabs.is_nowhere() {
        let error = ElevenLabsError::Nowhere;
        return Ok(Some(Problem::new(StatusCode::BAD_REQUEST, error.code(), error.to_string())));
    }
    let Some(key) = app.vault.elevenlabs_key().await? else { return Ok(Some(no_key())) };
    let wanted = Wanted {
        voice: speech.voice.as_ref().map(SpeakerId::as_str),
        model: speech.model.as_ref().map(SpeakerId::as_str),
    };
    // What cannot be chosen is told by whoever makes the speech: it asks once more.
    let Some(Ok(chosen)) = app.catalogue.choice_at_hand(&key, &settings.voice, wanted) else { return Ok(None) };
    let too_long = chosen.too_long(speech.text.as_str());
    Ok(too_long.map(|message| Problem::invalid_fields(vec![FieldProblem::new("text", message)])))
}

fn no_key() -> Problem {
    let detail = "There is no ElevenLabs key, so no text can be spoken. Store elevenlabs_api_key in the API Vault, or send audioUrl.";
    Problem::new(StatusCode::BAD_REQUEST, "no_elevenlabs_key", detail)
}
