//! The stream of one page: server-sent events, resumed by `Last-Event-ID`.
//!
//! <https://html.spec.whatwg.org/multipage/server-sent-events.html>

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream::{self, Stream, StreamExt as _};
use serde::Deserialize;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::time::Instant;
use utoipa::{IntoParams, OpenApi};

use super::position::{self, Position};
use super::{Line, line};
use crate::access::{Access, Routes};
use crate::auth::Permission;
use crate::error::{Problem, Result};
use crate::state::AppState;
use crate::web::extract::Query;

/// How often a quiet stream says that it lives; a page that hears nothing for two of these connects again.
const BEAT: Duration = Duration::from_secs(15);

/// A stream ends after this and is opened anew, so that whoever has signed out, or lost the right, stops hearing.
const LONGEST: Duration = Duration::from_mins(5);

/// What the browser waits before it connects again.
const RETRY: Duration = Duration::from_millis(300);

/// The stream; it outlives the time-out of requests.
pub(crate) fn routes() -> Routes {
    Routes::new().get("/dashboard/live", Access::Caller(Permission::ReadOperations), listen)
}

/// What a page knows when it opens its first stream; afterwards it sends `Last-Event-ID`.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Since {
    /// The position that the page was read at.
    #[param(value_type = Option<String>, nullable = false)]
    since: Option<Position>,
}

/// What documents say of this address.
#[derive(OpenApi)]
#[openapi(paths(listen))]
pub(crate) struct Described;

/// Hear what changes
///
/// Server-sent events: ids of operations and counts. Resumed by `Last-Event-ID`; a stream ends after five minutes.
#[utoipa::path(
    get, path = "/dashboard/live", operation_id = "listen", tag = "reading",
    params(Since),
    responses((status = 200, description = "A stream that stays open.", body = String, content_type = "text/event-stream")),
)]
async fn listen(
    State(app): State<AppState>,
    Query(Since { since }): Query<Since>,
    headers: HeaderMap,
) -> Result<Response> {
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok());
    let heard: Option<Position> = last.and_then(|value| value.parse().ok()).or(since);
    // Before reading: a change in between is told twice rather than never.
    let lines = app.live.subscribe();
    // Pages that are merely open must leave connections to those who act.
    if app.live.listeners() > (app.config.connections.get() * 3 / 4).max(1) {
        return Err(too_many().into());
    }
    let missed = match heard {
        Some(heard) => position::changed_since(&app.db, app.config.mode, heard).await?,
        // Whatever it shows may have changed since it was read.
        None => None,
    };
    let first = line(&app.db, &app.clock, app.config.mode, missed).await?;
    let first = stream::once(async move { event(&first).retry(RETRY) });
    let events = first.chain(rest(lines, app)).map(Ok::<_, Infallible>);
    // A proxy that gathers what it passes on would make it late; nobody keeps what is somebody's.
    let headers = [(HeaderName::from_static("x-accel-buffering"), "no"), (CACHE_CONTROL, "no-store")];
    Ok((headers, Sse::new(events)).into_response())
}

fn too_many() -> Problem {
    let detail = "Too many pages are open at once for this one to hear what changes. Load it again to see the newest.";
    Problem { retry_after: Some(5), ..Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_pages", detail) }
}

/// What comes after the first line, until the stream has lived long enough or the service stops.
fn rest(lines: broadcast::Receiver<Arc<Line>>, app: AppState) -> impl Stream<Item = Event> {
    let end = Instant::now() + LONGEST;
    stream::unfold((lines, app.tasks.stopping), move |(mut lines, stopping)| async move {
        let event = tokio::select! {
            () = stopping.cancelled() => return None,
            () = tokio::time::sleep_until(end) => return None,
            heard = lines.recv() => match heard {
                Ok(line) => event(&line),
                // It comes back with its position, and is told what it missed.
                Err(RecvError::Lagged(_) | RecvError::Closed) => return None,
            },
            () = tokio::time::sleep(BEAT) => Event::default().event("beat").data(""),
        };
        Some((event, (lines, stopping)))
    })
}

fn event(line: &Line) -> Event {
    let data = serde_json::to_string(line).unwrap_or_default();
    Event::default().event("operations").id(line.position.to_string()).data(data)
}
