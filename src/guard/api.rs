//! The hold's address for scripts.

use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use super::hold::{self, Cause, Hold};
use crate::access::{Access, Routes};
use crate::auth::{Permission, Principal};
use crate::clock::rfc3339;
use crate::error::{FieldProblem, Problem, Result};
use crate::state::AppState;
use crate::web::client::ClientAddress;
use crate::web::correlation::CorrelationId;
use crate::web::extract::{Json, members};

/// Longest reason in characters.
const REASON_LIMIT: usize = 500;

/// The routes of the hold.
pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/api/hold", Access::Caller(Permission::ReadOperations), read)
        .put("/api/hold", Access::Caller(Permission::Hold), set)
        .delete("/api/hold", Access::Caller(Permission::Hold), release)
}

/// What a PUT brings.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetBody {
    #[serde(default)]
    reason: String,
}

async fn read(State(app): State<AppState>, principal: Principal) -> Result<Json<Value>> {
    principal.require(Permission::ReadOperations)?;
    let hold = hold::current(&app.db).await?;
    Ok(Json(document(&hold)))
}

async fn set(
    State(app): State<AppState>,
    principal: Principal,
    address: ClientAddress,
    correlation_id: CorrelationId,
    Json(body): Json<Value>,
) -> Result<Json<Value>> {
    principal.require(Permission::Hold)?;
    let body: SetBody = members(body)?;
    let reason = reason(&body.reason, &principal.name)?;
    let actor = principal.actor(address, &correlation_id);
    let under_way = hold::set(&app.db, &app.clock, Cause::Person, &reason, &actor).await?;
    let mut document = document(&hold::current(&app.db).await?);
    document["underWay"] = json!(under_way);
    Ok(Json(document))
}

async fn release(
    State(app): State<AppState>,
    principal: Principal,
    address: ClientAddress,
    correlation_id: CorrelationId,
) -> Result<Json<Value>> {
    principal.require(Permission::Hold)?;
    let actor = principal.actor(address, &correlation_id);
    hold::release(&app.db, &app.clock, &actor).await?;
    app.changes.wake();
    Ok(Json(document(&hold::current(&app.db).await?)))
}

/// The reason that a person gave, or who it was.
pub(crate) fn reason(text: &str, name: &str) -> Result<String, Problem> {
    let text = text.trim().replace('\0', "");
    match text.chars().count() {
        0 => Ok(format!("Held by {name}")),
        1..=REASON_LIMIT => Ok(text),
        _ => {
            let message = format!("Keep it under {REASON_LIMIT} characters.");
            Err(Problem::invalid_fields(vec![FieldProblem::new("reason", message)]))
        }
    }
}

fn document(hold: &Hold) -> Value {
    json!({
        "held": hold.held,
        "cause": hold.cause,
        "reason": hold.reason,
        "changedBy": hold.changed_by,
        "changedAt": rfc3339(hold.changed_at),
    })
}
