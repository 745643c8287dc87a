//! The page of inbound calls, beside that of operations.

use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::calls::list::{Call, list};
use super::views::{InboundPage, Row};
use crate::access::{Access, Routes};
use crate::auth::Permission;
use crate::error::Result;
use crate::visit::Visit;
use crate::web::extract::Query;
use crate::web::frame::{Place, html};

/// Rows of a page.
const PAGE: i64 = 50;

/// The route of the page.
pub(super) fn routes() -> Routes {
    Routes::new().get("/dashboard/operations/inbound", Access::Person(Permission::ReadOperations), show)
}

/// The address as it came: a cursor that is none is the newest page.
#[derive(Default, Deserialize)]
#[serde(default)]
struct ListQuery {
    cursor: String,
}

async fn show(visit: Visit, Query(query): Query<ListQuery>) -> Result<Response> {
    let app = &visit.app;
    let after: Option<i64> = query.cursor.parse().ok();
    let (frame, page) = tokio::try_join!(visit.frame(Place::Operations), async {
        Ok(list(&app.db, app.config.mode, after, PAGE).await?)
    })?;
    let is_masked = visit.is_masked();
    let view = InboundPage {
        frame,
        now: app.clock.now(),
        rows: page.calls.into_iter().map(|call: Call| Row::of(call, is_masked)).collect(),
        older: page.next.map(|next| next.to_string()),
        is_continued: after.is_some(),
    };
    Ok(html(StatusCode::OK, &view))
}
