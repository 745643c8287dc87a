//! The numbers above the list, in one statement that reads small indexes and today's rows only.

use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::clock::Clock;
use crate::config::Mode;
use crate::operation::content::Kind;

/// How things stand, besides the two counts of the menu.
#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    /// When the oldest that waits for a decision was asked for.
    pub oldest_waiting: Option<OffsetDateTime>,
    /// Those that only a person can settle.
    pub to_settle: i64,
    /// Approved or being sent.
    pub under_way: i64,
    /// Asked for since midnight UTC.
    pub asked_today: i64,
    /// Of these, delivered.
    pub delivered_today: i64,
    /// Of these, failed.
    pub failed_today: i64,
}

/// Reads the figures of this mode.
pub async fn figures(db: &PgPool, clock: &Clock, mode: Mode) -> sqlx::Result<Figures> {
    sqlx::query_as!(
        Figures,
        r#"
        with today as (
            select count(*) as asked,
                count(*) filter (where state = 'delivered') as delivered,
                count(*) filter (where state = 'failed') as failed
            from operations
            where mode = $1 and id >= $2
        )
        select
            (
                select min(created_at)
                from operations
                where mode = $1 and state = 'pending_approval'
            ) as oldest_waiting,
            (
                select count(*)
                from operations
                where mode = $1 and state = 'needs_review' and acknowledged_at is null
            ) as "to_settle!",
            (
                select count(*)
                from operations
                where mode = $1 and state in ('approved', 'sending')
            ) as "under_way!",
            asked as "asked_today!",
            delivered as "delivered_today!",
            failed as "failed_today!"
        from today
        "#,
        mode.as_str(),
        first_id_of_day(clock.now()),
    )
    .fetch_one(db)
    .await
}

/// Segments, or calls, that this sender still has to send before anything that is approved now.
pub async fn queued(db: &PgPool, mode: Mode, kind: Kind, sender: &str) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"
        select coalesce(sum(coalesce(segments, 1)), 0) as "queued!"
        from operations
        where state = 'approved' and mode = $1 and kind = $2 and from_number = $3
        "#,
        mode.as_str(),
        kind.as_str(),
        sender,
    )
    .fetch_one(db)
    .await
}

/// The least id that can have been made on this day (UTC): ids begin with their time.
fn first_id_of_day(now: OffsetDateTime) -> Uuid {
    let midnight = now.to_utc().date().midnight().assume_utc().unix_timestamp();
    let milliseconds = u64::try_from(midnight).unwrap_or(0) * 1_000;
    uuid::Builder::from_unix_timestamp_millis(milliseconds, &[0; 10]).into_uuid()
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::first_id_of_day;

    #[test]
    fn a_day_begins_with_its_first_id_wherever_the_clock_stands() {
        let first = first_id_of_day(datetime!(2026-11-23 14:33 UTC));
        assert_eq!(first, first_id_of_day(datetime!(2026-11-23 01:00 +1)));
        assert!(first_id_of_day(datetime!(2026-11-22 23:59:59 UTC)) < first);
        let id = uuid::Builder::from_unix_timestamp_millis(1_795_392_000_000, &[0xff; 10]).into_uuid();
        assert!(first < id, "an id of midnight itself");
    }
}
