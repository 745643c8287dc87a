//! The export: all lines of a filter as CSV or JSON, written as they are read.
//!
//! It is read page by page, each by a statement of its own, so that a reader who is slow, or has gone to lunch, holds
//! no connection. Lines are never changed and the pages go backwards from the newest, so together they are one picture.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::BoxError;
use axum::body::{Body, Bytes};
use axum::extract::Extension;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::list::{Filter, Line, Page, list};
use super::query::AuditQuery;
use super::{csv, json};
use crate::access::{Access, Routes};
use crate::auth::Permission;
use crate::error::{Problem, Result};
use crate::visit::Visit;
use crate::web::extract::Query;

/// Lines that are read at once and make one chunk. Two chunks are in memory at most: one waits while the next is made.
const CHUNK: i64 = 500;

/// Exports at the same time: each reads as fast as its reader, and requests have to find connections beside them.
const PLACES: usize = 4;

/// Longest that an export may take. A million lines take a minute; whoever needs longer reads too slowly.
const LONGEST: Duration = Duration::from_mins(10);

/// The places of one service.
#[derive(Clone)]
struct Places(Arc<Semaphore>);

/// How the lines are written.
#[derive(Clone, Copy)]
enum Format {
    Csv,
    Json,
}

impl Format {
    fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Json => "json",
        }
    }

    fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Json => "application/json",
        })
    }

    fn head(self) -> anyhow::Result<Vec<u8>> {
        match self {
            Self::Csv => csv::head(),
            Self::Json => Ok(json::HEAD.into()),
        }
    }

    /// These lines; `is_first` where none was written before.
    fn lines(self, lines: &[Line], is_first: bool) -> anyhow::Result<Vec<u8>> {
        match self {
            Self::Csv => csv::rows(lines),
            Self::Json => json::items(lines, is_first),
        }
    }

    /// What completes it, if anything does.
    fn end(self) -> Option<Bytes> {
        match self {
            Self::Csv => None,
            Self::Json => Some(Bytes::from_static(json::END)),
        }
    }
}

/// A part of the export; `None` says that it is complete.
type Chunk = Option<Bytes>;

/// The routes of the export, which may take longer than other requests.
pub(crate) fn routes() -> Routes {
    let places = Places(Arc::new(Semaphore::new(PLACES)));
    let reader = Access::Person(Permission::ReadAudit);
    let csv = async |visit, query, places| show(visit, query, places, Format::Csv).await;
    let json = async |visit, query, places| show(visit, query, places, Format::Json).await;
    Routes::new()
        .get("/dashboard/audit.csv", reader, csv)
        .get("/dashboard/audit.json", reader, json)
        .wrap(|router| router.layer(Extension(places)))
}

async fn show(
    visit: Visit,
    Query(query): Query<AuditQuery>,
    Extension(places): Extension<Places>,
    format: Format,
) -> Result<Response> {
    let filter = query.strict()?.filter;
    let place = places.0.try_acquire_owned().map_err(|_| busy())?;
    // The first page is read before the answer begins: what fails here can still be said.
    let first = list(&visit.app.db, &filter, None, CHUNK).await?;
    let day = visit.app.clock.now().date();
    let name = format!("attachment; filename=\"audit-{day}.{}\"", format.extension());
    let headers = [
        (header::CONTENT_TYPE, format.content_type()),
        (header::CONTENT_DISPOSITION, HeaderValue::from_str(&name).map_err(anyhow::Error::from)?),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    let (chunks, body) = mpsc::channel(1);
    let tracker = visit.app.tasks.tracker.clone();
    tracker.spawn(write(visit, filter, format, first, chunks, place));
    Ok((headers, Body::from_stream(stream::unfold(Some(body), next))).into_response())
}

/// The next part of the body. If the writer ends without saying that the export is complete, whatever the cause, the
/// transfer is cut off, so that nobody takes a part for the whole.
async fn next(body: Option<mpsc::Receiver<Chunk>>) -> Option<(Result<Bytes, BoxError>, Option<mpsc::Receiver<Chunk>>)> {
    let mut body = body?;
    match body.recv().await {
        Some(Some(chunk)) => Some((Ok(chunk), Some(body))),
        Some(None) => None,
        None => Some((Err(io::Error::other("the export could not be completed").into()), None)),
    }
}

/// Writes until the export is complete, the reader is gone, the service stops or the time is over.
async fn write(
    visit: Visit,
    filter: Filter,
    format: Format,
    first: Page,
    chunks: mpsc::Sender<Chunk>,
    _place: OwnedSemaphorePermit,
) {
    let (stopping, user) = (visit.app.tasks.stopping.clone(), visit.principal.user);
    let writing = tokio::time::timeout(LONGEST, write_all(&visit, &filter, format, first, &chunks));
    let cut_off = tokio::select! {
        () = stopping.cancelled() => "the service stops".to_owned(),
        written = writing => match written {
            Ok(Ok(lines)) => return tracing::info!(event = "audit.exported", %user, lines, "an export was written"),
            Ok(Err(error)) => format!("{error:#}"),
            Err(_) => "it took too long".to_owned(),
        },
    };
    tracing::warn!(event = "audit.export_cut_off", %user, reason = cut_off, "an export was cut off");
}

async fn write_all(
    visit: &Visit,
    filter: &Filter,
    format: Format,
    first: Page,
    chunks: &mpsc::Sender<Chunk>,
) -> anyhow::Result<usize> {
    let is_masked = visit.is_masked();
    let (mut page, mut count) = (first, 0);
    chunks.send(Some(format.head()?.into())).await?;
    loop {
        let for_reader = |line: Line| if is_masked { line.without_numbers() } else { line };
        let lines: Vec<Line> = page.lines.into_iter().map(for_reader).collect();
        if !lines.is_empty() {
            chunks.send(Some(format.lines(&lines, count == 0)?.into())).await?;
        }
        count += lines.len();
        let Some(after) = page.next else { break };
        page = list(&visit.app.db, filter, Some(after), CHUNK).await?;
    }
    if let Some(end) = format.end() {
        chunks.send(Some(end)).await?;
    }
    chunks.send(None).await?;
    Ok(count)
}

fn busy() -> Problem {
    let detail = "Other exports are being written. Try again in a minute, or filter for fewer lines.";
    Problem { retry_after: Some(60), ..Problem::new(StatusCode::SERVICE_UNAVAILABLE, "exports_busy", detail) }
}
