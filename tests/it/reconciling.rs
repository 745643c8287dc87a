//! Outcomes that are not known are settled by evidence: a report, or Twilio's list, read as it may be read and no further.

use std::time::Duration;

use mission_control::auth::Role;
use mission_control::sandbox::Pace;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::service::{Service, Setup, eventually, text};

const TO: &str = "+14155550132";

/// Past deadline and settle time of an attempt: Twilio is asked.
const SETTLED: Duration = Duration::from_secs(92);

/// Past the time between two looks.
const NEXT_LOOK: Duration = Duration::from_secs(61);

/// A service whose sandbox moves nothing by itself, so that no report comes, and its admin's token.
async fn silent(settings: &[(&str, &str)]) -> (Service, String) {
    let setup =
        settings.iter().fold(Setup::new().await.pace(Pace::ByHand), |setup, (name, value)| setup.with(name, value));
    let service = setup.start().await;
    let token = service.token("ada@example.com", Role::Admin).await;
    (service, token)
}

/// Asked for, approved, handed over with this fault, and nobody knows what became of it.
async fn unknown(service: &Service, token: &str, fault: Value) -> String {
    service.fault(json!([{ "fault": fault, "to": TO }])).await;
    let id = service.ask_approved(token, TO, "Hello").await;
    service.until(token, &id, "unknown").await;
    id
}

/// Waits for as many looks at Twilio's list, and answers what they concluded.
async fn looks(service: &Service, token: &str, id: &str, count: usize) -> Vec<String> {
    eventually("looks at Twilio's list", || async {
        let operation = service.operation(token, id).await;
        let looks: Vec<String> =
            operation["evidence"].as_array().expect("a list").iter().map(|look| text(&look["conclusion"])).collect();
        if looks.len() >= count { Ok(looks) } else { Err(operation.to_string()) }
    })
    .await
}

/// Another system that sends from the same number.
async fn foreign(service: &Service, to: &str, body: &str) -> String {
    use secrecy::ExposeSecret as _;
    let credentials = service.app().vault.twilio().await.expect("the vault").expect("credentials");
    #[expect(clippy::disallowed_methods, reason = "the test is another user of the account")]
    let password = credentials.auth_token.expose_secret().to_owned();
    let account = &credentials.account_sid;
    let url = format!("{}/2010-04-01/Accounts/{account}/Messages.json", service.sandbox().trim_end_matches('/'));
    let form = [("To", to), ("From", "+15005550006"), ("Body", body)];
    let answer = service.client().post(url).basic_auth(account, Some(password)).form(&form).send().await;
    let answer: Value = answer.expect("the sandbox").json().await.expect("JSON");
    text(&answer["sid"])
}

