//! The addresses of this subject.

use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse as _, Redirect, Response};
use secrecy::SecretString;
use serde::Deserialize;

use super::cookie::Carries;
use super::credential::Credential;
use super::identify::{AtTheDoor, Duty, LOGIN_PATH, PASSWORD_PATH, by_session};
use super::new_password::{NewPassword, SHORTEST};
use super::next::Next;
use super::proof::Answer;
use super::sign_in::{self, Entered, Visitor};
use super::views::{CodePage, LoginPage, PasswordPage};
use super::{EmailAddress, Principal, confirmation, cookie, first_admin, half_sessions, links, oidc, second_factor};
use crate::access::{Access, Routes};
use crate::error::Result;
use crate::state::AppState;
use crate::web::client::ClientAddress;
use crate::web::correlation::CorrelationId;
use crate::web::extract::{Form, Query};
use crate::web::frame::{FormError, Frame, Theme, html};

/// Where the code is asked for, once the password was right.
const CODE_PATH: &str = "/login/code";

const CLEAR_SITE_DATA: HeaderName = HeaderName::from_static("clear-site-data");

/// Signing in and out, and one's own password. To be wrapped in the origin check.
pub fn routes() -> Routes {
    Routes::new()
        .get(LOGIN_PATH, Access::Anybody, show_login)
        .post(LOGIN_PATH, Access::Anybody, log_in)
        .get(CODE_PATH, Access::Anybody, show_code)
        .post(CODE_PATH, Access::Anybody, take_code)
        .post("/logout", Access::Anybody, log_out)
        .get(PASSWORD_PATH, Access::AtTheDoor, show_password)
        .post(PASSWORD_PATH, Access::AtTheDoor, change_password)
        .merge(links::welcome::routes())
        .merge(oidc::pages::routes())
        .merge(second_factor::pages::routes())
        .merge(confirmation::page::routes())
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
struct CodeForm {
    code: String,
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
        Answer::Verified(entered) => return Ok(entered_with(&app, &entered, next)),
        Answer::Refused => {
            (StatusCode::UNAUTHORIZED, "The email address or the password is not right.".to_owned(), None)
        }
        Answer::Blocked { retry_after } => (StatusCode::TOO_MANY_REQUESTS, wait(retry_after), Some(retry_after)),
    };
    let page = LoginPage { email: form.email, failure: Some(failure), ..login_page(&app, theme, next).await? };
    Ok(refused(html(status, &page), retry_after))
}

async fn show_code(
    State(app): State<AppState>,
    Query(query): Query<LoginQuery>,
    theme: Theme,
    visitor: Visitor,
) -> Result<Response> {
    let next = query.next.as_deref().and_then(Next::parse);
    let half = match visitor.half_session {
        Some(hash) => half_sessions::find(&app.db, &app.clock, hash).await?,
        None => None,
    };
    match half {
        Some(_) => Ok(html(StatusCode::OK, &code_page(&app, theme, next, None))),
        // It begins again at the password.
        None => Ok(html(StatusCode::OK, &login_page(&app, theme, next).await?)),
    }
}

async fn take_code(
    State(app): State<AppState>,
    theme: Theme,
    visitor: Visitor,
    Form(form): Form<CodeForm>,
) -> Result<Response> {
    let next = form.next.as_deref().and_then(Next::parse);
    let (status, failure, retry_after) = match sign_in::finish(&app, &visitor, &form.code.into()).await? {
        Some(Answer::Verified(session)) => {
            let cookies = [
                (header::SET_COOKIE, cookie::set(Carries::Session, &app.public_url, &session)),
                (header::SET_COOKIE, cookie::clear(Carries::HalfSession, &app.public_url)),
            ];
            return Ok((AppendHeaders(cookies), go_on(next)).into_response());
        }
        Some(Answer::Refused) => {
            let failure =
                "This code is not right, or it was used before. Wait for the next one, or use a recovery code.";
            (StatusCode::UNAUTHORIZED, failure.to_owned(), None)
        }
        Some(Answer::Blocked { retry_after }) => (StatusCode::TOO_MANY_REQUESTS, wait(retry_after), Some(retry_after)),
        None => {
            let failure = "The code has to come within five minutes after the password. Begin with the password again.";
            let page = LoginPage { failure: Some(failure.to_owned()), ..login_page(&app, theme, next).await? };
            return Ok(html(StatusCode::UNAUTHORIZED, &page));
        }
    };
    Ok(refused(html(status, &code_page(&app, theme, next, Some(failure))), retry_after))
}

fn code_page(app: &AppState, theme: Theme, next: Option<Next>, failure: Option<String>) -> CodePage {
    CodePage {
        frame: Frame::without_menu(app.config.mode, theme),
        failure,
        next: next.map(|next| next.as_str().to_owned()),
    }
}

/// Sends on whoever showed the password: to where they wanted to go, or to the page that asks for the code.
pub(super) fn entered_with(app: &AppState, entered: &Entered, next: Option<Next>) -> Response {
    match entered {
        Entered::Whole(session) => (with_session(app, session), go_on(next)).into_response(),
        Entered::Half(half) => {
            let cookie = cookie::set(Carries::HalfSession, &app.public_url, half);
            let address = next.map_or_else(|| CODE_PATH.to_owned(), |next| next.address_of(CODE_PATH));
            (AppendHeaders([(header::SET_COOKIE, cookie)]), Redirect::to(&address)).into_response()
        }
    }
}

/// The sign-in page before anything was typed.
pub(super) async fn login_page(app: &AppState, theme: Theme, next: Option<Next>) -> Result<LoginPage> {
    Ok(LoginPage {
        frame: Frame::without_menu(app.config.mode, theme),
        email: String::new(),
        failure: None,
        first_start: first_admin::nobody_has_signed_in(&app.db).await?,
        provider: app.oidc.as_ref().map(|provider| provider.name().to_owned()),
        provider_address: next.as_ref().map_or_else(|| oidc::BEGIN.to_owned(), |next| next.address_of(oidc::BEGIN)),
        next: next.map(|next| next.as_str().to_owned()),
    })
}

async fn log_out(State(app): State<AppState>, visitor: Visitor) -> Result<Response> {
    sign_in::sign_out(&app, &visitor).await?;
    let mut response = Redirect::to(LOGIN_PATH).into_response();
    for carries in [Carries::Session, Carries::HalfSession] {
        if let Ok(cookie) = HeaderValue::from_str(&cookie::clear(carries, &app.public_url)) {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
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
        may_skip: Duty::of(principal, app).is_none(),
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

pub(super) fn wait(seconds: u64) -> String {
    format!("There were too many failed tries. Try again in {seconds} s.")
}

pub(super) fn with_session(app: &AppState, session: &Credential) -> AppendHeaders<[(HeaderName, String); 1]> {
    AppendHeaders([(header::SET_COOKIE, cookie::set(Carries::Session, &app.public_url, session))])
}

fn go_on(next: Option<Next>) -> Response {
    Redirect::to(next.unwrap_or_else(Next::start).as_str()).into_response()
}

pub(super) fn refused(mut response: Response, retry_after: Option<u64>) -> Response {
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
            session: cookie::presented(Carries::Session, &app.public_url, &parts.headers),
            half_session: cookie::presented(Carries::HalfSession, &app.public_url, &parts.headers),
        })
    }
}
