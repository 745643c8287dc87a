//! The description as a page.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::Value;

use super::reference::{Kind, Piece, Reference};
use crate::state::AppState;
use crate::web::frame::{Frame, Theme, html};

#[derive(Template)]
#[template(path = "docs.html")]
struct DocsPage {
    frame: Frame,
    reference: Reference,
    base: String,
}

pub(super) async fn show(
    State(app): State<AppState>,
    theme: Theme,
    Extension(document): Extension<Arc<Value>>,
) -> Response {
    let page = DocsPage {
        frame: Frame::without_menu(app.config.mode, theme),
        reference: Reference::of(&document),
        base: app.public_url.to_string(),
    };
    html(StatusCode::OK, &page)
}
