//! Whether the audit is as it was written: every hash and every link is made again here, line by line, and compared; then
//! the whole with its newest checkpoint, and with one that was kept elsewhere.

use std::fmt;

use futures_util::TryStreamExt as _;
use sha2::{Digest as _, Sha256};
use sqlx::{PgConnection, PgPool};
use time::Date;

use super::checkpoint::{self, Checkpoint, WITHOUT_HURRY};
use crate::database;

/// Most faults that are told one by one.
const TOLD: usize = 20;

/// What was found.
#[derive(Debug)]
pub struct Verified {
    /// How many lines were read.
    pub lines: u64,
    /// On how many objects.
    pub objects: u64,
    /// The newest checkpoint, if there is one.
    pub checkpoint: Option<Checkpoint>,
    /// The first of what is wrong.
    pub faults: Vec<Fault>,
    /// How much is wrong.
    pub count: u64,
}

/// Something that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A line does not give its hash.
    Edited {
        /// On what it is.
        object: String,
        /// Its number there.
        seq: i32,
    },
    /// A line does not follow the one before it.
    Unlinked {
        /// On what it is.
        object: String,
        /// Its number there.
        seq: i32,
    },
    /// Lines are missing.
    Missing {
        /// On what they were.
        object: String,
        /// The first that is missing.
        first: i32,
        /// The last.
        last: i32,
    },
    /// A number is there twice.
    Repeated {
        /// On what it is.
        object: String,
        /// The number.
        seq: i32,
    },
    /// A checkpoint does not give its hash, or does not follow the one before it.
    CheckpointEdited {
        /// Its day.
        day: Date,
    },
    /// The lines are others than a checkpoint counted.
    Counted {
        /// What was counted.
        then: Checkpoint,
        /// Lines there are of them now.
        lines: i64,
        /// Objects there are of them now.
        objects: i64,
    },
    /// The checkpoint that was kept elsewhere is not in the database.
    KeptIsMissing {
        /// Its day.
        day: Date,
    },
    /// The database has another checkpoint of that day than the one that was kept elsewhere.
    KeptDiffers {
        /// Its day.
        day: Date,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Edited { object, seq } => write!(f, "{object}, line {seq}: it was edited, or its hash was"),
            Self::Unlinked { object, seq } => {
                write!(f, "{object}, line {seq}: it does not follow the line before, one of the two is another")
            }
            Self::Missing { object, first, last } if first == last => {
                write!(f, "{object}, line {first}: it is missing")
            }
            Self::Missing { object, first, last } => write!(f, "{object}, lines {first} to {last}: they are missing"),
            Self::Repeated { object, seq } => write!(f, "{object}, line {seq}: it is there more than once"),
            Self::CheckpointEdited { day } => {
                write!(f, "checkpoint of {day}: it was edited, or the one before it was edited or removed")
            }
            Self::Counted { then, lines, objects } => write!(
                f,
                "lines before {}: there were {} on {} objects, there are {lines} on {objects}{}: lines were cut off, removed, added or written anew",
                then.day,
                then.lines,
                then.objects,
                if (then.lines, then.objects) == (*lines, *objects) { ", and some are others" } else { "" },
            ),
            Self::KeptIsMissing { day } => write!(f, "checkpoint of {day}: it is not in the database"),
            Self::KeptDiffers { day } => {
                write!(f, "checkpoint of {day}: the one in the database is another than the one that was kept")
            }
        }
    }
}

impl Verified {
    fn note(&mut self, fault: Fault) {
        self.count += 1;
        if self.faults.len() < TOLD {
            self.faults.push(fault);
        }
    }
}

/// Where the walk along one object's chain stands.
struct Place {
    object: String,
    seq: i32,
    hash: Vec<u8>,
}

/// Verifies all of it as it is at this moment, in memory that does not grow with it.
pub async fn verify(db: &PgPool, kept: Option<&Checkpoint>) -> sqlx::Result<Verified> {
    let mut tx = database::begin_snapshot(db).await?;
    sqlx::query(WITHOUT_HURRY).execute(&mut *tx).await?;
    // Along the index of chains: a sort of everything would be written to the server's disk first.
    sqlx::query("set local enable_sort = off").execute(&mut *tx).await?;
    let mut verified = Verified { lines: 0, objects: 0, checkpoint: None, faults: Vec::new(), count: 0 };
    walk(&mut tx, &mut verified).await?;
    sqlx::query("set local enable_sort = on").execute(&mut *tx).await?;
    compare(&mut tx, &mut verified, kept).await?;
    tx.commit().await?;
    Ok(verified)
}

