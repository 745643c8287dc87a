//! The whole story of one operation: what was decided, tried, looked up and reported.

use serde_json::Value;
use sqlx::{PgConnection, PgPool};
use time::OffsetDateTime;

use super::row::{Operation, find};
use crate::clock::Clock;
use crate::config::Mode;
use crate::database;
use crate::id::{AttemptId, OperationId};
use crate::operation::audio_look::{self, AudioLook};
use crate::operation::content::hex;

/// Everything that happened to an operation, each list oldest first.
#[derive(Debug)]
pub struct Story {
    pub decisions: Vec<Decision>,
    pub attempts: Vec<Attempt>,
    pub evidence: Vec<Evidence>,
    pub events: Vec<Event>,
    pub history: Vec<HistoryLine>,
    /// What was seen of a recording elsewhere when the call was asked for.
    pub audio_look: Option<AudioLook>,
}

/// A decision of a person or of a rule.
#[derive(Debug)]
pub struct Decision {
    pub decision: String,
    pub digest: Option<Vec<u8>>,
    pub decided_by: Option<String>,
    pub token: Option<String>,
    pub rule: Option<String>,
    pub outcome: Option<String>,
    pub sid: Option<String>,
    pub reason: Option<String>,
    pub self_approved: bool,
    pub decided_at: OffsetDateTime,
}

/// One try to hand it to Twilio.
#[derive(Debug)]
pub struct Attempt {
    pub id: AttemptId,
    pub number: i32,
    pub state: String,
    pub started_at: OffsetDateTime,
    pub deadline_at: OffsetDateTime,
    pub settle_at: OffsetDateTime,
    pub ended_at: Option<OffsetDateTime>,
    pub http_status: Option<i32>,
    pub error_code: Option<i32>,
    pub detail: Option<String>,
    pub provider_sid: Option<String>,
    pub bound_by: Option<String>,
    pub request_id: Option<String>,
}

/// What was looked up about an unknown outcome.
#[derive(Debug)]
pub struct Evidence {
    /// The number of the attempt that it is about.
    pub attempt: i32,
    pub asked: Value,
    pub found: Value,
    pub conclusion: String,
    pub at: OffsetDateTime,
}

/// A fact that Twilio reported.
#[derive(Debug)]
pub struct Event {
    pub kind: String,
    pub sid: String,
    pub status: Option<String>,
    pub error_code: Option<i32>,
    pub matched_by: String,
    pub received_at: OffsetDateTime,
    pub payload: Value,
}

/// A line of the audit.
#[derive(Debug)]
pub struct HistoryLine {
    pub seq: i32,
    pub at: OffsetDateTime,
    pub actor: String,
    /// The person's name, and the token that acted for them.
    pub person: Option<String>,
    pub token: Option<String>,
    pub correlation_id: Option<String>,
    pub action: String,
    pub from_state: Option<String>,
    pub to_state: Option<String>,
    pub details: Value,
    pub hash: Vec<u8>,
}

impl Decision {
    /// The digest that was decided on.
    pub fn digest_hex(&self) -> Option<String> {
        self.digest.as_deref().map(hex)
    }
}

/// An operation and its story, both of one moment: what is shown of an attempt and of its operation agrees.
pub async fn whole(
    db: &PgPool,
    clock: &Clock,
    mode: Mode,
    id: OperationId,
) -> sqlx::Result<Option<(Operation, Story)>> {
    let mut tx = database::begin_snapshot(db).await?;
    let Some(operation) = find(&mut *tx, clock, mode, id).await? else { return Ok(None) };
    let story = story(&mut tx, id).await?;
    tx.commit().await?;
    Ok(Some((operation, story)))
}

async fn story(db: &mut PgConnection, id: OperationId) -> sqlx::Result<Story> {
    let decisions = sqlx::query_as!(
        Decision,
        r#"
        select
            d.decision,
            d.digest,
            u.name as "decided_by?",
            t.name as "token?",
            d.rule,
            d.outcome,
            d.sid,
            d.reason,
            d.self_approved,
            d.decided_at
        from decisions d
        left join users u on u.id = d.decided_by
        left join api_tokens t on t.id = d.token_id
        where d.operation_id = $1
        order by d.id
        "#,
        id.0,
    )
    .fetch_all(&mut *db)
    .await?;
    let attempts = sqlx::query_as!(
        Attempt,
        r#"
        select
            id as "id: AttemptId",
            number,
            state,
            started_at,
            deadline_at,
            settle_at,
            ended_at,
            http_status,
            error_code,
            detail,
            provider_sid,
            bound_by,
            request_id
        from attempts
        where operation_id = $1
        order by number
        "#,
        id.0,
    )
    .fetch_all(&mut *db)
    .await?;
    let evidence = sqlx::query_as!(
        Evidence,
        r#"
        select
            a.number as attempt,
            e.asked,
            e.found,
            e.conclusion,
            e.at
        from evidence e join attempts a on a.id = e.attempt_id
        where e.operation_id = $1
        order by e.id
        "#,
        id.0,
    )
    .fetch_all(&mut *db)
    .await?;
    let events = sqlx::query_as!(
        Event,
        r#"
        select kind, sid, status, error_code, matched_by, received_at, payload
        from provider_events
        where operation_id = $1
        order by id
        "#,
        id.0,
    )
    .fetch_all(&mut *db)
    .await?;
    let history = history(&mut *db, id).await?;
    let audio_look = audio_look::find(&mut *db, id).await?;
    Ok(Story { decisions, attempts, evidence, events, history, audio_look })
}

async fn history(db: &mut PgConnection, id: OperationId) -> sqlx::Result<Vec<HistoryLine>> {
    sqlx::query_as!(
        HistoryLine,
        r#"
        select
            l.seq,
            l.at,
            l.actor,
            u.name as "person?",
            t.name as "token?",
            l.correlation_id,
            l.action,
            l.from_state,
            l.to_state,
            l.details,
            l.hash
        from audit_lines l
        left join users u on u.id = l.actor_id
        left join api_tokens t on t.id = l.token_id
        where l.object = 'operation/' || $1::uuid
        order by l.seq
        "#,
        id.0,
    )
    .fetch_all(db)
    .await
}
