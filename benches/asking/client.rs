//! A client that costs little: requests are bytes, of answers only the status is read.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::requests::Source;

/// Room for an answer and its headers.
const ROOM: usize = 16 * 1024;

/// What became of a load.
pub(crate) struct Load {
    /// Answers, all of the status that was expected.
    pub(crate) answers: i64,
    lasted: Duration,
}

impl Load {
    /// Answers a second.
    pub(crate) fn rate(&self) -> f64 {
        let answers = u32::try_from(self.answers).unwrap_or(u32::MAX);
        f64::from(answers) / self.lasted.as_secs_f64()
    }
}

/// Sends requests over so many connections, each the next as soon as it has its answer, for so long or until there are
/// no more.
pub(crate) async fn load(
    address: SocketAddr,
    connections: u16,
    duration: Duration,
    source: &Source,
) -> anyhow::Result<Load> {
    let mut open = Vec::new();
    for _ in 0..connections {
        let connection = TcpStream::connect(address).await?;
        connection.set_nodelay(true)?;
        open.push(connection);
    }
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for connection in open {
        tasks.spawn(drive(connection, began + duration, source.clone()));
    }
    let mut answers = 0;
    while let Some(driven) = tasks.join_next().await {
        answers += driven??;
    }
    Ok(Load { answers, lasted: began.elapsed() })
}

async fn drive(mut connection: TcpStream, end: Instant, source: Source) -> anyhow::Result<i64> {
    let mut room = vec![0; ROOM];
    let mut answers = 0;
    while Instant::now() < end
        && let Some(request) = source.next()
    {
        connection.write_all(&request).await?;
        let answer = answer(&mut connection, &mut room).await?;
        anyhow::ensure!(answer.starts_with(source.status), "not {}: {answer}", source.status);
        answers += 1;
    }
    Ok(answers)
}

/// Reads one answer; what stands after `HTTP/1.1 `.
async fn answer<'room>(connection: &mut TcpStream, room: &'room mut [u8]) -> anyhow::Result<&'room str> {
    let mut read = 0;
    while !is_whole(&room[..read])? {
        anyhow::ensure!(read < room.len(), "an answer is longer than {ROOM} bytes");
        let count = connection.read(&mut room[read..]).await?;
        anyhow::ensure!(count > 0, "the connection was closed");
        read += count;
    }
    std::str::from_utf8(&room[..read])?.strip_prefix("HTTP/1.1 ").context("an answer in HTTP/1.1")
}

fn is_whole(answer: &[u8]) -> anyhow::Result<bool> {
    let Some(head) = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { return Ok(false) };
    let length = std::str::from_utf8(&answer[..head])?
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .map_or(Ok(0), str::parse::<usize>)?;
    Ok(answer.len() >= head + 4 + length)
}
