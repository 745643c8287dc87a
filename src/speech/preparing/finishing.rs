//! What was made is filled into those that await it, once, and they go to the approvers; what could not be made fails them.

use tracing::Instrument as _;

use super::BATCH;
use crate::approval::{decisions, gate};
use crate::clock::Clock;
use crate::config::Mode;
use crate::database;
use crate::id::OperationId;
use crate::operation::content::{Content, ContentDigest, Payload, hex};
use crate::operation::speech::{SpeakerId, SpeechText, Spoken};
use crate::phone::{PhoneNumber, mask};
use crate::speech::clips;
use crate::state::AppState;

/// An operation whose clip is not awaited any more.
struct Awaiting {
    operation: OperationId,
    to: PhoneNumber,
    from: PhoneNumber,
    text: String,
    correlation_id: String,
    match_key: Vec<u8>,
    clip: String,
    voice: String,
    model: String,
    /// Of the audio; `None`: there is none.
    content_hash: Option<Vec<u8>>,
    reason: Option<String>,
    reason_code: Option<String>,
}

/// Ends the waiting of those whose clip was made, or could not be; answers whether there may be more.
pub(super) async fn finish(app: &AppState) -> anyhow::Result<bool> {
    let awaiting = awaiting(app).await?;
    let may_be_more = i64::try_from(awaiting.len()).is_ok_and(|count| count == BATCH);
    for awaiting in awaiting {
        let span = tracing::info_span!("speech", correlation_id = %awaiting.correlation_id);
        end(app, &awaiting).instrument(span).await?;
    }
    Ok(may_be_more)
}

async fn end(app: &AppState, awaiting: &Awaiting) -> anyhow::Result<()> {
    if let Some(clip_hash) = awaiting.clip_hash() {
        return complete(app, awaiting, clip_hash).await;
    }
    let code = awaiting.reason_code.as_deref().unwrap_or("speech_failed");
    let reason = awaiting.reason.as_deref().unwrap_or("Its speech could not be made. Ask again.");
    Ok(fail(app, awaiting.operation, code, reason).await?)
}

impl Awaiting {
    fn clip_hash(&self) -> Option<[u8; 32]> {
        self.content_hash.as_deref()?.try_into().ok()
    }

    /// What will be heard: this is decided on.
    fn content(&self, mode: Mode, clip_hash: [u8; 32]) -> Content {
        let spoken = Spoken {
            text: SpeechText::stored(self.text.clone()),
            voice: SpeakerId::stored(self.voice.clone()),
            model: SpeakerId::stored(self.model.clone()),
            clip_hash,
        };
        Content { mode, to: self.to.clone(), from: self.from.clone(), payload: Payload::Spoken(spoken) }
    }
}

async fn awaiting(app: &AppState) -> sqlx::Result<Vec<Awaiting>> {
    sqlx::query_as!(
        Awaiting,
        r#"
        select
            o.id as "operation: OperationId",
            o.to_number as "to: PhoneNumber",
            o.from_number as "from: PhoneNumber",
            o.speech_text as "text!",
            o.correlation_id,
            o.match_key,
            c.id as clip,
            c.voice_id as "voice!",
            c.model_id as "model!",
            case when c.state = 'ready' then c.content_hash end as content_hash,
            c.reason,
            c.reason_code
        from operations o join clips c on c.id = o.awaited_clip
        where o.mode = $1
            and o.state = 'preparing'
            and o.expires_at > clock_timestamp() + $2::interval
            and c.state in ('ready', 'failed')
        order by o.id
        limit $3
        "#,
        app.config.mode.as_str(),
        app.clock.offset(),
        BATCH,
    )
    .fetch_all(&app.db)
    .await
}

