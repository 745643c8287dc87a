//! Looking an attempt up in Twilio's list, once nothing that it could have sent may still be on its way and no report came.
//! Each look is kept as evidence. Every process looks; what is due is shared out among them.

use std::collections::HashMap;

use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};
use sqlx::PgConnection;
use time::{Duration, OffsetDateTime};

use super::evidence::{Candidate, Finding, SKEW, Sought, judge};
use super::{fence, reconcile, verdict};
use crate::clock::{interval, rfc3339};
use crate::config::OnUnknown;
use crate::database;
use crate::id::{AttemptId, OperationId};
use crate::operation::content::Kind;
use crate::state::AppState;
use crate::twilio::look_up::{self, Listing};
use crate::vault::TwilioCredentials;

/// Most attempts that one pass looks up.
const BATCH: i64 = 100;

/// Senders whose lists are read at once.
const AT_ONCE: usize = 4;

/// How far two looks are apart. What was accepted before the settle time is listed by then.
const BETWEEN_LOOKS: Duration = Duration::seconds(60);

/// How long after the settle time a look may still come to nothing (Twilio away, or another send of ours first) before a
/// person is asked.
const PATIENCE: Duration = Duration::minutes(10);

/// An attempt that is due for a look.
#[derive(Clone, Debug)]
pub(super) struct Due {
    pub(super) id: AttemptId,
    pub(super) operation: OperationId,
    pub(super) number: i32,
    pub(super) lock_key: i64,
    pub(super) account_sid: Option<String>,
    pub(super) sought: Sought,
    pub(super) settle_at: OffsetDateTime,
    /// When the first look that found nothing was asked.
    pub(super) last_absent_at: Option<OffsetDateTime>,
    /// Before the question: what is found is at least as new.
    pub(super) asked_at: OffsetDateTime,
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

/// Draws the conclusion and writes it down with its evidence, in one transaction that holds the attempt's lock and the
/// operation's row: what was reported meanwhile wins.
async fn conclude(app: &AppState, due: &Due, listing: Result<&Listing, &NotAsked>) -> sqlx::Result<bool> {
    let mut tx = database::begin(&app.db).await?;
    if !fence::owner_is_gone(&mut tx, due.lock_key).await? {
        return Ok(false);
    }
    reconcile::lock_operation(&mut tx, due.operation).await?;
    if reconcile::close_by_report(&mut tx, &app.clock, due.id, due.operation, due.number).await? {
        tx.commit().await?;
        return Ok(true);
    }
    let patience_ended = due.asked_at > due.settle_at + PATIENCE;
    let settings = app.settings.current();
    let mode = app.config.mode;
    let (found, conclusion, changed) = match listing {
        Err(error) => {
            let found = json!({ "listed": 0, "candidates": [], "error": error.to_string() });
            let reason = match error {
                NotAsked::NoCredentials => Some(error.to_string()),
                NotAsked::NoAnswer(_) => patience_ended.then(|| "Twilio could not be asked what it has.".to_owned()),
            };
            let changed = match reason {
                Some(reason) => verdict::hand_to_a_person(&mut tx, &app.clock, due, &reason).await?,
                None => false,
            };
            (found, "not_looked_up", changed)
        }
        Ok(listing) => {
            let candidates = unbound(&mut tx, due.sought.candidates(listing)).await?;
            let others = !candidates.is_empty() && others_under_way(&mut tx, due, &candidates).await?;
            let finding = judge(&candidates, settings.dispatch.sender_is_exclusive(mode), others && !patience_ended);
            let (conclusion, changed) = match finding {
                Finding::Found(sid) if verdict::bind(&mut tx, &app.clock, due, &sid).await? => ("bound", true),
                Finding::OthersFirst => ("waiting", false),
                Finding::Nothing if due.last_absent_at.is_some_and(|first| due.asked_at - first >= BETWEEN_LOOKS) => {
                    let may_resend = settings.dispatch.on_unknown(mode) == OnUnknown::Auto;
                    ("absent", verdict::absent(&mut tx, &app.clock, due, may_resend).await?)
                }
                Finding::Nothing => {
                    verdict::note_absence(&mut tx, due).await?;
                    ("absent_once", false)
                }
                Finding::Found(_) | Finding::Unclear => {
                    let reason = "Twilio lists something that may be it, and may be something else.";
                    ("unclear", verdict::hand_to_a_person(&mut tx, &app.clock, due, reason).await?)
                }
            };
            (found_json(listing, &candidates), conclusion, changed)
        }
    };
    keep(&mut tx, app, (due.operation, due.id), &due.sought, &found, conclusion).await?;
    tx.commit().await?;
    tracing::info!(event = "dispatch.looked_up", operation = %due.operation, attempt = due.number, conclusion);
    Ok(changed)
}

/// What came of the list, as it is kept.
fn found_json(listing: &Listing, candidates: &[Candidate]) -> Value {
    json!({
        "listed": listing.resources.len(),
        "candidates": candidates.iter().map(Candidate::as_json).collect::<Vec<_>>(),
    })
}

async fn keep(
    tx: &mut PgConnection,
    app: &AppState,
    (operation, attempt): (OperationId, AttemptId),
    sought: &Sought,
    found: &Value,
    conclusion: &str,
) -> sqlx::Result<()> {
    let asked = json!({
        "resource": look_up::name(sought.kind),
        "from": sought.from,
        "since": rfc3339(sought.since()),
        "until": rfc3339(sought.deadline_at + SKEW),
    });
    sqlx::query!(
        r#"
        insert into evidence (attempt_id, operation_id, asked, found, conclusion, at)
        values ($1, $2, $3, $4, $5, clock_timestamp() + $6::interval)
        "#,
        attempt.0,
        operation.0,
        asked,
        found,
        conclusion,
        app.clock.offset(),
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Without those that are known to belong to one of our operations.
async fn unbound(tx: &mut PgConnection, mut candidates: Vec<Candidate>) -> sqlx::Result<Vec<Candidate>> {
    let sids: Vec<String> = candidates.iter().map(|candidate| candidate.sid.clone()).collect();
    let free = sqlx::query_scalar!(
        r#"
        select sid as "sid!"
        from unnest($1::text[]) as listed (sid)
        where not exists (select from attempts a where a.provider_sid = sid)
            and not exists (select from operations o where o.provider_sid = sid)
            -- reported on with another attempt's reference, which is not closed yet
            and not exists (select from provider_events e where e.sid = listed.sid and e.matched_by = 'reference')
        "#,
        &sids,
    )
    .fetch_all(tx)
    .await?;
    candidates.retain(|candidate| free.contains(&candidate.sid));
    Ok(candidates)
}

/// Whether each candidate may be what another of our attempts sent, whose outcome is still awaited.
async fn others_under_way(tx: &mut PgConnection, due: &Due, candidates: &[Candidate]) -> sqlx::Result<bool> {
    let recipients: Vec<String> = candidates.iter().filter_map(|candidate| candidate.to.clone()).collect();
    let explained = sqlx::query_scalar!(
        r#"
        select count(distinct o.to_number) as "explained!"
        from attempts a
        join operations o on o.id = a.operation_id
        where a.state in ('sending', 'unknown')
            and a.id <> $1
            and a.mode = (select mode from operations where id = $2)
            and o.kind = $3
            and o.from_number = $4
            and o.to_number = any ($5)
        "#,
        due.id.0,
        due.operation.0,
        due.sought.kind.as_str(),
        due.sought.from,
        &recipients,
    )
    .fetch_one(tx)
    .await?;
    let recipients: std::collections::HashSet<_> = recipients.iter().collect();
    Ok(usize::try_from(explained).is_ok_and(|explained| explained == recipients.len()))
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
    let candidates = unbound(&mut connection, sought.candidates(&listing)).await?;
    let conclusion = if candidates.is_empty() { "checked" } else { "unclear" };
    let found = found_json(&listing, &candidates);
    keep(&mut connection, app, (operation, last_attempt), sought, &found, conclusion).await?;
    Ok(candidates)
}
