//! The database role of `config/database-roles.sql`: it does everything that the service does, and can neither change the
//! schema nor what the audit says.

use std::fs;
use std::path::Path;

use mission_control::audit::verify::verify;
use mission_control::auth::Role;
use mission_control::database::{self, MIGRATIONS};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, PgConnection};

use crate::pages::browser::{Browser, hidden};
use crate::support::service::{Setup, text};

const ROLE: &str = "mission_control_service";
const SENDING: &str = "/dashboard/settings/sending";

fn read(file: impl AsRef<Path>) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).expect("a file of the project")
}

async fn attempt(connection: &mut PgConnection, statement: &str) -> sqlx::Result<()> {
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(connection).await.map(|_| ())
}

/// Makes the role as the owner does, and answers how it reaches the database.
async fn limited(owner: &PgConnectOptions) -> PgConnectOptions {
    let mut connection = owner.connect().await.expect("the database");
    attempt(&mut connection, &read("config/database-roles.sql")).await.expect("the role is made");
    owner.clone().username(ROLE)
}

async fn is_refused(connection: &mut PgConnection, statement: &str) {
    match attempt(connection, statement).await {
        Err(sqlx::Error::Database(error)) => {
            assert_eq!(error.code().as_deref(), Some("42501"), "{statement}: {error}");
        }
        other => panic!("{statement}: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_without_rights_on_the_schema_does_all_its_work() {
    let setup = Setup::new().await;
    let way = limited(setup.straight()).await;
    let service = setup.way(way).start().await;
    let who: String =
        sqlx::query_scalar("select current_user::text").fetch_one(&service.app().db).await.expect("a name");
    assert_eq!(who, ROLE);

    let token = service.token("ada@example.com", Role::Admin).await;
    let id = service.ask_approved(&token, "+14155550101", "Hello").await;
    service.until(&token, &id, "delivered").await;
    let stored = service.request(Method::PUT, "/api/vault/elevenlabs_api_key", &token);
    let stored = service.send(stored.json(&json!({ "value": "sk_0123456789abcdef0123456789abcdef" }))).await;
    assert_eq!(stored.status, StatusCode::OK, "{}", stored.text);
    let held = service.request(Method::PUT, "/api/hold", &token).json(&json!({ "reason": "A test" }));
    let held = service.send(held).await;
    assert_eq!(held.status, StatusCode::OK, "{}", held.text);

    let mut bea = Browser::of(&service, "bea@example.com", Role::Admin).await;
    let page = bea.page(SENDING).await;
    let fields = [("version", hidden(&page, "version")), ("approval.pending_seconds", "7200".to_owned())];
    let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(bea.submit(SENDING, &fields).await, SENDING);

    let verified = verify(&service.app().db, None).await.expect("it may read the audit");
    assert!(verified.count == 0, "{:?}", verified.faults);
    service.stop().await;
}

#[tokio::test]
async fn the_role_may_run_every_statement_of_the_service() {
    let setup = Setup::new().await;
    let way = limited(setup.straight()).await;
    let mut connection = way.connect().await.expect("the database");
    attempt(&mut connection, "set plan_cache_mode = force_generic_plan").await.expect("set");
    let mut planned = 0;
    for file in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".sqlx")).expect("the statements") {
        let statement: Value = serde_json::from_str(&read(file.expect("a file").path())).expect("JSON");
        let sql = text(&statement["query"]);
        let parameters = statement["describe"]["parameters"]["Left"].as_array().expect("a list").len();
        // What is no query has no plan: these are done, and undone at once.
        let as_it_is = ["lock", "set"].iter().any(|word| sql.trim_start().starts_with(word));
        let nulls = vec!["null"; parameters].join(", ");
        let given = if parameters == 0 { String::new() } else { format!("({nulls})") };
        let attempted = if as_it_is {
            format!("begin; {sql}; rollback")
        } else {
            format!("prepare one as {sql}; explain execute one {given}; deallocate one")
        };
        attempt(&mut connection, &attempted).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        planned += 1;
    }
    assert!(planned > 200, "{planned}");
}

#[tokio::test]
async fn the_role_changes_neither_the_schema_nor_what_the_audit_says() {
    let setup = Setup::new().await;
    let mut connection = limited(setup.straight()).await.connect().await.expect("the database");
    for (table, column) in [("audit_lines", "at"), ("audit_checkpoints", "lines")] {
        for statement in [
            format!("update {table} set {column} = {column}"),
            format!("delete from {table}"),
            format!("truncate {table}"),
            format!("select * from {table} for update"),
            format!("alter table {table} disable trigger all"),
            format!("drop table {table}"),
            format!("alter table {table} owner to {ROLE}"),
        ] {
            is_refused(&mut connection, &statement).await;
        }
    }
    for statement in [
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time) values (1, '', true, '', 0)",
        "update _sqlx_migrations set checksum = ''",
        "delete from _sqlx_migrations",
        "truncate operations",
        "alter table operations disable trigger all",
        "alter table operations add column more text",
        "drop table operations cascade",
        "create table more (id integer)",
        "create function more() returns integer language sql as 'select 1'",
        "create schema more",
        "set session_replication_role = replica",
        "create role another",
        "set role postgres",
        "alter role mission_control_service superuser",
        "copy operations to program 'true'",
        "select pg_read_file('postgresql.conf')",
    ] {
        is_refused(&mut connection, statement).await;
    }
}

#[tokio::test]
async fn what_a_later_migration_makes_is_there_for_the_role_at_once() {
    let setup = Setup::new().await;
    let mut connection = limited(setup.straight()).await.connect().await.expect("the database");
    let mut owner = setup.straight().connect().await.expect("the database");
    attempt(&mut owner, "create table later (id bigserial primary key, note text)").await.expect("a table");
    for statement in [
        "insert into later (note) values ('one')",
        "select * from later",
        "update later set note = 'another'",
        "delete from later",
    ] {
        attempt(&mut connection, statement).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
    }
    is_refused(&mut connection, "drop table later").await;
}

#[tokio::test]
async fn a_migration_that_the_role_may_not_apply_says_who_may() {
    let setup = Setup::new().await;
    let mut owner = setup.straight().connect().await.expect("the database");
    let limited = limited(setup.straight()).await;
    let pool = database::pool(limited);
    database::migrate(&pool).await.expect("nothing is missing");

    let latest = MIGRATIONS.iter().map(|migration| migration.version).max().expect("migrations");
    attempt(&mut owner, &format!("delete from _sqlx_migrations where version = {latest}")).await.expect("older");
    let error = database::migrate(&pool).await.expect_err("it may not").to_string();
    assert!(error.contains("Run `mission-control migrate` as the owner of the database"), "{error}");
}
