//! A person's word about an operation whose outcome the evidence does not settle.

use axum::http::StatusCode;
use serde_json::json;
use sqlx::PgPool;

use super::look::{self, Sought};
use crate::approval::policy::{Approval, Decider};
use crate::audit::Actor;
use crate::clock::{Clock, interval};
use crate::config::Operating;
use crate::database;
use crate::error::{Problem, Result};
use crate::id::AttemptId;
use crate::operation::status::State;
use crate::operation::store::Operation;
use crate::state::AppState;
use crate::twilio::{Sid, Twilio};
use crate::vault::TwilioCredentials;

/// What a person says became of it.
#[derive(Clone, Debug)]
pub enum Word {
    /// It was sent; with a SID it is followed from there.
    Sent(Option<Sid>),
    /// It was not sent. It is closed.
    Failed,
    /// It was not sent, and is to be sent now: a new approval by someone who may give it.
    SendAgain(Approval),
}

impl Word {
    fn outcome(&self) -> &'static str {
        match self {
            Self::Sent(_) => "sent",
            Self::Failed => "failed",
            Self::SendAgain(_) => "send_again",
        }
    }

    fn state(&self) -> State {
        match self {
            Self::Sent(_) => State::Accepted,
            Self::Failed => State::Failed,
            Self::SendAgain(_) => State::Approved,
        }
    }
}

/// Refuses to send again what may be on its way: before the settle time nobody can know, and after it Twilio is asked.
pub async fn look_first(app: &AppState, operation: &Operation, credentials: Option<&TwilioCredentials>) -> Result<()> {
    // From the first that may have left us and is bound to nothing to the last.
    let attempts = sqlx::query!(
        r#"
        select
            (array_agg(id order by number desc))[1] as "last: AttemptId",
            min(started_at) as started_at,
            max(deadline_at) as deadline_at,
            max(settle_at) as settle_at
        from attempts
        where operation_id = $1 and state in ('sending', 'unknown', 'needs_review', 'absent')
        "#,
        operation.id.0,
    )
    .fetch_one(&app.db)
    .await?;
    let (Some(last), Some(started_at), Some(deadline_at), Some(settle_at)) =
        (attempts.last, attempts.started_at, attempts.deadline_at, attempts.settle_at)
    else {
        return Ok(());
    };
    let wait = settle_at - app.clock.now();
    if wait.is_positive() {
        return Err(too_early(wait).into());
    }
    let Some(credentials) = credentials else { return Err(no_credentials().into()) };
    let sought = Sought {
        kind: operation.kind,
        to: operation.to_number.clone(),
        from: operation.from_number.clone(),
        message: operation.message.clone(),
        started_at,
        deadline_at,
    };
    let looking = look::for_decision(app, operation.id, last, &sought, credentials);
    let candidates = looking.await.map_err(|error| not_asked(&error))?;
    if candidates.is_empty() {
        return Ok(());
    }
    let sids: Vec<_> = candidates.into_iter().map(|candidate| candidate.sid).collect();
    let detail = "Twilio lists one that may be this. Look at it, and resolve with its SID if it is.";
    Err(Problem::new(StatusCode::CONFLICT, "evidence_found", detail).with("candidates", json!(sids)).into())
}

/// Refuses to bind what Twilio does not know, or what went to somebody else: a slip in a SID would make this operation
/// follow another message.
pub async fn check_sid(
    operation: &Operation,
    sid: &Sid,
    twilio: &Twilio,
    credentials: Option<&TwilioCredentials>,
) -> Result<()> {
    let Some(credentials) = credentials else { return Err(no_credentials().into()) };
    let fetched = twilio.fetch(operation.kind, sid, credentials).await.map_err(|error| not_asked(&error))?;
    let Some(fetched) = fetched else {
        let detail = "Twilio does not know this SID. Copy it from Twilio's console.";
        return Err(Problem::new(StatusCode::CONFLICT, "sid_unknown", detail).into());
    };
    let is_ours = fetched.to.as_ref() == Some(&operation.to_number) && fetched.direction.starts_with("outbound");
    if !is_ours {
        let detail = "Twilio says that this SID did not go out to this recipient. Write the SID of the one that did.";
        return Err(Problem::new(StatusCode::CONFLICT, "sid_differs", detail).into());
    }
    Ok(())
}

fn no_credentials() -> Problem {
    let detail = "There are no Twilio credentials to ask with. Store them in the API Vault first.";
    Problem::new(StatusCode::CONFLICT, "not_looked_up", detail)
}

fn not_asked(error: &anyhow::Error) -> Problem {
    tracing::warn!(event = "twilio.look_up_failed", error = format!("{error:#}"));
    let detail = "Twilio could not be asked whether it was sent. Try again in a minute.";
    Problem::new(StatusCode::CONFLICT, "not_looked_up", detail)
}

