//! The sending protocol as a model, and every way through it.
//!
//! Two people approved the same words to the same number. Processes claim, pass the fence, look at the clock, write,
//! wait and record ([`worker`]); the network and Twilio accept, lose, list and report ([`twilio`]); every replica
//! reconciles ([`reconciler`]); time passes ([`time`]). The checker takes every step that anybody can take, in every
//! order, with every fault that the budget allows, and asks at every moment whether what is promised still holds
//! ([`properties`]). [`mutants`] lack one mechanism each, and the checker finds the duplicate that it prevents.
//!
//! Why less than the whole is enough:
//!
//! - **A transaction is one step.** PostgreSQL makes it so: claim, record, report and each look of the reconciler are
//!   one commit, compare-and-set. A commit that nobody heard of is a crash after it.
//! - **A pause is not a step.** A paused process is one that does not move while all others do. Only beyond a deadline
//!   does a pause cost something, so that it cannot happen for ever.
//! - **Time is what the protocol can tell apart**: fresh, overdue, settled, read once, 60 s later; for each attempt by
//!   itself, which allows more orders of events than one clock would. A request has 20 s, so it does not outlast a long
//!   wait; a message is listed within a settle time and 60 s, or never in time, as [`rules`] say.
//! - **A process sees one attempt through.** One that has several under way loses several sessions, or crashes several
//!   times, at once; the budget covers them one by one.
//! - **Holding, windows, rates and backoff** only ever keep a message back, so they are left out. A refused message
//!   (`failed`) is an accepted one without a SID to bind; a person's resolution is a new approval.
//! - **Binding is a little freer here**: the program also counts an attempt that was proven absent as one that could own
//!   what is listed, and asks a person rather than bind.
//! - **A report is stored once.** Repeats change nothing, and ranks are beyond `accepted`.
//!
//! What is assumed, and cannot be had otherwise with a provider that takes no idempotency key: Twilio lists what it
//! accepted in time (or `on_unknown` is `person`); nobody else sends the same from our number (or the sender is not
//! called exclusive); and no process loses its session *and* is paused for longer than the settle time between its
//! last look at the clock and the write. Each has a test that shows what happens if it does not hold.

#![expect(clippy::trivially_copy_pass_by_ref, reason = "rows are read where they stand; their size is no concern")]

mod mutants;
mod ours;
mod properties;
mod reconciler;
mod rules;
mod state;
mod time;
mod twilio;
mod walk;
mod worker;

use stateright::{Model, Property};

use rules::Rules;
use state::{Name, OPERATIONS, Phase, State};

/// The sending of two identical operations, by these rules.
struct Sending {
    rules: Rules,
}

/// One step of somebody, about one operation or attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Claim(u8),
    Worker(Name, worker::Step),
    Twilio(Name, twilio::Step),
    Reconciler(Name, reconciler::Step),
    Time(Name, Phase),
    /// Twilio lists an identical message of somebody else.
    Stranger,
}

impl Model for Sending {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State::approved(self.rules.faults)]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        let operations = 0..u8::try_from(OPERATIONS).expect("few");
        actions.extend(operations.filter(|&id| worker::may_claim(&self.rules, state, id)).map(Action::Claim));
        for (name, attempt) in state.attempts() {
            worker::offer(attempt, &state.faults, |step| actions.push(Action::Worker(name, step)));
            twilio::offer(name, attempt, state, |step| actions.push(Action::Twilio(name, step)));
            actions.extend(reconciler::due(&self.rules, attempt).map(|step| Action::Reconciler(name, step)));
            actions.extend(time::next(&self.rules, attempt, &state.faults).map(|phase| Action::Time(name, phase)));
        }
        actions.extend((state.faults.strangers > 0).then_some(Action::Stranger));
    }

    fn next_state(&self, before: &State, action: Action) -> Option<State> {
        let mut state = before.clone();
        match action {
            Action::Claim(operation) => state.insert(operation),
            Action::Worker(name, step) => worker::take(&self.rules, &mut state, name, step),
            Action::Twilio(name, step) => twilio::take(&mut state, name, step),
            Action::Reconciler(name, step) => reconciler::take(&self.rules, &mut state, name, step),
            Action::Time(name, phase) => time::pass(&mut state, name, phase),
            Action::Stranger => twilio::list_a_stranger(&mut state),
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = properties::promised();
        properties.extend(properties::possible(&self.rules));
        properties
    }
}
