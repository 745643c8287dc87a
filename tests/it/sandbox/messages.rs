//! Creating, fetching, changing and deleting; everything that is refused.

use mission_control::sandbox::{self, CredentialSource, Options, Pace};
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc2822};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{ACCOUNT, Emulator, OWN, RECIPIENT, SECOND, TOKEN, code, credentials, options};

const SERVICE: &str = "MG00000000000000000000000000000001";

#[tokio::test]
async fn a_created_message_has_twilios_shape() {
    let emulator = Emulator::start(Pace::ByHand).await;
    let answer = emulator.try_send(RECIPIENT).await.expect("an answer");
    assert_eq!(answer.status(), 201);
    let headers = answer.headers().clone();
    assert_eq!(headers["content-type"], "application/json");
    assert!(headers["twilio-request-id"].to_str().is_ok_and(|id| id.starts_with("RQ") && id.len() == 34));
    assert_eq!(headers["twilio-concurrent-requests"], "1");
    assert!(headers["twilio-request-duration"].to_str().is_ok_and(|seconds| seconds.parse::<f64>().is_ok()));
    assert!(!headers.contains_key("x-twilio-error-code"));

    let message: Value = answer.json().await.expect("JSON");
    let sid = message["sid"].as_str().expect("a SID");
    assert!(sid.len() == 34 && sid.starts_with("SM") && sid[2..].bytes().all(|digit| digit.is_ascii_hexdigit()));
    for (field, expected) in [
        ("account_sid", json!(ACCOUNT)),
        ("api_version", json!("2010-04-01")),
        ("body", json!("Hello")),
        ("date_sent", json!(null)),
        ("direction", json!("outbound-api")),
        ("error_code", json!(null)),
        ("error_message", json!(null)),
        ("from", json!(OWN)),
        ("messaging_service_sid", json!(null)),
        ("num_media", json!("0")),
        ("num_segments", json!("1")),
        ("price", json!(null)),
        ("status", json!("queued")),
        ("to", json!(RECIPIENT)),
        ("uri", json!(format!("/2010-04-01/Accounts/{ACCOUNT}/Messages/{sid}.json"))),
    ] {
        assert_eq!(message[field], expected, "{field}");
    }
    let created = message["date_created"].as_str().expect("a date");
    assert!(created.ends_with(" +0000") && OffsetDateTime::parse(created, &Rfc2822).is_ok(), "{created}");
    assert_eq!(emulator.message(sid).await, message);
}

#[tokio::test]
async fn long_texts_are_counted_in_segments() {
    let emulator = Emulator::start(Pace::ByHand).await;
    for (body, segments) in [("a".repeat(161), "2"), ("я".repeat(71), "2"), ("a".repeat(1600), "11")] {
        let form = [("To", RECIPIENT), ("From", OWN), ("Body", &body)];
        let answer = emulator.post("/Messages.json", &form).await.expect("an answer");
        let message: Value = answer.json().await.expect("JSON");
        assert_eq!(message["num_segments"], segments);
    }
}

#[tokio::test]
async fn every_objection_has_its_code() {
    let emulator = Emulator::start(Pace::ByHand).await;
    let too_long = "a".repeat(1601);
    let valid = [("To", RECIPIENT), ("From", OWN), ("Body", "Hello")];
    // Each case changes one parameter of a valid request; an empty value is as good as none.
    for (name, value, expected) in [
        ("To", "", (400, 21604)),
        ("From", "", (400, 21603)),
        ("Body", "", (400, 21602)),
        ("Body", too_long.as_str(), (400, 21617)),
        ("To", "12", (400, 21211)),
        ("To", "+0123456789", (400, 21211)),
        ("To", "+1415555267x", (400, 21211)),
        ("To", OWN, (400, 21266)),
        ("From", "nonsense", (400, 21212)),
        ("From", "+14155550000", (400, 21659)),
        ("StatusCallback", "nonsense", (400, 21609)),
        ("StatusCallback", "ftp://127.0.0.1/cb", (400, 21609)),
        ("StatusCallback", "https://a_b.example.com/cb", (400, 21609)),
        ("ValidityPeriod", "0", (400, 90007)),
        ("ValidityPeriod", "36001", (400, 90007)),
        ("ValidityPeriod", "soon", (400, 90007)),
        ("MessagingServiceSid", "MG1", (404, 21701)),
        // The magic numbers.
        ("From", "+15005550001", (400, 21212)),
        ("From", "+15005550007", (400, 21606)),
        ("From", "+15005550008", (429, 21611)),
        ("To", "+15005550001", (400, 21211)),
        ("To", "+15005550002", (400, 21612)),
        ("To", "+15005550003", (400, 21408)),
        ("To", "+15005550004", (400, 21610)),
        ("To", "+15005550009", (400, 21614)),
    ] {
        let mut form = valid.iter().copied().filter(|(key, _)| *key != name).collect::<Vec<_>>();
        form.push((name, value));
        let answer = emulator.post("/Messages.json", &form).await.expect("an answer");
        assert_eq!(code(answer).await, expected, "{name}={value}");
    }
    assert!(emulator.ledger().await.is_empty());
}

