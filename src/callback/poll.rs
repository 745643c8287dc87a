//! What Twilio accepted and has not reported the end of: asked about, less and less often, until it is told or 72 hours
//! passed without news. A lost last report is found that way.

use futures_util::{StreamExt as _, stream};
use time::{Duration, OffsetDateTime};

use super::look_up::take_look_up;
use super::orphans::take_orphans;
use crate::clock::interval;
use crate::id::OperationId;
use crate::operation::content::Kind;
use crate::state::AppState;
use crate::twilio::Sid;
use crate::vault::TwilioCredentials;

/// Most operations that one pass asks about.
const BATCH: i64 = 50;

/// Questions that are under way at once.
const AT_ONCE: usize = 8;

/// Without news for this long, no more will come: shown as "Sent, not confirmed by the carrier".
const SILENCE: Duration = Duration::hours(72);

/// How long the task sleeps between two passes.
const TICK: std::time::Duration = std::time::Duration::from_secs(1);

/// Runs until the service stops.
pub(crate) async fn run(app: AppState) {
    loop {
        tokio::select! {
            () = app.tasks.stopping.cancelled() => return,
            () = tokio::time::sleep(TICK) => {}
        }
        tokio::select! {
            // What was asked is asked again by whoever comes next.
            () = app.tasks.stopping.cancelled() => return,
            caught_up = catch_up(&app) => if let Err(error) = caught_up {
                tracing::debug!(event = "poll.paused", error = format!("{error:#}"), "the next pass is in a second");
            }
        }
    }
}

/// One pass: reports whose operation is known by now, and operations whose reports never came.
async fn catch_up(app: &AppState) -> anyhow::Result<()> {
    let late = take_orphans(&app.db, &app.clock, app.config.mode).await?;
    let polled = poll(app).await?;
    late.into_iter().chain(polled).for_each(|id| app.changes.announce(id));
    Ok(())
}

/// An accepted operation that is asked about.
struct Due {
    operation: OperationId,
    kind: Kind,
    provider_sid: Option<String>,
    account_sid: Option<String>,
    accepted_at: OffsetDateTime,
    now: OffsetDateTime,
}

/// Asks about what is due, and answers which operations changed.
async fn poll(app: &AppState) -> anyhow::Result<Vec<OperationId>> {
    let due = due(app).await?;
    if due.is_empty() {
        return Ok(Vec::new());
    }
    let credentials = app.vault.twilio().await?;
    let asking = due.into_iter().map(|due| {
        let credentials = credentials.as_ref();
        async move {
            let operation = due.operation;
            match ask(app, &due, credentials).await {
                Ok(moved) => moved.then_some(operation),
                Err(error) => {
                    tracing::debug!(event = "twilio.look_up_failed", %operation, error = format!("{error:#}"), "asked again");
                    None
                }
            }
        }
    });
    Ok(stream::iter(asking).buffer_unordered(AT_ONCE).filter_map(std::future::ready).collect().await)
}

/// First 5 minutes after Twilio took it, then after as long again, each time, but twice a day.
async fn due(app: &AppState) -> sqlx::Result<Vec<Due>> {
    sqlx::query_as!(
        Due,
        r#"
        with clock as materialized (
            select clock_timestamp() + $1::interval as at
        ), fresh as (
            select o.id
            from operations o, clock
            where o.state = 'accepted' and o.settled_at is null and o.mode = $2
                and o.poll_at is null and o.accepted_at < clock.at - interval '5 minutes'
            order by o.accepted_at
            limit $3
            for update of o skip locked
        ), again as (
            select o.id
            from operations o, clock
            where o.state = 'accepted' and o.settled_at is null and o.mode = $2
                and o.poll_at is not null and o.poll_at <= clock.at
            order by o.poll_at
            limit $3
            for update of o skip locked
        )
        update operations o
        set poll_at = clock.at + least(greatest(clock.at - o.accepted_at, interval '5 minutes'), interval '12 hours')
        from (select id from fresh union select id from again) due, clock
        where o.id = due.id
        returning
            o.id as "operation: OperationId",
            o.kind as "kind: Kind",
            o.provider_sid,
            (
                select a.account_sid
                from attempts a
                where a.operation_id = o.id and a.state = 'accepted'
            ) as account_sid,
            o.accepted_at as "accepted_at!",
            clock.at as "now!"
        "#,
        app.clock.offset(),
        app.config.mode.as_str(),
        BATCH,
    )
    .fetch_all(&app.db)
    .await
}

async fn ask(app: &AppState, due: &Due, credentials: Option<&TwilioCredentials>) -> anyhow::Result<bool> {
    let asked = look_up(app, due, credentials).await;
    // Whether or not Twilio could be asked: silence is silence.
    if !matches!(asked, Ok(true)) && due.now - due.accepted_at >= SILENCE {
        return Ok(settle(app, due.operation).await?);
    }
    asked
}

/// Takes what Twilio says for a report on the SID that is bound.
async fn look_up(app: &AppState, due: &Due, credentials: Option<&TwilioCredentials>) -> anyhow::Result<bool> {
    let same_account = |ours: &&TwilioCredentials| due.account_sid.as_ref().is_none_or(|sid| *sid == ours.account_sid);
    let Some(credentials) = credentials.filter(same_account) else { return Ok(false) };
    let Some(sid) = due.provider_sid.as_deref().and_then(|sid| Sid::parse(due.kind, sid)) else { return Ok(false) };
    let Some(resource) = app.twilio.fetch(due.kind, &sid, credentials).await? else { return Ok(false) };
    take_look_up(app, due.operation, due.kind, &credentials.account_sid, &resource).await
}

/// Accepted, and nothing was heard of it for too long: it counts as ended.
async fn settle(app: &AppState, operation: OperationId) -> sqlx::Result<bool> {
    let settled = sqlx::query_scalar!(
        r#"
        with clock as materialized (
            select clock_timestamp() + $1::interval as at
        ), settled as (
            update operations o
            set settled_at = clock.at, updated_at = clock.at
            from clock
            where o.id = $2
                and o.state = 'accepted'
                and o.settled_at is null
                and not exists (
                    select
                    from provider_events e
                    where e.operation_id = o.id and e.received_at > clock.at - $3::interval)
            returning o.id, o.mode, o.correlation_id
        ), line as (
            insert into audit_lines (object, at, actor, action, from_state, to_state, mode, correlation_id)
            select
                'operation/' || id, clock.at, 'reconciler', 'operation.settled', 'accepted', 'accepted', mode,
                correlation_id
            from settled, clock
        )
        select id from settled
        "#,
        app.clock.offset(),
        operation.0,
        interval(SILENCE.unsigned_abs()),
    )
    .fetch_optional(&app.db)
    .await?;
    if settled.is_some() {
        tracing::info!(event = "operation.settled", %operation, "sent, and not confirmed in 72 h");
    }
    Ok(settled.is_some())
}
