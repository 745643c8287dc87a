//! The asking: one statement that replays, refuses or creates.

use sqlx::PgPool;

use crate::approval::gate::Verdict;
use crate::audit::Actor;
use crate::clock::{Clock, interval};
use crate::config::Operating;
use crate::id::{OperationId, TokenId};
use crate::idempotency::{self, KeyUse, KnownKey};
use crate::operation::content::{Content, hex};

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
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Created {
    /// It is committed.
    New(OperationId),
    /// The key is known.
    Known(KnownKey),
    /// All sending is on hold, for this reason.
    Held(String),
    /// The number is on the do-not-contact list, for this reason.
    DoNotContact(String),
}

/// Replays, refuses or creates: an existing key answers before any policy; a refusal inserts nothing; else key,
/// operation and audit line are one statement. Of concurrent callers with one key the index lets one create; the others
/// find its row in a second statement.
#[expect(clippy::too_many_lines, reason = "one statement: everything in it commits together")]
pub async fn create(db: &PgPool, clock: &Clock, settings: &Operating, asking: &Asking<'_>) -> sqlx::Result<Created> {
    let id = OperationId::new();
    let segments = asking.content.segments();
    let digest = asking.content.digest();
    let token = asking.token.map(|token| token.0);
    let row = sqlx::query!(
        r#"
        with clock as materialized (
            select clock_timestamp() + $1::interval as at
        ), existing as (
            select
                k.operation_id,
                k.fingerprint,
                k.expires_at < clock.at and is_over(o) as is_expired
            from clock, idempotency_keys k join operations o on o.id = k.operation_id
            where k.owner = $2 and k.mode = $3 and k.route = $4 and k.key = $5
        ), refusal as (
            select
                (select coalesce(reason, '') from hold where held) as held,
                (select reason from do_not_contact where number = $6) as do_not_contact
        ), twin as (
            select o.id
            from operations o, clock
            where o.match_key = $7 and o.created_at > clock.at - interval '24 hours'
                and o.state not in ('rejected', 'cancelled', 'expired')
            order by o.id desc
            limit 1
        ), new_key as (
            insert into idempotency_keys (owner, mode, route, key, fingerprint, operation_id, created_at, expires_at)
            select $2, $3, $4, $5, $8, $9, clock.at, clock.at + make_interval(days => $10)
            from clock, refusal
            where refusal.held is null and refusal.do_not_contact is null
                and not exists (select from existing)
            on conflict do nothing
            returning operation_id
        ), new_operation as (
            insert into operations (
                id, mode, kind, state, to_number, from_number, message, audio_url, content_digest, match_key, segments, encoding,
                requested_by, requested_token, source, note, correlation_id, idempotency_key,
                created_at, updated_at, not_before, possible_duplicate_of, gate_rule, expires_at,
                approved_by_rule, approved_digest, approved_at, execute_before
            )
            select
                $9, $3, $11, case when $12 then 'approved' else 'pending_approval' end, $6, $13, $14, $28, $15::bytea, $7, $16, $17,
                $2, $18::uuid, $19::text, $20, $21::text, $5,
                clock.at, clock.at, clock.at, (select id from twin), $22::text, clock.at + $23::interval,
                case when $12 then $22::text end, case when $12 then $15::bytea end, case when $12 then clock.at end,
                case when $12 then clock.at + $24::interval end
            from new_key, clock
            returning id, mode, kind, state, from_number, content_digest
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
        select
            (select id from new_operation) as created,
            existing.operation_id as "replayed?",
            existing.fingerprint as "fingerprint?",
            existing.is_expired as "is_expired?",
            refusal.held,
            refusal.do_not_contact
        from refusal left join existing on true
        "#,
        clock.offset(),
        asking.key.owner.0,
        asking.key.mode.as_str(),
        asking.key.route,
        asking.key.key.as_str(),
        asking.content.to.as_str(),
        &asking.content.match_key()[..],
        &asking.key.fingerprint[..],
        id.0,
        idempotency::KEPT_DAYS,
        asking.content.payload.kind().as_str(),
        asking.verdict.is_granted(),
        asking.content.from.as_str(),
        asking.content.payload.message(),
        &digest.as_bytes()[..],
        segments.map(|segments| i32::from(segments.count)),
        segments.map(|segments| segments.encoding.to_string()),
        token,
        asking.source,
        asking.note,
        asking.actor.correlation_id.as_deref().unwrap_or_default(),
        asking.verdict.rule(),
        interval(settings.approval.pending()),
        interval(settings.approval.execution_window()),
        asking.actor.name,
        asking.actor.ip,
        hex(digest.as_bytes()),
        asking.content.payload.audio_url(),
    )
    .fetch_one(db)
    .await?;

    if let Some(created) = row.created {
        return Ok(Created::New(OperationId(created)));
    }
    if let (Some(operation), Some(fingerprint)) = (row.replayed, row.fingerprint) {
        let is_expired = row.is_expired.unwrap_or(false);
        return Ok(Created::Known(KnownKey::of(asking.key, OperationId(operation), &fingerprint, is_expired)));
    }
    if let Some(reason) = row.do_not_contact {
        return Ok(Created::DoNotContact(reason));
    }
    if let Some(reason) = row.held {
        return Ok(Created::Held(reason));
    }
    // Somebody else's request with this key was committed while ours waited for the index.
    match idempotency::find(db, clock, asking.key).await? {
        Some(known) => Ok(Created::Known(known)),
        None => Err(sqlx::Error::RowNotFound),
    }
}
