//! `gateway`: the door for Twilio's voice webhook, beside the service and on the same database.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use mission_control::clock::Clock;
use mission_control::config::{Config, Environment, Mode};
use mission_control::database;
use mission_control::gateway::openclaw::{self, VoiceCall};
use mission_control::gateway::{Gateway, Limits, Running, Setup};
use mission_control::private_postgres::Purpose;
use mission_control::twilio::Twilio;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use super::Database;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The OpenClaw configuration whose entry `voice-call` says what to do.
    #[arg(long)]
    config: PathBuf,
}

pub(super) async fn run(arguments: Arguments, config: Config) -> anyhow::Result<()> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let voice_call = load(&arguments)?;
    let listen = SocketAddr::new(voice_call.serve.bind, voice_call.serve.port);
    let listener = TcpListener::bind(listen).await.with_context(|| {
        format!("cannot listen on {listen}: end the program that does, or set serve.port and serve.bind of voice-call to a free address")
    })?;
    let database = Database::open(&config, Purpose::Command).await?;
    let served = serve(voice_call, &config, listener, &database, async {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    });
    let served = served.await;
    let closed = database.close().await;
    tracing::info!(event = "gateway.stopped", "stopped");
    served?;
    closed
}

fn load(arguments: &Arguments) -> anyhow::Result<VoiceCall> {
    let loaded = openclaw::load(&arguments.config, &Environment::of_process())
        .map_err(|findings| anyhow::anyhow!("{} cannot be served:\n{findings}", arguments.config.display()))?;
    for warning in &loaded.warnings {
        tracing::warn!(event = "gateway.configuration", "{warning}");
    }
    Ok(loaded.voice_call)
}

async fn serve(
    voice_call: VoiceCall,
    config: &Config,
    listener: TcpListener,
    database: &Database,
    signalled: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let db = database::pool(database.options());
    database::prepare(&db).await.context("the gateway needs the database of the service")?;
    let (public_url, path) = (voice_call.public_url.clone(), voice_call.serve.path.clone());
    let setup = Setup {
        mode: config.mode,
        public_url: config.public_url(config.listen),
        twilio: twilio(&voice_call, config)?,
        voice_call,
        db,
        clock: Clock::System,
        limits: Limits::STANDARD,
    };
    let running = Running::start(listener, Gateway::new(setup))?;
    let address = running.address;
    tracing::info!(event = "gateway.started", %address, %public_url, path, mode = %config.mode, "one path is served");
    // A reader that went away is no reason to stop serving.
    let _ = writeln!(std::io::stdout(), "Voice gateway: http://{address}{path}");
    signalled.await;
    tracing::info!(event = "gateway.stopping", "finishing what is under way");
    running.stop().await;
    Ok(())
}

/// Where calls are looked up. In sandbox mode only at an address on this machine.
fn twilio(voice_call: &VoiceCall, config: &Config) -> anyhow::Result<Option<Twilio>> {
    let base = match (&config.twilio_base_url, config.mode) {
        (Some(base), _) => base.clone(),
        (None, Mode::Live) => voice_call.region.api().parse().context("the address of the region")?,
        (None, Mode::Sandbox) => return Ok(None),
    };
    Twilio::new(Some(base)).map(Some)
}