#[tokio::test]
async fn the_limits_themselves_are_allowed() {
    let emulator = Emulator::start(Pace::ByHand).await;
    let longest = "ü".repeat(1600);
    for (name, value) in [
        ("Body", longest.as_str()),
        ("From", SECOND),
        ("ValidityPeriod", "1"),
        ("ValidityPeriod", "36000"),
        ("StatusCallback", "https://example.com/cb?id=1#rc=3"),
    ] {
        let mut form = vec![("To", RECIPIENT), ("From", OWN), ("Body", "Hello")];
        form.retain(|(key, _)| *key != name);
        form.push((name, value));
        let answer = emulator.post("/Messages.json", &form).await.expect("an answer");
        assert_eq!(answer.status(), 201, "{name}={value}");
    }
}

#[tokio::test]
async fn only_forms_are_read() {
    let emulator = Emulator::start(Pace::ByHand).await;
    let request = emulator.client.post(emulator.account_url("/Messages.json")).basic_auth(ACCOUNT, Some(TOKEN));
    let answer = request.json(&json!({ "To": RECIPIENT, "From": OWN, "Body": "Hello" })).send().await;
    assert_eq!(code(answer.expect("an answer")).await, (400, 21604));
}

#[tokio::test]
async fn only_the_accounts_own_credentials_are_admitted() {
    let emulator = Emulator::start(Pace::ByHand).await;
    let url = emulator.account_url("/Messages.json");
    for (user, password) in [(ACCOUNT, "wrong"), ("AC00000000000000000000000000000002", TOKEN), (ACCOUNT, ""), ("", "")]
    {
        let answer = emulator.client.get(&url).basic_auth(user, Some(password)).send().await.expect("an answer");
        assert_eq!(answer.headers()["www-authenticate"], "Basic realm=\"Twilio API\"");
        assert_eq!(code(answer).await, (401, 20003), "{user}:{password}");
    }
    let answer = emulator.client.get(&url).send().await.expect("an answer");
    assert_eq!(code(answer).await, (401, 20003));
    let other = emulator.url("/2010-04-01/Accounts/AC00000000000000000000000000000002/Messages.json");
    let answer = emulator.client.get(other).basic_auth(ACCOUNT, Some(TOKEN)).send().await.expect("an answer");
    assert_eq!(code(answer).await, (401, 20003));
}

#[tokio::test]
async fn credentials_are_asked_for_at_each_use() {
    let current = std::sync::Arc::new(std::sync::Mutex::new(Ok(None)));
    let source = std::sync::Arc::clone(&current);
    let lookup: sandbox::CredentialLookup = std::sync::Arc::new(move || {
        let credentials = source.lock().expect("the lock").clone();
        Box::pin(async move { credentials })
    });
    let emulator =
        Emulator::with(Options { credentials: CredentialSource::Dynamic(lookup), ..options(Pace::ByHand) }).await;
    assert_eq!(code(emulator.try_send(RECIPIENT).await.expect("an answer")).await, (401, 20003));
    *current.lock().expect("the lock") = Err(sandbox::NotKnown);
    let answer = emulator.try_send(RECIPIENT).await.expect("an answer");
    assert_eq!(code(answer).await, (503, 20503), "nobody is told that theirs are wrong");
    *current.lock().expect("the lock") = Ok(Some(credentials()));
    assert_eq!(emulator.try_send(RECIPIENT).await.expect("an answer").status(), 201);
}

#[tokio::test]
async fn what_does_not_exist_is_not_found() {
    let emulator = Emulator::start(Pace::ByHand).await;
    for path in [
        "/Messages/SM00000000000000000000000000000000.json",
        "/Calls/CA00000000000000000000000000000000.json",
        "/Messages",
        "/Nothing.json",
    ] {
        assert_eq!(code(emulator.get(path).await).await, (404, 20404), "{path}");
    }
}

