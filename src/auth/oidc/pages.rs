//! The way to the provider and back.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse as _, Redirect, Response};
use serde::Deserialize;

use super::attempt::Attempt;
use super::provider::Provider;
use super::sign_in::{self, Answer};
use crate::access::{Access, Routes};
use crate::auth::handlers::{entered_with, login_page, refused, wait};
use crate::auth::identify::LOGIN_PATH;
use crate::auth::next::Next;
use crate::auth::sign_in::Visitor;
use crate::auth::views::LoginPage;
use crate::error::{Problem, Result};
use crate::state::AppState;
use crate::web::extract::Query;
use crate::web::frame::{Theme, html};

/// Where it begins.
pub(crate) const BEGIN: &str = "/login/oidc";

/// Where the provider sends people back to; registered there.
pub(super) const BACK: &str = "/login/oidc/callback";

/// The routes; without a provider they lead nowhere.
pub(in crate::auth) fn routes() -> Routes {
    Routes::new().get(BEGIN, Access::Anybody, begin).get(BACK, Access::Anybody, come_back)
}

#[derive(Deserialize)]
struct BeginQuery {
    next: Option<String>,
    /// Whether the provider is to ask anew.
    #[serde(default)]
    anew: bool,
}

/// What the provider sends back (RFC 6749, section 4.1.2).
#[derive(Deserialize)]
struct BackQuery {
    state: Option<String>,
    code: Option<String>,
    error: Option<String>,
}

async fn begin(
    State(app): State<AppState>,
    theme: Theme,
    headers: HeaderMap,
    Query(query): Query<BeginQuery>,
) -> Result<Response> {
    let provider = provider(&app)?;
    let next = query.next.as_deref().and_then(Next::parse);
    // No other site begins it: a session is something that its person asked for.
    if headers.get("sec-fetch-site").is_some_and(|site| site != "same-origin" && site != "none") {
        return Ok(
            Redirect::to(&next.map_or_else(|| LOGIN_PATH.to_owned(), |next| next.sign_in_address())).into_response()
        );
    }
    let attempt = Attempt::begin(next, query.anew)?;
    match provider.address(&attempt, &app.public_url).await {
        Ok(address) => {
            let cookie = [(header::SET_COOKIE, attempt.cookie(&app.public_url))];
            Ok((AppendHeaders(cookie), Redirect::to(address.as_str())).into_response())
        }
        Err(error) => {
            tracing::warn!(event = "auth.failed", reason = %error, "the provider does not answer");
            failed(&app, theme, attempt.next, StatusCode::SERVICE_UNAVAILABLE, &away(provider), None).await
        }
    }
}

async fn come_back(
    State(app): State<AppState>,
    theme: Theme,
    headers: HeaderMap,
    visitor: Visitor,
    Query(query): Query<BackQuery>,
) -> Result<Response> {
    let provider = provider(&app)?;
    let attempt = Attempt::kept(&app.public_url, &headers);
    let attempt = attempt.filter(|attempt| query.state.as_deref().is_some_and(|state| attempt.is_answered_by(state)));
    let Some(attempt) = attempt else {
        let text = "This sign-in was begun in another browser, or more than ten minutes ago. Begin again.";
        return failed(&app, theme, None, StatusCode::UNAUTHORIZED, text, None).await;
    };
    let code = match (query.code, query.error) {
        (Some(code), None) => code,
        (_, error) => {
            let reason = error.as_deref().unwrap_or("no code");
            tracing::warn!(event = "auth.failed", reason, "the provider let nobody in");
            let text = format!("{} did not let you in. Begin again, or ask whoever runs it.", provider.name());
            return failed(&app, theme, attempt.next, StatusCode::UNAUTHORIZED, &text, None).await;
        }
    };
    let (status, text, retry_after) = match sign_in::take(&app, provider, &visitor, &attempt, code).await? {
        Answer::Entered(entered) => {
            let mut response = entered_with(&app, &entered, attempt.next);
            forget(&app, &mut response);
            return Ok(response);
        }
        Answer::Away => (StatusCode::SERVICE_UNAVAILABLE, away(provider), None),
        Answer::NotVouched => {
            let text = format!("What {} says could not be believed. Begin again; the log says why.", provider.name());
            (StatusCode::UNAUTHORIZED, text, None)
        }
        Answer::NoRole => {
            let text = format!("None of your groups at {} has a role here. Ask an admin for one.", provider.name());
            (StatusCode::FORBIDDEN, text, None)
        }
        Answer::NoAddress => {
            let text =
                format!("{} vouches for no email address of yours. Have it confirmed there first.", provider.name());
            (StatusCode::FORBIDDEN, text, None)
        }
        Answer::Refused => {
            (StatusCode::FORBIDDEN, "Your account here is not open to you. Ask an admin.".to_owned(), None)
        }
        Answer::Blocked { retry_after } => (StatusCode::TOO_MANY_REQUESTS, wait(retry_after), Some(retry_after)),
    };
    failed(&app, theme, attempt.next, status, &text, retry_after).await
}

fn provider(app: &AppState) -> Result<&Provider, Problem> {
    app.oidc.as_ref().ok_or_else(|| Problem::not_found("People sign in with a password here. Start from /login."))
}

fn away(provider: &Provider) -> String {
    format!("{} does not answer. Try again in a minute, or sign in with a password.", provider.name())
}

async fn failed(
    app: &AppState,
    theme: Theme,
    next: Option<Next>,
    status: StatusCode,
    text: &str,
    retry_after: Option<u64>,
) -> Result<Response> {
    let page = LoginPage { failure: Some(text.to_owned()), ..login_page(app, theme, next).await? };
    let mut response = refused(html(status, &page), retry_after);
    forget(app, &mut response);
    Ok(response)
}

/// An attempt is for one coming back.
fn forget(app: &AppState, response: &mut Response) {
    if let Ok(cookie) = Attempt::forget(&app.public_url).parse() {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
}
