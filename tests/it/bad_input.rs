//! What comes in is wrong in every way we could think of: the answer says what to do, nothing happens, and nothing that
//! should not be repeated is repeated.

use mission_control::auth::{Role, Scope};
use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgConnection};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::log;
use crate::support::service::{Answer, PASSWORD, Service, text};

const SEND: &str = "/api/twilio/send-sms";

/// What every answer carries, whatever it says.
fn assert_manners(answer: &Answer) {
    let context = format!("{} {}", answer.status, answer.text);
    assert!(answer.header("x-correlation-id").is_some_and(|id| (1..=64).contains(&id.len())), "{context}");
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{context}");
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{context}");
    assert_eq!(answer.header("x-frame-options"), Some("DENY"), "{context}");
    assert_eq!(answer.header("referrer-policy"), Some("same-origin"), "{context}");
    let policy = answer.header("content-security-policy").unwrap_or_default();
    assert!(policy.starts_with("default-src 'none'; "), "{context}");
}

/// A refusal, whole, and with a sentence that says what to do.
fn assert_problem(answer: &Answer, status: u16, code: &str, remedy: &str) {
    let context = format!("{} {}", answer.status, answer.text);
    assert_eq!(answer.status.as_u16(), status, "{context}");
    assert_manners(answer);
    assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{context}");
    let problem = answer.json();
    assert_eq!(problem["type"], format!("urn:mission-control:problem:{code}"), "{context}");
    assert_eq!(problem["title"], answer.status.canonical_reason().expect("a known status"), "{context}");
    assert_eq!(problem["status"], status, "{context}");
    assert_eq!(problem["code"], code, "{context}");
    assert!(text(&problem["detail"]).contains(remedy), "{remedy:?} is missing: {context}");
    assert_eq!(problem["error"], problem["detail"], "{context}");
    assert_eq!(problem["correlationId"].as_str(), answer.header("x-correlation-id"), "{context}");
}

/// The wrong fields, in order.
fn wrong_fields(answer: &Answer) -> Vec<(String, String)> {
    let problem = answer.json();
    let details = problem["details"].as_array().expect("details").iter();
    details.map(|wrong| (text(&wrong["field"]), text(&wrong["message"]))).collect()
}

struct Caller {
    service: Service,
    token: String,
}

impl Caller {
    async fn start() -> Self {
        let service = Service::start().await;
        let token = service.token("ada@example.com", Role::Admin).await;
        Self { service, token }
    }

    /// Sends a body as it is.
    async fn send(&self, body: impl Into<reqwest::Body>) -> Answer {
        let request = self.service.request(Method::POST, SEND, &self.token);
        self.service.send(request.header("content-type", "application/json").body(body)).await
    }

    async fn send_json(&self, body: Value) -> Answer {
        self.send(body.to_string()).await
    }

    async fn send_with(&self, headers: &[(&'static str, &[u8])]) -> Answer {
        let body = json!({ "to": "+14155550132", "message": "Hello" });
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_bytes(value).expect("a value"));
        }
        self.service.send(self.service.request(Method::POST, SEND, &self.token).json(&body).headers(map)).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.service.get(path, &self.token).await
    }

