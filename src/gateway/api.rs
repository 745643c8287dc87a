//! Inbound calls for programs.

use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use super::calls::list::{Call, PAGE_LIMIT, list};
use crate::access::{Access, Routes};
use crate::audit::mask;
use crate::auth::{Permission, Principal};
use crate::clock::rfc3339;
use crate::config::Mode;
use crate::error::{FieldProblem, Problem, Result};
use crate::phone;
use crate::state::AppState;
use crate::web::extract::{Json, Query};

/// Rows of a page, unless the caller says.
const DEFAULT_LIMIT: i64 = 50;

/// The route of the list.
pub(super) fn routes() -> Routes {
    Routes::new().get("/api/inbound-calls", Access::Caller(Permission::ReadOperations), show)
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    cursor: Option<i64>,
    limit: Option<i64>,
}

async fn show(
    State(app): State<AppState>,
    principal: Principal,
    Query(query): Query<ListQuery>,
) -> Result<Json<Value>> {
    principal.require(Permission::ReadOperations)?;
    if query.limit.is_some_and(|limit| !(1..=PAGE_LIMIT).contains(&limit)) {
        let wrong = FieldProblem::new("limit", format!("A page has 1 to {PAGE_LIMIT} rows."));
        return Err(Problem::invalid_fields(vec![wrong]).into());
    }
    let page = list(&app.db, app.config.mode, query.cursor, query.limit.unwrap_or(DEFAULT_LIMIT)).await?;
    let is_masked = !principal.sees_numbers();
    let calls: Vec<Value> = page.calls.iter().map(|call| document(call, app.config.mode, is_masked)).collect();
    Ok(Json(json!({ "calls": calls, "nextCursor": page.next.map(|next| next.to_string()) })))
}

fn document(call: &Call, mode: Mode, is_masked: bool) -> Value {
    let number = |number: &str| if is_masked { phone::mask(number) } else { number.to_owned() };
    let greeting = call.greeting.as_ref().map(|text| if is_masked { mask::text(text) } else { text.clone() });
    json!({
        "sid": call.sid,
        "mode": mode,
        "direction": call.direction,
        "from": number(&call.from),
        "to": number(&call.to),
        "verdict": call.verdict.as_str(),
        "greeting": greeting,
        "clipId": call.clip,
        "state": call.state.as_str(),
        "status": call.status,
        "durationSeconds": call.duration_seconds,
        "startedAt": rfc3339(call.started_at),
        "answeredAt": call.answered_at.map(rfc3339),
        "endedAt": call.ended_at.map(rfc3339),
        "endReason": call.end_reason,
        "conflicted": call.conflicted_at.is_some(),
        "conflictedAt": call.conflicted_at.map(rfc3339),
    })
}
