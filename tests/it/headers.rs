//! What every answer carries, whatever it is and whoever made it.

use std::collections::BTreeSet;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::routing::get;
use http_body_util::BodyExt as _;
use mission_control::auth::Role;
use mission_control::router;
use mission_control::web;
use mission_control::web::server::Limits;
use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode};
use secrecy::SecretString;
use serde_json::json;
use sqlx::postgres::PgConnectOptions;
use tower::ServiceExt as _;

use crate::support::log;
use crate::support::service::{PASSWORD, Service, Setup, text};

/// The set, and what a value begins with or, after `..`, holds.
const SET: [(&str, &str); 8] = [
    ("content-security-policy", "default-src 'none'; "),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "accelerometer=(), "),
    ("x-frame-options", "DENY"),
    ("cache-control", ""),
];

/// What the policy allows, whole: each change of it is looked at.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; \
    media-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; object-src 'none'; \
    frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types mission-control";

/// What anybody may keep, and nobody's: files under their fingerprint, clips under theirs, and what the API is.
const KEPT: [&str; 4] = ["/static/", "/favicon.ico", "/api/public/call-audio/", "/openapi.json"];

fn check(context: &str, path: &str, headers: &HeaderMap) {
    let value = |name: &str| {
        let all: Vec<_> = headers.get_all(name).iter().map(|value| value.to_str().unwrap_or_default()).collect();
        assert_eq!(all.len(), 1, "{context}: {name} {all:?}");
        all[0].to_owned()
    };
    for (name, start) in SET {
        assert!(value(name).starts_with(start), "{context}: {name}: {}", value(name));
    }
    assert_eq!(value("content-security-policy"), POLICY, "{context}");
    if !KEPT.iter().any(|kept| path.starts_with(kept)) {
        assert_eq!(value("cache-control"), "no-store", "{context}");
    }
    assert!(!headers.contains_key("server") && !headers.contains_key("x-powered-by"), "{context}");
    assert!((1..=64).contains(&value("x-correlation-id").len()), "{context}");
}

