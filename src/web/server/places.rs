//! The places: one for each connection, and who gives theirs up when there are too few.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::seat::Seat;

/// All places of a listener.
pub(super) struct Places {
    free: Arc<Semaphore>,
    taken: Arc<Taken>,
}

#[derive(Default)]
struct Taken {
    seats: Mutex<HashMap<u64, Arc<Seat>>>,
    next: AtomicU64,
    /// Whether somebody waits for a place.
    wanted: AtomicBool,
}

/// A place of one connection, free again when this is dropped.
pub(super) struct Place {
    number: u64,
    seat: Arc<Seat>,
    taken: Arc<Taken>,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Places {
    pub(super) fn new(count: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(count)), taken: Arc::default() }
    }

    pub(super) fn are_taken(&self) -> bool {
        self.free.available_permits() == 0
    }

    /// Whether whoever has nothing to do should leave.
    pub(super) fn are_wanted(&self) -> bool {
        self.taken.wanted.load(Ordering::SeqCst)
    }

    /// A place, as soon as there is one. Asked for by one task, the accepting one.
    pub(super) async fn take(&self) -> Place {
        let free = Arc::clone(&self.free);
        let permit = if let Ok(permit) = Arc::clone(&free).try_acquire_owned() {
            Some(permit)
        } else {
            // In this order: whoever begins to wait after the look sees the flag, and leaves by itself.
            self.taken.wanted.store(true, Ordering::SeqCst);
            self.taken.dismiss_one();
            let permit = free.acquire_owned().await.ok();
            self.taken.wanted.store(false, Ordering::SeqCst);
            permit
        };
        self.taken.seat(permit)
    }
}

impl Taken {
    fn seat(self: &Arc<Self>, permit: Option<OwnedSemaphorePermit>) -> Place {
        let (number, seat) = (self.next.fetch_add(1, Ordering::Relaxed), Arc::new(Seat::new()));
        self.seats.lock().unwrap_or_else(PoisonError::into_inner).insert(number, Arc::clone(&seat));
        Place { number, seat, taken: Arc::clone(self), _permit: permit }
    }

    /// Dismisses whoever has waited longest, if anybody waits.
    fn dismiss_one(&self) {
        let seats = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
        let mut waiting: Vec<_> =
            seats.values().filter_map(|seat| seat.waiting_since().map(|since| (since, seat))).collect();
        waiting.sort_unstable_by_key(|(since, _)| *since);
        // One that began a request since the look is passed over.
        let _ = waiting.into_iter().find(|(_, seat)| seat.dismiss());
    }
}

impl Place {
    pub(super) fn seat(&self) -> &Arc<Seat> {
        &self.seat
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.taken.seats.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_waited_longest_makes_room_and_whoever_is_being_answered_stays() {
        let places = Places::new(3);
        let (first, second, third) = (places.take().await, places.take().await, places.take().await);
        first.seat().begin().expect("a place");
        let (_, ()) = tokio::join!(places.take(), async {
            second.seat().dismissed().await;
            drop(second);
        });
        assert!(first.seat().waiting_since().is_none() && third.seat().waiting_since().is_some());
        assert!(!places.are_wanted());
    }

    #[tokio::test]
    async fn while_all_are_being_answered_those_who_come_wait() {
        let places = Places::new(1);
        let only = places.take().await;
        only.seat().begin().expect("a place");
        let mut coming = std::pin::pin!(places.take());
        assert!(futures_util::poll!(coming.as_mut()).is_pending());
        assert!(places.are_wanted(), "whoever is done leaves");
        drop(only);
        coming.await;
        assert!(!places.are_wanted());
    }
}
