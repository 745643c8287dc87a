//! The stream by which open pages hear what changed.

use std::time::Duration;

use mission_control::auth::Role;
use reqwest::{Response, StatusCode};
use serde_json::Value;

use crate::support::proxy::Proxy;
use crate::support::service::{Service, Setup, text};

/// Long enough for any machine: nothing here waits for it.
const PATIENCE: Duration = Duration::from_mins(1);

/// One open page's stream.
struct Stream {
    response: Response,
    received: String,
}

/// One event of it.
#[derive(Debug)]
struct Event {
    name: String,
    id: String,
    data: String,
}

impl Stream {
    async fn open(service: &Service, token: &str, last: Option<&str>) -> Self {
        let mut request = service.client().get(service.url("/dashboard/live")).bearer_auth(token);
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert!(!response.headers().contains_key("content-encoding"), "a stream that is compressed is late");
        Self { response, received: String::new() }
    }

    /// The next event; `None` at the end of the stream.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some((event, rest)) = self.received.split_once("\n\n") {
                let of = |field: &str| {
                    let mut lines = event.lines().filter_map(|line| line.split_once(": "));
                    lines.find(|(name, _)| *name == field).map(|(_, value)| value.to_owned()).unwrap_or_default()
                };
                let event = Event { name: of("event"), id: of("id"), data: of("data") };
                let rest = rest.len();
                self.received.drain(..self.received.len() - rest);
                return Some(event);
            }
            let chunk = tokio::time::timeout(PATIENCE, self.response.chunk()).await.expect("an event in time");
            self.received += std::str::from_utf8(&chunk.expect("a sound stream")?).expect("text");
        }
    }

    async fn line(&mut self) -> (String, Value) {
        let event = self.next().await.expect("an event");
        assert_eq!(event.name, "operations", "{event:?}");
        (event.id, serde_json::from_str(&event.data).expect("JSON"))
    }

    /// The first line that names this operation, with its position.
    async fn until(&mut self, id: &str) -> (String, Value) {
        loop {
            let (position, line) = self.line().await;
            if names(&line, id) {
                return (position, line);
            }
        }
    }
}

fn names(line: &Value, id: &str) -> bool {
    line["ids"].as_array().is_some_and(|ids| ids.iter().any(|one| one == id))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_page_hears_of_each_change_and_of_the_counts() {
    let service = Service::start().await;
    let token = service.token("ada@example.com", Role::Admin).await;
    let mut stream = Stream::open(&service, &token, None).await;
    let (_, first) = stream.line().await;
    assert_eq!((&first["ids"], &first["waiting"]), (&Value::Null, &0.into()), "what it shows may be old: {first}");

    let asked = service.ask(&token, "+14155550132", "Hello").await;
    let id = text(&asked["operationId"]);
    let (_, line) = stream.until(&id).await;
    assert_eq!(line["waiting"], 1);
    service.approve(&token, &asked).await;
    let (_, line) = stream.until(&id).await;
    assert_eq!(line["waiting"], 0);
    // Nothing of the content is in it: each page asks for what its reader may see.
    assert!(!line.to_string().contains("5550132") && !line.to_string().contains("Hello"), "{line}");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_comes_back_hears_what_it_missed_and_nothing_of_long_before() {
    let service = Service::start().await;
    let token = service.token("ada@example.com", Role::Admin).await;
    let mut stream = Stream::open(&service, &token, None).await;
    let (before, _) = stream.line().await;
    drop(stream);
    let missed = text(&service.ask(&token, "+14155550132", "Missed").await["operationId"]);

    let (position, line) = Stream::open(&service, &token, Some(&before)).await.line().await;
    assert!(names(&line, &missed), "{line}");
    assert!(position.parse::<i64>().expect("a number") > before.parse::<i64>().expect("a number"));

    // A page from long ago, and one with nonsense, load themselves again or start afresh.
    sqlx::query("select setval(pg_get_serial_sequence('audit_lines', 'id'), 1000000)")
        .execute(&service.app().db)
        .await
        .expect("a jump");
    let later = text(&service.ask(&token, "+14155550133", "Later").await["operationId"]);
    let (_, line) = Stream::open(&service, &token, Some(&before)).await.line().await;
    assert!(line["ids"].is_null(), "too far back to tell: {line}");
    let (_, line) = Stream::open(&service, &token, Some("nonsense")).await.line().await;
    assert!(line["ids"].is_null(), "{line}");
    let (_, line) = Stream::open(&service, &token, Some("999999")).await.line().await;
    assert!(names(&line, &later) && !names(&line, &missed), "{line}");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_in_one_process_reaches_the_pages_of_another() {
    let one = Service::start().await;
    let other = one.setup_again().with("MISSION_CONTROL_TWILIO_BASE_URL", one.sandbox()).start().await;
    let token = one.token("ada@example.com", Role::Admin).await;
    let mut stream = Stream::open(&other, &token, None).await;
    stream.line().await;
    let id = text(&one.ask(&token, "+14155550132", "Hello").await["operationId"]);
    stream.until(&id).await;
    other.stop().await;
    one.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_process_changed_while_the_database_was_away_is_told_afterwards() {
    let one = Service::start().await;
    let setup = one.setup_again().with("MISSION_CONTROL_TWILIO_BASE_URL", one.sandbox());
    let proxy = Proxy::start(setup.straight()).await;
    let way = proxy.options.clone();
    let other = setup.way(way).start().await;
    let token = one.token("ada@example.com", Role::Admin).await;
    let mut stream = Stream::open(&other, &token, None).await;
    let known = text(&one.ask(&token, "+14155550131", "Before").await["operationId"]);
    stream.until(&known).await;
    proxy.close();
    let missed = text(&one.ask(&token, "+14155550132", "Meanwhile").await["operationId"]);
    proxy.open();
    stream.until(&missed).await;
    other.stop().await;
    one.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_for_those_who_may_read_and_ends_with_the_service() {
    let service = Setup::new().await.start().await;
    let answer = service.send(service.client().get(service.url("/dashboard/live"))).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    let token = service.token("vera@example.com", Role::Viewer).await;
    let mut stream = Stream::open(&service, &token, None).await;
    stream.line().await;
    // A stop does not wait for pages that are open: they would be open for hours.
    let reading = async { while stream.next().await.is_some() {} };
    tokio::join!(service.stop(), reading);
}
