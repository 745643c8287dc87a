//! Whatever is sent, the answer is never a fault of ours: arbitrary JSON and forms, at every address that takes them.

use mission_control::auth::Role;
use mission_control::router;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use reqwest::{Method, StatusCode};
use serde_json::{Map, Value, json};
use tokio::runtime::Handle;

use crate::support::service::{PASSWORD, Service, text};

/// Names that handlers look for, so that what is arbitrary gets further than to the list of unknown fields.
const NAMES: [&str; 22] = [
    "to",
    "from",
    "message",
    "text",
    "audioUrl",
    "voiceId",
    "modelId",
    "note",
    "idempotencyKey",
    "digest",
    "comment",
    "reason",
    "outcome",
    "sid",
    "value",
    "email",
    "name",
    "role",
    "scope",
    "operation",
    "verdict",
    "version",
];

fn arbitrary_text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "\\PC{0,40}",
        Just("+14155550132".to_owned()),
        Just("https://example.com/a.mp3".to_owned()),
        Just("sent".to_owned()),
        Just("approve".to_owned()),
        Just("\u{0}".to_owned()),
        "[0-9]{1,30}",
    ]
}

fn arbitrary_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        arbitrary_text().prop_map(Value::from),
    ];
    let name = prop_oneof![4 => proptest::sample::select(&NAMES[..]).prop_map(str::to_owned), 1 => any::<String>()];
    leaf.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Value::from),
            btree_map(name.clone(), inner, 0..8)
                .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// The unsafe routes under these prefixes, with an operation that is there in their addresses.
fn routes(prefixes: &[&str], operation: &str) -> Vec<(Method, String)> {
    let fill = |path: &str| {
        let parts = path.split('/').map(|part| match part {
            "{id}" | "{operation}" => operation,
            "{act}" => "resolve",
            "{name}" => "twilio_phone_number",
            part if part.starts_with('{') => "0",
            part => part,
        });
        parts.collect::<Vec<_>>().join("/")
    };
    let found = router::routes().into_iter().filter(|route| {
        ![Method::GET, Method::HEAD].contains(&route.method)
            && prefixes.iter().any(|prefix| route.path.starts_with(prefix))
            // Those end what the others need.
            && !route.path.contains("sessions")
            && route.path != "/logout"
    });
    found.map(|route| (route.method, fill(route.path))).collect()
}

/// Runs a property whose trials are requests.
fn check<T: std::fmt::Debug>(
    cases: u32,
    strategy: impl Strategy<Value = T>,
    trial: impl Fn(T) -> (StatusCode, String),
) {
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let ran = runner.run(&strategy, |input| {
        let (status, text) = trial(input);
        // Two of 503 are answers, not faults: speech that cannot be had, and a database that is away.
        prop_assert!(!status.is_server_error() || text.contains("\"code\":\"provider_"), "{} {}", status, text);
        prop_assert!(!text.contains("panicked"), "{}", text);
        Ok(())
    });
    ran.unwrap_or_else(|error| panic!("{error}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_json_makes_the_api_fail() {
    let service = Service::start().await;
    let token = service.token("ada@example.com", Role::Admin).await;
    let operation = text(&service.ask(&token, "+14155550132", "Hello").await["operationId"]);
    let routes = routes(&["/api/"], &operation);
    assert!(routes.len() >= 10, "{routes:?}");
    let handle = Handle::current();
    let strategy = (proptest::sample::select(routes), arbitrary_json());
    tokio::task::block_in_place(|| {
        check(400, strategy, |((method, path), body)| {
            handle.block_on(async {
                let answer = service.send(service.request(method, &path, &token).json(&body)).await;
                (answer.status, answer.text)
            })
        });
        // Also what is no JSON at all.
        check(60, vec(any::<u8>(), 0..200), |bytes| {
            handle.block_on(async {
                let request = service.request(Method::POST, "/api/twilio/send-sms", &token).body(bytes);
                let answer = service.send(request.header("content-type", "application/json")).await;
                assert!(answer.status.is_client_error(), "{}", answer.text);
                (answer.status, answer.text)
            })
        });
    });
    let still =
        service.post("/api/twilio/send-sms", &token, &json!({ "to": "+14155550132", "message": "Hello" })).await;
    assert!([StatusCode::ACCEPTED, StatusCode::LOCKED].contains(&still.status), "{}", still.text);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_form_makes_a_page_fail() {
    let service = Service::start().await;
    let token = service.token("ada@example.com", Role::Admin).await;
    let operation = text(&service.ask(&token, "+14155550132", "Hello").await["operationId"]);
    let form = [("email", "ada@example.com"), ("password", PASSWORD)];
    let signed_in = service.send(service.client().post(service.url("/login")).form(&form)).await;
    let cookie = signed_in.header("set-cookie").and_then(|cookie| cookie.split(';').next()).expect("a cookie");
    let routes = routes(&["/dashboard/", "/account/", "/webhooks/"], &operation);
    assert!(routes.len() >= 20, "{routes:?}");
    let handle = Handle::current();
    let name = prop_oneof![4 => proptest::sample::select(&NAMES[..]).prop_map(str::to_owned), 1 => any::<String>()];
    let strategy = (proptest::sample::select(routes), vec((name, arbitrary_text()), 0..12));
    tokio::task::block_in_place(|| {
        check(400, strategy, |((method, path), fields)| {
            handle.block_on(async {
                let request = service.client().request(method, service.url(&path)).form(&fields);
                let request = request.header("cookie", cookie).header("origin", service.url(""));
                let answer = service.send(request).await;
                (answer.status, answer.text)
            })
        });
    });
    service.stop().await;
}