#[tokio::test]
async fn a_message_can_be_redacted_and_deleted() {
    let emulator = Emulator::start(Pace::ByHand).await;
    let sid = emulator.send(RECIPIENT, None).await["sid"].as_str().expect("a SID").to_owned();
    let path = format!("/Messages/{sid}.json");

    let answer = emulator.post(&path, &[("Body", "another text")]).await.expect("an answer");
    assert_eq!(code(answer).await, (400, 20001));
    let answer = emulator.post(&path, &[("Status", "canceled")]).await.expect("an answer");
    assert_eq!(code(answer).await, (400, 30409));
    let answer = emulator.post(&path, &[("Body", "")]).await.expect("an answer");
    assert_eq!(answer.status(), 200);
    assert_eq!(emulator.message(&sid).await["body"], "");

    let answer = emulator.delete(&path).await;
    assert_eq!(answer.status(), 204);
    assert!(answer.headers().contains_key("twilio-request-id"));
    assert_eq!(code(emulator.delete(&path).await).await, (404, 20404));
    assert_eq!(code(emulator.get(&path).await).await, (404, 20404));
    assert_eq!(emulator.get_json("/Messages.json").await["messages"], json!([]));
    // It was accepted all the same.
    assert_eq!(emulator.ledger().await[0]["body"], "Hello");
}

#[tokio::test]
async fn a_messaging_service_picks_its_sender_later() {
    let emulator = Emulator::start(Pace::Immediate).await;
    let form = [("To", RECIPIENT), ("MessagingServiceSid", SERVICE), ("Body", "Hello")];
    let message: Value = emulator.post("/Messages.json", &form).await.expect("an answer").json().await.expect("JSON");
    assert_eq!(message["status"], "accepted");
    assert_eq!(message["from"], json!(null));
    assert_eq!(message["num_segments"], "0");
    let delivered = emulator.until(message["sid"].as_str().expect("a SID"), "delivered").await;
    assert_eq!(delivered["from"], OWN);
    assert_eq!(delivered["num_segments"], "1");
}

#[tokio::test]
async fn a_scheduled_message_waits_and_can_be_canceled() {
    let emulator = Emulator::start(Pace::Immediate).await;
    let form = |send_at: &'static str| {
        [
            ("To", RECIPIENT),
            ("MessagingServiceSid", SERVICE),
            ("Body", "Hello"),
            ("ScheduleType", "fixed"),
            ("SendAt", send_at),
        ]
    };
    let answer = emulator.post("/Messages.json", &form("2001-01-01T00:00:00Z")).await.expect("an answer");
    assert_eq!(code(answer).await, (400, 35114));

    #[expect(clippy::disallowed_methods, reason = "the sandbox has a clock of its own, which is the system's")]
    let tomorrow = OffsetDateTime::now_utc() + time::Duration::DAY;
    let tomorrow = tomorrow.format(&time::format_description::well_known::Rfc3339).expect("a date");
    let mut valid = form("").to_vec();
    valid[4].1 = &tomorrow;
    let message: Value = emulator.post("/Messages.json", &valid).await.expect("an answer").json().await.expect("JSON");
    assert_eq!(message["status"], "scheduled");
    let path = format!("/Messages/{}.json", message["sid"].as_str().expect("a SID"));
    let answer = emulator.post(&path, &[("Status", "canceled")]).await.expect("an answer");
    assert_eq!(answer.status(), 200);
    let canceled: Value = answer.json().await.expect("JSON");
    assert_eq!(canceled["status"], "canceled");
    emulator.stop().await;
}

#[tokio::test]
async fn media_are_counted() {
    let emulator = Emulator::start(Pace::ByHand).await;
    let form =
        [("To", RECIPIENT), ("From", OWN), ("MediaUrl", "https://a.example/1"), ("MediaUrl", "https://a.example/2")];
    let message: Value = emulator.post("/Messages.json", &form).await.expect("an answer").json().await.expect("JSON");
    assert_eq!(message["num_media"], "2");
    assert!(message["sid"].as_str().is_some_and(|sid| sid.starts_with("MM")));
}

#[tokio::test]
async fn it_listens_on_loopback_only() {
    let listen = "0.0.0.0:0".parse().expect("an address");
    let refused =
        sandbox::start(Options { listen, ..options(Pace::ByHand) }, &TaskTracker::new(), CancellationToken::new())
            .await;
    assert!(matches!(refused, Err(sandbox::Error::NotLoopback(_))));
}
