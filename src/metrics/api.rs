//! The address that Prometheus asks.

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;

use crate::access::{Access, Routes};
use crate::auth::{Permission, Principal};
use crate::error::Result;
use crate::state::AppState;

/// The route of the figures, closed like everything else: a token with `operations:read`, or a person who is signed in.
pub(crate) fn routes() -> Routes {
    Routes::new().get("/metrics", Access::Caller(Permission::ReadOperations), show)
}

async fn show(State(app): State<AppState>, principal: Principal) -> Result<impl IntoResponse> {
    principal.require(Permission::ReadOperations)?;
    app.metrics.read(&app).await?;
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], app.metrics.text()))
}
