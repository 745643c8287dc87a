//! `serve`: the service on its address, until it is told to stop.

use std::io::{IsTerminal as _, Write as _};

use anyhow::Context as _;
use mission_control::app::{Running, Start};
use mission_control::auth::Cost;
use mission_control::auth::first_admin::FirstAdmin;
use mission_control::clock::Clock;
use mission_control::config::Config;
use mission_control::private_postgres::Purpose;
use mission_control::sandbox::Pace;
use mission_control::web::server::Limits;
use secrecy::ExposeSecret as _;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use super::Database;

pub(super) async fn run(config: Config) -> anyhow::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;

    let listen = config.listen;
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("cannot listen on {listen}: set MISSION_CONTROL_LISTEN to a free address"))?;
    let database = Database::open(&config, Purpose::Serve).await?;
    if let Database::Private(postgres) = &database {
        tracing::info!(event = "start.database", location = %postgres.location().display(), "private PostgreSQL");
    }
    let mode = config.mode;
    let start = Start {
        config,
        listener,
        database: database.options(),
        clock: Clock::System,
        pace: Pace::Standard,
        password_cost: Cost::RECOMMENDED,
        limits: Limits::RECOMMENDED,
    };
    let mut running = Running::start(start)?;
    let signalled = async {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    tokio::pin!(signalled);
    let started = tokio::select! {
        started = running.until_ready() => started.map(|()| true),
        () = &mut signalled => Ok(false),
    };
    if matches!(started, Ok(true)) {
        tracing::info!(
            event = "start.ready",
            address = %running.address,
            public_url = %running.public_url,
            %mode,
            sandbox = running.sandbox_url(),
            "Mission Control is at {}",
            running.public_url
        );
        // A reader that went away is no reason to stop serving.
        let _ = welcome(&running);
        signalled.await;
    }
    tracing::info!(event = "stop.begun", "finishing what is under way");
    let stopped = running.stop().await;
    // Last: everything above may still have to write.
    let closed = database.close().await;
    tracing::info!(event = "stop.done", "stopped");
    started?;
    stopped?;
    closed
}

/// Tells whoever starts the service where it is and how to get in. The first password only on a terminal: elsewhere it
/// would stand in a log.
fn welcome(running: &Running) -> std::io::Result<()> {
    let mut output = std::io::stdout();
    writeln!(output, "Mission Control: {}", running.public_url)?;
    let Some(first_admin) = running.first_admin() else { return Ok(()) };
    if let Some(sentence) = first_admin.sentence() {
        writeln!(output, "{sentence}")?;
    }
    if let FirstAdmin::Made { password, .. } = first_admin
        && output.is_terminal()
    {
        #[expect(clippy::disallowed_methods, reason = "shown once, on the terminal of whoever starts the service")]
        let password = password.expose_secret();
        writeln!(output, "Password: {password}")?;
    }
    Ok(())
}
