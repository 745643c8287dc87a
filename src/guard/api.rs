//! The hold's address for scripts.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{OpenApi, ToSchema};

use super::hold::{self, Cause, Hold};
use crate::access::{Access, Routes};
use crate::auth::{Permission, Principal};
use crate::clock::Timestamp;
use crate::error::{FieldProblem, Problem, Result};
use crate::id::OperationId;
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
        .delete("/api/hold", Access::Caller(Permission::Hold).confirmed(), release)
}

/// What documents say of this address.
#[derive(OpenApi)]
#[openapi(paths(read, set, release))]
pub(crate) struct Described;

/// Why everything stops.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SetHold)]
struct SetBody {
    /// For everybody to read; without one it says who it was.
    #[serde(default)]
    #[schema(max_length = 500, example = "The campaign has a wrong link.")]
    reason: String,
}

/// Whether sending is stopped.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Hold)]
struct HoldDocument {
    held: bool,
    /// Who or what stopped it.
    #[schema(required = true)]
    cause: Option<Cause>,
    /// Why, in words.
    #[schema(required = true)]
    reason: Option<String>,
    /// Who changed it last.
    #[schema(required = true)]
    changed_by: Option<String>,
    changed_at: Timestamp,
}

/// The hold, just set.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct HoldSet {
    #[serde(flatten)]
    hold: HoldDocument,
    /// What was already on its way, and may still arrive.
    under_way: Vec<OperationId>,
}

/// Whether sending is stopped
#[utoipa::path(
    get, path = "/api/hold", operation_id = "readHold", tag = "holding",
    responses((status = 200, description = "As it stands.", body = HoldDocument)),
)]
async fn read(State(app): State<AppState>) -> Result<Json<HoldDocument>> {
    let hold = hold::current(&app.db).await?;
    Ok(Json(document(hold)))
}

/// Stop all sending
///
/// No send that begins after the answer passes it.
#[utoipa::path(
    put, path = "/api/hold", operation_id = "setHold", tag = "holding",
    request_body(content = SetBody),
    responses((status = 200, description = "It is stopped.", body = HoldSet)),
)]
async fn set(
    State(app): State<AppState>,
    principal: Principal,
    address: ClientAddress,
    correlation_id: CorrelationId,
    Json(body): Json<Value>,
) -> Result<Json<HoldSet>> {
    let body: SetBody = members(body)?;
    let reason = reason(&body.reason, &principal.name)?;
    let actor = principal.actor(address, &correlation_id);
    let under_way = hold::set(&app.db, &app.clock, Cause::Person, &reason, &actor).await?;
    Ok(Json(HoldSet { hold: document(hold::current(&app.db).await?), under_way }))
}

/// Resume sending
#[utoipa::path(
    delete, path = "/api/hold", operation_id = "releaseHold", tag = "holding",
    responses((status = 200, description = "It goes on.", body = HoldDocument)),
)]
async fn release(
    State(app): State<AppState>,
    principal: Principal,
    address: ClientAddress,
    correlation_id: CorrelationId,
) -> Result<Json<HoldDocument>> {
    let actor = principal.actor(address, &correlation_id);
    hold::release(&app.db, &app.clock, &actor).await?;
    app.changes.wake();
    Ok(Json(document(hold::current(&app.db).await?)))
}

/// The reason that a person gave, or who it was.
pub(crate) fn reason(text: &str, name: &str) -> Result<String, Problem> {
    if text.chars().count() > REASON_LIMIT {
        let message = format!("Keep it under {REASON_LIMIT} characters.");
        return Err(Problem::invalid_fields(vec![FieldProblem::new("reason", message)]));
    }
    let text = text.trim().replace('\0', "");
    Ok(if text.is_empty() { format!("Held by {name}") } else { text })
}

fn document(hold: Hold) -> HoldDocument {
    let Hold { held, cause, reason, changed_by, changed_at } = hold;
    HoldDocument { held, cause, reason, changed_by, changed_at: Timestamp(changed_at) }
}
