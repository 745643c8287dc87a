//! The nemesis: it kills and pauses processes, takes their ways to PostgreSQL and Twilio away, restarts PostgreSQL
//! without a warning, and makes Twilio answer wrongly, late or not at all. What it does follows from the seed.

use std::time::Duration;

use reqwest::Method;
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::postgres::Postgres;
use super::site::{Seat, Twilio};
use crate::support::seeded::Seeded;
use crate::support::way::Way;

/// What was done.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Toll {
    pub(super) kills: usize,
    pub(super) pauses: usize,
    pub(super) cuts: usize,
    pub(super) restarts: usize,
    pub(super) faults: usize,
}

impl std::iter::Sum for Toll {
    fn sum<I: Iterator<Item = Self>>(tolls: I) -> Self {
        tolls.fold(Self::default(), |sum, toll| Self {
            kills: sum.kills + toll.kills,
            pauses: sum.pauses + toll.pauses,
            cuts: sum.cuts + toll.cuts,
            restarts: sum.restarts + toll.restarts,
            faults: sum.faults + toll.faults,
        })
    }
}

/// One thing to do to a process.
#[derive(Clone, Copy)]
enum Deed {
    Kill,
    Pause,
    CutDatabase,
    CloseDatabase,
    StallDatabase,
    CutTwilio,
    CloseTwilio,
    StallTwilio,
}

const DEEDS: [Deed; 8] = [
    Deed::Kill,
    Deed::Pause,
    Deed::CutDatabase,
    Deed::CloseDatabase,
    Deed::StallDatabase,
    Deed::CutTwilio,
    Deed::CloseTwilio,
    Deed::StallTwilio,
];

/// Does each deed to a process, again and again until the time is over, each for a while up to the longest; and leaves
/// it running, with its ways open.
pub(super) async fn torment(seat: &mut Seat, mut seeded: Seeded, until: Instant, longest: Duration) -> Toll {
    let mut toll = Toll::default();
    loop {
        let mut deeds = DEEDS.to_vec();
        shuffle(&mut deeds, &mut seeded);
        for deed in deeds {
            // The first round is done whatever the time is: it has one of each.
            if Instant::now() >= until && toll.kills + toll.pauses + toll.cuts >= DEEDS.len() {
                return toll;
            }
            sleep(some(&mut seeded, longest / 4)).await;
            let a_while = some(&mut seeded, longest);
            match deed {
                Deed::Kill => {
                    toll.kills += 1;
                    seat.kill();
                    sleep(a_while / 4).await;
                    seat.start().await;
                }
                Deed::Pause => {
                    toll.pauses += 1;
                    seat.signal(Signal::STOP);
                    sleep(a_while).await;
                    seat.signal(Signal::CONT);
                }
                _ => {
                    toll.cuts += 1;
                    obstruct(seat, deed, a_while).await;
                }
            }
        }
    }
}

async fn obstruct(seat: &Seat, deed: Deed, a_while: Duration) {
    let close = async |way: &Way| {
        way.close();
        sleep(a_while).await;
        way.open();
    };
    let stall = async |way: &Way| {
        way.stall(true);
        sleep(a_while).await;
        way.stall(false);
    };
    match deed {
        Deed::CutDatabase => seat.database.cut(),
        Deed::CutTwilio => seat.twilio.cut(),
        Deed::CloseDatabase => close(&seat.database).await,
        Deed::CloseTwilio => close(&seat.twilio).await,
        Deed::StallDatabase => stall(&seat.database).await,
        Deed::StallTwilio => stall(&seat.twilio).await,
        Deed::Kill | Deed::Pause => {}
    }
}

/// Restarts PostgreSQL at this distance until the time is over, at least once.
pub(super) async fn restart(postgres: &mut Postgres, mut seeded: Seeded, until: Instant, every: Duration) -> Toll {
    let mut toll = Toll::default();
    loop {
        sleep(every / 2 + some(&mut seeded, every / 2)).await;
        if Instant::now() >= until && toll.restarts > 0 {
            return toll;
        }
        postgres.restart().await;
        toll.restarts += 1;
    }
}

/// Arms one fault of the sandbox after the other until the time is over, each kind at least once.
pub(super) async fn arm(
    twilio: &Twilio,
    mut seeded: Seeded,
    until: Instant,
    every: Duration,
    latest: Duration,
) -> Toll {
    let mut toll = Toll::default();
    loop {
        let ms = u64::try_from(latest.as_millis()).expect("a short time");
        let mut faults = faults(&mut seeded, ms);
        shuffle(&mut faults, &mut seeded);
        let kinds = faults.len();
        for fault in faults {
            if Instant::now() >= until && toll.faults >= kinds {
                return toll;
            }
            sleep(some(&mut seeded, every)).await;
            let times = 1 + seeded.below(3);
            let armed = json!([fault.as_object().map_or_else(
                || json!({ "fault": fault, "times": times }),
                |fault| {
                    let mut fault = fault.clone();
                    fault.insert("times".to_owned(), json!(times));
                    Value::Object(fault)
                },
            )]);
            twilio.control(Method::POST, "/sandbox/faults", Some(armed)).await;
            toll.faults += 1;
        }
    }
}

/// Each kind of fault once, those that take time up to `latest` milliseconds.
fn faults(seeded: &mut Seeded, latest: u64) -> Vec<Value> {
    let mut ms = || 1 + seeded.below(latest);
    let mut faults = vec![
        json!({ "fault": { "accept_late": { "ms": ms() } } }),
        json!({ "fault": { "slow": { "ms": ms() } } }),
        json!({ "fault": { "list_lag": { "ms": ms() } } }),
        json!({ "fault": { "callback_delayed": { "ms": ms() } } }),
        json!({ "fault": { "callback_repeated": { "n": 3 } } }),
        json!({ "fault": { "refuse": { "code": 21610, "status": 400 } } }),
        json!({ "fault": "drop_without", "on": "list" }),
        json!({ "fault": "error_503_without", "on": "list" }),
        json!({ "fault": "error_500_without", "on": "fetch" }),
    ];
    let plain = [
        "accept_then_drop",
        "accept_then_hang",
        "drop_without",
        "error_500_after_accepting",
        "error_500_without",
        "error_503_after_accepting",
        "error_503_without",
        "too_many_requests_429",
        "queue_full_429",
        "garbage_2xx",
        "redirect_307",
        "callback_lost",
        "callbacks_reordered",
        "callback_before_answer",
    ];
    faults.extend(plain.map(|fault| json!({ "fault": fault })));
    faults
}

/// A while: at least a tenth of the longest.
fn some(seeded: &mut Seeded, longest: Duration) -> Duration {
    longest.mul_f64(0.1 + f64::from(u32::try_from(seeded.below(900)).expect("small")) / 1000.0)
}

fn shuffle<T>(things: &mut [T], seeded: &mut Seeded) {
    for last in (1..things.len()).rev() {
        let other = usize::try_from(seeded.below(last as u64 + 1)).expect("small");
        things.swap(last, other);
    }
}