    /// How many operations there are.
    async fn operations(&self) -> i64 {
        let count = sqlx::query_scalar("select count(*) from operations");
        count.fetch_one(&self.service.app().db).await.expect("a count")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_no_request_is_refused_with_the_place_of_the_fault() {
    let caller = Caller::start().await;
    let broken: [&[u8]; 8] = [
        b"",
        b"{",
        b"{\"to\": \"+14155550132\", \"message\": \"Hello\"",
        b"{\"to\": \"+14155550132\", \"message\": \"Hello\"} and more",
        b"{'to': 1}",
        b"\xff\xfe",
        // Half a character, of which no text can be made.
        b"{\"to\": \"+14155550132\", \"message\": \"\\ud83d\"}",
        b"{\"to\": \"+14155550132\", \"message\": \"\\udc00 \\ud83d\"}",
    ];
    for body in broken {
        assert_problem(&caller.send(body).await, 400, "invalid_json", "Correct it and send it again.");
    }
    for body in ["[]", "null", "5", "\"mc_canary_string\"", "[{\"to\": \"+14155550132\"}]"] {
        let answer = caller.send(body).await;
        assert_problem(&answer, 400, "invalid_json", "must be a JSON object with `to` and `message`");
        assert!(!answer.text.contains("mc_canary_string"), "{}", answer.text);
    }
    assert_problem(&caller.send("[".repeat(10_000)).await, 400, "invalid_json", "recursion limit");
    assert_eq!(caller.operations().await, 0, "nothing was asked for");
    caller.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_wrong_field_is_told_at_once() {
    let caller = Caller::start().await;
    let answer =
        caller.send_json(json!({ "to": 5, "message": ["x"], "from": {}, "note": true, "colour": "red" })).await;
    assert_problem(&answer, 400, "invalid_request", "These fields need a change: colour, to, message, from, note.");
    let wrong = wrong_fields(&answer);
    assert_eq!(
        wrong[0].1,
        "There is no such field. Remove it; the fields are to, message, from, idempotencyKey, note."
    );
    assert!(wrong[1..].iter().all(|(_, message)| message == "This field must be a string."), "{wrong:?}");

    let answer = caller.send_json(json!({})).await;
    let required = |field: &str| (field.to_owned(), "This field is required.".to_owned());
    assert_eq!(wrong_fields(&answer), [required("to"), required("message")]);

    for (body, field, remedy) in [
        (json!({ "to": "4155550132", "message": "Hello" }), "to", "+"),
        (json!({ "to": "+14155550132\0", "message": "Hello" }), "to", "+"),
        (json!({ "to": "+14155550132", "message": " \n" }), "message", "Write 1 to 1600 characters."),
        (json!({ "to": "+14155550132", "message": "a\0b" }), "message", "contains a NUL character. Remove it."),
        (json!({ "to": "+14155550132", "message": "é".repeat(1601) }), "message", "has 1601 characters"),
        (json!({ "to": "+14155550132", "message": "Hello", "note": "a\0b" }), "note", "Remove it."),
        (json!({ "to": "+14155550132", "message": "Hello", "note": "n".repeat(501) }), "note", "500"),
        (json!({ "to": "+14155550132", "message": "Hello", "idempotencyKey": "a\0b" }), "idempotencyKey", "printable"),
        (json!({ "to": "+14155550132", "message": "Hello", "idempotencyKey": "" }), "idempotencyKey", "1 to 255"),
    ] {
        let answer = caller.send_json(body).await;
        assert_problem(&answer, 400, "invalid_request", remedy);
        assert_eq!(wrong_fields(&answer)[0].0, field, "{}", answer.text);
    }
    // A name that carries a payload is cut.
    let name = "x".repeat(5000);
    let answer = caller.send_json(json!({ "to": "+14155550132", "message": "Hello", name: 1 })).await;
    assert_problem(&answer, 400, "invalid_request", "There is no such field");
    assert!(answer.text.len() < 1000, "{} bytes", answer.text.len());
    assert_eq!(caller.operations().await, 0, "nothing was asked for");

    let longest = caller.send_json(json!({ "to": "+14155550132", "message": "é".repeat(1600) })).await;
    assert_eq!(longest.status, StatusCode::ACCEPTED, "{}", longest.text);
    assert_manners(&longest);
    caller.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_in_the_body_are_sent_to_the_vault_and_never_repeated() {
    let caller = Caller::start().await;
    let secret = "canary-5b1d3c0f7a";
    for field in ["twilioSid", "twilioToken", "accountSid", "authToken", "apiKey", "elevenLabsKey"] {
        let answer = caller.send_json(json!({ "to": "+14155550132", "message": "Hello", field: secret })).await;
        assert_problem(&answer, 400, "invalid_request", "store credentials in the API Vault");
        assert!(!answer.text.contains(secret), "{}", answer.text);
    }
    let asked = caller.send_json(json!({ "to": "+14155550132", "message": "Hello" })).await.json();
    let approve = format!("/api/operations/{}/approve", text(&asked["operationId"]));
    for (path, body) in [
        (approve.as_str(), json!(secret)),
        (approve.as_str(), json!({ "digest": asked["digest"], "authToken": secret })),
        ("/api/hold", json!(secret)),
        ("/api/hold", json!({ "authToken": secret })),
    ] {
        let method = if path == "/api/hold" { Method::PUT } else { Method::POST };
        let answer = caller.service.send(caller.service.request(method, path, &caller.token).json(&body)).await;
        assert_problem(&answer, 400, "invalid_request", "");
        assert!(!answer.text.contains(secret) && !answer.text.contains("struct "), "{}", answer.text);
    }
    assert!(!log::text().contains(secret), "the log repeats it");
    assert_eq!(caller.operations().await, 1, "only the one without a credential");
    caller.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_over_the_limit_is_refused_with_and_without_its_length() {
    let caller = Caller::start().await;
    let just_over = json!({ "to": "+14155550132", "message": "x".repeat(64 * 1024) }).to_string();
    assert_problem(&caller.send(just_over).await, 413, "too_large", "Send less.");
    assert_problem(&caller.send(vec![b' '; 10 * 1024 * 1024]).await, 413, "too_large", "Send less.");

    let head = format!(
        "POST {SEND} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
         transfer-encoding: chunked\r\nconnection: close\r\n\r\n",
        caller.service.url("").trim_start_matches("http://"),
        caller.token
    );
    let megabyte = vec![b' '; 1024 * 1024];
    let mut chunked = head.into_bytes();
    for _ in 0..10 {
        chunked.extend_from_slice(b"100000\r\n");
        chunked.extend_from_slice(&megabyte);
        chunked.extend_from_slice(b"\r\n");
    }
    chunked.extend_from_slice(b"0\r\n\r\n");
    assert_problem(&raw(&caller.service, &chunked).await, 413, "too_large", "Send less.");
    assert_eq!(caller.get("/healthz").await.status, StatusCode::OK);

    // Who asks first is told without sending a byte of it.
    let asking_first = format!(
        "POST {SEND} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
         content-length: 10485760\r\nexpect: 100-continue\r\nconnection: close\r\n\r\n",
        caller.service.url("").trim_start_matches("http://"),
        caller.token
    );
    assert_problem(&raw(&caller.service, asking_first.as_bytes()).await, 413, "too_large", "Send less.");
    // Half a body and then nothing more: the line is cut.
    let half = asking_first.replace("10485760", "100").replace("expect: 100-continue\r\n", "") + "{\"to\": ";
    let address = caller.service.url("").trim_start_matches("http://").to_owned();
    let mut cut = TcpStream::connect(address).await.expect("connected");
    cut.write_all(half.as_bytes()).await.expect("written");
    drop(cut);
    assert_eq!(caller.operations().await, 0, "nothing was asked for");
    caller.service.stop().await;
}

/// Sends bytes as they are, and reads while it sends.
async fn raw(service: &Service, bytes: &[u8]) -> Answer {
    let address = service.url("").trim_start_matches("http://").to_owned();
    let (mut reading, mut writing) = TcpStream::connect(address).await.expect("connected").into_split();
    let mut answer = Vec::new();
    // The service may stop reading at any moment; what it answered is what counts.
    let (_, read) = tokio::join!(writing.write_all(bytes), reading.read_to_end(&mut answer));
    let answer = String::from_utf8(answer).expect("text");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer ({read:?}): {answer}"));
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).expect("a status");
    let mut headers = HeaderMap::new();
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        let name: reqwest::header::HeaderName = name.parse().expect("a name");
        headers.append(name, value.parse().expect("a value"));
    }
    Answer { status: status.parse().expect("a status"), headers, text: body.to_owned() }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_json_is_read_as_json() {
    let caller = Caller::start().await;
    let body = json!({ "to": "+14155550132", "message": "Hello" }).to_string();
    for content_type in [None, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("application/jsonp")]
    {
        let mut request = caller.service.request(Method::POST, SEND, &caller.token).body(body.clone());
        if let Some(content_type) = content_type {
            request = request.header("content-type", content_type);
        }
        let answer = caller.service.send(request).await;
        assert_problem(
            &answer,
            415,
            "unsupported_media_type",
            "must be application/json. Set the Content-Type header.",
        );
    }
    let request = caller.service.request(Method::POST, SEND, &caller.token).body(body);
    let answer = caller.service.send(request.header("content-type", "Application/JSON; charset=utf-8")).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text);
    caller.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn junk_in_the_key_headers_is_refused_and_quotes_are_not_part_of_a_key() {
    let caller = Caller::start().await;
    let long = "k".repeat(256);
    for (headers, field, remedy) in [
        (vec![("idempotency-key", &b"\xff\xfe"[..])], "idempotency-key", "printable ASCII"),
        (vec![("x-idempotency-key", &b"k\xe4y"[..])], "x-idempotency-key", "printable ASCII"),
        (vec![("idempotency-key", &b""[..])], "idempotency-key", "1 to 255 characters"),
        (vec![("idempotency-key", &b"\"\""[..])], "idempotency-key", "1 to 255 characters"),
        (vec![("idempotency-key", &b"\"k"[..])], "idempotency-key", "quotes"),
        (vec![("idempotency-key", long.as_bytes())], "idempotency-key", "1 to 255 characters"),
    ] {
        let answer = caller.send_with(&headers).await;
        assert_problem(&answer, 400, "invalid_request", remedy);
        assert_eq!(wrong_fields(&answer)[0].0, field);
    }
    for headers in [
        [("idempotency-key", &b"one"[..]), ("idempotency-key", &b"two"[..])],
        [("idempotency-key", &b"one"[..]), ("x-idempotency-key", &b"two"[..])],
    ] {
        assert_problem(&caller.send_with(&headers).await, 400, "idempotency_keys_differ", "Send one.");
    }
    assert_eq!(caller.operations().await, 0, "nothing was asked for");

    let first = caller.send_with(&[("idempotency-key", b"\"k-1\"")]).await;
    assert_eq!(first.header("idempotency-key"), Some("k-1"), "{}", first.text);
    let again = caller.send_with(&[("idempotency-key", b"k-1"), ("x-idempotency-key", b"\"k-1\"")]).await;
    assert_eq!(again.header("idempotent-replayed"), Some("true"), "{}", again.text);
    assert_eq!(first.json()["operationId"], again.json()["operationId"]);
    caller.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_names_the_key_it_is_about() {
    let caller = Caller::start().await;
    let first = caller.send_with(&[("idempotency-key", b"k-1")]).await;
    assert_eq!(first.status, StatusCode::ACCEPTED, "{}", first.text);
    let other = json!({ "to": "+14155550132", "message": "Another", "idempotencyKey": "k-1" });
    let answer = caller.send_json(other).await;
    assert_problem(&answer, 422, "idempotency_key_reused", "Use a new key");
    assert_eq!(answer.header("idempotency-key"), Some("k-1"));

    // Without a key of the caller's, the one that was made is what a repetition needs.
    let held = caller.service.request(Method::PUT, "/api/hold", &caller.token).json(&json!({ "reason": "test" }));
    assert_eq!(caller.service.send(held).await.status, StatusCode::OK);
    let answer = caller.send_json(json!({ "to": "+14155550132", "message": "Hello" })).await;
    assert_problem(&answer, 423, "on_hold", "An admin can resume it.");
    assert!(answer.header("idempotency-key").is_some_and(|key| key.len() == 36), "{:?}", answer.headers);
    caller.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_exist_here_is_404() {
    let caller = Caller::start().await;
    let asked = caller.send_json(json!({ "to": "+14155550132", "message": "Hello" })).await.json();
    // The same operation, as it would stand in live mode.
    let live: uuid::Uuid = sqlx::query_scalar(
        "insert into operations select (jsonb_populate_record(o, jsonb_build_object(
             'id', gen_random_uuid(), 'mode', 'live', 'idempotency_key', 'live'))).*
         from operations o where id = $1::uuid returning id",
    )
    .bind(text(&asked["operationId"]))
    .fetch_one(&caller.service.app().db)
    .await
    .expect("inserted");
    let (unknown, live) = (uuid::Uuid::now_v7().to_string(), live.to_string());
    for id in ["nonsense", "%00", "%ff", "..%2f..%2fetc%2fpasswd", "' or 1=1", "-1", &unknown, &live] {
        let answer = caller.get(&format!("/api/operations/{id}")).await;
        assert_problem(&answer, 404, "not_found", "Check the");
        let approve = format!("/api/operations/{id}/approve");
        let answer = caller.service.post(&approve, &caller.token, &json!({ "digest": asked["digest"] })).await;
        assert_problem(&answer, 404, "not_found", "Check the");
    }
    for path in ["/api", "/api/nothing", "/api/operations/", "/wp-login.php", "/static/0/nothing.css"] {
        assert_problem(&caller.get(path).await, 404, "not_found", "Check");
    }
    // The API answers programs even when a browser asks; elsewhere a person gets a page.
    let request = |path: &str| caller.service.client().get(caller.service.url(path)).header("accept", "text/html");
    assert_problem(&caller.service.send(request("/api/nothing")).await, 404, "not_found", "");
    let page = caller.service.send(request("/nothing")).await;
    assert_eq!((page.status, page.header("content-type")), (StatusCode::NOT_FOUND, Some("text/html; charset=utf-8")));
    assert_manners(&page);
    let id = page.header("x-correlation-id").expect("an id");
    assert!(page.text.contains(id), "the page names its correlation id");
    caller.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn blanks_count_as_much_as_what_they_stand_around() {
    let caller = Caller::start().await;
    let asked = caller.send_json(json!({ "to": "+14155550132", "message": "Hello" })).await.json();
    let operation = format!("/api/operations/{}", text(&asked["operationId"]));
    let around = |text: &str, longest: usize| format!("{text}{}", " ".repeat(longest));
    for (method, path, body) in [
        (Method::POST, SEND, json!({ "to": "+14155550132", "message": "Hello", "note": around("a", 500) })),
        (
            Method::POST,
            &format!("{operation}/reject"),
            json!({ "digest": asked["digest"], "reason": around("a", 500) }),
        ),
        (Method::POST, &format!("{operation}/cancel"), json!({ "reason": around("", 501) })),
        (Method::PUT, "/api/hold", json!({ "reason": around("", 501) })),
        (Method::PUT, "/api/vault/elevenlabs_api_key", json!({ "value": around("sk_1", 512) })),
    ] {
        let request = caller.service.request(method, path, &caller.token).json(&body);
        let answer = caller.service.send(request).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}: {}", answer.text);
    }
    assert_eq!(caller.get("/api/audit?limit=").await.status, StatusCode::BAD_REQUEST);
    assert_eq!(caller.operations().await, 1);
    caller.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_queries_wrong_methods_and_unknown_hosts() {
    let caller = Caller::start().await;
    for (query, code, remedy) in [
        ("state=asleep", "invalid_request", "There is no state"),
        ("to=5", "invalid_request", "to: "),
        ("mode=live", "invalid_request", "sandbox mode"),
        ("limit=0", "invalid_request", "1 to 200 rows"),
        ("limit=201", "invalid_request", "1 to 200 rows"),
        ("limit=99999999999999999999", "invalid_query", "/docs lists its parameters"),
        ("limit=ten", "invalid_query", "/docs lists its parameters"),
        ("kind=fax", "invalid_query", "/docs lists its parameters"),
        ("attention=perhaps", "invalid_query", "/docs lists its parameters"),
        ("cursor=nonsense", "invalid_query", "/docs lists its parameters"),
        ("colour=red", "invalid_query", "/docs lists its parameters"),
    ] {
        assert_problem(&caller.get(&format!("/api/operations?{query}")).await, 400, code, remedy);
    }
    let several = caller.get("/api/operations?state=asleep&limit=0").await;
    assert_eq!(wrong_fields(&several).len(), 2, "{}", several.text);
    // What is odd but harmless is searched for.
    for query in ["q=%00", "q=%25_%27%22%3B--", "q=%F0%9F%9A%9A", "state=", "q="] {
        let answer = caller.get(&format!("/api/operations?{query}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{query}: {}", answer.text);
        assert_manners(&answer);
    }

    let answer = caller.get(SEND).await;
    assert_problem(&answer, 405, "method_not_allowed", "The Allow header names those that it takes.");
    assert_eq!(answer.header("allow"), Some("POST"));

    for host in ["evil.example", "127.0.0.1:1", "localhost", ""] {
        let request = caller.service.request(Method::GET, "/api/operations", &caller.token).header("host", host);
        let answer = caller.service.send(request).await;
        assert_problem(&answer, 421, "unknown_host", "Use http://127.0.0.1:");
    }
    let probe = caller.service.client().get(caller.service.url("/healthz")).header("host", "balancer.internal");
    let probe = caller.service.send(probe).await;
    assert_eq!(probe.status, StatusCode::OK);
    assert_manners(&probe);
    caller.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_not_is_told_why() {
    let caller = Caller::start().await;
    let service = &caller.service;
    let path = "/api/operations";

    let nobody = service.send(service.client().get(service.url(path))).await;
    assert_problem(&nobody, 401, "unauthenticated", "Sign in, or send `Authorization: Bearer mc_...`");
    assert_eq!(nobody.header("www-authenticate"), Some("Bearer"));
    for token in ["mc_nonsense", "", &format!("mc_{}", "x".repeat(43))] {
        let answer = service.get(path, token).await;
        assert_problem(&answer, 401, "unauthenticated", "Authorization: Bearer mc_...");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    }

    // In use, then revoked.
    let revoked = service.token("eve@example.com", Role::Operator).await;
    assert_eq!(service.get(path, &revoked).await.status, StatusCode::OK);
    let id = sqlx::query_scalar("select t.id from api_tokens t join users u on u.id = t.user_id where u.email = $1")
        .bind("eve@example.com")
        .fetch_one(&service.app().db)
        .await
        .expect("the token");
    let (app, actor) = (service.app(), mission_control::audit::Actor::command_line());
    let id = mission_control::id::TokenId(id);
    let done = mission_control::auth::tokens::revoke(&app.db, &app.clock, &app.token_cache, &actor, id).await;
    assert!(done.expect("revoked"));
    let answer = service.get(path, &revoked).await;
    assert_problem(&answer, 401, "token_revoked", "Make a new one with `token create`.");
    assert_eq!(answer.header("www-authenticate"), Some("Bearer"));

    let reader = service.token_of("ada@example.com", &[Scope::OperationsRead]).await;
    let body = json!({ "to": "+14155550132", "message": "Hello" });
    let answer = service.post(SEND, &reader, &body).await;
    assert_problem(&answer, 403, "scope_missing", "operations:write");
    assert_eq!(answer.json()["requiredScope"], "operations:write");
    let viewer = service.token("vera@example.com", Role::Viewer).await;
    let answer = service.post(SEND, &viewer, &body).await;
    assert_problem(&answer, 403, "role_missing", "operator");
    assert_eq!(answer.json()["requiredRole"], "operator");
    assert_eq!(caller.operations().await, 0, "nothing was asked for");
    caller.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_ended_and_a_site_that_is_not_ours() {
    let caller = Caller::start().await;
    let service = &caller.service;
    let form = [("email", "ada@example.com"), ("password", PASSWORD)];
    let signed_in = service.send(service.client().post(service.url("/login")).form(&form)).await;
    assert_eq!(signed_in.status, StatusCode::SEE_OTHER, "{}", signed_in.text);
    assert_manners(&signed_in);
    let cookie = signed_in.header("set-cookie").and_then(|cookie| cookie.split(';').next()).expect("a cookie");
    let get = |path: &str| service.send(service.client().get(service.url(path)).header("cookie", cookie));
    assert_eq!(get("/api/operations").await.status, StatusCode::OK);

    let body = json!({ "to": "+14155550132", "message": "Hello" });
    let post = || service.client().post(service.url(SEND)).header("cookie", cookie).json(&body);
    for request in [
        post(),
        post().header("origin", "https://evil.example"),
        post().header("origin", "null"),
        post().header("sec-fetch-site", "cross-site"),
    ] {
        let answer = service.send(request).await;
        assert_problem(&answer, 403, "cross_origin", "Open Mission Control itself and act there.");
    }
    assert_eq!(caller.operations().await, 0, "nothing was asked for");

    service.clock.advance(std::time::Duration::from_mins(31));
    let answer = get("/api/operations").await;
    assert_problem(&answer, 401, "unauthenticated", "Sign in");
    assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    let page = get("/account/password").await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.text);
    assert_eq!(page.header("location"), Some("/login?next=%2Faccount%2Fpassword"));
    assert_manners(&page);
    caller.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_correlation_id_is_kept_or_replaced() {
    let caller = Caller::start().await;
    let ask = |id: &[u8]| {
        let id = HeaderValue::from_bytes(id).expect("a value");
        let request = caller.service.request(Method::GET, "/api/operations/nonsense", &caller.token);
        caller.service.send(request.header("x-correlation-id", id))
    };
    for kept in ["bad-input.A_1", &"x".repeat(64)] {
        let answer = ask(kept.as_bytes()).await;
        assert_problem(&answer, 404, "not_found", "");
        assert_eq!(answer.header("x-correlation-id"), Some(kept));
    }
    for replaced in [&b""[..], b"a b", b"\xff", b"<script>", "x".repeat(65).as_bytes()] {
        let answer = ask(replaced).await;
        assert_problem(&answer, 404, "not_found", "");
        let id = answer.header("x-correlation-id").expect("an id");
        assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
        let ends = log::of(id).into_iter().filter(|line| line["event"] == "request.completed");
        assert_eq!(ends.count(), 1, "the request's end is logged under it");
    }
    caller.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_ours_are_told_without_what_is_inside() {
    let caller = Caller::start().await;
    let body = json!({ "to": "+14155550132", "message": "Hello" });
    let db: &mut PgConnection = &mut caller.service.direct().await;
    for (class, status, code, remedy) in [
        ("22012", 500, "internal_error", "tell an admin the correlation id"),
        ("57014", 503, "database_unavailable", "repeat the request with the same key"),
    ] {
        let statement = format!(
            "create or replace function fail() returns trigger language plpgsql as $$
             begin raise exception 'inside-canary' using errcode = '{class}'; end $$;
             create or replace trigger fail before insert on operations for each row execute function fail()"
        );
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut *db).await.expect("a trigger");
        let answer = caller.send_json(body.clone()).await;
        assert_problem(&answer, status, code, remedy);
        assert!(!answer.text.contains("inside-canary"), "{}", answer.text);
        assert_eq!(answer.header("retry-after"), (status == 503).then_some("1"));
        let id = answer.header("x-correlation-id").expect("an id");
        assert!(log::of(id).iter().any(|line| line.to_string().contains("inside-canary")), "the log knows more");
    }
    caller.service.stop().await;
}
