//! The order of questions, and what each of them refuses.

use std::net::IpAddr;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use mission_control::gateway::Limits;
use mission_control::twilio::signature::SIGNATURE_HEADER;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::site::{PATH, PUBLIC, Plan, Site, call, report, said, sid, signature, with};
use crate::support::service::eventually;

/// The head of a POST that has a signature and says that its body is so long.
fn head(length: usize) -> String {
    format!(
        "POST {PATH} HTTP/1.1\r\nHost: voice\r\n{SIGNATURE_HEADER}: c2lnbmF0dXJl\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\r\n"
    )
}

async fn connect(site: &Site, text: &str) -> TcpStream {
    let mut stream = TcpStream::connect(site.address()).await.expect("a connection");
    stream.write_all(text.as_bytes()).await.expect("written");
    stream
}

/// What is answered, up to the end of its first line.
async fn first_line(mut stream: TcpStream) -> String {
    let mut text = Vec::new();
    while !text.contains(&b'\n') {
        if stream.read_buf(&mut text).await.expect("readable") == 0 {
            break;
        }
    }
    String::from_utf8_lossy(&text).lines().next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn one_path_is_served_and_nothing_else() {
    let site = Site::start().await;
    for path in [
        "/",
        "/healthz",
        "/readyz",
        "/metrics",
        "/login",
        "/dashboard/operations",
        "/api/operations",
        "/webhooks/twilio/call-status/019ab2c4-7e10-7c3a-9f21-5b8e0d6a41c2",
        "/voice",
        "/Voice/webhook",
        "/voice/webhook/more",
        "/voice//webhook",
        "//voice/webhook",
        "/voice/webhook//",
        "/voice/webhook%2f",
        "/voice/%77ebhook",
        "/voice/webhook;a=b",
    ] {
        for method in [Method::GET, Method::POST, Method::DELETE] {
            let request = site.client.request(method.clone(), site.url(path)).header(SIGNATURE_HEADER, "x");
            let answer = site.send(request).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{method} {path}");
            assert_eq!(answer.text, "Not Found", "nothing about us");
        }
    }
    for method in [Method::GET, Method::HEAD, Method::PUT, Method::DELETE, Method::OPTIONS, Method::PATCH] {
        for path in [PATH.to_owned(), format!("{PATH}/"), format!("{PATH}?type=status")] {
            let answer = site.send(site.client.request(method.clone(), site.url(&path))).await;
            assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
            assert_eq!(answer.header("allow"), Some("POST"));
        }
    }
    assert_eq!(site.changes().await, [0; 4]);
    site.stop().await;
}

#[tokio::test]
async fn a_slash_at_the_end_is_the_same_door() {
    let site = Site::start().await;
    let params = call(1);
    let request = site.client.post(site.url(&format!("{PATH}/"))).form(&params);
    let answer = site.send(request.header(SIGNATURE_HEADER, signature(PUBLIC, &params))).await;
    assert_eq!((answer.status, answer.text), (StatusCode::OK, said("Hello from the tests")));
    site.stop().await;
}

#[tokio::test]
async fn too_many_requests_of_one_peer_at_once_are_told_to_come_back() {
    let mut plan = Plan::new(&json!({})).await;
    // Nobody is cut off while the test looks.
    plan.limits = Limits { body_time: Duration::from_mins(5), ..Limits::STANDARD };
    let site = plan.start().await;
    let mut waiting = Vec::new();
    for _ in 0..Limits::STANDARD.in_flight {
        waiting.push(connect(&site, &head(10)).await);
    }
    let refused = eventually("a refusal", || async {
        let answer = site.signed("", &call(1)).await;
        if answer.status == StatusCode::SERVICE_UNAVAILABLE { Ok(answer) } else { Err(answer.text) }
    })
    .await;
    assert_eq!(refused.header("retry-after"), Some("1"), "Twilio repeats it; a 429 it would not");

    // Whoever goes away gives the place back, in the middle of a body as well.
    waiting.pop();
    eventually("a place", || async {
        let answer = site.signed("", &call(2)).await;
        if answer.status == StatusCode::OK { Ok(()) } else { Err(answer.status.to_string()) }
    })
    .await;
    drop(waiting);
    site.stop().await;
}

#[tokio::test]
async fn a_place_is_given_back_whatever_becomes_of_the_request() {
    let site = Site::start().await;
    for number in 0..40 {
        match number % 4 {
            0 => drop(connect(&site, &head(10)).await),
            1 => assert_eq!(first_line(connect(&site, &(head(4) + "a=bc")).await).await, "HTTP/1.1 401 Unauthorized"),
            2 => drop(connect(&site, "POST /voice/webhook HTTP/1.1\r\nHost: a\r\n").await),
            _ => assert_eq!(first_line(connect(&site, "nonsense\r\n\r\n").await).await, "HTTP/1.1 400 Bad Request"),
        }
    }
    // All eight at once are free again.
    eventually("all places", || async {
        let asked: Vec<_> = (0..8).map(|number| call(100 + number)).collect();
        let answers = futures_util::future::join_all(asked.iter().map(|params| site.signed("", params))).await;
        let refused = answers.iter().filter(|answer| answer.status != StatusCode::OK).count();
        if refused == 0 { Ok(()) } else { Err(format!("{refused} refused")) }
    })
    .await;
    site.stop().await;
}

#[tokio::test]
async fn behind_a_trusted_proxy_each_client_has_its_own_places() {
    let mut plan = Plan::new(&json!({ "webhookSecurity": { "trustedProxyIPs": ["203.0.113.7"] } })).await;
    plan.limits = Limits { in_flight: 1, body_time: Duration::from_mins(5), ..Limits::STANDARD };
    let site = plan.start().await;
    let ask = |peer: &str, client: &str, body: Body| {
        let request = Request::post(PATH).header(SIGNATURE_HEADER, "x").header("x-forwarded-for", client);
        let (gateway, peer) = (site.gateway.clone(), peer.parse::<IpAddr>().expect("an address"));
        async move { gateway.answer(peer, request.body(body).expect("a request")).await.status().as_u16() }
    };
    let never = || Body::from_stream(futures_util::stream::pending::<Result<bytes::Bytes, std::io::Error>>());
    let (proxy, stranger) = ("203.0.113.7", "203.0.113.8");
    let mut held: Vec<std::pin::Pin<Box<dyn Future<Output = u16>>>> =
        vec![Box::pin(ask(proxy, "198.51.100.1", never())), Box::pin(ask(stranger, "198.51.100.5", never()))];
    for waiting in &mut held {
        // Looked at once.
        assert!(tokio::time::timeout(Duration::ZERO, waiting).await.is_err());
    }
    assert_eq!(ask(proxy, "198.51.100.1", Body::empty()).await, 503);
    assert_eq!(ask(proxy, "198.51.100.2", Body::empty()).await, 401, "another client, a place of its own");
    assert_eq!(
        ask(stranger, "198.51.100.6", Body::empty()).await,
        503,
        "what a stranger says of itself counts nothing"
    );
    drop(held);
    assert_eq!(ask(proxy, "198.51.100.1", Body::empty()).await, 401);
    assert_eq!(ask(stranger, "198.51.100.6", Body::empty()).await, 401);
    site.stop().await;
}

#[tokio::test]
async fn a_body_over_64_kib_is_refused_and_its_sender_hears_it() {
    let site = Site::start().await;
    let post = |length: usize| site.client.post(site.url(PATH)).header(SIGNATURE_HEADER, "x").body(vec![b'a'; length]);
    assert_eq!(site.send(post(64 * 1024)).await.status, StatusCode::UNAUTHORIZED, "it fits");
    for length in [64 * 1024 + 1, 512 * 1024] {
        assert_eq!(site.send(post(length)).await.status, StatusCode::PAYLOAD_TOO_LARGE, "{length}");
    }
    // Without a length, in pieces.
    let chunk = format!("{:x}\r\n{}\r\n", 40_000, "a".repeat(40_000));
    let text = head(0).replace("Content-Length: 0", "Transfer-Encoding: chunked") + &chunk + &chunk + "0\r\n\r\n";
    assert_eq!(first_line(connect(&site, &text).await).await, "HTTP/1.1 413 Payload Too Large");
    // Whoever asks first does not have to send it.
    let asking = head(70_000).replace("\r\n\r\n", "\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(first_line(connect(&site, &asking).await).await, "HTTP/1.1 413 Payload Too Large");
    assert_eq!(site.changes().await, [0; 4]);
    site.stop().await;
}

#[tokio::test]
async fn a_body_that_does_not_come_in_time_is_not_waited_for() {
    let mut plan = Plan::new(&json!({})).await;
    plan.limits = Limits { body_time: Duration::from_millis(50), ..Limits::STANDARD };
    let site = plan.start().await;
    let stream = connect(&site, &(head(100) + "a=")).await;
    assert_eq!(first_line(stream).await, "HTTP/1.1 408 Request Timeout");
    site.stop().await;
}

#[tokio::test]
async fn a_head_that_does_not_come_in_time_is_not_waited_for() {
    let mut plan = Plan::new(&json!({})).await;
    plan.limits = Limits { head_time: Duration::from_millis(50), ..Limits::STANDARD };
    let site = plan.start().await;
    let stream = connect(&site, "POST ").await;
    // A bound against hanging, not a measure.
    let ending = tokio::time::timeout(Duration::from_secs(30), first_line(stream)).await;
    assert_eq!(ending.expect("the connection ends"), "");
    site.stop().await;
}

/// Whether a new connection gets an answer at all.
async fn is_let_in(site: &Site) -> bool {
    let mut stream = TcpStream::connect(site.address()).await.expect("a connection");
    // Whoever is not let in may be cut off before it has asked.
    let _ = stream.write_all(head(0).as_bytes()).await;
    matches!(stream.read(&mut [0; 1]).await, Ok(1))
}

#[tokio::test]
async fn one_peer_does_not_take_all_connections() {
    let site = Site::start().await;
    let mut held = Vec::new();
    for _ in 0..32 {
        held.push(connect(&site, "").await);
    }
    assert!(!is_let_in(&site).await, "it has enough");
    held.pop();
    eventually("a place for another", || async {
        if is_let_in(&site).await { Ok(()) } else { Err("it is cut off".to_owned()) }
    })
    .await;
    site.stop().await;
}

#[tokio::test]
async fn a_trusted_proxy_takes_no_more_connections_than_there_are() {
    let trusting = json!({ "webhookSecurity": { "trustedProxyIPs": ["127.0.0.1"] } });
    let site = Plan::new(&trusting).await.start().await;
    let mut held = Vec::new();
    for _ in 0..256 {
        held.push(connect(&site, "").await);
    }
    let mut waiting = connect(&site, &head(0)).await;
    let mut first = [0; 1];
    // Nothing comes of it however long it waits; a slow machine only makes this see less.
    let early = tokio::time::timeout(Duration::from_millis(500), waiting.read(&mut first)).await;
    assert!(early.is_err(), "all are taken: {early:?}");
    held.pop();
    assert!(matches!(waiting.read(&mut first).await, Ok(1)), "one made room");
    site.stop().await;
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let site = Site::start().await;
    let large = format!("POST {PATH} HTTP/1.1\r\nHost: a\r\nX-Large: {}\r\n\r\n", "a".repeat(20_000));
    let many = format!("POST {PATH} HTTP/1.1\r\nHost: a\r\n{}\r\n", "X-One: 1\r\n".repeat(100));
    for text in [large, many] {
        let line = first_line(connect(&site, &text).await).await;
        assert_eq!(line, "HTTP/1.1 431 Request Header Fields Too Large");
    }
    site.stop().await;
}

#[tokio::test]
async fn only_what_this_account_signed_for_this_address_gets_further() {
    let site = Site::start().await;
    let params = call(1);
    let good = signature(PUBLIC, &params);
    let other_token = {
        let secret = secrecy::SecretString::from("another token");
        mission_control::twilio::signature::sign(PUBLIC, &params, &secret).expect("a signature")
    };
    let of = |url: &str| signature(url, &params);
    for (case, query, signature) in [
        ("another token", "", other_token),
        ("another path", "", of("https://voice.test-mission.dev/voice/webhook2")),
        ("another host", "", of("https://voice.test-mission.com/voice/webhook")),
        ("another scheme", "", of("http://voice.test-mission.dev/voice/webhook")),
        ("another port", "", of("https://voice.test-mission.dev:8443/voice/webhook")),
        ("the address that it came to", "", of(&site.url(PATH))),
        ("without the query", "?type=status", good.clone()),
        ("another query", "?type=status", of(&format!("{PUBLIC}?type=other"))),
        ("the query in another order", "?a=1&type=status", of(&format!("{PUBLIC}?type=status&a=1"))),
        ("the query written otherwise", "?type=%73tatus", of(&format!("{PUBLIC}?type=status"))),
        ("cut short", "", good[..good.len() - 2].to_owned()),
        ("padded", "", format!("{good}=")),
        ("two in one", "", format!("{good},{good}")),
    ] {
        let answer = site.post(query, &params, &signature).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{case}");
    }
    for changed in [with(call(1), "From", "+14155550199"), with(call(1), "Extra", "1"), with(call(1), "To", "")] {
        assert_eq!(site.post("", &changed, &good).await.status, StatusCode::UNAUTHORIZED, "{changed:?}");
    }
    // Signed with its key, and about somebody else.
    let other = with(call(1), "AccountSid", "AC00000000000000000000000000000002");
    for params in [other, with(call(1), "AccountSid", "")] {
        assert_eq!(site.signed("", &params).await.status, StatusCode::FORBIDDEN);
    }
    assert_eq!(site.changes().await, [0; 4], "nothing is kept of what is not believed");
    assert_eq!(site.comes(&params).await, said("Hello from the tests"));
    site.stop().await;
}

#[tokio::test]
async fn the_port_may_be_signed_or_not() {
    let with_port = "https://voice.test-mission.dev:8443/voice/webhook";
    for (public, signed) in [
        (PUBLIC, PUBLIC),
        (PUBLIC, "https://voice.test-mission.dev:443/voice/webhook"),
        (with_port, with_port),
        (with_port, PUBLIC),
    ] {
        let site = Plan::new(&json!({ "publicUrl": public })).await.start().await;
        let params = call(1);
        let answer = site.post("", &params, &signature(signed, &params)).await;
        assert_eq!(answer.status, StatusCode::OK, "{public} {signed}");
        let other = "https://voice.test-mission.dev:444/voice/webhook";
        let answer = site.post("", &call(2), &signature(other, &call(2))).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{public} {other}");
        site.stop().await;
    }
}

#[tokio::test]
async fn a_name_of_a_trusted_proxy_counts_if_it_is_listed() {
    let changes = json!({
        "webhookSecurity": { "allowedHosts": ["other.test-mission.dev"], "trustedProxyIPs": ["203.0.113.7"] },
    });
    let site = Plan::new(&changes).await.start().await;
    let url = "https://other.test-mission.dev/voice/webhook";
    let ask = |number: u32, peer: &str, host: &str| {
        let params = call(number);
        let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&params).finish();
        let request = Request::post(PATH)
            .header(SIGNATURE_HEADER, signature(url, &params))
            .header("x-forwarded-host", host)
            .body(Body::from(form))
            .expect("a request");
        let (gateway, peer) = (site.gateway.clone(), peer.parse::<IpAddr>().expect("an address"));
        async move { gateway.answer(peer, request).await.status().as_u16() }
    };
    assert_eq!(ask(1, "203.0.113.7", "other.test-mission.dev").await, 200);
    assert_eq!(ask(2, "203.0.113.8", "other.test-mission.dev").await, 401, "nobody's proxy");
    assert_eq!(ask(3, "203.0.113.7", "third.test-mission.dev").await, 401, "nobody's name");
    assert_eq!(ask(4, "203.0.113.7", "").await, 401);
    site.stop().await;
}

#[tokio::test]
async fn what_says_too_little_of_its_call_is_refused() {
    let site = Site::start().await;
    for (name, value) in [
        ("CallSid", ""),
        ("CallSid", "SM00000000000000000000000000000001"),
        ("CallSid", "CA1"),
        ("CallStatus", ""),
        ("CallStatus", "läuft"),
    ] {
        for query in ["", "?type=status"] {
            let answer = site.signed(query, &with(call(1), name, value)).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{name} {value:?}");
        }
    }
    assert_eq!(site.changes().await, [0; 4]);
    site.stop().await;
}

#[tokio::test]
async fn what_cannot_be_recorded_is_not_answered_and_not_taken_for_a_replay_later() {
    let site = Site::start().await;
    // Once in the middle, once at the commit itself.
    for (number, when) in [(1, "before insert"), (2, "after insert")] {
        let deferred = if when == "before insert" { "" } else { "constraint" };
        let timing = if when == "before insert" { "" } else { "deferrable initially deferred" };
        site.execute(&format!(
            "create function refuse() returns trigger language plpgsql as $$ begin raise exception 'full'; end $$;
             create {deferred} trigger refuse {when} on gateway_calls {timing} for each row execute function refuse()"
        ))
        .await;
        for (query, params) in [("", call(number)), ("?type=status", report(number, "completed"))] {
            let answer = site.signed(query, &params).await;
            assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{when} {query}");
            assert_eq!(answer.header("retry-after"), Some("1"));
            assert!(!answer.text.contains("Response>") && !answer.text.contains("full"), "{}", answer.text);
        }
        assert_eq!(site.record(number).await, Value::Null);
        site.execute("drop trigger refuse on gateway_calls; drop function refuse()").await;
        assert_eq!(site.comes(&call(number)).await, said("Hello from the tests"), "the same request again");
        assert_eq!(site.record(number).await["sid"], sid(number));
    }
    site.stop().await;
}
