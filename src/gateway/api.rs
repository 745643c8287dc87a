//! Inbound calls for programs.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, OpenApi, ToSchema};

use super::calls::list::{Call, PAGE_LIMIT, list};
use crate::access::{Access, Routes};
use crate::audit::mask;
use crate::auth::{Permission, Principal};
use crate::clock::Timestamp;
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

/// What documents say of this address.
#[derive(OpenApi)]
#[openapi(paths(show))]
pub(crate) struct Described;

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// `nextCursor` of the page before.
    #[param(nullable = false)]
    cursor: Option<i64>,
    /// Rows of a page.
    #[param(nullable = false, minimum = 1, maximum = 200, default = 50)]
    limit: Option<i64>,
}

/// One call that came in, or that a gateway was told of.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct InboundCall {
    /// Twilio's name of it.
    #[schema(example = "CA0123456789abcdef0123456789abcdef")]
    sid: String,
    mode: Mode,
    direction: String,
    /// For viewers without its middle.
    #[schema(example = "+14155550132")]
    from: String,
    to: String,
    /// What the gateway decided.
    #[schema(example = "accepted")]
    verdict: String,
    /// What was said first.
    #[schema(required = true)]
    greeting: Option<String>,
    #[schema(required = true)]
    clip_id: Option<String>,
    /// Where the call stands.
    state: String,
    /// Twilio's word.
    #[schema(required = true)]
    status: Option<String>,
    #[schema(required = true)]
    duration_seconds: Option<i32>,
    started_at: Timestamp,
    #[schema(required = true)]
    answered_at: Option<Timestamp>,
    #[schema(required = true)]
    ended_at: Option<Timestamp>,
    #[schema(required = true)]
    end_reason: Option<String>,
    /// What Twilio reported contradicts what stood here.
    conflicted: bool,
    #[schema(required = true)]
    conflicted_at: Option<Timestamp>,
}

/// A page of calls.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = InboundCallPage)]
struct List {
    /// The newest first.
    calls: Vec<InboundCall>,
    /// Where the next page begins; null on the last.
    #[schema(required = true)]
    next_cursor: Option<String>,
}

/// List inbound calls
///
/// What the voice gateway answered, and what became of each call.
#[utoipa::path(
    get, path = "/api/inbound-calls", operation_id = "listInboundCalls", tag = "reading",
    params(ListQuery),
    responses((status = 200, description = "A page, the newest first.", body = List)),
)]
async fn show(State(app): State<AppState>, principal: Principal, Query(query): Query<ListQuery>) -> Result<Json<List>> {
    if query.limit.is_some_and(|limit| !(1..=PAGE_LIMIT).contains(&limit)) {
        let wrong = FieldProblem::new("limit", format!("A page has 1 to {PAGE_LIMIT} rows."));
        return Err(Problem::invalid_fields(vec![wrong]).into());
    }
    let page = list(&app.db, app.config.mode, query.cursor, query.limit.unwrap_or(DEFAULT_LIMIT)).await?;
    let is_masked = !principal.sees_numbers();
    let calls = page.calls.into_iter().map(|call| document(call, app.config.mode, is_masked)).collect();
    Ok(Json(List { calls, next_cursor: page.next.map(|next| next.to_string()) }))
}

fn document(call: Call, mode: Mode, is_masked: bool) -> InboundCall {
    let number = |number: String| if is_masked { phone::mask(&number) } else { number };
    InboundCall {
        sid: call.sid,
        mode,
        direction: call.direction,
        from: number(call.from),
        to: number(call.to),
        verdict: call.verdict.as_str().to_owned(),
        greeting: call.greeting.map(|text| if is_masked { mask::text(&text) } else { text }),
        clip_id: call.clip,
        state: call.state.as_str().to_owned(),
        status: call.status,
        duration_seconds: call.duration_seconds,
        started_at: Timestamp(call.started_at),
        answered_at: call.answered_at.map(Timestamp),
        ended_at: call.ended_at.map(Timestamp),
        end_reason: call.end_reason,
        conflicted: call.conflicted_at.is_some(),
        conflicted_at: call.conflicted_at.map(Timestamp),
    }
}
