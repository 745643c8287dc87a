//! The description of the API (OpenAPI 3.1, <https://spec.openapis.org/oas/v3.1.1>), made of the handlers themselves: each
//! subject describes its addresses beside them, and what is the same everywhere is added here from the routes.

mod common;
mod examples;
mod page;
mod reference;

use std::sync::Arc;

use axum::http::header;
use axum::response::IntoResponse;
use serde_json::{Value, json};
use utoipa::OpenApi;

use crate::access::{Access, Route, Routes};
use crate::error::ProblemDocument;
use crate::{approval, audit, callback, gateway, guard, integrations, live, metrics, operation, speech, vault, web};

/// What each subject says of its addresses.
#[derive(OpenApi)]
#[openapi(
    paths(describe),
    components(schemas(ProblemDocument)),
    tags(
        (name = "asking", description = "Ask for an SMS or a call."),
        (name = "deciding", description = "Say what becomes of an operation."),
        (name = "reading", description = "See what there is, and what happened."),
        (name = "holding", description = "Stop all sending, and resume it."),
        (name = "vault", description = "Credentials: they go in and never come out."),
        (name = "calls", description = "What a call plays."),
        (name = "twilio", description = "What Twilio reports."),
        (name = "running", description = "For those who run it."),
    ),
)]
struct Described;

/// Where the document is.
pub(crate) const DOCUMENT: &str = "/openapi.json";

/// Where people read it.
pub(crate) const PAGE: &str = "/docs";

/// The document and the page, about these routes and themselves.
pub(crate) fn routes(described: &[Route]) -> Routes {
    let mut routes = Routes::new().get(DOCUMENT, Access::Anybody, describe).get(PAGE, Access::Anybody, page::show);
    let document = Arc::new(document(&[described, routes.list()].concat()));
    routes = routes.wrap(|router| router.layer(axum::Extension(document)));
    routes
}

/// Whether a route is for programs, and so in the document; the others answer with pages, for people.
pub fn is_for_programs(route: &Route) -> bool {
    let is_open = ["/api/", "/webhooks/", "/healthz", "/readyz", DOCUMENT];
    match route.terms.access {
        Access::Caller(_) | Access::Twilio => true,
        Access::Anybody => is_open.iter().any(|start| route.path.starts_with(start)),
        Access::AtTheDoor | Access::Person(_) => false,
    }
}

/// The document about those of these routes that are for programs.
pub fn document(routes: &[Route]) -> Value {
    let subjects = [
        operation::api::Described::openapi(),
        approval::api::Described::openapi(),
        guard::api::Described::openapi(),
        vault::api::Described::openapi(),
        audit::api::Described::openapi(),
        gateway::api::Described::openapi(),
        live::Described::openapi(),
        metrics::api::Described::openapi(),
        callback::Described::openapi(),
        integrations::arrival::Described::openapi(),
        speech::clips::Described::openapi(),
        speech::test_recording::Described::openapi(),
        web::health::Described::openapi(),
    ];
    let whole = subjects.into_iter().fold(Described::openapi(), utoipa::openapi::OpenApi::merge_from);
    let mut document = json!(whole);
    document["info"] = json!({
        "title": "Mission Control",
        "version": env!("CARGO_PKG_VERSION"),
        "description": "Sends SMS and places calls through Twilio: approved by a person, sent at most once, followed to \
            the end. Every refusal is a problem document (RFC 9457) with a stable `code`; every answer returns \
            `X-Correlation-Id`.",
    });
    common::add(&mut document, routes);
    document
}

/// Describe the API
#[utoipa::path(
    get, path = "/openapi.json", operation_id = "describe", tag = "running",
    responses((status = 200, description = "This document.", body = Object)),
)]
async fn describe(axum::Extension(document): axum::Extension<Arc<Value>>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-cache")], document.to_string())
}
