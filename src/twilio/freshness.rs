//! The last look at the clock before a request is written. A connection that took too long to make, or a process that
//! was paused meanwhile, must not send on the strength of an old check.

use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use time::OffsetDateTime;
use tower::{BoxError, Layer, Service};

use crate::clock::Clock;

/// Longest time between the fence's check and the moment when the request is written.
const LIMIT: Duration = Duration::from_secs(5);

/// When the fence was passed, by both clocks: the monotonic one stands still while some machines sleep, the other can
/// be set.
#[derive(Clone, Debug)]
pub struct CheckedAt {
    monotonic: Instant,
    wall: OffsetDateTime,
    clock: Clock,
}

impl CheckedAt {
    /// Now.
    pub fn now(clock: &Clock) -> Self {
        Self { monotonic: Instant::now(), wall: clock.now(), clock: clock.clone() }
    }

    fn is_stale(&self) -> bool {
        let by_wall = self.clock.now() - self.wall;
        self.monotonic.elapsed() > LIMIT || by_wall > LIMIT || by_wall.is_negative()
    }
}

/// Fails a connection that was made too late. It stands after the TCP and TLS handshakes and before the first byte of
/// the request, so that its refusal is "not sent".
#[derive(Clone, Debug)]
pub(super) struct FreshnessLayer(pub(super) CheckedAt);

impl<S> Layer<S> for FreshnessLayer {
    type Service = Freshness<S>;

    fn layer(&self, connector: S) -> Self::Service {
        Freshness { connector, checked_at: self.0.clone() }
    }
}

/// A connector that is followed by the check.
#[derive(Clone, Debug)]
pub(super) struct Freshness<S> {
    connector: S,
    checked_at: CheckedAt,
}

impl<S, Destination> Service<Destination> for Freshness<S>
where
    S: Service<Destination, Error = BoxError>,
    S::Future: Send + 'static,
    S::Response: Send + 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<S::Response, BoxError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.connector.poll_ready(context)
    }

    fn call(&mut self, destination: Destination) -> Self::Future {
        let connecting = self.connector.call(destination);
        let checked_at = self.checked_at.clone();
        Box::pin(async move {
            let connection = connecting.await?;
            if checked_at.is_stale() {
                return Err("connecting took too long after the last check, so nothing was written".into());
            }
            Ok(connection)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_is_stale_after_five_seconds_or_when_the_clock_went_back() {
        let clock = Clock::manual();
        let checked_at = CheckedAt::now(&clock);
        assert!(!checked_at.is_stale());
        clock.advance(Duration::from_secs(6));
        assert!(checked_at.is_stale());
        assert!(!CheckedAt::now(&clock).is_stale());
    }
}
