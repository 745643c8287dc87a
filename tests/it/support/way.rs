//! A TCP way that can be closed, cut and stalled, to one place or to several in turn, as a load balancer has it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, split};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;
use tokio_util::either::Either;

/// Where a way leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Port(SocketAddr),
    Socket(PathBuf),
}

/// The way. It ends with the runtime of its test.
pub(crate) struct Way {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
}

struct State {
    places: Mutex<Vec<Place>>,
    /// Whose turn it is.
    turn: AtomicUsize,
    open: AtomicBool,
    cut: watch::Sender<()>,
    stalled: watch::Sender<bool>,
}

impl Way {
    /// A way that is open.
    pub(crate) async fn to(places: Vec<Place>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let state = Arc::new(State {
            places: Mutex::new(places),
            turn: AtomicUsize::new(0),
            open: AtomicBool::new(true),
            cut: watch::Sender::new(()),
            stalled: watch::Sender::new(false),
        });
        #[expect(clippy::disallowed_methods, reason = "it ends with the runtime of the test")]
        tokio::spawn(accept(listener, Arc::clone(&state)));
        Self { address, state }
    }

    /// Leads to this place as well.
    pub(crate) fn add(&self, place: Place) {
        self.state.places.lock().unwrap_or_else(PoisonError::into_inner).push(place);
    }

    /// Leads there no more. What is under way is not cut.
    pub(crate) fn remove(&self, place: &Place) {
        self.state.places.lock().unwrap_or_else(PoisonError::into_inner).retain(|known| known != place);
    }

    /// Cuts every connection, and lets none through until it is opened again.
    pub(crate) fn close(&self) {
        self.state.open.store(false, Ordering::SeqCst);
        self.cut();
    }

    pub(crate) fn open(&self) {
        self.state.open.store(true, Ordering::SeqCst);
    }

    /// Cuts every connection; new ones go through.
    pub(crate) fn cut(&self) {
        self.state.cut.send_replace(());
    }

    /// Holds back every byte, and the end of every connection, until it is let go: a network that lost its way without
    /// telling anybody.
    pub(crate) fn stall(&self, stalled: bool) {
        self.state.stalled.send_replace(stalled);
    }
}

impl State {
    /// The first place that takes a connection, beginning with whose turn it is.
    async fn connect(&self) -> Option<Either<TcpStream, UnixStream>> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let turn = self.turn.fetch_add(1, Ordering::SeqCst) % places.len().max(1);
        places.rotate_left(turn);
        for place in places {
            let connected = match place {
                Place::Port(address) => TcpStream::connect(address).await.map(Either::Left),
                Place::Socket(path) => UnixStream::connect(path).await.map(Either::Right),
            };
            if let Ok(connected) = connected {
                return Some(connected);
            }
        }
        None
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    while let Ok((client, _)) = listener.accept().await {
        // Subscribed before the look: a cut in between is not missed.
        let cut = state.cut.subscribe();
        if state.open.load(Ordering::SeqCst) {
            #[expect(clippy::disallowed_methods, reason = "it ends with the runtime of the test")]
            tokio::spawn(forward(client, Arc::clone(&state), cut));
        }
    }
}

async fn forward(mut client: TcpStream, state: Arc<State>, mut cut: watch::Receiver<()>) {
    let passing = async {
        let Some(server) = state.connect().await else { return };
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = split(server);
        // When one side ends, the other is of no use; how it ended does not matter.
        tokio::select! {
            _ = pass(from_client, to_server, &state) => {}
            _ = pass(from_server, to_client, &state) => {}
        }
    };
    tokio::select! {
        _ = cut.changed() => {}
        () = passing => {}
    }
}

async fn pass(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, state: &State) -> std::io::Result<()> {
    let mut stalled = state.stalled.subscribe();
    let mut packet = vec![0; 16 * 1024];
    loop {
        let length = from.read(&mut packet).await?;
        // Fails only when the way itself is gone.
        let _ = stalled.wait_for(|stalled| !stalled).await;
        if length == 0 {
            return Ok(());
        }
        to.write_all(&packet[..length]).await?;
    }
}
