//! The operating settings: versions that processes share, under what the environment fixes.

use mission_control::audit::Actor;
use mission_control::config::{Config, Environment, Operating};
use mission_control::settings::{Settings, SettingsError};
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::support::postgres::{Database, fresh_database};

async fn fresh_pool() -> (PgPool, Database) {
    let database = fresh_database().await;
    (mission_control::database::pool(database.options.clone()), database)
}

fn config<const N: usize>(variables: [(&str, &str); N]) -> Config {
    Config::load(&Environment::of(variables)).expect("valid settings")
}

fn admin() -> Actor {
    Actor::service("admin@example.com")
}

fn without_approval(settings: &Settings) -> Operating {
    let mut operating = Operating::clone(&settings.current());
    operating.approval.required = false;
    operating
}

async fn versions(db: &PgPool) -> Vec<Value> {
    sqlx::query_scalar("select document from settings order by version").fetch_all(db).await.expect("the versions")
}

async fn insert(db: &PgPool, document: Value) {
    sqlx::query("insert into settings (document, changed_by) values ($1, 'another program')")
        .bind(document)
        .execute(db)
        .await
        .expect("inserted");
}

#[tokio::test]
async fn first_starts_at_once_store_one_version() {
    let (db, _database) = fresh_pool().await;
    let config = config([]);
    let starts = futures_util::future::join_all((0..6).map(|_| Settings::load(db.clone(), &config))).await;
    for settings in starts {
        assert_eq!(*settings.expect("loaded").current(), config.operating);
    }
    assert_eq!(versions(&db).await.len(), 1);
}

#[tokio::test]
async fn a_change_is_in_force_here_at_once_and_elsewhere_after_a_refresh() {
    let (db, _database) = fresh_pool().await;
    let here = Settings::load(db.clone(), &config([])).await.expect("loaded");
    let there = Settings::load(db.clone(), &config([])).await.expect("loaded");
    here.change(here.version(), &without_approval(&here), &admin()).await.expect("changed");
    assert!(!here.current().approval.required);
    assert!(there.current().approval.required);
    there.refresh().await.expect("refreshed");
    assert!(!there.current().approval.required);
    assert_eq!(here.version(), there.version());

    here.change(here.version(), &without_approval(&here), &admin()).await.expect("nothing to do");
    assert_eq!(versions(&db).await.len(), 2, "settings that do not differ are no new version");
    let restarted = Settings::load(db.clone(), &config([])).await.expect("loaded");
    assert!(!restarted.current().approval.required, "what is stored stands over the file");

    let details: Value = sqlx::query_scalar("select details from audit_lines where actor = 'admin@example.com'")
        .fetch_one(&db)
        .await
        .expect("one audit line");
    let required = |when: &str| details[when]["approval"]["required"].clone();
    assert_eq!((required("before"), required("after")), (json!(true), json!(false)));
}

#[tokio::test]
async fn what_the_environment_fixes_stands_over_all_and_is_not_stored() {
    let (db, _database) = fresh_pool().await;
    let locked = config([("MISSION_CONTROL_APPROVAL_REQUIRED", "false")]);
    let settings = Settings::load(db.clone(), &locked).await.expect("loaded");
    assert!(!settings.current().approval.required);
    assert_eq!(versions(&db).await[0]["approval"].get("required"), None);

    let mut operating = without_approval(&settings);
    operating.approval.allow_self_approval = true;
    settings.change(settings.version(), &operating, &admin()).await.expect("only what is free was changed");
    operating.approval.required = true;
    let error = settings.change(settings.version(), &operating, &admin()).await.expect_err("locked");
    assert!(matches!(&error, SettingsError::Locked { setting, .. } if setting == "approval.required"), "{error}");
    assert!(error.to_string().contains("MISSION_CONTROL_APPROVAL_REQUIRED"));

    let unlocked = Settings::load(db.clone(), &config([])).await.expect("loaded").current();
    assert!(unlocked.approval.required, "the environment's value does not outlive its variable");
    assert!(unlocked.approval.allow_self_approval);
}

#[tokio::test]
async fn documents_of_older_and_newer_programs_are_read_and_kept() {
    let (db, _database) = fresh_pool().await;
    insert(&db, json!({ "approval": { "required": false, "colour": "blue" }, "weather": { "rain": true } })).await;
    let settings = Settings::load(db.clone(), &config([])).await.expect("loaded");
    let mut operating = Operating::clone(&settings.current());
    assert!(!operating.approval.required);
    assert_eq!(operating.dispatch, config([]).operating.dispatch, "what is not stored has its default");

    operating.api.require_idempotency_key = true;
    settings.change(settings.version(), &operating, &admin()).await.expect("changed");
    let newest = &versions(&db).await[1];
    assert_eq!(newest["approval"]["colour"], "blue", "a newer program's setting survives our change");
    assert_eq!(newest["weather"], json!({ "rain": true }));
    assert_eq!(newest["api"]["require_idempotency_key"], true);
}

#[tokio::test]
async fn what_cannot_work_is_neither_stored_nor_put_in_force() {
    let (db, _database) = fresh_pool().await;
    let settings = Settings::load(db.clone(), &config([])).await.expect("loaded");
    let mut operating = Operating::clone(&settings.current());
    operating.dispatch.calls_per_second = -1.0;
    assert!(matches!(settings.change(settings.version(), &operating, &admin()).await, Err(SettingsError::Invalid(_))));
    assert_eq!(versions(&db).await.len(), 1);

    insert(&db, json!({ "approval": { "required": "perhaps" } })).await;
    assert!(matches!(settings.refresh().await, Err(SettingsError::Unreadable { .. })));
    assert!(settings.current().approval.required, "the former settings stay in force");
    let fixed = config([("MISSION_CONTROL_APPROVAL_REQUIRED", "true")]);
    assert!(Settings::load(db.clone(), &fixed).await.is_ok(), "the environment is the way out");
}

#[tokio::test]
async fn a_change_made_from_older_settings_is_refused_and_shows_the_newer_ones() {
    let (db, _database) = fresh_pool().await;
    let here = Settings::load(db.clone(), &config([])).await.expect("loaded");
    let there = Settings::load(db.clone(), &config([])).await.expect("loaded");
    let mut other = Operating::clone(&there.current());
    other.api.require_idempotency_key = true;
    here.change(here.version(), &without_approval(&here), &admin()).await.expect("changed");
    assert!(matches!(there.change(there.version(), &other, &admin()).await, Err(SettingsError::ChangedMeanwhile)));
    assert!(!there.current().approval.required);

    let mut other = Operating::clone(&there.current());
    other.api.require_idempotency_key = true;
    there.change(there.version(), &other, &admin()).await.expect("made from the newest settings");
    assert!(!there.current().approval.required && there.current().api.require_idempotency_key);
}
