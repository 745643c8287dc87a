//! A report as a fact: stored once, and the operation moved by rank, so that late, repeated and reordered reports change
//! nothing.

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use sqlx::PgPool;

use super::word;
use crate::clock::Clock;
use crate::config::Mode;
use crate::database;
use crate::id::OperationId;
use crate::operation::content::Kind;

/// Where a report comes from.
#[derive(Debug)]
pub(super) enum Source {
    /// Twilio knocked.
    Callback,
    /// Twilio was asked.
    LookUp,
    /// Twilio knocked when we did not know whose it is; stored under this.
    Orphan { dedup: Vec<u8> },
}

/// A status report on a message or a call, checked.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) source: Source,
    /// What it is about.
    pub(super) kind: Kind,
    /// The operation that the URL names.
    pub(super) operation: OperationId,
    /// SHA-256 of the reference in the URL.
    pub(super) ref_hash: Option<[u8; 32]>,
    pub(super) account_sid: String,
    pub(super) sid: String,
    pub(super) status: String,
    pub(super) error_code: Option<i32>,
    /// The place of a call's report among its others, from 0.
    pub(super) sequence: Option<i32>,
    /// All parameters, as they came.
    pub(super) payload: Value,
}

/// What a report did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// The operation moved, or was marked.
    Moved,
    /// It said nothing new.
    Nothing,
    /// It belongs to no operation that we know: kept, not believed.
    Orphan,
}

impl Report {
    /// What makes a repeat a repeat.
    fn dedup(&self) -> Vec<u8> {
        if let Source::Orphan { dedup } = &self.source {
            return dedup.clone();
        }
        let parts = serde_json::json!([
            self.event_kind(),
            self.operation,
            self.ref_hash,
            self.sid,
            self.status,
            self.error_code,
            self.sequence
        ]);
        Sha256::digest(parts.to_string().as_bytes()).to_vec()
    }

    /// The name of such a report among the events.
    fn event_kind(&self) -> &'static str {
        match (&self.source, self.kind) {
            (Source::LookUp, _) => "look_up",
            (_, Kind::Sms) => "message_status",
            (_, Kind::Call) => "call_status",
        }
    }

    /// The name of what it does in the audit.
    fn action(&self) -> &'static str {
        match self.source {
            Source::LookUp => "twilio.look_up",
            Source::Callback | Source::Orphan { .. } => "twilio.callback",
        }
    }
}

/// What an event with this name is about.
pub(super) fn kind_of_event(name: &str) -> Kind {
    if name == "call_status" { Kind::Call } else { Kind::Sms }
}

/// Stores the fact and moves its operation, in one statement. A report whose reference names one of our attempts is
/// believed; one without only for a SID that is bound to this operation already.
pub(super) async fn take(db: &PgPool, clock: &Clock, mode: Mode, report: &Report) -> sqlx::Result<Effect> {
    match store_and_move(db, clock, mode, report, true).await {
        // The SID stands at another operation: the fact is kept and the contradiction shown, but nothing is rebound.
        Err(error) if database::violated_constraint(&error) == Some("operations_sid") => {
            store_and_move(db, clock, mode, report, false).await
        }
        result => result,
    }
}

