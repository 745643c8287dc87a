//! The page of the audit: filters from the address, lines by day.

use axum::http::StatusCode;
use axum::response::Response;

use super::list::{DEFAULT_LIMIT, Line, list};
use super::query::AuditQuery;
use super::views::{AuditPage, Row};
use crate::access::{Access, Routes};
use crate::auth::{Permission, users};
use crate::error::Result;
use crate::visit::Visit;
use crate::web::extract::Query;
use crate::web::frame::{Place, html};

/// The route of the page.
pub(super) fn routes() -> Routes {
    Routes::new().get("/dashboard/audit", Access::Person(Permission::ReadAudit), show)
}

async fn show(visit: Visit, Query(query): Query<AuditQuery>) -> Result<Response> {
    let (app, mode) = (&visit.app, visit.app.config.mode);
    let asked = query.lenient();
    let (frame, page, people) =
        tokio::try_join!(visit.frame(Place::Audit), list(&app.db, &asked.filter, asked.after, DEFAULT_LIMIT), async {
            Ok(users::list(&app.db).await?)
        },)?;
    let for_reader = |line: Line| if visit.is_masked() { line.without_numbers() } else { line };
    let view = AuditPage {
        frame,
        now: app.clock.now(),
        query,
        people: people.into_iter().map(|user| (user.email, user.name)).collect(),
        rows: page.lines.into_iter().map(|line| Row::of(for_reader(line), mode)).collect(),
        older: page.next.map(|next| next.to_string()),
        is_continued: asked.after.is_some(),
    };
    Ok(html(StatusCode::OK, &view))
}
