//! The audit for programs.

use axum::extract::State;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::{IntoParams, OpenApi, ToSchema};

use super::document::LineDocument;
use super::list::{Line, list};
use super::query::AuditQuery;
use crate::access::{Access, Routes};
use crate::auth::{Permission, Principal};
use crate::error::Result;
use crate::state::AppState;
use crate::web::extract::{Json, Query};

/// The route of the list.
pub(super) fn routes() -> Routes {
    Routes::new().get("/api/audit", Access::Caller(Permission::ReadAudit), show)
}

/// What documents say of this address.
#[derive(OpenApi)]
#[openapi(paths(show))]
pub(crate) struct Described;

/// The query, which [`AuditQuery`] reads for pages and programs alike.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it describes what is read elsewhere")]
struct DescribedQuery {
    /// Words anywhere in a line.
    #[param(nullable = false)]
    q: Option<String>,
    /// Only by this person, or part of the service.
    #[param(nullable = false, example = "ada@example.com")]
    actor: Option<String>,
    /// Only this action, or all of a subject.
    #[param(nullable = false, example = "vault")]
    action: Option<String>,
    /// Only on this object, or the operation of this id.
    #[param(nullable = false)]
    object: Option<String>,
    /// First day, in UTC.
    #[param(nullable = false, pattern = "^([0-9]{4}-[0-9]{2}-[0-9]{2})?$", example = "2026-11-23")]
    from: Option<String>,
    /// Last day, in UTC.
    #[param(nullable = false, pattern = "^([0-9]{4}-[0-9]{2}-[0-9]{2})?$", example = "2026-11-23")]
    to: Option<String>,
    /// Only what followed from this request.
    #[param(nullable = false)]
    correlation: Option<String>,
    /// `nextCursor` of the page before.
    #[param(nullable = false, pattern = "^[0-9]*$")]
    cursor: Option<String>,
    /// Lines of a page.
    #[param(nullable = false, minimum = 1, maximum = 200, default = 50)]
    limit: Option<i64>,
}

/// A page of the audit.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AuditPage)]
struct List {
    /// The newest first.
    #[schema(value_type = Vec<LineDocument>)]
    items: Vec<Value>,
    /// Where the next page begins; null on the last.
    #[schema(required = true)]
    next_cursor: Option<String>,
}

/// Read what happened
///
/// Append-only: who did what to which object, when and from where. For viewers without telephone numbers.
#[utoipa::path(
    get, path = "/api/audit", operation_id = "readAudit", tag = "reading",
    params(DescribedQuery),
    responses(
        (status = 200, description = "A page, the newest first.", body = List),
        (status = 422, description = "`search_too_long`: the history is too long for these words; give days as well.",
            body = crate::error::ProblemDocument, content_type = "application/problem+json"),
    ),
)]
async fn show(
    State(app): State<AppState>,
    principal: Principal,
    Query(query): Query<AuditQuery>,
) -> Result<Json<List>> {
    let asked = query.strict()?;
    let page = list(&app.db, &asked.filter, asked.after, asked.limit).await?;
    let for_reader = |line: Line| if principal.sees_numbers() { line } else { line.without_numbers() };
    let items = page.lines.into_iter().map(|line| json!(LineDocument::from(&for_reader(line)))).collect();
    Ok(Json(List { items, next_cursor: page.next.map(|next| next.to_string()) }))
}
