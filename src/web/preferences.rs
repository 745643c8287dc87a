//! What a reader prefers, kept in their own browser. It changes nothing of ours, so nobody has to be signed in.

use axum::http::header;
use axum::response::{AppendHeaders, IntoResponse};
use serde::Deserialize;

use super::back::Back;
use super::extract::Form;
use super::frame::{Shortcuts, Theme};

#[derive(Deserialize)]
pub(crate) struct ThemeForm {
    theme: String,
}

/// Light, dark, or as the system is.
pub(crate) async fn choose_theme(back: Back, Form(form): Form<ThemeForm>) -> impl IntoResponse {
    let cookie = Theme::parse(&form.theme).cookie().to_string();
    (AppendHeaders([(header::SET_COOKIE, cookie)]), back.redirect())
}

#[derive(Deserialize)]
pub(crate) struct ShortcutsForm {
    shortcuts: String,
}

/// Whether single keys do something.
pub(crate) async fn choose_shortcuts(back: Back, Form(form): Form<ShortcutsForm>) -> impl IntoResponse {
    let cookie = Shortcuts::parse(&form.shortcuts).cookie().to_string();
    (AppendHeaders([(header::SET_COOKIE, cookie)]), back.redirect())
}
