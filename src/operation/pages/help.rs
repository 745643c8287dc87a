//! Help and runbook: it explains, and needs nothing but the frame.

use axum::Router;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;

use crate::error::Result;
use crate::operation::views::help::HelpPage;
use crate::state::AppState;
use crate::visit::Visit;
use crate::web::frame::{Place, html};

/// Its route.
pub(super) fn router() -> Router<AppState> {
    Router::new().route("/dashboard/help", get(show))
}

async fn show(visit: Visit) -> Result<Response> {
    Ok(html(StatusCode::OK, &HelpPage { frame: visit.frame(Place::Help).await? }))
}
