//! The lease on a clip: one process makes it. It is short and renewed while the work goes on, so that what a process left
//! undone when it ended is soon taken over.

use std::convert::Infallible;
use std::time::Duration;

use sqlx::PgConnection;
use uuid::Uuid;

use crate::clock::interval;
use crate::speech::clips;
use crate::state::AppState;

/// How long a process that fell silent keeps a clip to itself.
const LEASE: Duration = Duration::from_secs(30);

/// How often a lease is renewed.
const RENEWAL: Duration = Duration::from_secs(8);

/// First pause after a failure that may pass; each further one doubles it.
const FIRST_PAUSE: Duration = Duration::from_secs(5);

/// How often a clip is tried whose failure may pass; the pauses between add up to about five minutes.
const MOST_TRIES: i32 = 7;

/// A clip that this process makes.
pub(super) struct Leased {
    pub(super) clip: String,
    pub(super) lease: Uuid,
    pub(super) text: String,
    pub(super) voice: String,
    pub(super) model: String,
    /// How often it was begun, this time included.
    pub(super) tries: i32,
    /// Audio that was named before and perhaps stored, and its length.
    pub(super) content_hash: Option<Vec<u8>>,
    pub(super) bytes: Option<i64>,
    pub(super) correlation_id: String,
}

/// Why a clip was not made.
pub(super) struct Failure {
    pub(super) code: &'static str,
    pub(super) reason: String,
    /// `None`: it is of no use to try again.
    pub(super) try_after: Option<Duration>,
}

/// Takes the oldest clip that some operation or a voice gateway awaits and nobody makes.
pub(super) async fn take(app: &AppState) -> sqlx::Result<Option<Leased>> {
    sqlx::query_as!(
        Leased,
        r#"
        with clock as materialized (
            select clock_timestamp() + $1::interval as at
        ), due as (
            select c.id, waiting.correlation_id
            from clips c
            cross join clock
            cross join lateral (
                (
                    select o.correlation_id
                    from operations o
                    where o.awaited_clip = c.id and o.state = 'preparing' and o.mode = $2 and o.expires_at > clock.at
                    order by o.id
                    limit 1
                )
                union all
                select 'voice-gateway'
                from gateway_greetings g
                where g.awaited_clip = c.id and g.mode = $2
                limit 1
            ) waiting
            where c.state = 'preparing'
                and coalesce(c.leased_until, '-infinity') <= clock.at
                and coalesce(c.try_at, '-infinity') <= clock.at
            order by c.created_at
            limit 1
            for update of c skip locked
        )
        update clips c
        set leased_by = $3, leased_until = clock.at + $4::interval, tries = c.tries + 1
        from due, clock
        where c.id = due.id
        returning
            c.id as clip,
            c.leased_by as "lease!",
            c.text_spoken as "text!",
            c.voice_id as "voice!",
            c.model_id as "model!",
            c.tries,
            c.content_hash,
            c.bytes,
            due.correlation_id as "correlation_id!"
        "#,
        app.clock.offset(),
        app.config.mode.as_str(),
        Uuid::new_v4(),
        interval(LEASE),
    )
    .fetch_optional(&app.db)
    .await
}

/// Takes this clip, if nobody makes it and its next try is due. No operation needs to await it.
pub(super) async fn take_this(
    tx: &mut PgConnection,
    app: &AppState,
    clip: &str,
    correlation_id: &str,
) -> sqlx::Result<Option<Leased>> {
    sqlx::query_as!(
        Leased,
        r#"
        with clock as materialized (
            select clock_timestamp() + $1::interval as at
        )
        update clips c
        set leased_by = $3, leased_until = clock.at + $4::interval, tries = c.tries + 1
        from clock
        where c.id = $2
            and c.state = 'preparing'
            and coalesce(c.leased_until, '-infinity') <= clock.at
            and coalesce(c.try_at, '-infinity') <= clock.at
        returning
            c.id as clip,
            c.leased_by as "lease!",
            c.text_spoken as "text!",
            c.voice_id as "voice!",
            c.model_id as "model!",
            c.tries,
            c.content_hash,
            c.bytes,
            $5::text as "correlation_id!"
        "#,
        app.clock.offset(),
        clip,
        Uuid::new_v4(),
        interval(LEASE),
        correlation_id,
    )
    .fetch_optional(tx)
    .await
}

