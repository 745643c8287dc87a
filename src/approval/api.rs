//! The addresses at which scripts decide.

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::act::{self, Act};
use super::decisions::Decided;
use crate::access::{Access, Routes};
use crate::auth::{Permission, Principal};
use crate::error::Result;
use crate::id::OperationId;
use crate::operation::{answer, api::find};
use crate::state::AppState;
use crate::web::client::ClientAddress;
use crate::web::correlation::CorrelationId;
use crate::web::extract::{Json, Path, members};

/// The routes of decisions.
pub(crate) fn routes() -> Routes {
    let decider = Access::Caller(Permission::Decide);
    Routes::new()
        .post("/api/operations/{id}/approve", decider, approve)
        .post("/api/operations/{id}/reject", decider, reject)
        // One's own request may be cancelled by whoever may ask.
        .post("/api/operations/{id}/cancel", Access::Caller(Permission::AskOperations), cancel)
        .post("/api/operations/{id}/resolve", decider, resolve)
        .post("/api/operations/{id}/acknowledge", decider, acknowledge)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ApproveBody {
    digest: String,
    comment: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RejectBody {
    reason: String,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct CancelBody {
    reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ResolveBody {
    outcome: String,
    sid: Option<String>,
    reason: String,
}

/// Who asks, at which operation: what every decision begins with.
type Context = (State<AppState>, Principal, ClientAddress, CorrelationId, Path<OperationId>);

async fn approve(context: Context, Json(body): Json<Value>) -> Result<Response> {
    let body: ApproveBody = members(body)?;
    decide(context, Act::Approve { digest: body.digest, comment: body.comment }).await
}

async fn reject(context: Context, Json(body): Json<Value>) -> Result<Response> {
    let body: RejectBody = members(body)?;
    decide(context, Act::Reject { reason: body.reason }).await
}

async fn cancel(context: Context, body: Option<Json<Value>>) -> Result<Response> {
    let body: CancelBody = body.map(|Json(body)| members(body)).transpose()?.unwrap_or_default();
    decide(context, Act::Cancel { reason: body.reason }).await
}

async fn resolve(context: Context, Json(body): Json<Value>) -> Result<Response> {
    let body: ResolveBody = members(body)?;
    decide(context, Act::Resolve { outcome: body.outcome, sid: body.sid, reason: body.reason }).await
}

async fn acknowledge(context: Context) -> Result<Response> {
    decide(context, Act::Acknowledge).await
}

async fn decide((State(app), principal, address, correlation_id, Path(id)): Context, act: Act) -> Result<Response> {
    let actor = principal.actor(address, &correlation_id);
    let operation = find(&app, id).await?;
    let decided = act::perform(&app, &principal, &actor, &operation, act).await?;
    let operation = find(&app, id).await?;
    let mut body = answer::summary(&operation, &app.public_url);
    body.insert("success".to_owned(), json!(true));
    body.insert("replayed".to_owned(), json!(decided == Decided::Before));
    Ok(Json(Value::Object(body)).into_response())
}
