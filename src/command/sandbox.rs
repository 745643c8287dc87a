//! `sandbox`: the emulator of Twilio and ElevenLabs alone.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;

use mission_control::phone::PhoneNumber;
use mission_control::sandbox::{self, CredentialSource, Credentials, KeySource, Options, Pace};
use secrecy::SecretString;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Where it listens: loopback only; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// The account that it serves.
    #[arg(long)]
    account_sid: String,
    /// Its auth token, with which it also signs callbacks.
    #[arg(long)]
    auth_token: SecretString,
    /// The SID of an API key of the account, with which requests may be made in the token's place.
    #[arg(long, requires = "api_key_secret")]
    api_key_sid: Option<String>,
    /// Its secret.
    #[arg(long, requires = "api_key_sid")]
    api_key_secret: Option<SecretString>,
    /// The key that requests to ElevenLabs must show; without it none of them is served.
    #[arg(long)]
    elevenlabs_key: Option<SecretString>,
    /// A number of the account, in E.164; may be repeated. +15005550006 is always one.
    #[arg(long = "number")]
    numbers: Vec<PhoneNumber>,
    /// A file that keeps its state over a restart.
    #[arg(long)]
    journal: Option<PathBuf>,
}

pub(super) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let credentials = Credentials {
        account_sid: arguments.account_sid,
        auth_token: arguments.auth_token,
        api_key: arguments.api_key_sid.zip(arguments.api_key_secret),
        numbers: arguments.numbers.iter().map(ToString::to_string).collect(),
    };
    let options = Options {
        listen: arguments.listen,
        credentials: CredentialSource::Fixed(credentials),
        elevenlabs_key: KeySource::Fixed(arguments.elevenlabs_key),
        journal: arguments.journal,
        callbacks_to: None,
        pace: Pace::Standard,
    };
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let sandbox = sandbox::start(options, &tasks, stop.clone()).await?;
    writeln!(std::io::stdout(), "Twilio sandbox: {}", sandbox.base_url())?;
    writeln!(std::io::stdout(), "ElevenLabs sandbox: {}", sandbox.base_url())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    stop.cancel();
    tasks.close();
    tasks.wait().await;
    Ok(())
}