/// Records a person's word, if the operation still stands where they looked at it and no report says otherwise.
pub async fn resolve(
    db: &PgPool,
    clock: &Clock,
    settings: &Operating,
    operation: &Operation,
    (decider, word): (Decider, &Word),
    reason: &str,
    actor: &Actor,
) -> Result<()> {
    let sid = if let Word::Sent(sid) = word { sid.as_ref().map(Sid::as_str) } else { None };
    let self_approved = matches!(word, Word::SendAgain(Approval::OfOneself));
    let mut tx = database::begin(db).await?;
    let moved = sqlx::query_scalar!(
        r#"
        with clock as materialized (
            select clock_timestamp() + $1::interval as at
        ), before as (
            select o.id, o.state
            from operations o, clock
            where o.id = $2
                and o.state in ('unknown', 'needs_review')
                and ($4 <> 'send_again' or not exists (
                    select
                    from attempts a
                    where a.operation_id = o.id
                        and (a.settle_at > clock.at
                            or exists (select from provider_events e where e.attempt_id = a.id))))
            for update of o
        ), closed as (
            update attempts a
            set state = case when $4 = 'sent' then 'accepted' else 'resolved' end,
                provider_sid = coalesce(a.provider_sid, $5),
                bound_by = case when $5::text is not null then 'person' else a.bound_by end,
                ended_at = clock.at
            from before, clock
            where a.operation_id = before.id and a.state in ('unknown', 'needs_review')
        ), moved as (
            update operations o
            set state = $3,
                provider_sid = coalesce(o.provider_sid, $5),
                reason = $6,
                reason_code = 'resolved_' || $4,
                approved_by = case when $4 = 'send_again' then $7 else o.approved_by end,
                approved_by_rule = case when $4 = 'send_again' then null else o.approved_by_rule end,
                approved_at = case when $4 = 'send_again' then clock.at else o.approved_at end,
                execute_before = case when $4 = 'send_again' then clock.at + $9::interval else o.execute_before end,
                self_approved = case when $4 = 'send_again' then $10 else o.self_approved end,
                not_before = clock.at,
                unknown_since = null,
                accepted_at = case when $4 = 'sent' then clock.at end,
                finished_at = case when $4 = 'failed' then clock.at end,
                updated_at = clock.at
            from before, clock
            where o.id = before.id
            returning o.id, o.mode, before.state as from_state, o.content_digest
        ), decision as (
            insert into decisions (
                operation_id, decision, digest, decided_by, token_id, outcome, sid, reason, self_approved, decided_at)
            select id, 'resolve', content_digest, $7, $8, $4, $5, $6, $10, clock.at
            from moved, clock
        ), line as (
            insert into audit_lines (
                object, at, actor, actor_id, token_id, action, from_state, to_state, mode, ip, correlation_id, details)
            select
                'operation/' || id, clock.at, $11, $7, $8, 'operation.resolved', from_state, $3, mode, $12, $13,
                jsonb_build_object('outcome', $4::text, 'sid', $5::text, 'reason', $6::text)
            from moved, clock
        )
        select id from moved
        "#,
        clock.offset(),
        operation.id.0,
        word.state().as_str(),
        word.outcome(),
        sid,
        reason,
        decider.user.0,
        decider.token.map(|token| token.0),
        interval(settings.approval.execution_window()),
        self_approved,
        actor.name,
        actor.ip,
        actor.correlation_id,
    )
    .fetch_optional(&mut *tx)
    .await;
    match moved {
        Ok(Some(_)) => {
            tx.commit().await?;
            tracing::info!(event = "operation.resolved", operation = %operation.id, outcome = word.outcome(), "resolved");
            Ok(())
        }
        Ok(None) => {
            tx.rollback().await?;
            Err(refusal(db, clock, operation).await?.into())
        }
        Err(error)
            if matches!(database::violated_constraint(&error), Some("attempts_sid_bound_once" | "operations_sid")) =>
        {
            let detail = "This SID belongs to another operation. Check it, and write the SID of this one.";
            Err(Problem::new(StatusCode::CONFLICT, "sid_bound_elsewhere", detail).into())
        }
        Err(error) => Err(error.into()),
    }
}

/// Why the statement moved nothing.
async fn refusal(db: &PgPool, clock: &Clock, operation: &Operation) -> sqlx::Result<Problem> {
    let now = sqlx::query!(
        r#"
        select
            o.state as "state: State",
            (select max(a.settle_at) from attempts a where a.operation_id = o.id) as settle_at,
            exists (
                select
                from provider_events e join attempts a on a.id = e.attempt_id
                where a.operation_id = o.id) as "reported!"
        from operations o
        where o.id = $1
        "#,
        operation.id.0,
    )
    .fetch_one(db)
    .await?;
    if !matches!(now.state, State::Unknown | State::NeedsReview) {
        let detail = format!("There is nothing to resolve: it is {} now. Load it again.", now.state);
        return Ok(Problem::new(StatusCode::CONFLICT, "nothing_to_resolve", detail).with("state", now.state.as_str()));
    }
    if now.reported {
        let detail = "Twilio reported on it, so it was sent. Load it again to see what became of it.";
        return Ok(Problem::new(StatusCode::CONFLICT, "evidence_found", detail));
    }
    let wait = now.settle_at.map_or(time::Duration::ZERO, |settle_at| settle_at - clock.now());
    Ok(too_early(wait))
}

fn too_early(wait: time::Duration) -> Problem {
    let seconds = wait.whole_seconds().max(0).unsigned_abs() + 1;
    let detail = format!("Twilio may still come to know of it. Decide in {seconds} s, when that can be told.");
    Problem { retry_after: Some(seconds), ..Problem::new(StatusCode::CONFLICT, "too_early", detail) }
}
