//! One clip: leased, spoken, kept. Audio that was named in the row and stored is never paid for again.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::Instrument as _;

use super::lease::{self, Failure, Leased, pause};
use super::{NO_KEY, keeping};
use crate::speech::clips;
use crate::speech::elevenlabs::{ElevenLabsError, Order, Synthesis};
use crate::state::AppState;

/// Begins as many clips as there are permits, each in a task of its own.
pub(super) async fn begin(app: &AppState, permits: &Arc<Semaphore>) -> anyhow::Result<()> {
    while !app.tasks.stopping.is_cancelled() {
        let Ok(permit) = Arc::clone(permits).try_acquire_owned() else { return Ok(()) };
        let Some(leased) = lease::take(app).await? else { return Ok(()) };
        let span = tracing::info_span!("speech", correlation_id = %leased.correlation_id);
        app.tasks.tracker.spawn(see_through(app.clone(), leased, permit).instrument(span));
    }
    Ok(())
}

/// Makes one clip and writes down what came of it, and then wakes the worker: its place is free, and others may await it.
pub(super) async fn see_through(app: AppState, leased: Leased, permit: OwnedSemaphorePermit) {
    let made = tokio::select! {
        made = make(&app, &leased) => made,
        never = lease::keep(&app, &leased) => match never {},
    };
    if let Err(failure) = made {
        lease::note(&app, &leased, &failure).await;
    }
    drop(permit);
    app.changes.speak();
}

async fn make(app: &AppState, leased: &Leased) -> Result<(), Failure> {
    if let Some(kept) = keeping::kept(app, leased).await? {
        return keeping::ready(app, leased, kept, None).await;
    }
    let synthesis = synthesise(app, leased).await?;
    let Some(content_hash) = keeping::keep(app, leased, &synthesis.audio).await? else { return Ok(()) };
    keeping::ready(app, leased, content_hash, Some(&synthesis)).await
}

async fn synthesise(app: &AppState, leased: &Leased) -> Result<Synthesis, Failure> {
    let Leased { clip, text, voice, model, tries, .. } = leased;
    let characters = text.chars().count();
    let key = app.vault.elevenlabs_key().await.map_err(|error| Failure {
        code: "speech_no_key",
        reason: format!("The ElevenLabs key cannot be read: {error}."),
        try_after: Some(pause(*tries)),
    })?;
    let Some(key) = key else {
        return Err(Failure { code: "speech_no_key", reason: NO_KEY.to_owned(), try_after: None });
    };
    let mode = app.config.mode;
    match app.elevenlabs.synthesise(&key, &Order { text, voice, model }).await {
        Ok(synthesis) => {
            let (bytes, request) = (synthesis.audio.len(), synthesis.request_id.as_deref());
            let charged = synthesis.characters;
            tracing::info!(event = "voice.call.synthesize", outcome = "made", clip = %clips::in_log(clip), voice, model, characters, charged, bytes, request, %mode, "made speech of a text");
            Ok(synthesis)
        }
        Err(error) => {
            let (outcome, reason) = (error.code(), error.to_string());
            tracing::warn!(event = "voice.call.synthesize", outcome, clip = %clips::in_log(clip), voice, model, characters, tries, reason, %mode, "no speech was made");
            Err(failure(&error, *tries))
        }
    }
}

fn failure(error: &ElevenLabsError, tries: i32) -> Failure {
    let after = || error.retry_after().unwrap_or_default().max(pause(tries));
    Failure { code: error.code(), reason: error.to_string(), try_after: error.is_transient().then(after) }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn only_what_may_pass_is_tried_again_and_not_sooner_than_asked() {
        assert!(failure(&ElevenLabsError::InvalidKey, 1).try_after.is_none());
        let busy = ElevenLabsError::Busy { retry_after: Some(Duration::from_mins(1)) };
        assert_eq!(failure(&busy, 1).try_after, Some(Duration::from_mins(1)));
        let down = ElevenLabsError::Down { status: 500, retry_after: None };
        assert_eq!(failure(&down, 3).try_after, Some(Duration::from_secs(20)));
    }
}
