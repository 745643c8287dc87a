//! A call comes in: judged and recorded in one transaction.

use std::time::Duration;

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use sqlx::PgConnection;

use super::{CallState, Calls, Identity, Verdict};
use crate::clock::interval;
use crate::twilio::Sid;

/// A call that comes in.
#[derive(Debug)]
pub(in crate::gateway) struct Arrival<'a> {
    pub(in crate::gateway) identity: Identity,
    pub(in crate::gateway) sid: &'a Sid,
    pub(in crate::gateway) is_inbound: bool,
    pub(in crate::gateway) from: &'a str,
    pub(in crate::gateway) to: &'a str,
    /// Twilio's word.
    pub(in crate::gateway) status: &'a str,
    /// What the policy says, before it is known how many calls are going on.
    pub(in crate::gateway) verdict: Verdict,
    /// What an allowed caller is told.
    pub(in crate::gateway) greeting: &'a str,
    /// All parameters.
    pub(in crate::gateway) payload: Value,
}

/// How many calls there may be, and for how long one counts.
#[derive(Clone, Copy, Debug)]
pub(in crate::gateway) struct Bounds {
    /// Calls that are greeted at once.
    pub(in crate::gateway) at_once: i64,
    /// A call that nobody said was picked up is asked about after this; `None`: never.
    pub(in crate::gateway) unanswered: Option<Duration>,
    /// No greeting takes longer.
    pub(in crate::gateway) longest: Duration,
}

/// What a call is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::gateway) struct Answered {
    pub(in crate::gateway) verdict: Verdict,
    pub(in crate::gateway) greeting: String,
    /// The clip that says it, if there is one.
    pub(in crate::gateway) clip: Option<String>,
}

impl Bounds {
    /// How long an unanswered call counts among those that are going on.
    fn counts_unanswered(self) -> Duration {
        self.unanswered.map_or(self.longest, |unanswered| unanswered.min(self.longest))
    }
}

impl Calls {
    /// Judges and records a call; `None` if the request was taken before. When this returns, the record is committed.
    pub(in crate::gateway) async fn arrive(
        &self,
        arrival: &Arrival<'_>,
        bounds: Bounds,
    ) -> sqlx::Result<Option<Answered>> {
        let Some(mut tx) = self.begin_once(arrival.identity).await? else { return Ok(None) };
        let answered = match self.known(&mut tx, arrival).await? {
            Some(answered) => answered,
            None => self.judge(&mut tx, arrival, bounds).await?,
        };
        tx.commit().await?;
        Ok(Some(answered))
    }

    /// What a call was answered that comes a second time, such as by another address of the same number.
    async fn known(&self, tx: &mut PgConnection, arrival: &Arrival<'_>) -> sqlx::Result<Option<Answered>> {
        let known = sqlx::query!(
            r#"
            with event as (
                insert into gateway_call_events (call_id, kind, status, payload, received_at)
                select id, 'arrived', $4, $5, clock_timestamp() + $1::interval
                from gateway_calls
                where sid = $2 and mode = $3
            )
            select
                verdict as "verdict: Verdict",
                greeting,
                (select c.id from clips c where c.id = clip_id and c.state = 'ready') as clip
            from gateway_calls
            where sid = $2 and mode = $3
            "#,
            self.clock.offset(),
            arrival.sid.as_str(),
            self.mode.as_str(),
            arrival.status,
            arrival.payload,
        )
        .fetch_optional(tx)
        .await?;
        let answered = known.map(|known| Answered {
            verdict: known.verdict,
            greeting: known.greeting.unwrap_or_default(),
            clip: known.clip,
        });
        Ok(answered)
    }

    async fn judge(&self, tx: &mut PgConnection, arrival: &Arrival<'_>, bounds: Bounds) -> sqlx::Result<Answered> {
        let is_full = arrival.verdict == Verdict::Greeted && self.going_on(tx, bounds).await? >= bounds.at_once;
        let verdict = if is_full { Verdict::OverLimit } else { arrival.verdict };
        let greeting = if verdict == Verdict::Greeted { arrival.greeting } else { "" };
        let clip = self.record(tx, arrival, verdict, greeting, bounds).await?;
        Ok(Answered { verdict, greeting: greeting.to_owned(), clip })
    }

    /// Calls that are greeted now. One of which nothing is heard does not count for ever: it would block all others.
    async fn going_on(&self, tx: &mut PgConnection, bounds: Bounds) -> sqlx::Result<i64> {
        sqlx::query_scalar!(
            r#"
            select count(*) as "count!"
            from gateway_calls
            where mode = $2 and account_sid = $3 and verdict = 'greeted' and ended_at is null
                and started_at + case when answered_at is null then $4::interval else $5::interval end
                    > clock_timestamp() + $1::interval
            "#,
            self.clock.offset(),
            self.mode.as_str(),
            self.account_sid,
            interval(bounds.counts_unanswered()),
            interval(bounds.longest),
        )
        .fetch_one(tx)
        .await
    }

    /// Writes the record; answers the clip that says the greeting.
    async fn record(
        &self,
        tx: &mut PgConnection,
        arrival: &Arrival<'_>,
        verdict: Verdict,
        greeting: &str,
        bounds: Bounds,
    ) -> sqlx::Result<Option<String>> {
        let state = CallState::after(verdict);
        let text_hash: [u8; 32] = Sha256::digest(greeting).into();
        sqlx::query_scalar!(
            r#"
            with clock as materialized (
                select clock_timestamp() + $1::interval as at
            ), call as (
                insert into gateway_calls (
                    sid, mode, account_sid, direction, from_number, to_number, verdict, greeting, clip_id, state,
                    provider_status, started_at, ended_at, end_reason, look_at)
                select
                    $2, $3, $4, $5, $6, $7, $8, nullif($9, ''),
                    (
                        select c.id
                        from gateway_greetings g
                        join clips c on c.id = g.clip_id
                        where g.mode = $3 and g.text_hash = $10 and c.state = 'ready' and $9 <> ''
                    ),
                    $11, $12, at, case when $13 then at end, case when $13 then $8 end,
                    case when not $13 then at + $14::interval end
                from clock
                returning id, sid, mode, direction, from_number, to_number, verdict, clip_id, started_at
            ), event as (
                insert into gateway_call_events (call_id, kind, status, payload, received_at)
                select id, 'arrived', $12, $15, started_at
                from call
            ), line as (
                insert into audit_lines (object, at, actor, action, mode, details)
                select
                    'inbound_call/' || sid, started_at, 'gateway',
                    case when $13 then 'inbound_call.refused' else 'inbound_call.taken' end, mode,
                    jsonb_build_object(
                        'from', from_number, 'to', to_number, 'verdict', verdict, 'direction', direction, 'clip', clip_id)
                from call
            )
            select clip_id
            from call
            "#,
            self.clock.offset(),
            arrival.sid.as_str(),
            self.mode.as_str(),
            self.account_sid,
            if arrival.is_inbound { "inbound" } else { "outbound" },
            arrival.from,
            arrival.to,
            verdict.as_str(),
            greeting,
            &text_hash[..],
            state.as_str(),
            arrival.status,
            state.has_ended(),
            bounds.unanswered.map(interval),
            arrival.payload,
        )
        .fetch_one(tx)
        .await
    }
}
