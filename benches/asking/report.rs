//! What was measured, as a table for people and as JSON for programs.

use std::io::Write;
use std::path::Path;

use serde_json::{Value, json};

const HEADER: &str = "\
Asking against pgbench, which runs our own statement on the same cluster: requests and statements a second.
ONLY THE RATIOS MEAN SOMETHING; the rates are this machine's, and this minute's. Medians, and (least .. most).";

/// One thing that the product does, beside what PostgreSQL alone would do.
pub(crate) struct Comparison {
    what: &'static str,
    pub(crate) connections: u16,
    ours: Vec<f64>,
    pgbench: Vec<f64>,
}

/// Resident memory of the server after so many asks.
pub(crate) struct Memory {
    pub(crate) asks: usize,
    pub(crate) kilobytes: u64,
}

pub(crate) struct Report {
    pub(crate) postgres: String,
    pub(crate) comparisons: Vec<Comparison>,
    pub(crate) memory: Vec<Memory>,
}

/// Of several rounds.
struct Figures {
    median: f64,
    least: f64,
    most: f64,
}

impl Figures {
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = values.collect();
        sorted.sort_by(f64::total_cmp);
        let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
        let count = sorted.len();
        let median = f64::midpoint(at(count.saturating_sub(1) / 2), at(count / 2));
        Self { median, least: at(0), most: at(count.saturating_sub(1)) }
    }

    fn json(&self) -> Value {
        json!({ "median": self.median, "min": self.least, "max": self.most })
    }

    fn text(&self, decimals: usize) -> String {
        let Self { median, least, most } = self;
        format!("{median:.decimals$} ({least:.decimals$} .. {most:.decimals$})")
    }
}

impl Comparison {
    pub(crate) fn new(what: &'static str, connections: u16) -> Self {
        Self { what, connections, ours: Vec::new(), pgbench: Vec::new() }
    }

    /// The rates of one round.
    pub(crate) fn add(&mut self, ours: f64, pgbench: f64) {
        self.ours.push(ours);
        self.pgbench.push(pgbench);
    }

    /// Ours, pgbench's, and the ratio of each round.
    fn figures(&self) -> [Figures; 3] {
        let ratios = self.ours.iter().zip(&self.pgbench).map(|(ours, pgbench)| ours / pgbench);
        [Figures::of(self.ours.iter().copied()), Figures::of(self.pgbench.iter().copied()), Figures::of(ratios)]
    }
}

impl Report {
    pub(crate) fn print(&self, output: &mut impl Write) -> anyhow::Result<()> {
        writeln!(output, "{HEADER}\n{} cores, PostgreSQL {}\n", cores(), self.postgres)?;
        writeln!(output, "{:<9} {:>3}  {:<24} {:<24} ratio", "", "c", "ours", "pgbench")?;
        for comparison in &self.comparisons {
            let [ours, pgbench, ratio] = comparison.figures();
            let (what, connections) = (comparison.what, comparison.connections);
            let (ours, pgbench, ratio) = (ours.text(0), pgbench.text(0), ratio.text(2));
            writeln!(output, "{what:<9} {connections:>3}  {ours:<24} {pgbench:<24} {ratio}")?;
        }
        writeln!(output, "\nmemory of the server")?;
        for Memory { asks, kilobytes } in &self.memory {
            writeln!(output, "{kilobytes:>7} kB after {asks} asks")?;
        }
        Ok(())
    }

    /// Writes `target/bench.json`.
    pub(crate) fn write(&self) -> anyhow::Result<()> {
        let comparisons = self.comparisons.iter().map(|comparison| {
            let [ours, pgbench, ratio] = comparison.figures().map(|figures| figures.json());
            let (what, connections) = (comparison.what, comparison.connections);
            json!({ "what": what, "connections": connections, "ours": ours, "pgbench": pgbench, "ratio": ratio })
        });
        let memory = self.memory.iter().map(|memory| json!({ "asks": memory.asks, "kilobytes": memory.kilobytes }));
        let document = json!({
            "cores": cores(),
            "postgres": self.postgres,
            "comparisons": comparisons.collect::<Vec<_>>(),
            "memory": memory.collect::<Vec<_>>(),
        });
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench.json");
        Ok(std::fs::write(path, format!("{document:#}\n"))?)
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
