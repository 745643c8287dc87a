//! The correlation id: one name for a request and for everything that follows from it.

use std::time::Instant;

use axum::extract::{FromRequestParts, MatchedPath, Request};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument as _;

/// The header that brings and returns it.
pub(crate) const HEADER: HeaderName = HeaderName::from_static("x-correlation-id");

/// `^[A-Za-z0-9._-]{1,64}$`: what a caller brings is kept if it has this form, else replaced.
#[derive(Clone, Debug)]
pub(crate) struct CorrelationId(pub(crate) String);

impl CorrelationId {
    fn of(request: &Request) -> Self {
        let brought = request.headers().get(&HEADER).and_then(|value| value.to_str().ok());
        match brought {
            Some(text) if is_well_formed(text) => Self(text.to_owned()),
            _ => Self(uuid::Uuid::now_v7().simple().to_string()),
        }
    }
}

fn is_well_formed(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

/// Names the request, runs it in a span of that name, and logs how it ended.
pub(crate) async fn name(mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = CorrelationId::of(&request);
    let method = request.method().clone();
    // The route, or the path alone where there is none: queries hold search words and the references of callbacks.
    let matched = request.extensions().get::<MatchedPath>();
    let route = matched.map_or(request.uri().path(), MatchedPath::as_str).to_owned();
    request.extensions_mut().insert(id.clone());
    let span = tracing::info_span!("request", correlation_id = %id.0);
    async move {
        let mut response = next.run(request).await;
        if let Ok(value) = HeaderValue::from_str(&id.0) {
            response.headers_mut().insert(HEADER, value);
        }
        let status = response.status().as_u16();
        let milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        match status {
            500.. => tracing::error!(event = "request.completed", %method, route, status, milliseconds),
            400.. => tracing::warn!(event = "request.completed", %method, route, status, milliseconds),
            _ => tracing::info!(event = "request.completed", %method, route, status, milliseconds),
        }
        response
    }
    .instrument(span)
    .await
}

impl<S: Sync> FromRequestParts<S> for CorrelationId {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_else(|| Self(String::new())))
    }
}

#[cfg(test)]
mod tests {
    use super::is_well_formed;

    #[test]
    fn only_the_plain_form_is_taken_over() {
        for text in ["a", "req-7f3a90", "A.b_c-9", &"x".repeat(64)] {
            assert!(is_well_formed(text), "{text}");
        }
        for text in ["", "a b", "a\"b", "ü", &"x".repeat(65)] {
            assert!(!is_well_formed(text), "{text}");
        }
    }
}
