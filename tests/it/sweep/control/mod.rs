//! Whether the sweep can see a duplicate at all: workers that are known to send twice go through the same wire, and must
//! be found out.

mod worker;

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use sqlx::ConnectOptions as _;
use sqlx::PgPool;
use tokio::time::sleep;

use self::worker::{DATABASE, KIND, Kind, LEASE, TWILIO, post};
use super::harness::{Sweep, within};
use super::phase::Phase;
use super::points::Points;
use crate::support::installation::Installation;
use crate::support::torture;
use crate::support::wire::{Action, Wire};

/// Longest that a worker may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A worker's queue, its wire, and the Twilio at its end.
struct Experiment {
    kind: Kind,
    installation: Installation,
    wire: Wire,
    db: PgPool,
    messages: usize,
}

impl Experiment {
    async fn new(kind: Kind) -> Self {
        let installation = Installation::new().await;
        let wire = Wire::start(&installation.database.options, &installation.sandbox.url).await;
        let db = mission_control::database::pool(installation.database.options.clone());
        let table = "create table control_messages (id bigint generated always as identity primary key, \
                     recipient text not null, sid text, lease_until timestamptz not null default '-infinity')";
        sqlx::raw_sql(table).execute(&db).await.expect("a table");
        Self { kind, installation, wire, db, messages: 0 }
    }

    /// One more message to a recipient of its own.
    async fn enqueue(&mut self) {
        self.messages += 1;
        let recipient = format!("+1415555{:04}", self.messages);
        let queued = sqlx::query("insert into control_messages (recipient) values ($1)").bind(recipient);
        queued.execute(&self.db).await.expect("it is queued");
    }

    /// A worker's process on the wire.
    fn start(&self) -> Child {
        let mut command = Command::new(std::env::current_exe().expect("the test's program"));
        command
            .args(["--exact", "sweep::control::a_worker_sends_all_there_is_once_if_nothing_happens", "--nocapture"])
            .env(KIND, self.kind.name())
            .env(DATABASE, self.wire.database.to_url_lossy().as_str())
            .env(TWILIO, &self.wire.twilio)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command.spawn().expect("a worker")
    }

    async fn until_ended(&self, worker: &mut Child) {
        let worker = std::cell::RefCell::new(worker);
        let has_ended = || async { worker.borrow_mut().try_wait().expect("a status").is_some() };
        assert!(within(PATIENCE, has_ended).await, "the worker does not end");
    }

    /// A worker that nothing happens to, and how many messages it says and hears.
    async fn work(&self) -> usize {
        self.wire.arm(usize::MAX, Action::Count, None);
        self.until_ended(&mut self.start()).await;
        self.wire.disarm()
    }

    /// A worker that is struck at this message. A paused one goes on when another has worked in its place.
    async fn strike(&self, at: usize, action: Action) -> bool {
        self.wire.arm(at, action, None);
        let mut worker = self.start();
        self.wire.name(worker.id());
        let worker_ends = std::cell::RefCell::new(&mut worker);
        let has_ended =
            || async { self.wire.has_struck() || worker_ends.borrow_mut().try_wait().expect("a status").is_some() };
        assert!(within(PATIENCE, has_ended).await, "the worker does not end");
        let struck = self.wire.has_struck();
        if struck && action == Action::Pause {
            self.wire.disarm();
            sleep(LEASE).await;
            self.work().await;
            let pid = Pid::from_raw(worker.id().try_into().expect("a process id")).expect("a process id");
            kill_process(pid, Signal::CONT).expect("it goes on");
        }
        self.until_ended(&mut worker).await;
        struck
    }

    /// Strikes a worker at each message, one message in the queue for each, and finds how many were sent twice.
    async fn sweep(mut self, action: Action, few: usize) {
        self.enqueue().await;
        let points = Points::of(self.work().await, few).chosen;
        let mut reached = 0;
        for &at in &points {
            self.enqueue().await;
            reached += usize::from(self.strike(at, action).await);
        }
        sleep(LEASE).await;
        self.work().await;
        let accepted = self.installation.accepted().await;
        let duplicates = accepted.values().sum::<usize>() - accepted.len();
        let lost = self.messages - accepted.len();
        let kind = self.kind.name();
        torture::report(&format!(
            "sweep control {kind} {action:?}: {} points, {reached} reached, {duplicates} duplicates, {lost} lost",
            points.len(),
        ));
        assert!(duplicates > 0, "the sweep does not see what a {kind} worker is known to do");
        assert_eq!(lost, 0, "it sends at least once");
    }
}

#[expect(clippy::disallowed_methods, reason = "no setting of the program: whether this is a worker's process")]
fn told(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// In a worker's process, the worker itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_sends_all_there_is_once_if_nothing_happens() {
    if let (Some(kind), Some(database), Some(twilio)) = (told(KIND), told(DATABASE), told(TWILIO)) {
        return Kind::named(&kind).work(&database, &twilio).await;
    }
    for kind in [Kind::Naive, Kind::Requeueing] {
        let mut experiment = Experiment::new(kind).await;
        experiment.enqueue().await;
        experiment.enqueue().await;
        experiment.work().await;
        let accepted = experiment.installation.accepted().await;
        assert_eq!(accepted.into_values().collect::<Vec<_>>(), [1, 1], "{kind:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_naive_worker_that_is_killed_sends_twice() {
    Experiment::new(Kind::Naive).await.sweep(Action::Kill, 27).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_requeueing_worker_that_is_killed_sends_twice() {
    Experiment::new(Kind::Requeueing).await.sweep(Action::Kill, 24).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_requeueing_worker_that_is_paused_sends_twice() {
    Experiment::new(Kind::Requeueing).await.sweep(Action::Pause, 8).await;
}

/// What the program sent and what somebody else sent in its name, through the verdict that judges the program.
#[tokio::test(flavor = "multi_thread")]
async fn one_message_more_than_was_approved_is_a_duplicate() {
    let mut sweep = Sweep::new().await;
    let victim = sweep.victim();
    sweep.count_messages(Phase::Dispatch, &victim).await;
    victim.kill();
    let twin = &sweep.asked[0];
    post(&sweep.installation.sandbox.url, &twin.to, &twin.message).await;
    assert_eq!(sweep.settle().await.duplicates.len(), 1);
}
