//! The schema is brought up while other processes serve from it, once, and only forwards.

use std::path::Path;
use std::time::Duration;

use futures_util::future::join_all;
use mission_control::auth::Role;
use mission_control::database::{self, MIGRATIONS, Patience};
use reqwest::StatusCode;
use serde_json::json;
use sqlx::migrate::Migrator;
use sqlx::{Connection as _, PgConnection};

use crate::support::postgres::fresh_database;
use crate::support::service::Service;

/// The migrations of a version to come: ours, and one more.
async fn newer() -> (tempfile::TempDir, Migrator) {
    let folder = tempfile::tempdir().expect("a folder");
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    for file in std::fs::read_dir(ours).expect("the migrations") {
        let file = file.expect("a file").path();
        std::fs::copy(&file, folder.path().join(file.file_name().expect("a name"))).expect("copied");
    }
    let added =
        "alter table operations add column tomorrow text; create index operations_tomorrow on operations (tomorrow);";
    std::fs::write(folder.path().join("9999_tomorrow.sql"), added).expect("written");
    let migrator = Migrator::new(folder.path()).await.expect("migrations");
    (folder, migrator)
}

async fn applied(db: &mut PgConnection) -> usize {
    let count: i64 =
        sqlx::query_scalar("select count(*) from _sqlx_migrations where success").fetch_one(db).await.expect("a count");
    usize::try_from(count).expect("a count")
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_start_together_bring_the_schema_up_once() {
    let database = fresh_database().await;
    let pools: Vec<_> = (0..3).map(|_| database::pool(database.options.clone())).collect();
    let empty = "drop schema public cascade; create schema public";
    sqlx::raw_sql(empty).execute(&pools[0]).await.expect("an empty database");
    for outcome in join_all(pools.iter().map(database::migrate)).await {
        outcome.expect("each finds the schema as it should be");
    }
    let mut db = pools[0].acquire().await.expect("a connection");
    assert_eq!(applied(&mut db).await, MIGRATIONS.iter().count());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_process_serves_on_while_a_newer_one_brings_the_schema_up_and_cannot_be_started_after_that() {
    let service = Service::start().await;
    let token = service.token("ada@example.com", Role::Admin).await;
    let (_folder, newer) = newer().await;
    let options = (*service.app().db.connect_options()).clone();
    let traffic = async {
        let mut ids = Vec::new();
        for number in 0..40 {
            ids.push(service.ask_approved(&token, &format!("+1415555{number:04}"), "Hello").await);
        }
        ids
    };
    let upgrading = async {
        tokio::time::sleep(Duration::from_millis(30)).await;
        database::apply(&newer, &options, Patience::STANDARD).await.expect("brought up");
    };
    let (ids, ()) = tokio::join!(traffic, upgrading);
    for id in &ids {
        service.until(&token, id, "delivered").await;
    }
    assert_eq!(service.accepted().await.len(), ids.len(), "each once");
    assert_eq!(applied(&mut service.direct().await).await, MIGRATIONS.iter().count() + 1);

    let mut older = service.setup_again().launch().await;
    let refusal = older.until_ready().await.expect_err("refused").to_string();
    assert!(refusal.contains("this program is older than the database, which has migration 9999"), "{refusal}");
    older.stop().await;
    let id = service.ask_approved(&token, "+14155550132", "The one that runs goes on").await;
    service.until(&token, &id, "delivered").await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_that_has_to_wait_for_a_lock_lets_the_others_pass() {
    let service = Service::start().await;
    let token = service.token("ada@example.com", Role::Admin).await;
    let (_folder, newer) = newer().await;
    let options = (*service.app().db.connect_options()).clone();
    let mut db = service.direct().await;
    let mut reading = db.begin().await.expect("a transaction");
    sqlx::query("lock table operations in access share mode").execute(&mut *reading).await.expect("as a backup does");

    let patience = Patience { in_line: Duration::from_millis(200), pause: Duration::from_millis(100), tries: 4 };
    let others = async {
        for number in 0..10 {
            let body = json!({ "to": format!("+1415555{number:04}"), "message": "Hello" });
            let answer = service.post("/api/twilio/send-sms", &token, &body).await;
            assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text);
        }
    };
    let (waited, ()) = tokio::join!(database::apply(&newer, &options, patience), others);
    let sentence = waited.expect_err("the lock is held").to_string();
    assert!(sentence.contains("migration 9999 did not get the lock of a table in 4 tries"), "{sentence}");
    assert!(sentence.contains("pg_stat_activity"), "it says what to do: {sentence}");
    reading.rollback().await.expect("let go");
    database::apply(&newer, &options, patience).await.expect("brought up");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_that_was_edited_after_it_was_applied_is_refused() {
    let service = Service::start().await;
    let edited = "update _sqlx_migrations set checksum = '\\x00' where version = 2";
    sqlx::query(edited).execute(&service.app().db).await.expect("edited");
    let mut second = service.setup_again().launch().await;
    let refusal = second.until_ready().await.expect_err("refused").to_string();
    assert!(refusal.contains("migration 2 of this program is not the one that the database has"), "{refusal}");
    second.stop().await;
    service.stop().await;
}

#[test]
fn a_migration_only_adds_and_says_why() {
    for migration in MIGRATIONS.iter().filter(|migration| migration.version > 1) {
        let text = migration.sql.as_str();
        assert!(text.starts_with("-- "), "{}: a migration says why", migration.version);
        let statements: String = text
            .lines()
            .map(|line| line.split("--").next().unwrap_or_default().to_lowercase())
            .collect::<Vec<_>>()
            .join(" ");
        for forbidden in ["drop table", "drop column", "rename", "alter column", "delete from"] {
            assert!(
                !statements.contains(forbidden),
                "{}: the version before cannot work after {forbidden}",
                migration.version
            );
        }
        // In a trigger the word only forbids it.
        let truncates = statements.split(';').any(|statement| statement.trim_start().starts_with("truncate"));
        assert!(!truncates, "{}: the version before cannot work without its rows", migration.version);
        for column in statements.split("add column").skip(1) {
            let column = column.split([';', ',']).next().unwrap_or_default();
            let fits = !column.contains("not null") || column.contains("default");
            assert!(fits, "{}: the version before does not fill{column}", migration.version);
        }
    }
}