#[expect(clippy::too_many_lines, reason = "one statement: everything in it commits together")]
async fn store_and_move(
    db: &PgPool,
    clock: &Clock,
    mode: Mode,
    report: &Report,
    may_bind: bool,
) -> sqlx::Result<Effect> {
    let row = sqlx::query!(
        r#"
        with clock as materialized (
            select clock_timestamp() + $1::interval as at
        ), attempt as (
            select id, number, state, provider_sid, bound_by
            from attempts
            where ref_hash = $2 and operation_id = $3 and mode = $4 and account_sid = $5
                and exists (select from operations where id = $3 and kind = $15)
        ), matched as (
            select
                (select id from attempt) as attempt_id,
                case
                    when exists (select from attempt) then 'reference'
                    when exists (
                        select from operations where id = $3 and mode = $4 and kind = $15 and provider_sid = $6) then 'sid'
                    else 'nothing'
                end as matched_by
        ), event as (
            insert into provider_events (
                mode, kind, operation_id, attempt_id, matched_by, account_sid, sid, status, rank, error_code,
                sequence, payload, received_at, dedup, named_operation)
            select
                $4, $16, case when matched_by <> 'nothing' then $3::uuid end, attempt_id, matched_by, $5, $6,
                $7, $8, $9, $17, $10, clock.at, $11, $3
            from matched, clock
            on conflict (dedup) do update
            -- it came before; now it is known whose it is
            set operation_id = excluded.operation_id, attempt_id = excluded.attempt_id, matched_by = excluded.matched_by
            where provider_events.matched_by = 'nothing' and excluded.matched_by <> 'nothing'
            returning matched_by
        ), before as (
            select
                o.id,
                o.state,
                o.provider_rank < $8
                    and (o.state in ('sending', 'unknown', 'needs_review', 'accepted')
                        or (o.state = 'delivered' and $12 = 'delivered')) as advances,
                -- another final word than the one that stands, or another SID than the one that is bound
                ($12 in ('delivered', 'failed') and o.state in ('delivered', 'failed') and o.state <> $12)
                    or (o.provider_sid is not null and o.provider_sid <> $6) as contradicts,
                o.provider_sid is null
                    or (o.provider_sid <> $6
                        and (select a.bound_by in ('list', 'person') from attempt a)) as binds,
                -- it was judged not to be on its way, and it is. The attempt may be older than our wait for the
                -- operation's lock, so the operation, which is not, is asked as well
                coalesce((
                    select a.state in ('absent', 'not_sent', 'refused', 'resolved')
                        or a.number < o.attempts
                        or o.state in ('approved', 'pending_approval', 'rejected', 'expired', 'cancelled')
                        or o.reason_code = 'resolved_failed'
                    from attempt a), false) as was_written_off,
                -- a call that ended well without anybody having fetched what this attempt was to play
                $12 = 'delivered' and o.state <> 'delivered' and o.clip_id is not null
                    and not exists (
                        select
                        from provider_events e
                        where e.operation_id = o.id and e.kind = 'clip_fetch'
                            and e.attempt_id = coalesce(
                                (select a.id from attempt a),
                                (select a.id from attempts a where a.operation_id = o.id and a.provider_sid = $6),
                                e.attempt_id)) as is_unheard
            from operations o, event
            where o.id = $3 and o.mode = $4 and event.matched_by <> 'nothing'
            for update of o
        ), moved as (
            update operations o
            set state = case when advances then $12 else o.state end,
                provider_sid = case when $13 and binds and not was_written_off then $6 else o.provider_sid end,
                provider_status = case when advances then $7 else o.provider_status end,
                provider_rank = case when advances then $8 else o.provider_rank end,
                error_code = case when advances then $9 else o.error_code end,
                reason = case when advances then $14 else o.reason end,
                reason_code = case when advances and $12 = 'failed' then 'not_delivered' else o.reason_code end,
                unknown_since = case when advances then null else o.unknown_since end,
                sending_deadline = case when advances then null else o.sending_deadline end,
                accepted_at = case when advances then coalesce(o.accepted_at, clock.at) else o.accepted_at end,
                finished_at = case
                    when advances and $12 in ('delivered', 'failed') then coalesce(o.finished_at, clock.at)
                    else o.finished_at
                end,
                conflicted_at = case when contradicts then coalesce(o.conflicted_at, clock.at) else o.conflicted_at end,
                duplicate_suspected_at = case
                    when was_written_off then coalesce(o.duplicate_suspected_at, clock.at)
                    else o.duplicate_suspected_at
                end,
                audio_not_fetched_at = case
                    when advances and is_unheard then coalesce(o.audio_not_fetched_at, clock.at)
                    else o.audio_not_fetched_at
                end,
                acknowledged_at = case
                    when contradicts or was_written_off or (advances and is_unheard) then null
                    else o.acknowledged_at
                end,
                updated_at = clock.at
            from before, clock
            where o.id = before.id and (advances or contradicts or binds or was_written_off)
            returning o.id, before.state as from_state, o.state as to_state, o.mode, contradicts, was_written_off,
                advances and is_unheard as is_unheard, o.correlation_id
        ), line as (
            insert into audit_lines (object, at, actor, action, from_state, to_state, mode, correlation_id, details)
            select
                'operation/' || id, clock.at, 'twilio', $18, from_state, to_state, mode, correlation_id,
                jsonb_build_object(
                    'sid', $6::text, 'status', $7::text, 'errorCode', $9::integer,
                    'conflicted', contradicts, 'duplicateSuspected', was_written_off)
                -- seconds, told once a call is completed
                || jsonb_strip_nulls(jsonb_build_object('duration', $10::jsonb ->> 'CallDuration'))
                || case when is_unheard then '{"audioNotFetched": true}' else '{}'::jsonb end
                || case when $19 then '{"late": true}' else '{}'::jsonb end
            from moved, clock
        )
        select
            matched.matched_by as "matched_by!",
            exists (select from moved) as "moved!"
        from matched
        "#,
        clock.offset(),
        report.ref_hash.as_ref().map(|hash| &hash[..]),
        report.operation.0,
        mode.as_str(),
        report.account_sid,
        report.sid,
        report.status,
        word::rank(report.kind, &report.status),
        report.error_code,
        report.payload,
        report.dedup(),
        word::state(report.kind, &report.status, report.error_code).as_str(),
        may_bind,
        word::reason(report.kind, &report.status, report.error_code),
        report.kind.as_str(),
        report.event_kind(),
        report.sequence,
        report.action(),
        matches!(report.source, Source::Orphan { .. }),
    )
    .fetch_one(db)
    .await?;
    Ok(match (row.matched_by.as_str(), row.moved) {
        ("nothing", _) => Effect::Orphan,
        (_, true) => Effect::Moved,
        (_, false) => Effect::Nothing,
    })
}
