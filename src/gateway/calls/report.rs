//! What Twilio says of a call, by itself or because it was asked: the record moves forward, or is marked where two words
//! cannot both be true.

use serde_json::Value;
use sqlx::PgConnection;

use super::state::Step;
use super::{Bounds, CallState, Calls, Identity, Verdict};
use crate::clock::interval;
use crate::twilio::Sid;

/// Where a report comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::gateway) enum Source {
    /// Twilio knocked.
    Callback(Identity),
    /// Twilio was asked.
    LookUp,
}

/// What Twilio says.
#[derive(Debug)]
pub(in crate::gateway) struct Report<'a> {
    pub(in crate::gateway) source: Source,
    pub(in crate::gateway) sid: &'a Sid,
    pub(in crate::gateway) is_inbound: bool,
    pub(in crate::gateway) from: &'a str,
    pub(in crate::gateway) to: &'a str,
    /// Twilio's word; `None`: it does not know the call.
    pub(in crate::gateway) status: Option<&'a str>,
    /// Seconds, once it is over.
    pub(in crate::gateway) duration: Option<i32>,
    /// All of it.
    pub(in crate::gateway) payload: Value,
}

/// What a report did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::gateway) enum Effect {
    Moved,
    Conflicted,
    Nothing,
    Replay,
}

impl Source {
    fn event(self) -> &'static str {
        match self {
            Self::Callback(_) => "status",
            Self::LookUp => "look_up",
        }
    }

    fn action(self) -> &'static str {
        match self {
            Self::Callback(_) => "inbound_call.reported",
            Self::LookUp => "inbound_call.looked_up",
        }
    }
}

struct Standing {
    id: i64,
    state: CallState,
}

impl Calls {
    /// Takes a report. When this returns, it is committed.
    pub(in crate::gateway) async fn take(&self, report: &Report<'_>, bounds: Bounds) -> sqlx::Result<Effect> {
        let begun = match report.source {
            Source::Callback(identity) => self.begin_once(identity).await?,
            Source::LookUp => Some(self.begin().await?),
        };
        let Some(mut tx) = begun else { return Ok(Effect::Replay) };
        let standing = match self.standing(&mut tx, report.sid).await? {
            Some(standing) => standing,
            None => self.record_unasked(&mut tx, report).await?,
        };
        let reported = report.status.map_or(CallState::Unknown, CallState::of_word);
        let step = standing.state.step(reported);
        // That nothing changed since the last look is not kept each time.
        if step != Step::Nothing || report.source != Source::LookUp {
            self.keep(&mut tx, standing.id, report).await?;
        }
        let effect = match step {
            Step::Forward => {
                self.advance(&mut tx, &standing, reported, report, bounds).await?;
                Effect::Moved
            }
            Step::Contradiction => {
                self.mark_conflicted(&mut tx, &standing, report).await?;
                Effect::Conflicted
            }
            Step::Nothing => Effect::Nothing,
        };
        tx.commit().await?;
        Ok(effect)
    }

    async fn standing(&self, tx: &mut PgConnection, sid: &Sid) -> sqlx::Result<Option<Standing>> {
        sqlx::query_as!(
            Standing,
            r#"
            select id, state as "state: CallState"
            from gateway_calls
            where sid = $1 and mode = $2
            for update
            "#,
            sid.as_str(),
            self.mode.as_str(),
        )
        .fetch_optional(tx)
        .await
    }

    /// A call that is reported on and never came: our record of it was lost, or somebody else was asked.
    async fn record_unasked(&self, tx: &mut PgConnection, report: &Report<'_>) -> sqlx::Result<Standing> {
        sqlx::query_as!(
            Standing,
            r#"
            with clock as materialized (
                select clock_timestamp() + $1::interval as at
            ), call as (
                insert into gateway_calls (
                    sid, mode, account_sid, direction, from_number, to_number, verdict, state, started_at)
                select $2, $3, $4, $5, $6, $7, $8, 'ringing', at
                from clock
                returning id, sid, mode, state, direction, from_number, to_number, verdict, started_at
            ), line as (
                insert into audit_lines (object, at, actor, action, mode, details)
                select
                    'inbound_call/' || sid, started_at, 'twilio', 'inbound_call.unasked', mode,
                    jsonb_build_object('from', from_number, 'to', to_number, 'verdict', verdict, 'direction', direction)
                from call
            )
            select id, state as "state: CallState"
            from call
            "#,
            self.clock.offset(),
            report.sid.as_str(),
            self.mode.as_str(),
            self.account_sid,
            if report.is_inbound { "inbound" } else { "outbound" },
            report.from,
            report.to,
            Verdict::NotAsked.as_str(),
        )
        .fetch_one(tx)
        .await
    }

    async fn keep(&self, tx: &mut PgConnection, call: i64, report: &Report<'_>) -> sqlx::Result<()> {
        sqlx::query!(
            r#"
            insert into gateway_call_events (call_id, kind, status, payload, received_at)
            values ($2, $3, $4, $5, clock_timestamp() + $1::interval)
            "#,
            self.clock.offset(),
            call,
            report.source.event(),
            report.status,
            report.payload,
        )
        .execute(tx)
        .await?;
        Ok(())
    }

    async fn advance(
        &self,
        tx: &mut PgConnection,
        standing: &Standing,
        reported: CallState,
        report: &Report<'_>,
        bounds: Bounds,
    ) -> sqlx::Result<()> {
        sqlx::query!(
            r#"
            with clock as materialized (
                select clock_timestamp() + $1::interval as at
            ), moved as (
                update gateway_calls
                set state = $3,
                    provider_status = coalesce($4, provider_status),
                    duration_seconds = coalesce($5, duration_seconds),
                    answered_at = case when $3 = 'answered' then coalesce(answered_at, at) else answered_at end,
                    ended_at = case when $6 then coalesce(ended_at, at) end,
                    end_reason = case when $6 then coalesce($4, 'not_found') end,
                    -- a call that is picked up is asked about only when it must be over
                    look_at = case when not $6 then at + $7::interval end
                from clock
                where id = $2
                returning sid, mode, state, at
            )
            insert into audit_lines (object, at, actor, action, mode, details)
            select
                'inbound_call/' || sid, at, 'twilio', $8, mode,
                jsonb_strip_nulls(jsonb_build_object(
                    'before', $9::text, 'after', state, 'status', $4::text, 'duration', $5::integer))
            from moved
            "#,
            self.clock.offset(),
            standing.id,
            reported.as_str(),
            report.status,
            report.duration,
            reported.has_ended(),
            interval(bounds.longest),
            report.source.action(),
            standing.state.as_str(),
        )
        .execute(tx)
        .await?;
        Ok(())
    }

    /// What stands, stays; that something else was said as well is shown.
    async fn mark_conflicted(
        &self,
        tx: &mut PgConnection,
        standing: &Standing,
        report: &Report<'_>,
    ) -> sqlx::Result<()> {
        sqlx::query!(
            r#"
            with clock as materialized (
                select clock_timestamp() + $1::interval as at
            ), marked as (
                update gateway_calls
                set conflicted_at = coalesce(conflicted_at, at)
                from clock
                where id = $2
                returning sid, mode, state, at
            )
            insert into audit_lines (object, at, actor, action, mode, details)
            select
                'inbound_call/' || sid, at, 'twilio', 'inbound_call.conflicted', mode,
                jsonb_build_object('stands', state, 'status', $3::text)
            from marked
            "#,
            self.clock.offset(),
            standing.id,
            report.status,
        )
        .execute(tx)
        .await?;
        Ok(())
    }
}
