//! All that a process says to the outside and hears from it, counted message by message; at a chosen one the process
//! is killed or paused, or the connection is cut.
//!
//! Three ways lead through it: to PostgreSQL, to Twilio, and from clients (and Twilio) to the process. One count runs
//! through all of them, so that one number names a moment in what the process does to the world.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};

use rustix::process::{Pid, Signal, kill_process};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, split};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;

/// What happens at the chosen message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Nothing: the messages are counted.
    Count,
    /// The message arrives; nothing that was written after it does, and the process is gone.
    Kill,
    /// The message arrives, and the process stands still.
    Pause,
    /// So many 256ths of the message arrive, then its connection ends.
    Cut(u16),
}

/// The ways. They end with the runtime of their test.
pub(crate) struct Wire {
    /// PostgreSQL, reached this way.
    pub(crate) database: PgConnectOptions,
    /// Twilio, reached this way.
    pub(crate) twilio: String,
    /// The process, reached this way.
    pub(crate) front: String,
    state: Arc<State>,
}

struct State {
    plan: watch::Sender<Plan>,
    /// Where the process listens.
    port: AtomicU16,
    /// Connections to Twilio that are open.
    to_twilio: AtomicUsize,
}

#[derive(Clone, Copy)]
struct Plan {
    at: usize,
    action: Action,
    /// `None` until it is known; the chosen message waits for it.
    process: Option<Pid>,
    /// Messages since it was armed.
    seen: usize,
    has_struck: bool,
}

/// What becomes of a message.
enum Fate {
    Arrives,
    ArrivesAndStrikes,
    Breaks(usize),
}

impl Wire {
    /// Ways that nothing happens on yet. The process is not known yet either: [`Wire::lead_to`].
    pub(crate) async fn start(straight: &PgConnectOptions, twilio: &str) -> Self {
        let idle = Plan { at: usize::MAX, action: Action::Count, process: None, seen: 0, has_struck: false };
        let state =
            Arc::new(State { plan: watch::Sender::new(idle), port: AtomicU16::new(0), to_twilio: AtomicUsize::new(0) });
        let folder = straight.get_socket().expect("the test cluster has a Unix socket");
        let socket = folder.join(format!(".s.PGSQL.{}", straight.get_port()));
        let database = PgConnectOptions::new_without_pgpass()
            .host("127.0.0.1")
            .port(open_way(End::Database(socket), &state).await)
            .username(straight.get_username())
            .database(straight.get_database().expect("a database"))
            .ssl_mode(PgSslMode::Disable);
        let twilio = open_way(End::Twilio(port_of(twilio)), &state).await;
        let front = open_way(End::Process, &state).await;
        let url = |port| format!("http://127.0.0.1:{port}");
        Self { database, twilio: url(twilio), front: url(front), state }
    }

    /// Leads those who come in front to this address.
    pub(crate) fn lead_to(&self, address: &str) {
        self.state.port.store(port_of(address), Ordering::SeqCst);
    }

    /// Counts from here; at message `at` (from 1) the action strikes, once.
    pub(crate) fn arm(&self, at: usize, action: Action, process: Option<u32>) {
        let process = process.map(pid);
        self.state.plan.send_replace(Plan { at, action, process, seen: 0, has_struck: false });
    }

    /// Names the process of an arming that came before it.
    pub(crate) fn name(&self, process: u32) {
        self.state.plan.send_modify(|plan| plan.process = Some(pid(process)));
    }

    /// Lets everything through, and answers how many messages there were since the arming.
    pub(crate) fn disarm(&self) -> usize {
        self.state.plan.send_modify(|plan| plan.at = usize::MAX);
        self.seen()
    }

    pub(crate) fn seen(&self) -> usize {
        self.state.plan.borrow().seen
    }

    pub(crate) fn has_struck(&self) -> bool {
        self.state.plan.borrow().has_struck
    }

    /// Until it has struck.
    pub(crate) async fn strikes(&self) {
        self.state.plan.subscribe().wait_for(|plan| plan.has_struck).await.expect("the wire lives");
    }

    /// Whether the process has a connection to Twilio open.
    pub(crate) fn is_talking_to_twilio(&self) -> bool {
        self.state.to_twilio.load(Ordering::SeqCst) > 0
    }
}

fn pid(process: u32) -> Pid {
    Pid::from_raw(process.try_into().expect("a process id")).expect("a process id")
}

fn port_of(url: &str) -> u16 {
    let port = url.trim_end_matches('/').rsplit(':').next().and_then(|port| port.parse().ok());
    port.unwrap_or_else(|| panic!("no port: {url}"))
}

impl State {
    /// Counts a message and says what becomes of it.
    fn meet(&self, length: usize) -> Fate {
        let mut fate = Fate::Arrives;
        self.plan.send_modify(|plan| {
            plan.seen += 1;
            fate = match plan.action {
                _ if plan.seen != plan.at => Fate::Arrives,
                Action::Count => Fate::Arrives,
                Action::Kill | Action::Pause => Fate::ArrivesAndStrikes,
                Action::Cut(part) => {
                    plan.has_struck = true;
                    Fate::Breaks(length * usize::from(part) / 256)
                }
            };
        });
        fate
    }

