//! A TCP way to PostgreSQL's Unix socket that can be closed, and that can cut what runs over it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use sqlx::postgres::PgConnectOptions;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;

/// The name under which the service's connection for the fence introduces itself.
const FENCE: &[u8] = b"mission-control fence";

/// The way. It ends with the runtime of its test.
pub(crate) struct Proxy {
    /// PostgreSQL, reached this way.
    pub(crate) options: PgConnectOptions,
    state: Arc<State>,
}

struct State {
    open: AtomicBool,
    admits_fence: AtomicBool,
    fences_turned_away: AtomicUsize,
    cut: watch::Sender<()>,
}

impl Proxy {
    /// A way that is open, to where `straight` leads.
    pub(crate) async fn start(straight: &PgConnectOptions) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let folder = straight.get_socket().expect("the test cluster has a Unix socket");
        let socket = folder.join(format!(".s.PGSQL.{}", straight.get_port()));
        let state = Arc::new(State {
            open: AtomicBool::new(true),
            admits_fence: AtomicBool::new(true),
            fences_turned_away: AtomicUsize::new(0),
            cut: watch::Sender::new(()),
        });
        #[expect(clippy::disallowed_methods, reason = "it ends with the runtime of the test")]
        tokio::spawn(accept(listener, socket, Arc::clone(&state)));
        let options = PgConnectOptions::new_without_pgpass()
            .host("127.0.0.1")
            .port(port)
            .username(straight.get_username())
            .database(straight.get_database().expect("a database"))
            .ssl_mode(sqlx::postgres::PgSslMode::Disable);
        Self { options, state }
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

    /// Turns the connection of the fence away, or admits it again. One that runs is not cut.
    pub(crate) fn admit_fence(&self, admit: bool) {
        self.state.admits_fence.store(admit, Ordering::SeqCst);
    }

    /// How often the connection of the fence was turned away.
    pub(crate) fn fences_turned_away(&self) -> usize {
        self.state.fences_turned_away.load(Ordering::SeqCst)
    }
}

async fn accept(listener: TcpListener, socket: PathBuf, state: Arc<State>) {
    while let Ok((client, _)) = listener.accept().await {
        // Subscribed before the look: a cut in between is not missed.
        let cut = state.cut.subscribe();
        if state.open.load(Ordering::SeqCst) {
            #[expect(clippy::disallowed_methods, reason = "it ends with the runtime of the test")]
            tokio::spawn(forward(client, socket.clone(), Arc::clone(&state), cut));
        }
    }
}

async fn forward(mut client: TcpStream, socket: PathBuf, state: Arc<State>, mut cut: watch::Receiver<()>) {
    let passing = async {
        // The first packet is small and says who comes.
        let mut first = [0; 2048];
        let length = client.read(&mut first).await?;
        let is_fence = first[..length].windows(FENCE.len()).any(|window| window == FENCE);
        if is_fence && !state.admits_fence.load(Ordering::SeqCst) {
            state.fences_turned_away.fetch_add(1, Ordering::SeqCst);
            return Ok(());
        }
        let mut server = UnixStream::connect(socket).await?;
        server.write_all(&first[..length]).await?;
        copy_bidirectional(&mut client, &mut server).await.map(|_| ())
    };
    tokio::select! {
        _ = cut.changed() => {}
        // However it ends: the service sees a connection that is gone.
        _ = passing => {}
    }
}
