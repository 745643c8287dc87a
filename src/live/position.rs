//! How far a page has heard: the number of an audit line, since every change of an operation writes one in the same
//! transaction. Numbers are handed out before commits, so whoever comes back is told the moments before it once more.

use std::fmt;
use std::str::FromStr;

use sqlx::PgPool;

use super::MOST;
use crate::config::Mode;
use crate::id::OperationId;

/// Audit lines that may still have been uncommitted when a later one was read: so many at most, and no older than this
/// many seconds; every transaction that writes one is shorter.
const OVERLAP: i64 = 500;
const OVERLAP_SECONDS: f64 = 10.0;

/// Lines that are looked through for a page that comes back; one that was away for longer loads itself again.
const REACH: i64 = 20_000;

/// The last audit line that a page has heard about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
pub(crate) struct Position(i64);

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl FromStr for Position {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// Where the service stands.
pub(crate) async fn now(db: &PgPool) -> sqlx::Result<Position> {
    sqlx::query_scalar!(r#"select coalesce(max(id), 0) as "position!" from audit_lines"#)
        .fetch_one(db)
        .await
        .map(Position)
}

/// The operations of this mode that changed since; `None` if there were too many to say. What a page heard already may be
/// among them.
pub(super) async fn changed_since(db: &PgPool, mode: Mode, since: Position) -> sqlx::Result<Option<Vec<OperationId>>> {
    let rows = sqlx::query!(
        r#"
        with newest as (select coalesce(max(id), 0) as id from audit_lines),
        known as (select at from audit_lines where id <= $1 order by id desc limit 1)
        select distinct on (line.object)
            substr(line.object, length('operation/') + 1)::uuid as "id!: OperationId",
            newest.id - $1 > $2 as "is_far!"
        from newest, audit_lines line
        where line.id > greatest($1 - $3, newest.id - $2)
            and (line.id > $1 or line.at > (select at from known) - make_interval(secs => $6))
            and line.object like 'operation/%'
            and line.mode = $4
        limit $5
        "#,
        since.0,
        REACH,
        OVERLAP,
        mode.as_str(),
        i64::try_from(MOST).unwrap_or(i64::MAX) + 1,
        OVERLAP_SECONDS,
    )
    .fetch_all(db)
    .await?;
    let is_all = rows.len() <= MOST && rows.iter().all(|row| !row.is_far);
    Ok(is_all.then(|| rows.into_iter().map(|row| row.id).collect()))
}
