//! The addresses of this subject.

use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse as _, Redirect, Response};
use secrecy::SecretString;
use serde::Deserialize;

use super::credential::Credential;
use super::identify::{AtTheDoor, LOGIN_PATH, PASSWORD_PATH, by_session, must_change_first};
use super::new_password::{NewPassword, SHORTEST};
use super::next::Next;
use super::proof::Answer;
use super::sign_in::{self, Visitor};
use super::views::{LoginPage, PasswordPage};
use super::{EmailAddress, Principal, cookie, first_admin};
use crate::access::{Access, Routes};
use crate::error::Result;
use crate::state::AppState;
use crate::web::client::ClientAddress;
use crate::web::correlation::CorrelationId;
use crate::web::extract::{Form, Query};
use crate::web::frame::{FormError, Frame, Theme, html};

const CLEAR_SITE_DATA: HeaderName = HeaderName::from_static("clear-site-data");

/// Signing in and out, and one's own password. To be wrapped in the origin check.
pub fn routes() -> Routes {
    Routes::new()
        .get(LOGIN_PATH, Access::Anybody, show_login)
        .post(LOGIN_PATH, Access::Anybody, log_in)
        .post("/logout", Access::Anybody, log_out)
        .get(PASSWORD_PATH, Access::AtTheDoor, show_password)
        .post(PASSWORD_PATH, Access::AtTheDoor, change_password)
}

#[derive(Deserialize)]
struct LoginQuery {
    next: Option<String>,
}

#[derive(Deserialize)]
struct LoginForm {
    email: String,
    password: String,
    next: Option<String>,
}

#[derive(Deserialize)]
struct PasswordForm {
    current_password: String,
    new_password: String,
    new_password_again: String,
}

async fn show_login(
    State(app): State<AppState>,
    Query(query): Query<LoginQuery>,
    theme: Theme,
    mut parts: Parts,
) -> Result<Response> {
    let next = query.next.as_deref().and_then(Next::parse);
    if by_session(&mut parts, &app).await?.is_some() {
        return Ok(go_on(next));
    }
    Ok(html(StatusCode::OK, &login_page(&app, theme, next).await?))
}

async fn log_in(
    State(app): State<AppState>,
    theme: Theme,
    visitor: Visitor,
    Form(form): Form<LoginForm>,
) -> Result<Response> {
    let next = form.next.as_deref().and_then(Next::parse);
    let password = SecretString::from(form.password);
    let (status, failure, retry_after) = match sign_in::sign_in(&app, &visitor, &form.email, &password).await? {
        Answer::Verified(session) => return Ok((with_session(&app, &session), go_on(next)).into_response()),
        Answer::Refused => {
            (StatusCode::UNAUTHORIZED, "The email address or the password is not right.".to_owned(), None)
        }
        Answer::Blocked { retry_after } => (StatusCode::TOO_MANY_REQUESTS, wait(retry_after), Some(retry_after)),
    };
    let page = LoginPage { email: form.email, failure: Some(failure), ..login_page(&app, theme, next).await? };
    Ok(refused(html(status, &page), retry_after))
}

/// The sign-in page before anything was typed.
async fn login_page(app: &AppState, theme: Theme, next: Option<Next>) -> Result<LoginPage> {
    Ok(LoginPage {
        frame: Frame::without_menu(app.config.mode, theme),
        email: String::new(),
        failure: None,
        first_start: first_admin::nobody_has_signed_in(&app.db).await?,
        next: next.map(|next| next.as_str().to_owned()),
    })
}

async fn log_out(State(app): State<AppState>, visitor: Visitor) -> Result<Response> {
    sign_in::sign_out(&app, &visitor).await?;
    let mut response = Redirect::to(LOGIN_PATH).into_response();
    if let Ok(cookie) = HeaderValue::from_str(&cookie::clear(&app.public_url)) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    if app.public_url.is_https() {
        // Not on loopback: there it would sign the person out of every other service of this machine.
        let what = HeaderValue::from_static("\"cache\", \"cookies\", \"storage\"");
        response.headers_mut().insert(CLEAR_SITE_DATA, what);
    }
    Ok(response)
}

async fn show_password(State(app): State<AppState>, AtTheDoor(principal): AtTheDoor, theme: Theme) -> Response {
    html(StatusCode::OK, &password_page(&app, &principal, theme, Vec::new()))
}

fn password_page(app: &AppState, principal: &Principal, theme: Theme, errors: Vec<FormError>) -> PasswordPage {
    PasswordPage {
        frame: Frame::without_menu(app.config.mode, theme),
        email: principal.email.clone(),
        required: principal.must_change_password,
        may_skip: !must_change_first(principal, app),
        minimum_length: SHORTEST,
        errors,
    }
}

async fn change_password(
    State(app): State<AppState>,
    AtTheDoor(principal): AtTheDoor,
    theme: Theme,
    visitor: Visitor,
    Form(form): Form<PasswordForm>,
) -> Result<Response> {
    let email: EmailAddress = principal.email.parse().map_err(anyhow::Error::from)?;
    let (status, wrong, retry_after) = match choose(form, &email) {
        Err(wrong) => (StatusCode::UNPROCESSABLE_ENTITY, wrong, None),
        Ok((current, new)) => match sign_in::change_password(&app, &visitor, &principal, &current, &new).await? {
            Answer::Verified(session) => return Ok((with_session(&app, &session), go_on(None)).into_response()),
            Answer::Refused => {
                let wrong = wrong("current_password", "This is not your current password.");
                (StatusCode::UNPROCESSABLE_ENTITY, wrong, None)
            }
            Answer::Blocked { retry_after } => {
                let wrong = wrong("current_password", wait(retry_after));
                (StatusCode::TOO_MANY_REQUESTS, wrong, Some(retry_after))
            }
        },
    };
    let page = password_page(&app, &principal, theme, vec![wrong]);
    Ok(refused(html(status, &page), retry_after))
}

/// The current and the new password, if the new one may become one.
fn choose(form: PasswordForm, email: &EmailAddress) -> Result<(SecretString, NewPassword), FormError> {
    if form.new_password != form.new_password_again {
        return Err(wrong("new_password_again", "The two are not the same. Type the new password twice."));
    }
    if form.new_password == form.current_password {
        return Err(wrong("new_password", "This is the current password. Choose another."));
    }
    match NewPassword::choose(form.new_password.into(), email) {
        Ok(new) => Ok((form.current_password.into(), new)),
        Err(weak) => Err(wrong("new_password", weak.to_string())),
    }
}

fn wrong(field: &'static str, text: impl Into<String>) -> FormError {
    FormError { field: Some(field), text: text.into() }
}

fn wait(seconds: u64) -> String {
    format!("There were too many failed tries. Try again in {seconds} s.")
}

fn with_session(app: &AppState, session: &Credential) -> AppendHeaders<[(HeaderName, String); 1]> {
    AppendHeaders([(header::SET_COOKIE, cookie::set(&app.public_url, session))])
}

fn go_on(next: Option<Next>) -> Response {
    Redirect::to(next.unwrap_or_else(Next::start).as_str()).into_response()
}

fn refused(mut response: Response, retry_after: Option<u64>) -> Response {
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

impl FromRequestParts<AppState> for Visitor {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, Self::Rejection> {
        let address = ClientAddress::from_request_parts(parts, app).await?;
        let correlation_id = CorrelationId::from_request_parts(parts, app).await?;
        let user_agent = parts.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
        Ok(Self {
            address,
            correlation_id,
            user_agent: user_agent.map(str::to_owned),
            session: cookie::presented(&app.public_url, &parts.headers),
        })
    }
}
