//! Speech that no operation awaits: what a person wants to hear before they choose a voice.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tracing::Instrument as _;

use super::wanting::clip_of;
use super::{lease, making};
use crate::audit::{self, Actor, Change};
use crate::database;
use crate::speech::catalogue::Chosen;
use crate::state::AppState;

/// How long an answer waits for it, so that most need no second look.
const PATIENCE: Duration = Duration::from_secs(6);

/// Pause between two looks.
const LOOK: Duration = Duration::from_millis(100);

/// What became of a text that somebody wants to hear.
pub(crate) enum Sound {
    Ready,
    Preparing,
    Failed(String),
    Gone,
}

/// A clip of such a text.
pub(crate) struct Said {
    /// Its public name.
    pub(crate) clip: String,
    pub(crate) voice: String,
    pub(crate) model: String,
    pub(crate) sound: Sound,
}

/// Has a text spoken, and waits a moment for it; answers the clip's public name.
pub(crate) async fn hear(app: &AppState, text: &str, chosen: &Chosen, actor: &Actor) -> anyhow::Result<String> {
    let clip = say(app, text, chosen, actor).await?;
    let began = Instant::now();
    while began.elapsed() < PATIENCE && is_being_made(app, &clip).await? {
        tokio::time::sleep(LOOK).await;
    }
    Ok(clip)
}

async fn is_being_made(app: &AppState, clip: &str) -> sqlx::Result<bool> {
    let found = sqlx::query_scalar!(
        r#"
        select state = 'preparing' and coalesce(leased_until > clock_timestamp() + $2::interval, false) as "is_made!"
        from clips
        where id = $1
        "#,
        clip,
        app.clock.offset(),
    );
    Ok(found.fetch_optional(&app.db).await?.unwrap_or(false))
}

/// The clip of that name, if it says this text.
pub(crate) async fn said(app: &AppState, clip: &str, text: &str) -> sqlx::Result<Option<Said>> {
    let found = sqlx::query!(
        r#"
        select
            id,
            state,
            coalesce(voice_id, '') as "voice!",
            coalesce(model_id, '') as "model!",
            coalesce(leased_until > clock_timestamp() + $3::interval, false) as "is_leased!",
            reason
        from clips
        where id = $1
            and text_spoken = $2
        "#,
        clip,
        text,
        app.clock.offset(),
    )
    .fetch_optional(&app.db)
    .await?;
    Ok(found.map(|row| Said {
        clip: row.id,
        voice: row.voice,
        model: row.model,
        sound: match row.state.as_str() {
            "ready" => Sound::Ready,
            "preparing" if row.is_leased => Sound::Preparing,
            // What may pass is tried again by whoever still wants to hear it.
            "preparing" | "failed" => {
                Sound::Failed(row.reason.unwrap_or_else(|| "It was interrupted. Press “Hear it” once more.".to_owned()))
            }
            _ => Sound::Gone,
        },
    }))
}

/// Has a text spoken unless that was done before; answers the clip, which is made while the caller goes on. If the process
/// ends meanwhile, nobody goes on with it: whoever wanted to hear it asks again.
async fn say(app: &AppState, text: &str, chosen: &Chosen, actor: &Actor) -> anyhow::Result<String> {
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
