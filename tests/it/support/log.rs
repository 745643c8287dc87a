//! The log of the whole test process, for tests that look into it. One subscriber serves all tests, so a test looks for
//! its own correlation id.

use std::io::Write;
use std::sync::{Mutex, Once, PoisonError};

use mission_control::config::{Config, Environment};
use mission_control::telemetry;
use serde_json::Value;

static LINES: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// Starts keeping the log; later calls change nothing.
pub(crate) fn keep() {
    static START: Once = Once::new();
    START.call_once(|| {
        // With all of a request, its statements as well: they are counted.
        let what = "info,mission_control=debug,[request]=debug";
        let variables = [("MISSION_CONTROL_LOG_FORMAT", "json"), ("MISSION_CONTROL_LOG", what)];
        let config = Config::load(&Environment::of(variables)).expect("valid settings");
        telemetry::start_to(&config, || Kept).expect("the one subscriber");
    });
}

/// Everything that was logged so far.
pub(crate) fn text() -> String {
    let lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
    String::from_utf8_lossy(&lines).into_owned()
}

/// The lines of one correlation id, oldest first.
pub(crate) fn of(correlation_id: &str) -> Vec<Value> {
    text()
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|line| line["span"]["correlation_id"] == correlation_id)
        .collect()
}

struct Kept;

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LINES.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
