//! Who changed: wakes the dispatcher and those who wait for an operation, in this process at once and in the others
//! through PostgreSQL. A hint only: the timers of those who listen are the truth.

use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::PgListener;
use tokio::sync::{Notify, broadcast, mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::database::Losses;
use crate::id::OperationId;

/// The channel of LISTEN and NOTIFY.
const CHANNEL: &str = "mission_control_operations";

/// How long changes are gathered before the other processes are told.
const GATHERING: Duration = Duration::from_millis(50);

/// Most ids in one notification; PostgreSQL's limit is 8000 bytes.
const BATCH: usize = 100;

/// Pause before the listener connects again.
const RECONNECT: Duration = Duration::from_secs(1);

/// Announces changed operations and wakes who waits for them.
#[derive(Clone)]
pub struct Changes {
    here: broadcast::Sender<OperationId>,
    elsewhere: mpsc::UnboundedSender<OperationId>,
    /// How often the other processes began to be heard.
    hearing: watch::Sender<u64>,
    wake: Arc<Notify>,
    speak: Arc<Notify>,
}

/// What has still to be told to the other processes.
pub struct Outbox(mpsc::UnboundedReceiver<OperationId>);

impl Changes {
    /// The announcements of one process, and what it has to tell the others.
    pub fn new() -> (Self, Outbox) {
        let (elsewhere, outbox) = mpsc::unbounded_channel();
        let (here, _) = broadcast::channel(1024);
        (
            Self { here, elsewhere, hearing: watch::Sender::default(), wake: Arc::default(), speak: Arc::default() },
            Outbox(outbox),
        )
    }

    /// An operation changed, and that is committed. Whoever made it due also calls [`Changes::wake`]: the dispatcher's
    /// look costs more than an asking.
    pub fn announce(&self, id: OperationId) {
        self.spread(id);
        // Fails only when the service stops, and then the others' timers do.
        let _ = self.elsewhere.send(id);
    }

    /// Wakes the dispatcher: something may be due.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// Wakes who makes speech: there may be something to say.
    pub(crate) fn speak(&self) {
        self.speak.notify_one();
    }

    /// Returns when there may be something to say.
    pub(crate) async fn asked_to_speak(&self) {
        self.speak.notified().await;
    }

    /// The changes from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<OperationId> {
        self.here.subscribe()
    }

    /// Changes when the other processes are heard again: what they said meanwhile has to be looked up.
    pub(crate) fn hearing(&self) -> watch::Receiver<u64> {
        self.hearing.subscribe()
    }

    /// Returns when something changed that the dispatcher may have to do with.
    pub async fn woken(&self) {
        self.wake.notified().await;
    }

    fn spread(&self, id: OperationId) {
        // Fails when nobody waits.
        let _ = self.here.send(id);
    }
}

/// Tells the other processes what changed here: many changes, one NOTIFY.
pub async fn tell_others(mut outbox: Outbox, db: PgPool, stopping: CancellationToken) {
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        tokio::select! {
            () = stopping.cancelled() => return,
            count = outbox.0.recv_many(&mut batch, BATCH) => if count == 0 { return },
        }
        if batch.len() < BATCH {
            tokio::time::sleep(GATHERING).await;
            while batch.len() < BATCH
                && let Ok(id) = outbox.0.try_recv()
            {
                batch.push(id);
            }
        }
        batch.sort_unstable();
        batch.dedup();
        let ids: Vec<String> = batch.drain(..).map(|id| id.to_string()).collect();
        let told = sqlx::query!("select pg_notify($1, $2)", CHANNEL, ids.join(",")).execute(&db).await;
        if let Err(error) = told {
            tracing::debug!(event = "changes.not_told", %error, "other processes learn it by their timers");
        }
    }
}

/// Hears from the other processes what changed there; connects again for as long as it takes. Its connection is never busy,
/// so that it is also the first to notice when the database goes away.
pub async fn hear_others(changes: Changes, listener: PgPool, losses: Losses, stopping: CancellationToken) {
    loop {
        tokio::select! {
            () = stopping.cancelled() => break,
            heard = hear(&changes, &listener, &losses) => {
                losses.note();
                if let Err(error) = heard {
                    tracing::debug!(event = "changes.not_heard", %error, "the listener connects again");
                }
            }
        }
        tokio::select! {
            () = stopping.cancelled() => break,
            () = tokio::time::sleep(RECONNECT) => {}
        }
    }
    listener.close().await;
}

async fn hear(changes: &Changes, listener: &PgPool, losses: &Losses) -> sqlx::Result<()> {
    let mut listener = PgListener::connect_with(listener).await?;
    // A loss is to be known at once, not when the connection is there again.
    listener.eager_reconnect(false);
    listener.listen(CHANNEL).await?;
    // What was lost while nobody listened.
    losses.note();
    // What changed while nobody listened is found by the dispatcher's look.
    changes.wake.notify_one();
    changes.hearing.send_modify(|times| *times += 1);
    while let Some(notification) = listener.try_recv().await? {
        notification.payload().split(',').filter_map(|id| id.parse().ok()).for_each(|id| changes.spread(id));
        changes.wake();
    }
    Ok(())
}
