//! `Prefer: wait=N`: the answer is held until the operation is accepted or final, or N seconds passed. No database
//! connection is held meanwhile.

use std::time::Duration;

use axum::http::HeaderMap;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;

use super::store::{self, Operation};
use crate::error::Result;
use crate::state::AppState;

/// Longest wait in seconds.
const LONGEST: u64 = 60;

/// How often the row is read if nobody announces a change: announcements are a hint.
const LOOK: Duration = Duration::from_secs(1);

/// The wait that a request prefers (RFC 7240), at most 60 s.
pub(crate) fn preferred(headers: &HeaderMap) -> Option<Duration> {
    let preferences = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    let wait = preferences.flat_map(|value| value.split([',', ';'])).find_map(|preference| {
        let (name, seconds) = preference.split_once('=')?;
        name.trim().eq_ignore_ascii_case("wait").then(|| seconds.trim().trim_matches('"').parse::<u64>().ok())?
    });
    wait.map(|seconds| Duration::from_secs(seconds.min(LONGEST)))
}

/// Waits until the operation has an answer, the time is over, or the service stops; returns it as it then stands.
pub(crate) async fn until_answered(app: &AppState, mut operation: Operation, wait: Duration) -> Result<Operation> {
    let deadline = Instant::now() + wait;
    let mut changes = app.changes.subscribe();
    while !operation.state.answers_a_wait() && !app.tasks.stopping.is_cancelled() {
        // Read after subscribing: a change in between is not missed.
        if let Some(current) = store::find(&app.db, &app.clock, app.config.mode, operation.id).await? {
            operation = current;
        }
        if operation.state.answers_a_wait() || Instant::now() >= deadline {
            break;
        }
        let look = (Instant::now() + LOOK).min(deadline);
        let changed = async {
            loop {
                match changes.recv().await {
                    Ok(id) if id != operation.id => {}
                    Ok(_) | Err(RecvError::Lagged(_)) => return,
                    Err(RecvError::Closed) => std::future::pending().await,
                }
            }
        };
        tokio::select! {
            () = changed => {}
            () = tokio::time::sleep_until(look) => {}
            () = app.tasks.stopping.cancelled() => {}
        }
    }
    Ok(operation)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_preference_is_read_among_others_and_bounded() {
        for (value, expected) in [
            ("wait=5", Some(5)),
            ("respond-async, wait=10", Some(10)),
            ("Wait = \"7\"", Some(7)),
            ("wait=100000", Some(60)),
            ("wait=soon", None),
            ("return=minimal", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("prefer", value.parse().expect("a header value"));
            assert_eq!(preferred(&headers), expected.map(Duration::from_secs), "{value}");
        }
    }
}
