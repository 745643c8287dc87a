//! Clips that nothing needs any more: the row is marked, then the bytes are removed. A crash between the two leaves bytes
//! that the next pass removes, and never a clip that is ready and cannot be played.

use std::time::Duration;

use anyhow::Context as _;
use sqlx::postgres::types::PgInterval;

use crate::clock::interval;
use crate::database;
use crate::state::AppState;

/// Most clips that one pass marks, and most whose bytes it removes.
const BATCH: i64 = 50;

/// How long the task sleeps between two passes, and after one that failed.
const TICK: Duration = Duration::from_secs(2);
const AFTER_FAILURE: Duration = Duration::from_secs(30);

/// Longest that the store may take to remove one clip's bytes: shorter than a transaction may stand idle.
const REMOVAL_TIMEOUT: Duration = Duration::from_secs(10);

/// Runs until the service stops, in every process.
pub(crate) async fn run(app: AppState) {
    let (mut pause, mut after) = (TICK, String::new());
    loop {
        tokio::select! {
            () = app.tasks.stopping.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
        let cleaned = tokio::select! {
            // What was begun is rolled back, and done by whoever comes next.
            () = app.tasks.stopping.cancelled() => return,
            cleaned = clean(&app, &mut after) => cleaned,
        };
        pause = if cleaned.is_ok() { TICK } else { AFTER_FAILURE };
        if let Err(error) = cleaned {
            tracing::warn!(event = "clips.not_cleaned", error = format!("{error:#}"), "clips are removed later");
        }
    }
}

/// One pass. Removal goes on behind the clip that it stopped at, so that one whose bytes cannot be removed is in nobody's
/// way.
async fn clean(app: &AppState, after: &mut String) -> anyhow::Result<()> {
    let kept = interval(Duration::from_secs(u64::from(app.settings.current().voice.clips_kept_hours) * 3600));
    let due = due(app, kept).await?;
    if due.to_mark {
        mark(app, kept).await?;
    }
    if due.to_mark || due.to_remove {
        for _ in 0..BATCH {
            if !remove_next(app, after).await? {
                break;
            }
        }
    }
    Ok(())
}

/// What there is to do: mostly nothing.
struct Due {
    to_mark: bool,
    to_remove: bool,
}

async fn due(app: &AppState, kept: PgInterval) -> sqlx::Result<Due> {
    sqlx::query_as!(
        Due,
        r#"
        with clock as materialized (
            select clock_timestamp() + $1::interval as at
        )
        select
            exists (
                select
                from clips c, clock
                where c.state in ('preparing', 'ready')
                    and c.created_at < clock.at - $2::interval
                    and not clip_is_needed(c, clock.at - $2::interval)) as "to_mark!",
            exists (
                select
                from clips
                where state in ('deleted', 'failed') and content_hash is not null and bytes_removed_at is null
            ) as "to_remove!"
        "#,
        app.clock.offset(),
        kept,
    )
    .fetch_one(&app.db)
    .await
}

/// Marks what nothing has needed for so long. Two statements: only when a clip is locked, so that nobody can begin to need
/// it, can it be seen that nobody does.
async fn mark(app: &AppState, kept: PgInterval) -> sqlx::Result<()> {
    let mut tx = database::begin(&app.db).await?;
    let candidates = sqlx::query_scalar!(
        r#"
        with clock as materialized (
            select clock_timestamp() + $1::interval as at
        )
        select c.id
        from clips c, clock
        where c.state in ('preparing', 'ready')
            and c.created_at < clock.at - $2::interval
            and not clip_is_needed(c, clock.at - $2::interval)
        order by c.created_at
        limit $3
        for update of c skip locked
        "#,
        app.clock.offset(),
        kept,
        BATCH,
    )
    .fetch_all(&mut *tx)
    .await?;
    if candidates.is_empty() {
        return Ok(());
    }
    let deleted = sqlx::query_scalar!(
        r#"
        with clock as materialized (
            select clock_timestamp() + $1::interval as at
        ), deleted as (
            update clips c
            set state = 'deleted', deleted_at = clock.at
            from clock
            where c.id = any ($3) and not clip_is_needed(c, clock.at - $2::interval)
            returning c.id, c.bytes, c.ready_at
        ), line as (
            insert into audit_lines (object, at, actor, action, to_state, mode, details)
            select
                'clip/' || id, clock.at, 'cleaning', 'clip.deleted', 'deleted', $4,
                jsonb_build_object('bytes', bytes, 'wasReady', ready_at is not null)
            from deleted, clock
        )
        select id from deleted
        "#,
        app.clock.offset(),
        kept,
        &candidates,
        app.config.mode.as_str(),
    )
    .fetch_all(&mut *tx)
    .await?;
    tx.commit().await?;
    if !deleted.is_empty() {
        tracing::info!(event = "clips.deleted", count = deleted.len(), "clips that nothing needs any more");
    }
    Ok(())
}

/// Removes the bytes of the next clip that is gone, unless another clip has the same; answers whether there was one. The
/// lock on the content is held meanwhile: whoever wants to make a clip of the same bytes waits, and stores them anew.
async fn remove_next(app: &AppState, after: &mut String) -> anyhow::Result<bool> {
    let mut tx = database::begin(&app.db).await?;
    let gone = sqlx::query!(
        r#"
        select id, content_hash as "content_hash!"
        from clips
        where state in ('deleted', 'failed') and content_hash is not null and bytes_removed_at is null and id > $1
        order by id
        limit 1
        for update skip locked
        "#,
        after.as_str(),
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(gone) = gone else {
        after.clear();
        return Ok(false);
    };
    gone.id.clone_into(after);
    sqlx::query!("select lock_clip_content($1)", gone.content_hash).execute(&mut *tx).await?;
    let is_shared = sqlx::query_scalar!(
        r#"
        select exists (
            select
            from clips
            where content_hash = $1 and state in ('preparing', 'ready')) as "is_shared!"
        "#,
        gone.content_hash,
    )
    .fetch_one(&mut *tx)
    .await?;
    if !is_shared {
        let hash = gone.content_hash.as_slice().try_into()?;
        let removed = tokio::time::timeout(REMOVAL_TIMEOUT, app.clips.delete(&hash)).await;
        removed.context("the store of clips does not answer")??;
    }
    sqlx::query!(
        "update clips set bytes_removed_at = clock_timestamp() + $2::interval where id = $1",
        gone.id,
        app.clock.offset(),
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(true)
}
