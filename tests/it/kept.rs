//! Secrets that other parts of the service keep in the vault: each opens in its own place only, with a key that the
//! process has, and stands in no dump in the clear.

use mission_control::audit::Actor;
use mission_control::clock::Clock;
use mission_control::config::{EnvironmentCredentials, MasterKeySource, Mode};
use mission_control::vault::{Vault, VaultError, VaultName};
use secrecy::{ExposeSecret as _, SecretString};
use sqlx::{AssertSqlSafe, PgPool};
use uuid::Uuid;

use crate::support::dump::Dump;
use crate::support::postgres::{Database, fresh_database};

const OLD: &str = "old:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
const NEW: &str = "new:AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";

const CODES: &str = "one_time_codes";
const OTHER: &str = "something_else";
const ADA: Uuid = Uuid::from_u128(1);
const BOB: Uuid = Uuid::from_u128(2);

struct Fixture {
    database: Database,
    db: PgPool,
}

impl Fixture {
    async fn new() -> Self {
        let database = fresh_database().await;
        Self { db: mission_control::database::pool(database.options.clone()), database }
    }

    async fn open(&self, mode: Mode, keys: &str) -> Vault {
        let (source, environment) = (MasterKeySource::Value(keys.into()), EnvironmentCredentials::default());
        let folder = std::path::Path::new("/nonexistent");
        let opened = Vault::open(self.db.clone(), mode, &source, folder, &environment, Clock::manual()).await;
        opened.unwrap_or_else(|error| panic!("{keys}: {error}"))
    }

    async fn keep(&self, vault: &Vault, purpose: &'static str, id: Uuid, secret: &str) {
        let mut tx = mission_control::database::begin(&self.db).await.expect("begun");
        vault.keep(&mut tx, purpose, id, &SecretString::from(secret)).await.expect("kept");
        tx.commit().await.expect("committed");
    }

    async fn recall(&self, vault: &Vault, purpose: &'static str, id: Uuid) -> Result<Option<String>, VaultError> {
        let mut connection = self.db.acquire().await.expect("a connection");
        let secret = vault.recall(&mut connection, purpose, id).await?;
        #[expect(clippy::disallowed_methods, reason = "the tests compare what was kept")]
        let secret = secret.map(|secret| secret.expose_secret().to_owned());
        Ok(secret)
    }

    async fn perform(&self, sql: &str) {
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&self.db).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    async fn keys(&self) -> Vec<String> {
        let sql = "select key_id from kept_secrets order by purpose, id";
        sqlx::query_scalar(sql).fetch_all(&self.db).await.expect("the rows")
    }
}

fn admin() -> Actor {
    Actor::service("admin@example.com")
}

fn altered(recalled: &Result<Option<String>, VaultError>) -> bool {
    matches!(recalled, Err(VaultError::KeptAltered { .. }))
}

#[tokio::test]
async fn what_is_kept_comes_back_until_it_is_replaced_or_forgotten() {
    let fixture = Fixture::new().await;
    let vault = fixture.open(Mode::Live, OLD).await;
    fixture.keep(&vault, CODES, ADA, "first").await;
    fixture.keep(&vault, CODES, ADA, "second").await;
    fixture.keep(&vault, CODES, BOB, "of Bob").await;
    assert_eq!(fixture.recall(&vault, CODES, ADA).await.expect("it opens").as_deref(), Some("second"));
    assert_eq!(fixture.recall(&vault, OTHER, ADA).await.expect("nothing is there"), None);

    let mut tx = mission_control::database::begin(&fixture.db).await.expect("begun");
    assert!(vault.forget(&mut tx, CODES, ADA).await.expect("forgotten"));
    assert!(!vault.forget(&mut tx, CODES, ADA).await.expect("nothing is left"));
    tx.commit().await.expect("committed");
    assert_eq!(fixture.recall(&vault, CODES, ADA).await.expect("nothing is there"), None);
    assert_eq!(fixture.recall(&vault, CODES, BOB).await.expect("it opens").as_deref(), Some("of Bob"));
}

#[tokio::test]
async fn what_its_transaction_takes_back_is_not_kept() {
    let fixture = Fixture::new().await;
    let vault = fixture.open(Mode::Live, OLD).await;
    let mut tx = mission_control::database::begin(&fixture.db).await.expect("begun");
    vault.keep(&mut tx, CODES, ADA, &SecretString::from("first")).await.expect("kept");
    tx.rollback().await.expect("taken back");
    assert_eq!(fixture.recall(&vault, CODES, ADA).await.expect("nothing is there"), None);
}

