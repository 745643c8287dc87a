//! The vault: what is stored opens here and nowhere else, and the right value is in force.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mission_control::audit::Actor;
use mission_control::clock::Clock;
use mission_control::config::{EnvironmentCredentials, MasterKeySource, Mode};
use mission_control::vault::VaultName::{TwilioAccountSid, TwilioAuthToken, TwilioPhoneNumber};
use mission_control::vault::{EntryState, Source, Vault, VaultError, VaultName, commands};
use secrecy::{ExposeSecret as _, SecretString};
use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;

use crate::support::postgres::{Database, fresh_database};

const OLD: &str = "old:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
const NEW: &str = "new:AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";
const SID: &str = "AC0123456789abcdef0123456789abcdef";
const OTHER_SID: &str = "ACfedcba9876543210fedcba9876543210";

/// A vault's surroundings.
struct Fixture {
    _database: Database,
    db: PgPool,
    clock: Clock,
    folder: tempfile::TempDir,
    environment: EnvironmentCredentials,
}

impl Fixture {
    async fn new() -> Self {
        let database = fresh_database().await;
        Self {
            db: mission_control::database::pool(database.options.clone()),
            _database: database,
            clock: Clock::manual(),
            folder: tempfile::tempdir().expect("a folder"),
            environment: EnvironmentCredentials::default(),
        }
    }

    async fn open(&self, keys: &str) -> Result<Vault, VaultError> {
        self.open_in(Mode::Live, &MasterKeySource::Value(SecretString::from(keys))).await
    }

    async fn open_in(&self, mode: Mode, source: &MasterKeySource) -> Result<Vault, VaultError> {
        let (db, clock) = (self.db.clone(), self.clock.clone());
        Vault::open(db, mode, source, self.folder.path(), &self.environment, clock).await
    }

    async fn vault(&self) -> Vault {
        self.open(OLD).await.expect("the vault opens")
    }

    async fn refusal(&self, keys: &str) -> String {
        match self.open(keys).await {
            Ok(_) => panic!("the vault opened with {keys}"),
            Err(error) => error.to_string(),
        }
    }

    /// A single value that the database answers, as text.
    async fn ask(&self, sql: &'static str) -> String {
        sqlx::query_scalar::<_, Option<String>>(sql).fetch_one(&self.db).await.expect(sql).unwrap_or_default()
    }

    async fn states(&self, name: VaultName) -> Vec<(i32, String)> {
        sqlx::query_as("select version, state from vault_entries where name = $1 order by version")
            .bind(name.as_str())
            .fetch_all(&self.db)
            .await
            .expect("the rows")
    }
}

fn admin() -> Actor {
    Actor::service("admin@example.com")
}

async fn set(vault: &Vault, name: VaultName, value: &str) -> i32 {
    vault.set(name, SecretString::from(value), &admin()).await.expect("the value is stored")
}

#[expect(clippy::disallowed_methods, reason = "the tests compare what was stored")]
fn shown(secret: &SecretString) -> &str {
    secret.expose_secret()
}

/// Account SID and auth token in force.
async fn pair(vault: &Vault) -> Option<(String, String)> {
    let credentials = vault.twilio().await.expect("the credentials open")?;
    Some((credentials.account_sid.clone(), shown(&credentials.auth_token).to_owned()))
}

/// The tokens that may sign, each with its account.
async fn signers(vault: &Vault) -> Vec<(String, String)> {
    let tokens = vault.webhook_tokens().await.expect("the tokens open");
    tokens.into_iter().map(|token| (token.account_sid, shown(&token.token).to_owned())).collect()
}

fn owned<const N: usize>(pairs: [(&str, &str); N]) -> Vec<(String, String)> {
    pairs.map(|(first, second)| (first.to_owned(), second.to_owned())).to_vec()
}

fn key_files(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder).expect("the folder").map(|entry| entry.expect("an entry").path()).collect()
}