async fn walk(tx: &mut PgConnection, verified: &mut Verified) -> sqlx::Result<()> {
    // The text is what the table's trigger hashes; a test compares the two.
    let mut lines = sqlx::query!(
        r#"
        select
            object,
            seq,
            prev_hash,
            hash,
            jsonb_build_array(
                object, seq, extract(epoch from at), actor, actor_id, token_id, action, from_state, to_state, mode, ip,
                correlation_id, details)::text as "text!"
        from audit_lines
        order by
            object,
            seq
        "#,
    )
    .fetch(tx);
    let mut before: Option<Place> = None;
    while let Some(line) = lines.try_next().await? {
        verified.lines += 1;
        let follows = before.as_ref().filter(|before| before.object == line.object);
        verified.objects += u64::from(follows.is_none());
        let (last, link) = follows.map_or((0, None), |before| (before.seq, Some(&before.hash)));
        let (object, seq) = (|| line.object.clone(), line.seq);
        if seq <= last {
            verified.note(Fault::Repeated { object: object(), seq });
        } else if seq > last + 1 {
            verified.note(Fault::Missing { object: object(), first: last + 1, last: seq - 1 });
        } else if line.prev_hash.as_ref() != link {
            verified.note(Fault::Unlinked { object: object(), seq });
        }
        if fingerprint(line.prev_hash.as_deref(), &line.text) != line.hash {
            verified.note(Fault::Edited { object: object(), seq });
        }
        before = Some(Place { object: line.object, seq, hash: line.hash });
    }
    Ok(())
}

fn fingerprint(previous: Option<&[u8]>, text: &str) -> Vec<u8> {
    let mut hasher = Sha256::new();
    hasher.update(previous.unwrap_or_default());
    hasher.update(text);
    hasher.finalize().to_vec()
}

async fn compare(tx: &mut PgConnection, verified: &mut Verified, kept: Option<&Checkpoint>) -> sqlx::Result<()> {
    let mut previous: Option<Vec<u8>> = None;
    let mut same_day = None;
    let rows = sqlx::query!("select day, lines, objects, heads, prev_hash, hash from audit_checkpoints order by day")
        .fetch_all(&mut *tx)
        .await?;
    for row in rows {
        let checkpoint =
            Checkpoint { day: row.day, lines: row.lines, objects: row.objects, heads: row.heads, hash: row.hash };
        if row.prev_hash != previous || checkpoint.fingerprint(previous.as_deref()) != checkpoint.hash {
            verified.note(Fault::CheckpointEdited { day: checkpoint.day });
        }
        if kept.is_some_and(|kept| kept.day == checkpoint.day) {
            same_day = Some(checkpoint.clone());
        }
        previous = Some(checkpoint.hash.clone());
        verified.checkpoint = Some(checkpoint);
    }
    if let Some(newest) = verified.checkpoint.clone() {
        count(tx, verified, newest).await?;
    }
    if let Some(kept) = kept {
        match &same_day {
            None => verified.note(Fault::KeptIsMissing { day: kept.day }),
            Some(same_day) if same_day != kept => verified.note(Fault::KeptDiffers { day: kept.day }),
            Some(_) => {}
        }
        // Whatever the table of checkpoints says.
        if verified.checkpoint.as_ref() != Some(kept) {
            count(tx, verified, kept.clone()).await?;
        }
    }
    Ok(())
}

/// Compares what a checkpoint counted with what there is.
async fn count(tx: &mut PgConnection, verified: &mut Verified, then: Checkpoint) -> sqlx::Result<()> {
    let now = checkpoint::heads(tx, then.day).await?;
    if now != then.heads() {
        verified.note(Fault::Counted { then, lines: now.lines, objects: now.objects });
    }
    Ok(())
}
