//! Places of the menu that explain, and need nothing but the frame.

use axum::Router;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;

use crate::error::Result;
use crate::operation::views::help::HelpPage;
use crate::state::AppState;
use crate::visit::Visit;
use crate::web::frame::{Place, html};
use crate::web::views::{Guide, INTEGRATIONS, PlacePage};

/// The routes of these places.
pub(super) fn router() -> Router<AppState> {
    let guide = |place, guide: &'static Guide| get(move |visit: Visit| explain(visit, place, guide));
    Router::new()
        .route("/dashboard/integrations", guide(Place::Integrations, &INTEGRATIONS))
        .route("/dashboard/help", get(help))
}

async fn explain(visit: Visit, place: Place, guide: &'static Guide) -> Result<Response> {
    Ok(html(StatusCode::OK, &PlacePage { frame: visit.frame(place).await?, guide }))
}

async fn help(visit: Visit) -> Result<Response> {
    Ok(html(StatusCode::OK, &HelpPage { frame: visit.frame(Place::Help).await? }))
}