#[tokio::test]
async fn a_stored_value_is_in_force_and_stands_nowhere_in_the_clear() {
    let fixture = Fixture::new().await;
    let vault = fixture.vault().await;
    set(&vault, TwilioAccountSid, SID).await;
    assert_eq!(set(&vault, TwilioAuthToken, " token-of-considerable-length\n").await, 1);
    set(&vault, TwilioPhoneNumber, "+1 415 555 0132").await;

    let credentials = vault.twilio().await.expect("they open").expect("they are set");
    assert_eq!(credentials.account_sid, SID);
    assert_eq!(shown(&credentials.auth_token), "token-of-considerable-length");
    assert_eq!(credentials.phone_number.map(|number| number.to_string()).as_deref(), Some("+14155550132"));
    assert_eq!((credentials.version, credentials.source), (Some(1), Source::Vault));

    let in_the_clear = "select count(*)::text from vault_entries
        where position('token-of-considerable'::bytea in ciphertext || wrapped_key) > 0
            or strpos(hint || created_by, 'token-of-considerable') > 0";
    assert_eq!(fixture.ask(in_the_clear).await, "0");
    let lines = fixture.ask("select string_agg(row_to_json(audit_lines)::text, '') from audit_lines").await;
    assert!(!lines.contains("token-of-considerable"), "{lines}");
    let line = fixture.ask("select details::text from audit_lines where object = 'vault/twilio_auth_token'").await;
    assert_eq!(line, r#"{"mode": "live", "after": {"hint": "ngth", "version": 1}, "before": null}"#);
}

#[tokio::test]
async fn the_one_before_is_kept_and_the_one_before_that_is_destroyed() {
    let fixture = Fixture::new().await;
    let vault = fixture.vault().await;
    for token in ["first", "second", "third"] {
        set(&vault, TwilioAuthToken, token).await;
    }
    let states = fixture.states(TwilioAuthToken).await;
    assert_eq!(states, [(1, "destroyed".to_owned()), (2, "previous".to_owned()), (3, "current".to_owned())]);
    let kept = fixture.ask("select count(ciphertext)::text from vault_entries").await;
    assert_eq!(kept, "2");

    assert!(vault.remove(TwilioAuthToken, &admin()).await.expect("removed"));
    assert!(!vault.remove(TwilioAuthToken, &admin()).await.expect("nothing is left"));
    assert_eq!(fixture.ask("select count(ciphertext)::text from vault_entries").await, "0");
    assert_eq!(set(&vault, TwilioAuthToken, "fourth").await, 4, "a version number is never used twice");
}

#[tokio::test]
async fn values_that_are_set_at_once_become_versions_one_after_another() {
    let fixture = Fixture::new().await;
    let vaults = [fixture.open(OLD).await.expect("old"), fixture.open(&format!("{NEW},{OLD}")).await.expect("new")];
    let sets = (0..12).map(|number| {
        let vault = vaults[number % 2].clone();
        async move { set(&vault, TwilioAuthToken, &format!("token {number}")).await }
    });
    let mut versions = futures_util::future::join_all(sets).await;
    versions.sort_unstable();
    assert_eq!(versions, (1..=12).collect::<Vec<i32>>());
    let states = fixture.states(TwilioAuthToken).await;
    assert!(states[..10].iter().all(|(_, state)| state == "destroyed"));
    assert_eq!(states[10..], [(11, "previous".to_owned()), (12, "current".to_owned())]);
}

#[tokio::test]
async fn a_value_of_the_wrong_form_is_refused_and_not_repeated() {
    let fixture = Fixture::new().await;
    let vault = fixture.vault().await;
    for (name, value) in
        [(TwilioAccountSid, "SKsecretish"), (TwilioPhoneNumber, "secretish"), (TwilioAuthToken, "s\0x")]
    {
        let error = vault.set(name, SecretString::from(value), &admin()).await.expect_err("refused").to_string();
        assert!(error.starts_with(name.as_str()) && !error.contains(value) && !error.contains("secretish"), "{error}");
    }
    assert_eq!(fixture.ask("select count(*)::text from vault_entries").await, "0");

    let environment = EnvironmentCredentials { twilio_account_sid: Some("SKsecretish".into()), ..Default::default() };
    let refusal = Fixture { environment, ..fixture }.refusal(OLD).await;
    assert!(refusal.starts_with("TWILIO_ACCOUNT_SID: ") && !refusal.contains("secretish"), "{refusal}");
}

#[tokio::test]
async fn a_ciphertext_that_was_moved_does_not_open() {
    let fixture = Fixture::new().await;
    let vault = fixture.vault().await;
    set(&vault, TwilioAccountSid, SID).await;
    set(&vault, TwilioAuthToken, "first").await;
    set(&vault, TwilioAuthToken, "second").await;
    sqlx::query(
        "update vault_entries new set wrapped_key = old.wrapped_key, ciphertext = old.ciphertext
         from vault_entries old where new.version = 2 and old.version = 1 and old.name = 'twilio_auth_token'",
    )
    .execute(&fixture.db)
    .await
    .expect("the row is swapped");
    let error = vault.twilio().await.expect_err("the old token must not pass for the new one");
    assert!(matches!(error, VaultError::Altered { name: TwilioAuthToken, version: 2 }), "{error}");
}

#[tokio::test]
async fn a_process_with_another_key_does_not_open_the_vault() {
    let fixture = Fixture::new().await;
    fixture.vault().await;
    let refusal = fixture.refusal(NEW).await;
    assert!(refusal.contains("(live) was sealed with key `old`, which is not in the key ring"), "{refusal}");
    let refusal = fixture.refusal(&NEW.replace("new", "old")).await;
    assert!(refusal.contains("is not the key `old`"), "{refusal}");

    // Another installation's database with the same key: its canary, and with it its vault, was copied.
    sqlx::query("update deployment set id = gen_random_uuid()").execute(&fixture.db).await.expect("another id");
    assert!(matches!(fixture.open(OLD).await, Err(VaultError::WrongKey { .. })));
}

#[tokio::test]
async fn of_two_first_starts_with_different_keys_one_is_refused() {
    let fixture = Fixture::new().await;
    let (first, second) = tokio::join!(fixture.open(OLD), fixture.open(NEW));
    assert!(first.is_ok() != second.is_ok(), "one process must win");
    assert_eq!(fixture.ask("select count(*)::text from vault_canaries").await, "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn first_starts_of_a_sandbox_at_once_make_one_key() {
    let fixture = Fixture::new().await;
    let folder = fixture.folder.path().join("data");
    let starts = (0..8).map(|_| {
        let (db, clock, folder) = (fixture.db.clone(), fixture.clock.clone(), folder.clone());
        tokio::task::spawn_blocking(move || {
            let environment = EnvironmentCredentials::default();
            let open = Vault::open(db, Mode::Sandbox, &MasterKeySource::DataDir, &folder, &environment, clock);
            tokio::runtime::Handle::current().block_on(open).map(drop)
        })
    });
    for opened in futures_util::future::join_all(starts).await {
        opened.expect("no panic").expect("every process opens the vault");
    }
    assert_eq!(key_files(&folder), [folder.join("master-key")], "nothing is left beside the key");
    let mode = |path: &Path| path.metadata().expect("metadata").permissions().mode() & 0o777;
    assert_eq!((mode(&folder), mode(&folder.join("master-key"))), (0o700, 0o600));
}

#[tokio::test]
async fn a_key_file_that_others_may_read_is_refused() {
    let fixture = Fixture::new().await;
    let path = fixture.folder.path().join("key");
    std::fs::write(&path, format!("{OLD}\n")).expect("written");
    for (mode, opens) in [(0o644, false), (0o640, false), (0o602, false), (0o600, true), (0o400, true)] {
        std::fs::set_permissions(&path, Permissions::from_mode(mode)).expect("permissions");
        let opened = fixture.open_in(Mode::Live, &MasterKeySource::File(path.clone())).await;
        assert_eq!(opened.is_ok(), opens, "{mode:o}: {:?}", opened.err());
    }
}

#[tokio::test]
async fn a_key_file_that_others_may_replace_is_refused() {
    let fixture = Fixture::new().await;
    let folder = fixture.folder.path().join("keys");
    std::fs::create_dir(&folder).expect("a folder");
    let path = folder.join("key");
    std::fs::write(&path, OLD).expect("written");
    std::fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("permissions");
    let open = async |path: &Path| {
        let opened = fixture.open_in(Mode::Live, &MasterKeySource::File(path.to_owned())).await;
        opened.err().map(|error| error.to_string())
    };
    // The last one: everybody may make files there, and nobody replace another's.
    for (mode, opens) in [(0o755, true), (0o700, true), (0o775, false), (0o757, false), (0o1777, true)] {
        std::fs::set_permissions(&folder, Permissions::from_mode(mode)).expect("permissions");
        let refusal = open(&path).await;
        assert_eq!(refusal.is_none(), opens, "{mode:o}: {refusal:?}");
        assert!(refusal.is_none_or(|refusal| refusal.contains("others may put another in its place")), "{mode:o}");
    }

    // A link is as good as every folder on its way.
    let elsewhere = fixture.folder.path().join("elsewhere");
    std::fs::create_dir(&elsewhere).expect("a folder");
    let link = elsewhere.join("link");
    std::os::unix::fs::symlink(&path, &link).expect("a link");
    std::fs::set_permissions(&folder, Permissions::from_mode(0o700)).expect("permissions");
    assert_eq!(open(&link).await, None);
    std::fs::set_permissions(&folder, Permissions::from_mode(0o777)).expect("permissions");
    assert!(open(&link).await.expect("refused").contains("keys"), "what it names is in an open folder");
    std::fs::set_permissions(&folder, Permissions::from_mode(0o700)).expect("permissions");
    std::fs::set_permissions(&elsewhere, Permissions::from_mode(0o777)).expect("permissions");
    assert!(open(&link).await.expect("refused").contains("elsewhere"), "the link itself is");
    assert!(open(&folder).await.expect("refused").contains("is not a file"));
}

#[tokio::test]
async fn a_key_file_of_another_account_is_refused() {
    if !rustix::process::geteuid().is_root() {
        // Only root can give a file away, and root runs the tests that count.
        return;
    }
    let fixture = Fixture::new().await;
    let path = fixture.folder.path().join("key");
    std::fs::write(&path, OLD).expect("written");
    std::fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("permissions");
    let source = MasterKeySource::File(path.clone());
    fixture.open_in(Mode::Live, &source).await.expect("ours");
    std::os::unix::fs::chown(&path, Some(12_345), None).expect("given away");
    let refusal = fixture.open_in(Mode::Live, &source).await.err().expect("another's").to_string();
    assert!(refusal.contains("belongs to account 12345"), "{refusal}");
}

#[tokio::test]
async fn master_keys_may_come_from_a_command() {
    let fixture = Fixture::new().await;
    let command = |text: &str| MasterKeySource::Command(text.to_owned());
    let vault = fixture.open_in(Mode::Live, &command(&format!("echo '{NEW},{OLD}'"))).await.expect("it opens");
    set(&vault, TwilioAuthToken, "first").await;
    assert_eq!(fixture.ask("select key_id from vault_entries").await, "new");
    for (text, told) in [
        (format!("echo '{OLD}'; exit 3"), "exit status: 3"),
        ("true".to_owned(), "What MISSION_CONTROL_MASTER_KEY_COMMAND printed: entry 1 is not"),
        (format!("echo 'Your key: {OLD}'"), "entry 1 is not `id:key`"),
    ] {
        let refusal = fixture.open_in(Mode::Live, &command(&text)).await.err().expect("refused").to_string();
        assert!(refusal.contains(told) && !refusal.contains("AQEB"), "{refusal}");
    }
}

#[tokio::test]
async fn live_mode_never_makes_a_key_by_itself() {
    let fixture = Fixture::new().await;
    assert!(matches!(fixture.open_in(Mode::Live, &MasterKeySource::DataDir).await, Err(VaultError::KeyRing(_))));
    assert!(key_files(fixture.folder.path()).is_empty());
}

#[tokio::test]
async fn each_mode_has_its_own_keys_and_values() {
    let fixture = Fixture::new().await;
    let sandbox = fixture.open_in(Mode::Sandbox, &MasterKeySource::DataDir).await.expect("the sandbox opens");
    set(&sandbox, TwilioAccountSid, SID).await;
    set(&sandbox, TwilioAuthToken, "of the sandbox").await;
    let live = fixture.open(OLD).await.expect("the sandbox's key does not stand in the way");
    assert_eq!(pair(&live).await, None);
}

#[tokio::test]
async fn a_database_that_is_away_is_no_reason_to_give_up() {
    let fixture = Fixture::new().await;
    let nowhere = PgConnectOptions::new().host("127.0.0.1").port(1);
    let away = Fixture { db: mission_control::database::pool(nowhere), ..fixture };
    let error = away.open(OLD).await.err().expect("nobody listens");
    assert!(error.is_unavailable(), "{error}");
}

#[tokio::test]
async fn the_vault_stands_before_the_environment_and_both_before_what_is_generated() {
    let mut fixture = Fixture::new().await;
    let source = MasterKeySource::DataDir;
    let bare = fixture.open_in(Mode::Sandbox, &source).await.expect("opens");
    assert_eq!(pair(&bare).await, None, "nothing is generated unless the sandbox asks for it");

    let vault = bare.with_sandbox_defaults();
    let generated = vault.twilio().await.expect("they open").expect("generated");
    assert_eq!((generated.source, generated.version), (Source::Sandbox, None));
    assert!(generated.account_sid.starts_with("AC") && generated.account_sid.len() == 34);
    assert_eq!(shown(&generated.auth_token).len(), 32);
    assert_eq!(generated.phone_number.map(|number| number.to_string()).as_deref(), Some("+15005550006"));
    let key = vault.elevenlabs_key().await.expect("it opens").expect("generated");
    assert!(shown(&key).starts_with("sk_") && shown(&key).len() == 35);
    let again = fixture.open_in(Mode::Sandbox, &source).await.expect("opens").with_sandbox_defaults();
    assert_eq!(pair(&again).await, pair(&vault).await, "every process generates the same");

    fixture.environment.twilio_auth_token = Some("from the environment".into());
    let vault = fixture.open_in(Mode::Sandbox, &source).await.expect("opens").with_sandbox_defaults();
    assert_eq!(pair(&vault).await, None, "a token that was set is never used with a generated account");
    let states: Vec<EntryState> = vault.list().await.expect("the list").iter().map(|entry| entry.state).collect();
    let (missing, sandbox) = (EntryState::Missing, EntryState::Sandbox);
    assert_eq!(states, [missing, EntryState::Env, missing, missing, sandbox, sandbox]);

    set(&vault, TwilioAccountSid, SID).await;
    assert_eq!(pair(&vault).await, Some((SID.to_owned(), "from the environment".to_owned())));
    set(&vault, TwilioAuthToken, "from the vault").await;
    assert_eq!(pair(&vault).await, Some((SID.to_owned(), "from the vault".to_owned())));
    vault.remove(TwilioAuthToken, &admin()).await.expect("removed");
    assert_eq!(pair(&vault).await, Some((SID.to_owned(), "from the environment".to_owned())));
}

#[tokio::test]
async fn nothing_is_generated_in_live_mode() {
    let fixture = Fixture::new().await;
    let vault = fixture.vault().await.with_sandbox_defaults();
    assert_eq!(pair(&vault).await, None);
    assert!(vault.elevenlabs_key().await.expect("read").is_none());
}

#[tokio::test]
async fn the_former_token_signs_until_a_day_after_the_new_one_did() {
    let fixture = Fixture::new().await;
    let vault = fixture.vault().await;
    set(&vault, TwilioAccountSid, SID).await;
    let first = set(&vault, TwilioAuthToken, "first").await;
    vault.note_signature(first).await.expect("noted");
    set(&vault, TwilioAccountSid, OTHER_SID).await;
    let second = set(&vault, TwilioAuthToken, "second").await;

    let both = owned([(OTHER_SID, "second"), (SID, "first")]);
    assert_eq!(signers(&vault).await, both);
    fixture.clock.advance(Duration::from_hours(240));
    assert_eq!(signers(&vault).await, both, "no callback has shown yet that Twilio uses the new token");

    vault.note_signature(second).await.expect("noted");
    let first_signature =
        "select first_signature_at::text from vault_entries where version = 2 and name = 'twilio_auth_token'";
    let noted = fixture.ask(first_signature).await;
    fixture.clock.advance(Duration::from_mins(24 * 60 - 1));
    let elsewhere = fixture.vault().await;
    elsewhere.note_signature(second).await.expect("noted before");
    assert_eq!(fixture.ask(first_signature).await, noted);
    assert_eq!(signers(&vault).await, both);
    fixture.clock.advance(Duration::from_mins(1));
    assert_eq!(signers(&vault).await, owned([(OTHER_SID, "second")]));
}

#[tokio::test]
async fn a_revoked_token_signs_nothing_any_longer() {
    let fixture = Fixture::new().await;
    let vault = fixture.vault().await;
    set(&vault, TwilioAccountSid, SID).await;
    set(&vault, TwilioAuthToken, "first").await;
    set(&vault, TwilioAuthToken, "second").await;
    assert_eq!(signers(&vault).await, owned([(SID, "second"), (SID, "first")]));
    assert!(vault.revoke_previous(TwilioAuthToken, &admin()).await.expect("revoked"));
    assert_eq!(signers(&vault).await, owned([(SID, "second")]));
    assert!(!vault.revoke_previous(TwilioAuthToken, &admin()).await.expect("nothing is left"));
}

#[tokio::test]
async fn the_master_key_is_rotated_without_a_moment_in_which_a_process_cannot_read() {
    let fixture = Fixture::new().await;
    let before = fixture.vault().await;
    set(&before, TwilioAccountSid, SID).await;
    set(&before, TwilioAuthToken, "first").await;
    set(&before, TwilioAuthToken, "second").await;
    let expected = Some((SID.to_owned(), "second".to_owned()));

    // The new key second everywhere, then first everywhere: old and new processes run side by side.
    let added = fixture.open(&format!("{OLD},{NEW}")).await.expect("the new key is second");
    let promoted = fixture.open(&format!("{NEW},{OLD}")).await.expect("the new key is first");
    set(&promoted, TwilioPhoneNumber, "+14155550132").await;
    for vault in [&added, &promoted] {
        assert_eq!(pair(vault).await, expected);
    }
    let refusal = fixture.refusal(OLD).await;
    assert!(refusal.contains("`new`, which is not in the key ring"), "{refusal}");

    let rotation = promoted.rotate(&admin(), 2).await.expect("rotated");
    assert_eq!((rotation.rewrapped, rotation.remaining, rotation.retired), (3, 0, vec!["old".to_owned()]));
    assert_eq!(pair(&added).await, expected);
    let error = added.set(TwilioAuthToken, "third".into(), &admin()).await.expect_err("sealed with the old key");
    assert!(matches!(error, VaultError::KeyRetired { .. }), "{error}");

    let after = fixture.open(NEW).await.expect("the old key is gone");
    assert_eq!(pair(&after).await, expected);
    assert_eq!(signers(&after).await.len(), 2, "the previous token was wrapped anew as well");
    let again = after.rotate(&admin(), 2).await.expect("nothing is left to do");
    assert_eq!((again.rewrapped, again.retired), (0, Vec::new()));
}

#[tokio::test]
async fn a_rotation_that_cannot_finish_keeps_the_old_key_in_use() {
    let fixture = Fixture::new().await;
    set(&fixture.vault().await, TwilioAuthToken, "first").await;
    let promoted = fixture.open(&format!("{NEW},{OLD}")).await.expect("the new key is first");
    let mut held_up = mission_control::database::begin(&fixture.db).await.expect("begun");
    sqlx::query("select from vault_entries for update").execute(&mut *held_up).await.expect("locked");
    let rotation = promoted.rotate(&admin(), 10).await.expect("it does not wait");
    assert_eq!((rotation.rewrapped, rotation.remaining, rotation.retired), (0, 1, Vec::new()));
    held_up.rollback().await.expect("let go");
    let rotation = promoted.rotate(&admin(), 10).await.expect("rotated");
    assert_eq!((rotation.rewrapped, rotation.retired), (1, vec!["old".to_owned()]));
}

#[tokio::test]
async fn the_commands_store_list_and_rotate() {
    let fixture = Fixture::new().await;
    let vault = fixture.vault().await;
    let mut output = Vec::new();
    commands::set(&vault, TwilioAuthToken, "0123456789abcdefghijWXYZ\r\n".as_bytes(), &mut output, &admin())
        .await
        .expect("stored");
    commands::set(&vault, TwilioAccountSid, SID.as_bytes(), &mut output, &admin()).await.expect("stored");
    commands::list(&vault, &mut output).await.expect("listed");
    commands::rotate(&vault, &mut output, &admin()).await.expect("rotated");
    let expected = "\
twilio_auth_token is stored as version 1.
twilio_account_sid is stored as version 1.
NAME                   STATE    VALUE                              VERSION  CHANGED BY
twilio_account_sid     stored   AC0123456789abcdef0123456789abcdef       1  admin@example.com
twilio_auth_token      stored   ...WXYZ                                  1  admin@example.com
twilio_api_key_sid     missing  -                                        -  -
twilio_api_key_secret  missing  -                                        -  -
twilio_phone_number    missing  -                                        -  -
elevenlabs_api_key     missing  -                                        -  -
0 data keys were wrapped by key `old`.
";
    assert_eq!(String::from_utf8(output).expect("text"), expected);
}
