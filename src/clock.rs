//! The time, as an input. Tests hold a clock that they move; everything else runs on the system's.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use sqlx::postgres::types::PgInterval;
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

/// Where the time comes from.
///
/// Time that is compared across processes is read in SQL as `clock_timestamp() + $offset` with [`Clock::offset`]: a
/// bound "now" would be stale as soon as the process is paused.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The system's clock.
    System,
    /// The system's clock plus an offset (microseconds) that a test moves.
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// A clock for tests, at the system's time until it is moved.
    pub fn manual() -> Self {
        Self::Manual(Arc::new(AtomicI64::new(0)))
    }

    /// Moves a manual clock forward; the system's clock cannot be moved.
    pub fn advance(&self, by: Duration) {
        if let Self::Manual(offset) = self {
            let by = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
            offset.fetch_add(by, Ordering::SeqCst);
        }
    }

    /// What is added to `clock_timestamp()` in SQL: zero outside tests.
    pub fn offset(&self) -> PgInterval {
        PgInterval { months: 0, days: 0, microseconds: self.offset_microseconds() }
    }

    /// The time for what only this process compares or shows.
    #[expect(clippy::disallowed_methods, reason = "the one place where the system's time is read")]
    pub fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc() + time::Duration::microseconds(self.offset_microseconds())
    }

    fn offset_microseconds(&self) -> i64 {
        match self {
            Self::System => 0,
            Self::Manual(offset) => offset.load(Ordering::SeqCst),
        }
    }
}

/// A duration as PostgreSQL's `interval`, to the microsecond.
pub fn interval(duration: Duration) -> PgInterval {
    PgInterval { months: 0, days: 0, microseconds: i64::try_from(duration.as_micros()).unwrap_or(i64::MAX) }
}

/// A time as the API writes it: UTC, RFC 3339.
pub fn rfc3339(at: OffsetDateTime) -> String {
    at.to_offset(UtcOffset::UTC).format(&Rfc3339).unwrap_or_default()
}

/// A time in an answer of the API: UTC, RFC 3339.
#[derive(Clone, Copy, Debug, PartialEq, Eq, utoipa::ToSchema)]
#[schema(value_type = String, format = DateTime, example = "2026-11-23T09:30:00.123456Z")]
pub(crate) struct Timestamp(pub(crate) OffsetDateTime);

impl serde::Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&rfc3339(self.0))
    }
}
