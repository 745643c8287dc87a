//! The gateway's own HTTP/1.1 listener: few connections, short headers, no waiting for either.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::in_flight::PerPeer;
use super::{Gateway, greetings, look_up};

/// Most connections at once.
const CONNECTIONS: usize = 256;

/// Most connections of one peer that is no trusted proxy: a peer cannot take all of them.
const CONNECTIONS_OF_ONE: usize = 32;

/// Largest head of a request in bytes; Twilio's is under one KiB.
const HEAD_BYTES: usize = 16 * 1024;

/// Most headers of a request.
const HEADERS: usize = 64;

/// Pause after a failed accept (no file descriptors left), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long what is under way may take to end when the gateway stops.
const STOP_TIMEOUT: Duration = Duration::from_secs(20);

/// A gateway that listens.
pub struct Running {
    /// Where.
    pub address: SocketAddr,
    gateway: Gateway,
    stopping: CancellationToken,
    tracker: TaskTracker,
}

impl Running {
    /// Begins to answer.
    pub fn start(listener: TcpListener, gateway: Gateway) -> std::io::Result<Self> {
        let address = listener.local_addr()?;
        let (stopping, tracker) = (CancellationToken::new(), TaskTracker::new());
        let door = Door {
            gateway: gateway.clone(),
            stopping: stopping.clone(),
            tracker: tracker.clone(),
            connections: Arc::new(Semaphore::new(CONNECTIONS)),
            of_one: PerPeer::new(CONNECTIONS_OF_ONE),
        };
        tracker.spawn(door.run(listener));
        tracker.spawn(until_stopped(stopping.clone(), greetings::keep(gateway.clone())));
        if let Some(twilio) = gateway.twilio().cloned() {
            tracker.spawn(until_stopped(stopping.clone(), look_up::run(gateway.clone(), twilio)));
        } else {
            tracing::warn!(
                event = "gateway.look_ups_off",
                "in sandbox mode nothing leaves the machine: calls are not looked up. Set MISSION_CONTROL_TWILIO_BASE_URL to an emulator on this machine, or the mode to live"
            );
        }
        Ok(Self { address, gateway, stopping, tracker })
    }

    /// Stops in two stages: nothing new, then what is under way ends, within limits.
    pub async fn stop(self) {
        self.stopping.cancel();
        self.tracker.close();
        if tokio::time::timeout(STOP_TIMEOUT, self.tracker.wait()).await.is_err() {
            tracing::warn!(event = "stop.cut_off", "some requests did not end in time; Twilio repeats them");
        }
        self.gateway.calls().db.close().await;
    }
}

/// Ends with its work or with the gateway. What is given up in the middle was not committed, and is done again.
async fn until_stopped(stopping: CancellationToken, work: impl Future<Output = ()>) {
    stopping.run_until_cancelled(work).await;
}

/// Lets connections in.
struct Door {
    gateway: Gateway,
    stopping: CancellationToken,
    tracker: TaskTracker,
    connections: Arc<Semaphore>,
    of_one: PerPeer,
}

impl Door {
    async fn run(self, listener: TcpListener) {
        loop {
            let accepted = tokio::select! {
                () = self.stopping.cancelled() => return,
                accepted = self.accept(&listener) => accepted,
            };
            match accepted {
                Ok(Some(serving)) => {
                    self.tracker.spawn(serving);
                }
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(event = "gateway.accept_failed", %error, "a connection was not accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// The next connection, once there is room for one; `None` if its peer has enough.
    async fn accept(&self, listener: &TcpListener) -> std::io::Result<Option<impl Future<Output = ()> + use<>>> {
        let room = Arc::clone(&self.connections).acquire_owned().await.map_err(std::io::Error::other)?;
        let (stream, peer) = listener.accept().await?;
        let peer = peer.ip().to_canonical();
        // All of Twilio comes through a proxy.
        let proxies = &self.gateway.settings().webhook_security.trusted_proxies;
        let place = if proxies.contains(&peer) { None } else { Some(self.of_one.take(peer)) };
        if matches!(place, Some(None)) {
            tracing::warn!(event = "gateway.refused", "too many connections of this peer at once");
            return Ok(None);
        }
        let (gateway, stopping) = (self.gateway.clone(), self.stopping.clone());
        Ok(Some(async move {
            serve(stream, peer, gateway, stopping).await;
            drop((room, place));
        }))
    }
}

async fn serve(stream: TcpStream, peer: IpAddr, gateway: Gateway, stopping: CancellationToken) {
    // Answers are small: waiting to fill a packet only delays them.
    let _ = stream.set_nodelay(true);
    let head_time = gateway.limits().head_time;
    let service = service_fn(|request: Request<Incoming>| {
        let gateway = gateway.clone();
        async move { Ok::<_, Infallible>(gateway.answer(peer, request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head_time)
        .max_buf_size(HEAD_BYTES)
        .max_headers(HEADERS)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    // An error is a peer that hung up: nobody is left to be told.
    let _ = tokio::select! {
        result = connection.as_mut() => result,
        () = stopping.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
}
