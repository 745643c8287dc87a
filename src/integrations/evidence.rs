//! What is written down about the ways to the providers and back. Each statement reads the end of an index.

use sqlx::PgPool;
use time::OffsetDateTime;

use crate::config::Mode;
use crate::id::{OperationId, UserId};
use crate::operation::content::Kind;

/// The newest of each kind of news.
pub(super) struct Evidence {
    pub(super) accepted: Option<Attempt>,
    pub(super) failed: Option<Attempt>,
    /// When Twilio last reported on a message or a call.
    pub(super) reported_at: Option<OffsetDateTime>,
}

/// A try to hand an operation to Twilio, and what came of it.
pub(super) struct Attempt {
    pub(super) operation: OperationId,
    pub(super) kind: Kind,
    pub(super) to_number: String,
    pub(super) state: String,
    pub(super) detail: Option<String>,
    pub(super) at: OffsetDateTime,
}

/// What was heard about one operation, besides its state.
pub(super) struct Heard {
    /// When its recording was first fetched.
    pub(super) fetched_at: Option<OffsetDateTime>,
    /// When Twilio last reported on it.
    pub(super) reported_at: Option<OffsetDateTime>,
}

/// What was last heard from `ElevenLabs`.
#[derive(Default)]
pub(super) struct SpeechEvidence {
    pub(super) made_at: Option<OffsetDateTime>,
    pub(super) failed_at: Option<OffsetDateTime>,
    /// Why it failed, in words.
    pub(super) reason: Option<String>,
}

/// A test, in short.
pub(super) struct Test {
    pub(super) id: OperationId,
    pub(super) kind: Kind,
    pub(super) state: String,
    pub(super) is_settled: bool,
    pub(super) to_number: String,
    pub(super) requester: String,
    pub(super) created_at: OffsetDateTime,
}

/// Reads the newest of each in this mode.
pub(super) async fn newest(db: &PgPool, mode: Mode) -> sqlx::Result<Evidence> {
    let attempts = sqlx::query_as!(
        Attempt,
        r#"
        with newest as (
            (
                select id, operation_id, state, detail, coalesce(ended_at, started_at) as at
                from attempts
                where mode = $1 and state = 'accepted'
                order by id desc
                limit 1
            ) union all (
                select id, operation_id, state, detail, coalesce(ended_at, started_at) as at
                from attempts
                where mode = $1 and state in ('refused', 'not_sent', 'unknown')
                order by id desc
                limit 1
            )
        )
        select
            o.id as "operation: OperationId",
            o.kind as "kind: Kind",
            o.to_number,
            n.state as "state!",
            n.detail,
            n.at as "at!"
        from newest n
        join operations o on o.id = n.operation_id
        "#,
        mode.as_str(),
    )
    .fetch_all(db)
    .await?;
    let reported_at = sqlx::query_scalar!(
        r#"
        select received_at
        from provider_events
        where mode = $1 and kind in ('message_status', 'call_status')
        order by id desc
        limit 1
        "#,
        mode.as_str(),
    )
    .fetch_optional(db)
    .await?;
    let (accepted, failed): (Vec<_>, Vec<_>) = attempts.into_iter().partition(|attempt| attempt.state == "accepted");
    Ok(Evidence { accepted: accepted.into_iter().next(), failed: failed.into_iter().next(), reported_at })
}

/// Reads what was heard about one operation.
pub(super) async fn heard(db: &PgPool, id: OperationId) -> sqlx::Result<Heard> {
    sqlx::query_as!(
        Heard,
        r#"
        select
            min(received_at) filter (where kind = 'clip_fetch') as fetched_at,
            max(received_at) filter (where kind in ('message_status', 'call_status')) as reported_at
        from provider_events
        where operation_id = $1
        "#,
        id.0,
    )
    .fetch_one(db)
    .await
}

/// Reads from the audit when speech was last made in this mode, and when it last could not be.
pub(super) async fn speech(db: &PgPool, mode: Mode) -> sqlx::Result<SpeechEvidence> {
    sqlx::query_as!(
        SpeechEvidence,
        r#"
        select
            (select max(at) from audit_lines where action = 'clip.made' and mode = $1) as made_at,
            failed.at as "failed_at?",
            failed.reason as "reason?"
        from (values (1)) as one (row) left join lateral (
            select
                at,
                details ->> 'reason' as reason
            from audit_lines
            where action = 'clip.failed'
                and mode = $1
            order by at desc
            limit 1) failed on true
        "#,
        mode.as_str(),
    )
    .fetch_one(db)
    .await
}

/// The newest tests of this mode.
pub(super) async fn tests(db: &PgPool, mode: Mode, limit: i64) -> sqlx::Result<Vec<Test>> {
    sqlx::query_as!(
        Test,
        r#"
        select
            o.id as "id: OperationId",
            o.kind as "kind: Kind",
            o.state,
            o.settled_at is not null as "is_settled!",
            o.to_number,
            requester.name as requester,
            o.created_at
        from operations o
        join users requester on requester.id = o.requested_by
        where o.mode = $1
            and o.note = 'Test from the integrations page'
            and o.source = 'page'
        order by o.id desc
        limit $2
        "#,
        mode.as_str(),
        limit,
    )
    .fetch_all(db)
    .await
}

/// The number to which this person last sent a test.
pub(super) async fn last_recipient(db: &PgPool, mode: Mode, person: UserId) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar!(
        r#"
        select to_number
        from operations
        where mode = $1
            and note = 'Test from the integrations page'
            and source = 'page'
            and requested_by = $2
        order by id desc
        limit 1
        "#,
        mode.as_str(),
        person.0,
    )
    .fetch_optional(db)
    .await
}
