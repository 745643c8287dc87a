//! The asking: one statement that replays, refuses or creates.

use sqlx::PgPool;

use super::row::{Operation, select_operations};
use crate::approval::gate::Verdict;
use crate::audit::Actor;
use crate::clock::{Clock, interval};
use crate::config::{Mode, Operating};
use crate::id::{OperationId, TokenId, UserId};
use crate::idempotency::{self, KeyUse};
use crate::operation::content::{Content, Kind, hex};
use crate::operation::speech::SpeakerId;
use crate::operation::status::State;

/// How often an asking looks again that lost a race: the second look finds what the first waited for, unless a hold comes
/// and goes in between.
const TRIES: usize = 3;

/// Everything that makes an operation. The verdict can only come from the gate.
#[derive(Debug)]
pub struct Asking<'a> {
    /// What will be sent.
    pub content: &'a Content,
    /// The key, its scope, and the request that it stands for.
    pub key: &'a KeyUse,
    /// The token, if one asks.
    pub token: Option<TokenId>,
    /// `page`, `api`, `command` or `gateway`.
    pub source: &'static str,
    /// For the approver.
    pub note: Option<&'a str>,
    /// Who, from where.
    pub actor: &'a Actor,
    /// The gate's word.
    pub verdict: Verdict,
}

/// What became of an asking.
#[derive(Debug)]
pub enum Created {
    /// It is committed.
    New(Operation),
    /// The key stands for the same request: its operation, as it stands now.
    Replay(Operation),
    /// The key stands for another request.
    Mismatch,
    /// The key was used too long ago.
    Expired,
    /// All sending is on hold, for this reason.
    Held(String),
    /// The number is on the do-not-contact list, for this reason.
    DoNotContact(String),
}

/// Replays, refuses or creates: an existing key answers before any policy; a refusal inserts nothing; else key,
/// operation and audit line are one statement. Of concurrent callers with one key the index lets one create; the others
/// find its row the second time.
pub async fn create(db: &PgPool, clock: &Clock, settings: &Operating, asking: &Asking<'_>) -> sqlx::Result<Created> {
    let id = OperationId::new();
    for _ in 0..TRIES {
        match replay_or_insert(db, clock, settings, asking, id).await? {
            Some(operation) if operation.id == id => return Ok(Created::New(operation)),
            Some(operation) => return Ok(known(operation, asking.key)),
            None => {}
        }
        if let Some(refused) = refusal(db, asking).await? {
            return Ok(refused);
        }
        // Somebody else's request with this key was committed while ours waited for the index, or what stood in the way
        // is gone.
    }
    Err(sqlx::Error::RowNotFound)
}

/// What a key answers, without asking for anything: a replay needs no configuration.
pub async fn find_by_key(db: &PgPool, clock: &Clock, used: &KeyUse) -> sqlx::Result<Option<Created>> {
    let found = select_operations!(
        "where key.owner = $2 and key.mode = $3 and key.route = $4 and key.key = $5",
        clock.offset(),
        used.owner.0,
        used.mode.as_str(),
        used.route,
        used.key.as_str(),
    );
    Ok(found.fetch_optional(db).await?.map(|operation| known(operation, used)))
}

/// What a known key answers to this use of it.
fn known(operation: Operation, used: &KeyUse) -> Created {
    if operation.has_expired_key() {
        Created::Expired
    } else if operation.fingerprint.as_deref() == Some(&used.fingerprint) {
        Created::Replay(operation)
    } else {
        Created::Mismatch
    }
}

