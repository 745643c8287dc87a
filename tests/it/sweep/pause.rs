//! Paused at each message while a second process lives and minutes pass: it must not touch what the paused one still
//! holds, and the paused one must not act on what was decided meanwhile.

use std::pin::pin;
use std::time::Duration;

use rustix::process::Signal;
use tokio::time::{sleep, timeout};

use super::asked::Asked;
use super::harness::Sweep;
use super::phase::Phase;
use super::points::Points;
use crate::support::wire::Action;

/// How often minutes pass during a pause, and how long the second process has to act each time: it looks each second.
const LOOKS: usize = 2;
const LOOK: Duration = Duration::from_millis(1250);

/// How long a client waits for the second process, which may have to wait for the first.
const ANSWER: Duration = Duration::from_secs(1);

/// How long both may take, once the first goes on, until the next pause.
const COPING: Duration = Duration::from_secs(3);

/// Longest that it may take to end what it began; a bound against hanging.
const PATIENCE: Duration = Duration::from_secs(12);

async fn pause(phase: Phase, few: usize) {
    let mut sweep = Sweep::new().await;
    let victim = sweep.victim();
    let count = sweep.count_messages_when_warm(phase, &victim).await;
    let survivor = sweep.survivor();
    let mut reached = 0;
    let points = Points::of(count, few);
    for &at in &points.chosen {
        // The first one does it all, until it stands still.
        survivor.signal(Signal::STOP);
        let mut asked = sweep.prepare(phase).await;
        let mut again: Vec<Asked> = asked.iter().map(Asked::untold).collect();
        sweep.wire.arm(at, Action::Pause, Some(victim.id()));
        {
            let mut act = pin!(sweep.act_until_struck(phase, &mut asked, COPING));
            let has_ended = tokio::select! {
                () = &mut act => true,
                () = sweep.wire.strikes() => false,
            };
            survivor.signal(Signal::CONT);
            if sweep.wire.has_struck() {
                reached += 1;
                sweep.wire.lead_to(&survivor.address());
                sweep.live_on(phase, &mut again).await;
                sweep.wire.lead_to(&victim.address());
                victim.signal(Signal::CONT);
                if !has_ended {
                    let _ = timeout(PATIENCE, act).await;
                }
            }
        }
        sweep.wire.disarm();
        sweep.clear_faults().await;
        sweep.asked.extend(asked.into_iter().chain(again));
    }
    victim.kill();
    survivor.kill();
    let verdict = sweep.settle().await;
    verdict.tell(&format!("{} pause", phase.name()), points.chosen.len(), reached);
}

impl Sweep {
    /// Minutes pass, and clients that wait for an answer ask somewhere else.
    pub(super) async fn live_on(&self, phase: Phase, again: &mut [Asked]) {
        for asked in again {
            if matches!(phase, Phase::Create | Phase::Approve) {
                let _ = timeout(ANSWER, self.ask(asked)).await;
            }
            if phase == Phase::Approve && asked.answer.is_some() {
                let _ = timeout(ANSWER, self.approve(asked)).await;
            }
        }
        for _ in 0..LOOKS {
            self.age().await;
            sleep(LOOK).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_client_asks() {
    pause(Phase::Create, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_person_approves() {
    pause(Phase::Approve, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_it_sends() {
    pause(Phase::Dispatch, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_twilio_reports() {
    pause(Phase::Callback, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_it_reconciles() {
    pause(Phase::Reconcile, 2).await;
}