/// Moves a message of the sandbox on, which is reported to whoever it was sent for.
async fn drive(service: &Service, sid: &str, status: &str) {
    let by_hand = service.client().post(format!("{}/sandbox/messages/{sid}/status", service.sandbox()));
    let answer = by_hand.json(&json!({ "status": status })).send().await.expect("the sandbox");
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap_or_default());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_twilios_list_knows_is_bound_and_then_followed() {
    for fault in ["accept_then_drop", "garbage_2xx", "error_500_after_accepting"] {
        let (service, token) = silent(&[]).await;
        let id = unknown(&service, &token, json!(fault)).await;
        assert_eq!(service.operation(&token, &id).await["evidence"], json!([]), "nobody asks before the settle time");
        service.clock.advance(SETTLED);
        let bound = service.until(&token, &id, "accepted").await;
        let sid = text(&service.accepted().await[0]["sid"]);
        assert_eq!((&bound["messageSid"], &bound["attempts"][0]["boundBy"]), (&json!(sid), &json!("list")), "{fault}");
        let look = &bound["evidence"][0];
        assert_eq!((&look["conclusion"], &look["asked"]["from"]), (&json!("bound"), &json!("+15005550006")), "{look}");
        assert_eq!(look["found"]["candidates"][0]["sid"], json!(sid), "{look}");
        assert_eq!((&look["found"]["listed"], &look["found"]["candidates"][0]["agrees"]), (&json!(1), &json!(true)));

        // Its reports are lost; it is asked about.
        service.fault(json!([{ "fault": "callback_lost", "times": 9 }])).await;
        drive(&service, &sid, "delivered").await;
        service.clock.advance(Duration::from_mins(6));
        let delivered = service.until(&token, &id, "delivered").await;
        assert!(delivered["providerEvents"].as_array().expect("events").iter().any(|event| event["kind"] == "look_up"));
        assert_eq!(service.accepted().await.len(), 1, "{fault}");
        service.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_never_arrived_is_proven_absent_twice_before_it_is_sent_again() {
    for fault in ["drop_without", "error_503_without", "redirect_307"] {
        let service = Service::start().await;
        let token = service.token("ada@example.com", Role::Admin).await;
        let id = unknown(&service, &token, json!(fault)).await;
        service.clock.advance(SETTLED);
        assert_eq!(looks(&service, &token, &id, 1).await, ["absent_once"], "{fault}");
        assert_eq!(service.operation(&token, &id).await["state"], "unknown", "{fault}: one look proves nothing");
        assert_eq!(service.accepted().await.len(), 0, "{fault}");
        service.clock.advance(NEXT_LOOK);
        let delivered = service.until(&token, &id, "delivered").await;
        assert_eq!(looks(&service, &token, &id, 2).await, ["absent_once", "absent"], "{fault}");
        let states: Vec<_> =
            delivered["attempts"].as_array().expect("attempts").iter().map(|attempt| text(&attempt["state"])).collect();
        assert_eq!(states, ["absent", "accepted"], "{fault}");
        assert_eq!(service.accepted().await.len(), 1, "{fault}: sent once");
        service.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_sent_again_at_most_twice_without_a_person() {
    let service = Service::start().await;
    let token = service.token("ada@example.com", Role::Admin).await;
    service.fault(json!([{ "fault": "drop_without", "times": 9 }])).await;
    let id = service.ask_approved(&token, TO, "Hello").await;
    for attempt in 1..=3 {
        eventually("the next try", || async {
            let operation = service.operation(&token, &id).await;
            let tries = operation["attempts"].as_array().map(Vec::len);
            if operation["state"] == "unknown" && tries == Some(attempt) { Ok(()) } else { Err(operation.to_string()) }
        })
        .await;
        service.clock.advance(SETTLED);
        looks(&service, &token, &id, attempt * 2 - 1).await;
        service.clock.advance(NEXT_LOOK);
        looks(&service, &token, &id, attempt * 2).await;
    }
    let review = service.until(&token, &id, "needs_review").await;
    assert_eq!((review["attempts"].as_array().map(Vec::len), &review["needsAttention"]), (Some(3), &json!(true)));
    assert!(service.accepted().await.is_empty());
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_person_decides_nothing_is_sent_again_by_itself() {
    let service = Setup::new().await.with("MISSION_CONTROL_DISPATCH_ON_UNKNOWN", "person").start().await;
    let token = service.token("ada@example.com", Role::Admin).await;
    let id = unknown(&service, &token, json!("drop_without")).await;
    service.clock.advance(SETTLED);
    looks(&service, &token, &id, 1).await;
    service.clock.advance(NEXT_LOOK);
    let review = service.until(&token, &id, "needs_review").await;
    assert_eq!(looks(&service, &token, &id, 2).await, ["absent_once", "absent"]);
    assert_eq!(review["reason"], "Twilio lists nothing like it, twice. A person decides whether it is sent again.");
    assert!(service.accepted().await.is_empty());
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_that_others_use_too_is_never_guessed_about() {
    let (service, token) = silent(&[("MISSION_CONTROL_DISPATCH_SENDER_IS_EXCLUSIVE", "false")]).await;
    let id = unknown(&service, &token, json!("drop_without")).await;
    let sid = foreign(&service, TO, "Hello").await;
    service.clock.advance(SETTLED);
    let review = service.until(&token, &id, "needs_review").await;
    let look = &review["evidence"][0];
    assert_eq!(
        (&look["conclusion"], &look["found"]["candidates"][0]["sid"]),
        (&json!("unclear"), &json!(sid)),
        "{look}"
    );
    assert_eq!(review["messageSid"], Value::Null, "another system's message was not taken for ours");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_shares_recipient_or_text_forbids_to_call_it_absent() {
    for (to, body) in [(TO, "Something else"), ("+14155550199", "Hello")] {
        let (service, token) = silent(&[]).await;
        let id = unknown(&service, &token, json!("drop_without")).await;
        foreign(&service, to, body).await;
        service.clock.advance(SETTLED);
        let review = service.until(&token, &id, "needs_review").await;
        assert_eq!(review["evidence"][0]["conclusion"], "unclear", "{to} {body}: {review}");
        assert_eq!(service.accepted().await.len(), 1, "only the foreign one");
        service.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_that_agree_are_left_to_a_person() {
    let (service, token) = silent(&[]).await;
    let id = unknown(&service, &token, json!("accept_then_drop")).await;
    foreign(&service, TO, "Hello").await;
    service.clock.advance(SETTLED);
    let review = service.until(&token, &id, "needs_review").await;
    assert_eq!(review["evidence"][0]["found"]["candidates"].as_array().map(Vec::len), Some(2), "{review}");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_earlier_twin_may_have_sent_is_not_taken_for_ours() {
    let (service, token) = silent(&[]).await;
    let earlier = unknown(&service, &token, json!("accept_then_drop")).await;
    // Its message could not be looked for, so it is still nobody's.
    service.fault(json!([{ "fault": "error_500_without", "on": "list", "times": 100 }])).await;
    service.clock.advance(SETTLED);
    looks(&service, &token, &earlier, 1).await;
    service.clock.advance(Duration::from_mins(11));
    service.until(&token, &earlier, "needs_review").await;
    service.client().delete(format!("{}/sandbox/faults", service.sandbox())).send().await.expect("disarmed");

    let twin = unknown(&service, &token, json!("drop_without")).await;
    service.clock.advance(SETTLED);
    let review = service.until(&token, &twin, "needs_review").await;
    let look = &review["evidence"][0];
    assert_eq!(
        (&look["conclusion"], &look["found"]["candidates"][0]["agrees"]),
        (&json!("unclear"), &json!(true)),
        "{look}"
    );
    assert_eq!(review["messageSid"], Value::Null, "it may be the earlier one's, which nobody has settled");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_proven_absent_too_late_is_not_sent_again() {
    let (service, token) = silent(&[]).await;
    let id = unknown(&service, &token, json!("drop_without")).await;
    service.clock.advance(SETTLED);
    assert_eq!(looks(&service, &token, &id, 1).await, ["absent_once"]);
    service.clock.advance(Duration::from_hours(2));
    let review = service.until(&token, &id, "needs_review").await;
    assert_eq!(looks(&service, &token, &id, 2).await, ["absent_once", "absent"]);
    assert!(text(&review["reason"]).contains("as long"), "its window is over: {review}");
    assert_eq!((review["attempts"].as_array().map(Vec::len), service.accepted().await.len()), (Some(1), 0));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn our_own_send_to_the_same_number_is_settled_first_and_not_mistaken() {
    let (service, token) = silent(&[]).await;
    let id = unknown(&service, &token, json!("drop_without")).await;
    // Ours as well, and its answer is lost: unbound when the first is looked up, and to the same number.
    service.fault(json!([{ "fault": "accept_then_drop", "to": TO }])).await;
    service.clock.advance(Duration::from_mins(1));
    let other = service.ask_approved(&token, TO, "Something else").await;
    service.until(&token, &other, "unknown").await;
    service.clock.advance(Duration::from_secs(32));
    assert_eq!(looks(&service, &token, &id, 1).await, ["waiting"]);
    service.clock.advance(SETTLED);
    service.until(&token, &other, "accepted").await;
    let mut seen = looks(&service, &token, &id, 2).await;
    while seen.last().is_some_and(|last| last != "absent") {
        assert!(seen.len() < 6, "{seen:?}");
        service.clock.advance(NEXT_LOOK);
        seen = looks(&service, &token, &id, seen.len() + 1).await;
    }
    service.until(&token, &id, "accepted").await;
    let bodies: Vec<_> = service.accepted().await.iter().map(|message| text(&message["body"])).collect();
    assert_eq!(bodies, ["Something else", "Hello"]);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_overrules_the_list() {
    let (service, token) = silent(&[]).await;
    // Listed late, and meanwhile another system sends the same: the list names the wrong one.
    service.fault(json!([{ "fault": { "list_lag": { "ms": 3_600_000 } }, "to": TO }])).await;
    let id = unknown(&service, &token, json!("accept_then_drop")).await;
    let ours = text(&service.accepted().await[0]["sid"]);
    let foreign = foreign(&service, TO, "Hello").await;
    service.clock.advance(SETTLED);
    assert_eq!(service.until(&token, &id, "accepted").await["messageSid"], json!(foreign));

    drive(&service, &ours, "delivered").await;
    let delivered = service.until(&token, &id, "delivered").await;
    assert_eq!((&delivered["messageSid"], &delivered["conflicted"]), (&json!(ours), &json!(true)), "{delivered}");
    let rebound = eventually("the attempt to follow", || async {
        let attempt = service.operation(&token, &id).await["attempts"][0].clone();
        if attempt["sid"] == json!(ours) { Ok(attempt) } else { Err(attempt.to_string()) }
    })
    .await;
    assert_eq!(rebound["boundBy"], "callback");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_on_what_was_called_absent_raises_the_alarm_and_stops_the_second_send() {
    let (service, token) = silent(&[]).await;
    // Beyond what is assumed of Twilio: it lists the message only after an hour.
    service.fault(json!([{ "fault": { "list_lag": { "ms": 3_600_000 } }, "to": TO }])).await;
    let id = unknown(&service, &token, json!("accept_then_drop")).await;
    service.clock.advance(SETTLED);
    looks(&service, &token, &id, 1).await;
    let hold =
        service.request(reqwest::Method::PUT, "/api/hold", &token).json(&json!({ "reason": "so that it waits" }));
    assert_eq!(service.send(hold).await.status, StatusCode::OK);
    service.clock.advance(NEXT_LOOK);
    service.until(&token, &id, "approved").await;
    drive(&service, &text(&service.accepted().await[0]["sid"]), "delivered").await;
    let alarmed = service.operation(&token, &id).await;
    assert_eq!((&alarmed["state"], &alarmed["duplicateSuspected"]), (&json!("approved"), &json!(true)), "{alarmed}");
    let released = service.send(service.request(reqwest::Method::DELETE, "/api/hold", &token)).await;
    assert_eq!(released.status, StatusCode::OK);
    service.clock.advance(Duration::from_hours(2));
    service.until(&token, &id, "expired").await;
    assert_eq!(service.accepted().await.len(), 1, "it did not go out again");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_cannot_be_read_proves_nothing_and_in_the_end_a_person_is_asked() {
    let (service, token) = silent(&[]).await;
    let id = unknown(&service, &token, json!("accept_then_drop")).await;
    service.fault(json!([{ "fault": "error_500_without", "on": "list", "times": 100 }])).await;
    service.clock.advance(SETTLED);
    assert_eq!(looks(&service, &token, &id, 1).await, ["not_looked_up"]);
    let waiting = service.operation(&token, &id).await;
    assert_eq!(waiting["state"], "unknown", "{waiting}");
    assert!(text(&waiting["evidence"][0]["found"]["error"]).contains("500"), "{waiting}");
    service.clock.advance(Duration::from_mins(11));
    let review = service.until(&token, &id, "needs_review").await;
    assert_eq!(review["reason"], "Twilio could not be asked what it has.", "{review}");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_accounts_list_is_not_asked() {
    let (service, token) = silent(&[]).await;
    let id = unknown(&service, &token, json!("accept_then_drop")).await;
    let actor = mission_control::audit::Actor::command_line();
    let (sid, secret) = ("AC00112233445566778899aabbccddeeff", "00112233445566778899aabbccddeeff");
    for (name, value) in [("twilio_account_sid", sid), ("twilio_auth_token", secret)] {
        let name = name.parse().expect("a name");
        service.app().vault.set(name, value.into(), &actor).await.expect("stored");
    }
    service.clock.advance(SETTLED);
    let review = service.until(&token, &id, "needs_review").await;
    assert_eq!(review["evidence"][0]["conclusion"], "not_looked_up");
    assert!(text(&review["reason"]).contains("no credentials of the account"), "{review}");
    assert_eq!(service.get("/api/hold", &token).await.json()["held"], false, "a look-up never sets the hold");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_never_reported_is_asked_about_and_after_72_hours_counts_as_ended() {
    let (service, token) = silent(&[]).await;
    let lost = service.ask_approved(&token, TO, "Its last report is lost").await;
    let sid = text(&service.until(&token, &lost, "accepted").await["messageSid"]);
    service.fault(json!([{ "fault": "callback_lost", "times": 9 }])).await;
    drive(&service, &sid, "delivered").await;
    let never = service.ask_approved(&token, "+14155550133", "The carrier never says").await;
    let sid = text(&service.until(&token, &never, "accepted").await["messageSid"]);
    service.clock.advance(Duration::from_mins(6));
    let found = service.until(&token, &lost, "delivered").await;
    let events = found["providerEvents"].as_array().expect("events");
    assert_eq!(events.iter().map(|event| text(&event["kind"])).collect::<Vec<_>>(), ["look_up"], "{found}");

    for _ in 0..8 {
        service.clock.advance(Duration::from_hours(8));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(service.operation(&token, &never).await["settledAt"], Value::Null, "64 hours are not 72");
    service.clock.advance(Duration::from_hours(21));
    let settled = eventually("it to count as ended", || async {
        let operation = service.operation(&token, &never).await;
        if operation["settledAt"].is_string() { Ok(operation) } else { Err(operation.to_string()) }
    })
    .await;
    assert_eq!(settled["state"], "accepted", "{settled}");
    let lines = settled["history"].as_array().expect("lines");
    assert_eq!(lines.iter().filter(|line| line["action"] == "operation.settled").count(), 1, "{settled}");
    // A late word is still a word.
    service.client().delete(format!("{}/sandbox/faults", service.sandbox())).send().await.expect("disarmed");
    drive(&service, &sid, "delivered").await;
    service.until(&token, &never, "delivered").await;
    service.stop().await;
}
