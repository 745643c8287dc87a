//! Requests by route: counted and measured without making a label for each of them.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use metrics::{Counter, Histogram, Label};

use super::Metrics;

/// What stands for the route of a request that matched none. Its path is the caller's invention and no label.
const NO_ROUTE: &str = "none";

/// What is known by route template. It grows with the router, not with the requests.
#[derive(Default)]
pub(super) struct Requests(RwLock<HashMap<String, Route>>);

struct Route {
    seconds: Histogram,
    /// Few: looked through faster than hashed.
    answers: Vec<(&'static str, StatusCode, Counter)>,
}

/// Counts a request and measures it until its answer begins.
pub(crate) async fn count(State(metrics): State<Metrics>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = name(request.method());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let response = next.run(request).await;
    let route = route.as_ref().map_or(NO_ROUTE, MatchedPath::as_str);
    metrics.count_request(method, route, response.status(), started.elapsed().as_secs_f64());
    response
}

impl Metrics {
    fn count_request(&self, method: &'static str, route: &str, status: StatusCode, seconds: f64) {
        let known = self.0.requests.0.read().unwrap_or_else(PoisonError::into_inner);
        if known.get(route).is_some_and(|route| route.count(method, status, seconds)) {
            return;
        }
        drop(known);
        let mut known = self.0.requests.0.write().unwrap_or_else(PoisonError::into_inner);
        let label = |name: &'static str, value: &str| Label::new(name, value.to_owned());
        let entry = known.entry(route.to_owned()).or_insert_with(|| {
            let labels = vec![label("route", route)];
            let seconds = self.histogram("mission_control_http_request_duration_seconds", labels);
            Route { seconds, answers: Vec::new() }
        });
        let labels = vec![label("method", method), label("route", route), label("status", status.as_str())];
        let counter = self.counter("mission_control_http_requests_total", labels);
        // If another request was faster, this is the same counter once more, and the first of them is found.
        entry.answers.push((method, status, counter));
        entry.count(method, status, seconds);
    }
}

impl Route {
    /// Whether this answer has a counter.
    fn count(&self, method: &'static str, status: StatusCode, seconds: f64) -> bool {
        let found = self.answers.iter().find(|(of, with, _)| *of == method && *with == status);
        if let Some((_, _, counter)) = found {
            counter.increment(1);
            self.seconds.record(seconds);
        }
        found.is_some()
    }
}

/// The method, if it is one of HTTP's own: others are the caller's invention.
fn name(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}
