//! The pool, and what it does about connections that died while nobody used them.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sqlx::{Connection as _, PgPool};

/// Connections of the pool; the fence and the listener have one more each.
pub const POOL_SIZE: u32 = 16;

/// Longest wait for a free connection; past this a request is answered 503.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a pooled connection may stay inside a transaction without a statement. A backstop: a transaction that is
/// forgotten must not hold its locks for ever.
const IDLE_IN_TRANSACTION: &str = "15s";

/// A connection that stood idle for this long is tried before it is used: something between us and the server may have
/// dropped it without a word. Under load none stands so long, and a request stays one statement.
const LONG_IDLE: Duration = Duration::from_secs(30);

/// Longest that a try of an idle connection may take.
const TRY_TIMEOUT: Duration = Duration::from_secs(1);

/// When this process last found a connection lost. Whatever stood idle at that moment may be dead as well, and would cost
/// one request each; what comes back later is known to be alive, because sqlx tries a connection when it is returned.
#[derive(Clone, Debug, Default)]
pub struct Losses(Arc<Mutex<Option<Instant>>>);

impl Losses {
    /// A connection was lost, or is there again after a loss.
    pub fn note(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    fn make_doubtful(&self, idle_for: Duration) -> bool {
        let last = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        idle_for >= LONG_IDLE || last.is_some_and(|last| idle_for >= last.elapsed())
    }
}

/// Opens a pool without waiting for the database: it may be away at the start and come back.
pub fn pool(options: PgConnectOptions) -> PgPool {
    watched_pool(options, Losses::default())
}

/// The same for whoever hears of losses: connections that are doubtful since are tried before they are used.
pub fn watched_pool(options: PgConnectOptions, losses: Losses) -> PgPool {
    let options = options
        .application_name("mission-control")
        .options([("idle_in_transaction_session_timeout", IDLE_IN_TRANSACTION), ("statement_timeout", "15s")]);
    PgPoolOptions::new()
        .max_connections(POOL_SIZE)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .max_lifetime(Duration::from_mins(30))
        // Not each time: that would be a second round trip of every request.
        .test_before_acquire(false)
        .before_acquire(move |connection, met| {
            let is_doubtful = losses.make_doubtful(met.idle_for);
            Box::pin(async move { Ok(!is_doubtful || is_alive(connection).await) })
        })
        .connect_lazy_with(options)
}

/// The connection that hears of other processes' changes, outside the pool: nobody else may be in its way.
pub fn listener(options: PgConnectOptions) -> PgPool {
    of_one(options.application_name("mission-control listener"))
}

/// One connection, as a pool because that is what sqlx wants.
pub(super) fn of_one(options: PgConnectOptions) -> PgPool {
    PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .max_lifetime(None)
        .idle_timeout(None)
        .connect_lazy_with(options)
}

async fn is_alive(connection: &mut PgConnection) -> bool {
    matches!(tokio::time::timeout(TRY_TIMEOUT, connection.ping()).await, Ok(Ok(())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stood_idle_during_a_loss_or_very_long_is_doubtful() {
        let losses = Losses::default();
        assert!(!losses.make_doubtful(Duration::from_secs(29)));
        assert!(losses.make_doubtful(LONG_IDLE));
        losses.note();
        assert!(losses.make_doubtful(Duration::from_secs(1)), "it was idle when the loss was found");
        assert!(!losses.make_doubtful(Duration::ZERO), "it came back since");
    }
}
