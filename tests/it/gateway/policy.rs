//! Who is let in, and what they hear.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::site::{ALLOWED, BUSY, NOTHING, NUMBER, Plan, REJECTED, Site, call, said, with};
use crate::support::service::{Service, eventually};

fn greeting() -> String {
    said("Hello from the tests")
}

#[tokio::test]
async fn the_policy_decides_who_is_greeted() {
    for (policy, allow, from, expected, verdict) in [
        ("disabled", vec![ALLOWED], ALLOWED, REJECTED.to_owned(), "policy_disabled"),
        ("allowlist", vec![ALLOWED], ALLOWED, greeting(), "greeted"),
        ("allowlist", vec!["+14155550199", ALLOWED], ALLOWED, greeting(), "greeted"),
        ("allowlist", vec!["+14155550199"], ALLOWED, REJECTED.to_owned(), "caller_not_allowed"),
        ("allowlist", vec![ALLOWED], "", REJECTED.to_owned(), "caller_withheld"),
        ("open", vec![], "+447700900123", greeting(), "greeted"),
        ("open", vec![], "", greeting(), "greeted"),
    ] {
        let site = Plan::new(&json!({ "inboundPolicy": policy, "allowFrom": allow })).await.start().await;
        assert_eq!(site.comes(&with(call(1), "From", from)).await, expected, "{policy} {allow:?} {from}");
        let record = site.record(1).await;
        assert_eq!(record["verdict"], verdict);
        let (state, ended) = if verdict == "greeted" { ("ringing", false) } else { ("refused", true) };
        assert_eq!((record["state"].as_str(), record["ended_at"].is_string()), (Some(state), ended));
        assert_eq!(record["end_reason"], if ended { json!(verdict) } else { Value::Null });
        site.stop().await;
    }
}

#[tokio::test]
async fn a_number_that_is_dialled_may_have_a_greeting_of_its_own() {
    let changes = json!({ "numbers": { "+14155550101": { "inboundGreeting": "One & only" } } });
    let site = Plan::new(&changes).await.start().await;
    assert_eq!(site.comes(&with(call(1), "To", "+14155550101")).await, said("One &amp; only"));
    assert_eq!(site.comes(&with(call(2), "To", NUMBER)).await, greeting());
    site.stop().await;

    let mut plan = Plan::new(&json!({})).await;
    plan.settings.inbound_greeting = None;
    let site = plan.start().await;
    assert!(site.comes(&call(1)).await.contains("answered by a machine"), "a neutral one where none is configured");
    site.stop().await;
}

#[tokio::test]
async fn a_call_that_does_not_come_in_is_ended() {
    let site = Site::start().await;
    for (number, direction) in [(1, "outbound-api"), (2, "")] {
        let heard = site.comes(&with(call(number), "Direction", direction)).await;
        assert!(heard.ends_with("<Response><Hangup/></Response>"), "{heard}");
        assert_eq!(site.record(number).await["verdict"], "not_inbound");
    }
    site.stop().await;
}

