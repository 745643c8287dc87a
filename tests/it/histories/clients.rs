//! The clients: they ask, repeat what was not answered, decide, read, stop all sending and let it go on; and they keep a
//! log of what they were told.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use mission_control::clock::Clock;
use mission_control::operation::content::Kind;
use reqwest::Method;
use serde_json::{Value, json};
use time::OffsetDateTime;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::history::{Answer, Content, Request};
use super::site::{SENDERS, Site};
use crate::support::seeded::Seeded;

/// How long a client waits for an answer before it asks again. Shorter than many pauses and stalls.
const PATIENCE: Duration = Duration::from_secs(3);

/// Pause before a repetition.
const PAUSE: Duration = Duration::from_millis(100);

/// Requests that the clients have under way at most.
const AT_ONCE: usize = 12;

/// Where the clients knock.
#[derive(Clone)]
pub(super) struct Caller {
    client: reqwest::Client,
    url: String,
    token: String,
}

/// What becomes of an operation, if it is up to the client.
#[derive(Clone, Copy)]
enum Plan {
    Approve,
    ApproveAndCancel,
    Reject,
    Cancel,
}

impl Caller {
    pub(super) fn of(site: &Site) -> Self {
        // No connection is kept: the door gives each request to the next process.
        let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).pool_max_idle_per_host(0);
        let url = format!("http://{}", site.door.address);
        Self { client: client.build().expect("a client"), url, token: site.token.clone() }
    }

    /// One request; `None` without an answer.
    async fn once(&self, method: Method, path: &str, key: Option<&str>, body: Option<&Value>) -> Option<(u16, Value)> {
        let mut request = self.client.request(method, format!("{}{path}", self.url)).bearer_auth(&self.token);
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.ok()?;
        Some((answer.status().as_u16(), answer.json().await.ok()?))
    }

    /// The same again until somebody knows an answer. 502 is one where it tells of an operation.
    async fn call(&self, method: Method, path: &str, key: Option<&str>, body: Option<&Value>) -> (u16, Value) {
        loop {
            match self.once(method.clone(), path, key, body).await {
                Some((status, answer)) if status < 500 || answer["operationId"].is_string() => return (status, answer),
                _ => sleep(PAUSE).await,
            }
        }
    }

    /// Asks until it is taken: while sending is on hold, nothing new is.
    async fn ask(&self, content: &Content, key: &str) -> (u16, Value) {
        loop {
            match self.repeat(content, key).await {
                (423, _) => sleep(PAUSE).await,
                answer => return answer,
            }
        }
    }

    /// Asks under a key that is known already, which is answered whatever stands in the way of others.
    async fn repeat(&self, content: &Content, key: &str) -> (u16, Value) {
        let (route, name) = match content.kind {
            Kind::Sms => ("send-sms", "message"),
            Kind::Call => ("make-call", "audioUrl"),
        };
        let body = json!({ "to": content.to, "from": content.from, name: content.says });
        self.call(Method::POST, &format!("/api/twilio/{route}"), Some(key), Some(&body)).await
    }

    async fn decide(&self, id: &str, decision: &str, body: Value) -> u16 {
        self.call(Method::POST, &format!("/api/operations/{id}/{decision}"), None, Some(&body)).await.0
    }

    /// Lets sending go on, whoever stopped it.
    pub(super) async fn release(&self) {
        let (status, answer) = self.call(Method::DELETE, "/api/hold", None, None).await;
        assert_eq!(status, 200, "{answer}");
    }
}

/// Sees so many operations through, spread over this time, and answers the log.
pub(super) async fn work(caller: &Caller, seed: u64, operations: usize, over: Duration) -> Vec<Request> {
    let (next, began) = (&AtomicUsize::new(0), Instant::now());
    let clients = (0..AT_ONCE).map(|_| async move {
        let mut log = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::SeqCst);
            if number >= operations {
                return log;
            }
            let share =
                f64::from(u32::try_from(number).expect("few")) / f64::from(u32::try_from(operations).expect("few"));
            sleep_until(began + over.mul_f64(share)).await;
            log.push(see_through(caller, seed, number).await);
        }
    });
    join_all(clients).await.concat()
}

