//! Is it alive, and can it work? For balancers and supervisors: no secret, no sign-in, any host name.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde_json::json;

use super::extract::Json;
use crate::state::AppState;

/// The process answers.
pub(crate) async fn alive() -> Json<serde_json::Value> {
    Json(json!({ "status": "alive" }))
}

/// The database answers and the service is not stopping.
pub(crate) async fn ready(State(app): State<AppState>) -> Response {
    let database = sqlx::query_scalar!(r#"select 1 as "one!""#).fetch_one(&app.db).await.is_ok();
    let stopping = app.tasks.stopping.is_cancelled();
    let status = if database && !stopping { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let state = if status == StatusCode::OK { "ready" } else { "not ready" };
    (status, Json(json!({ "status": state, "mode": app.config.mode, "database": database, "stopping": stopping })))
        .into_response()
}
