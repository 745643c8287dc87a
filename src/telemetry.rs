//! Log lines. Each names its `event`, carries the correlation id of its request through the span, masks numbers and
//! never holds a secret or the text of a message.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

use tracing::field::{Field, Visit};
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::layer::{Context, Layer};
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
    let registry = tracing_subscriber::registry().with(filter).with(filter_fn(may_be_told)).with(Counted);
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

/// Not what says at `trace` which address was asked for: there are addresses that are secret links.
fn may_be_told(metadata: &Metadata<'_>) -> bool {
    !metadata.target().starts_with("tower_http::csrf")
}

/// How often each `event` was logged by this process. The names stand in our own code, so they are few.
static EVENTS: RwLock<BTreeMap<String, AtomicU64>> = RwLock::new(BTreeMap::new());

/// What was logged so far: the names of the events, and how often.
pub(crate) fn events() -> Vec<(String, u64)> {
    let events = EVENTS.read().unwrap_or_else(PoisonError::into_inner);
    events.iter().map(|(name, times)| (name.clone(), times.load(Ordering::Relaxed))).collect()
}

/// Counts the lines that pass the filter, so that a check from outside can tell that they are written.
struct Counted;

impl<S: Subscriber> Layer<S> for Counted {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        event.record(&mut Name);
    }
}

/// Finds the field `event` of a line.
struct Name;

impl Visit for Name {
    fn record_str(&mut self, field: &Field, name: &str) {
        if field.name() != "event" {
            return;
        }
        let known = EVENTS.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(times) = known.get(name) {
            times.fetch_add(1, Ordering::Relaxed);
            return;
        }
        drop(known);
        let mut known = EVENTS.write().unwrap_or_else(PoisonError::into_inner);
        known.entry(name.to_owned()).or_default().fetch_add(1, Ordering::Relaxed);
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}
