//! Calls: creating, fetching, listing, changing and deleting; everything that is refused.

use mission_control::sandbox::Pace;
use serde_json::{Value, json};

use super::{ACCOUNT, Emulator, OWN, RECIPIENT, SECOND, code};

const HELLO: (&str, &str) = ("Twiml", "<Response><Say>Hello</Say></Response>");

fn sid(call: &Value) -> String {
    call["sid"].as_str().expect("a SID").to_owned()
}

fn path(call: &Value) -> String {
    format!("/Calls/{}.json", sid(call))
}

#[tokio::test]
async fn a_created_call_has_twilios_shape() {
    let emulator = Emulator::start(Pace::ByHand).await;
    let call = emulator.call(RECIPIENT, &[HELLO]).await;
    let sid = sid(&call);
    assert!(sid.len() == 34 && sid.starts_with("CA") && sid[2..].bytes().all(|digit| digit.is_ascii_hexdigit()));
    for (field, expected) in [
        ("account_sid", json!(ACCOUNT)),
        ("api_version", json!("2010-04-01")),
        ("answered_by", json!(null)),
        ("direction", json!("outbound-api")),
        ("duration", json!(null)),
        ("end_time", json!(null)),
        ("from", json!(OWN)),
        ("from_formatted", json!("(500) 555-0006")),
        ("parent_call_sid", json!(null)),
        ("price", json!(null)),
        ("start_time", json!(null)),
        ("status", json!("queued")),
        ("to", json!(RECIPIENT)),
        ("to_formatted", json!("(415) 555-2671")),
        ("uri", json!(format!("/2010-04-01/Accounts/{ACCOUNT}/Calls/{sid}.json"))),
    ] {
        assert_eq!(call[field], expected, "{field}");
    }
    assert_eq!(emulator.get_json(&path(&call)).await, call);
    let numbers = emulator.get_json("/IncomingPhoneNumbers.json?PhoneNumber=%2B15005550006").await;
    assert_eq!(call["phone_number_sid"], numbers["incoming_phone_numbers"][0]["sid"]);
}

#[tokio::test]
async fn an_ended_call_has_its_times_and_its_price() {
    let emulator = Emulator::start(Pace::Immediate).await;
    let path = path(&emulator.call(RECIPIENT, &[HELLO]).await);
    let call = emulator.until_at(&path, "completed").await;
    assert_eq!(call["duration"], "1");
    assert!(call["start_time"].is_string() && call["end_time"].is_string() && call["price"].is_string(), "{call}");
}

#[tokio::test]
async fn every_objection_has_its_code() {
    let emulator = Emulator::start(Pace::ByHand).await;
    let too_long = "a".repeat(4001);
    let valid = [("To", RECIPIENT), ("From", OWN), HELLO];
    // Each case changes one parameter of a valid request; an empty value is as good as none.
    for (name, value, expected) in [
        ("To", "", 21201),
        ("From", "", 21213),
        ("Twiml", "", 21205),
        ("Twiml", too_long.as_str(), 20001),
        ("Url", "nonsense", 21205),
        ("Url", "https://a_b.example.com/", 21205),
        ("ApplicationSid", "AP00000000000000000000000000000001", 21218),
        ("Method", "GET", 20001),
        ("StatusCallback", "nonsense", 21609),
        ("StatusCallbackMethod", "GET", 20001),
        ("StatusCallbackEvent", "busy", 20001),
        ("Timeout", "601", 20001),
        ("Timeout", "soon", 20001),
        ("To", "12", 21217),
        ("To", "client:me", 21217),
        ("From", "nonsense", 21212),
        // The magic numbers.
        ("From", "+15005550001", 21212),
        ("From", "+15005550007", 21210),
        ("From", "+14155550000", 21210),
        ("To", "+15005550001", 21217),
        ("To", "+15005550002", 21214),
        ("To", "+15005550003", 21215),
        ("To", "+15005550004", 21216),
    ] {
        let mut form = valid.to_vec();
        form.retain(|(key, _)| *key != name);
        form.push((name, value));
        let answer = emulator.post("/Calls.json", &form).await.expect("an answer");
        assert_eq!(code(answer).await, (400, expected), "{name}={value}");
    }
    assert_eq!(emulator.ledger_of("calls").await.len(), 0);

    emulator.post(".json", &[("Status", "suspended")]).await.expect("an answer");
    assert_eq!(code(emulator.try_call(RECIPIENT, &[HELLO]).await.expect("an answer")).await, (403, 20005));
}

