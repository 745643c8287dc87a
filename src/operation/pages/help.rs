//! Help and runbook: it explains, and needs nothing but the frame.

use axum::http::StatusCode;
use axum::response::Response;

use crate::access::{Access, Routes};
use crate::auth::Permission;
use crate::error::Result;
use crate::operation::views::help::HelpPage;
use crate::visit::Visit;
use crate::web::frame::{Place, html};

/// Its route.
pub(super) fn routes() -> Routes {
    Routes::new().get("/dashboard/help", Access::Person(Permission::ReadOperations), show)
}

async fn show(visit: Visit) -> Result<Response> {
    Ok(html(StatusCode::OK, &HelpPage { frame: visit.frame(Place::Help).await? }))
}
