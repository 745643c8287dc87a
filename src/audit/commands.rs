//! The sub-commands `audit verify` and `audit checkpoint`.

use std::io::Write;

use sqlx::PgPool;

use super::checkpoint::{self, Checkpoint};
use super::verify::verify;
use crate::clock::Clock;

/// The audit.
#[derive(Debug, clap::Subcommand)]
pub enum AuditCommand {
    /// Make every hash anew and compare it; exit code 1 if anything is not as it was written.
    Verify {
        /// A line that `audit checkpoint` printed and that was kept where nobody who writes to the database can change it.
        #[arg(long, value_name = "LINE")]
        against: Option<Checkpoint>,
    },
    /// Print the newest checkpoint in one line, to be kept elsewhere.
    Checkpoint,
}

/// Carries out `audit ...`.
pub async fn audit(db: &PgPool, clock: &Clock, command: AuditCommand, mut output: impl Write) -> anyhow::Result<()> {
    match command {
        AuditCommand::Verify { against } => {
            let verified = verify(db, against.as_ref()).await?;
            for fault in &verified.faults {
                writeln!(output, "{fault}")?;
            }
            let count = verified.count;
            anyhow::ensure!(
                count == 0,
                "the audit is not as it was written: {count} found{}. Keep the database as it is, and compare it with a backup.",
                if verified.faults.len() < usize::try_from(count)? { ", the first are above" } else { "" },
            );
            writeln!(
                output,
                "{} lines on {} objects: every hash and link is right.",
                verified.lines, verified.objects
            )?;
            match verified.checkpoint {
                None => writeln!(output, "There is no checkpoint yet: `audit checkpoint` makes one.")?,
                Some(newest) => {
                    writeln!(output, "The {} lines before {} are those counted then.", newest.lines, newest.day)?;
                }
            }
        }
        AuditCommand::Checkpoint => {
            // The day's, if no process was there to make it.
            checkpoint::make(db, clock).await?;
            let mut connection = db.acquire().await?;
            match checkpoint::newest(&mut connection).await? {
                Some(newest) => writeln!(output, "{newest}")?,
                None => anyhow::bail!("there is no checkpoint, and another process is making it: run this again"),
            }
        }
    }
    Ok(())
}
