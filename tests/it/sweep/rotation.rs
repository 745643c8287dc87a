//! A rotation of the master key that is killed, paused or cut off at each message: every secret opens at every moment, and the next rotation
//! finishes what was begun.

use std::cell::RefCell;
use std::process::{Child, Stdio};
use std::time::Duration;

use mission_control::audit::Actor;
use mission_control::clock::Clock;
use mission_control::config::{EnvironmentCredentials, MasterKeySource, Mode};
use mission_control::vault::Vault;
use mission_control::vault::VaultName::{TwilioAccountSid, TwilioAuthToken};
use rustix::process::{Pid, Signal, kill_process};
use secrecy::SecretString;
use sqlx::ConnectOptions as _;
use tokio::time::sleep;

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

/// How long another one has for itself while the first stands still.
const ALONE: Duration = Duration::from_millis(400);

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

    /// Strikes it at this message, and answers whether it came to that, and how many messages there were. While a paused
    /// one stands still, another one begins.
    async fn strike(&self, at: usize, action: Action) -> (bool, usize) {
        self.wire.arm(at, action, None);
        let first = self.rotate();
        self.wire.name(first.id());
        let mut children = vec![first];
        let have_ended =
            |children: &mut Vec<Child>| children.iter_mut().all(|child| child.try_wait().expect("a status").is_some());
        let running = RefCell::new(&mut children);
        let over = || async { self.wire.has_struck() || have_ended(&mut running.borrow_mut()) };
        assert!(within(PATIENCE, over).await, "the command does not end");
        if action == Action::Pause && self.wire.has_struck() {
            let second = self.rotate();
            running.borrow_mut().push(second);
            sleep(ALONE).await;
            let first = Pid::from_child(&running.borrow()[0]);
            kill_process(first, Signal::CONT).expect("it goes on");
        }
        assert!(within(PATIENCE, || async { have_ended(&mut running.borrow_mut()) }).await, "the command does not end");
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

async fn rotate(name: &str, action: Action) {
    let (_, count) = Rotation::new().await.strike(usize::MAX, Action::Count).await;
    let points = Points::of(count, 2);
    let mut reached = 0;
    for &at in &points.chosen {
        let rotation = Rotation::new().await;
        reached += usize::from(rotation.strike(at, action).await.0);
        assert!(rotation.opens(&format!("{OLD},{NEW}")).await && rotation.opens(&format!("{NEW},{OLD}")).await, "{at}");
        rotation.open(&format!("{NEW},{OLD}")).await.rotate(&Actor::command_line(), 10).await.expect("finished");
        assert!(rotation.opens(NEW).await, "{at}: nothing needs the old key any more");
    }
    let points = points.chosen.len();
    assert!(reached > 0, "rotation {name}: no point was reached");
    torture::report(&format!("sweep rotation {name}: {points} points, {reached} reached, 0 secrets lost"));
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_the_master_key_is_rotated() {
    rotate("kill", Action::Kill).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn paused_while_the_master_key_is_rotated() {
    rotate("pause", Action::Pause).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cut_off_while_the_master_key_is_rotated() {
    // Half of the message.
    rotate("cut", Action::Cut(128)).await;
}
