//! A request is judged by one credential, on every address: whoever brings a token is a program, and a cookie beside it
//! counts for nothing; whoever brings none is judged by the cookie alone.

use axum::http::header;
use mission_control::access::{Access, Route};
use mission_control::auth::{Role, Scope};
use mission_control::router;
use reqwest::{Method, StatusCode};

use crate::support::service::{Answer, PASSWORD, Service};

/// An address of the route; nothing is there under these names.
fn address(route: &Route) -> String {
    let mut parts: Vec<String> = Vec::new();
    for part in route.path.split('/') {
        let is_variable = part.starts_with('{');
        parts.push(if is_variable { uuid::Uuid::nil().to_string() } else { part.to_owned() });
    }
    parts.join("/")
}

/// Both credentials of one admin: a cookie and a token.
async fn credentials(service: &Service) -> (String, String) {
    service.person("ada@example.com", Role::Admin).await;
    let token = service.token_of("ada@example.com", &Scope::ALL).await;
    let form =
        service.client().post(service.url("/login")).form(&[("email", "ada@example.com"), ("password", PASSWORD)]);
    let answer = service.send(form.header("sec-fetch-site", "same-origin")).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
    let cookie = answer.header("set-cookie").and_then(|cookie| cookie.split(';').next()).expect("a cookie").to_owned();
    (cookie, token)
}

async fn come(service: &Service, route: &Route, headers: &[(header::HeaderName, &str)]) -> Answer {
    let mut request = service.client().request(route.method.clone(), service.url(&address(route)));
    request = request.header("sec-fetch-site", "same-origin");
    for (name, value) in headers {
        request = request.header(name, *value);
    }
    if route.method != Method::GET {
        request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded").body("");
    }
    let response = request.send().await.expect("an answer");
    let (status, headers) = (response.status(), response.headers().clone());
    // A stream has no end.
    Answer { status, headers, text: String::new() }
}

fn leads_to_signing_in(answer: &Answer) -> bool {
    answer.status == StatusCode::SEE_OTHER
        && answer.header("location").is_some_and(|location| location.starts_with("/login"))
}

/// Signing out would end the cookie of the test.
fn ends_the_session(route: &Route) -> bool {
    route.path.contains("logout") || route.path.contains("sign-out")
}

#[tokio::test(flavor = "multi_thread")]
async fn on_no_page_does_a_cookie_count_beside_a_token() {
    let service = Service::start().await;
    let (cookie, token) = credentials(&service).await;
    let (good, bad) = (format!("Bearer {token}"), "bearer mc_x".to_owned());
    let mut pages = 0;
    for route in router::routes() {
        if !matches!(route.access, Access::Person(_) | Access::AtTheDoor) || ends_the_session(&route) {
            continue;
        }
        for authorization in [&good, &bad] {
            let both = [(header::COOKIE, cookie.as_str()), (header::AUTHORIZATION, authorization.as_str())];
            let answer = come(&service, &route, &both).await;
            assert!(leads_to_signing_in(&answer), "{} {}: {}", route.method, route.path, answer.status);
        }
        pages += 1;
    }
    assert!(pages > 20, "{pages} pages");
    let still = service.client().get(service.url("/dashboard/operations")).header(header::COOKIE, &cookie);
    assert_eq!(service.send(still).await.status, StatusCode::OK, "the cookie alone is good");
    let proxys = service.client().get(service.url("/dashboard/operations")).header(header::COOKIE, &cookie);
    let proxys = service.send(proxys.header(header::AUTHORIZATION, "Basic YTpi")).await;
    assert_eq!(proxys.status, StatusCode::OK, "what a proxy in front of us asks for is none of ours");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn at_no_address_for_programs_does_a_cookie_stand_in_for_a_bad_token() {
    let service = Service::start().await;
    let (cookie, token) = credentials(&service).await;
    let mut addresses = 0;
    for route in router::routes() {
        if !matches!(route.access, Access::Caller(_)) {
            continue;
        }
        let unknown = format!("Bearer mc_{}", "A".repeat(43));
        for authorization in [unknown.as_str(), "Basic YTpi", "nonsense"] {
            let both = [(header::COOKIE, cookie.as_str()), (header::AUTHORIZATION, authorization)];
            let answer = come(&service, &route, &both).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{} {} {authorization}", route.method, route.path);
        }
        let good = format!("Bearer {token}");
        let foreign = [(header::COOKIE, "mc=somebody-elses"), (header::AUTHORIZATION, good.as_str())];
        let answer = come(&service, &route, &foreign).await;
        assert_ne!(answer.status, StatusCode::UNAUTHORIZED, "{} {}: the token is good", route.method, route.path);
        addresses += 1;
    }
    assert!(addresses > 10, "{addresses} addresses");
    service.stop().await;
}