#[tokio::test]
async fn what_is_kept_does_not_open_in_another_place() {
    let fixture = Fixture::new().await;
    let vault = fixture.open(Mode::Live, OLD).await;
    for swap in [
        // The rows of two people.
        format!(
            "update kept_secrets a set wrapped_key = b.wrapped_key, ciphertext = b.ciphertext from kept_secrets b \
             where a.purpose = b.purpose and a.id = '{ADA}' and b.id = '{BOB}'"
        ),
        // Half of a row.
        format!(
            "update kept_secrets a set ciphertext = b.ciphertext from kept_secrets b \
             where a.purpose = b.purpose and a.id = '{ADA}' and b.id = '{BOB}'"
        ),
        format!(
            "update kept_secrets a set wrapped_key = b.wrapped_key from kept_secrets b \
             where a.purpose = b.purpose and a.id = '{ADA}' and b.id = '{BOB}'"
        ),
        "update kept_secrets set wrapped_key = ciphertext, ciphertext = wrapped_key".to_owned(),
        // Another purpose, another id, another installation.
        format!("delete from kept_secrets where id = '{ADA}'; update kept_secrets set id = '{ADA}'"),
        format!("delete from kept_secrets where id = '{BOB}'; update kept_secrets set purpose = '{OTHER}'"),
    ] {
        fixture.perform("truncate kept_secrets").await;
        fixture.keep(&vault, CODES, ADA, "of Ada").await;
        fixture.keep(&vault, CODES, BOB, "of Bob").await;
        fixture.perform(&swap).await;
        let recalled = [fixture.recall(&vault, CODES, ADA).await, fixture.recall(&vault, OTHER, ADA).await];
        assert!(recalled.iter().any(altered), "{swap}: {recalled:?}");
        assert!(!recalled.iter().any(|recalled| matches!(recalled, Ok(Some(_)))), "{swap}: {recalled:?}");
    }
}

#[tokio::test]
async fn a_secret_of_an_entry_does_not_open_as_one_that_is_kept() {
    let fixture = Fixture::new().await;
    let vault = fixture.open(Mode::Live, OLD).await;
    vault.set(VaultName::TwilioAuthToken, "of the vault".into(), &admin()).await.expect("stored");
    fixture
        .perform(&format!(
            "insert into kept_secrets (purpose, id, key_id, wrapped_key, ciphertext) \
             select name, '{ADA}', key_id, wrapped_key, ciphertext from vault_entries"
        ))
        .await;
    let recalled = fixture.recall(&vault, "twilio_auth_token", ADA).await;
    assert!(altered(&recalled), "{recalled:?}");
}

#[tokio::test]
async fn every_flipped_byte_of_a_kept_secret_is_refused_and_told_alike() {
    let fixture = Fixture::new().await;
    let vault = fixture.open(Mode::Live, OLD).await;
    fixture.keep(&vault, CODES, ADA, "of Ada").await;
    let mut told = std::collections::BTreeSet::new();
    for column in ["wrapped_key", "ciphertext"] {
        let length: i32 = sqlx::query_scalar(AssertSqlSafe(format!("select length({column}) from kept_secrets")))
            .fetch_one(&fixture.db)
            .await
            .expect("a length");
        for at in 0..length {
            let flip =
                format!("update kept_secrets set {column} = set_byte({column}, {at}, get_byte({column}, {at}) # 1)");
            fixture.perform(&flip).await;
            let recalled = fixture.recall(&vault, CODES, ADA).await;
            told.insert(recalled.expect_err(&flip).to_string());
            fixture.perform(&flip).await;
        }
    }
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told.iter().all(|text| text.contains("does not open") && !text.contains("of Ada")), "{told:?}");
    assert_eq!(fixture.recall(&vault, CODES, ADA).await.expect("as it was").as_deref(), Some("of Ada"));
}

#[tokio::test]
async fn a_key_that_is_not_in_the_ring_is_named() {
    let fixture = Fixture::new().await;
    let sandbox = fixture.open(Mode::Sandbox, OLD).await;
    fixture.keep(&sandbox, CODES, ADA, "of Ada").await;
    let live = fixture.open(Mode::Live, NEW).await;
    let error = fixture.recall(&live, CODES, ADA).await.expect_err("sealed with another key").to_string();
    assert!(error.contains("sealed with key `old`, which is not in the key ring"), "{error}");
    // What somebody going live needs: the key of the sandbox behind the first.
    let both = fixture.open(Mode::Live, &format!("{NEW},{OLD}")).await;
    assert_eq!(fixture.recall(&both, CODES, ADA).await.expect("it opens").as_deref(), Some("of Ada"));
}

