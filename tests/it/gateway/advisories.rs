//! The five kinds of faults behind the security advisories of voice webhooks like this one, each as it was exploited.

use mission_control::gateway::Limits;
use mission_control::twilio::signature::{SIGNATURE_HEADER, sign};
use reqwest::StatusCode;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::site::{ALLOWED, NOTHING, PATH, PUBLIC, Plan, REJECTED, Site, call, said, signature, with};

/// One: the URL of the signature was taken from headers that anybody can write.
#[tokio::test]
async fn no_header_of_a_stranger_changes_what_must_be_signed() {
    let forged = "https://attacker.test-mission.dev/voice/webhook";
    for changes in [
        json!({}),
        json!({ "webhookSecurity": { "trustForwardingHeaders": true } }),
        json!({ "webhookSecurity": { "allowedHosts": ["attacker.test-mission.dev"] } }),
        json!({ "webhookSecurity": {
            "allowedHosts": ["attacker.test-mission.dev"], "trustedProxyIPs": ["203.0.113.7"] } }),
    ] {
        let site = Plan::new(&changes).await.start().await;
        for name in
            ["X-Forwarded-Host", "X-Original-Host", "Ngrok-Forwarded-Host", "Forwarded", "Host", "X-Original-Url"]
        {
            let value = match name {
                "Forwarded" => "host=attacker.test-mission.dev;proto=https",
                "X-Original-Url" => forged,
                _ => "attacker.test-mission.dev",
            };
            let request = site.client.post(site.url(PATH)).form(&call(1)).header(name, value);
            let request = request.header("X-Forwarded-Proto", "https").header("X-Forwarded-For", "203.0.113.7");
            let answer = site.send(request.header(SIGNATURE_HEADER, signature(forged, &call(1)))).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{name} {changes}");
        }
        assert_eq!(site.changes().await, [0; 4]);
        site.stop().await;
    }
}

/// Two: signatures were checked only if a key was configured.
#[tokio::test]
async fn without_a_key_nothing_is_believed_however_it_is_signed() {
    let mut plan = Plan::new(&json!({})).await;
    plan.settings.auth_token = SecretString::from("");
    let site = plan.start().await;
    // HMAC-SHA1 of the signed text under the empty key, which anybody can make.
    let empty = {
        use base64::Engine as _;
        use hmac::{KeyInit as _, Mac as _};
        let text = mission_control::twilio::signature::signed_text(PUBLIC, &call(1)).expect("a text");
        let mac = hmac::Hmac::<sha1::Sha1>::new_from_slice(b"").expect("a key").chain_update(text);
        base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes())
    };
    assert!(sign(PUBLIC, &call(1), &SecretString::from("")).is_none());
    for signature in [empty.as_str(), "", "=", "AAAA"] {
        let answer = site.post("", &call(1), signature).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{signature:?}");
    }
    let unsigned = site.send(site.client.post(site.url(PATH)).form(&call(1))).await;
    assert_eq!(unsigned.status, StatusCode::UNAUTHORIZED);
    assert_eq!(site.changes().await, [0; 4]);
    site.stop().await;
}

