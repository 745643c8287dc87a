//! What the audit was at the beginning of a day: one row, made by whichever process comes first. A row that is also kept
//! elsewhere finds out even somebody who wrote the whole table anew.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use sqlx::{PgConnection, PgPool};
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{Date, OffsetDateTime};

use crate::clock::Clock;
use crate::database;
use crate::operation::content::hex;
use crate::state::AppState;

const DAY: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]");

/// How often a process looks whether a day has begun.
const LOOK: Duration = Duration::from_mins(10);

/// What is done with the whole table takes its time: a second or two for a million lines.
pub(super) const WITHOUT_HURRY: &str = "set local statement_timeout = 0";

/// The lines before one midnight (UTC), in five numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The day that began then.
    pub day: Date,
    /// How many lines there were.
    pub lines: i64,
    /// On how many objects.
    pub objects: i64,
    /// A hash over the last line of each object, each of which is one over all before it.
    pub heads: Vec<u8>,
    /// A hash over all this and the checkpoint before.
    pub hash: Vec<u8>,
}

/// A text that is no checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this is not a line that `mission-control audit checkpoint` prints: it has a day, lines=, objects=, heads= and hash="
)]
pub struct NoCheckpoint;

/// What can be counted of the lines before a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) lines: i64,
    pub(super) objects: i64,
    pub(super) heads: Vec<u8>,
}

impl Checkpoint {
    pub(super) fn of(day: Date, heads: Count, previous: Option<&[u8]>) -> Self {
        let Count { lines, objects, heads } = heads;
        let mut checkpoint = Self { day, lines, objects, heads, hash: Vec::new() };
        checkpoint.hash = checkpoint.fingerprint(previous);
        checkpoint
    }

    /// What its hash must be after that of the one before it.
    pub(super) fn fingerprint(&self, previous: Option<&[u8]>) -> Vec<u8> {
        let mut hasher = Sha256::new();
        hasher.update(previous.unwrap_or_default());
        hasher.update(self.counted());
        hasher.finalize().to_vec()
    }

    pub(super) fn heads(&self) -> Count {
        Count { lines: self.lines, objects: self.objects, heads: self.heads.clone() }
    }

    fn counted(&self) -> String {
        let Self { day, lines, objects, heads, .. } = self;
        format!("{day} lines={lines} objects={objects} heads={}", hex(heads))
    }
}

impl fmt::Display for Checkpoint {
    /// One line, to be kept elsewhere.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} hash={}", self.counted(), hex(&self.hash))
    }
}

impl FromStr for Checkpoint {
    type Err = NoCheckpoint;

