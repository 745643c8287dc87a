//! What changed, told to the pages that are open: ids and two counts, from which a page asks again for what it shows. So the
//! stream tells nobody more than they may know, and one line serves every page.
//!
//! One task a process gathers what was announced and asks the database once for all its pages; nothing polls.

pub(crate) mod position;
mod route;

use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use self::position::Position;
pub(crate) use self::route::{Described, routes};
use crate::clock::Clock;
use crate::config::Mode;
use crate::id::OperationId;
use crate::operation::store;
use crate::state::AppState;

/// How long changes are gathered: a person does not see the difference, and a burst becomes few lines.
const GATHERING: Duration = Duration::from_millis(100);

/// Pause before a database that is away is asked again.
const AWAY: Duration = Duration::from_secs(1);

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
    let mut hearing = app.changes.hearing();
    let mut told = None;
    loop {
        let mut ids = Some(Vec::new());
        tokio::select! {
            () = app.tasks.stopping.cancelled() => return,
            first = changes.recv() => if !gather(&mut ids, first) { return },
            Ok(()) = hearing.changed() => ids = missed(&app, told).await,
        }
        if app.live.listeners() == 0 {
            told = None;
            continue;
        }
        tokio::time::sleep(GATHERING).await;
        while !changes.is_empty() {
            gather(&mut ids, changes.recv().await);
        }
        while let Err(error) = tell(&app, &mut told, &mut ids).await {
            tracing::debug!(event = "live.not_told", %error, "the open pages are told when the database is back");
            ids = None;
            tokio::select! {
                () = app.tasks.stopping.cancelled() => return,
                () = tokio::time::sleep(AWAY) => {}
            }
        }
    }
}

async fn tell(app: &AppState, told: &mut Option<Position>, ids: &mut Option<Vec<OperationId>>) -> sqlx::Result<()> {
    let line = line(&app.db, &app.clock, app.config.mode, ids.take()).await?;
    *told = Some(line.position);
    // Fails if the last page has gone meanwhile.
    drop(app.live.lines.send(Arc::new(line)));
    Ok(())
}

/// What other processes changed while nobody here heard them; `None` is anything.
async fn missed(app: &AppState, told: Option<Position>) -> Option<Vec<OperationId>> {
    position::changed_since(&app.db, app.config.mode, told?).await.ok().flatten()
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
