//! A look at the recording that somebody wants to have played, once, when it is asked for: its type and size for whoever
//! approves. What is approved is the address, and Twilio fetches it for itself; so a look that fails is a warning, and
//! only an address that nobody may fetch is refused.

mod look;
mod store;

pub use look::Looker;
pub use store::AudioLook;
pub(crate) use store::find;

use super::content::Payload;
use super::store::{Created, find_by_key};
use crate::error::{FieldProblem, Problem, Result};
use crate::idempotency::KeyUse;
use crate::speech::test_recording;
use crate::state::AppState;
use look::Looked;

/// Looks at the recording of a new request. A known key looks at nothing: its replay has no side effect.
pub(crate) async fn of_request(app: &AppState, payload: &Payload, used: &KeyUse) -> Result<Option<AudioLook>> {
    let Payload::Recording(url) = payload else { return Ok(None) };
    if find_by_key(&app.db, &app.clock, used).await?.is_some() {
        return Ok(None);
    }
    if test_recording::is_at(url.as_str(), &app.public_url) {
        return Ok(Some(AudioLook::of_ours(test_recording::bytes())));
    }
    match app.looker.look(url.as_str()).await {
        Looked::Done(look) => Ok(Some(look)),
        Looked::Forbidden(why) => {
            let message = format!("{why} Nobody may fetch a recording from there. Use a public address.");
            Err(Problem::invalid_fields(vec![FieldProblem::new("audioUrl", message)]).into())
        }
    }
}

/// Keeps the look with the operation that it was made for. One that cannot be kept is not shown, and the call is asked for
/// all the same.
pub(crate) async fn keep(app: &AppState, created: &Created, look: Option<AudioLook>) {
    let (Created::New(operation), Some(look)) = (created, look) else { return };
    if let Err(error) = store::insert(&app.db, &app.clock, operation.id, &look).await {
        tracing::warn!(event = "audio_look.not_kept", operation = %operation.id, %error, "a look was not written down");
    }
}
