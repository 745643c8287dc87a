//! What the data folder remembers of the database: the newest audit line that was seen. A database in which that line is
//! missing went back in time, even where PostgreSQL cannot know it: a copy of its files that was put back has the same
//! identity and the same timeline.
//!
//! Audit lines are never deleted, so the memory holds through every honest move of the database. Without it, or with one
//! of another deployment, there is nothing to say. Each process remembers in its own data folder.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, PgPool};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::database;
use crate::state::AppState;

/// The file in the data folder.
const FILE: &str = "newest-audit-line.json";

/// How often it is written, where there is something new: what is lost with a crash is at most as young.
const PERIOD: Duration = Duration::from_secs(2);

/// The memory in one data folder.
pub struct Witness {
    file: PathBuf,
}

#[derive(Serialize, Deserialize, PartialEq)]
struct Line {
    deployment: Uuid,
    id: i64,
    hash: Vec<u8>,
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
}

impl Witness {
    /// The memory in this data folder, whether there is one yet or not.
    pub fn of(data_dir: &Path) -> Self {
        Self { file: data_dir.join(FILE) }
    }

    /// Whether the database lacks what was seen in it, and nobody has recognised that yet.
    pub(super) async fn contradicts(&self, tx: &mut PgConnection) -> sqlx::Result<bool> {
        let Some(seen) = self.read() else { return Ok(false) };
        is_missing(tx, &seen).await
    }

    /// Remembers the newest line. Not from a database that went back: first that is recognised.
    pub async fn remember(&self, db: &PgPool) -> anyhow::Result<()> {
        let seen = self.read();
        let mut tx = database::begin(db).await?;
        if let Some(seen) = &seen
            && is_missing(&mut tx, seen).await?
        {
            return Ok(());
        }
        let newest = sqlx::query_as!(
            Line,
            r#"
            select d.id as deployment, l.id, l.hash, l.at
            from deployment d, audit_lines l
            order by l.id desc
            limit 1
            "#,
        )
        .fetch_optional(&mut *tx)
        .await?;
        tx.commit().await?;
        match newest {
            Some(newest) if seen.as_ref() != Some(&newest) => self.write(&newest),
            _ => Ok(()),
        }
    }

    fn read(&self) -> Option<Line> {
        let text = std::fs::read(&self.file).ok()?;
        let line = serde_json::from_slice(&text);
        line.inspect_err(|error| tracing::warn!(event = "witness.unreadable", file = %self.file.display(), %error)).ok()
    }

    /// Written whole or not at all: under a name of this process's own until it is complete.
    fn write(&self, line: &Line) -> anyhow::Result<()> {
        let unfinished = self.file.with_extension(format!("{}.new", std::process::id()));
        std::fs::write(&unfinished, serde_json::to_vec(line)?)?;
        Ok(std::fs::rename(&unfinished, &self.file)?)
    }
}

/// A line that another process missed already, and for which it set the hold, is no news.
async fn is_missing(tx: &mut PgConnection, seen: &Line) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"
        select (
            exists (select from deployment where id = $1)
            and not exists (select from audit_lines where id = $2 and hash = $3)
            and not exists (
                select
                from audit_lines
                where action = 'deployment.recognised' and details @> '{"wentBack": true}' and at > $4)
        ) as "missing!"
        "#,
        seen.deployment,
        seen.id,
        seen.hash,
        seen.at,
    )
    .fetch_one(tx)
    .await
}

/// Remembers while the service runs.
pub async fn keep(app: AppState) {
    let witness = Witness::of(&app.config.data_dir);
    loop {
        tokio::select! {
            () = app.tasks.stopping.cancelled() => return,
            () = tokio::time::sleep(PERIOD) => {}
        }
        if let Err(error) = witness.remember(&app.db).await {
            tracing::debug!(event = "witness.not_written", error = format!("{error:#}"), "the next try is soon");
        }
    }
}