fn fill(path: &str) -> String {
    path.split('/').map(|part| if part.starts_with('{') { "0" } else { part }).collect::<Vec<_>>().join("/")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_of_every_route_carries_the_whole_set() {
    let service = Service::start().await;
    let token = service.token("ada@example.com", Role::Admin).await;
    let form = [("email", "ada@example.com"), ("password", PASSWORD)];
    let signed_in = service.send(service.client().post(service.url("/login")).form(&form)).await;
    check("signing in", "/login", &signed_in.headers);
    let cookie = signed_in.header("set-cookie").and_then(|cookie| cookie.split(';').next()).expect("a cookie");
    let mut seen = BTreeSet::new();
    for route in router::routes() {
        let path = fill(route.path);
        let request = |method: &Method| service.client().request(method.clone(), service.url(&path));
        let other_method = if route.method == Method::PUT { Method::PATCH } else { Method::TRACE };
        let ways = [
            ("as nobody", request(&route.method)),
            ("by HEAD", request(&Method::HEAD)),
            ("as a program", request(&route.method).bearer_auth(&token)),
            ("as a browser", request(&route.method).header("accept", "text/html")),
            ("by a wrong method", request(&other_method).bearer_auth(&token)),
            ("asked first by a browser", request(&Method::OPTIONS).header("origin", "https://evil.example")),
            (
                "with a wrong body",
                request(&route.method).bearer_auth(&token).header("content-type", "text/plain").body("x"),
            ),
            (
                "with half a body",
                request(&route.method).bearer_auth(&token).header("content-type", "application/json").body("{"),
            ),
            ("with too large a body", request(&route.method).bearer_auth(&token).body(vec![b' '; 64 * 1024 + 1])),
            (
                "from another site",
                request(&route.method).header("cookie", cookie).header("origin", "https://evil.example"),
            ),
            ("by another name", request(&route.method).header("host", "evil.example")),
            ("with too long an address", service.client().get(service.url(&format!("{path}?{}", "a".repeat(9_000))))),
        ];
        for (way, request) in ways {
            // Streams do not end: only the head is looked at.
            let answer = request.send().await.expect("an answer");
            let context = format!("{} {path} {way}: {}", route.method, answer.status());
            check(&context, &path, answer.headers());
            seen.insert(answer.status().as_u16());
        }
        if route.method == Method::GET && path != "/dashboard/live" {
            let request = request(&Method::GET).header("accept", "text/html").header("cookie", cookie);
            let answer = request.send().await.expect("an answer");
            check(&format!("{path} as a person: {}", answer.status()), &path, answer.headers());
            seen.insert(answer.status().as_u16());
        }
    }
    for status in [200, 303, 400, 401, 403, 404, 405, 413, 414, 415, 421] {
        assert!(seen.contains(&status), "{status} was not among the answers: {seen:?}");
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_something_has_to_go_wrong_for_carry_it_too() {
    let service = Service::start().await;
    let token = service.token("ada@example.com", Role::Operator).await;
    let send = async |key: &str, message: &str| {
        let body = json!({ "to": "+14155550132", "message": message, "idempotencyKey": key });
        let answer = service.post("/api/twilio/send-sms", &token, &body).await;
        check(&format!("{} {}", answer.status, answer.text), "/api/twilio/send-sms", &answer.headers);
        answer
    };
    let asked = send("k-1", "Hello").await;
    assert_eq!(asked.status, StatusCode::ACCEPTED);
    assert_eq!(send("k-1", "Something else").await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let nowhere = service.get("/nowhere", &token).await;
    check("nothing there", "/nowhere", &nowhere.headers);
    let one = service.get(&format!("/api/operations/{}", text(&asked.json()["operationId"])), &token).await;
    check("something there", "/api/operations/", &one.headers);
    // Enough wrong passwords.
    let mut last = StatusCode::OK;
    for _ in 0..40 {
        let form = [("email", "ada@example.com"), ("password", "not this one")];
        let answer = service.send(service.client().post(service.url("/login")).form(&form)).await;
        check(&answer.status.to_string(), "/login", &answer.headers);
        last = answer.status;
        if last == StatusCode::TOO_MANY_REQUESTS {
            break;
        }
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
    // A statement that fails.
    let broken =
        "create or replace function fail() returns trigger language plpgsql as $$ begin raise 'inside'; end $$;
        create trigger fail before insert on operations for each row execute function fail()";
    sqlx::raw_sql(broken).execute(&mut service.direct().await).await.expect("a trigger");
    assert_eq!(send("k-2", "Hello").await.status, StatusCode::INTERNAL_SERVER_ERROR);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_panics_answers_like_any_refusal_and_tells_no_secret() {
    let service = Service::start().await;
    let app = service.app().clone();
    let secret = SecretString::from("panic-canary-4f1c");
    let config = std::sync::Arc::clone(&app.config);
    let router = Router::new()
        .route("/panics", get(async move || -> String { panic!("with {secret:?} and {config:?}") }))
        .route("/api/panics", get(async || -> String { std::hint::black_box(Vec::<String>::new())[1].clone() }));
    let router: Router = web::manners(router, &app, Limits::RECOMMENDED.body).with_state(app.clone());
    for (path, accept) in [("/panics", "text/html"), ("/panics", "*/*"), ("/api/panics", "text/html")] {
        let request = Request::get(path).header("host", app.public_url.host()).header("accept", accept);
        let answer = router.clone().oneshot(request.body(Body::empty()).expect("a request")).await.expect("an answer");
        let (parts, body) = answer.into_parts();
        let body = String::from_utf8(body.collect().await.expect("a body").to_bytes().to_vec()).expect("text");
        assert_eq!(parts.status, StatusCode::INTERNAL_SERVER_ERROR, "{body}");
        check(&body, path, &parts.headers);
        assert!(!body.contains("canary") && !body.contains("index out of bounds") && !body.contains("panic"), "{body}");
        let id = parts.headers["x-correlation-id"].to_str().expect("an id");
        assert!(body.contains(id), "{body}");
        let logged = log::of(id);
        assert!(logged.iter().any(|line| line["event"] == "internal_error"), "{logged:?}");
        assert!(logged.iter().all(|line| !line.to_string().contains("canary")), "{logged:?}");
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn before_the_database_is_there_answers_carry_it_too() {
    let setup = Setup::new().await;
    // Nobody listens there.
    let nowhere = PgConnectOptions::new_without_pgpass().host("127.0.0.1").port(1).username("nobody");
    let service = setup.way(nowhere).launch().await;
    for (path, status) in [("/healthz", 200), ("/readyz", 503), ("/dashboard/operations", 503), ("/nowhere", 503)] {
        for accept in ["text/html", "*/*"] {
            let answer = service.send(service.client().get(service.url(path)).header("accept", accept)).await;
            assert_eq!(answer.status.as_u16(), status, "{path}");
            check(path, path, &answer.headers);
        }
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn https_is_demanded_on_every_answer_where_it_is_offered() {
    let setup = Setup::new().await.with("MISSION_CONTROL_PUBLIC_URL", "https://mission.example");
    let service = setup.start().await;
    for (host, path, status) in [
        ("mission.example", "/login", 200),
        ("mission.example", "/nowhere", 404),
        ("evil.example", "/login", 421),
        ("mission.example", "/dashboard/operations", 303),
    ] {
        let answer = service.send(service.client().get(service.url(path)).header("host", host)).await;
        assert_eq!(answer.status.as_u16(), status, "{host} {path}");
        check(path, path, &answer.headers);
        assert_eq!(answer.header("strict-transport-security"), Some("max-age=31536000"), "{host} {path}");
    }
    service.stop().await;
}