/// The key's operation: an earlier one, or the new one with this id; `None` where another statement has to say why there
/// is none.
#[expect(clippy::too_many_lines, reason = "one statement: everything in it commits together")]
async fn replay_or_insert(
    db: &PgPool,
    clock: &Clock,
    settings: &Operating,
    asking: &Asking<'_>,
    id: OperationId,
) -> sqlx::Result<Option<Operation>> {
    let Asking { content, key, actor, verdict, .. } = asking;
    let segments = content.segments();
    let speech = content.payload.speech();
    // What has still to be spoken has no digest, and nobody can have approved it.
    let digest = content.digest();
    let is_granted = verdict.is_granted() && digest.is_some();
    select_operations!(
        with r#"
        with clock as materialized (
            select clock_timestamp() + $1::interval as at
        ), existing as (
            select *
            from idempotency_keys
            where owner = $2 and mode = $3 and route = $4 and key = $5
        ), twin as (
            select o.id
            from operations o, clock
            -- the index is the match key's, which does not tell two recordings apart
            where o.match_key = $7 and o.content_digest = $15::bytea
                and o.created_at > clock.at - interval '24 hours'
                and o.state not in ('rejected', 'cancelled', 'expired')
            order by o.id desc
            limit 1
        ), new_key as (
            insert into idempotency_keys (owner, mode, route, key, fingerprint, operation_id, created_at, expires_at)
            select $2, $3, $4, $5, $8, $9, clock.at, clock.at + make_interval(days => $10)
            from clock
            where not exists (select from existing)
                and not exists (select from hold where held)
                and not exists (select from do_not_contact where number = $6)
            on conflict do nothing
            returning *
        ), new_operation as (
            insert into operations (
                id, mode, kind, state, to_number, from_number, message, audio_url, speech_text, voice_id, model_id,
                content_digest, match_key, segments, encoding, requested_by, requested_token, source, note,
                correlation_id, idempotency_key, created_at, updated_at, not_before, possible_duplicate_of,
                gate_rule, expires_at, approved_by_rule, approved_digest, approved_at, execute_before
            )
            select
                $9, $3, $11,
                case when $29::text is not null then 'preparing' when $12 then 'approved' else 'pending_approval' end,
                $6, $13, $14, $28, $29::text, $30, $31, $15::bytea, $7,
                $16, $17, $2, $18::uuid, $19::text, $20, $21::text, $5,
                clock.at, clock.at, clock.at, (select id from twin), $22::text, clock.at + $23::interval,
                case when $12 then $22::text end, case when $12 then $15::bytea end, case when $12 then clock.at end,
                case when $12 then clock.at + $24::interval end
            from new_key, clock
            -- what was asked for just now needs nobody's attention yet
            returning *, false as needs_attention
        ), new_line as (
            insert into audit_lines (
                object, seq, at, actor, actor_id, token_id, action, to_state, mode, ip, correlation_id, details)
            select
                'operation/' || id, 1, clock.at, $25, $2, $18::uuid, 'operation.asked', state, mode, $26, $21::text,
                jsonb_build_object('digest', $27::text, 'rule', $22::text, 'source', $19::text)
            from new_operation, clock
        ), new_decision as (
            insert into decisions (operation_id, decision, digest, rule, decided_at)
            select id, 'approve', content_digest, $22::text, clock.at
            from new_operation, clock
            where state = 'approved'
        ), new_rate as (
            insert into sender_rates (mode, kind, from_number)
            select mode, kind, from_number
            from new_operation
            where state = 'approved'
            on conflict do nothing
        )
        "#,
        needs_attention "o.needs_attention",
        from r#"
            (select * from existing union all select * from new_key) key
            cross join lateral (
                select *
                from new_operation
                union all
                -- given a column for the time, PostgreSQL inlines the function; given a volatile expression it cannot
                select operations.*, needs_attention(operations, clock.at)
                from operations, clock
                where id = key.operation_id
            ) o
        "#,
        "",
        clock.offset(),
        key.owner.0,
        key.mode.as_str(),
        key.route,
        key.key.as_str(),
        content.to.as_str(),
        &content.match_key()[..],
        &key.fingerprint[..],
        id.0,
        idempotency::KEPT_DAYS,
        content.payload.kind().as_str(),
        is_granted,
        content.from.as_str(),
        content.payload.message(),
        digest.as_ref().map(|digest| &digest.as_bytes()[..]),
        segments.map(|segments| i32::from(segments.count)),
        segments.map(|segments| segments.encoding.to_string()),
        asking.token.map(|token| token.0),
        asking.source,
        asking.note,
        actor.correlation_id.as_deref().unwrap_or_default(),
        verdict.rule(),
        interval(settings.approval.pending()),
        interval(settings.approval.execution_window()),
        actor.name,
        actor.ip,
        digest.map(|digest| hex(digest.as_bytes())),
        content.payload.audio_url(),
        speech.map(|speech| speech.text.as_str()),
        speech.and_then(|speech| speech.voice.as_ref()).map(SpeakerId::as_str),
        speech.and_then(|speech| speech.model.as_ref()).map(SpeakerId::as_str),
    )
    .fetch_optional(db)
    .await
}

/// Why nothing was inserted; `None` if the key is known by now, or nothing stands in the way any more.
async fn refusal(db: &PgPool, asking: &Asking<'_>) -> sqlx::Result<Option<Created>> {
    let key = asking.key;
    let why = sqlx::query!(
        r#"
        select
            (select coalesce(reason, '') from hold where held) as held,
            (select reason from do_not_contact where number = $5) as do_not_contact
        where not exists (
            select
            from idempotency_keys
            where owner = $1 and mode = $2 and route = $3 and key = $4)
        "#,
        key.owner.0,
        key.mode.as_str(),
        key.route,
        key.key.as_str(),
        asking.content.to.as_str(),
    );
    Ok(why
        .fetch_optional(db)
        .await?
        .and_then(|why| why.do_not_contact.map(Created::DoNotContact).or_else(|| why.held.map(Created::Held))))
}
