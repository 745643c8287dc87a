//! The connection to PostgreSQL: the pool, the migrations, and the one safe way to open a transaction.

mod migrations;
mod pool;

pub use migrations::{MIGRATIONS, Patience, apply, migrate};
pub use pool::{Losses, POOL_SIZE, listener, pool, watched_pool};

use sqlx::{PgPool, Postgres, Transaction};

/// Begins a transaction in a task of its own.
///
/// In sqlx up to 0.9.0 `Pool::begin` is not cancel-safe on PostgreSQL: a handler that is dropped during `BEGIN` (the
/// client went away) gives its connection back inside an open transaction, and what others "commit" on it later is
/// lost. A task is not dropped with the handler.
pub async fn begin(db: &PgPool) -> sqlx::Result<Transaction<'static, Postgres>> {
    begin_with(db, "begin").await
}

/// Begins a transaction that only reads, and sees in all its statements what was there at its first.
pub async fn begin_snapshot(db: &PgPool) -> sqlx::Result<Transaction<'static, Postgres>> {
    begin_with(db, "begin isolation level repeatable read read only").await
}

async fn begin_with(db: &PgPool, statement: &'static str) -> sqlx::Result<Transaction<'static, Postgres>> {
    let db = db.clone();
    #[expect(clippy::disallowed_methods, reason = "the one caller of begin; the task ends with the statement")]
    let begun = tokio::spawn(async move { db.begin_with(statement).await }).await;
    begun.unwrap_or(Err(sqlx::Error::WorkerCrashed))
}

/// Whether the database is away or overloaded, rather than in disagreement with us.
pub fn is_unavailable(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::WorkerCrashed => true,
        // Classes 08 connection, 53 resources (a full disk among them), 57 shutdown or cancelled, 58 system error,
        // 25006 read-only after a fail-over; 40 serialization and 55P03 lock: repeat.
        sqlx::Error::Database(error) => error.code().is_some_and(|code| {
            ["08", "53", "57", "58", "40"].iter().any(|class| code.starts_with(class))
                || code == "25006"
                || code == "55P03"
        }),
        _ => false,
    }
}

/// What to do about a connection that does not keep its session.
pub const NEEDS_A_SESSION: &str = "the database connection does not keep its session (a transaction pooler?). Sending \
    needs session locks: set DATABASE_URL to PostgreSQL itself, or to a pooler in session mode";

/// Whether prepared statements of somebody else's are in our session, or ours in another's: what older transaction poolers
/// make of them.
pub fn is_pooled_by_transaction(error: &sqlx::Error) -> bool {
    // duplicate_prepared_statement, invalid_sql_statement_name
    matches!(error, sqlx::Error::Database(error) if error.code().is_some_and(|code| code == "42P05" || code == "26000"))
}

/// The name of the constraint or unique index that refused a statement.
pub fn violated_constraint(error: &sqlx::Error) -> Option<&str> {
    match error {
        sqlx::Error::Database(error) => error.constraint(),
        _ => None,
    }
}

/// Brings the schema up to this program, and checks that the server has room for us.
pub async fn prepare(db: &PgPool) -> anyhow::Result<()> {
    migrate(db).await?;
    let limit =
        sqlx::query_scalar!(r#"select current_setting('max_connections')::bigint as "limit!""#).fetch_one(db).await?;
    let needed = i64::from(POOL_SIZE) + 2;
    anyhow::ensure!(
        limit > needed,
        "PostgreSQL allows {limit} connections, and each process needs {needed}. Raise max_connections."
    );
    Ok(())
}