    /// Strikes the process; answers whether there is still one to carry for.
    async fn strike(&self) -> bool {
        let mut plans = self.plan.subscribe();
        let plan = *plans.wait_for(|plan| plan.process.is_some()).await.expect("the wire lives");
        let signal = if plan.action == Action::Kill { Signal::KILL } else { Signal::STOP };
        // Fails only if it has ended by itself.
        let _ = kill_process(plan.process.expect("it was waited for"), signal);
        self.plan.send_modify(|plan| plan.has_struck = true);
        plan.action != Action::Kill
    }
}

/// Where a way leads.
#[derive(Clone)]
enum End {
    Database(PathBuf),
    Twilio(u16),
    Process,
}

async fn open_way(end: End, state: &Arc<State>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    let state = Arc::clone(state);
    #[expect(clippy::disallowed_methods, reason = "it ends with the runtime of the test")]
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (end, state) = (end.clone(), Arc::clone(&state));
            #[expect(clippy::disallowed_methods, reason = "it ends with the runtime of the test")]
            // However it ends: both sides see a connection that is gone.
            tokio::spawn(async move { drop(follow(client, end, &state).await) });
        }
    });
    port
}

async fn follow(client: TcpStream, end: End, state: &State) -> std::io::Result<()> {
    client.set_nodelay(true)?;
    match end {
        End::Database(socket) => {
            let server = UnixStream::connect(socket).await?;
            relay(client, server, [Framing::StartUp, Framing::Answers], state).await
        }
        End::Twilio(port) => {
            state.to_twilio.fetch_add(1, Ordering::SeqCst);
            let followed = follow_to_twilio(client, port, state).await;
            state.to_twilio.fetch_sub(1, Ordering::SeqCst);
            followed
        }
        End::Process => {
            let server = TcpStream::connect(("127.0.0.1", state.port.load(Ordering::SeqCst))).await?;
            server.set_nodelay(true)?;
            relay(client, server, [Framing::Writes, Framing::Writes], state).await
        }
    }
}

async fn follow_to_twilio(client: TcpStream, port: u16, state: &State) -> std::io::Result<()> {
    // The connection is an effect of its own: it stands, and nothing was written.
    match state.meet(0) {
        Fate::Arrives => {}
        Fate::ArrivesAndStrikes if state.strike().await => {}
        Fate::ArrivesAndStrikes | Fate::Breaks(_) => return Ok(()),
    }
    let server = TcpStream::connect(("127.0.0.1", port)).await?;
    server.set_nodelay(true)?;
    relay(client, server, [Framing::Writes, Framing::Writes], state).await
}

/// Carries both directions, each in its framing, until one of them ends: then the other is of no use.
async fn relay(
    client: TcpStream,
    server: impl AsyncRead + AsyncWrite,
    [there, back]: [Framing; 2],
    state: &State,
) -> std::io::Result<()> {
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = split(server);
    tokio::select! {
        ended = carry(from_client, to_server, there, state) => ended,
        ended = carry(from_server, to_client, back, state) => ended,
    }
}

async fn carry(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut framing: Framing,
    state: &State,
) -> std::io::Result<()> {
    let mut waiting = Vec::new();
    while from.read_buf(&mut waiting).await? > 0 {
        while let Some((length, counts)) = framing.next(&waiting) {
            let message: Vec<u8> = waiting.drain(..length).collect();
            let fate = if counts { state.meet(length) } else { Fate::Arrives };
            if let Fate::Breaks(at) = fate {
                return to.write_all(&message[..at]).await;
            }
            to.write_all(&message).await?;
            if matches!(fate, Fate::ArrivesAndStrikes) && !state.strike().await {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// How the messages of one direction are told apart.
#[derive(Clone, Copy)]
enum Framing {
    /// PostgreSQL's first message, which has no type.
    StartUp,
    /// To PostgreSQL: a type, a length, and as much. Each counts.
    Statements,
    /// From PostgreSQL. What counts is the end of an answer, and what comes unasked: no part of an answer is acted on
    /// before its end, so that its parts are one moment.
    Answers,
    /// HTTP: what was written at once.
    Writes,
}

impl Framing {
    /// The length of the first whole message, and whether it counts.
    fn next(&mut self, bytes: &[u8]) -> Option<(usize, bool)> {
        let length_at = |start: usize| {
            let length = bytes.get(start..start + 4)?.try_into().expect("four bytes");
            Some(start + usize::try_from(u32::from_be_bytes(length)).expect("a length"))
        };
        let (length, counts) = match self {
            Self::StartUp => (length_at(0)?, true),
            Self::Statements => (length_at(1)?, true),
            Self::Answers => (length_at(1)?, matches!(bytes.first(), Some(b'Z' | b'A'))),
            Self::Writes => (bytes.len(), true),
        };
        if length == 0 || bytes.len() < length {
            return None;
        }
        if matches!(self, Self::StartUp) {
            *self = Self::Statements;
        }
        Some((length, counts))
    }
}