/// There is something to hear: the operation waits for a person, or is let through by the rule that does not.
async fn complete(app: &AppState, awaiting: &Awaiting, clip_hash: [u8; 32]) -> anyhow::Result<()> {
    let Some(digest) = awaiting.content(app.config.mode, clip_hash).digest() else { return Ok(()) };
    let settings = app.settings.current();
    let verdict = gate::judge(&settings);
    let operation = awaiting.operation;
    let mut tx = database::begin(&app.db).await?;
    if !fill(&mut tx, &app.clock, awaiting, digest, verdict.rule()).await? {
        // Cancelled, expired, or finished by another process.
        return Ok(());
    }
    if verdict.is_granted() {
        decisions::approve_by_rule(&mut tx, &app.clock, &settings, operation, verdict).await?;
    }
    tx.commit().await?;
    let event = if verdict.is_granted() { "approval.granted" } else { "approval.held" };
    let (rule, mode, clip) = (verdict.rule(), app.config.mode, clips::in_log(&awaiting.clip));
    tracing::info!(event, %operation, rule, to = mask(awaiting.to.as_str()), %mode, %clip, "its speech was made");
    app.changes.announce(operation);
    if verdict.is_granted() {
        app.changes.wake();
    }
    Ok(())
}

/// Fills in what was made, if the operation still awaits it; answers whether it did.
async fn fill(
    tx: &mut sqlx::PgConnection,
    clock: &Clock,
    awaiting: &Awaiting,
    digest: ContentDigest,
    rule: &str,
) -> sqlx::Result<bool> {
    let filled = sqlx::query_scalar!(
        r#"
        with clock as materialized (
            select clock_timestamp() + $1::interval as at
        ), twin as (
            select o.id
            from operations o, clock
            where o.match_key = $3 and o.content_digest = $4
                and o.id <> $2
                and o.created_at > clock.at - interval '24 hours'
                and o.state not in ('rejected', 'cancelled', 'expired')
            order by o.id desc
            limit 1
        ), filled as (
            update operations o
            set state = 'pending_approval',
                clip_id = c.id,
                voice_id = c.voice_id,
                model_id = c.model_id,
                content_digest = $4,
                possible_duplicate_of = (select id from twin),
                gate_rule = $6,
                delay_reason = null,
                not_before = clock.at,
                updated_at = clock.at
            from clips c, clock
            where o.id = $2 and o.state = 'preparing' and o.expires_at > clock.at
                and o.awaited_clip = $5 and c.id = $5 and c.state = 'ready'
            returning o.id, o.mode, o.correlation_id, o.clip_id, o.voice_id, o.model_id
        ), line as (
            insert into audit_lines (object, at, actor, action, from_state, to_state, mode, correlation_id, details)
            select
                'operation/' || id, clock.at, 'speech', 'operation.prepared', 'preparing', 'pending_approval', mode,
                correlation_id, jsonb_build_object(
                    'digest', $7::text, 'clip', clip_id, 'voice', voice_id, 'model', model_id, 'rule', $6::text)
            from filled, clock
        )
        select id from filled
        "#,
        clock.offset(),
        awaiting.operation.0,
        awaiting.match_key,
        &digest.as_bytes()[..],
        awaiting.clip,
        rule,
        hex(digest.as_bytes()),
    )
    .fetch_optional(tx)
    .await?;
    Ok(filled.is_some())
}

/// There will be nothing to hear: the operation fails, and says why.
pub(super) async fn fail(app: &AppState, operation: OperationId, code: &str, reason: &str) -> sqlx::Result<()> {
    let failed = sqlx::query_scalar!(
        r#"
        with clock as materialized (
            select clock_timestamp() + $1::interval as at
        ), failed as (
            update operations o
            set state = 'failed',
                reason = $3,
                reason_code = $4,
                delay_reason = null,
                finished_at = clock.at,
                updated_at = clock.at
            from clock
            where o.id = $2 and o.state = 'preparing'
            returning o.id, o.mode, o.correlation_id
        ), line as (
            insert into audit_lines (object, at, actor, action, from_state, to_state, mode, correlation_id, details)
            select
                'operation/' || id, clock.at, 'speech', 'operation.not_prepared', 'preparing', 'failed', mode,
                correlation_id, jsonb_build_object('reason', $3::text, 'code', $4::text)
            from failed, clock
        )
        select id from failed
        "#,
        app.clock.offset(),
        operation.0,
        reason,
        code,
    )
    .fetch_optional(&app.db)
    .await?;
    if failed.is_some() {
        tracing::warn!(event = "voice.not_prepared", %operation, code, reason, "its speech was not made");
        app.changes.announce(operation);
    }
    Ok(())
}
