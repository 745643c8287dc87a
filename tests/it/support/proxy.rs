//! A TCP way to PostgreSQL's Unix socket that can be closed, and that can cut what runs over it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, copy};
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
    /// Microseconds that each packet to PostgreSQL is late.
    delay: AtomicU64,
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
            delay: AtomicU64::new(0),
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

    /// Makes the way long: each packet to PostgreSQL is this late.
    pub(crate) fn delay(&self, delay: Duration) {
        self.state.delay.store(delay.as_micros().try_into().expect("a short delay"), Ordering::SeqCst);
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
        let (mut from_client, mut to_client) = client.split();
        let (mut from_server, to_server) = server.split();
        // When one side ends, the other is of no use.
        tokio::select! {
            ended = copy_late(&mut from_client, to_server, &state) => ended,
            ended = copy(&mut from_server, &mut to_client) => ended.map(|_| ()),
        }
    };
    tokio::select! {
        _ = cut.changed() => {}
        // However it ends: the service sees a connection that is gone.
        _ = passing => {}
    }
}

async fn copy_late(
    from: &mut (impl AsyncRead + Unpin),
    mut to: impl AsyncWrite + Unpin,
    state: &State,
) -> std::io::Result<()> {
    let mut packet = vec![0; 16 * 1024];
    loop {
        let length = from.read(&mut packet).await?;
        if length == 0 {
            return Ok(());
        }
        let delay = Duration::from_micros(state.delay.load(Ordering::SeqCst));
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        to.write_all(&packet[..length]).await?;
    }
}
