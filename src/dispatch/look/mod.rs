//! Looking an attempt up in Twilio's list, once nothing that it could have sent may still be on its way and no report came.
//! Each look is kept as evidence. Every process looks; what is due is shared out among them.

mod conclusion;
mod evidence;
mod kept;
mod ours;
mod verdict;

use std::collections::HashMap;

use futures_util::{StreamExt as _, stream};
use time::{Duration, OffsetDateTime};

use self::conclusion::conclude;
use self::evidence::Candidate;
pub(super) use self::evidence::Sought;
use crate::clock::interval;
use crate::id::{AttemptId, OperationId};
use crate::operation::content::Kind;
use crate::state::AppState;
use crate::vault::TwilioCredentials;

/// Most attempts that one pass looks up.
const BATCH: i64 = 100;

/// Senders whose lists are read at once.
const AT_ONCE: usize = 4;

/// How far two looks are apart. What was accepted before the settle time is listed by then.
const BETWEEN_LOOKS: Duration = Duration::seconds(60);

/// An attempt that is due for a look.
#[derive(Clone, Debug)]
struct Due {
    id: AttemptId,
    operation: OperationId,
    number: i32,
    lock_key: i64,
    account_sid: Option<String>,
    sought: Sought,
    settle_at: OffsetDateTime,
    /// When the first look that found nothing was asked.
    last_absent_at: Option<OffsetDateTime>,
    /// Before the question: what is found is at least as new.
    asked_at: OffsetDateTime,
}

/// Attempts of one sender: one question answers for all.
type Sender = (Kind, String, Option<String>);

/// How long the task sleeps between two rounds.
const TICK: std::time::Duration = std::time::Duration::from_secs(1);

/// Runs until the service stops. Apart from the sweep, which must not wait for Twilio.
pub async fn run(app: AppState) {
    loop {
        tokio::select! {
            () = app.tasks.stopping.cancelled() => return,
            () = tokio::time::sleep(TICK) => {}
        }
        let looked = tokio::select! {
            // What was asked is asked again by whoever comes next.
            () = app.tasks.stopping.cancelled() => return,
            looked = look(&app) => looked,
        };
        match looked {
            Ok(changed) if changed.is_empty() => {}
            Ok(changed) => {
                // What was settled stands in nobody's way any more, or goes again.
                app.changes.wake();
                for id in changed {
                    app.changes.announce(id);
                }
            }
            Err(error) => {
                tracing::debug!(event = "look.paused", error = format!("{error:#}"), "the next look is in a second");
            }
        }
    }
}

/// Looks up what is due, and answers which operations changed.
pub async fn look(app: &AppState) -> anyhow::Result<Vec<OperationId>> {
    let due = due(app).await?;
    if due.is_empty() {
        return Ok(Vec::new());
    }
    let credentials = app.vault.twilio().await?;
    let mut senders: HashMap<Sender, Vec<Due>> = HashMap::new();
    for due in due {
        let sender = (due.sought.kind, due.sought.from.clone(), due.account_sid.clone());
        senders.entry(sender).or_default().push(due);
    }
    let looks = senders.into_values().map(|due| look_at_sender(app, credentials.as_ref(), due));
    Ok(stream::iter(looks).buffer_unordered(AT_ONCE).concat().await)
}

/// What is due, taken so that no other process looks at the same at the same time.
async fn due(app: &AppState) -> sqlx::Result<Vec<Due>> {
    let rows = sqlx::query!(
        r#"
        with clock as materialized (
            select clock_timestamp() + $1::interval as at
        ), due as (
            select a.id
            from attempts a, clock
            where a.mode = $2
                and a.state = 'unknown'
                and a.settle_at < clock.at
                and (a.next_look_at is null or a.next_look_at <= clock.at)
                and not exists (
                    select
                    from provider_events e
                    where e.attempt_id = a.id)
            order by a.settle_at
            limit $3
            for update of a skip locked
        )
        update attempts a
        set next_look_at = clock.at + $4::interval
        from due, clock, operations o
        where a.id = due.id and o.id = a.operation_id
        returning
            a.id as "id: AttemptId",
            a.operation_id as "operation: OperationId",
            a.number,
            a.lock_key,
            a.account_sid,
            a.started_at,
            a.deadline_at,
            a.settle_at,
            a.last_absent_at,
            o.kind as "kind: Kind",
            o.to_number,
            o.from_number,
            o.message,
            clock.at as "asked_at!"
        "#,
        app.clock.offset(),
        app.config.mode.as_str(),
        BATCH,
        interval(BETWEEN_LOOKS.unsigned_abs()),
    )
    .fetch_all(&app.db)
    .await?;
    let due = rows.into_iter().map(|row| Due {
        id: row.id,
        operation: row.operation,
        number: row.number,
        lock_key: row.lock_key,
        account_sid: row.account_sid,
        sought: Sought {
            kind: row.kind,
            to: row.to_number,
            from: row.from_number,
            message: row.message,
            started_at: row.started_at,
            deadline_at: row.deadline_at,
        },
        settle_at: row.settle_at,
        last_absent_at: row.last_absent_at,
        asked_at: row.asked_at,
    });
    Ok(due.collect())
}

/// Asks once for all attempts of a sender.
async fn look_at_sender(app: &AppState, credentials: Option<&TwilioCredentials>, due: Vec<Due>) -> Vec<OperationId> {
    let Some(first) = due.first() else { return Vec::new() };
    let credentials = credentials.filter(|ours| first.account_sid.as_ref().is_none_or(|sid| *sid == ours.account_sid));
    let listing = match credentials {
        None => Err(NotAsked::NoCredentials),
        Some(credentials) => {
            let since = due.iter().map(|due| due.sought.since()).min().unwrap_or(first.sought.since());
            let (kind, from) = (first.sought.kind, &first.sought.from);
            let listing = app.twilio.list(kind, from, since, first.asked_at, credentials).await;
            listing.map_err(|error| NotAsked::NoAnswer(format!("{error:#}")))
        }
    };
    let mut changed = Vec::new();
    for due in &due {
        match conclude(app, due, listing.as_ref()).await {
            Ok(true) => changed.push(due.operation),
            Ok(false) => {}
            Err(error) => {
                tracing::warn!(event = "dispatch.look_failed", operation = %due.operation, %error, "looked at again");
            }
        }
    }
    changed
}

/// Why Twilio's list could not be read.
#[derive(Debug, thiserror::Error)]
enum NotAsked {
    #[error("There are no credentials of the account that sent it, so Twilio cannot be asked.")]
    NoCredentials,
    #[error("{0}")]
    NoAnswer(String),
}

/// Looks once more before a person decides to send again, and keeps what was found.
pub(super) async fn for_decision(
    app: &AppState,
    operation: OperationId,
    last_attempt: AttemptId,
    sought: &Sought,
    credentials: &TwilioCredentials,
) -> anyhow::Result<Vec<Candidate>> {
    let (kind, from, since) = (sought.kind, &sought.from, sought.since());
    let listing = app.twilio.list(kind, from, since, app.clock.now(), credentials).await?;
    let mut connection = app.db.acquire().await?;
    let candidates = ours::unbound(&mut connection, sought.candidates(&listing)).await?;
    let conclusion = if candidates.is_empty() { "checked" } else { "unclear" };
    let found = kept::found(&listing, &candidates);
    kept::keep(&mut connection, app, (operation, last_attempt), sought, &found, conclusion).await?;
    Ok(candidates)
}
