//! The network and Twilio: requests that arrive or are lost, messages that are listed after a while, and reports.

use super::state::{Attempt, Evidence, Name, Post, Report, Standing, State, Verdict};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Accept,
    /// It will never report on this one.
    AcceptSilently,
    Lose,
    /// The message appears on the list.
    List,
    /// A report with the attempt's reference is stored, and moves the operation.
    Report,
}

/// What can happen to an attempt's request or message.
pub(super) fn offer(name: Name, attempt: &Attempt, state: &State, mut step: impl FnMut(Step)) {
    match attempt.post {
        Post::Nothing => {}
        Post::InFlight => {
            step(Step::Accept);
            if state.faults.silences > 0 {
                step(Step::AcceptSilently);
            }
            if state.faults.losses > 0 {
                step(Step::Lose);
            }
        }
        Post::Accepted | Post::Aged | Post::Listed => {
            let is_bound = state.is_bound(name);
            // What is bound is no candidate, and a report on it says nothing new.
            if !is_bound && attempt.post != Post::Listed {
                step(Step::List);
            }
            if !is_bound && attempt.report == Report::Due {
                step(Step::Report);
            }
        }
    }
}

pub(super) fn take(state: &mut State, name: Name, step: Step) {
    let attempt = state.attempt_mut(name);
    match step {
        Step::Accept => attempt.post = Post::Accepted,
        Step::AcceptSilently => {
            attempt.post = Post::Accepted;
            attempt.report = Report::Never;
            state.faults.silences -= 1;
        }
        Step::Lose => {
            attempt.post = Post::Nothing;
            state.faults.losses -= 1;
        }
        Step::List => attempt.post = Post::Listed,
        Step::Report => report(state, name),
    }
}

/// What the webhook does. It leaves the attempt alone: whoever records or reconciles closes that.
fn report(state: &mut State, name: Name) {
    let attempt = state.attempt_mut(name);
    attempt.report = Report::Stored;
    let was_judged_otherwise = matches!(attempt.verdict, Verdict::NotSent | Verdict::Absent);
    let operation = state.operation_mut(name.operation);
    let was_written_off = was_judged_otherwise || operation.standing == Standing::Approved;
    if matches!(operation.standing, Standing::Sending | Standing::Unknown | Standing::NeedsReview) {
        operation.standing = Standing::Accepted;
    }
    if was_written_off {
        operation.duplicate_suspected = true;
    } else {
        // It wins over what the list seemed to say.
        operation.bound = Some((name, Evidence::Report));
    }
}

/// Somebody else's message, same sender, same recipient, same words, comes on the list.
pub(super) fn list_a_stranger(state: &mut State) {
    state.lists_a_stranger = true;
    state.faults.strangers -= 1;
}
