//! Every column of every table of the vault: what is changed in one that a secret depends on is refused, and told in one
//! sentence whatever it was; the others only describe, and decide nothing.

use std::collections::BTreeSet;

use mission_control::audit::Actor;
use mission_control::clock::Clock;
use mission_control::config::{EnvironmentCredentials, MasterKeySource, Mode};
use mission_control::vault::VaultName::{TwilioAccountSid, TwilioAuthToken};
use mission_control::vault::{Vault, VaultError};
use secrecy::SecretString;
use sqlx::{AssertSqlSafe, PgPool};
use uuid::Uuid;

use crate::support::postgres::{Database, fresh_database};

const KEYS: &str = "one:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=,two:AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";
const SID: &str = "AC0123456789abcdef0123456789abcdef";
const PURPOSE: &str = "one_time_codes";
const ADA: Uuid = Uuid::from_u128(1);

/// On which a secret depends.
const BOUND: [(&str, &[&str]); 3] = [
    ("vault_entries", &["mode", "name", "version", "state", "key_id", "wrapped_key", "ciphertext"]),
    ("vault_canaries", &["key_id", "ciphertext"]),
    ("kept_secrets", &["purpose", "id", "key_id", "wrapped_key", "ciphertext"]),
];

/// What is only shown.
const DESCRIBING: [(&str, &[&str]); 3] = [
    (
        "vault_entries",
        &[
            "id",
            "hint",
            "created_by",
            "created_at",
            "verified_at",
            "verify_result",
            "first_signature_at",
            "destroyed_at",
        ],
    ),
    ("vault_canaries", &["created_at"]),
    ("kept_secrets", &["created_at"]),
];

struct Fixture {
    _database: Database,
    db: PgPool,
}

impl Fixture {
    /// Two entries, one of them with a version before it, and what two people keep.
    async fn new() -> Self {
        let database = fresh_database().await;
        let fixture = Self { db: mission_control::database::pool(database.options.clone()), _database: database };
        for mode in [Mode::Sandbox, Mode::Live] {
            let vault = fixture.open(mode, KEYS).await.expect("the vault opens");
            for (name, value) in
                [(TwilioAccountSid, SID), (TwilioAuthToken, "the first token"), (TwilioAuthToken, "the second")]
            {
                vault.set(name, value.into(), &Actor::command_line()).await.expect("stored");
            }
        }
        let vault = fixture.open(Mode::Live, KEYS).await.expect("the vault opens");
        let mut tx = mission_control::database::begin(&fixture.db).await.expect("begun");
        for (id, secret) in [(ADA, "of Ada"), (Uuid::from_u128(2), "of Bob")] {
            vault.keep(&mut tx, PURPOSE, id, &SecretString::from(secret)).await.expect("kept");
        }
        tx.commit().await.expect("committed");
        fixture.perform("create table entries_before as select * from vault_entries; create table kept_before as select * from kept_secrets; create table canaries_before as select * from vault_canaries; create table deployment_before as select * from deployment").await;
        fixture
    }

    /// Everything as it was.
    async fn restore(&self) {
        self.perform(
            "delete from vault_entries; insert into vault_entries select * from entries_before;
             delete from kept_secrets; insert into kept_secrets select * from kept_before;
             delete from vault_canaries; insert into vault_canaries select * from canaries_before;
             update deployment set id = (select id from deployment_before)",
        )
        .await;
    }

    async fn open(&self, mode: Mode, keys: &str) -> Result<Vault, VaultError> {
        let (source, environment) = (MasterKeySource::Value(keys.into()), EnvironmentCredentials::default());
        let folder = std::path::Path::new("/nonexistent");
        Vault::open(self.db.clone(), mode, &source, folder, &environment, Clock::manual()).await
    }

    async fn perform(&self, sql: &str) {
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&self.db).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// Why something of live mode does not open, if it does not: the vault, the credentials, what is kept.
    async fn refusal(&self) -> Option<String> {
        let vault = match self.open(Mode::Live, KEYS).await {
            Ok(vault) => vault,
            Err(error) => return Some(error.to_string()),
        };
        if let Err(error) = vault.twilio().await {
            return Some(error.to_string());
        }
        let mut connection = self.db.acquire().await.expect("a connection");
        vault.recall(&mut connection, PURPOSE, ADA).await.err().map(|error| error.to_string())
    }

    async fn length(&self, table: &str, column: &str, row: &str) -> i32 {
        let sql = format!("select length({column}) from {table} where {row}");
        sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&self.db).await.expect("a length")
    }
}

#[tokio::test]
async fn every_column_is_one_or_the_other() {
    let fixture = Fixture::new().await;
    for ((table, bound), (_, describing)) in BOUND.into_iter().zip(DESCRIBING) {
        let columns: BTreeSet<String> = sqlx::query_scalar(
            "select column_name::text from information_schema.columns where table_schema = 'public' and table_name = $1",
        )
        .bind(table)
        .fetch_all(&fixture.db)
        .await
        .expect("the columns")
        .into_iter()
        .collect();
        let known = bound.iter().chain(describing).map(|column| (*column).to_owned()).collect();
        assert_eq!(columns, known, "a new column of {table} has to be told here to be one or the other");
    }
}

