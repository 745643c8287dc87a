//! The address that Prometheus asks.

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;

use crate::access::{Access, Routes};
use crate::auth::Permission;
use crate::error::Result;
use crate::state::AppState;

/// The route of the figures, closed like everything else: a token with `operations:read`, or a person who is signed in.
pub(crate) fn routes() -> Routes {
    Routes::new().get("/metrics", Access::Caller(Permission::ReadOperations), show)
}

/// What documents say of this address.
#[derive(utoipa::OpenApi)]
#[openapi(paths(show))]
pub(crate) struct Described;

/// Figures for Prometheus
#[utoipa::path(
    get, path = "/metrics", operation_id = "metrics", tag = "running",
    responses((status = 200, description = "In the text format 0.0.4.", body = String, content_type = "text/plain")),
)]
async fn show(State(app): State<AppState>) -> Result<impl IntoResponse> {
    app.metrics.read(&app).await?;
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], app.metrics.text()))
}
