//! The records of calls: written before Twilio hears an answer, moved forward only, each word kept. What changes a record
//! takes turns by one lock of its account, so that two requests at once are judged one after the other.

mod arrival;
pub(super) mod list;
mod look;
mod report;
mod state;
mod verdict;

pub(super) use arrival::{Answered, Arrival, Bounds};
pub(super) use look::Due;
pub(super) use report::{Effect, Report, Source};
pub(super) use state::CallState;
pub(super) use verdict::Verdict;

use sqlx::{PgPool, Postgres, Transaction};

use super::replay::{self, Identity};
use crate::clock::Clock;
use crate::config::Mode;
use crate::database;

/// The records of one account.
#[derive(Clone, Debug)]
pub(super) struct Calls {
    pub(super) db: PgPool,
    pub(super) clock: Clock,
    pub(super) mode: Mode,
    pub(super) account_sid: String,
}

impl Calls {
    /// Begins to change records.
    async fn begin(&self) -> sqlx::Result<Transaction<'static, Postgres>> {
        let mut tx = database::begin(&self.db).await?;
        let turn = format!("gateway/{}/{}", self.mode, self.account_sid);
        sqlx::query_scalar!(r#"select pg_advisory_xact_lock(hashtextextended($1, 0)) as "taken: ()""#, turn)
            .fetch_one(&mut *tx)
            .await?;
        Ok(tx)
    }

    /// Begins to do what a request asks for; `None` if it was done before.
    async fn begin_once(&self, identity: Identity) -> sqlx::Result<Option<Transaction<'static, Postgres>>> {
        let mut tx = self.begin().await?;
        let is_first = replay::is_first(&mut tx, &self.clock, identity).await?;
        Ok(is_first.then_some(tx))
    }
}
