//! What each figure means, as `/metrics` says it.

use metrics::{Recorder as _, SharedString};
use metrics_exporter_prometheus::PrometheusRecorder;

const COUNTERS: [(&str, &str); 7] = [
    (
        "mission_control_http_requests_total",
        "Requests answered by this process, by method, route template (never the path) and status.",
    ),
    (
        "mission_control_callbacks_total",
        "Reports of Twilio's that this process took: accepted (it moved or marked an operation), duplicate (it said \
         nothing new), orphan (kept, but of no operation that we know), bad_signature (refused).",
    ),
    ("mission_control_log_events_total", "Log lines that this process wrote, by the name of their event."),
    (
        "mission_control_operation_transitions_total",
        "Operations of this mode that came into a state since this process started, by all processes and 30 s late. \
         Every process counts them all: take the max over instances, not the sum. How many are in a final state is not \
         told: counting them would read the whole history each time.",
    ),
    (
        "mission_control_attempts_total",
        "Outcomes of attempts since this process started, by all processes and 30 s late; take the max over instances. \
         An unknown outcome that becomes known later counts under both.",
    ),
    (
        "mission_control_syntheses_total",
        "Texts that this process had ElevenLabs read aloud, by outcome: made, or the code of the reason why not.",
    ),
    ("mission_control_synthesis_characters_total", "Characters that ElevenLabs charged for them."),
];

const GAUGES: [(&str, &str); 14] = [
    (
        "mission_control_operations",
        "Operations of this mode that are in a state which is not the end. Accepted ones are not among them: most of \
         the history is.",
    ),
    ("mission_control_queue_depth", "Approved operations whose time has come and that are not being sent yet."),
    ("mission_control_queue_oldest_seconds", "Since when the oldest of them could have gone out; 0 if there is none."),
    ("mission_control_waiting_for_approval", "Operations that wait for a decision."),
    ("mission_control_waiting_for_approval_oldest_seconds", "How long the oldest of them waits; 0 if there is none."),
    ("mission_control_needs_attention", "Operations that a person must look at."),
    ("mission_control_hold", "1 while all sending is on hold, else 0."),
    ("mission_control_approval_required", "1 while every operation waits for a person, 0 if approval is switched off."),
    ("mission_control_database_pool_connections", "Connections to the database that this process has open."),
    ("mission_control_database_pool_idle", "Those of them that nobody uses."),
    ("mission_control_database_pool_in_use", "Those of them in use."),
    ("mission_control_database_pool_limit", "Most connections that the pool opens."),
    ("mission_control_build_info", "Always 1; the labels say which version runs, and in which mode."),
    ("process_start_time_seconds", "When the service began to work, in seconds since 1970."),
];

const DURATIONS: (&str, &str) = (
    "mission_control_http_request_duration_seconds",
    "From a request's head to its answer's, by route template. `Prefer: wait` waits on purpose.",
);

/// Gives every figure its description.
pub(super) fn describe(recorder: &PrometheusRecorder) {
    let words = SharedString::const_str;
    for (name, text) in COUNTERS {
        recorder.describe_counter(name.into(), None, words(text));
    }
    for (name, text) in GAUGES {
        recorder.describe_gauge(name.into(), None, words(text));
    }
    recorder.describe_histogram(DURATIONS.0.into(), None, words(DURATIONS.1));
}
