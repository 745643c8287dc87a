//! The headers that every answer carries: what a browser may do with our pages, and that it keeps none of them.

use axum::{
    extract::{Request, State},
    http::{
        HeaderMap, HeaderName, HeaderValue,
        header::{
            CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
            X_FRAME_OPTIONS,
        },
    },
    middleware::Next,
    response::Response,
};

/// Everything from our own origin, nothing inline, nothing framed. Text becomes elements only through the one policy of
/// `app.js`, which lets nothing through that could run (Trusted Types).
const CONTENT_SECURITY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    font-src 'self'; media-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; object-src 'none'; \
    frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types mission-control";

/// What no page of ours uses. `clipboard-write` is left to its default, our own origin.
const PERMISSIONS: &str = "accelerometer=(), autoplay=(), camera=(), display-capture=(), \
    encrypted-media=(), fullscreen=(), gamepad=(), geolocation=(), gyroscope=(), hid=(), idle-detection=(), \
    local-fonts=(), magnetometer=(), microphone=(), midi=(), payment=(), picture-in-picture=(), \
    publickey-credentials-get=(), screen-wake-lock=(), serial=(), usb=(), xr-spatial-tracking=()";

const ALWAYS: [(HeaderName, &str); 7] = [
    (CONTENT_SECURITY_POLICY, CONTENT_SECURITY),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    // `no-referrer` would make browsers post our own forms with `Origin: null`, which the origin check refuses.
    (REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), PERMISSIONS),
    (X_FRAME_OPTIONS, "DENY"),
];

/// One year. Without `includeSubDomains`: the other names of the domain are not ours to decide on.
const HTTPS_ONLY: &str = "max-age=31536000";

/// Whether people reach us by https, which then may be demanded of their browsers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Https(pub(crate) bool);

/// Sets the headers on an answer, as `middleware::from_fn_with_state(Https(..), headers::protect)`.
pub(crate) async fn protect(State(https): State<Https>, request: Request, next: Next) -> Response {
    let mut answer = next.run(request).await;
    set(answer.headers_mut(), https);
    answer
}

/// Sets them on any answer. `no-store` unless it says otherwise of itself.
pub(super) fn set(headers: &mut HeaderMap, Https(https): Https) {
    for (name, value) in ALWAYS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if https {
        headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(HTTPS_ONLY));
    }
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

#[cfg(test)]
mod tests {
    use axum::{Router, body::Body, middleware, routing::get};
    use tower::ServiceExt;

    use super::*;

    async fn answer(https: bool, path: &str) -> HeaderMap {
        Router::new()
            .route("/page", get(|| async { "page" }))
            .route("/kept", get(|| async { ([(CACHE_CONTROL, "max-age=5")], "kept") }))
            .layer(middleware::from_fn_with_state(Https(https), protect))
            .oneshot(Request::builder().uri(path).body(Body::empty()).unwrap())
            .await
            .unwrap()
            .headers()
            .clone()
    }

    #[tokio::test]
    async fn every_answer_is_protected_also_where_nothing_is_found() {
        for path in ["/page", "/none"] {
            let headers = answer(false, path).await;
            for (name, value) in ALWAYS {
                assert_eq!(headers[&name], value, "{path}");
            }
        }
    }

    #[tokio::test]
    async fn the_policy_allows_nothing_inline_and_no_other_origin() {
        let headers = answer(false, "/page").await;
        let policy = headers[CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; "));
        assert!(
            !policy.contains("unsafe") && !policy.contains("http") && !policy.contains('*') && !policy.contains("  ")
        );
    }

    #[tokio::test]
    async fn https_is_demanded_only_where_it_is_offered() {
        assert_eq!(answer(true, "/page").await[STRICT_TRANSPORT_SECURITY], HTTPS_ONLY);
        assert!(!answer(false, "/page").await.contains_key(STRICT_TRANSPORT_SECURITY));
    }

    #[tokio::test]
    async fn nothing_is_kept_unless_the_handler_says_so() {
        assert_eq!(answer(false, "/page").await[CACHE_CONTROL], "no-store");
        assert_eq!(answer(false, "/kept").await[CACHE_CONTROL], "max-age=5");
    }
}
