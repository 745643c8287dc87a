//! What must hold at every moment, what must come in the end, and what must be possible: a model in which nothing
//! interesting happens proves nothing.

use stateright::Property;

use super::Sending;
use super::rules::{OnUnknown, Rules};
use super::state::{Attempt, Evidence, Operation, Owner, Phase, Post, Standing, State, Verdict};

/// The names of what must hold.
pub(super) const ONCE: &str = "Twilio accepts an operation once at most";
pub(super) const OWN: &str = "an operation is bound to its own message";
pub(super) const ONE_OWNER: &str = "a message is bound to one operation at most";
pub(super) const NOT_AGAIN: &str = "what Twilio has, or may still get, is not approved again";
pub(super) const PROVEN: &str = "what counts as accepted was accepted";
pub(super) const BY_ITSELF: &str = "nobody is asked while evidence comes and resends are left";
pub(super) const ENDS: &str = "every operation ends accepted, with a person, or stopped as a suspected duplicate";

/// The promise.
pub(super) fn promised() -> Vec<Property<Sending>> {
    vec![
        Property::always(ONCE, |_, state| {
            of_each(state, |_, attempts| attempts.iter().filter(|attempt| attempt.was_accepted()).count() <= 1)
        }),
        Property::always(OWN, |_, state: &State| {
            let own = |(operation, row): (u8, &Operation)| row.bound.is_none_or(|(sid, _)| sid.operation == operation);
            (0..).zip(&state.operations).all(own)
        }),
        Property::always(ONE_OWNER, |_, state: &State| {
            let mut sids = state.operations.iter().filter_map(|row| row.bound).map(|(sid, _)| sid);
            sids.next().is_none_or(|first| sids.all(|sid| sid != first))
        }),
        Property::always(NOT_AGAIN, |_, state| {
            of_each(state, |row, attempts| {
                row.standing != Standing::Approved
                    || row.duplicate_suspected
                    || attempts.iter().all(|attempt| attempt.post == Post::Nothing)
            })
        }),
        Property::always(PROVEN, |_, state| {
            of_each(state, |row, attempts| {
                row.standing != Standing::Accepted || attempts.iter().any(Attempt::was_accepted)
            })
        }),
        Property::always(BY_ITSELF, |model: &Sending, state: &State| {
            let asked = state.operations.iter().any(|row| row.standing == Standing::NeedsReview);
            let used_up = state.operations.iter().any(|row| row.resends == model.rules.resends);
            !asked || used_up || !model.rules.do_without_a_person()
        }),
        // Asked where a way ends. Every action moves somebody forward and uses something up, so no way leads back to where it
        // was, which stateright would not see.
        Property::eventually(ENDS, |_, state: &State| state.operations.iter().all(has_ended)),
    ]
}

/// What the model must be able to show.
pub(super) fn possible(rules: &Rules) -> Vec<Property<Sending>> {
    let mut possible: Vec<Property<Sending>> = vec![
        Property::sometimes("a report outruns the answer", |_, state| {
            some(state, |row, attempt| attempt.owner == Owner::Waiting && row.standing == Standing::Accepted)
        }),
        Property::sometimes("a report comes where the list would have been asked", |_, state| {
            some(state, |row, attempt| row.standing == Standing::Accepted && attempt.verdict == Verdict::Unknown)
        }),
        Property::sometimes("a session is lost during a request", |_, state| {
            some(state, |_, attempt| attempt.owner == Owner::Waiting && !attempt.locked)
        }),
        Property::sometimes("others judge what its living owner waits for", |_, state| {
            some(state, |_, attempt| attempt.owner == Owner::Waiting && attempt.phase == Phase::ReadOnce)
        }),
        Property::sometimes("a paused owner keeps others away beyond the deadline", |_, state| {
            some(state, |_, attempt| attempt.locked && attempt.phase == Phase::Overdue)
        }),
        Property::sometimes("a request is written beyond the deadline", |_, state| {
            some(state, |_, attempt| {
                attempt.post == Post::InFlight && attempt.phase == Phase::Overdue && attempt.owner == Owner::Waiting
            })
        }),
        Property::sometimes("a request arrives after its time-out", |_, state| {
            some(state, |_, attempt| attempt.post == Post::InFlight && attempt.verdict == Verdict::Unknown)
        }),
        Property::sometimes("an operation waits for its twin", |_, state: &State| {
            let standings = [state.operations[0].standing, state.operations[1].standing];
            standings == [Standing::Unknown, Standing::Approved]
        }),
        Property::sometimes("a person is asked", |_, state| {
            some(state, |row, _| row.standing == Standing::NeedsReview)
        }),
        Property::sometimes("both are accepted", |_, state: &State| {
            state.operations.iter().all(|row| row.standing == Standing::Accepted)
        }),
    ];
    if rules.sender_is_exclusive {
        possible.push(Property::sometimes("the list binds", |_, state: &State| {
            state.operations.iter().any(|row| matches!(row.bound, Some((_, Evidence::List))))
        }));
    }
    if rules.on_unknown == OnUnknown::Auto {
        possible.push(Property::sometimes("an automatic resend is accepted", |_, state| {
            some(state, |row, _| row.resends > 0 && row.standing == Standing::Accepted)
        }));
    }
    possible
}

/// A suspected duplicate stays approved and is never claimed: it expires.
fn has_ended(row: &Operation) -> bool {
    match row.standing {
        Standing::Accepted | Standing::NeedsReview => true,
        Standing::Approved => row.duplicate_suspected,
        Standing::Sending | Standing::Unknown => false,
    }
}

fn of_each(state: &State, holds: fn(&Operation, &[Attempt]) -> bool) -> bool {
    state.by_operation().all(|(row, attempts)| holds(row, attempts))
}

fn some(state: &State, holds: fn(&Operation, &Attempt) -> bool) -> bool {
    state.attempts().any(|(name, attempt)| holds(state.operation(name.operation), attempt))
}
