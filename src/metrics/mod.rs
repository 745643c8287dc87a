//! Figures for Prometheus: what this process counts as it works, and how the database stands when it is asked.
//!
//! Each service has a recorder of its own instead of the process-wide one, so that two in one process do not mix. What
//! moves is counted where it is written down: the moves of operations and the outcomes of attempts are read from the
//! audit, which has a line for each of them, whoever wrote it. Only what leaves no line is counted in passing.

pub(crate) mod api;
mod database;
mod descriptions;
pub(crate) mod requests;

use std::sync::Arc;
use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, Key, Label, Level, Metadata, Recorder as _};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusRecorder};
use time::OffsetDateTime;
use tokio::sync::Mutex;

pub(crate) use self::api::routes;
use self::database::Reading;
use self::requests::Requests;
use crate::clock::Clock;
use crate::config::Mode;
use crate::state::AppState;
use crate::telemetry;

/// Bounds of the durations in seconds: from an answer out of memory to the longest `Prefer: wait`.
const SECONDS: [f64; 12] = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0, 60.0];

/// How often measured durations are sorted into their bounds, so that they take no room while nobody asks.
const UPKEEP: Duration = Duration::from_secs(5);

/// Speech that was asked for, and what it cost.
const SYNTHESES: &str = "mission_control_syntheses_total";
const CHARACTERS: &str = "mission_control_synthesis_characters_total";

/// Nothing of ours is filtered by it.
static METADATA: Metadata<'static> = Metadata::new("mission_control", Level::INFO, None);

/// The figures of one service.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    recorder: PrometheusRecorder,
    requests: Requests,
    callbacks: Callbacks,
    /// What was last read from the database; whoever asks meanwhile waits for it.
    reading: Mutex<Reading>,
}

/// Twilio's reports by what became of them.
pub(crate) struct Callbacks {
    pub(crate) accepted: Counter,
    pub(crate) duplicate: Counter,
    pub(crate) orphan: Counter,
    pub(crate) bad_signature: Counter,
}

impl Metrics {
    /// Figures that begin at zero now.
    pub fn new(mode: Mode, clock: &Clock) -> Self {
        let now = clock.now();
        let builder = PrometheusBuilder::new().set_buckets(&SECONDS).expect("there are bounds");
        let recorder = builder.build_recorder();
        descriptions::describe(&recorder);
        let callback =
            |result| counter(&recorder, "mission_control_callbacks_total", vec![Label::new("result", result)]);
        let callbacks = Callbacks {
            accepted: callback("accepted"),
            duplicate: callback("duplicate"),
            orphan: callback("orphan"),
            bad_signature: callback("bad_signature"),
        };
        // There from the start, so that the first one is seen as an increase.
        counter(&recorder, SYNTHESES, vec![Label::new("outcome", "made")]).increment(0);
        counter(&recorder, CHARACTERS, Vec::new()).increment(0);
        let build = vec![Label::new("version", env!("CARGO_PKG_VERSION")), Label::new("mode", mode.as_str())];
        gauge(&recorder, "mission_control_build_info", build).set(1.0);
        gauge(&recorder, "process_start_time_seconds", Vec::new()).set(seconds(now));
        let reading = Mutex::new(Reading::beginning(now));
        Self(Arc::new(Inner { recorder, requests: Requests::default(), callbacks, reading }))
    }

    /// Where reports of Twilio's are counted.
    pub(crate) fn callbacks(&self) -> &Callbacks {
        &self.0.callbacks
    }

    /// Counts a synthesis by what became of it, and the characters that it cost.
    pub(crate) fn count_synthesis(&self, outcome: &'static str, characters: u64) {
        self.counter(SYNTHESES, vec![Label::new("outcome", outcome)]).increment(1);
        self.counter(CHARACTERS, Vec::new()).increment(characters);
    }

    fn text(&self) -> String {
        for (event, times) in telemetry::events() {
            self.counter("mission_control_log_events_total", vec![Label::new("event", event)]).absolute(times);
        }
        self.0.recorder.handle().render()
    }

    fn counter(&self, name: &'static str, labels: Vec<Label>) -> Counter {
        counter(&self.0.recorder, name, labels)
    }

    fn gauge(&self, name: &'static str, labels: Vec<Label>) -> Gauge {
        gauge(&self.0.recorder, name, labels)
    }

    fn histogram(&self, name: &'static str, labels: Vec<Label>) -> Histogram {
        self.0.recorder.register_histogram(&Key::from_parts(name, labels), &METADATA)
    }
}

/// Keeps the measured durations small until the service stops.
pub(crate) async fn keep_small(app: AppState) {
    loop {
        tokio::select! {
            () = app.tasks.stopping.cancelled() => return,
            () = tokio::time::sleep(UPKEEP) => app.metrics.0.recorder.handle().run_upkeep(),
        }
    }
}

fn counter(recorder: &PrometheusRecorder, name: &'static str, labels: Vec<Label>) -> Counter {
    recorder.register_counter(&Key::from_parts(name, labels), &METADATA)
}

fn gauge(recorder: &PrometheusRecorder, name: &'static str, labels: Vec<Label>) -> Gauge {
    recorder.register_gauge(&Key::from_parts(name, labels), &METADATA)
}

#[expect(clippy::cast_precision_loss, reason = "a time in milliseconds fits")]
fn seconds(at: OffsetDateTime) -> f64 {
    (at.unix_timestamp_nanos() / 1_000_000) as f64 / 1_000.0
}
