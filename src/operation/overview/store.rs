//! The statements of the overview. A day is read by the range of its ids, which lie beside each other in the table: the
//! length of the history costs nothing.

use sqlx::PgPool;
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use super::tally::{Day, Durations};
use crate::config::Mode;
use crate::operation::content::Kind;

/// How things stand at this moment, besides the two counts of the menu.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Standing {
    /// When the oldest that waits for a decision was asked for.
    pub(crate) oldest_waiting: Option<OffsetDateTime>,
    /// Those that only a person can settle.
    pub(crate) to_settle: i64,
    /// Approved or being sent.
    pub(crate) under_way: i64,
}

/// Reads how things stand in this mode, from small indexes.
pub(super) async fn standing(db: &PgPool, mode: Mode) -> sqlx::Result<Standing> {
    sqlx::query_as!(
        Standing,
        r#"
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
            ) as "under_way!"
        "#,
        mode.as_str(),
    )
    .fetch_one(db)
    .await
}

/// Counts what was asked for on this day, in one pass.
pub(super) async fn day(db: &PgPool, mode: Mode, date: Date) -> sqlx::Result<Day> {
    let rows = sqlx::query!(
        r#"
        select
            kind as "kind?: Kind",
            state as "state?",
            is_sent as "is_sent?",
            error_code as "error_code?",
            deciding as "deciding?",
            delivering as "delivering?",
            count(*) as "count!"
        from (
            select
                kind,
                state,
                is_sent,
                error_code,
                case when decided_in > '0' then floor(ln(extract(epoch from decided_in)::float8) / $4::float8) end::integer
                    as deciding,
                case when delivered_in > '0' then floor(ln(extract(epoch from delivered_in)::float8) / $4::float8) end::integer
                    as delivering
            from (
                select
                    kind,
                    state,
                    provider_sid is not null as is_sent,
                    case when state = 'failed' then error_code end as error_code,
                    case when approved_by is not null then approved_at when state = 'rejected' then finished_at end
                        - created_at as decided_in,
                    case when state = 'delivered' then finished_at - approved_at end as delivered_in
                from operations
                where mode = $1 and id >= $2 and id < $3) asked) counted
        group by grouping sets ((kind, state, is_sent), (error_code), (deciding), (delivering))
        "#,
        mode.as_str(),
        first_id(date),
        first_id(date.next_day().unwrap_or(Date::MAX)),
        Durations::width(),
    )
    .fetch_all(db)
    .await?;
    let mut day = Day::empty(date);
    for row in rows {
        match (row.kind, row.state, row.error_code, row.deciding, row.delivering) {
            (Some(kind), Some(state), ..) => {
                day.counts_mut(kind).add(&state, row.is_sent.unwrap_or_default(), row.count);
            }
            (_, _, Some(code), ..) => drop(day.errors.insert(code, row.count)),
            (_, _, _, Some(class), _) => day.deciding.add(class, row.count),
            (_, _, _, _, Some(class)) => day.delivering.add(class, row.count),
            // The rest of a grouping: those that have no code, or took no time.
            _ => {}
        }
    }
    Ok(day)
}

/// The least id that can have been made on this day: ids begin with their time.
fn first_id(date: Date) -> Uuid {
    let midnight = date.midnight().assume_utc().unix_timestamp();
    let milliseconds = u64::try_from(midnight).unwrap_or(0) * 1_000;
    uuid::Builder::from_unix_timestamp_millis(milliseconds, &[0; 10]).into_uuid()
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::first_id;

    #[test]
    fn a_day_begins_with_its_first_id() {
        let first = first_id(date!(2026 - 11 - 23));
        let id = |milliseconds| uuid::Builder::from_unix_timestamp_millis(milliseconds, &[0xff; 10]).into_uuid();
        assert!(first < id(1_795_392_000_000), "an id of midnight itself");
        assert!(first > id(1_795_391_999_999), "one of the day before");
    }
}
