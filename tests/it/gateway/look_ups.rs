//! Calls that nobody reports the end of: Twilio is asked, and its word alone settles them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::site::{ACCOUNT, Plan, Site, call, sid, with};
use crate::support::service::eventually;

/// Twilio, as far as look-ups go: it knows of each call what the test told it.
struct Twilio {
    url: String,
    known: Known,
    _serving: JoinSet<()>,
}

#[derive(Clone, Default)]
struct Known(Arc<Mutex<Calls>>);

#[derive(Default)]
struct Calls {
    stand: HashMap<String, &'static str>,
    asked: HashMap<String, usize>,
    is_down: bool,
}

impl Known {
    fn with<T>(&self, what: impl FnOnce(&mut Calls) -> T) -> T {
        what(&mut self.0.lock().expect("the calls"))
    }
}

async fn tell(State(known): State<Known>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let prefix = format!("/2010-04-01/Accounts/{ACCOUNT}/Calls/");
    let sid = path.strip_prefix(&prefix).and_then(|rest| rest.strip_suffix(".json")).unwrap_or_default();
    let (stands, is_down) = known.with(|calls| {
        *calls.asked.entry(sid.to_owned()).or_default() += 1;
        (calls.stand.get(sid).copied(), calls.is_down)
    });
    match stands {
        _ if is_down => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
        Some(status) => {
            json!({ "sid": sid, "status": status, "direction": "inbound", "duration": "9" }).to_string().into_response()
        }
    }
}

impl Twilio {
    async fn start() -> Self {
        let known = Known::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let router = Router::new().fallback(tell).with_state(known.clone());
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, router).await.expect("it serves") });
        Self { url, known, _serving: serving }
    }

    fn says(&self, number: u32, status: &'static str) {
        self.known.with(|calls| calls.stand.insert(sid(number), status));
    }

    fn asked(&self, number: u32) -> usize {
        self.known.with(|calls| calls.asked.get(&sid(number)).copied().unwrap_or_default())
    }

    async fn site(&self, changes: &Value) -> Site {
        Plan::new(changes).await.twilio(&self.url).start().await
    }

    async fn until_asked(&self, number: u32, times: usize) {
        eventually("a look-up", || async {
            let asked = self.asked(number);
            if asked >= times { Ok(()) } else { Err(format!("asked {asked} times")) }
        })
        .await;
    }
}

async fn until(site: &Site, number: u32, state: &str) -> Value {
    eventually(&format!("call {number} to be {state}"), || async {
        let record = site.record(number).await;
        if record["state"] == state { Ok(record) } else { Err(record.to_string()) }
    })
    .await
}

#[tokio::test]
async fn a_call_that_nobody_reports_on_is_settled_by_asking() {
    let twilio = Twilio::start().await;
    let site = twilio.site(&json!({})).await;
    twilio.says(1, "completed");
    site.comes(&call(1)).await;
    site.comes(&call(2)).await;
    let due: bool =
        sqlx::query_scalar("select bool_and(look_at = started_at + interval '120 seconds') from gateway_calls")
            .fetch_one(&site.db)
            .await
            .expect("the records");
    assert!(due, "after as long as is configured, and not before");
    site.clock.advance(Duration::from_secs(121));

    let record = until(&site, 1, "completed").await;
    assert_eq!((&record["end_reason"], &record["duration_seconds"]), (&json!("completed"), &json!(9)));
    let record = until(&site, 2, "unknown").await;
    assert_eq!((&record["end_reason"], record["ended_at"].is_string()), (&json!("not_found"), true));
    assert_eq!(site.audit(2).await, ["inbound_call.taken", "inbound_call.looked_up"]);
    assert_eq!([twilio.asked(1), twilio.asked(2)], [1, 1], "what is settled is not asked about");

    // What Twilio reports after all is more than that it knew nothing.
    let record = site.reports(2, "completed").await;
    assert_eq!((&record["state"], &record["conflicted_at"]), (&json!("completed"), &Value::Null));
    site.stop().await;
}