/// Renews the lease for as long as it is polled. What cannot be renewed is perhaps made twice, and never played twice.
pub(super) async fn keep(app: &AppState, leased: &Leased) -> Infallible {
    loop {
        tokio::time::sleep(RENEWAL).await;
        let renewed = sqlx::query!(
            r#"
            update clips
            set leased_until = clock_timestamp() + $1::interval + $4::interval
            where id = $2 and leased_by = $3 and state = 'preparing'
            "#,
            app.clock.offset(),
            leased.clip,
            leased.lease,
            interval(LEASE),
        );
        if let Err(error) = renewed.execute(&app.db).await {
            tracing::debug!(event = "voice.lease_not_renewed", %error, "it is tried again");
        }
    }
}

/// Writes down why there is no clip: it is tried again, or it has failed. A row that cannot be written is found by its lease.
pub(super) async fn note(app: &AppState, leased: &Leased, failure: &Failure) {
    let try_after = failure.try_after.filter(|_| leased.tries < MOST_TRIES);
    let noted = match try_after {
        Some(after) => postpone(app, leased, failure, after).await,
        None => fail(app, leased, failure).await,
    };
    if let Err(error) = noted {
        tracing::warn!(event = "voice.not_noted", clip = %clips::in_log(&leased.clip), %error, "it is tried again when its lease ran out");
    }
}

/// Another try, later; those who await the clip are told why.
async fn postpone(app: &AppState, leased: &Leased, failure: &Failure, after: Duration) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        with clock as materialized (
            select clock_timestamp() + $1::interval as at
        ), postponed as (
            update clips c
            set try_at = clock.at + $4::interval, leased_by = null, leased_until = null, reason = $5, reason_code = $6
            from clock
            where c.id = $2 and c.leased_by = $3 and c.state = 'preparing'
            returning c.id
        )
        update operations o
        set delay_reason = $5
        from postponed
        where o.awaited_clip = postponed.id and o.state = 'preparing'
        "#,
        app.clock.offset(),
        leased.clip,
        leased.lease,
        interval(after),
        failure.reason,
        failure.code,
    )
    .execute(&app.db)
    .await?;
    Ok(())
}

/// The clip will not be made. Whoever asks for the same again gets another.
async fn fail(app: &AppState, leased: &Leased, failure: &Failure) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        with clock as materialized (
            select clock_timestamp() + $1::interval as at
        ), failed as (
            update clips c
            set state = 'failed', leased_by = null, leased_until = null, reason = $4, reason_code = $5
            where c.id = $2 and c.leased_by = $3 and c.state = 'preparing'
            returning c.id
        )
        insert into audit_lines (object, at, actor, action, from_state, to_state, mode, correlation_id, details)
        select
            'clip/' || id, clock.at, 'speech', 'clip.failed', 'preparing', 'failed', $6, $7,
            jsonb_build_object('reason', $4::text, 'code', $5::text)
        from failed, clock
        "#,
        app.clock.offset(),
        leased.clip,
        leased.lease,
        failure.reason,
        failure.code,
        app.config.mode.as_str(),
        leased.correlation_id,
    )
    .execute(&app.db)
    .await?;
    Ok(())
}

/// 5, 10, 20 ... seconds.
pub(super) fn pause(tries: i32) -> Duration {
    let doublings = u32::try_from(tries.saturating_sub(1)).unwrap_or(0).min(10);
    FIRST_PAUSE.saturating_mul(1 << doublings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_and_come_to_five_minutes() {
        let pauses: Vec<u64> = (1..MOST_TRIES).map(|tries| pause(tries).as_secs()).collect();
        assert_eq!(pauses, [5, 10, 20, 40, 80, 160]);
        assert!(pause(i32::MAX) < Duration::from_hours(2));
    }
}