#[tokio::test]
async fn calls_are_listed_by_what_is_asked_for() {
    let emulator = Emulator::start(Pace::ByHand).await;
    let first = sid(&emulator.call(RECIPIENT, &[HELLO]).await);
    let second = sid(&emulator.call("+14155550100", &[HELLO]).await);
    let form = [("To", RECIPIENT), ("From", SECOND), HELLO];
    let answer = emulator.post("/Calls.json", &form).await.expect("an answer");
    let third = sid(&answer.json().await.expect("JSON"));
    emulator.drive(&first, json!({ "status": "completed" })).await;
    emulator.drive(&second, json!({ "status": "initiated" })).await;

    let started = emulator.get_json(&format!("/Calls/{first}.json")).await;
    let at = started["start_time"].as_str().expect("a time");
    let day = time::OffsetDateTime::parse(at, &time::format_description::well_known::Rfc2822).expect("a time").date();
    for (query, expected) in [
        (String::new(), vec![&third, &second, &first]),
        ("To=%2B14155552671".to_owned(), vec![&third, &first]),
        ("From=%2B15005550016".to_owned(), vec![&third]),
        ("Status=completed".to_owned(), vec![&first]),
        ("Status=queued".to_owned(), vec![&third]),
        // Dialled already, as those who ask see it.
        ("Status=ringing".to_owned(), vec![&second]),
        ("ParentCallSid=CA00000000000000000000000000000001".to_owned(), vec![]),
        (format!("StartTime={day}"), vec![&second, &first]),
        (format!("StartTime%3E={day}&EndTime%3C={day}"), vec![&first]),
        ("StartTime%3C=2001-01-01".to_owned(), vec![]),
    ] {
        let list = emulator.get_json(&format!("/Calls.json?{query}")).await;
        let found = list["calls"].as_array().expect("a list").iter().map(sid).collect::<Vec<_>>();
        assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{query}");
    }
    for query in ["Status=done", "StartTime=yesterday"] {
        assert_eq!(code(emulator.get(&format!("/Calls.json?{query}")).await).await, (400, 20001), "{query}");
    }

    let page = emulator.get_json("/Calls.json?PageSize=2").await;
    let next = emulator.follow(page["next_page_uri"].as_str().expect("a next page")).await;
    assert_eq!(next["calls"].as_array().expect("a list").iter().map(sid).collect::<Vec<_>>(), [first]);
}

#[tokio::test]
async fn a_call_can_be_hung_up() {
    let emulator = Emulator::start(Pace::ByHand).await;
    for (reached, asked, becomes) in [
        ("queued", "canceled", "canceled"),
        ("ringing", "canceled", "canceled"),
        ("ringing", "completed", "canceled"),
        ("in-progress", "canceled", "in-progress"),
        ("in-progress", "completed", "completed"),
    ] {
        let call = emulator.call(RECIPIENT, &[HELLO]).await;
        emulator.drive(&sid(&call), json!({ "status": reached })).await;
        let answer = emulator.post(&path(&call), &[("Status", asked)]).await.expect("an answer");
        assert_eq!(answer.status(), 200);
        let answer: Value = answer.json().await.expect("JSON");
        assert_eq!(answer["status"], becomes, "{asked} while {reached}");
    }
    let call = emulator.call(RECIPIENT, &[HELLO]).await;
    let answer = emulator.post(&path(&call), &[HELLO]).await.expect("an answer");
    assert_eq!(code(answer).await, (400, 21220), "no other script before the answer");
    let answer = emulator.post(&path(&call), &[("Status", "busy")]).await.expect("an answer");
    assert_eq!(code(answer).await, (400, 20001));
    emulator.drive(&sid(&call), json!({ "status": "completed" })).await;
    for form in [("Status", "completed"), HELLO] {
        let answer = emulator.post(&path(&call), &[form]).await.expect("an answer");
        assert_eq!(code(answer).await, (400, 21220), "it has ended");
    }
}

#[tokio::test]
async fn a_deleted_call_stays_in_the_ledger() {
    let emulator = Emulator::start(Pace::ByHand).await;
    let path = path(&emulator.call(RECIPIENT, &[HELLO]).await);
    assert_eq!(emulator.delete(&path).await.status(), 204);
    assert_eq!(code(emulator.get(&path).await).await, (404, 20404));
    assert_eq!(code(emulator.delete(&path).await).await, (404, 20404));
    assert_eq!(emulator.get_json("/Calls.json").await["calls"], json!([]));
    assert_eq!(emulator.ledger_of("calls").await.len(), 1);
    assert_eq!(emulator.control("/sandbox/reset", json!({})).await.status(), 204);
    assert_eq!(emulator.ledger_of("calls").await.len(), 0);
}

#[tokio::test]
async fn faults_strike_calls_too() {
    for (fault, status, accepted) in [
        (json!("error_500_without"), Some(500), 0),
        (json!("error_503_after_accepting"), Some(503), 1),
        (json!("too_many_requests_429"), Some(429), 0),
        (json!({ "refuse": { "code": 21215, "status": 400 } }), Some(400), 0),
        (json!("accept_then_drop"), None, 1),
        (json!("drop_without"), None, 0),
    ] {
        let emulator = Emulator::start(Pace::ByHand).await;
        emulator.arm(json!([{ "fault": fault, "to": RECIPIENT }])).await;
        assert_eq!(emulator.try_call("+14155550100", &[HELLO]).await.expect("an answer").status(), 201);
        let answer = emulator.try_call(RECIPIENT, &[HELLO]).await;
        assert_eq!(answer.ok().map(|answer| answer.status().as_u16()), status, "{fault}");
        assert_eq!(emulator.ledger_of("calls").await.len(), 1 + accepted, "{fault}");
    }
    let emulator = Emulator::start(Pace::ByHand).await;
    emulator.arm(json!([{ "fault": { "list_lag": { "ms": 60_000 } } }])).await;
    let call = emulator.call(RECIPIENT, &[HELLO]).await;
    assert_eq!(emulator.get_json("/Calls.json").await["calls"], json!([]));
    assert_eq!(emulator.get_json(&path(&call)).await["sid"], call["sid"]);
}