#[tokio::test]
async fn what_cannot_be_found_out_stays_as_it_is_and_is_asked_again() {
    let twilio = Twilio::start().await;
    let site = twilio.site(&json!({})).await;
    twilio.known.with(|calls| calls.is_down = true);
    site.comes(&call(1)).await;
    site.clock.advance(Duration::from_secs(121));
    twilio.until_asked(1, 1).await;
    let record = site.record(1).await;
    assert_eq!((&record["state"], &record["ended_at"]), (&json!("ringing"), &Value::Null));

    // Later and later.
    for (times, pause) in [(2, 31), (3, 61), (4, 121)] {
        site.clock.advance(Duration::from_secs(pause));
        twilio.until_asked(1, times).await;
    }
    twilio.says(1, "no-answer");
    twilio.known.with(|calls| calls.is_down = false);
    site.clock.advance(Duration::from_hours(1));
    until(&site, 1, "no_answer").await;
    assert_eq!(site.audit(1).await.len(), 2, "a look that found nothing out is no change");
    site.stop().await;
}

#[tokio::test]
async fn a_call_that_goes_on_is_never_ended_by_the_time() {
    let twilio = Twilio::start().await;
    let site = twilio.site(&json!({})).await;
    twilio.says(1, "in-progress");
    site.comes(&call(1)).await;
    site.clock.advance(Duration::from_secs(121));
    until(&site, 1, "answered").await;
    // Far beyond the longest call that is configured.
    for times in 2..=5 {
        site.clock.advance(Duration::from_hours(2));
        twilio.until_asked(1, times).await;
        let record = site.record(1).await;
        assert_eq!((&record["state"], &record["ended_at"]), (&json!("answered"), &Value::Null));
    }
    twilio.says(1, "completed");
    site.clock.advance(Duration::from_hours(2));
    until(&site, 1, "completed").await;
    site.stop().await;
}

#[tokio::test]
async fn a_start_asks_about_every_call_that_is_open() {
    let twilio = Twilio::start().await;
    let before = Plan::new(&json!({ "staleCallReaperSeconds": 0 })).await.start().await;
    for number in 1..=4 {
        before.comes(&call(number)).await;
    }
    assert_eq!(before.record(1).await["look_at"], Value::Null, "switched off: it is not asked about by itself");
    before.reports(2, "in-progress").await;
    before.reports(3, "completed").await;
    before.comes(&with(call(5), "From", "")).await;
    // Of another account, whose key is not ours.
    before.execute(&format!("update gateway_calls set account_sid = '{}' where sid = '{}'", "AC2", sid(4))).await;

    for number in [1, 2, 3, 4, 5] {
        twilio.says(number, "completed");
    }
    let after = before.again(&json!({ "staleCallReaperSeconds": 0 })).twilio(&twilio.url).start().await;
    for number in [1, 2] {
        until(&after, number, "completed").await;
    }
    assert_eq!([3, 4, 5].map(|number| twilio.asked(number)), [0; 3], "what has ended, and what is not ours");
    assert_eq!(after.record(4).await["state"], "ringing");
    assert_eq!(after.record(5).await["state"], "refused");
    before.stop().await;
    after.stop().await;
}

#[tokio::test]
async fn a_call_that_has_ended_is_not_asked_about() {
    let twilio = Twilio::start().await;
    let site = twilio.site(&json!({})).await;
    site.comes(&call(1)).await;
    site.reports(1, "completed").await;
    twilio.says(1, "in-progress");
    site.clock.advance(Duration::from_hours(1));
    site.comes(&call(2)).await;
    twilio.says(2, "busy");
    site.clock.advance(Duration::from_secs(121));
    until(&site, 2, "busy").await;
    assert_eq!(twilio.asked(1), 0);
    assert_eq!(site.record(1).await["state"], "completed");
    site.stop().await;
}
