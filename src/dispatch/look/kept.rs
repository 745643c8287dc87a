//! What was asked and what was found, kept for whoever has to understand it later.

use serde_json::{Value, json};
use sqlx::PgConnection;

use super::evidence::{Candidate, SKEW, Sought};
use crate::clock::rfc3339;
use crate::id::{AttemptId, OperationId};
use crate::state::AppState;
use crate::twilio::look_up::{self, Listing};

/// What came of the list, as it is kept.
pub(super) fn found(listing: &Listing, candidates: &[Candidate]) -> Value {
    json!({
        "listed": listing.resources.len(),
        "candidates": candidates.iter().map(Candidate::as_json).collect::<Vec<_>>(),
    })
}

/// Keeps one look.
pub(super) async fn keep(
    tx: &mut PgConnection,
    app: &AppState,
    (operation, attempt): (OperationId, AttemptId),
    sought: &Sought,
    found: &Value,
    conclusion: &str,
) -> sqlx::Result<()> {
    let asked = json!({
        "resource": look_up::name(sought.kind),
        "from": sought.from,
        "since": rfc3339(sought.since()),
        "until": rfc3339(sought.deadline_at + SKEW),
    });
    sqlx::query!(
        r#"
        insert into evidence (attempt_id, operation_id, asked, found, conclusion, at)
        values ($1, $2, $3, $4, $5, clock_timestamp() + $6::interval)
        "#,
        attempt.0,
        operation.0,
        asked,
        found,
        conclusion,
        app.clock.offset(),
    )
    .execute(tx)
    .await?;
    Ok(())
}
