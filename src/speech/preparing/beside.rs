//! Speech that no operation awaits: what a person wants to hear before they choose a voice.

use std::sync::Arc;

use serde_json::json;
use tokio::sync::Semaphore;
use tracing::Instrument as _;

use super::wanting::clip_of;
use super::{lease, making};
use crate::audit::{self, Actor, Change};
use crate::database;
use crate::speech::catalogue::Chosen;
use crate::state::AppState;

/// Has a text spoken unless that was done before; answers the clip, which is made while the caller goes on. If the process
/// ends meanwhile, nobody goes on with it: whoever wanted to hear it asks again.
pub(crate) async fn say(app: &AppState, text: &str, chosen: &Chosen, actor: &Actor) -> anyhow::Result<String> {
    let mut tx = database::begin(&app.db).await?;
    let clip = clip_of(&mut tx, &app.clock, app.config.mode, text, chosen).await?;
    let correlation_id = actor.correlation_id.as_deref().unwrap_or_default();
    let leased = lease::take_this(&mut tx, app, &clip, correlation_id).await?;
    if leased.is_some() {
        // It costs characters: who wanted that is known.
        let details = json!({ "voice": chosen.voice, "model": chosen.model, "characters": text.chars().count() });
        audit::record(&mut tx, actor, Change { object: format!("clip/{clip}"), action: "clip.asked", details }).await?;
    }
    tx.commit().await?;
    if let Some(leased) = leased {
        // Not one of the worker's places: a person waits for it.
        let permit = Arc::new(Semaphore::new(1)).acquire_owned().await?;
        let span = tracing::info_span!("speech", correlation_id);
        app.tasks.tracker.spawn(making::see_through(app.clone(), leased, permit).instrument(span));
    }
    Ok(clip)
}
