//! The life of what was accepted, one status after another, each reported. A message and a call differ in their
//! statuses, not in how they live.

use std::sync::Arc;

use super::{
    answer::Refusal,
    api::ApiRequest,
    callback::{self, Outcome},
    faults::{Fault, Moment},
    living::{Living, Vitals},
    now,
    state::Shared,
};

/// Whether something was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Made,
    Nothing,
}

/// The order in which the steps of one life are reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    AsItHappens,
    PairsReversed,
}

fn next<L: Living>(living: &L) -> Option<(L::Status, Option<u32>)> {
    living.next().filter(|_| !living.vitals().driven)
}

pub(super) fn is_unfinished<L: Living>(living: &L) -> bool {
    !living.vitals().reported || next(living).is_some()
}

/// Puts it into a status: times, the error, and the duty to report it.
pub(super) fn enter<L: Living>(living: &mut L, status: L::Status, error_code: Option<u32>) {
    let at = now();
    let vitals = living.vitals_mut();
    vitals.status = status;
    vitals.error_code = error_code;
    vitals.updated_at = at;
    living.settle_in(at);
    living.vitals_mut().reported = living.vitals().status_callback.is_none() || !living.is_reportable();
}

/// Takes in what a request created, and lets it live.
pub(super) async fn begin<L: Living>(shared: &Arc<Shared>, newborn: L) -> Result<L, Refusal> {
    shared.accept(newborn.clone())?;
    let Vitals { sid, to, .. } = newborn.vitals();
    tracing::info!(event = "sandbox.accepted", kind = L::KIND, sid, "the sandbox accepted the {} {sid}", L::KIND);
    let fault = shared.take_fault(Moment::Acceptance, Some(to));
    let (shared, living) = (Arc::clone(shared), newborn.clone());
    let tasks = shared.tasks.clone();
    // A task of its own: a caller that hangs up now must not end the life.
    let begun = tasks.spawn(async move {
        if fault.is_some()
            && let Some(living) = advance(&shared, &living)
        {
            report(&shared, &living).await;
        }
        let order = match shared.take_fault(Moment::Life, Some(&living.vitals().to)) {
            Some(Fault::CallbacksReordered) => Order::PairsReversed,
            _ => Order::AsItHappens,
        };
        let sid = living.vitals().sid.clone();
        shared.tasks.spawn(follow::<L>(Arc::clone(&shared), sid, order));
    });
    // It panicked if this is an error; it is accepted all the same.
    let _ = begun.await;
    Ok(newborn)
}

/// Takes it one status further. What was changed meanwhile (canceled, driven by hand) stays as it is.
fn advance<L: Living>(shared: &Shared, seen: &L) -> Option<L> {
    shared.change(&seen.vitals().sid, |living: &mut L| match next(living) {
        Some((status, error_code)) if living.vitals().status == seen.vitals().status && !living.is_occupied() => {
            enter(living, status, error_code);
            Change::Made
        }
        _ => Change::Nothing,
    })
}

/// Reports the status as it is in this copy and remembers that, unless the sandbox stopped in between.
pub(super) async fn report<L: Living>(shared: &Shared, living: &L) -> Outcome {
    let outcome = callback::deliver(shared, living).await;
    if outcome != Outcome::Stopped {
        shared.change(&living.vitals().sid, |current: &mut L| {
            let vitals = current.vitals_mut();
            if vitals.reported || vitals.status != living.vitals().status {
                return Change::Nothing;
            }
            vitals.reported = true;
            Change::Made
        });
    }
    outcome
}

/// Follows it until it rests.
async fn follow<L: Living>(shared: Arc<Shared>, sid: String, order: Order) {
    let Some(pace) = shared.pace.step() else {
        return;
    };
    let mut held = None;
    while let Some(living) = shared.find::<L>(&sid).filter(|living| next(living).is_some()) {
        living.occupy(&shared).await;
        if !shared.pause(pace.max(living.until_due())).await {
            return;
        }
        let Some(living) = advance(&shared, &living) else {
            continue;
        };
        if order == Order::PairsReversed && held.is_none() && next(&living).is_some() {
            held = Some(living);
            continue;
        }
        for living in std::iter::once(living).chain(held.take()) {
            report(&shared, &living).await;
        }
    }
}

/// Goes on after a restart. A status whose report is not known to be through is reported (again) first.
async fn resume<L: Living>(shared: Arc<Shared>, sid: String) {
    if let Some(living) = shared.find::<L>(&sid).filter(|living| !living.vitals().reported) {
        if !shared.pause(shared.pace.step().unwrap_or_default()).await {
            return;
        }
        report(&shared, &living).await;
    }
    follow::<L>(shared, sid, Order::AsItHappens).await;
}

/// Goes on with everything of one kind that a restart interrupted.
pub(super) fn resume_all<L: Living>(shared: &Arc<Shared>) {
    for living in shared.accepted::<L>().iter().filter(|living| is_unfinished(*living)) {
        shared.tasks.spawn(resume::<L>(Arc::clone(shared), living.vitals().sid.clone()));
    }
}

/// Changes the status on demand, and reports it in a task of its own; `None` if `may_enter` finds nothing to enter.
pub(super) fn intervene<L: Living>(
    shared: &Arc<Shared>,
    sid: &str,
    may_enter: impl FnOnce(&L) -> Option<L::Status>,
) -> Option<()> {
    let changed = shared.change(sid, |living: &mut L| match may_enter(living) {
        None => Change::Nothing,
        Some(status) => {
            enter(living, status, None);
            Change::Made
        }
    })?;
    let reporter = Arc::clone(shared);
    shared.tasks.spawn(async move { report(&reporter, &changed).await });
    Some(())
}

/// The account's own; what was deleted is as if it had never been.
pub(super) fn find<L: Living>(shared: &Shared, request: &ApiRequest, sid: &str) -> Result<L, Refusal> {
    shared
        .find::<L>(sid)
        .filter(|living| {
            let vitals = living.vitals();
            !vitals.deleted && vitals.account_sid == request.credentials.account_sid
        })
        .ok_or_else(|| Refusal::not_found(&request.path))
}

pub(super) fn delete<L: Living>(shared: &Shared, request: &ApiRequest, sid: &str) -> Result<(), Refusal> {
    find::<L>(shared, request, sid)?;
    shared.change(sid, |living: &mut L| {
        living.vitals_mut().deleted = true;
        Change::Made
    });
    Ok(())
}
