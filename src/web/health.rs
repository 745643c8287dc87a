//! Is it alive, and can it work? For balancers and supervisors: no secret, no sign-in, any host name.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

use super::extract::Json;
use crate::config::Mode;
use crate::state::AppState;

/// What documents say of these addresses.
#[derive(OpenApi)]
#[openapi(paths(alive, ready))]
pub(crate) struct Described;

/// That the process answers.
#[derive(Serialize, ToSchema)]
pub(crate) struct Alive {
    #[schema(example = "alive")]
    status: &'static str,
}

/// Whether it can work.
#[derive(Serialize, ToSchema)]
struct Readiness {
    /// `ready` or `not ready`.
    #[schema(example = "ready")]
    status: &'static str,
    mode: Mode,
    /// The database answers.
    database: bool,
    /// It is about to end.
    stopping: bool,
}

/// Is it alive?
#[utoipa::path(
    get, path = "/healthz", operation_id = "alive", tag = "running",
    responses((status = 200, description = "The process answers.", body = Alive)),
)]
pub(crate) async fn alive() -> Json<Alive> {
    Json(Alive { status: "alive" })
}

/// It cannot work yet: the database was not reached.
pub(crate) fn starting(mode: Mode) -> Response {
    let yet = Readiness { status: "not ready", mode, database: false, stopping: false };
    (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "1")], Json(yet)).into_response()
}

/// Can it work?
#[utoipa::path(
    get, path = "/readyz", operation_id = "ready", tag = "running",
    responses(
        (status = 200, description = "The database answers and the service is not stopping.", body = Readiness),
        (status = 503, description = "It cannot.", body = Readiness),
    ),
)]
pub(crate) async fn ready(State(app): State<AppState>) -> Response {
    let database = sqlx::query_scalar!(r#"select 1 as "one!""#).fetch_one(&app.db).await.is_ok();
    let stopping = app.tasks.stopping.is_cancelled();
    let is_ready = database && !stopping;
    let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let word = if is_ready { "ready" } else { "not ready" };
    (status, Json(Readiness { status: word, mode: app.config.mode, database, stopping })).into_response()
}
