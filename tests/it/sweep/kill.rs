//! Killed at each message. The next process starts on what is left.

use std::time::Duration;

use super::harness::Sweep;
use super::phase::Phase;
use super::points::Points;
use crate::support::wire::Action;

async fn kill(phase: Phase, few: usize) {
    let mut sweep = Sweep::new().await;
    let victim = sweep.victim();
    let count = sweep.count_messages(phase, &victim).await;
    victim.kill();
    let mut reached = 0;
    let points = Points::of(count, few);
    for &at in &points.chosen {
        let victim = sweep.victim();
        let mut asked = sweep.prepare(phase).await;
        sweep.wire.arm(at, Action::Kill, Some(victim.id()));
        sweep.act_until_struck(phase, &mut asked, Duration::ZERO).await;
        reached += usize::from(sweep.wire.has_struck());
        sweep.asked.append(&mut asked);
        victim.kill();
        sweep.clear_faults().await;
    }
    let verdict = sweep.settle().await;
    verdict.tell(&format!("{} kill", phase.name()), points.chosen.len(), reached);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_client_asks() {
    kill(Phase::Create, 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_person_approves() {
    kill(Phase::Approve, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_it_sends() {
    kill(Phase::Dispatch, 6).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_twilio_reports() {
    kill(Phase::Callback, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_it_reconciles() {
    kill(Phase::Reconcile, 3).await;
}
