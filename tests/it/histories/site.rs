//! What a run stands on: three processes, each with ways of its own to PostgreSQL and to Twilio, behind one door.

use std::sync::Arc;

use mission_control::database::MIGRATIONS;
use reqwest::Method;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use sqlx::{ConnectOptions as _, Connection as _};

use super::postgres::Postgres;
use crate::support::client;
use crate::support::installation::{ACCOUNT_SID, AUTH_TOKEN, MASTER_KEY, call, token};
use crate::support::program::Running;
use crate::support::way::{Place, Way};

/// The numbers that are sent from.
pub(super) const SENDERS: [&str; 2] = ["+15005550006", "+14155550999"];

/// How often a start is tried: PostgreSQL may be on its way down just then.
const START_TRIES: usize = 20;

pub(super) struct Site {
    pub(super) postgres: Postgres,
    pub(super) twilio: Twilio,
    pub(super) seats: Vec<Seat>,
    /// Leads clients and callbacks to the processes in turn, past those that do not listen.
    pub(super) door: Arc<Way>,
    pub(super) token: String,
}

/// The sandbox, as a process that nobody disturbs: its ledger is the truth.
pub(super) struct Twilio {
    running: Running,
    client: reqwest::Client,
}

/// A process of the program, through its lives.
pub(super) struct Seat {
    pub(super) database: Way,
    pub(super) twilio: Way,
    door: Arc<Way>,
    folder: tempfile::TempDir,
    lives: usize,
    process: Option<(Running, Place)>,
}

impl Site {
    pub(super) async fn new(processes: usize) -> Self {
        let postgres = Postgres::start().await;
        let mut db = postgres.connect().await;
        MIGRATIONS.run(&mut db).await.expect("the migrations run");
        db.close().await.expect("closed");
        let twilio = Twilio::start();
        let door = Arc::new(Way::to(Vec::new()).await);
        let address = twilio.running.url.trim_start_matches("http://").parse().expect("an address");
        let mut seats = Vec::new();
        for _ in 0..processes {
            let mut seat = Seat {
                database: Way::to(vec![postgres.place()]).await,
                twilio: Way::to(vec![Place::Port(address)]).await,
                door: Arc::clone(&door),
                folder: tempfile::tempdir().expect("a folder"),
                lives: 0,
                process: None,
            };
            seat.start().await;
            seats.push(seat);
        }
        let url = postgres.options().to_url_lossy().to_string();
        let token = token(&[("DATABASE_URL", &url)]);
        Self { postgres, twilio, seats, door, token }
    }
}

impl Twilio {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let arguments = ["sandbox", "--account-sid", ACCOUNT_SID, "--auth-token", AUTH_TOKEN, "--number", SENDERS[1]];
        let running = Running::start(&arguments, &[], "Twilio sandbox", folder.path());
        Self { running, client: client() }
    }

    pub(super) async fn control(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let (status, answer) = call(&self.client, &self.running.url, "", method, path, body).await;
        assert!(status.is_success(), "{status} {answer}");
        answer
    }
}

impl Seat {
    /// Starts it, as whatever watches over a service does: until it runs.
    pub(super) async fn start(&mut self) {
        let url = format!("http://{}", self.door.address);
        let database = format!("postgres://postgres@{}/mission_control?sslmode=disable", self.database.address);
        let twilio = format!("http://{}", self.twilio.address);
        for _ in 0..START_TRIES {
            self.lives += 1;
            let folder = self.folder.path().join(self.lives.to_string());
            let (url, database, twilio) = (url.clone(), database.clone(), twilio.clone());
            let starting = tokio::task::spawn_blocking(move || {
                let data = folder.join("data");
                let environment = [
                    ("DATABASE_URL", database.as_str()),
                    ("MISSION_CONTROL_LISTEN", "127.0.0.1:0"),
                    ("MISSION_CONTROL_PUBLIC_URL", &url),
                    ("MISSION_CONTROL_DATA_DIR", data.to_str().expect("a path")),
                    ("MISSION_CONTROL_API_REQUESTS_PER_MINUTE", "0"),
                    ("MISSION_CONTROL_TWILIO_BASE_URL", &twilio),
                    ("MISSION_CONTROL_MASTER_KEY", MASTER_KEY),
                    ("MISSION_CONTROL_DISPATCH_CALLS_PER_SECOND", "0"),
                    ("TWILIO_ACCOUNT_SID", ACCOUNT_SID),
                    ("TWILIO_AUTH_TOKEN", AUTH_TOKEN),
                    ("TWILIO_PHONE_NUMBER", SENDERS[0]),
                ];
                Running::serve(&environment, &folder)
            });
            if let Ok(process) = starting.await {
                let place = listens_at(&process);
                self.door.add(place.clone());
                self.process = Some((process, place));
                return;
            }
        }
        panic!("it does not start; see above");
    }

    /// Ends it at once, as a power cut would.
    pub(super) fn kill(&mut self) {
        let (process, place) = self.process.take().expect("a process");
        process.kill();
        self.door.remove(&place);
    }

    /// Lets no instruction of it run, or lets it go on.
    pub(super) fn signal(&self, signal: Signal) {
        let (process, _) = self.process.as_ref().expect("a process");
        let pid = Pid::from_raw(process.id().try_into().expect("a process id")).expect("a process id");
        kill_process(pid, signal).expect("signalled");
    }
}

/// Where the process listens, which is not its public URL.
fn listens_at(process: &Running) -> Place {
    let log = process.log();
    let address = log.split_once("address=").and_then(|(_, rest)| rest.split(' ').next());
    Place::Port(address.and_then(|address| address.parse().ok()).unwrap_or_else(|| panic!("no address: {log}")))
}
