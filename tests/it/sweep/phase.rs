//! The parts of an operation's life, each with what leads up to it and what sets it off.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use tokio::time::{sleep, timeout};

use super::asked::Asked;
use super::harness::{Sweep, within};
use crate::support::service::text;

/// Longest that a preparation may take; a bound against hanging.
const PATIENCE: Duration = Duration::from_secs(20);

/// For what a process still has to say when the outcome stands: it frees the lock, and tells the others 50 ms later.
const LAST_WORDS: Duration = Duration::from_millis(120);

/// Between two looks at Twilio: longer than the second in which each process looks.
const LOOKS_APART: Duration = Duration::from_millis(1200);

/// Most looks until a person's turn has come.
const LOOKS: usize = 12;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// A client asks.
    Create,
    /// A person approves.
    Approve,
    /// From the claim to the recorded outcome, for identical twins and one more.
    Dispatch,
    /// Twilio reports.
    Callback,
    /// Three attempts whose outcome is not known: Twilio has it, has it and reports it now, does not have it.
    Reconcile,
}

impl Phase {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Approve => "approve",
            Self::Dispatch => "dispatch",
            Self::Callback => "callback",
            Self::Reconcile => "reconcile",
        }
    }
}

impl Sweep {
    /// Leads up to the phase.
    pub(super) async fn prepare(&mut self, phase: Phase) -> Vec<Asked> {
        let recipients = match phase {
            Phase::Create | Phase::Approve | Phase::Callback => vec![self.new_recipient()],
            Phase::Dispatch => {
                let (twins, single) = (self.new_recipient(), self.new_recipient());
                vec![twins.clone(), twins, single]
            }
            Phase::Reconcile => vec![self.new_recipient(), self.new_recipient(), self.new_recipient()],
        };
        // One text for all: what is listed for one may be another's. Not that of an earlier run, which may be left open.
        let message = format!("Table {} is ready", self.number);
        let mut asked: Vec<Asked> = recipients.iter().map(|to| self.new_operation(to, &message)).collect();
        // The former run may have left it on, and then nobody may ask.
        self.lift_hold().await;
        if phase == Phase::Create {
            return asked;
        }
        for asked in &mut asked {
            self.ask(asked).await;
        }
        self.hold().await;
        for asked in &asked {
            assert!(phase == Phase::Approve || self.approve(asked).await, "a process in peace approves");
        }
        if let [silent, reported, absent] = &recipients[..]
            && phase == Phase::Reconcile
        {
            self.arm_faults(json!([
                { "fault": "accept_then_drop", "to": silent },
                { "fault": "callback_lost", "to": silent, "times": 9 },
                { "fault": "accept_then_drop", "to": reported },
                { "fault": "callback_lost", "to": reported, "times": 2 },
                { "fault": "drop_without", "to": absent },
            ]))
            .await;
        }
        match phase {
            Phase::Create | Phase::Approve | Phase::Dispatch => {}
            Phase::Callback => {
                self.lift_hold().await;
                let is_accepted = || async { self.count(&asked, &["accepted", "delivered"]).await == asked.len() };
                assert!(within(PATIENCE, is_accepted).await, "a process in peace sends");
            }
            Phase::Reconcile => {
                self.lift_hold().await;
                let is_unknown = || async { self.count(&asked, &["unknown"]).await == asked.len() };
                assert!(within(PATIENCE, is_unknown).await, "three outcomes are not known");
            }
        }
        asked
    }

    /// Sets it off and waits until it is over, or until so long after the strike.
    pub(super) async fn act(&self, phase: Phase, asked: &mut [Asked], after_strike: Duration) {
        match phase {
            Phase::Create => self.ask(&mut asked[0]).await,
            Phase::Approve => drop(self.approve(&asked[0]).await),
            Phase::Dispatch => {
                self.lift_hold().await;
                self.until_over(asked, &["approved", "sending"], after_strike).await;
            }
            Phase::Callback => self.report_on(&asked[0]).await,
            Phase::Reconcile => {
                self.report_on(&asked[1]).await;
                self.until_settled(asked, after_strike).await;
            }
        }
        if !self.wire.has_struck() {
            sleep(LAST_WORDS).await;
        }
    }

    /// The same, and what the process says by itself, until it is struck: it looks for work each second, and a run may have
    /// a message less than the one that was counted.
    pub(super) async fn act_until_struck(&self, phase: Phase, asked: &mut [Asked], after_strike: Duration) {
        self.act(phase, asked, after_strike).await;
        let _ = timeout(LOOKS_APART, self.wire.strikes()).await;
    }

    /// Has Twilio report the message to this recipient as delivered.
    pub(super) async fn report_on(&self, asked: &Asked) {
        let ledger = self.ledger().await;
        let message = ledger.iter().find(|message| message["to"] == json!(asked.to)).expect("Twilio has it");
        let sid = text(&message["sid"]);
        if self.report(&sid, "delivered").await {
            self.reported.lock().expect("no panic").push((sid, "delivered".to_owned()));
        }
    }

    async fn until_over(&self, asked: &[Asked], open: &[&str], after_strike: Duration) {
        let is_over = || async {
            let is_over = self.count(asked, open).await == 0 && !self.wire.is_talking_to_twilio();
            is_over || self.wire.has_struck()
        };
        within(PATIENCE, is_over).await;
        if self.wire.has_struck() {
            within(after_strike, || async { self.count(asked, open).await == 0 }).await;
        }
    }

    /// A look after a look, each as if minutes had passed, until Twilio's evidence or a person's turn has come.
    async fn until_settled(&self, asked: &[Asked], after_strike: Duration) {
        for _ in 0..LOOKS {
            self.age_unknown().await;
            let is_over = || async { self.count(asked, &["unknown"]).await == 0 || self.wire.has_struck() };
            if within(LOOKS_APART, is_over).await {
                break;
            }
        }
        self.until_over(asked, &["approved", "sending", "unknown"], after_strike).await;
    }

    /// Ends the faults that a phase did not use up.
    pub(super) async fn clear_faults(&self) {
        self.control(Method::DELETE, "/sandbox/faults", None).await;
    }
}
