//! The fence: the last check before a message leaves, on a connection that proves by its session lock that this process
//! is alive. PostgreSQL frees the lock when the process dies; a process that is merely paused keeps it, so that nobody
//! else judges its attempt meanwhile.

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{Connection as _, PgPool};
use tokio::sync::Mutex;

use super::claim::{Claimed, Load};
use crate::clock::Clock;
use crate::config::PublicUrl;
use crate::database;
use crate::operation::content::Kind;
use crate::speech::clips;
use crate::twilio::CheckedAt;
use crate::twilio::send::{Outgoing, Say};

/// Sets the locks of attempts apart from any other advisory lock in the database: "MC" in the upper bits.
const LOCK_SPACE: i64 = 0x4d43 << 48;

/// Longest a statement of the fence may take; past this its connection counts as lost.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// A claim that passed the fence a moment ago: the permission to send, spent by sending.
#[derive(Debug)]
pub struct Fenced {
    claimed: Arc<Claimed>,
    checked_at: CheckedAt,
    say: Say,
    status_callback: String,
    valid_for: Duration,
}

impl Fenced {
    /// Exactly what was approved.
    pub fn outgoing(&self) -> Outgoing<'_> {
        Outgoing {
            to: &self.claimed.to,
            from: &self.claimed.from,
            say: &self.say,
            status_callback: self.status_callback.clone(),
            valid_for: self.valid_for,
        }
    }

    /// When it was checked.
    pub fn checked_at(&self) -> CheckedAt {
        self.checked_at.clone()
    }
}

/// Why a claim did not pass.
#[derive(Debug, thiserror::Error)]
pub enum NotFenced {
    /// Another session judges the attempt: it is no longer ours.
    #[error("another process is looking at this attempt")]
    Taken,
    /// It does not stand any more as it was claimed: held, decided otherwise, or out of its window.
    #[error("sending was put on hold, or the operation changed, before it left")]
    Changed,
    /// The connection is lost: nothing is sent until there is a new one.
    #[error("the connection that guards sending was lost")]
    Lost,
}

/// The connection of the fence; one a process, outside the pool.
pub struct Fence {
    options: PgConnectOptions,
    connection: Mutex<Option<PgConnection>>,
    clock: Clock,
}

impl Fence {
    /// A fence that is not connected yet: nothing passes it.
    pub fn new(options: PgConnectOptions, clock: Clock) -> Self {
        // Keep-alives, so that the server notices a lost host within half a minute and frees its locks.
        let options = options.application_name("mission-control fence").options([
            ("tcp_keepalives_idle", "10"),
            ("tcp_keepalives_interval", "5"),
            ("tcp_keepalives_count", "3"),
        ]);
        Self { options, connection: Mutex::new(None), clock }
    }

    /// Connects if it must, and proves that the connection is a session of its own: behind a transaction pooler the locks
    /// would belong to nobody, and the fence would be void. Answers whether the connection is a new one.
    pub async fn connect(&self, pool: &PgPool) -> anyhow::Result<bool> {
        let mut connection = self.connection.lock().await;
        if connection.is_some() {
            return Ok(false);
        }
        let away = |_| sqlx::Error::PoolTimedOut;
        let connecting = PgConnection::connect_with(&self.options);
        let mut fresh = tokio::time::timeout(ANSWER_TIMEOUT, connecting).await.map_err(away)??;
        tokio::time::timeout(ANSWER_TIMEOUT, prove_session(&mut fresh, pool)).await.map_err(away)??;
        *connection = Some(fresh);
        Ok(true)
    }

    /// Takes the attempt's lock and checks the claim once more. Two statements: the second has a snapshot younger than the
    /// lock, so that whatever a former holder of the lock committed is seen.
    pub async fn pass(&self, claimed: &Arc<Claimed>, public_url: &PublicUrl) -> Result<Fenced, NotFenced> {
        let mut guard = self.connection.lock().await;
        let Some(connection) = guard.as_mut() else { return Err(NotFenced::Lost) };
        match tokio::time::timeout(ANSWER_TIMEOUT, check(connection, claimed, &self.clock)).await {
            Ok(Ok(Check::Passed(checked_at))) => Ok(self.fenced(claimed, checked_at, public_url)),
            Ok(Ok(Check::Taken)) => Err(NotFenced::Taken),
            Ok(Ok(Check::Changed)) => Err(NotFenced::Changed),
            Ok(Err(error)) => {
                tracing::warn!(event = "fence.lost", %error, "the fence lost its connection; nothing is sent without it");
                *guard = None;
                Err(NotFenced::Lost)
            }
            Err(_) => {
                tracing::warn!(event = "fence.lost", "the fence got no answer; nothing is sent without it");
                *guard = None;
                Err(NotFenced::Lost)
            }
        }
    }

