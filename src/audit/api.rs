//! The audit for programs.

use axum::extract::State;
use serde_json::{Value, json};

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

async fn show(
    State(app): State<AppState>,
    principal: Principal,
    Query(query): Query<AuditQuery>,
) -> Result<Json<Value>> {
    principal.require(Permission::ReadAudit)?;
    let asked = query.strict()?;
    let page = list(&app.db, &asked.filter, asked.after, asked.limit).await?;
    let for_reader = |line: Line| if principal.sees_numbers() { line } else { line.without_numbers() };
    let items: Vec<Value> = page.lines.into_iter().map(|line| for_reader(line).document()).collect();
    Ok(Json(json!({ "items": items, "nextCursor": page.next.map(|next| next.to_string()) })))
}
