//! Attempts that nobody recorded: settled by evidence, or handed to a person. Each step is one transaction that holds
//! the attempt's lock, so it is nobody's turn while an owner is alive with its session.

use super::rules::{OnUnknown, Rules};
use super::state::{Attempt, Evidence, Name, Phase, Report, Standing, State, Verdict};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A stored report proves that Twilio has it.
    CloseByReport,
    /// Past the deadline, with its owner gone.
    CallUnknown,
    /// Only a mutant: back to `approved`, because time passed.
    Requeue,
    /// Reads Twilio's list and judges by it.
    ReadTheList,
}

/// What there is to do about an attempt: one thing at most, the strongest evidence first.
pub(super) fn due(rules: &Rules, attempt: &Attempt) -> Option<Step> {
    let is_overdue = attempt.phase != Phase::Fresh;
    let is_settled = matches!(attempt.phase, Phase::Settled | Phase::Last) || (is_overdue && !rules.settle);
    match attempt.verdict {
        _ if attempt.locked => None,
        Verdict::Sending if is_overdue && attempt.report == Report::Stored => Some(Step::CloseByReport),
        Verdict::Unknown | Verdict::NeedsReview if attempt.report == Report::Stored => Some(Step::CloseByReport),
        Verdict::Sending if is_overdue && rules.requeues_on_a_timer => Some(Step::Requeue),
        Verdict::Sending if is_overdue => Some(Step::CallUnknown),
        Verdict::Unknown if is_settled && attempt.phase != Phase::ReadOnce => Some(Step::ReadTheList),
        _ => None,
    }
}

pub(super) fn take(rules: &Rules, state: &mut State, name: Name, step: Step) {
    match step {
        Step::CloseByReport => state.attempt_mut(name).close(Verdict::Accepted),
        Step::CallUnknown => judge(state, name, Verdict::Unknown, Standing::Unknown),
        Step::Requeue => judge(state, name, Verdict::Absent, Standing::Approved),
        Step::ReadTheList => read_the_list(rules, state, name),
    }
}

/// Moves the attempt, and its operation if no report moved it first.
fn judge(state: &mut State, name: Name, verdict: Verdict, standing: Standing) {
    let attempt = state.attempt_mut(name);
    if verdict == Verdict::Unknown {
        attempt.verdict = verdict;
    } else {
        attempt.close(verdict);
    }
    let operation = state.operation_mut(name.operation);
    if matches!(operation.standing, Standing::Sending | Standing::Unknown) {
        operation.standing = standing;
    }
}

fn read_the_list(rules: &Rules, state: &mut State, name: Name) {
    let mut candidates = state.candidates().filter(|_| rules.reads_list);
    let (candidate, another) = (candidates.next(), candidates.next());
    drop(candidates);
    let others_lack_theirs = state.attempts().any(|(other, attempt)| other != name && attempt.lacks_its_sid());
    match (candidate, another) {
        (Some(sid), None) if rules.sender_is_exclusive && !(others_lack_theirs && rules.sole_suspect) => {
            judge(state, name, Verdict::Accepted, Standing::Accepted);
            state.operation_mut(name.operation).bound = Some((sid, Evidence::List));
        }
        (None, _) if state.attempt(name).phase == Phase::Last || !rules.reads_twice => call_absent(rules, state, name),
        (None, _) => state.attempt_mut(name).phase = Phase::ReadOnce,
        _ => judge(state, name, Verdict::NeedsReview, Standing::NeedsReview),
    }
}

fn call_absent(rules: &Rules, state: &mut State, name: Name) {
    if rules.on_unknown == OnUnknown::Auto && state.operation(name.operation).resends < rules.resends {
        judge(state, name, Verdict::Absent, Standing::Approved);
        state.operation_mut(name.operation).resends += 1;
    } else {
        judge(state, name, Verdict::NeedsReview, Standing::NeedsReview);
    }
}
