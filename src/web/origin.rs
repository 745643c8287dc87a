//! Which hosts and which sites may speak to us.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use tower_http::csrf::CsrfLayer;

use crate::error::Problem;
use crate::state::AppState;

/// Probes come with whatever host name the balancer likes.
const EXEMPT: [&str; 2] = ["/healthz", "/readyz"];

/// Refuses a `Host` that is not ours with 421: such a request was steered here by somebody else's DNS.
pub(super) async fn known_host(State(app): State<AppState>, request: Request, next: Next) -> Response {
    let host = request.uri().authority().map(axum::http::uri::Authority::as_str);
    let host = host.or_else(|| request.headers().get(header::HOST).and_then(|value| value.to_str().ok()));
    let known = host.is_some_and(|host| app.hosts.iter().any(|known| known.eq_ignore_ascii_case(host)));
    if known || EXEMPT.contains(&request.uri().path()) {
        return next.run(request).await;
    }
    let detail = format!("This service does not answer to that host name. Use {}.", app.public_url);
    Problem::new(StatusCode::MISDIRECTED_REQUEST, "unknown_host", detail).into_response()
}

/// Refuses unsafe requests that another site may have caused.
pub(super) fn protect(router: Router<AppState>, app: &AppState) -> Router<AppState> {
    let origins = app
        .hosts
        .iter()
        .map(|host| if app.public_url.is_https() { format!("https://{host}") } else { format!("http://{host}") });
    let mut layer = CsrfLayer::new();
    for origin in origins {
        match layer.clone().add_trusted_origin(&origin) {
            Ok(with_origin) => layer = with_origin,
            Err(error) => tracing::error!(event = "origin.refused", origin, %error, "this origin cannot be trusted"),
        }
    }
    router.layer(from_fn(refuse_unmarked)).layer(layer)
}

/// The layer lets requests pass that carry neither `Sec-Fetch-Site` nor `Origin`: programs send them so. With a
/// cookie, no program of ours does, but an old browser under another site's control might.
async fn refuse_unmarked(request: Request, next: Next) -> Response {
    let headers = request.headers();
    let marked = headers.contains_key("sec-fetch-site") || headers.contains_key(header::ORIGIN);
    if request.method().is_safe() || marked || !headers.contains_key(header::COOKIE) {
        return next.run(request).await;
    }
    cross_origin().into_response()
}

fn cross_origin() -> Problem {
    Problem::forbidden(
        "cross_origin",
        "This request came from another site. Open Mission Control itself and act there.",
    )
}
