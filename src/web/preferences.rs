//! What a reader prefers, kept in their own browser.

use axum::Router;
use axum::http::header;
use axum::response::{AppendHeaders, IntoResponse};
use axum::routing::post;
use serde::Deserialize;

use super::back::Back;
use super::extract::Form;
use super::frame::{Shortcuts, Theme};
use crate::state::AppState;

/// The routes of preferences. They change nothing of ours, so nobody has to be signed in.
pub(crate) fn router() -> Router<AppState> {
    Router::new()
        .route("/dashboard/preferences/theme", post(choose_theme))
        .route("/dashboard/preferences/shortcuts", post(choose_shortcuts))
}

#[derive(Deserialize)]
struct ThemeForm {
    theme: String,
}

async fn choose_theme(back: Back, Form(form): Form<ThemeForm>) -> impl IntoResponse {
    let cookie = Theme::parse(&form.theme).cookie().to_string();
    (AppendHeaders([(header::SET_COOKIE, cookie)]), back.redirect())
}

#[derive(Deserialize)]
struct ShortcutsForm {
    shortcuts: String,
}

async fn choose_shortcuts(back: Back, Form(form): Form<ShortcutsForm>) -> impl IntoResponse {
    let cookie = Shortcuts::parse(&form.shortcuts).cookie().to_string();
    (AppendHeaders([(header::SET_COOKIE, cookie)]), back.redirect())
}
