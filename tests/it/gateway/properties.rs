//! Whatever comes: no panic, nothing that is answered 5xx, and nothing believed that is not signed.

use std::net::IpAddr;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Method, Request, StatusCode};
use mission_control::gateway::Gateway;
use mission_control::twilio::signature::SIGNATURE_HEADER;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};
use tokio::runtime::Runtime;

use super::site::{ACCOUNT, ALLOWED, NUMBER, PATH, PUBLIC, Site, sid, signature};

/// A gateway for all cases of one property, with the runtime that it lives in.
fn site() -> (Runtime, Site) {
    let runtime = Runtime::new().expect("a runtime");
    let site = runtime.block_on(Site::start());
    (runtime, site)
}

fn check<S: Strategy>(strategy: &S, cases: u32, test: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    // No file beside the tests: a failure prints its case.
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    TestRunner::new(config).run(strategy, test).unwrap_or_else(|failure| panic!("{failure}"));
}

fn answer(gateway: &Gateway, runtime: &Runtime, request: Request<Body>) -> (StatusCode, String) {
    let peer: IpAddr = "203.0.113.9".parse().expect("an address");
    runtime.block_on(async {
        let (parts, body) = gateway.answer(peer, request).await.into_parts();
        let body = axum::body::to_bytes(Body::new(body), usize::MAX).await.expect("a body");
        (parts.status, String::from_utf8(body.to_vec()).expect("a text"))
    })
}

/// Part of an address as a client can write it.
fn address() -> impl Strategy<Value = String> {
    let path = prop_oneof![Just(PATH.to_owned()), Just(format!("{PATH}/")), "/[!-~&&[^?#<>\"`{}|\\\\^]]{0,30}"];
    let query = option::of(prop_oneof![Just("type=status".to_owned()), "[!-~&&[^#<>\"`{}|\\\\^]]{0,40}"]);
    (path, query).prop_map(|(path, query)| query.map_or(path.clone(), |query| format!("{path}?{query}")))
}

fn headers() -> impl Strategy<Value = Vec<(&'static str, Vec<u8>)>> {
    let names = select(vec![
        SIGNATURE_HEADER,
        "X-Twilio-Webhooks-Signature-Settings",
        "X-Forwarded-For",
        "X-Forwarded-Host",
        "X-Forwarded-Proto",
        "Content-Type",
        "Content-Length",
        "Expect",
        "Host",
    ]);
    vec((names, vec(any::<u8>(), 0..40)), 0..8)
}

#[test]
fn anything_at_all_is_refused_in_an_orderly_way() {
    let (runtime, site) = site();
    let methods = select(vec![Method::POST, Method::POST, Method::POST, Method::GET, Method::OPTIONS, Method::CONNECT]);
    check(&(methods, address(), headers(), vec(any::<u8>(), 0..2000)), 2000, |(method, address, headers, body)| {
        let mut request = Request::new(Body::from(body));
        *request.method_mut() = method;
        let Ok(uri) = address.parse() else { return Ok(()) };
        *request.uri_mut() = uri;
        for (name, value) in headers {
            let Ok(value) = HeaderValue::from_bytes(&value) else { continue };
            let name: HeaderName = name.parse().expect("a name");
            request.headers_mut().append(name, value);
        }
        let (status, _) = answer(&site.gateway, &runtime, request);
        prop_assert!(status.is_client_error(), "{status}");
        Ok(())
    });
    assert_eq!(runtime.block_on(site.changes()), [0; 4], "nothing was believed");
    runtime.block_on(site.stop());
}

/// Values that Twilio could send, and such as nobody expects.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(ALLOWED.to_owned()),
        Just(NUMBER.to_owned()),
        select(vec!["ringing", "in-progress", "completed", "busy", "no-answer", "inbound", "outbound-api"])
            .prop_map(str::to_owned),
        "\\PC{0,20}",
        any::<String>(),
    ]
}

#[test]
fn anything_that_is_signed_is_answered_or_refused_and_recorded_at_most_once() {
    let (runtime, site) = site();
    let names = select(vec!["From", "To", "CallStatus", "Direction", "CallDuration", "SequenceNumber", "CallSid", "X"]);
    let call = (1_000_000..1_000_050_u32).prop_map(sid);
    let strategy = (call, vec((names, value()), 0..8), vec((any::<String>(), any::<String>()), 0..3), any::<bool>());
    check(&strategy, 500, |(sid, words, strange, is_report)| {
        let mut params = vec![("AccountSid".to_owned(), ACCOUNT.to_owned()), ("CallSid".to_owned(), sid)];
        params.extend(words.into_iter().map(|(name, value)| (name.to_owned(), value)));
        params.extend(strange);
        let query = if is_report { "?type=status" } else { "" };
        let ask = || {
            let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&params).finish();
            let request = Request::post(format!("{PATH}{query}"))
                .header(SIGNATURE_HEADER, signature(&format!("{PUBLIC}{query}"), &params))
                .body(Body::from(form))
                .expect("a request");
            answer(&site.gateway, &runtime, request)
        };
        let (status, text) = ask();
        prop_assert!(!status.is_server_error() && status != StatusCode::UNAUTHORIZED, "{status} {text}");
        let is_taken = status.is_success();
        let is_form = text.is_empty() || (text.starts_with("<?xml") && text.contains("<Response")) || !is_taken;
        prop_assert!(is_form, "{text}");
        let (again, text) = ask();
        prop_assert_eq!(again, if is_taken { StatusCode::OK } else { status });
        prop_assert!(!is_taken || text.ends_with("?><Response/>"), "{}", text);
        Ok(())
    });
    runtime.block_on(site.stop());
}
