//! No other site can make a browser act here.

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use mission_control::auth::{Role, Scope};

use super::service::Service;

#[tokio::test]
async fn only_our_own_pages_may_act_with_a_cookie() {
    let service = Service::sandbox().await;
    service.add("ada@example.com", Role::Operator).await;
    let cookie = service.signed_in("ada@example.com").await.cookie.expect("a session");
    let cases: [(&[(&str, &str)], StatusCode); 8] = [
        (&[("sec-fetch-site", "same-origin")], StatusCode::OK),
        (&[("sec-fetch-site", "cross-site")], StatusCode::FORBIDDEN),
        (&[("sec-fetch-site", "same-site")], StatusCode::FORBIDDEN),
        (&[("origin", "http://127.0.0.1:3000")], StatusCode::OK),
        (&[("origin", "https://evil.example")], StatusCode::FORBIDDEN),
        (&[("origin", "null")], StatusCode::FORBIDDEN),
        (&[("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")], StatusCode::FORBIDDEN),
        // A browser too old to say where a request comes from.
        (&[], StatusCode::FORBIDDEN),
    ];
    for (headers, expected) in cases {
        let mut request = Request::post("/api/who").header(header::COOKIE, &cookie);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = service.send(request.body(Body::empty()).expect("a request")).await;
        assert_eq!(answer.status, expected, "{headers:?}");
        if expected == StatusCode::FORBIDDEN {
            assert_eq!(answer.code(), "cross_origin", "{headers:?}");
        }
    }
}

#[tokio::test]
async fn a_program_needs_no_origin() {
    let service = Service::sandbox().await;
    service.add("ada@example.com", Role::Operator).await;
    let (_, token) = service.token("ada@example.com", &[Scope::OperationsWrite], None).await;
    let request = Request::post("/api/who").header(header::AUTHORIZATION, format!("Bearer {token}"));
    let answer = service.send(request.body(Body::empty()).expect("a request")).await;
    assert_eq!(answer.body, "ada@example.com operator token ci");
}

#[tokio::test]
async fn nobody_is_signed_in_or_out_by_another_site() {
    let service = Service::sandbox().await;
    service.add("ada@example.com", Role::Operator).await;
    let mut browser = service.signed_in("ada@example.com").await;
    let cookie = browser.cookie.clone().expect("a session");
    for path in ["/login", "/logout", "/account/password"] {
        let request = Request::post(path).header(header::COOKIE, &cookie).header("sec-fetch-site", "cross-site");
        let answer = service.send(request.body(Body::empty()).expect("a request")).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
    }
    assert!(browser.is_signed_in().await);
}
