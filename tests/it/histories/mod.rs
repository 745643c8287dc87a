//! Histories, as Jepsen makes them: several processes over one PostgreSQL, clients who use them, a nemesis who disturbs
//! everything, and a checker that reads afterwards what really happened.
//!
//! `MISSION_CONTROL_SEED` repeats what the clients and the nemesis did, though not to the millisecond.

mod aftermath;
mod checker;
mod clients;
mod history;
mod made_up;
mod nemesis;
mod postgres;
mod records;
mod site;

use std::collections::HashSet;
use std::time::Duration;

use futures_util::future::join_all;
use mission_control::operation::status::State;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::support::seeded::Seeded;
use crate::support::torture;
use clients::Caller;
use history::History;
use nemesis::Toll;
use site::Site;

/// How many processes share the work.
const PROCESSES: usize = 3;

/// How much is done, and how badly.
struct Amount {
    operations: usize,
    /// How long the clients come and the nemesis disturbs them.
    time: Duration,
    /// Longest pause of a process, and longest time that a way is closed.
    longest_deed: Duration,
    restart_every: Duration,
    fault_every: Duration,
    /// Longest that Twilio takes to accept or list something. In full longer than a request of ours waits.
    latest: Duration,
    hold_every: Duration,
    hold_length: Duration,
    /// Whether the time to settle is waited for, or made to have passed.
    waits: bool,
}

const SLICE: Amount = Amount {
    operations: 300,
    time: Duration::from_secs(14),
    longest_deed: Duration::from_secs(2),
    restart_every: Duration::from_secs(8),
    fault_every: Duration::from_millis(700),
    latest: Duration::from_secs(2),
    hold_every: Duration::from_secs(4),
    hold_length: Duration::from_millis(1500),
    waits: false,
};

const FULL: Amount = Amount {
    operations: 10_000,
    time: Duration::from_mins(10),
    longest_deed: Duration::from_secs(8),
    restart_every: Duration::from_secs(40),
    fault_every: Duration::from_secs(1),
    latest: Duration::from_secs(22),
    hold_every: Duration::from_secs(20),
    hold_length: Duration::from_secs(4),
    waits: true,
};

#[tokio::test(flavor = "multi_thread")]
async fn whatever_happens_each_approval_is_sent_at_most_once_and_nothing_is_lost() {
    let seed = torture::seed();
    let amount = if torture::is_full() { FULL } else { SLICE };
    torture::report(&format!("histories: seed {seed} (MISSION_CONTROL_SEED={seed} repeats it)"));
    let mut site = Site::new(PROCESSES).await;
    let caller = Caller::of(&site);
    let (requests, heard_held, toll) = disturb(&mut site, &caller, seed, &amount).await;
    aftermath::settle(&mut site, &caller, amount.latest, amount.waits).await;

    let history = records::read(&site, requests, &heard_held).await;
    let findings = checker::check(&history);
    let unknown = Unknown::of(&history);
    torture::report(&summary(seed, &history, &findings, &unknown, toll));
    assert!(findings.is_empty(), "seed {seed}: {findings:#?}");
    assert_eq!(history.requests.len(), amount.operations);
    assert!(toll.kills > 0 && toll.pauses > 0 && toll.cuts > 0 && toll.restarts > 0, "{toll:?}");
    assert!(unknown.reported_settled * 100 >= unknown.reported * 99, "seed {seed}: {unknown:?}");
}

/// The clients at work, and the nemesis among them.
async fn disturb(
    site: &mut Site,
    caller: &Caller,
    seed: u64,
    amount: &Amount,
) -> (Vec<history::Request>, Vec<time::OffsetDateTime>, Toll) {
    let until = Instant::now() + amount.time;
    let (over, hears_over) = watch::channel(false);
    let work = async {
        let requests = clients::work(caller, seed, amount.operations, amount.time).await;
        over.send_replace(true);
        requests
    };
    let holding = clients::stop_and_go(caller, (amount.hold_every, amount.hold_length), hears_over);
    let Site { seats, postgres, twilio, .. } = site;
    let torments = seats.iter_mut().enumerate().map(|(number, seat)| {
        nemesis::torment(seat, Seeded(seed.wrapping_add(number as u64)), until, amount.longest_deed)
    });
    let restarts = nemesis::restart(postgres, Seeded(seed ^ 0x5051), until, amount.restart_every);
    let faults = nemesis::arm(twilio, Seeded(seed ^ 0x7457), until, amount.fault_every, amount.latest);
    let (requests, heard_held, tolls, restarts, faults) =
        tokio::join!(work, holding, join_all(torments), restarts, faults);
    (requests, heard_held, tolls.into_iter().chain([restarts, faults]).sum())
}

/// What became of the operations whose outcome was not known at some time.
#[derive(Debug, Default)]
struct Unknown {
    all: usize,
    /// Settled by evidence, without a person.
    settled: usize,
    /// Those that Twilio reported on, and of these the settled ones.
    reported: usize,
    reported_settled: usize,
}

impl Unknown {
    fn of(history: &History) -> Self {
        let unknown: HashSet<&str> = history
            .lines
            .iter()
            .filter(|line| line.to == Some(State::Unknown))
            .map(|line| line.object.as_str())
            .collect();
        let mut counts = Self::default();
        for operation in history.operations.iter().filter(|operation| unknown.contains(operation.object().as_str())) {
            let is_settled = !matches!(operation.state, State::Unknown | State::NeedsReview);
            counts.all += 1;
            counts.settled += usize::from(is_settled);
            counts.reported += usize::from(operation.is_reported);
            counts.reported_settled += usize::from(operation.is_reported && is_settled);
        }
        counts
    }
}

fn summary(seed: u64, history: &History, findings: &[checker::Finding], unknown: &Unknown, toll: Toll) -> String {
    use checker::Breach::{Duplicate, Lost, WrongBinding};
    let count = |breach| findings.iter().filter(|(found, _)| *found == breach).count();
    let share = unknown.reported_settled * 100 / unknown.reported.max(1);
    format!(
        "histories: seed {seed}, {} operations, {} accepted, {} unknown, {} settled without a person ({share} % of the {} \
         reported on), {} duplicates, {} lost, {} wrong bindings, {} kills, {} pauses, {} cuts, {} restarts, {} faults, \
         {} holds",
        history.operations.len(),
        history.ledger.len(),
        unknown.all,
        unknown.settled,
        unknown.reported,
        count(Duplicate),
        count(Lost),
        count(WrongBinding),
        toll.kills,
        toll.pauses,
        toll.cuts,
        toll.restarts,
        toll.faults,
        history.holds.len(),
    )
}