/// Two again: a request that names a key of its own is not checked with ours instead.
#[tokio::test]
async fn a_request_cannot_choose_how_it_is_checked() {
    let site = Site::start().await;
    let good = signature(PUBLIC, &call(1));
    for settings in ["key=none,algorithm=HMAC_SHA256", "algorithm=none", "key=,algorithm=HMAC_SHA1", "\u{fc}"] {
        let request = site.client.post(site.url(PATH)).form(&call(1)).header(SIGNATURE_HEADER, &good);
        let request = request.header("X-Twilio-Webhooks-Signature-Settings", settings.as_bytes());
        assert_eq!(site.send(request).await.status, StatusCode::UNAUTHORIZED, "{settings}");
    }
    // Nor by a second signature beside the good one.
    let request = site.client.post(site.url(PATH)).form(&call(1)).header(SIGNATURE_HEADER, &good);
    assert_eq!(site.send(request.header(SIGNATURE_HEADER, "x")).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(site.changes().await, [0; 4]);
    site.stop().await;
}

/// Three: what made a request a replay could be changed without breaking its signature.
#[tokio::test]
async fn nothing_that_is_not_signed_makes_a_replay_a_new_request() {
    let site = Site::start().await;
    let (params, good) = (call(1), signature(PUBLIC, &call(1)));
    assert_eq!(site.post("", &params, &good).await.text, said("Hello from the tests"));
    let changes = site.changes().await;
    for (name, value) in [
        ("I-Twilio-Idempotency-Token", "0b0b7a4e-0000-4000-8000-000000000001"),
        ("X-Request-Id", "another"),
        ("Date", "Thu, 01 Jan 2026 00:00:00 GMT"),
        ("Cookie", "a=b"),
        ("X-Forwarded-For", "198.51.100.1"),
    ] {
        let request = site.client.post(site.url(PATH)).form(&params).header(SIGNATURE_HEADER, &good);
        assert_eq!(site.send(request.header(name, value)).await.text, NOTHING, "{name}");
    }
    // The signature in another alphabet or padding: not a second way to write it, but none.
    let url_safe = good.replace('+', "-").replace('/', "_");
    for signature in [url_safe.as_str(), good.trim_end_matches('='), &format!(" {good}")] {
        let answer = site.post("", &params, signature).await;
        assert!(answer.status == StatusCode::UNAUTHORIZED || answer.text == NOTHING, "{signature:?} {}", answer.text);
    }
    // The query re-ordered, or one parameter more.
    for query in ["?", "?a=1", "?type=voice"] {
        assert_eq!(site.post(query, &params, &good).await.status, StatusCode::UNAUTHORIZED, "{query}");
    }
    assert_eq!(site.changes().await, changes);
    site.stop().await;
}

/// Four: the body was read, and held in memory, before anybody asked whether the request was signed at all.
#[tokio::test]
async fn nothing_is_read_or_kept_of_what_is_not_signed() {
    let mut plan = Plan::new(&json!({})).await;
    // Whoever waits for the body would wait for ever.
    plan.limits = Limits { body_time: std::time::Duration::from_hours(1), ..Limits::STANDARD };
    let site = plan.start().await;
    for signature in ["", "X-Twilio-Signature:\r\n"] {
        let mut stream = TcpStream::connect(site.address()).await.expect("a connection");
        let head = format!("POST {PATH} HTTP/1.1\r\nHost: a\r\n{signature}Content-Length: 60000\r\n\r\n");
        stream.write_all(head.as_bytes()).await.expect("written");
        let mut answer = Vec::new();
        while !answer.windows(4).any(|end| end == b"\r\n\r\n") {
            assert!(stream.read_buf(&mut answer).await.expect("an answer") > 0, "{}", String::from_utf8_lossy(&answer));
        }
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    }
    assert_eq!(site.changes().await, [0; 4]);
    site.stop().await;
}

/// Five: caller ids were made alike before they were compared, and an empty one was like any.
#[tokio::test]
async fn only_the_very_number_that_is_listed_is_let_in() {
    let changes = json!({ "allowFrom": [ALLOWED, "+14155550133"] });
    let site = Plan::new(&changes).await.start().await;
    let strangers = [
        "",
        " ",
        "+",
        "4155550132",
        "14155550132",
        "0014155550132",
        "+4155550132",
        "+114155550132",
        "+141555501320",
        "+1415555013",
        "+1 415 555 0132",
        "+1-415-555-0132",
        " +14155550132",
        "+14155550132 ",
        "+14155550132,+14155550199",
        "+1415555013２",
        "+1４155550132",
        "Anonymous",
        "anonymous",
        "Restricted",
        "null",
        "sip:+14155550132@example.com",
        "+266696687",
        "+7378742833",
        "+2562533",
        "+8656696",
        "+86282452253",
    ];
    for (number, from) in (1..).zip(strangers) {
        assert_eq!(site.comes(&with(call(number), "From", from)).await, REJECTED, "{from:?}");
    }
    assert_eq!(site.comes(&call(100)).await, said("Hello from the tests"));
    assert_eq!(site.comes(&with(call(101), "From", "+14155550133")).await, said("Hello from the tests"));
    site.stop().await;
}

#[derive(Deserialize)]
struct Recorded {
    vectors: Vec<Vector>,
    negative: Vec<Negative>,
}

#[derive(Deserialize)]
struct Vector {
    name: String,
    auth_token: String,
    signed_url: String,
    form_body: Option<String>,
    signature: String,
}

#[derive(Deserialize)]
struct Negative {
    name: String,
    auth_token: String,
    url: String,
    params: Vec<(String, String)>,
    signature: String,
    /// One of them is a control that is to be believed.
    python_sdk_accepts: bool,
}

/// What Twilio's own libraries make and accept is accepted here, and what they refuse is refused.
#[tokio::test]
async fn the_vectors_of_twilios_libraries_hold_at_the_door() {
    let recorded: Recorded =
        serde_json::from_str(include_str!("../../data/signature_vectors.json")).expect("the vectors are readable");
    let database = Site::start().await;
    let ask = async |url: &str, token: &str, body: String, signature: &str| {
        let parsed: url::Url = url.parse().ok()?;
        let (before_query, query) = url.split_once('?').map_or((url, None), |(before, query)| (before, Some(query)));
        // Such as a public URL can be configured.
        let is_plain = parsed.as_str().split('?').next() == Some(before_query)
            && parsed.fragment().is_none()
            && parsed.username().is_empty();
        let target = query.map_or(parsed.path().to_owned(), |query| format!("{}?{query}", parsed.path()));
        let uri: axum::http::Uri = target.parse().ok().filter(|_| is_plain)?;
        let mut plan = database.again(&json!({}));
        plan.settings.serve.path = parsed.path().trim_end_matches('/').to_owned();
        plan.settings.public_url = before_query.parse().expect("a URL");
        plan.settings.auth_token = SecretString::from(token);
        let site = plan.start().await;
        let request = axum::http::Request::post(uri)
            .header(SIGNATURE_HEADER, signature)
            .body(axum::body::Body::from(body))
            .expect("a request");
        let status = site.gateway.answer("203.0.113.9".parse().expect("an address"), request).await.status();
        site.stop().await;
        Some(status)
    };
    let mut checked = [0, 0];
    for vector in recorded.vectors {
        let Some(body) = vector.form_body else { continue };
        let Some(status) = ask(&vector.signed_url, &vector.auth_token, body, &vector.signature).await else { continue };
        // What is asked after the signature, such as the account, is another matter.
        let is_believed = status != StatusCode::UNAUTHORIZED && !status.is_server_error();
        assert!(is_believed, "{}: {status}", vector.name);
        checked[0] += 1;
    }
    for negative in recorded.negative {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&negative.params).finish();
        let status = ask(&negative.url, &negative.auth_token, body, &negative.signature).await;
        let Some(status) = status else { continue };
        assert_eq!(status != StatusCode::UNAUTHORIZED, negative.python_sdk_accepts, "{}: {status}", negative.name);
        checked[1] += 1;
    }
    assert!(checked[0] >= 10 && checked[1] >= 5, "{checked:?} were such as can be configured");
    database.stop().await;
}
