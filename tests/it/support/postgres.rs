//! The PostgreSQL of the integration tests: one cluster, and for each test a database of its own.
//!
//! The cluster lives in `target/test-postgres` and is shared by all test processes of this checkout. A test process
//! has no moment at which it could stop it, so it keeps running; `make test` stops it at its end, and the next run
//! joins or starts it either way.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::{process, thread};

use mission_control::database::MIGRATIONS;
use mission_control::private_postgres::{Options, PrivatePostgres, Purpose};
use rustix::process::{Pid, test_kill_process};
use sha2::{Digest, Sha256};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use tokio::sync::OnceCell;

/// Taken while the template is made, so that test processes that start together make it once.
const TEMPLATE_LOCK: i64 = 0x6d63_7465_6d70;

/// A migrated database that belongs to one test; gone when it is dropped.
pub(crate) struct Database {
    pub(crate) options: PgConnectOptions,
    name: String,
    administration: PgConnectOptions,
}

/// A migrated, otherwise empty database.
pub(crate) async fn fresh_database() -> Database {
    static TESTS: OnceCell<Tests> = OnceCell::const_new();
    static NUMBER: AtomicU32 = AtomicU32::new(1);

    let tests = TESTS.get_or_init(Tests::start).await;
    let administration = tests.cluster.connect_options().database("postgres");
    let name = format!("test_{}_{}", process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
    let mut connection = administration.connect().await.expect("the cluster answers");
    // Copying files would be quicker for PostgreSQL only if each copy did not begin and end with a checkpoint.
    let statement = format!("create database {name} template {} strategy wal_log", tests.template);
    run(&mut connection, statement).await;
    connection.close().await.expect("the connection closes");
    Database { options: administration.clone().database(&name), name, administration }
}

impl Drop for Database {
    fn drop(&mut self) {
        let name = self.name.clone();
        let administration = self.administration.clone();
        // A thread, because a test's own runtime may be on its way out. If it fails, a later run tidies up.
        let tidying = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let mut connection = administration.connect().await?;
                drop_database(&mut connection, &name).await;
                connection.close().await
            })
        });
        let _ = tidying.join();
    }
}

/// What all tests of this process stand on.
struct Tests {
    cluster: PrivatePostgres,
    template: String,
}

impl Tests {
    async fn start() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/test-postgres");
        let options = Options { purpose: Purpose::Command, durable: false };
        let cluster = PrivatePostgres::start(&folder, options).await.unwrap_or_else(|error| panic!("{error}"));
        let administration = cluster.connect_options().database("postgres");
        let mut connection = administration.connect().await.expect("the cluster answers");
        drop_leftovers(&mut connection).await;
        let template = make_template(&mut connection, &administration).await;
        connection.close().await.expect("the connection closes");
        Self { cluster, template }
    }
}

/// Makes the database that all others are copies of. Its name stands for the migrations in it.
async fn make_template(connection: &mut PgConnection, administration: &PgConnectOptions) -> String {
    let mut digest = Sha256::new();
    for migration in MIGRATIONS.iter() {
        digest.update(&migration.checksum);
    }
    let digest = digest.finalize().iter().take(8).fold(String::new(), |digits, byte| format!("{digits}{byte:02x}"));
    let template = format!("template_{digest}");

    run(connection, format!("select pg_advisory_lock({TEMPLATE_LOCK})")).await;
    let databases = databases(connection).await;
    if !databases.contains(&template) {
        // Others belong to builds that this one has replaced.
        for older in databases.iter().filter(|name| name.starts_with("template_")) {
            drop_database(connection, older).await;
        }
        // Under another name until it is complete.
        run(connection, "create database template_unfinished".to_owned()).await;
        let mut unfinished =
            administration.clone().database("template_unfinished").connect().await.expect("the new database answers");
        MIGRATIONS.run(&mut unfinished).await.expect("the migrations run");
        unfinished.close().await.expect("the connection closes");
        run(connection, format!("alter database template_unfinished rename to {template}")).await;
        // A connection to it would stand in the way of copying it.
        run(connection, format!("alter database {template} allow_connections false")).await;
    }
    run(connection, format!("select pg_advisory_unlock({TEMPLATE_LOCK})")).await;
    template
}

/// Drops the databases of test processes that no longer run (and of an earlier one that had our process id).
async fn drop_leftovers(connection: &mut PgConnection) {
    for name in databases(connection).await {
        let owner = name.strip_prefix("test_").and_then(|rest| rest.split('_').next()?.parse().ok());
        let Some(owner) = owner.and_then(Pid::from_raw) else {
            continue;
        };
        let is_ours = owner == rustix::process::getpid();
        if is_ours || test_kill_process(owner) == Err(rustix::io::Errno::SRCH) {
            drop_database(connection, &name).await;
        }
    }
}

async fn databases(connection: &mut PgConnection) -> Vec<String> {
    sqlx::query_scalar("select datname::text from pg_database")
        .fetch_all(connection)
        .await
        .expect("the cluster lists its databases")
}

async fn drop_database(connection: &mut PgConnection, name: &str) {
    // Two runs may find the same leftover; to the slower one it is not there any more, or just being dropped.
    let statement = format!("drop database if exists {name} with (force)");
    let _ = sqlx::raw_sql(AssertSqlSafe(statement)).execute(connection).await;
}

/// Runs a statement made of our own names; PostgreSQL takes no parameters in such statements.
async fn run(connection: &mut PgConnection, statement: String) {
    sqlx::raw_sql(AssertSqlSafe(statement.as_str()))
        .execute(connection)
        .await
        .unwrap_or_else(|error| panic!("{statement}: {error}"));
}
