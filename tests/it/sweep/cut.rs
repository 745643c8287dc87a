//! The connection ends at each message, before, in the middle of, or after it. The process lives on and has to cope.

use std::time::Duration;

use super::harness::Sweep;
use super::phase::Phase;
use super::points::Points;
use crate::support::wire::Action;

/// How long the process may take to cope before the next cut; it tries again within a second.
const COPING: Duration = Duration::from_millis(1500);

async fn cut(phase: Phase, few: usize) {
    let mut sweep = Sweep::new().await;
    let victim = sweep.victim();
    let count = sweep.count_messages_when_warm(phase, &victim).await;
    let mut reached = 0;
    let mut points = Points::of(count, few);
    for &at in &points.chosen {
        let mut asked = sweep.prepare(phase).await;
        let part = points.random.below(257).try_into().expect("a small number");
        sweep.wire.arm(at, Action::Cut(part), Some(victim.id()));
        sweep.act_until_struck(phase, &mut asked, COPING).await;
        reached += usize::from(sweep.wire.has_struck());
        sweep.asked.append(&mut asked);
        sweep.wire.disarm();
        sweep.clear_faults().await;
    }
    // Its POSTs end with it, so that time may pass for them.
    victim.kill();
    let verdict = sweep.settle().await;
    verdict.tell(&format!("{} cut", phase.name()), points.chosen.len(), reached);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_client_asks() {
    cut(Phase::Create, 6).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_person_approves() {
    cut(Phase::Approve, 4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_it_sends() {
    cut(Phase::Dispatch, 6).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_twilio_reports() {
    cut(Phase::Callback, 4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_it_reconciles() {
    cut(Phase::Reconcile, 2).await;
}
