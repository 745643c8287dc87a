//! Sessions of people who signed in. They end by themselves: half an hour after the last request, twelve hours after the
//! first.

use std::net::IpAddr;
use std::time::Duration;

use sqlx::postgres::types::PgInterval;
use sqlx::{PgConnection, PgExecutor, PgPool};

use super::credential::{Credential, CredentialHash};
use super::principal::{Principal, Via};
use super::{Role, half_sessions};
use crate::clock::{Clock, interval};
use crate::error::Result;
use crate::id::UserId;

/// A session ends this long after its last request.
pub(super) const IDLE: Duration = Duration::from_mins(30);

/// A session ends this long after it began, however busy.
pub(super) const LONGEST: Duration = Duration::from_hours(12);

/// Ended sessions that one sign-in removes at most.
const SWEEP: i64 = 100;

/// Longest kept description of a browser, in characters.
const USER_AGENT: usize = 255;

/// Where a session was begun from, to be shown to its owner.
pub(super) struct Origin<'a> {
    pub(super) address: IpAddr,
    pub(super) user_agent: Option<&'a str>,
}

fn idle() -> PgInterval {
    interval(IDLE)
}

/// Begins a session; its credential goes into the cookie and nowhere else. Where a second factor is set, the table takes
/// none that was begun without it.
pub(super) async fn begin(
    tx: &mut PgConnection,
    clock: &Clock,
    user: UserId,
    origin: &Origin<'_>,
    second_factor: bool,
) -> Result<Credential> {
    let credential = Credential::random("")?;
    let user_agent: Option<String> = origin.user_agent.map(|text| text.chars().take(USER_AGENT).collect());
    sqlx::query!(
        r#"
        insert into sessions (
            token_hash, user_id, created_at, last_seen_at, authenticated_at, expires_at, ip, user_agent, second_factor)
        values (
            $1,
            $2,
            clock_timestamp() + $3,
            clock_timestamp() + $3,
            clock_timestamp() + $3,
            clock_timestamp() + $3 + $4::interval,
            $5,
            $6,
            $7)
        "#,
        credential.hash.0.as_slice(),
        user.0,
        clock.offset(),
        interval(LONGEST),
        origin.address.to_string(),
        user_agent,
        second_factor,
    )
    .execute(tx)
    .await?;
    Ok(credential)
}

/// Notes that its person showed who they are at a provider, some time before it began. `at` is in seconds since 1970.
pub(super) async fn begun_at_provider(tx: &mut PgConnection, hash: CredentialHash, at: i64) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        update sessions
        set by_provider = true,
            authenticated_at = authenticated_at - greatest(clock_timestamp() - to_timestamp($2::bigint), interval '0')
        where token_hash = $1
        "#,
        hash.0.as_slice(),
        at,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// The person whose session this is, if it has not ended. Notes at most once a minute that it was used; what a page asks
/// for by itself (`in_background`) is no use of it.
pub(super) async fn find(
    db: &PgPool,
    clock: &Clock,
    hash: CredentialHash,
    in_background: bool,
) -> sqlx::Result<Option<Principal>> {
    let row = sqlx::query!(
        r#"
        with noted as (
            update sessions
            set last_seen_at = clock_timestamp() + $2
            where token_hash = $1
              and expires_at > clock_timestamp() + $2
              and last_seen_at > clock_timestamp() + $2 - $3::interval
              and last_seen_at < clock_timestamp() + $2 - interval '1 minute'
              and not $4
        )
        select
            users.id as "id: UserId",
            users.email,
            users.name,
            users.role as "role: Role",
            users.must_change_password,
            exists (
                select
                from second_factors
                where user_id = users.id and set_at is not null) as "has_second_factor!",
            sessions.second_factor,
            sessions.by_provider,
            extract(epoch from clock_timestamp() + $2 - sessions.authenticated_at)::float8 as "age!"
        from sessions
        join users on users.id = sessions.user_id
        where sessions.token_hash = $1
          and sessions.expires_at > clock_timestamp() + $2
          and sessions.last_seen_at > clock_timestamp() + $2 - $3::interval
          and users.disabled_at is null
          and users.invited_at is null
        "#,
        hash.0.as_slice(),
        clock.offset(),
        idle(),
        in_background,
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| Principal {
        user: row.id,
        email: row.email,
        name: row.name,
        role: row.role,
        via: Via::Session {
            age: Duration::from_secs_f64(row.age.max(0.0)),
            second_factor: row.second_factor,
            by_provider: row.by_provider,
        },
        must_change_password: row.must_change_password,
        has_second_factor: row.has_second_factor,
    }))
}

/// Ends one session; answers whose it was.
pub(super) async fn end(tx: &mut PgConnection, hash: CredentialHash) -> sqlx::Result<Option<(UserId, String)>> {
    let ended = sqlx::query!(
        r#"
        delete from sessions
        using users
        where sessions.token_hash = $1
          and users.id = sessions.user_id
        returning
            users.id as "id: UserId",
            users.email
        "#,
        hash.0.as_slice(),
    )
    .fetch_optional(tx)
    .await?;
    Ok(ended.map(|row| (row.id, row.email)))
}

/// Gives a session another name, now that its person has shown again who they are; the former name opens nothing any
/// more. It still ends when it would have ended. `None`: it has ended meanwhile.
pub(super) async fn renew(
    tx: &mut PgConnection,
    clock: &Clock,
    hash: CredentialHash,
    second_factor: bool,
) -> Result<Option<Credential>> {
    let credential = Credential::random("")?;
    let renewed = sqlx::query!(
        r#"
        update sessions
        set token_hash = $2,
            authenticated_at = clock_timestamp() + $3,
            last_seen_at = clock_timestamp() + $3,
            second_factor = second_factor or $4
        where token_hash = $1
        "#,
        hash.0.as_slice(),
        credential.hash.0.as_slice(),
        clock.offset(),
        second_factor,
    )
    .execute(tx)
    .await?;
    Ok((renewed.rows_affected() == 1).then_some(credential))
}

/// Ends all sessions of a person, and whatever was on the way to become one; answers how many sessions there were.
pub(super) async fn end_all(tx: &mut PgConnection, user: UserId) -> sqlx::Result<u64> {
    half_sessions::end_all(&mut *tx, user).await?;
    let ended = sqlx::query!("delete from sessions where user_id = $1", user.0).execute(tx).await?;
    Ok(ended.rows_affected())
}

/// Ends all sessions of a person but this one; answers how many there were.
pub(super) async fn end_others(tx: &mut PgConnection, user: UserId, kept: CredentialHash) -> sqlx::Result<u64> {
    half_sessions::end_all(&mut *tx, user).await?;
    let ended =
        sqlx::query!("delete from sessions where user_id = $1 and token_hash <> $2", user.0, kept.0.as_slice(),)
            .execute(tx)
            .await?;
    Ok(ended.rows_affected())
}

/// Removes sessions that have ended by themselves.
pub(super) async fn sweep(db: impl PgExecutor<'_>, clock: &Clock) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        delete from sessions
        where token_hash in (
            select token_hash
            from sessions
            where expires_at < clock_timestamp() + $1
               or last_seen_at < clock_timestamp() + $1 - $2::interval
            limit $3
            for update skip locked)
        "#,
        clock.offset(),
        idle(),
        SWEEP,
    )
    .execute(db)
    .await?;
    Ok(())
}
