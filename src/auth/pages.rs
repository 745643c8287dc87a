//! The two pages of this subject: signing in, and choosing a password.

use std::fmt;

use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::identify::{LOGIN_PATH, PASSWORD_PATH};
use super::new_password::SHORTEST;
use crate::error::FieldProblem;

/// What the sign-in page shows.
#[derive(Default)]
pub(super) struct Login<'a> {
    /// What was typed; kept when it was refused.
    pub(super) email: &'a str,
    /// Why the last try was refused.
    pub(super) failure: Option<&'a str>,
    /// Nobody has signed in yet: say where the first password is.
    pub(super) first_start: bool,
    /// The page to go on to.
    pub(super) next: Option<&'a str>,
}

/// The page where a person signs in.
pub(super) fn login_page(login: &Login<'_>) -> String {
    let failure = login.failure.map_or_else(String::new, |why| format!("<p role=alert>{}</p>", Escaped(why)));
    let hint = if login.first_start {
        "<p>Nobody has signed in yet. The first password is in data/initial-admin-password.</p>"
    } else {
        ""
    };
    let next = login
        .next
        .map_or_else(String::new, |path| format!("<input type=hidden name=next value=\"{}\">", Escaped(path)));
    let email = Escaped(login.email);
    document(
        "Sign in",
        &format!(
            "{failure}{hint}<form method=post action={LOGIN_PATH}>{next}\
             <label>Email <input name=email type=email autocomplete=username required value=\"{email}\"></label>\
             <label>Password <input name=password type=password autocomplete=current-password required></label>\
             <button>Sign in</button></form>"
        ),
    )
}

/// The page where a person chooses a password of their own.
pub(super) fn password_page(required: bool, wrong: Option<&FieldProblem>) -> String {
    let reason = if required { "<p>Somebody else knows your password. Choose your own.</p>" } else { "" };
    let wrong = wrong.map_or_else(String::new, |wrong| {
        format!("<p role=alert data-field={}>{}</p>", Escaped(&wrong.field), Escaped(&wrong.message))
    });
    document(
        "Change password",
        &format!(
            "{reason}{wrong}<form method=post action={PASSWORD_PATH}>\
             <label>Current password <input name=current_password type=password autocomplete=current-password required></label>\
             <label>New password <input name=new_password type=password autocomplete=new-password minlength={SHORTEST} required></label>\
             <label>New password again <input name=new_password_again type=password autocomplete=new-password required></label>\
             <button>Change password</button></form>"
        ),
    )
}

/// A page that nobody keeps a copy of.
pub(super) fn answer(status: StatusCode, page: String) -> Response {
    const HEADERS: [(HeaderName, &str); 2] =
        [(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CACHE_CONTROL, "no-store")];
    (status, HEADERS, page).into_response()
}

fn document(title: &str, content: &str) -> String {
    format!("<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title><h1>{title}</h1>{content}</html>")
}

/// Text that cannot end its element or attribute.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        self.0.chars().try_for_each(|letter| match letter {
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '&' => f.write_str("&amp;"),
            '"' => f.write_str("&quot;"),
            '\'' => f.write_str("&#39;"),
            _ => f.write_char(letter),
        })
    }
}
