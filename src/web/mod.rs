//! HTTP manners, without any domain: what happens to each request before a handler sees it and to each answer before
//! it leaves.

pub(crate) mod assets;
pub(crate) mod back;
pub(crate) mod banners;
pub(crate) mod client;
mod compression;
pub(crate) mod correlation;
pub mod extract;
pub(crate) mod frame;
pub(crate) mod headers;
pub(crate) mod health;
mod origin;
pub(crate) mod preferences;
pub(crate) mod problems;
pub mod server;
pub(crate) mod settings_tabs;
mod size;
pub(crate) mod text;
pub(crate) mod views;

use std::time::Duration;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::get;
use tower_http::catch_panic::CatchPanicLayer;

use self::headers::Https;
use crate::config::Mode;
use crate::error::Problem;
use crate::metrics::requests;
use crate::state::AppState;

/// The layers around every route, the outermost first:
///
/// 1. headers: what a browser may do with any answer, whichever layer made it;
/// 2. correlation id: names the request in its answer and in every log line, and logs its end;
/// 3. figures: counts the request by its route and status, and measures it;
/// 4. problems: writes the body of every refusal, as a document or as a page;
/// 5. panics: a bug in one handler answers 500 and takes nothing else down;
/// 6. client: whose address it is, believing only configured proxies;
/// 7. host: an unknown `Host` is refused before anything is looked up (DNS rebinding);
/// 8. size: an address or a body over the limit is refused, in a way that its sender can hear;
/// 9. compression: pages and what they load, where the browser takes it.
///
/// A body may take `patience` to come.
pub fn manners(router: Router<AppState>, app: &AppState, patience: Duration) -> Router<AppState> {
    router
        .layer(compression::layer())
        .layer(from_fn_with_state(patience, size::limit))
        .layer(from_fn_with_state(app.clone(), origin::known_host))
        .layer(from_fn_with_state(app.clone(), client::identify))
        .layer(CatchPanicLayer::custom(answer_panic))
        .layer(from_fn_with_state(app.config.mode, problems::write))
        .layer(from_fn_with_state(app.metrics.clone(), requests::count))
        .layer(from_fn(correlation::name))
        .layer(from_fn_with_state(Https(app.public_url.is_https()), headers::protect))
}

/// What is answered until the database was reached: alive, and come back in a second.
pub(crate) fn starting(mode: Mode, https: Https) -> Router {
    Router::new()
        .route("/healthz", get(health::alive))
        .route("/readyz", get(async move || health::starting(mode)))
        .fallback(|| async { Problem::unavailable() })
        .layer(from_fn_with_state(mode, problems::write))
        .layer(from_fn(correlation::name))
        .layer(from_fn_with_state(https, headers::protect))
}

/// The layers of routes that a browser's session may use: no other site can make it act.
pub fn same_origin(router: Router<AppState>, app: &AppState) -> Router<AppState> {
    origin::protect(router, app)
}

#[expect(clippy::needless_pass_by_value, reason = "the layer hands the panic over")]
fn answer_panic(panic: Box<dyn std::any::Any + Send + 'static>) -> axum::response::Response {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
    let error = crate::error::Error::Internal(anyhow::anyhow!("panic: {text}"));
    axum::response::IntoResponse::into_response(Problem::from(error))
}

impl From<crate::error::Error> for Problem {
    fn from(error: crate::error::Error) -> Self {
        error.into_problem()
    }
}
