//! The rotation of the master key beside the service: somebody asked for it on the page, and looks how far it came. It may
//! be stopped anywhere and asked for again, of any process: what is done stays done.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Vault;
use super::rotation::BATCH;
use crate::audit::Actor;
use crate::state::Tasks;

/// What this process does about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Wrapping {
    /// Nothing.
    #[default]
    Idle,
    /// It is under way.
    Running,
    /// It ended with an error, which the page shows.
    Failed(String),
}

/// The same, shared by all who hold the vault.
#[derive(Default)]
pub(super) struct Progress(Mutex<Wrapping>);

impl Progress {
    fn state(&self) -> MutexGuard<'_, Wrapping> {
        // Every change leaves it whole, so a panic elsewhere while it was held does not matter.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it was not under way, and is now.
    fn begin(&self) -> bool {
        let mut state = self.state();
        let is_new = *state != Wrapping::Running;
        *state = Wrapping::Running;
        is_new
    }
}

/// However it ends, it is not under way any more.
struct Ending<'a>(&'a Progress);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        if *state == Wrapping::Running {
            *state = Wrapping::Idle;
        }
    }
}

impl Vault {
    /// What this process does about wrapping everything by the primary key.
    pub(crate) fn wrapping(&self) -> Wrapping {
        self.progress.state().clone()
    }

    /// Wraps everything by the primary key, beside whatever else goes on. A second time while it is under way is the first.
    pub(crate) fn wrap_in_background(&self, tasks: &Tasks, actor: Actor) {
        if !self.progress.begin() {
            return;
        }
        let (vault, stopping) = (self.clone(), tasks.stopping.clone());
        tasks.tracker.spawn(async move {
            let _ending = Ending(&vault.progress);
            if let Err(error) = vault.rotate_unless(&actor, BATCH, || stopping.is_cancelled()).await {
                tracing::warn!(event = "vault.not_wrapped", %error, "the rotation of the master key stopped");
                *vault.progress.state() = Wrapping::Failed(error.to_string());
            }
        });
    }
}