#[tokio::test]
async fn a_rotation_wraps_what_is_kept_as_well() {
    let fixture = Fixture::new().await;
    let before = fixture.open(Mode::Live, OLD).await;
    for number in 0..7 {
        fixture.keep(&before, CODES, Uuid::from_u128(number), &format!("secret {number}")).await;
    }
    let after = fixture.open(Mode::Live, &format!("{NEW},{OLD}")).await;
    let rotation = after.rotate(&admin(), 2).await.expect("rotated");
    assert_eq!((rotation.rewrapped, rotation.remaining, rotation.shared), (7, 0, 0));
    assert_eq!(rotation.retired, ["old"]);

    let alone = fixture.open(Mode::Live, NEW).await;
    for number in 0..7 {
        let recalled = fixture.recall(&alone, CODES, Uuid::from_u128(number)).await.expect("it opens");
        assert_eq!(recalled, Some(format!("secret {number}")));
    }
    let mut tx = mission_control::database::begin(&fixture.db).await.expect("begun");
    let late = before.keep(&mut tx, CODES, ADA, &SecretString::from("late")).await;
    assert!(matches!(late, Err(VaultError::KeyRetired { .. })), "what nobody else could open is not kept: {late:?}");
}

#[tokio::test]
async fn a_key_is_not_retired_while_a_kept_secret_needs_it() {
    let fixture = Fixture::new().await;
    fixture.keep(&fixture.open(Mode::Live, OLD).await, CODES, ADA, "of Ada").await;
    let promoted = fixture.open(Mode::Live, &format!("{NEW},{OLD}")).await;
    let mut held_up = mission_control::database::begin(&fixture.db).await.expect("begun");
    sqlx::query("select from kept_secrets for update").execute(&mut *held_up).await.expect("locked");
    let rotation = promoted.rotate(&admin(), 10).await.expect("it does not wait");
    assert_eq!((rotation.rewrapped, rotation.remaining, rotation.retired), (0, 1, Vec::new()));
    held_up.rollback().await.expect("let go");
    let rotation = promoted.rotate(&admin(), 10).await.expect("rotated");
    assert_eq!((rotation.rewrapped, rotation.retired), (1, vec!["old".to_owned()]));
}

#[tokio::test]
async fn a_rotation_in_one_mode_takes_nothing_from_the_processes_of_the_other() {
    let fixture = Fixture::new().await;
    let sandbox = fixture.open(Mode::Sandbox, OLD).await;
    let live = fixture.open(Mode::Live, OLD).await;
    fixture.keep(&sandbox, CODES, ADA, "of Ada").await;
    fixture.keep(&live, CODES, BOB, "of Bob").await;

    let both = format!("{NEW},{OLD}");
    let promoted = fixture.open(Mode::Live, &both).await;
    let rotation = promoted.rotate(&admin(), 10).await.expect("rotated");
    assert_eq!((rotation.rewrapped, rotation.remaining, rotation.shared), (0, 2, 2));
    assert_eq!(rotation.retired, Vec::<String>::new());
    for vault in [&sandbox, &live, &promoted] {
        assert_eq!(fixture.recall(vault, CODES, ADA).await.expect("it opens").as_deref(), Some("of Ada"));
    }
    let mut output = Vec::new();
    mission_control::vault::commands::rotate(&promoted, &mut output, &admin()).await.expect("rotated");
    let output = String::from_utf8(output).expect("text");
    assert!(output.contains("2 are used in the other mode as well"), "{output}");

    // Once the other mode started with the new key, either finishes what is kept, and each retires its own.
    let other = fixture.open(Mode::Sandbox, &both).await.rotate(&admin(), 10).await.expect("rotated");
    assert_eq!((other.rewrapped, other.remaining, other.retired), (2, 0, vec!["old".to_owned()]));
    assert_eq!(fixture.keys().await, ["new", "new"]);
    let rotation = promoted.rotate(&admin(), 10).await.expect("rotated");
    assert_eq!((rotation.remaining, rotation.retired), (0, vec!["old".to_owned()]));
}

#[tokio::test]
async fn a_dump_holds_no_kept_secret_in_the_clear() {
    let fixture = Fixture::new().await;
    let vault = fixture.open(Mode::Live, OLD).await;
    fixture.keep(&vault, CODES, ADA, "a-kept-secret-of-Ada").await;
    let dump = Dump::of(&fixture.database.options).await.text();
    assert!(dump.contains("kept_secrets") && dump.contains(CODES));
    for form in ["a-kept-secret-of-Ada", &hex("a-kept-secret-of-Ada")] {
        assert!(!dump.contains(form), "the dump holds {form}");
    }
}

fn hex(text: &str) -> String {
    text.bytes().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}
