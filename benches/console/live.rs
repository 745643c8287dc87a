//! Open pages: how soon they know, and what they cost.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::Times;
use crate::product::Product;
use crate::reader::Reader;

/// The stream of a page.
const STREAM: &str = "/dashboard/live";

/// Longest that a page may wait for a change; a bound against hanging, not a measure.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long idle pages are watched.
const WATCHED: Duration = Duration::from_secs(10);

/// In what Linux counts a process's time, on every machine.
const TICK: Duration = Duration::from_millis(10);

/// One open page, by its connection.
struct Page {
    connection: TcpStream,
    /// What came and was not looked at yet.
    heard: Vec<u8>,
}

impl Page {
    async fn open(product: &Product, reader: &Reader) -> anyhow::Result<Self> {
        let mut connection = TcpStream::connect(product.address).await?;
        let request = format!(
            "GET {STREAM} HTTP/1.1\r\nHost: {}\r\nCookie: {}\r\nAccept: text/event-stream\r\n\r\n",
            product.address, reader.cookie
        );
        connection.write_all(request.as_bytes()).await?;
        let mut page = Self { connection, heard: Vec::new() };
        page.until("\r\n\r\n").await?;
        Ok(page)
    }

    /// Reads until this was heard.
    async fn until(&mut self, words: &str) -> anyhow::Result<()> {
        while !self.heard.windows(words.len()).any(|heard| heard == words.as_bytes()) {
            let read = timeout(PATIENCE, self.connection.read_buf(&mut self.heard)).await;
            let read = read.with_context(|| format!("waited in vain for {words}: {}", self.words()))??;
            anyhow::ensure!(read > 0, "the stream ended: {}", self.words());
        }
        anyhow::ensure!(self.words().starts_with("HTTP/1.1 200") || words != "\r\n\r\n", "{}", self.words());
        self.heard.clear();
        Ok(())
    }

    fn words(&self) -> String {
        String::from_utf8_lossy(&self.heard).into_owned()
    }
}

/// How long it takes from the answer to an ask, before which it was committed, until an open page hears of it.
pub(crate) async fn latency(product: &Product, reader: &Reader, changes: u32) -> anyhow::Result<Times> {
    let mut page = Page::open(product, reader).await?;
    let mut times = Vec::new();
    for number in 0..changes {
        let id = reader.ask(number).await?;
        let began = Instant::now();
        page.until(&id).await?;
        times.push(began.elapsed());
        // Not in step with whoever batches.
        tokio::time::sleep(Duration::from_millis(u64::from(number * 37 % 100))).await;
    }
    Ok(Times::of(times))
}

/// What many open pages came to.
pub(crate) struct Crowd {
    pages: usize,
    kilobytes_before: u64,
    kilobytes_after: u64,
    /// Share of one processor while nothing happens.
    idle: f64,
    /// Until each of them knew of a change.
    all_know: Times,
}

pub(crate) async fn crowd(product: &Product, reader: &Reader, pages: usize) -> anyhow::Result<Crowd> {
    let kilobytes_before = product.memory()?;
    let mut open = Vec::new();
    for _ in 0..pages {
        open.push(Page::open(product, reader).await?);
    }
    let kilobytes_after = product.memory()?;
    let before = worked(product)?;
    tokio::time::sleep(WATCHED).await;
    let idle = worked(product)?.saturating_sub(before).as_secs_f64() / WATCHED.as_secs_f64();
    let mut all_know = Vec::new();
    for number in 0..10 {
        let id = reader.ask(1_000_000 + number).await?;
        let began = Instant::now();
        for page in &mut open {
            page.until(&id).await?;
        }
        all_know.push(began.elapsed());
    }
    Ok(Crowd { pages, kilobytes_before, kilobytes_after, idle, all_know: Times::of(all_know) })
}

/// How much of a processor's time the product has used.
fn worked(product: &Product) -> anyhow::Result<Duration> {
    let status = std::fs::read_to_string(format!("/proc/{}/stat", product.process.child.id()))?;
    // Behind the name, which may hold anything: fields 14 and 15 of the whole, in ticks.
    let (_, fields) = status.rsplit_once(") ").context("its fields")?;
    let ticks = fields.split(' ').skip(11).take(2).map(str::parse::<u32>).sum::<Result<u32, _>>()?;
    Ok(TICK * ticks)
}

impl Crowd {
    fn kilobytes_each(&self) -> f64 {
        let grown = u32::try_from(self.kilobytes_after.saturating_sub(self.kilobytes_before)).unwrap_or(u32::MAX);
        f64::from(grown) / f64::from(u32::try_from(self.pages).unwrap_or(u32::MAX))
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "pages": self.pages,
            "kilobytes_before": self.kilobytes_before,
            "kilobytes_after": self.kilobytes_after,
            "kilobytes_each": self.kilobytes_each(),
            "idle_processor": self.idle,
            "all_know": self.all_know.json(),
        })
    }
}

impl fmt::Display for Crowd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pages, kilobytes_before, kilobytes_after, idle, all_know } = self;
        let (each, idle) = (self.kilobytes_each(), idle * 100.0);
        write!(
            f,
            "{pages} open pages: {kilobytes_before} kB before, {kilobytes_after} kB with them, {each:.1} kB each; \
             {idle:.1} % of a processor while nothing happens; until all know of a change: {all_know}"
        )
    }
}