#[tokio::test]
async fn every_flipped_byte_is_refused_and_told_alike() {
    let fixture = Fixture::new().await;
    for (table, row, column, told) in [
        (
            "vault_entries",
            "mode = 'live' and name = 'twilio_auth_token' and version = 2",
            "wrapped_key",
            "does not open",
        ),
        (
            "vault_entries",
            "mode = 'live' and name = 'twilio_auth_token' and version = 2",
            "ciphertext",
            "does not open",
        ),
        ("vault_canaries", "key_id = 'live/one'", "ciphertext", "is not the key `one`"),
        ("kept_secrets", "id = '00000000-0000-0000-0000-000000000001'", "wrapped_key", "does not open"),
        ("kept_secrets", "id = '00000000-0000-0000-0000-000000000001'", "ciphertext", "does not open"),
    ] {
        let mut sentences = BTreeSet::new();
        for at in 0..fixture.length(table, column, row).await {
            let flip = format!(
                "update {table} set {column} = set_byte({column}, {at}, get_byte({column}, {at}) # 128) where {row}"
            );
            fixture.perform(&flip).await;
            sentences.insert(fixture.refusal().await.unwrap_or_else(|| panic!("it opened: {flip}")));
            fixture.perform(&flip).await;
        }
        assert_eq!(sentences.len(), 1, "{table}.{column}: {sentences:?}");
        assert!(sentences.iter().all(|sentence| sentence.contains(told)), "{table}.{column}: {sentences:?}");
        assert_eq!(fixture.refusal().await, None, "{table}.{column}: as it was");
    }
}

#[tokio::test]
async fn every_swap_is_refused_and_told_alike() {
    let fixture = Fixture::new().await;
    let token = "mode = 'live' and name = 'twilio_auth_token'";
    let mut sentences = BTreeSet::new();
    for (what, sql) in [
        (
            "versions",
            format!(
                "update vault_entries a set wrapped_key = b.wrapped_key, ciphertext = b.ciphertext from vault_entries b where a.{token} and a.version = 2 and b.mode = 'live' and b.name = a.name and b.version = 1"
            ),
        ),
        (
            "one half of a version",
            format!(
                "update vault_entries a set ciphertext = b.ciphertext from vault_entries b where a.{token} and a.version = 2 and b.mode = 'live' and b.name = a.name and b.version = 1"
            ),
        ),
        (
            "names",
            format!(
                "update vault_entries a set wrapped_key = b.wrapped_key, ciphertext = b.ciphertext from vault_entries b where a.{token} and a.version = 2 and b.mode = 'live' and b.name = 'twilio_account_sid'"
            ),
        ),
        (
            "modes",
            format!(
                "update vault_entries a set wrapped_key = b.wrapped_key, ciphertext = b.ciphertext from vault_entries b where a.{token} and a.version = 2 and b.mode = 'sandbox' and b.name = a.name and b.version = 2"
            ),
        ),
        ("the number of a version", format!("update vault_entries set version = 9 where {token} and version = 2")),
        (
            "the states of two versions",
            format!(
                "alter table vault_entries drop constraint vault_entries_state_check; update vault_entries set state = 'y' where {token} and version = 2; update vault_entries set state = 'current' where {token} and version = 1; update vault_entries set state = 'previous' where {token} and version = 2; alter table vault_entries add constraint vault_entries_state_check check (state in ('current', 'previous', 'destroyed'))"
            ),
        ),
        (
            "the columns of a row",
            format!(
                "update vault_entries set wrapped_key = ciphertext, ciphertext = wrapped_key where {token} and version = 2"
            ),
        ),
        ("the name of a known key", format!("update vault_entries set key_id = 'two' where {token} and version = 2")),
    ] {
        fixture.perform(&sql.replace("a.mode = 'live' and name", "a.mode = 'live' and a.name")).await;
        let refusal = fixture.refusal().await.unwrap_or_else(|| panic!("it opened with swapped {what}"));
        assert!(refusal.contains("twilio_auth_token") && refusal.contains("does not open"), "{what}: {refusal}");
        sentences.insert(refusal.replace("version 9", "version 2").replace("version 1", "version 2"));
        fixture.restore().await;
        assert_eq!(fixture.refusal().await, None, "{what}: as it was");
    }
    assert_eq!(sentences.len(), 1, "{sentences:?}");
}

#[tokio::test]
async fn what_belongs_to_another_installation_or_key_is_refused() {
    let fixture = Fixture::new().await;
    for (what, sql, told) in [
        ("deployments", "update deployment set id = gen_random_uuid()", "another installation's database"),
        (
            "the canaries of the modes",
            "update vault_canaries a set ciphertext = b.ciphertext from canaries_before b where a.key_id <> b.key_id",
            "is not the key `one`",
        ),
        (
            "a canary's key",
            "update vault_canaries set key_id = 'live/two' where key_id = 'live/one'",
            "is not the key `two`",
        ),
        (
            "a key that nobody has",
            "update vault_canaries set key_id = 'live/ont' where key_id = 'live/one'",
            "`ont`, which is not in the key ring",
        ),
        (
            "a key that nobody has",
            "update vault_entries set key_id = 'ont' where mode = 'live' and name = 'twilio_auth_token'",
            "`ont`, which is not in the key ring",
        ),
        ("a key that nobody has", "update kept_secrets set key_id = 'ont'", "`ont`, which is not in the key ring"),
        ("another known key", "update kept_secrets set key_id = 'two'", "does not open"),
        (
            "people",
            "update kept_secrets a set wrapped_key = b.wrapped_key, ciphertext = b.ciphertext from kept_before b where a.id <> b.id",
            "does not open",
        ),
    ] {
        fixture.perform(sql).await;
        let refusal = fixture.refusal().await.unwrap_or_else(|| panic!("it opened with swapped {what}"));
        assert!(refusal.contains(told), "{what}: {refusal}");
        fixture.restore().await;
        assert_eq!(fixture.refusal().await, None, "{what}: as it was");
    }
}
