//! A database for one test, on the server of `DATABASE_URL`.

use std::sync::atomic::{AtomicU32, Ordering};
use std::{process, thread};

use mission_control::database::MIGRATIONS;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _};

/// A migrated database that belongs to one test; gone when it is dropped.
pub(super) struct Database {
    pub(super) options: PgConnectOptions,
    name: String,
    administration: PgConnectOptions,
}

/// A migrated, otherwise empty database.
pub(super) async fn fresh_database() -> Database {
    static NUMBER: AtomicU32 = AtomicU32::new(1);

    #[expect(clippy::disallowed_methods, reason = "tests are told by the environment which server is theirs")]
    let url = std::env::var("DATABASE_URL").expect("DATABASE_URL names a PostgreSQL server for tests");
    let server: PgConnectOptions = url.parse().expect("DATABASE_URL is a URL");
    let administration = server.clone().database("postgres");
    let name = format!("test_auth_{}_{}", process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
    run(&administration, format!("create database {name}")).await;
    let options = server.database(&name);
    let mut connection: PgConnection = options.connect().await.expect("the new database answers");
    MIGRATIONS.run(&mut connection).await.expect("the migrations run");
    connection.close().await.expect("the connection closes");
    Database { options, name, administration }
}

async fn run(server: &PgConnectOptions, statement: String) {
    let mut connection = server.connect().await.expect("the server answers");
    connection.execute(AssertSqlSafe(statement)).await.expect("the statement runs");
    connection.close().await.expect("the connection closes");
}

impl Drop for Database {
    fn drop(&mut self) {
        let (administration, name) = (self.administration.clone(), self.name.clone());
        // A thread, because the test's own runtime may be on its way out.
        let tidying = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(run(&administration, format!("drop database {name} with (force)")));
        });
        let _ = tidying.join();
    }
}
