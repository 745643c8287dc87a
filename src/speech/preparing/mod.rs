//! Speech for calls from text, made before anybody decides: what the approver hears is what is played.
//!
//! Three steps, each found in the rows by every process, so that whoever goes on after a crash needs nothing else:
//!
//! 1. [`choosing`]: an operation that is `preparing` gets voice and model, and with them the clip that it awaits; all that
//!    want the same await the same;
//! 2. [`making`]: one process at a time has a lease on a clip, has it spoken and keeps the audio;
//! 3. [`finishing`]: clip, voice, model and digest are filled into each operation that awaits it, once, and it goes to the
//!    approvers; or it fails with the clip's reason.

pub(crate) mod beside;
mod choosing;
mod clip;
mod finishing;
mod keeping;
mod lease;
mod making;
mod wanting;

pub(crate) use wanting::clip_of;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::state::AppState;

/// Clips that one process has made at the same time at most: the smallest plans allow two.
const CONCURRENT: usize = 2;

/// How long the worker sleeps when nobody wakes it.
const TICK: Duration = Duration::from_secs(1);

/// Operations that one step takes up at once.
const BATCH: i64 = 100;

/// It was there when the call was asked for.
const NO_KEY: &str = "There is no ElevenLabs key any more. Store elevenlabs_api_key in the API Vault, then ask again.";

/// Runs until the service stops. What is being made then is paid for, so it is made to its end.
pub(crate) async fn run(app: AppState) {
    // Whoever chooses may wait long for an answer of `ElevenLabs`: nobody else has to.
    let (making, choosing) = (Arc::new(Semaphore::new(CONCURRENT)), Arc::new(Semaphore::new(1)));
    loop {
        if let Err(error) = pass(&app, &making, &choosing).await {
            paused(&error);
        }
        tokio::select! {
            () = app.tasks.stopping.cancelled() => return,
            () = app.changes.asked_to_speak() => {}
            () = tokio::time::sleep(TICK) => {}
        }
    }
}

async fn pass(app: &AppState, making: &Arc<Semaphore>, choosing: &Arc<Semaphore>) -> anyhow::Result<()> {
    while finishing::finish(app).await? {}
    if let Ok(permit) = Arc::clone(choosing).try_acquire_owned() {
        app.tasks.tracker.spawn(choose(app.clone(), permit));
    }
    making::begin(app, making).await
}

/// Gives clips to await to those without, and wakes the worker if there was one.
async fn choose(app: AppState, permit: OwnedSemaphorePermit) {
    match choosing::choose(&app).await {
        Ok(0) => {}
        Ok(_) => {
            drop(permit);
            app.changes.speak();
        }
        Err(error) => paused(&error),
    }
}

fn paused(error: &anyhow::Error) {
    tracing::warn!(event = "voice.paused", error = format!("{error:#}"), "no speech is made at this moment");
}
