//! The pages in a real browser, Debian's Chromium: what people do with them, step by step; that everybody can, by axe's
//! rules; and what they weigh.

mod accessibility;
mod budgets;
mod driver;
mod furnished;
mod hostile;
mod journeys;
mod pages;
mod vendored;
mod window;

use std::io::Write as _;
use std::time::Instant;

/// Tells how long a part took, past the test runner, which keeps to itself what a passing test prints: the whole has
/// five minutes, and whoever adds to it should see where they go.
struct Stopwatch {
    part: String,
    began: Instant,
}

impl Stopwatch {
    fn start(part: impl Into<String>) -> Self {
        Self { part: part.into(), began: Instant::now() }
    }
}

impl Drop for Stopwatch {
    fn drop(&mut self) {
        let seconds = self.began.elapsed().as_secs_f64();
        let _ = writeln!(std::io::stderr(), "browser: {} took {seconds:.1} s", self.part);
    }
}
