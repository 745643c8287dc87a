//! A request is taken once, however often and wherever it comes.

use std::time::Duration;

use mission_control::twilio::signature::SIGNATURE_HEADER;
use reqwest::StatusCode;
use serde_json::json;

use super::site::{NOTHING, PATH, PUBLIC, Params, Site, call, report, said, signature, with};
use crate::support::service::eventually;

#[tokio::test]
async fn a_replay_hears_nothing_and_changes_nothing() {
    let site = Site::start().await;
    let greeting = said("Hello from the tests");
    assert_eq!(site.comes(&call(1)).await, greeting);
    let changes = site.changes().await;
    for _ in 0..5 {
        assert_eq!(site.comes(&call(1)).await, NOTHING);
    }
    assert_eq!(site.changes().await, changes);
    let record = site.record(1).await;

    assert_eq!(site.reports(1, "completed").await["state"], "completed");
    let changes = site.changes().await;
    let again = site.signed("?type=status", &report(1, "completed")).await;
    assert_eq!((again.status, again.text.as_str()), (StatusCode::OK, NOTHING));
    assert_eq!(site.changes().await, changes);
    assert_eq!(record["state"], "ringing");
    site.stop().await;
}

/// The same bytes as Twilio signed them, written in every way that a signature does not see.
#[tokio::test]
async fn a_replay_is_known_however_it_is_written() {
    let site = Site::start().await;
    let params = call(1);
    let signature = signature(PUBLIC, &params);
    assert_eq!(site.post("", &params, &signature).await.text, said("Hello from the tests"));
    let changes = site.changes().await;

    let reversed: Params = params.iter().rev().cloned().collect();
    let doubled: Params = params.iter().flat_map(|pair| [pair.clone(), pair.clone()]).collect();
    // Names and values are signed without anything between them.
    let shifted: Params = params
        .iter()
        .map(|(name, value)| {
            if name == "CallerCountry" {
                ("Caller".to_owned(), format!("Country{value}"))
            } else {
                (name.clone(), value.clone())
            }
        })
        .collect();
    for written in [reversed, doubled, shifted] {
        let answer = site.post("", &written, &signature).await;
        assert_eq!((answer.status, answer.text.as_str()), (StatusCode::OK, NOTHING), "{written:?}");
    }
    // Headers that nobody signed, and another spelling of the same path.
    let post = |path: &str| site.client.post(site.url(path)).form(&params).header(SIGNATURE_HEADER, &signature);
    for request in [
        post(PATH).header("I-Twilio-Idempotency-Token", "another"),
        post(PATH).header("User-Agent", "another").header("X-Forwarded-Host", "another"),
        post(&format!("{PATH}/")),
    ] {
        let answer = site.send(request).await;
        assert_eq!((answer.status, answer.text.as_str()), (StatusCode::OK, NOTHING));
    }
    assert_eq!(site.changes().await, changes);
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_at_once_at_two_gateways_one_is_taken() {
    let site = Site::start().await;
    let other = site.again(&json!({})).start().await;
    for number in 1..=5 {
        let params = call(number);
        let asked = (0..6).flat_map(|_| [site.comes(&params), other.comes(&params)]);
        // Eight of one peer may be under way at each.
        let answers = futures_util::future::join_all(asked).await;
        let greeted = answers.iter().filter(|answer| **answer == said("Hello from the tests")).count();
        let nothing = answers.iter().filter(|answer| *answer == NOTHING).count();
        assert_eq!((greeted, nothing), (1, 11), "{answers:?}");
        assert_eq!(site.count("gateway_calls").await, i64::from(number));
    }
    assert_eq!(site.count("gateway_call_events").await, 5, "each is one fact");
    other.stop().await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_still_worked_on_is_known_as_well() {
    let site = Site::start().await;
    let other = site.again(&json!({})).start().await;
    let mut lock = mission_control::database::begin(&site.db).await.expect("a transaction");
    sqlx::query("lock table gateway_calls in access exclusive mode").execute(&mut *lock).await.expect("locked");
    let (params, waiting) = (call(1), async {
        // Until one works on it and the other waits for that.
        eventually("both to wait", || async {
            let waiting: i64 = sqlx::query_scalar(
                "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
            )
            .fetch_one(&site.db)
            .await
            .expect("a count");
            if waiting == 2 { Ok(()) } else { Err(format!("{waiting} wait")) }
        })
        .await;
        lock.commit().await.expect("unlocked");
    });
    let (first, second, ()) = tokio::join!(site.comes(&params), other.comes(&params), waiting);
    let greeting = said("Hello from the tests");
    let is_expected = (first == NOTHING && second == greeting) || (first == greeting && second == NOTHING);
    assert!(is_expected, "{first} {second}");
    assert_eq!(site.count("gateway_call_events").await, 1);
    other.stop().await;
    site.stop().await;
}

#[tokio::test]
async fn requests_are_remembered_beyond_a_restart_and_for_a_day() {
    let site = Site::start().await;
    site.comes(&call(1)).await;
    site.clock.advance(Duration::from_mins(11));
    let again = site.again(&json!({})).start().await;
    assert_eq!(again.comes(&call(1)).await, NOTHING);

    // After a day the request is forgotten, and the call is not.
    again.clock.advance(Duration::from_hours(25));
    let changes = again.changes().await;
    let later = site.again(&json!({ "inboundGreeting": "Changed meanwhile" })).start().await;
    eventually("the requests to be forgotten", || async {
        let kept = later.count("gateway_requests").await;
        if kept == 0 { Ok(()) } else { Err(format!("{kept} kept")) }
    })
    .await;
    let record = later.record(1).await;
    assert_eq!(later.comes(&call(1)).await, said("Hello from the tests"), "what it was answered before");
    assert_eq!(later.record(1).await, record, "its record stands");
    assert_eq!(later.changes().await[0], changes[0]);
    for site in [site, again, later] {
        site.stop().await;
    }
}

#[tokio::test]
async fn a_call_that_comes_again_by_another_way_is_answered_the_same() {
    let site = Site::start().await;
    assert_eq!(site.comes(&call(1)).await, said("Hello from the tests"));
    let record = site.record(1).await;
    // Twilio asks again, such as after an error: the same call, other bytes.
    let again = with(with(call(1), "From", "+14155550199"), "ErrorCode", "11200");
    assert_eq!(site.comes(&again).await, said("Hello from the tests"));
    assert_eq!(site.record(1).await, record);
    assert_eq!(site.count("gateway_call_events").await, 2, "the word is kept");
    site.stop().await;
}
