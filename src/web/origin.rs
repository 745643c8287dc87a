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
    if is_known(&request, &app.hosts) || EXEMPT.contains(&request.uri().path()) {
        return next.run(request).await;
    }
    let detail = format!("This service does not answer to that host name. Use {}.", app.public_url);
    Problem::new(StatusCode::MISDIRECTED_REQUEST, "unknown_host", detail).into_response()
}

/// Whether every name by which it was asked is ours: that of an absolute address, and the one `Host`. Of two that differ,
/// somebody between the caller and us may have read the other.
fn is_known(request: &Request, hosts: &[String]) -> bool {
    let is_ours = |host: &str| hosts.iter().any(|known| known.eq_ignore_ascii_case(host));
    let mut headers = request.headers().get_all(header::HOST).iter();
    let (header, None) = (headers.next(), headers.next()) else { return false };
    match (request.uri().authority(), header) {
        (None, None) => false,
        (address, header) => {
            address.is_none_or(|address| is_ours(address.as_str()))
                && header.is_none_or(|header| header.to_str().is_ok_and(is_ours))
        }
    }
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

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[test]
    fn only_our_own_names_are_answered_to() {
        let hosts = ["mission.example".to_owned(), "127.0.0.1:3000".to_owned(), "[::1]:3000".to_owned()];
        let cases: [(&str, &[&[u8]], bool); 31] = [
            ("/", &[b"mission.example"], true),
            ("/", &[b"MISSION.Example"], true),
            ("/", &[b"127.0.0.1:3000"], true),
            ("/", &[b"[::1]:3000"], true),
            ("/", &[], false),
            ("/", &[b""], false),
            ("/", &[b"evil.example"], false),
            ("/", &[b"mission.example.evil.example"], false),
            ("/", &[b"evil.mission.example"], false),
            ("/", &[b"xmission.example"], false),
            ("/", &[b"mission.example."], false),
            ("/", &[b"mission.example:443"], false),
            ("/", &[b"mission.example:80"], false),
            ("/", &[b"mission.example:"], false),
            ("/", &[b"127.0.0.1"], false),
            ("/", &[b"127.0.0.1:3001"], false),
            ("/", &[b"127.1:3000"], false),
            ("/", &[b"[::ffff:127.0.0.1]:3000"], false),
            ("/", &[b"user@mission.example"], false),
            ("/", &[b"mission.example@evil.example"], false),
            ("/", &[b"mission.example/evil"], false),
            ("/", &[b"mission.example, evil.example"], false),
            ("/", &[b"mission.example\tx"], false),
            ("/", &[b"mission.ex\xc3\xa4mple"], false),
            // Two, even alike: whoever stands between may have read only one.
            ("/", &[b"mission.example", b"evil.example"], false),
            ("/", &[b"mission.example", b"mission.example"], false),
            // Absolute, as to a proxy.
            ("http://mission.example/", &[b"mission.example"], true),
            ("http://mission.example/", &[], true),
            ("http://mission.example/", &[b"evil.example"], false),
            ("http://evil.example/", &[b"mission.example"], false),
            ("http://user@mission.example/", &[b"mission.example"], false),
        ];
        for (address, given, known) in cases {
            let mut request = Request::get(address).body(Body::empty()).expect("a request");
            for host in given {
                let value = axum::http::HeaderValue::from_bytes(host).expect("a value");
                request.headers_mut().append(header::HOST, value);
            }
            assert_eq!(is_known(&request, &hosts), known, "{address} {given:?}");
        }
    }
}
