//! The listener: who gets a place, and how long it may be held without anything coming of it.
//!
//! A request head has to come within seconds, an open connection that asks nothing is closed, and whoever does not read
//! what was asked for is cut off. When all places are taken, whoever comes new gets the place of the connection that has
//! waited longest without a whole request: so those who only hold places never keep out those who ask (nginx does the
//! same with its "reusable" connections). While every place has an answer under way, those who come wait in the backlog
//! of the system, where they cost nothing; no answer is cut short for them.
//!
//! The gateway and the sandbox have listeners of their own: the first also counts its places by peer, because all that
//! may come there is Twilio, and the second must be able to leave a request without an answer.

mod places;
mod refusal;
mod seat;
mod socket;

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use self::places::{Place, Places};
use self::refusal::Refusals;
use self::seat::{Dismissed, Until};
use self::socket::Socket;
use super::headers::Https;

/// Largest head of a request in bytes: the longest address, and all headers of a browser twice over.
pub(crate) const HEAD_BYTES: usize = 16 * 1024;

/// Most headers of a request.
pub(crate) const HEADERS: usize = 100;

/// Pause after a failed accept (no file descriptors left), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A full house is told once in this time.
const TOLD_AGAIN: Duration = Duration::from_mins(1);

/// How long whoever asks, or answers, may take over each part of it.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// From the first byte of a request's head to its last; also from the connection to the first head.
    pub head: Duration,
    /// From a request's head to the end of its body.
    pub body: Duration,
    /// Between two requests. Longer than proxies keep theirs, or they would send a request into a closing connection.
    pub idle: Duration,
    /// Without a byte of an answer being taken. The system takes none until a good part of its buffer was read, so that
    /// reading byte by byte does not help.
    pub write: Duration,
    /// Longest a handler may take; past this the caller hears 503 and may repeat with the same key. What waits
    /// (`Prefer: wait`) or streams is routed outside.
    pub answer: Duration,
}

impl Limits {
    /// What a service runs with.
    pub const RECOMMENDED: Self = Self {
        head: Duration::from_secs(10),
        body: Duration::from_secs(15),
        idle: Duration::from_secs(75),
        write: Duration::from_secs(30),
        answer: Duration::from_secs(15),
    };
}

/// A listener that has not begun.
pub(crate) struct Server {
    pub(crate) listener: TcpListener,
    /// Who answers.
    pub(crate) router: Router,
    /// Most connections at once.
    pub(crate) connections: usize,
    pub(crate) limits: Limits,
    pub(crate) https: Https,
    /// The first stage of the stop: nothing new, what is under way ends.
    pub(crate) stopping: CancellationToken,
    /// The second: whatever is still there is cut off.
    pub(crate) cut: CancellationToken,
}

/// What every connection needs.
struct Shared {
    router: Router,
    places: Places,
    limits: Limits,
    refusals: Refusals,
    stopping: CancellationToken,
    cut: CancellationToken,
}

impl Server {
    /// Answers until the service stops; returns when the last connection has ended.
    pub(crate) async fn run(self) {
        let Self { listener, router, connections, limits, https, stopping, cut } = self;
        let (places, refusals) = (Places::new(connections), Refusals::new(https));
        let shared = Arc::new(Shared { router, places, limits, refusals, stopping, cut });
        let connections = TaskTracker::new();
        let mut told: Option<Instant> = None;
        while let Some(accepted) = shared.stopping.run_until_cancelled(listener.accept()).await {
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(event = "server.accept_failed", %error, "a connection was not accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            if shared.places.are_taken() && told.is_none_or(|told| told.elapsed() > TOLD_AGAIN) {
                tracing::warn!(event = "server.full", "all connections are taken; those that ask nothing make room");
                told = Some(Instant::now());
            }
            let Some(place) = shared.stopping.run_until_cancelled(shared.places.take()).await else { break };
            connections.spawn(serve(stream, peer, place, Arc::clone(&shared)));
        }
        drop(listener);
        connections.close();
        connections.wait().await;
    }
}

async fn serve(stream: TcpStream, peer: SocketAddr, place: Place, shared: Arc<Shared>) {
    // Answers are small: waiting to fill a packet only delays them.
    let _ = stream.set_nodelay(true);
    let seat = place.seat();
    let service = service_fn(|mut request: Request<Incoming>| {
        let (begun, router, seat) = (seat.begin(), shared.router.clone(), Arc::clone(seat));
        async move {
            begun?;
            request.extensions_mut().insert(ConnectInfo(peer));
            let Ok(answer) = router.oneshot(request.map(Body::new)).await;
            Ok::<_, Dismissed>(answer.map(|body| Until::end_of(body, seat)))
        }
    });
    let socket = Socket::new(stream, Arc::clone(seat), shared.refusals);
    // The time for the head is counted by the seat, which also knows of the time between two requests.
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .max_buf_size(HEAD_BYTES)
        .max_headers(HEADERS)
        .serve_connection(TokioIo::new(socket), service);
    let mut connection = pin!(connection);
    let mut stopping = pin!(shared.stopping.cancelled());
    let mut timer = pin!(tokio::time::sleep(shared.limits.head));
    let mut is_stopping = false;
    let served = std::future::poll_fn(|cx| {
        if !is_stopping && stopping.as_mut().poll(cx).is_ready() {
            is_stopping = true;
            connection.as_mut().graceful_shutdown();
        }
        // An error is a caller that hung up: nobody is left to be told.
        if connection.as_mut().poll(cx).is_ready() || (seat.is_idle() && shared.places.are_wanted()) {
            return Poll::Ready(());
        }
        // Everything that moves the deadline happened in the poll above.
        let Some(deadline) = seat.deadline(&shared.limits) else { return Poll::Pending };
        if timer.deadline() != deadline {
            timer.as_mut().reset(deadline);
        }
        timer.as_mut().poll(cx)
    });
    tokio::select! {
        () = served => {}
        () = seat.dismissed() => {}
        () = shared.cut.cancelled() => {}
    }
}
