//! The sentence that a choice is heard by: made once for each voice and model, and kept like the speech of a call.

use std::time::Duration;

use tokio::time::Instant;

use super::{ADDRESS, Chosen};
use crate::audit::Actor;
use crate::error::Result;
use crate::speech::preparing::beside;
use crate::state::AppState;

/// What is said.
pub(crate) const TEXT: &str = "Hello. This is how calls from text will sound.";

/// How long the answer waits for it, so that most need no second look.
const PATIENCE: Duration = Duration::from_secs(6);

/// Pause between two looks.
const LOOK: Duration = Duration::from_millis(100);

/// A sample that was asked for.
pub(crate) struct Sample {
    /// The public name of the recording.
    pub(super) clip: String,
    pub(super) voice: String,
    pub(super) model: String,
    pub(super) sound: Sound,
    /// What was chosen on the form, to be shown again.
    query: String,
}

/// What became of it.
pub(crate) enum Sound {
    Ready,
    Preparing,
    Failed(String),
    Gone,
}

impl Sample {
    /// Where it is looked for once more.
    pub(super) fn again(&self) -> String {
        format!("{ADDRESS}?{}#sample", self.query)
    }
}

/// Asks for the sample of a voice and a model, and waits a moment for it; answers its public name.
pub(super) async fn make(app: &AppState, chosen: &Chosen, actor: &Actor) -> Result<String> {
    let clip = beside::say(app, TEXT, chosen, actor).await?;
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

/// The sample of that name. What a call says is none, whoever names it.
pub(super) async fn find(app: &AppState, clip: &str, query: String) -> sqlx::Result<Option<Sample>> {
    if clip.is_empty() {
        return Ok(None);
    }
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
        TEXT,
        app.clock.offset(),
    )
    .fetch_optional(&app.db)
    .await?;
    Ok(found.map(|row| Sample {
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
        query,
    }))
}
