//! How often somebody may guess. Counted in the database, so that all replicas count together; every wait ends, so that
//! nobody can lock somebody else out for good.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sqlx::{PgExecutor, PgPool};

use super::credential::CredentialHash;
use super::network;
use crate::clock::Clock;
use crate::id::UserId;

/// Tries in a window, and the waits after the free ones: each is twice the one before.
struct Limit {
    free: i32,
    window_seconds: f64,
    first_wait_seconds: f64,
    longest_wait_seconds: f64,
}

/// An account, or the codes of one: five tries, then 1, 2, 4 ... 900 s, until somebody signs in or a day is over.
const ACCOUNT: Limit =
    Limit { free: 5, window_seconds: 86_400.0, first_wait_seconds: 1.0, longest_wait_seconds: 900.0 };

/// A network: thirty tries in ten minutes, then a pause of as long.
const NETWORK: Limit =
    Limit { free: 30, window_seconds: 600.0, first_wait_seconds: 600.0, longest_wait_seconds: 600.0 };

/// Rows that one sign-in removes at most.
const SWEEP: i64 = 100;

/// Whose failures are counted.
pub(super) struct Subject {
    key: String,
    limit: &'static Limit,
}

impl Subject {
    /// The account of this address as it was typed, whether there is one or not. Hashed: people type passwords into the
    /// wrong field.
    pub(super) fn account(typed: &str) -> Self {
        let name = URL_SAFE_NO_PAD.encode(CredentialHash::of(&typed.trim().to_ascii_lowercase()).0);
        Self { key: format!("account/{name}"), limit: &ACCOUNT }
    }

    /// The codes of a person whose password was right. Counted by themselves: knowing the password forgives nothing here.
    pub(super) fn codes(user: UserId) -> Self {
        Self { key: format!("codes/{user}"), limit: &ACCOUNT }
    }

    /// The network of this address.
    pub(super) fn network(address: IpAddr) -> Self {
        Self { key: format!("network/{}", network::counted(address)), limit: &NETWORK }
    }
}

/// Counts a try before it is made, so that many at once cannot all be the fifth. Answers the seconds to wait if it may
/// not be made.
pub(super) async fn count(db: &PgPool, clock: &Clock, subject: &Subject) -> sqlx::Result<Option<u64>> {
    let admitted = sqlx::query_scalar!(
        r#"
        insert into sign_in_failures as known (subject, failures, window_started_at, blocked_until)
        values ($1, 1, clock_timestamp() + $2, '-infinity')
        on conflict (subject) do update set
            failures = case
                when known.window_started_at > clock_timestamp() + $2 - make_interval(secs => $4)
                then known.failures + 1
                else 1
            end,
            window_started_at = case
                when known.window_started_at > clock_timestamp() + $2 - make_interval(secs => $4)
                then known.window_started_at
                else clock_timestamp() + $2
            end,
            blocked_until = case
                when known.window_started_at > clock_timestamp() + $2 - make_interval(secs => $4)
                    and known.failures + 1 >= $3
                then clock_timestamp() + $2
                    + make_interval(secs => least($6, $5 * power(2, least(known.failures + 1 - $3, 30))))
                else '-infinity'
            end
        where known.blocked_until <= clock_timestamp() + $2
        returning failures
        "#,
        subject.key,
        clock.offset(),
        subject.limit.free,
        subject.limit.window_seconds,
        subject.limit.first_wait_seconds,
        subject.limit.longest_wait_seconds,
    )
    .fetch_optional(db)
    .await?;
    if admitted.is_some() {
        return Ok(None);
    }
    let wait = sqlx::query_scalar!(
        r#"
        select ceil(extract(epoch from
            greatest(blocked_until, clock_timestamp() + $2) - clock_timestamp() - $2))::bigint as "seconds!"
        from sign_in_failures
        where subject = $1
        "#,
        subject.key,
        clock.offset(),
    )
    .fetch_optional(db)
    .await?;
    Ok(Some(wait.and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or(1).max(1)))
}

/// Takes back a counted try that was no failure.
pub(super) async fn take_back(db: impl PgExecutor<'_>, subject: &Subject) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        update sign_in_failures
        set failures = greatest(failures - 1, 0),
            blocked_until = '-infinity'
        where subject = $1
        "#,
        subject.key,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Forgets the failures of an account whose person has signed in.
pub(super) async fn forget(db: impl PgExecutor<'_>, subject: &Subject) -> sqlx::Result<()> {
    sqlx::query!("delete from sign_in_failures where subject = $1", subject.key).execute(db).await?;
    Ok(())
}

/// Removes rows whose window is over.
pub(super) async fn sweep(db: impl PgExecutor<'_>, clock: &Clock) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        delete from sign_in_failures
        where subject in (
            select subject
            from sign_in_failures
            where blocked_until < clock_timestamp() + $1::interval
              and window_started_at < clock_timestamp() + $1::interval
                - make_interval(secs => case when subject like 'network/%' then $2::float8 else $3::float8 end)
            limit $4
            for update skip locked)
        "#,
        clock.offset(),
        NETWORK.window_seconds,
        ACCOUNT.window_seconds,
        SWEEP,
    )
    .execute(db)
    .await?;
    Ok(())
}
