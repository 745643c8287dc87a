//! The service's part in greetings: what gateways want to say is spoken by `ElevenLabs` and kept as a clip. Found in the
//! rows by every process; until there is a clip, or where there is no key, a voice of Twilio's says the greeting.

use std::time::Duration;

use crate::database;
use crate::speech::catalogue::{Chosen, Wanted};
use crate::speech::preparing;
use crate::state::AppState;

/// How long the task sleeps between two passes.
const TICK: Duration = Duration::from_secs(1);

/// Most greetings that one pass takes up.
const BATCH: i64 = 20;

/// Runs until the service stops.
pub(crate) async fn run(app: AppState) {
    loop {
        tokio::select! {
            () = app.tasks.stopping.cancelled() => return,
            () = tokio::time::sleep(TICK) => {}
        }
        tokio::select! {
            // What was not committed is done by whoever comes next.
            () = app.tasks.stopping.cancelled() => return,
            passed = pass(&app) => if let Err(error) = passed {
                tracing::debug!(event = "gateway.greetings_paused", error = format!("{error:#}"), "the next pass is in a second");
            }
        }
    }
}

async fn pass(app: &AppState) -> anyhow::Result<()> {
    settle(app).await?;
    for greeting in due(app).await? {
        match choose(app, &greeting.text).await? {
            Some(Ok(chosen)) => want(app, &greeting, &chosen).await?,
            Some(Err(problem)) => postpone(app, &greeting, &problem).await?,
            None => return Ok(()),
        }
    }
    Ok(())
}

/// A greeting that has no clip in the voice that is chosen now.
struct Greeting {
    hash: Vec<u8>,
    text: String,
}

/// What was made is played from now on; what could not be made is tried again in an hour, as is the choice of the voice.
async fn settle(app: &AppState) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        update gateway_greetings g
        set clip_id = case when c.state = 'ready' then c.id else g.clip_id end,
            problem = case when c.state = 'ready' then null else coalesce(c.reason, 'its clip was deleted') end,
            awaited_clip = null,
            next_try_at = clock_timestamp() + $1::interval + interval '1 hour'
        from clips c
        where c.id = g.awaited_clip and g.mode = $2 and c.state <> 'preparing'
        "#,
        app.clock.offset(),
        app.config.mode.as_str(),
    )
    .execute(&app.db)
    .await?;
    Ok(())
}

async fn due(app: &AppState) -> sqlx::Result<Vec<Greeting>> {
    sqlx::query_as!(
        Greeting,
        r#"
        with clock as materialized (
            select clock_timestamp() + $1::interval as at
        )
        select g.text_hash as hash, g.text
        from gateway_greetings g, clock
        where g.mode = $2 and g.awaited_clip is null and g.wanted_at > clock.at - interval '1 day'
            and coalesce(g.next_try_at, '-infinity') <= clock.at
        order by g.wanted_at
        limit $3
        "#,
        app.clock.offset(),
        app.config.mode.as_str(),
        BATCH,
    )
    .fetch_all(&app.db)
    .await
}

/// Who speaks, or why nobody can; `None` without a key: then nothing is missing.
async fn choose(app: &AppState, text: &str) -> anyhow::Result<Option<Result<Chosen, String>>> {
    let Some(key) = app.vault.elevenlabs_key().await? else { return Ok(None) };
    let settings = app.settings.current();
    let chosen = app.catalogue.choose(&app.elevenlabs, &key, &settings.voice, Wanted::default()).await;
    Ok(Some(match chosen {
        Ok(chosen) => chosen.too_long(text).map_or(Ok(chosen), Err),
        Err(why) => Err(why.to_string()),
    }))
}

/// Lets the greeting await its clip, which is made if there is none.
async fn want(app: &AppState, greeting: &Greeting, chosen: &Chosen) -> anyhow::Result<()> {
    let mode = app.config.mode;
    let mut tx = database::begin(&app.db).await?;
    let clip = preparing::clip_of(&mut tx, &app.clock, mode, &greeting.text, chosen).await?;
    sqlx::query!(
        r#"
        update gateway_greetings
        set awaited_clip = $3
        where mode = $1 and text_hash = $2 and awaited_clip is null
        "#,
        mode.as_str(),
        greeting.hash,
        clip,
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    app.changes.speak();
    Ok(())
}

async fn postpone(app: &AppState, greeting: &Greeting, problem: &str) -> sqlx::Result<()> {
    tracing::warn!(
        event = "gateway.greeting_not_spoken",
        problem,
        "a voice of Twilio's says it; tried again in ten minutes"
    );
    sqlx::query!(
        r#"
        update gateway_greetings
        set problem = $4, next_try_at = clock_timestamp() + $1::interval + interval '10 minutes'
        where mode = $2 and text_hash = $3
        "#,
        app.clock.offset(),
        app.config.mode.as_str(),
        greeting.hash,
        problem,
    )
    .execute(&app.db)
    .await?;
    Ok(())
}
