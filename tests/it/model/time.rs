//! Time, as coarse as the protocol can tell it apart. For each attempt it passes by itself, which allows more orders of
//! events than one clock would, and takes none away.

use super::rules::{Budget, Rules};
use super::state::{Attempt, Name, Owner, Phase, Post, State, Verdict};

/// The next moment that matters for an attempt, if it can come now.
pub(super) fn next(rules: &Rules, attempt: &Attempt, faults: &Budget) -> Option<Phase> {
    let is_past_its_last_look = attempt.owner == Owner::Cleared && rules.lock && !attempt.locked;
    if !attempt.is_open() || (is_past_its_last_look && rules.last_step_is_prompt) {
        return None;
    }
    // A request has 20 s: when one of the long waits is over, it has arrived or is lost.
    let has_landed = attempt.post != Post::InFlight;
    match attempt.phase {
        // An owner that is neither paused nor dead is done before the deadline.
        Phase::Fresh => (attempt.owner == Owner::Gone || faults.pauses > 0).then_some(Phase::Overdue),
        Phase::Overdue => {
            let has_begun = attempt.verdict == Verdict::Unknown || !rules.settle_from_unknown;
            (has_begun && has_landed && rules.settle).then_some(Phase::Settled)
        }
        Phase::ReadOnce => {
            let is_listed = attempt.post != Post::Aged || !rules.lag_is_bounded;
            (has_landed && is_listed).then_some(Phase::Last)
        }
        Phase::Settled | Phase::Last => None,
    }
}

/// Lets the moment come.
pub(super) fn pass(state: &mut State, name: Name, phase: Phase) {
    let attempt = state.attempt_mut(name);
    let is_pause = attempt.phase == Phase::Fresh && attempt.owner != Owner::Gone;
    attempt.phase = phase;
    if attempt.owner == Owner::Fenced {
        attempt.owner = Owner::Stale;
    }
    if phase == Phase::Settled && attempt.post == Post::Accepted {
        attempt.post = Post::Aged;
    }
    state.faults.pauses -= u8::from(is_pause);
}