    /// Frees the attempt's lock. If that fails the connection is dropped, which frees it as well.
    pub async fn release(&self, lock_key: i64) {
        let mut guard = self.connection.lock().await;
        let Some(connection) = guard.as_mut() else { return };
        let unlock = sqlx::query_scalar!(r#"select pg_advisory_unlock($1) as "freed!""#, LOCK_SPACE | lock_key);
        if !matches!(tokio::time::timeout(ANSWER_TIMEOUT, unlock.fetch_one(connection)).await, Ok(Ok(_))) {
            *guard = None;
        }
    }

    /// Closes the connection, which frees every lock.
    pub async fn close(&self) {
        if let Some(connection) = self.connection.lock().await.take() {
            let _ = tokio::time::timeout(ANSWER_TIMEOUT, connection.close()).await;
        }
    }

    fn fenced(&self, claimed: &Arc<Claimed>, checked_at: CheckedAt, public_url: &PublicUrl) -> Fenced {
        // The fragment tells Twilio to repeat a report that we could not take; it is not part of the signed URL.
        let door = match claimed.load.kind() {
            Kind::Sms => "message-status",
            Kind::Call => "call-status",
        };
        let (operation, reference) = (claimed.operation, claimed.reference.as_str());
        let path = format!("/webhooks/twilio/{door}/{operation}?ref={reference}#rc=3&rp=5xx,ct,rt");
        let say = match &claimed.load {
            Load::Message(message) => Say::Text(message.as_str().to_owned()),
            Load::Recording(url) => Say::Play(url.as_str().to_owned()),
            Load::Clip { clip, .. } => Say::Play(clips::address_for_attempt(public_url, clip, claimed.attempt)),
        };
        let left = claimed.execute_before - self.clock.now();
        Fenced {
            claimed: Arc::clone(claimed),
            checked_at,
            say,
            status_callback: public_url.join(&path),
            valid_for: left.try_into().unwrap_or(Duration::ZERO),
        }
    }
}

enum Check {
    Passed(CheckedAt),
    Taken,
    Changed,
}

async fn check(connection: &mut PgConnection, claimed: &Claimed, clock: &Clock) -> sqlx::Result<Check> {
    let locked = sqlx::query_scalar!(r#"select pg_try_advisory_lock($1) as "locked!""#, LOCK_SPACE | claimed.lock_key);
    if !locked.fetch_one(&mut *connection).await? {
        return Ok(Check::Taken);
    }
    // Read before the statement: what passes is at least as fresh as this says.
    let checked_at = CheckedAt::now(clock);
    let stands = sqlx::query_scalar!(
        r#"
        select exists (
            select
            from operations o
            join attempts a on a.operation_id = o.id
            cross join hold
            cross join (select clock_timestamp() + $1::interval as at) clock
            where o.id = $2
                and a.id = $3
                and o.state = 'sending'
                and a.state = 'sending'
                and o.attempts = a.number
                and o.content_digest = $4
                and o.approved_digest = $4
                and a.digest = $4
                and o.duplicate_suspected_at is null
                -- Twilio reported on an earlier attempt, so it has it
                and not exists (
                    select
                    from provider_events e
                    where e.operation_id = o.id and e.matched_by = 'reference')
                and not exists (select from do_not_contact d where d.number = o.to_number)
                and (o.clip_id is null
                    or exists (select from clips c where c.id = o.clip_id and c.state = 'ready'))
                -- connect, request and record must fit in before others call it unknown
                and a.deadline_at > clock.at + interval '25 seconds'
                and o.execute_before > clock.at
                and not hold.held
        ) as "stands!"
        "#,
        clock.offset(),
        claimed.operation.0,
        claimed.attempt.0,
        claimed.digest,
    )
    .fetch_one(connection)
    .await?;
    Ok(if stands { Check::Passed(checked_at) } else { Check::Changed })
}

/// A transaction pooler would hand the session that was just used to whoever comes next. So somebody comes next and keeps
/// what they got, while the fence's connection must still be where it was, with its lock.
async fn prove_session(connection: &mut PgConnection, pool: &PgPool) -> anyhow::Result<()> {
    let first = backend(connection).await?;
    // Negative: no attempt has such a key.
    let probe = -i64::from(first);
    sqlx::query_scalar!("select pg_advisory_lock($1)", probe).fetch_one(&mut *connection).await?;
    let mut other = database::begin(pool).await?;
    let others = backend(&mut other).await?;
    let second = backend(connection).await?;
    let is_free = sqlx::query_scalar!(r#"select pg_try_advisory_xact_lock($1) as "free!""#, probe);
    let is_free = is_free.fetch_one(&mut *other).await?;
    other.rollback().await?;
    sqlx::query_scalar!("select pg_advisory_unlock($1)", probe).fetch_one(&mut *connection).await?;
    anyhow::ensure!(first == second && first != others && !is_free, database::NEEDS_A_SESSION);
    Ok(())
}

async fn backend(connection: &mut PgConnection) -> sqlx::Result<i32> {
    sqlx::query_scalar!(r#"select pg_backend_pid() as "pid!""#).fetch_one(connection).await
}

/// Tries, within a transaction of the pool, the lock that an attempt's living owner holds.
pub(super) async fn owner_is_gone(tx: &mut PgConnection, lock_key: i64) -> sqlx::Result<bool> {
    sqlx::query_scalar!(r#"select pg_try_advisory_xact_lock($1) as "gone!""#, LOCK_SPACE | lock_key).fetch_one(tx).await
}