async fn see_through(caller: &Caller, seed: u64, number: usize) -> Request {
    let mut seeded = Seeded(seed ^ (number as u64).wrapping_mul(0x2545_f491_4f6c_dd1d));
    let content = content(number);
    let key = format!("history-{seed}-{number}");
    let mut request = Request {
        key: key.clone(),
        content: content.clone(),
        answers: Vec::new(),
        answers_to_another: Vec::new(),
        reads: Vec::new(),
        approval_asked: false,
        approval_heard: false,
    };
    let first = if seeded.below(10) == 0 {
        let (one, other) = tokio::join!(caller.ask(&content, &key), caller.ask(&content, &key));
        request.answers.push(told(&one));
        other
    } else {
        caller.ask(&content, &key).await
    };
    request.answers.push(told(&first));
    let (Some(id), Some(digest)) = (first.1["operationId"].as_str(), first.1["digest"].as_str()) else {
        panic!("{} {}", first.0, first.1);
    };
    if seeded.below(20) == 0 {
        let another = Content { says: format!("{}0", content.says), ..content.clone() };
        request.answers_to_another.push(told(&caller.repeat(&another, &key).await));
    }
    let plan = match seeded.below(20) {
        0 => Plan::Reject,
        1 => Plan::Cancel,
        2 => Plan::ApproveAndCancel,
        _ => Plan::Approve,
    };
    decide(caller, &mut seeded, plan, (id, digest), &mut request).await;
    if seeded.below(8) == 0 {
        request.answers.push(told(&caller.repeat(&content, &key).await));
    }
    if seeded.below(8) == 0 {
        request.reads.push(caller.call(Method::GET, &format!("/api/operations/{id}"), None, None).await.0);
    }
    request
}

async fn decide(caller: &Caller, seeded: &mut Seeded, plan: Plan, (id, digest): (&str, &str), request: &mut Request) {
    let because = json!({ "reason": "so it was planned" });
    match plan {
        Plan::Reject => {
            caller.decide(id, "reject", because).await;
        }
        Plan::Cancel => {
            caller.decide(id, "cancel", because).await;
        }
        Plan::Approve | Plan::ApproveAndCancel => {
            request.approval_asked = true;
            let approve = || caller.decide(id, "approve", json!({ "digest": digest }));
            let status = if seeded.below(20) == 0 {
                let (one, other) = tokio::join!(approve(), approve());
                one.min(other)
            } else {
                approve().await
            };
            request.approval_heard = status == 200;
            if matches!(plan, Plan::ApproveAndCancel) {
                // May come too late, and then says so.
                caller.decide(id, "cancel", because).await;
            }
        }
    }
}

/// What is sent: mostly messages with a recipient of their own, some calls, and now and then a twin of the one before.
fn content(number: usize) -> Content {
    let number = if number % 20 == 19 { number - 1 } else { number };
    let (to, from) = (format!("+1415{:07}", 5_550_000 + number), SENDERS[usize::from(number % 3 == 0)].to_owned());
    if number % 5 == 2 {
        return Content { kind: Kind::Call, to, from, says: format!("https://example.com/{number}.mp3") };
    }
    Content { kind: Kind::Sms, to, from, says: format!("Grüße Nr. {number} <&> \u{1f44b}") }
}

fn told((status, answer): &(u16, Value)) -> Answer {
    Answer { status: *status, operation: answer["operationId"].as_str().map(str::to_owned) }
}

/// Stops all sending now and then until it is told that the run is over. Answers when it heard that sending is stopped.
pub(super) async fn stop_and_go(
    caller: &Caller,
    (every, length): (Duration, Duration),
    mut over: watch::Receiver<bool>,
) -> Vec<OffsetDateTime> {
    let mut heard = Vec::new();
    loop {
        let is_over = tokio::select! {
            _ = over.wait_for(|over| *over) => true,
            () = sleep(every) => false,
        };
        if is_over {
            return heard;
        }
        let reason = json!({ "reason": "a look at what goes out" });
        let (status, answer) = caller.call(Method::PUT, "/api/hold", None, Some(&reason)).await;
        assert_eq!(status, 200, "{answer}");
        if answer["held"] == true {
            heard.push(Clock::System.now());
        }
        sleep(length).await;
        caller.release().await;
    }
}
