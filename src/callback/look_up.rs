//! What Twilio says when it is asked about something that it took: a fact like a report, about a SID that is bound.

use serde_json::json;

use super::facts::{self, Effect, Report, Source};
use crate::id::OperationId;
use crate::operation::content::Kind;
use crate::state::AppState;
use crate::twilio::look_up::Resource;

/// Stores the answer, unless it says what an earlier one said, and moves the operation by rank. Answers whether it moved.
pub(super) async fn take_look_up(
    app: &AppState,
    operation: OperationId,
    kind: Kind,
    account_sid: &str,
    resource: &Resource,
) -> anyhow::Result<bool> {
    let report = Report {
        kind,
        source: Source::LookUp,
        operation,
        ref_hash: None,
        account_sid: account_sid.to_owned(),
        sid: resource.sid.clone(),
        status: resource.status.clone(),
        error_code: resource.error_code,
        sequence: None,
        // Never the text: it stands at the operation, and Twilio may have redacted it.
        payload: json!({
            "sid": resource.sid,
            "status": resource.status,
            "error_code": resource.error_code,
            "date_created": resource.date_created,
        }),
    };
    let effect = facts::take(&app.db, &app.clock, app.config.mode, &report).await?;
    tracing::info!(event = "twilio.look_up", %operation, sid = resource.sid, status = resource.status, effect = ?effect);
    Ok(effect == Effect::Moved)
}