#[tokio::test]
async fn more_calls_at_once_than_allowed_hear_that_the_line_is_busy() {
    let site = Plan::new(&json!({ "maxConcurrentCalls": 1 })).await.start().await;
    assert_eq!(site.comes(&call(1)).await, greeting());
    assert_eq!(site.comes(&call(2)).await, BUSY);
    assert_eq!(site.record(2).await["verdict"], "over_limit");
    assert_eq!(site.comes(&with(call(3), "From", "")).await, REJECTED, "who is not let in does not hear that either");

    // A call that has ended makes room; one that is refused took none.
    site.reports(1, "completed").await;
    assert_eq!(site.comes(&call(4)).await, greeting());

    // As does one of which nothing was heard for so long that it cannot be going on.
    assert_eq!(site.comes(&call(5)).await, BUSY);
    site.clock.advance(Duration::from_secs(121));
    assert_eq!(site.comes(&call(6)).await, greeting());

    // One that is known to go on counts for as long as it may last.
    site.reports(6, "in-progress").await;
    site.clock.advance(Duration::from_secs(121));
    assert_eq!(site.comes(&call(7)).await, BUSY);
    site.clock.advance(Duration::from_mins(3));
    assert_eq!(site.comes(&call(8)).await, greeting());
    assert_eq!(site.record(6).await["state"], "answered", "and is not ended by that");
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_at_once_do_not_slip_in_together() {
    let changes = json!({ "maxConcurrentCalls": 1 });
    let site = Plan::new(&changes).await.start().await;
    let other = site.again(&changes).start().await;
    let calls: Vec<_> = (1..=12).map(call).collect();
    let asked = calls.iter().enumerate().map(|(place, params)| {
        let gateway = if place % 2 == 0 { &site } else { &other };
        gateway.comes(params)
    });
    let answers = futures_util::future::join_all(asked).await;
    assert_eq!(answers.iter().filter(|answer| **answer == greeting()).count(), 1, "{answers:?}");
    assert_eq!(answers.iter().filter(|answer| *answer == BUSY).count(), 11);
    other.stop().await;
    site.stop().await;
}

#[tokio::test]
async fn a_greeting_is_played_once_its_clip_is_ready() {
    let site = Site::start().await;
    let clip = "clip-of-a-greeting-0123456789abcdef0123456789ab";
    site.execute(&format!(
        "insert into clips (id, request_hash, state, text_spoken) values ('{clip}', sha256('greeting'), 'preparing', 'x')"
    ))
    .await;
    sqlx::query(
        "insert into gateway_greetings (mode, text_hash, text, wanted_at, clip_id) \
         values ('sandbox', $1, 'Hello from the tests', now(), $2) \
         on conflict (mode, text_hash) do update set clip_id = excluded.clip_id",
    )
    .bind(&Sha256::digest("Hello from the tests")[..])
    .bind(clip)
    .execute(&site.db)
    .await
    .expect("a greeting");
    assert_eq!(site.comes(&call(1)).await, greeting(), "it is not ready yet");
    assert_eq!(site.record(1).await["clip_id"], Value::Null);

    site.execute(&format!(
        "update clips set state = 'ready', content_hash = sha256('audio'), bytes = 5, content_type = 'audio/mpeg' \
         where id = '{clip}'"
    ))
    .await;
    let heard = site.comes(&call(2)).await;
    let played = format!("<Play>https://mission.test-mission.dev/api/public/call-audio/{clip}</Play><Hangup/>");
    assert!(heard.contains(&played), "{heard}");
    assert_eq!(site.record(2).await["clip_id"], clip);
    assert_eq!(site.comes(&call(2)).await, NOTHING);

    // Deleted meanwhile: said again, never silence.
    site.execute(&format!("update clips set state = 'deleted' where id = '{clip}'")).await;
    assert_eq!(site.comes(&with(call(2), "ErrorCode", "11200")).await, greeting());
    assert_eq!(site.comes(&call(3)).await, greeting());
    site.stop().await;
}

#[tokio::test]
async fn a_gateway_says_which_greetings_it_wants() {
    let changes = json!({ "numbers": { "+14155550101": { "inboundGreeting": "Of one" }, "+14155550102": {} } });
    let site = Plan::new(&changes).await.start().await;
    eventually("its greetings", || async {
        let wanted: Vec<String> =
            sqlx::query_scalar("select text from gateway_greetings where mode = 'sandbox' order by text")
                .fetch_all(&site.db)
                .await
                .expect("the greetings");
        if wanted == ["Hello from the tests", "Of one"] { Ok(()) } else { Err(format!("{wanted:?}")) }
    })
    .await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_has_the_greetings_spoken_that_a_gateway_wants() {
    let service = Service::start().await;
    let site = Plan::on(service.database(), &json!({ "inboundGreeting": "Welcome to all of you" })).start().await;
    let number = AtomicU32::new(1);
    let heard = eventually("the greeting to be played", || async {
        // Each call is another one: what one was answered stands.
        let heard = site.comes(&call(number.fetch_add(1, Ordering::Relaxed))).await;
        if heard.contains("<Play>") { Ok(heard) } else { Err(heard) }
    })
    .await;
    let clip = heard.split_once("/api/public/call-audio/").and_then(|(_, rest)| rest.split('<').next());
    let path = format!("/api/public/call-audio/{}", clip.expect("a clip"));
    let audio = service.send(service.client().get(service.url(&path))).await;
    assert_eq!((audio.status.as_u16(), audio.header("content-type")), (200, Some("audio/mpeg")));
    let ledger = service.ledger().await;
    assert_eq!(ledger["syntheses"].as_array().map(Vec::len), Some(1), "paid for once: {ledger}");

    // What is still wanted is kept, however old it is.
    let is_needed: bool = sqlx::query_scalar("select clip_is_needed(c, now() + interval '20 hours') from clips c")
        .fetch_one(&site.db)
        .await
        .expect("the clip");
    assert!(is_needed);
    let is_needed: bool = sqlx::query_scalar("select clip_is_needed(c, now() + interval '30 hours') from clips c")
        .fetch_one(&site.db)
        .await
        .expect("the clip");
    assert!(!is_needed, "nobody has wanted it for a day");
    site.stop().await;
    service.stop().await;
}
