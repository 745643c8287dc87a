//! The body of every refusal: one shape for scripts, one page for people.

use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use axum_extra::extract::cookie::CookieJar;

use super::correlation::CorrelationId;
use super::frame::{Frame, Theme};
use super::views::ErrorPage;
use crate::config::Mode;
use crate::error::Problem;

/// Writes the document or the page of a [`Problem`], and makes one of a bare refusal by axum or a layer.
pub(super) async fn write(State(mode): State<Mode>, request: Request, next: Next) -> Response {
    let correlation_id = request.extensions().get::<CorrelationId>().map_or_else(String::new, |id| id.0.clone());
    let wants_page = wants_page(&request);
    let theme = Theme::of(&CookieJar::from_headers(request.headers()));
    let response = next.run(request).await;
    let Some(problem) = problem_of(&response) else { return response };
    let (mut parts, _) = response.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(seconds) = problem.retry_after {
        parts.headers.insert(header::RETRY_AFTER, seconds.into());
    }
    let body = if wants_page {
        parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        page(mode, theme, problem, correlation_id)
    } else {
        parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        problem.document(&correlation_id).to_string()
    };
    (parts, body).into_response()
}

/// The page of a refusal. Without the menu: who is looking may be what could not be found out.
fn page(mode: Mode, theme: Theme, problem: Problem, correlation_id: String) -> String {
    let title = problem.status.canonical_reason().unwrap_or("Refused").to_owned();
    let advice = "Go back and correct it, or start from the list of operations.".to_owned();
    let frame = Frame::without_menu(mode, theme);
    let page =
        ErrorPage { frame, status: problem.status.as_u16(), title, detail: problem.detail, advice, correlation_id };
    askama::Template::render(&page).unwrap_or(page.detail)
}

/// Addresses that are for programs, whatever they say that they take.
const FOR_PROGRAMS: [&str; 6] = ["/api/", "/webhooks/", "/healthz", "/readyz", "/metrics", "/openapi.json"];

/// A person is looking: a browser asks for HTML, and not under an address for programs.
pub(crate) fn wants_page(request: &Request) -> bool {
    let path = request.uri().path();
    let accepts = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accepts.is_some_and(|accepts| accepts.contains("text/html"))
        && !FOR_PROGRAMS.iter().any(|machine| path.starts_with(machine))
}

fn problem_of(response: &Response) -> Option<Problem> {
    if let Some(problem) = response.extensions().get::<Problem>() {
        return Some(problem.clone());
    }
    let status = response.status();
    let is_ours =
        response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| !kind.as_bytes().starts_with(b"text/plain"));
    if !(status.is_client_error() || status.is_server_error()) || is_ours {
        return None;
    }
    Some(match status {
        StatusCode::NOT_FOUND => {
            Problem::not_found("There is nothing at this address. Check it, or start from /dashboard/operations.")
        }
        StatusCode::METHOD_NOT_ALLOWED => Problem::new(
            status,
            "method_not_allowed",
            "This address does not take this method. The Allow header names those that it takes.",
        ),
        StatusCode::FORBIDDEN => Problem::new(
            status,
            "cross_origin",
            "This request came from another site. Open Mission Control itself and act there.",
        ),
        StatusCode::REQUEST_TIMEOUT | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => Problem {
            retry_after: Some(1),
            ..Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "timed_out",
                "This took too long. Repeat the request with the same key.",
            )
        },
        _ => Problem::new(status, "refused", "The request was refused."),
    })
}
