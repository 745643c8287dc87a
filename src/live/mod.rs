//! What changed, told to the pages that are open: ids and two counts, from which a page asks again for what it shows. So the
//! stream tells nobody more than they may know, and one line serves every page.
//!
//! One task a process gathers what was announced and asks the database once for all its pages; nothing polls.

mod position;
mod route;

use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use self::position::Position;
pub(crate) use self::route::router;
use crate::clock::Clock;
use crate::config::Mode;
use crate::id::OperationId;
use crate::operation::store;
use crate::state::AppState;

/// How long changes are gathered: a person does not see the difference, and a burst becomes few lines.
const GATHERING: Duration = Duration::from_millis(100);

/// Most ids in one line; beyond that a page is told to load itself again.
const MOST: usize = 200;

/// Lines that a slow page may be behind; then it is told to load itself again.
const BEHIND: usize = 64;

/// The pages that are open, as the rest of the service sees them.
#[derive(Clone)]
pub struct Live {
    lines: broadcast::Sender<Arc<Line>>,
}

/// What every page is told at once.
#[derive(Clone, Debug, serde::Serialize)]
struct Line {
    /// Changed up to here; what a page brings back when it connects again.
    #[serde(skip)]
    position: Position,
    /// Who changed; `None` if too many did.
    ids: Option<Vec<OperationId>>,
    waiting: i64,
    attention: i64,
}

impl Default for Live {
    fn default() -> Self {
        Self { lines: broadcast::channel(BEHIND).0 }
    }
}

impl Live {
    fn subscribe(&self) -> broadcast::Receiver<Arc<Line>> {
        self.lines.subscribe()
    }

    /// How many pages listen.
    pub(crate) fn listeners(&self) -> usize {
        self.lines.receiver_count()
    }
}

/// Tells the pages of this process what changed, here or in another process, until the service stops.
pub(crate) async fn run(app: AppState) {
    let mut changes = app.changes.subscribe();
    loop {
        let first = tokio::select! {
            () = app.tasks.stopping.cancelled() => return,
            first = changes.recv() => first,
        };
        let mut ids = Some(Vec::new());
        if !gather(&mut ids, first) {
            return;
        }
        if app.live.listeners() == 0 {
            continue;
        }
        tokio::time::sleep(GATHERING).await;
        while !changes.is_empty() {
            gather(&mut ids, changes.recv().await);
        }
        match line(&app.db, &app.clock, app.config.mode, ids).await {
            // Fails if the last page has gone meanwhile.
            Ok(line) => drop(app.live.lines.send(Arc::new(line))),
            // Its pages learn it with the next change; their streams end too if the database stays away.
            Err(error) => tracing::debug!(event = "live.not_told", %error, "a change was not told to the open pages"),
        }
    }
}

/// Takes in one announcement. False if there will be no more.
fn gather(ids: &mut Option<Vec<OperationId>>, announced: Result<OperationId, RecvError>) -> bool {
    match (announced, &mut *ids) {
        (Ok(id), Some(known)) if known.contains(&id) => {}
        (Ok(id), Some(known)) if known.len() < MOST => known.push(id),
        (Err(RecvError::Closed), _) => return false,
        (Ok(_) | Err(RecvError::Lagged(_)), _) => *ids = None,
    }
    true
}

/// The line about these changes. The position is read after they were announced, so it covers them.
async fn line(db: &PgPool, clock: &Clock, mode: Mode, ids: Option<Vec<OperationId>>) -> sqlx::Result<Line> {
    let (position, counts) = tokio::try_join!(position::now(db), store::counts(db, clock, mode))?;
    Ok(Line { position, ids, waiting: counts.waiting, attention: counts.attention })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u128) -> OperationId {
        OperationId(uuid::Uuid::from_u128(number))
    }

    #[test]
    fn each_change_is_told_once_and_too_many_as_all() {
        let mut ids = Some(Vec::new());
        for number in [1, 2, 1] {
            assert!(gather(&mut ids, Ok(id(number))));
        }
        assert_eq!(ids.as_deref(), Some(&[id(1), id(2)][..]));
        for number in 3..=(MOST as u128 + 1) {
            gather(&mut ids, Ok(id(number)));
        }
        assert_eq!(ids, None);
        assert!(gather(&mut ids, Ok(id(1))) && ids.is_none(), "it stays so");
    }

    #[test]
    fn what_was_missed_counts_as_all() {
        let mut ids = Some(vec![id(1)]);
        assert!(gather(&mut ids, Err(RecvError::Lagged(3))) && ids.is_none());
        assert!(!gather(&mut ids, Err(RecvError::Closed)));
    }
}