    fn from_str(text: &str) -> Result<Self, NoCheckpoint> {
        let mut words = text.split_whitespace();
        let day = words.next().and_then(|day| Date::parse(day, DAY).ok()).ok_or(NoCheckpoint)?;
        let mut value = |name: &str| words.next().and_then(|word| word.strip_prefix(name)).ok_or(NoCheckpoint);
        let lines = value("lines=")?.parse().map_err(|_| NoCheckpoint)?;
        let objects = value("objects=")?.parse().map_err(|_| NoCheckpoint)?;
        let heads = unhex(value("heads=")?).ok_or(NoCheckpoint)?;
        let hash = unhex(value("hash=")?).ok_or(NoCheckpoint)?;
        match words.next() {
            None => Ok(Self { day, lines, objects, heads, hash }),
            Some(_) => Err(NoCheckpoint),
        }
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let is_hash = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let pairs = text.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
    if is_hash { pairs.collect() } else { None }
}

/// Makes the checkpoint of the day that has begun, unless there is one. `None`: there is, or another process makes it.
pub async fn make(db: &PgPool, clock: &Clock) -> sqlx::Result<Option<Checkpoint>> {
    // Five minutes later every transaction of the day before has ended: none of ours may stand still for long.
    let due = sqlx::query_scalar!(
        r#"
        select day as "day!"
        from (select ((clock_timestamp() + $1 - interval '5 minutes') at time zone 'UTC')::date as day) today
        where not exists (select from audit_checkpoints where audit_checkpoints.day >= today.day)
        "#,
        clock.offset(),
    );
    let Some(day) = due.fetch_optional(db).await? else { return Ok(None) };
    let mut tx = database::begin(db).await?;
    sqlx::query(WITHOUT_HURRY).execute(&mut *tx).await?;
    let is_ours = sqlx::query_scalar!(
        r#"select pg_try_advisory_xact_lock(hashtextextended('audit/checkpoint', 0)) as "is_ours!""#
    );
    if !is_ours.fetch_one(&mut *tx).await? {
        return Ok(None);
    }
    let newest = newest(&mut tx).await?;
    if newest.as_ref().is_some_and(|newest| newest.day >= day) {
        return Ok(None);
    }
    let previous = newest.map(|newest| newest.hash);
    let made = Checkpoint::of(day, heads(&mut tx, day).await?, previous.as_deref());
    let row = sqlx::query!(
        r#"
        insert into audit_checkpoints (day, lines, objects, heads, prev_hash, hash, made_at)
        values ($1, $2, $3, $4, $5, $6, clock_timestamp() + $7)
        on conflict do nothing
        "#,
        made.day,
        made.lines,
        made.objects,
        made.heads,
        previous,
        made.hash,
        clock.offset(),
    );
    let is_new = row.execute(&mut *tx).await?.rows_affected() > 0;
    tx.commit().await?;
    Ok(is_new.then_some(made))
}

/// The newest one, if a day has begun since the installation was made.
pub(super) async fn newest(connection: &mut PgConnection) -> sqlx::Result<Option<Checkpoint>> {
    sqlx::query_as!(
        Checkpoint,
        "select day, lines, objects, heads, hash from audit_checkpoints order by day desc limit 1",
    )
    .fetch_optional(connection)
    .await
}

/// What there is now of the lines before a day. Nothing in it depends on when it is asked, nor on how the database
/// compares texts.
pub(super) async fn heads(connection: &mut PgConnection, day: Date) -> sqlx::Result<Count> {
    let midnight: OffsetDateTime = day.midnight().assume_utc();
    sqlx::query_as!(
        Count,
        r#"
        select
            coalesce(sum(lines), 0)::bigint as "lines!",
            count(*) as "objects!",
            sha256(coalesce(
                string_agg(
                    sha256(convert_to(jsonb_build_array(object, seq, encode(hash, 'hex'))::text, 'UTF8')),
                    ''::bytea order by object collate "C"),
                ''::bytea)) as "heads!"
        from (
            select distinct on (object)
                object,
                seq,
                hash,
                count(*) over (partition by object) as lines
            from audit_lines
            where at < $1
            order by
                object,
                seq desc
        ) last
        "#,
        midnight,
    )
    .fetch_one(connection)
    .await
}

/// Makes each day's checkpoint in time, until the service stops.
pub(crate) async fn run(app: AppState) {
    loop {
        match make(&app.db, &app.clock).await {
            Ok(Some(made)) => {
                let (lines, objects) = (made.lines, made.objects);
                tracing::info!(event = "audit.checkpoint", day = %made.day, lines, objects, "the audit was counted");
            }
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(event = "audit.no_checkpoint", %error, "the audit was not counted; it is tried again");
            }
        }
        tokio::select! {
            () = app.tasks.stopping.cancelled() => break,
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;

    fn checkpoint() -> Checkpoint {
        Checkpoint::of(date!(2026 - 11 - 27), Count { lines: 12, objects: 3, heads: vec![0xab; 32] }, Some(&[1; 32]))
    }

    #[test]
    fn a_line_is_read_as_it_is_printed() {
        let line = checkpoint().to_string();
        assert!(line.starts_with("2026-11-27 lines=12 objects=3 heads=abab"), "{line}");
        assert_eq!(format!(" {line}\n").parse(), Ok(checkpoint()));
        for wrong in ["", "2026-11-27", &line[..line.len() - 1], &format!("{line} x"), &line.replace("lines", "line")] {
            assert_eq!(wrong.parse::<Checkpoint>(), Err(NoCheckpoint), "{wrong}");
        }
    }

    #[test]
    fn its_hash_is_over_every_number_and_the_one_before() {
        let base = checkpoint();
        let others = [
            Checkpoint { day: date!(2026 - 11 - 28), ..base.clone() },
            Checkpoint { lines: 13, ..base.clone() },
            Checkpoint { objects: 4, ..base.clone() },
            Checkpoint { heads: vec![0xac; 32], ..base.clone() },
        ];
        assert_eq!(base.fingerprint(Some(&[1; 32])), base.hash);
        assert!(others.iter().all(|other| other.fingerprint(Some(&[1; 32])) != base.hash));
        assert!(base.fingerprint(None) != base.hash && base.fingerprint(Some(&[2; 32])) != base.hash);
    }
}
