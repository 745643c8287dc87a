//! A rotation of the master key that is killed at each message: every secret opens at every moment, and the next rotation
//! finishes what was begun.

use std::process::{Child, Stdio};
use std::time::Duration;

use mission_control::audit::Actor;
use mission_control::clock::Clock;
use mission_control::config::{EnvironmentCredentials, MasterKeySource, Mode};
use mission_control::vault::Vault;
use mission_control::vault::VaultName::{TwilioAccountSid, TwilioAuthToken};
use secrecy::SecretString;
use sqlx::ConnectOptions as _;

use super::harness::within;
use super::points::Points;
use crate::support::postgres::{Database, fresh_database};
use crate::support::program::program;
use crate::support::torture;
use crate::support::wire::{Action, Wire};

const OLD: &str = "old:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
const NEW: &str = "new:AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";
const SID: &str = "AC0123456789abcdef0123456789abcdef";

/// Longest that the command may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A database with secrets under the old key, and the way over which the new one comes.
struct Rotation {
    database: Database,
    folder: tempfile::TempDir,
    wire: Wire,
}

impl Rotation {
    async fn new() -> Self {
        let database = fresh_database().await;
        let wire = Wire::start(&database.options, "http://127.0.0.1:9").await;
        let rotation = Self { database, folder: tempfile::tempdir().expect("a folder"), wire };
        let vault = rotation.open(OLD).await;
        for (name, value) in [(TwilioAccountSid, SID), (TwilioAuthToken, "first"), (TwilioAuthToken, "second")] {
            vault.set(name, value.into(), &Actor::command_line()).await.expect("stored");
        }
        rotation
    }

    async fn open(&self, keys: &str) -> Vault {
        let db = mission_control::database::pool(self.database.options.clone());
        let source = MasterKeySource::Value(SecretString::from(keys));
        let environment = EnvironmentCredentials::default();
        let opened = Vault::open(db, Mode::Sandbox, &source, self.folder.path(), &environment, Clock::manual()).await;
        opened.unwrap_or_else(|error| panic!("{keys}: {error}"))
    }

    /// The command, over the wire.
    fn rotate(&self) -> Child {
        let url = self.wire.database.to_url_lossy().to_string();
        let keys = format!("{NEW},{OLD}");
        let folder = self.folder.path().to_str().expect("a path");
        let environment = [
            ("DATABASE_URL", url.as_str()),
            ("MISSION_CONTROL_MASTER_KEY", &keys),
            ("MISSION_CONTROL_DATA_DIR", folder),
        ];
        let mut command = program(&["vault", "rotate"], &environment);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program starts")
    }

    /// Strikes it at this message, and answers whether it came to that, and how many messages there were.
    async fn strike(&self, at: usize, action: Action) -> (bool, usize) {
        self.wire.arm(at, action, None);
        let mut child = self.rotate();
        self.wire.name(child.id());
        let child = std::cell::RefCell::new(&mut child);
        let has_ended = || async { child.borrow_mut().try_wait().expect("a status").is_some() };
        assert!(within(PATIENCE, has_ended).await, "the command does not end");
        (self.wire.has_struck(), self.wire.disarm())
    }

    /// Whether both secrets open with these keys.
    async fn opens(&self, keys: &str) -> bool {
        let credentials = self.open(keys).await.twilio().await.expect("the vault").expect("credentials");
        #[expect(clippy::disallowed_methods, reason = "the test compares what it stored")]
        let token = secrecy::ExposeSecret::expose_secret(&credentials.auth_token).to_owned();
        (credentials.account_sid.as_str(), token.as_str()) == (SID, "second")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_master_key_is_rotated() {
    let (_, count) = Rotation::new().await.strike(usize::MAX, Action::Count).await;
    let points = Points::of(count, 4);
    let mut reached = 0;
    for &at in &points.chosen {
        let rotation = Rotation::new().await;
        reached += usize::from(rotation.strike(at, Action::Kill).await.0);
        assert!(rotation.opens(&format!("{OLD},{NEW}")).await && rotation.opens(&format!("{NEW},{OLD}")).await, "{at}");
        rotation.open(&format!("{NEW},{OLD}")).await.rotate(&Actor::command_line(), 10).await.expect("finished");
        assert!(rotation.opens(NEW).await, "{at}: nothing needs the old key any more");
    }
    torture::report(&format!("sweep rotation kill: {} points, {reached} reached, 0 secrets lost", points.chosen.len()));
}
