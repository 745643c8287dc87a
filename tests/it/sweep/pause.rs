//! Paused at each message while a second process lives and minutes pass: it must not touch what the paused one still
//! holds, and the paused one must not act on what was decided meanwhile.

use std::time::Duration;

use rustix::process::Signal;
use tokio::time::sleep;

use super::harness::{Sweep, within};
use super::phase::Phase;
use super::points::Points;
use crate::support::wire::Action;

/// How often minutes pass during a pause, and how long the second process has to act each time: it looks each second.
const LOOKS: usize = 2;
const LOOK: Duration = Duration::from_millis(1250);

async fn pause(phase: Phase, few: usize) {
    let mut sweep = Sweep::new().await;
    let victim = sweep.victim();
    let count = sweep.count_messages(phase, &victim).await;
    let survivor = sweep.survivor();
    let mut reached = 0;
    let points = Points::of(count, few);
    for &at in &points.chosen {
        let asked = sweep.prepare(phase).await;
        sweep.wire.arm(at, Action::Pause, Some(victim.id()));
        sweep.resume_sending().await;
        let open = ["approved", "sending"];
        let has_ended = || async { sweep.wire.has_struck() || sweep.count(&asked, &open).await == 0 };
        within(Duration::from_secs(10), has_ended).await;
        if sweep.wire.has_struck() {
            reached += 1;
            for _ in 0..LOOKS {
                sweep.age().await;
                sleep(LOOK).await;
            }
        }
        sweep.wire.disarm();
        victim.signal(Signal::CONT);
        within(Duration::from_secs(3), || async { sweep.count(&asked, &open).await == 0 }).await;
        sweep.asked.extend(asked);
    }
    victim.kill();
    survivor.kill();
    let verdict = sweep.settle().await;
    verdict.tell(&format!("{} pause", phase.name()), points.chosen.len(), reached);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_it_sends() {
    pause(Phase::Dispatch, 3).await;
}
