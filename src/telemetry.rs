//! Log lines. Each names its `event`, carries the correlation id of its request through the span, masks numbers and
//! never holds a secret or the text of a message.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::{Config, LogFormat};

/// Starts logging to standard error, so that the standard output of sub-commands stays theirs.
pub fn start(config: &Config) -> anyhow::Result<()> {
    start_to(config, std::io::stderr)
}

/// Starts logging to a writer of the caller's.
pub fn start_to<W>(config: &Config, writer: W) -> anyhow::Result<()>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let filter = EnvFilter::try_new(&config.log).map_err(|error| {
        anyhow::anyhow!("MISSION_CONTROL_LOG cannot be read: {error}. Write for example info or info,sqlx=warn.")
    })?;
    let registry = tracing_subscriber::registry().with(filter);
    match config.log_format {
        LogFormat::Json => {
            let layer =
                tracing_subscriber::fmt::layer().json().flatten_event(true).with_span_list(false).with_writer(writer);
            registry.with(layer).try_init()?;
        }
        LogFormat::Text => {
            let layer = tracing_subscriber::fmt::layer().with_target(false).with_ansi(false).with_writer(writer);
            registry.with(layer).try_init()?;
        }
    }
    Ok(())
}
