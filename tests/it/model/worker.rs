//! The process that claimed an attempt: fence, look at the clock, write, record. Between any two of its steps it may be
//! paused for as long as it likes, which is: everybody else moves and it does not.

use super::rules::{Budget, Rules};
use super::state::{Attempt, Evidence, Name, Owner, Phase, Post, Standing, State, Verdict};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Takes the lock, then checks with a younger snapshot that the claim still stands.
    PassTheFence,
    /// Connects, and looks at the clock once more.
    Connect,
    /// Does not get a connection, or finds on connecting that it took too long.
    FailToConnect,
    Write,
    /// Reads "too many requests".
    ReadARefusal,
    RecordTheAnswer,
    /// No readable answer in the time that a request has.
    RecordUnknown,
    RecordNotSent,
    Crash,
    LoseTheSession,
}

/// Whether an operation may be claimed.
pub(super) fn may_claim(rules: &Rules, state: &State, operation: u8) -> bool {
    let row = state.operation(operation);
    row.standing == Standing::Approved
        && !row.duplicate_suspected
        && state.has_room(operation)
        && state.attempts().filter(|(_, attempt)| attempt.owner != Owner::Gone).count() < rules.workers
        && !(rules.one_at_a_time && state.attempts().any(|(_, attempt)| attempt.is_open()))
}

/// What the owner of an attempt can do next.
pub(super) fn offer(attempt: &Attempt, faults: &Budget, mut step: impl FnMut(Step)) {
    match attempt.owner {
        Owner::Gone => return,
        Owner::Claimed => step(Step::PassTheFence),
        Owner::Fenced | Owner::Stale => {
            step(Step::Connect);
            if faults.refusals > 0 {
                step(Step::FailToConnect);
            }
        }
        Owner::Cleared => step(Step::Write),
        Owner::Waiting => {
            if attempt.was_accepted() {
                step(Step::RecordTheAnswer);
            }
            if attempt.post == Post::InFlight && faults.refusals > 0 {
                step(Step::ReadARefusal);
            }
            if attempt.post == Post::Nothing || faults.losses > 0 {
                step(Step::RecordUnknown);
            }
        }
        Owner::NotSent => step(Step::RecordNotSent),
    }
    if faults.crashes > 0 {
        step(Step::Crash);
    }
    if attempt.locked && faults.sessions > 0 {
        step(Step::LoseTheSession);
    }
}

pub(super) fn take(rules: &Rules, state: &mut State, name: Name, step: Step) {
    let stands = claim_stands(state, name);
    let attempt = state.attempt_mut(name);
    match step {
        Step::PassTheFence => {
            attempt.locked = rules.lock;
            attempt.owner = if stands || !rules.recheck { Owner::Fenced } else { Owner::NotSent };
        }
        Step::Connect => {
            let is_stale = attempt.owner == Owner::Stale;
            attempt.owner = if is_stale && rules.freshness { Owner::NotSent } else { Owner::Cleared };
        }
        Step::FailToConnect => {
            attempt.owner = Owner::NotSent;
            state.faults.refusals -= 1;
        }
        Step::Write => {
            attempt.owner = Owner::Waiting;
            attempt.post = Post::InFlight;
        }
        Step::ReadARefusal => {
            attempt.owner = Owner::NotSent;
            attempt.post = Post::Nothing;
            state.faults.refusals -= 1;
        }
        Step::RecordTheAnswer => record_accepted(state, name),
        Step::RecordUnknown => {
            let was_lost = attempt.post != Post::Nothing;
            state.faults.losses -= u8::from(was_lost);
            record_unknown(state, name);
        }
        Step::RecordNotSent => record_not_sent(state, name),
        Step::Crash => {
            attempt.disown();
            state.faults.crashes -= 1;
        }
        Step::LoseTheSession => {
            attempt.locked = false;
            state.faults.sessions -= 1;
        }
    }
}

/// The second statement of the fence.
fn claim_stands(state: &State, name: Name) -> bool {
    let (operation, attempt) = (state.operation(name.operation), state.attempt(name));
    operation.standing == Standing::Sending
        && operation.attempts == name.number + 1
        && !operation.duplicate_suspected
        && attempt.verdict == Verdict::Sending
        && attempt.phase == Phase::Fresh
}

/// Twilio's answer is evidence even after others gave up, but not after they judged otherwise.
fn record_accepted(state: &mut State, name: Name) {
    let is_bound = state.is_bound(name);
    let attempt = state.attempt_mut(name);
    attempt.disown();
    if !attempt.lacks_its_sid() {
        return;
    }
    attempt.close(Verdict::Accepted);
    let operation = state.operation_mut(name.operation);
    if matches!(operation.standing, Standing::Sending | Standing::Unknown | Standing::NeedsReview) {
        operation.standing = Standing::Accepted;
    }
    if !is_bound {
        operation.bound = operation.bound.or(Some((name, Evidence::Answer)));
    }
}

fn record_unknown(state: &mut State, name: Name) {
    let attempt = state.attempt_mut(name);
    attempt.disown();
    if attempt.verdict != Verdict::Sending {
        return;
    }
    attempt.verdict = Verdict::Unknown;
    let operation = state.operation_mut(name.operation);
    if operation.standing == Standing::Sending {
        operation.standing = Standing::Unknown;
    }
}

fn record_not_sent(state: &mut State, name: Name) {
    let attempt = state.attempt_mut(name);
    attempt.disown();
    if !attempt.is_open() {
        return;
    }
    attempt.close(Verdict::NotSent);
    let operation = state.operation_mut(name.operation);
    if matches!(operation.standing, Standing::Sending | Standing::Unknown | Standing::NeedsReview) {
        operation.standing = Standing::Approved;
    }
}
