//! How the console stands up to use: the list over a million operations as over ten thousand, how soon an open page
//! knows what was committed, and what a thousand open pages cost.

mod history;
mod live;
#[path = "../product/mod.rs"]
mod product;
mod reader;

use std::io::Write;
use std::time::Duration;

use clap::Parser as _;
use rustix::process::{Resource, getrlimit, setrlimit};
use serde_json::{Value, json};

use self::product::Product;
use self::reader::Reader;

/// The views of the list that are measured, each by its address.
const VIEWS: [(&str, &str); 5] = [
    ("all", "/dashboard/operations"),
    ("failed", "/dashboard/operations?state=failed"),
    ("calls that failed", "/dashboard/operations?state=failed&kind=call"),
    ("to one number", "/dashboard/operations?q=%2B14155550132"),
    ("overview", "/dashboard/operations/overview"),
];

/// Measures the console of the built product.
#[derive(clap::Parser)]
struct Options {
    /// Operations at first.
    #[arg(long, default_value_t = 10_000)]
    few: u32,
    /// Operations in the end.
    #[arg(long, default_value_t = 1_000_000)]
    many: u32,
    /// How often each view is loaded: often enough that the first of each connection, which are planned anew, do not matter.
    #[arg(long, default_value_t = 600)]
    loads: u32,
    /// Changes that an open page is to learn of.
    #[arg(long, default_value_t = 300)]
    changes: u32,
    /// Pages that are open at once.
    #[arg(long, default_value_t = 1_000)]
    pages: usize,
    /// Given by `cargo bench`. `cargo test --all-targets` starts this program too, without it, and wants no figures.
    #[arg(long, hide = true)]
    bench: bool,
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    if !options.bench {
        return Ok(());
    }
    // Each open page is a file here and one in the product, which inherits the limit.
    let mut files = getrlimit(Resource::Nofile);
    files.current = files.maximum;
    setrlimit(Resource::Nofile, files)?;
    let product = Product::start().await?;
    let measured = measure(&options, &product).await;
    product.stop().await?;
    let report = measured?;
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench-console.json");
    Ok(std::fs::write(path, format!("{report:#}\n"))?)
}

async fn measure(options: &Options, product: &Product) -> anyhow::Result<Value> {
    let reader = Reader::sign_in(product).await?;
    let mut output = std::io::stdout();
    writeln!(
        output,
        "The console, with PostgreSQL {}. Only the ratios mean something.\n",
        product.postgres_version().await?
    )?;

    // With little in it: nothing else moves.
    let quick = live::latency(product, &reader, options.changes).await?;
    writeln!(output, "from the answer to an ask until an open page knows: {quick}")?;
    let crowd = live::crowd(product, &reader, options.pages).await?;
    writeln!(output, "{crowd}\n")?;

    let few = views(product, &reader, options, options.few).await?;
    let many = views(product, &reader, options, options.many).await?;
    writeln!(output, "{:<18} {:>22} {:>22}  ratio", "list", options.few, options.many)?;
    let mut rows = Vec::new();
    for ((name, address), (few, many)) in VIEWS.iter().zip(few.iter().zip(&many)) {
        let ratio = many.median.as_secs_f64() / few.median.as_secs_f64();
        writeln!(output, "{name:<18} {few:>22} {many:>22}  {ratio:.2}")?;
        rows.push(json!({ "view": name, "address": address, "few": few.json(), "many": many.json(), "ratio": ratio }));
    }
    Ok(json!({ "latency": quick.json(), "crowd": crowd.json(), "list": rows }))
}

/// Loads each view with so many operations in the database.
async fn views(product: &Product, reader: &Reader, options: &Options, count: u32) -> anyhow::Result<Vec<Times>> {
    writeln!(std::io::stderr(), "making {count} operations ...")?;
    history::fill(product, count).await?;
    let mut measured = Vec::new();
    for (_, address) in VIEWS {
        let mut times = Vec::new();
        // The first finds nothing in memory yet.
        reader.page(address).await?;
        for _ in 0..options.loads {
            times.push(reader.page(address).await?);
        }
        measured.push(Times::of(times));
    }
    Ok(measured)
}

/// How long something took, of many times.
pub(crate) struct Times {
    median: Duration,
    p99: Duration,
}

impl Times {
    pub(crate) fn of(mut times: Vec<Duration>) -> Self {
        times.sort();
        let at = |percent: usize| {
            times.get((times.len() * percent / 100).min(times.len().saturating_sub(1))).copied().unwrap_or_default()
        };
        Self { median: at(50), p99: at(99) }
    }

    fn json(&self) -> Value {
        json!({ "median_ms": self.median.as_secs_f64() * 1e3, "p99_ms": self.p99.as_secs_f64() * 1e3 })
    }
}

impl std::fmt::Display for Times {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [median, p99] = [self.median, self.p99].map(|time| time.as_secs_f64() * 1e3);
        f.pad(&format!("{median:.1} ms (p99 {p99:.1})"))
    }
}
