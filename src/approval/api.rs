//! The addresses at which scripts decide.

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoResponses, OpenApi, ToSchema};

use super::act::{self, Act};
use super::decisions::Decided;
use crate::access::{Access, Routes};
use crate::auth::{Permission, Principal};
use crate::error::{ProblemDocument, Result};
use crate::id::OperationId;
use crate::operation::answer::{NoSuchOperation, Summary};
use crate::operation::api::find;
use crate::state::AppState;
use crate::web::client::ClientAddress;
use crate::web::correlation::CorrelationId;
use crate::web::extract::{Json, Path, members};

/// The routes of decisions.
pub(crate) fn routes() -> Routes {
    let decider = Access::Caller(Permission::Decide);
    Routes::new()
        .post("/api/operations/{id}/approve", decider.confirmed(), approve)
        .post("/api/operations/{id}/reject", decider, reject)
        // One's own request may be cancelled by whoever may ask.
        .post("/api/operations/{id}/cancel", Access::Caller(Permission::AskOperations), cancel)
        .post("/api/operations/{id}/resolve", decider.confirmed(), resolve)
        .post("/api/operations/{id}/acknowledge", decider, acknowledge)
}

/// What documents say of these addresses.
#[derive(OpenApi)]
#[openapi(paths(approve, reject, cancel, resolve, acknowledge))]
pub(crate) struct Described;

/// What is approved.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Approve)]
struct ApproveBody {
    /// The digest of the content that was read: another one is refused.
    #[schema(
        example = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        pattern = "^[0-9a-fA-F]{64}$"
    )]
    digest: String,
    /// For others to read.
    #[schema(max_length = 500)]
    comment: Option<String>,
}

/// Why not.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Reject)]
struct RejectBody {
    /// For others to read.
    #[schema(min_length = 1, max_length = 500, example = "The price is not the agreed one.")]
    reason: String,
}

/// Why it is withdrawn.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Cancel)]
struct CancelBody {
    /// For others to read.
    #[schema(max_length = 500)]
    reason: Option<String>,
}

/// What became of it, by somebody who found out.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Resolve)]
struct ResolveBody {
    /// `sent`: Twilio has it. `failed`: it was not sent, and is not to be. `send_again`: it was not sent, and goes now.
    #[schema(pattern = "^(sent|failed|send_again)$", example = "sent")]
    outcome: String,
    /// With `sent`: Twilio's name of it.
    #[schema(example = "SM0123456789abcdef0123456789abcdef")]
    sid: Option<String>,
    /// By what that was found out.
    #[schema(min_length = 1, max_length = 500, example = "It stands in Twilio's console.")]
    reason: String,
}

/// The operation after the decision.
#[derive(Serialize, ToSchema)]
#[schema(as = Decided)]
struct Decision {
    #[serde(flatten)]
    operation: Summary,
    success: bool,
    /// Whether the same decision had been made before by the same person.
    replayed: bool,
}

/// What stands against a decision.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "it describes what is answered elsewhere")]
enum Refused {
    /// `already_decided`, `digest_differs`, `not_ready`, and for an unknown outcome `nothing_to_resolve`, `too_early`,
    /// `evidence_found`, `not_looked_up`, `sid_unknown`, `sid_differs`, `sid_bound_elsewhere`: the detail says what stands
    /// there and what to do.
    #[response(status = 409, content_type = "application/problem+json")]
    Conflict(ProblemDocument),
    /// `approval_expired`: the time for a decision is over.
    #[response(status = 410, content_type = "application/problem+json")]
    Gone(ProblemDocument),
}

/// Who asks, at which operation: what every decision begins with.
type Context = (State<AppState>, Principal, ClientAddress, CorrelationId, Path<OperationId>);

/// Approve exactly this content
///
/// By somebody who may: under four eyes not by whoever asked, and by a token only where the settings let tokens decide.
#[utoipa::path(
    post,
    path = "/api/operations/{id}/approve",
    operation_id = "approveOperation",
    tag = "deciding",
    params(("id" = OperationId, Path, description = "The operation.")),
    request_body(content = ApproveBody),
    responses(
        (status = 200, description = "It is so, now or already.", body = Decision),
        NoSuchOperation,
        Refused,
    ),
)]
async fn approve(context: Context, Json(body): Json<Value>) -> Result<Response> {
    let body: ApproveBody = members(body)?;
    decide(context, Act::Approve { digest: body.digest, comment: body.comment }).await
}

/// Reject
///
/// It will not be sent.
#[utoipa::path(
    post,
    path = "/api/operations/{id}/reject",
    operation_id = "rejectOperation",
    tag = "deciding",
    params(("id" = OperationId, Path, description = "The operation.")),
    request_body(content = RejectBody),
    responses(
        (status = 200, description = "It is so, now or already.", body = Decision),
        NoSuchOperation,
        Refused,
    ),
)]
async fn reject(context: Context, Json(body): Json<Value>) -> Result<Response> {
    let body: RejectBody = members(body)?;
    decide(context, Act::Reject { reason: body.reason }).await
}

/// Withdraw
///
/// One's own request, or another's by those who decide; until it is claimed for sending. The body may be absent.
#[utoipa::path(
    post,
    path = "/api/operations/{id}/cancel",
    operation_id = "cancelOperation",
    tag = "deciding",
    params(("id" = OperationId, Path, description = "The operation.")),
    request_body(content = Option<CancelBody>),
    responses(
        (status = 200, description = "It is so, now or already.", body = Decision),
        NoSuchOperation,
        Refused,
    ),
)]
async fn cancel(context: Context, body: Option<Json<Value>>) -> Result<Response> {
    let body: CancelBody = body.map(|Json(body)| members(body)).transpose()?.unwrap_or_default();
    decide(context, Act::Cancel { reason: body.reason }).await
}

/// Settle an unknown outcome
///
/// By somebody who found out what became of it. What Twilio reports later still counts.
#[utoipa::path(
    post,
    path = "/api/operations/{id}/resolve",
    operation_id = "resolveOperation",
    tag = "deciding",
    params(("id" = OperationId, Path, description = "The operation.")),
    request_body(content = ResolveBody),
    responses(
        (status = 200, description = "It is so, now or already.", body = Decision),
        NoSuchOperation,
        Refused,
    ),
)]
async fn resolve(context: Context, Json(body): Json<Value>) -> Result<Response> {
    let body: ResolveBody = members(body)?;
    decide(context, Act::Resolve { outcome: body.outcome, sid: body.sid, reason: body.reason }).await
}

/// Take note
///
/// Takes it off "needs attention".
#[utoipa::path(
    post,
    path = "/api/operations/{id}/acknowledge",
    operation_id = "acknowledgeOperation",
    tag = "deciding",
    params(("id" = OperationId, Path, description = "The operation.")),
    responses(
        (status = 200, description = "It is so, now or already.", body = Decision),
        NoSuchOperation,
        Refused,
    ),
)]
async fn acknowledge(context: Context) -> Result<Response> {
    decide(context, Act::Acknowledge).await
}

async fn decide((State(app), principal, address, correlation_id, Path(id)): Context, act: Act) -> Result<Response> {
    let actor = principal.actor(address, &correlation_id);
    let operation = find(&app, id).await?;
    let decided = act::perform(&app, &principal, &actor, &operation, act).await?;
    let operation = find(&app, id).await?;
    let operation = Summary::of(&operation, &app.public_url);
    Ok(Json(Decision { operation, success: true, replayed: decided == Decided::Before }).into_response())
}
