//! What follows from a look: a verdict and its evidence, in one transaction.

use serde_json::json;
use time::Duration;

use super::evidence::{Finding, judge};
use super::{BETWEEN_LOOKS, Due, NotAsked, kept, ours, verdict};
use crate::config::OnUnknown;
use crate::database;
use crate::dispatch::{fence, reconcile};
use crate::state::AppState;
use crate::twilio::look_up::Listing;

/// How long after the settle time a look may still come to nothing (Twilio away, or another send of ours first) before a
/// person is asked.
const PATIENCE: Duration = Duration::minutes(10);

/// Draws the conclusion and writes it down with its evidence, in one transaction that holds the attempt's lock and the
/// operation's row: what was reported meanwhile wins.
pub(super) async fn conclude(app: &AppState, due: &Due, listing: Result<&Listing, &NotAsked>) -> sqlx::Result<bool> {
    let mut tx = database::begin(&app.db).await?;
    if !fence::owner_is_gone(&mut tx, due.lock_key).await? {
        return Ok(false);
    }
    reconcile::lock_operation(&mut tx, due.operation).await?;
    if reconcile::close_by_report(&mut tx, &app.clock, due.id, due.operation, due.number).await? {
        tx.commit().await?;
        return Ok(true);
    }
    let patience_ended = due.asked_at > due.settle_at + PATIENCE;
    let settings = app.settings.current();
    let mode = app.config.mode;
    let (found, conclusion, changed) = match listing {
        Err(error) => {
            let found = json!({ "listed": 0, "candidates": [], "error": error.to_string() });
            let reason = match error {
                NotAsked::NoCredentials => Some(error.to_string()),
                NotAsked::NoAnswer(_) => patience_ended.then(|| "Twilio could not be asked what it has.".to_owned()),
            };
            let changed = match reason {
                Some(reason) => verdict::hand_to_a_person(&mut tx, &app.clock, due, &reason).await?,
                None => false,
            };
            (found, "not_looked_up", changed)
        }
        Ok(listing) => {
            let candidates = ours::unbound(&mut tx, due.sought.candidates(listing)).await?;
            let others = !candidates.is_empty() && ours::others_under_way(&mut tx, due, &candidates).await?;
            let finding = judge(&candidates, settings.dispatch.sender_is_exclusive(mode), others && !patience_ended);
            let (conclusion, changed) = match finding {
                Finding::Found(sid) if verdict::bind(&mut tx, &app.clock, due, &sid).await? => ("bound", true),
                Finding::OthersFirst => ("waiting", false),
                Finding::Nothing if due.last_absent_at.is_some_and(|first| due.asked_at - first >= BETWEEN_LOOKS) => {
                    let may_resend = settings.dispatch.on_unknown(mode) == OnUnknown::Auto;
                    ("absent", verdict::absent(&mut tx, &app.clock, due, may_resend).await?)
                }
                Finding::Nothing => {
                    verdict::note_absence(&mut tx, due).await?;
                    ("absent_once", false)
                }
                Finding::Found(_) | Finding::Unclear => {
                    let reason = "Twilio lists something that may be it, and may be something else.";
                    ("unclear", verdict::hand_to_a_person(&mut tx, &app.clock, due, reason).await?)
                }
            };
            (kept::found(listing, &candidates), conclusion, changed)
        }
    };
    kept::keep(&mut tx, app, (due.operation, due.id), &due.sought, &found, conclusion).await?;
    tx.commit().await?;
    tracing::info!(event = "dispatch.looked_up", operation = %due.operation, attempt = due.number, conclusion);
    Ok(changed)
}
