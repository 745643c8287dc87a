//! What is recorded of a call: forward only, what has ended stays ended, and contradictions are shown.

use serde_json::{Value, json};

use super::site::{ALLOWED, NUMBER, Site, call, report, sid, with};

#[tokio::test]
async fn a_call_is_followed_to_its_end() {
    let site = Site::start().await;
    site.comes(&call(1)).await;
    let record = site.record(1).await;
    for (name, expected) in [
        ("mode", json!("sandbox")),
        ("account_sid", json!(super::site::ACCOUNT)),
        ("direction", json!("inbound")),
        ("from_number", json!(ALLOWED)),
        ("to_number", json!(NUMBER)),
        ("verdict", json!("greeted")),
        ("greeting", json!("Hello from the tests")),
        ("state", json!("ringing")),
        ("ended_at", Value::Null),
    ] {
        assert_eq!(record[name], expected, "{name}");
    }
    let answered = site.reports(1, "in-progress").await;
    assert_eq!((&answered["state"], answered["answered_at"].is_string()), (&json!("answered"), true));
    let params = with(report(1, "completed"), "CallDuration", "17");
    assert_eq!(site.signed("?type=status", &params).await.status, 204);
    let ended = site.record(1).await;
    assert_eq!((&ended["state"], &ended["end_reason"]), (&json!("completed"), &json!("completed")));
    assert_eq!((&ended["duration_seconds"], &ended["look_at"]), (&json!(17), &Value::Null));
    assert_eq!(ended["answered_at"], answered["answered_at"]);
    let expected = ["inbound_call.taken", "inbound_call.reported", "inbound_call.reported"];
    assert_eq!(site.audit(1).await, expected);
    assert_eq!(site.count("gateway_call_events").await, 3);
    site.stop().await;
}

#[tokio::test]
async fn every_order_of_reports_ends_the_same() {
    let words = ["ringing", "in-progress", "completed"];
    for (number, order) in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]].into_iter().enumerate() {
        let site = Site::start().await;
        site.comes(&call(1)).await;
        for place in order {
            let params = with(report(1, words[place]), "SequenceNumber", &place.to_string());
            assert_eq!(site.signed("?type=status", &params).await.status, 204);
        }
        let record = site.record(1).await;
        assert_eq!(record["state"], "completed", "{number}: {order:?}");
        assert_eq!(record["conflicted_at"], Value::Null);
        assert_eq!(site.count("gateway_call_events").await, 4, "each word is kept");
        site.stop().await;
    }
}

#[tokio::test]
async fn two_ends_that_cannot_both_be_true_are_shown_and_the_first_stands() {
    let site = Site::start().await;
    site.comes(&call(1)).await;
    let ended = site.reports(1, "completed").await;
    let record = site.reports(1, "busy").await;
    assert!(record["conflicted_at"].is_string());
    assert_eq!((&record["state"], &record["ended_at"]), (&json!("completed"), &ended["ended_at"]));
    assert_eq!(site.audit(1).await.last().map(String::as_str), Some("inbound_call.conflicted"));

    // A refused call that was picked up in spite of it.
    site.comes(&with(call(2), "From", "")).await;
    for word in ["busy", "no-answer"] {
        assert_eq!(site.reports(2, word).await["conflicted_at"], Value::Null, "{word} is how Twilio calls a refusal");
    }
    let record = site.reports(2, "completed").await;
    assert_eq!((record["state"].as_str(), record["conflicted_at"].is_string()), (Some("refused"), true));
    site.stop().await;
}

#[tokio::test]
async fn a_report_on_a_call_that_never_came_is_recorded_as_such() {
    let site = Site::start().await;
    let record = site.reports(1, "completed").await;
    assert_eq!((&record["verdict"], &record["state"]), (&json!("not_asked"), &json!("completed")));
    assert_eq!(site.audit(1).await, ["inbound_call.unasked", "inbound_call.reported"]);
    site.stop().await;
}

#[tokio::test]
async fn the_database_itself_lets_no_call_go_back() {
    let site = Site::start().await;
    site.comes(&call(1)).await;
    site.reports(1, "in-progress").await;
    let refusal = async |statement: &str| {
        let refused = sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&site.db).await;
        let Err(sqlx::Error::Database(error)) = refused else { panic!("accepted: {statement}") };
        error.constraint().unwrap_or_default().to_owned()
    };
    let to = |state: &str| {
        format!(
            "update gateway_calls set state = '{state}', ended_at = case when '{state}' in ('ringing', 'answered') \
             then null else now() end where sid = '{}'",
            sid(1)
        )
    };
    assert_eq!(refusal(&to("ringing")).await, "gateway_calls_move_forward");
    site.execute(&to("unknown")).await;
    assert_eq!(refusal(&to("answered")).await, "gateway_calls_move_forward");
    site.execute(&to("completed")).await;
    for state in ["busy", "refused", "unknown", "ringing"] {
        assert_eq!(refusal(&to(state)).await, "gateway_calls_move_forward", "{state}");
    }
    for statement in ["update gateway_call_events set status = 'x'", "delete from gateway_call_events"] {
        assert_eq!(refusal(statement).await, "gateway_call_events_append_only");
    }
    site.stop().await;
}

#[tokio::test]
async fn what_cannot_be_shown_is_not_kept_of_a_word() {
    let site = Site::start().await;
    let strange = format!("\u{0}\u{1b}[31m+1415{}", "9".repeat(100));
    let params = with(with(call(1), "From", &strange), "CallerName", "Ada\0Lovelace");
    site.comes(&params).await;
    let record = site.record(1).await;
    let from = record["from_number"].as_str().expect("a text");
    assert!(from.starts_with("[31m+1415") && from.len() == 64, "{from:?}");
    let payload: Value =
        sqlx::query_scalar("select payload from gateway_call_events").fetch_one(&site.db).await.expect("the event");
    assert_eq!(payload["CallerName"], "AdaLovelace");
    site.stop().await;
}
