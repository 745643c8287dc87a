//! The schema, brought up to this program while other processes may be serving from it.

use std::time::Duration;

use sqlx::PgPool;
use sqlx::migrate::{Migrate, MigrateError, Migrator};
use sqlx::postgres::PgConnectOptions;

use super::pool;

/// All migrations, in the binary.
pub static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// How a migration waits for the locks of its tables. Whoever comes after it waits behind it, so it stands in line only
/// for a moment, lets the others pass, and tries again.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// How long one try stands in line; as long do the others' requests wait behind it.
    pub in_line: Duration,
    /// Pause between two tries, in which the others have their turn.
    pub pause: Duration,
    /// How often it is tried before the start fails.
    pub tries: u32,
}

impl Patience {
    /// About two minutes: longer than any transaction of ours, shorter than a backup, which is not to be waited for.
    pub const STANDARD: Self = Self { in_line: Duration::from_secs(2), pause: Duration::from_secs(3), tries: 24 };
}

/// Applies what is missing.
pub async fn migrate(db: &PgPool) -> anyhow::Result<()> {
    apply(&MIGRATIONS, &db.connect_options(), Patience::STANDARD).await
}

/// Applies what is missing of these migrations. Concurrent starts take turns by an advisory lock. Where nothing is missing,
/// the role needs no right to change the schema: `config/database-roles.sql` makes one that has none.
pub async fn apply(migrations: &Migrator, options: &PgConnectOptions, patience: Patience) -> anyhow::Result<()> {
    let in_line = format!("{}ms", patience.in_line.as_millis());
    // An index over a long history takes its time: only waiting is bounded.
    let bounds = [("lock_timeout", in_line.as_str()), ("statement_timeout", "0")];
    let options = options.clone().application_name("mission-control migration").options(bounds);
    let mut tries = 0;
    loop {
        // A connection of its own, closed in any case: sqlx keeps the lock of the turn when a migration fails.
        let connection = pool::of_one(options.clone());
        // sqlx asks to make its own table, whether it is there or not.
        let outcome = match is_done(migrations, &connection).await {
            Ok(true) => Ok(()),
            _ => migrations.run(&connection).await,
        };
        connection.close().await;
        match outcome {
            Ok(()) => return Ok(()),
            Err(MigrateError::Execute(error)) if waited_in_vain(&error) => {
                tracing::info!(event = "migration.waiting", "another process is bringing the schema up");
            }
            Err(MigrateError::ExecuteMigration(error, version)) if waited_in_vain(&error) => {
                tries += 1;
                anyhow::ensure!(
                    tries < patience.tries,
                    "migration {version} did not get the lock of a table in {tries} tries: another session holds it, such as a backup or a transaction that somebody left open. Look for it in pg_stat_activity, end it or wait for it, then start again."
                );
                tracing::warn!(event = "migration.waiting", version, tries, "another session locks a table");
            }
            Err(error) => return Err(in_words(error)),
        }
        tokio::time::sleep(patience.pause).await;
    }
}

/// Whether exactly these migrations are applied, each whole and as it is in this program.
async fn is_done(migrations: &Migrator, db: &PgPool) -> Result<bool, MigrateError> {
    let mut connection = db.acquire().await?;
    let table = &migrations.table_name;
    let is_whole = connection.dirty_version(table).await?.is_none();
    let applied = connection.list_applied_migrations(table).await?;
    let applied = applied.iter().map(|one| (one.version, &one.checksum));
    Ok(is_whole && applied.eq(migrations.iter().map(|one| (one.version, &one.checksum))))
}

fn may_not(error: &sqlx::Error) -> bool {
    // insufficient_privilege
    matches!(error, sqlx::Error::Database(error) if error.code().is_some_and(|code| code == "42501"))
}

fn waited_in_vain(error: &sqlx::Error) -> bool {
    // lock_not_available
    matches!(error, sqlx::Error::Database(error) if error.code().is_some_and(|code| code == "55P03"))
}

fn in_words(error: MigrateError) -> anyhow::Error {
    match error {
        MigrateError::VersionMissing(version) => anyhow::anyhow!(
            "this program is older than the database, which has migration {version}. Start the newer program, or restore a backup from before it."
        ),
        MigrateError::VersionMismatch(version) => anyhow::anyhow!(
            "migration {version} of this program is not the one that the database has: it was edited after it was applied. Start the program that applied it; a change of the schema is a new migration."
        ),
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) if may_not(&error) => anyhow::anyhow!(
            "this program needs a newer schema than the database has, and its role may not change it ({error}). Run `mission-control migrate` as the owner of the database, then start again."
        ),
        error => error.into(),
    }
}
