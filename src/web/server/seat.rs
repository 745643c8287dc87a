//! What one connection is about, as far as it matters to its place.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Limits;

/// A connection had to make room before its request was whole. Nothing was done for it.
#[derive(Debug, thiserror::Error)]
#[error("the connection made room for another")]
pub(super) struct Dismissed;

/// A connection on its place.
pub(super) struct Seat {
    state: Mutex<State>,
    dismissed: CancellationToken,
}

#[derive(Clone, Copy)]
struct State {
    phase: Phase,
    /// Since when the system takes nothing more of the answer.
    blocked: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Between two requests.
    Idle(Instant),
    /// Part of a head has come, or nothing yet at all.
    Head(Instant),
    /// A request has come, and its answer is not whole.
    Answering,
    /// The answer is whole, and not yet all with the system.
    Sending,
    /// It made room.
    Dismissed,
}

impl Seat {
    pub(super) fn new() -> Self {
        let state = State { phase: Phase::Head(Instant::now()), blocked: None };
        Self { state: Mutex::new(state), dismissed: CancellationToken::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes have come.
    pub(super) fn heard(&self) {
        let mut state = self.state();
        if let Phase::Idle(_) = state.phase {
            state.phase = Phase::Head(Instant::now());
        }
    }

    /// A whole head has come.
    pub(super) fn begin(&self) -> Result<(), Dismissed> {
        let mut state = self.state();
        if state.phase == Phase::Dismissed {
            return Err(Dismissed);
        }
        state.phase = Phase::Answering;
        Ok(())
    }

    fn answered(&self) {
        let mut state = self.state();
        if state.phase == Phase::Answering {
            state.phase = Phase::Sending;
        }
    }

    /// The system has taken all that there was to say.
    pub(super) fn flushed(&self) {
        let mut state = self.state();
        if state.phase == Phase::Sending {
            *state = State { phase: Phase::Idle(Instant::now()), blocked: None };
        }
    }

    /// The system takes nothing.
    pub(super) fn blocked(&self) {
        self.state().blocked.get_or_insert_with(Instant::now);
    }

    /// It took something.
    pub(super) fn wrote(&self) {
        self.state().blocked = None;
    }

    /// Whether no request is under way: what is written then is no answer of ours.
    pub(super) fn is_before_a_request(&self) -> bool {
        matches!(self.state().phase, Phase::Idle(_) | Phase::Head(_))
    }

    pub(super) fn is_idle(&self) -> bool {
        matches!(self.state().phase, Phase::Idle(_))
    }

    /// Since when it holds its place without a whole request.
    pub(super) fn waiting_since(&self) -> Option<Instant> {
        match self.state().phase {
            Phase::Idle(since) | Phase::Head(since) => Some(since),
            Phase::Answering | Phase::Sending | Phase::Dismissed => None,
        }
    }

    /// When it is closed unless something comes of it.
    pub(super) fn deadline(&self, limits: &Limits) -> Option<Instant> {
        let state = *self.state();
        match state.phase {
            Phase::Idle(since) => Some(since + limits.idle),
            Phase::Head(since) => Some(since + limits.head),
            Phase::Answering | Phase::Sending | Phase::Dismissed => state.blocked.map(|since| since + limits.write),
        }
    }

    /// Takes its place away, unless a request is under way.
    pub(super) fn dismiss(&self) -> bool {
        let mut state = self.state();
        let waits = matches!(state.phase, Phase::Idle(_) | Phase::Head(_));
        if waits {
            state.phase = Phase::Dismissed;
            self.dismissed.cancel();
        }
        waits
    }

    pub(super) async fn dismissed(&self) {
        self.dismissed.cancelled().await;
    }
}

/// The body of an answer, which tells the seat when it is over, however it ends.
pub(super) struct Until {
    body: Body,
    seat: Arc<Seat>,
}

impl Until {
    pub(super) fn end_of(body: Body, seat: Arc<Seat>) -> Self {
        Self { body, seat }
    }
}

impl Drop for Until {
    fn drop(&mut self) {
        self.seat.answered();
    }
}

impl HttpBody for Until {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const LIMITS: Limits = Limits {
        head: Duration::from_secs(100),
        body: Duration::from_secs(15),
        idle: Duration::from_secs(200),
        write: Duration::from_mins(5),
        answer: Duration::from_secs(15),
    };

    /// How long it has from now, to the hundred seconds: nothing here takes a second.
    fn left(seat: &Seat) -> Option<u64> {
        seat.deadline(&LIMITS).map(|deadline| (deadline - Instant::now()).as_secs().next_multiple_of(100))
    }

    #[tokio::test]
    async fn each_phase_has_its_own_time() {
        let seat = Arc::new(Seat::new());
        assert_eq!(left(&seat), Some(100), "the first head");
        seat.begin().expect("a place");
        assert_eq!(left(&seat), None, "an answer may take its time");
        seat.blocked();
        let deadline = seat.deadline(&LIMITS);
        assert_eq!(left(&seat), Some(300));
        seat.blocked();
        assert_eq!(seat.deadline(&LIMITS), deadline, "from the first time that nothing was taken");
        seat.wrote();
        assert_eq!(left(&seat), None);
        seat.flushed();
        assert!(!seat.is_idle(), "its body is not over");
        drop(Until::end_of(Body::empty(), Arc::clone(&seat)));
        assert!(!seat.dismiss(), "the end of the answer is not yet with the system");
        seat.flushed();
        assert_eq!(left(&seat), Some(200), "between two requests");
        seat.heard();
        let deadline = seat.deadline(&LIMITS);
        assert_eq!(left(&seat), Some(100));
        seat.heard();
        assert_eq!(seat.deadline(&LIMITS), deadline, "dribbling wins no time");
    }

    #[test]
    fn a_request_and_a_dismissal_do_not_both_happen() {
        let seat = Seat::new();
        assert!(seat.dismiss() && !seat.dismiss());
        assert!(seat.begin().is_err());
        let seat = Seat::new();
        seat.begin().expect("a place");
        assert!(!seat.dismiss());
    }
}
