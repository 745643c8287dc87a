//! The number that sends unless a request names another, remembered for a moment: asking stays one statement.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{Vault, VaultError};
use crate::phone::PhoneNumber;

/// How long it is believed. A change by another process is seen after at most this long; one by this process at once.
const FRESH: Duration = Duration::from_secs(1);

/// What the vault said last.
pub(super) struct Remembered(Mutex<State>);

enum State {
    /// Nothing, since something changed then.
    Changed(Instant),
    /// This, as of when the look-up began.
    Known(Instant, Usual),
}

/// The number, if there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Usual(Option<PhoneNumber>);

impl Default for Remembered {
    fn default() -> Self {
        Self(Mutex::new(State::Changed(Instant::now())))
    }
}

impl Remembered {
    /// Forgets it, because a secret changed.
    pub(super) fn forget(&self) {
        *self.state() = State::Changed(Instant::now());
    }

    fn get(&self) -> Option<Usual> {
        match &*self.state() {
            State::Known(since, usual) if since.elapsed() < FRESH => Some(usual.clone()),
            _ => None,
        }
    }

    /// Remembers a look-up, unless something changed after it began.
    fn put(&self, began: Instant, usual: Usual) {
        let mut state = self.state();
        let (State::Changed(since) | State::Known(since, _)) = &*state;
        if began >= *since {
            *state = State::Known(began, usual);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change leaves it whole, so a panic elsewhere while it was held does not matter.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Vault {
    /// The number that sends unless a request names another; after a change by another process up to a second old.
    pub async fn usual_sender(&self) -> Result<Option<PhoneNumber>, VaultError> {
        if let Some(Usual(number)) = self.sender.get() {
            return Ok(number);
        }
        let began = Instant::now();
        let number = self.phone_number().await?;
        self.sender.put(began, Usual(number.clone()));
        Ok(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_up_that_was_under_way_brings_nothing_back() {
        let (remembered, before) = (Remembered::default(), Instant::now());
        std::thread::sleep(Duration::from_millis(1));
        remembered.forget();
        remembered.put(before, Usual(None));
        assert_eq!(remembered.get(), None);
        remembered.put(Instant::now(), Usual(None));
        assert_eq!(remembered.get(), Some(Usual(None)));
    }
}
