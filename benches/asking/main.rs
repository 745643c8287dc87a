//! How fast asking is, measured against what PostgreSQL alone makes of our own statement on the same machine, in one
//! run, by turns. Only the ratios mean something: the rates are this machine's, and this minute's.

mod client;
mod pgbench;
#[path = "../product/mod.rs"]
mod product;
mod report;
mod requests;

use std::io::Write as _;
use std::time::Duration;

use clap::Parser as _;

use self::client::load;
use self::pgbench::Pgbench;
use self::product::Product;
use self::report::{Comparison, Memory, Report};
use self::requests::Requests;

/// Connections at once, for asking.
const CONNECTIONS: [u16; 3] = [1, 16, 64];

/// Connections at once, for the other measures.
const USUAL: u16 = 16;

/// Measures the built product against pgbench.
#[derive(clap::Parser)]
struct Options {
    /// How long each measure of a round lasts.
    #[arg(long, default_value_t = 3)]
    seconds: u16,
    /// How often everything is measured; the table shows medians.
    #[arg(long, default_value_t = 5)]
    rounds: u16,
    /// Given by `cargo bench`. `cargo test --all-targets` starts this program too, without it, and wants no figures.
    #[arg(long, hide = true)]
    bench: bool,
}

// One thread: the load must cost the machine as little as it can.
#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    if !options.bench {
        return Ok(());
    }
    let product = Product::start().await?;
    let measured = measure(&options, &product).await;
    product.stop().await?;
    let report = measured?;
    report.print(&mut std::io::stdout().lock())?;
    report.write()
}

async fn measure(options: &Options, product: &Product) -> anyhow::Result<Report> {
    let duration = Duration::from_secs(options.seconds.into());
    let requests = Requests::new(product)?;
    let mut pgbench = Pgbench::prepare(product).await?;
    let mut asking = CONNECTIONS.map(|connections| Comparison::new("ask", connections));
    let (mut replay, mut callback) = (Comparison::new("replay", USUAL), Comparison::new("callback", USUAL));
    let mut memory = vec![Memory { asks: 0, kilobytes: product.memory()? }];

    for round in 1..=options.rounds {
        writeln!(std::io::stderr(), "round {round} of {} ...", options.rounds)?;
        let mut usual = 0.0;
        for comparison in &mut asking {
            let before = product.operations().await?;
            let ours = load(product.address, comparison.connections, duration, &requests.asks()).await?;
            let made = product.operations().await? - before;
            anyhow::ensure!(made == ours.answers, "{} answers, but {made} operations", ours.answers);
            let theirs = pgbench.create(product, comparison.connections, options.seconds).await?;
            comparison.add(ours.rate(), theirs);
            if comparison.connections == USUAL {
                usual = theirs;
            }
        }
        memory.push(Memory { asks: requests.asked(), kilobytes: product.memory()? });
        replay.add(load(product.address, USUAL, duration, &requests.replays()).await?.rate(), usual);
        let reports = requests.reports(product, usize::from(options.seconds) * 5_000).await?;
        callback.add(load(product.address, USUAL, duration, &reports).await?.rate(), usual);
    }
    let comparisons = asking.into_iter().chain([replay, callback]).collect();
    Ok(Report { postgres: product.postgres_version().await?, comparisons, memory })
}
