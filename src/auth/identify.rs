//! Finding out who asks: the extractors.
//!
//! A request that brings an `Authorization` header is judged by that alone, any other by its cookie alone: neither can
//! stand in for the other.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};

use super::cookie::Carries;
use super::network::Masked;
use super::next::Next;
use super::principal::{Principal, Via};
use super::{cookie, sessions, token_check};
use crate::config::Mode;
use crate::error::{Error, Problem, Result};
use crate::state::AppState;
use crate::web::client::ClientAddress;

/// Where a person chooses a password of their own.
pub(super) const PASSWORD_PATH: &str = "/account/password";

/// Where a person sets a second factor.
pub(super) const SECOND_FACTOR_PATH: &str = "/account/second-factor";

/// Where a person signs in.
pub(super) const LOGIN_PATH: &str = "/login";

/// A person who looks at a page. Whoever is not signed in is sent to sign in; whoever has a `Duty` is sent to do that
/// first.
#[derive(Clone, Debug)]
pub struct SignedIn(pub Principal);

/// A person who is signed in, even if all they may do is their [`Duty`].
pub(crate) struct AtTheDoor(pub(crate) Principal);

/// Why a request goes no further.
#[derive(Debug)]
pub enum Refusal {
    /// A program hears a problem.
    Problem(Error),
    /// A person is sent to another page of ours.
    Elsewhere(String),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Problem(error)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Elsewhere(address) => Redirect::to(&address).into_response(),
            Self::Problem(error) => {
                let mut response = error.into_response();
                if response.status() == StatusCode::UNAUTHORIZED {
                    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
                }
                response
            }
        }
    }
}

impl FromRequestParts<AppState> for Principal {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, Refusal> {
        let principal = if parts.headers.contains_key(header::AUTHORIZATION) {
            by_token(parts, app).await?
        } else {
            by_session(parts, app).await?.ok_or_else(|| Error::from(unauthenticated()))?
        };
        match Duty::of(&principal, app) {
            Some(duty) => Err(Error::from(duty.problem()).into()),
            None => Ok(principal),
        }
    }
}

impl FromRequestParts<AppState> for SignedIn {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, Refusal> {
        let AtTheDoor(principal) = AtTheDoor::from_request_parts(parts, app).await?;
        match Duty::of(&principal, app) {
            Some(duty) => Err(Refusal::Elsewhere(duty.path().to_owned())),
            None => Ok(Self(principal)),
        }
    }
}

impl FromRequestParts<AppState> for AtTheDoor {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, Refusal> {
        // A browser sends no token: whoever does is a program, and a cookie beside it counts for nothing.
        if !brings_token(&parts.headers)
            && let Some(principal) = by_session(parts, app).await?
        {
            return Ok(Self(principal));
        }
        // What was posted cannot be posted again by signing in, so only pages are returned to.
        let asked = parts.uri.path_and_query().map_or("/", |asked| asked.as_str());
        let next = Next::parse(asked).filter(|_| parts.method.is_safe());
        Err(Refusal::Elsewhere(next.map_or_else(|| LOGIN_PATH.to_owned(), |next| next.sign_in_address())))
    }
}

/// The person whose session the cookie names. Asked for once a request, however many extractors need it.
pub(super) async fn by_session(parts: &mut Parts, app: &AppState) -> Result<Option<Principal>> {
    if let Some(known) = parts.extensions.get::<Principal>().filter(|known| matches!(known.via, Via::Session { .. })) {
        return Ok(Some(known.clone()));
    }
    let Some(session) = cookie::presented(Carries::Session, &app.public_url, &parts.headers) else { return Ok(None) };
    let found = sessions::find(&app.db, &app.clock, session, is_in_background(&parts.headers)).await?;
    if let Some(principal) = &found {
        tracing::info!(event = "auth.verified", user = %principal.user, "by session");
        parts.extensions.insert(principal.clone());
    }
    Ok(found)
}

/// Whether a page asks this by itself, to stay up to date: then nobody need be sitting there, and a session must not be
/// kept open by it. Whoever claims it falsely only loses by it.
fn is_in_background(headers: &HeaderMap) -> bool {
    let accepts = headers.get(header::ACCEPT).and_then(|accepts| accepts.to_str().ok()).unwrap_or_default();
    headers.contains_key("x-background") || accepts.contains("text/event-stream")
}

async fn by_token(parts: &mut Parts, app: &AppState) -> Result<Principal> {
    if let Some(known) = parts.extensions.get::<Principal>().filter(|known| matches!(known.via, Via::Token { .. })) {
        return Ok(known.clone());
    }
    let checked = match bearer(&parts.headers) {
        Some(token) => token_check::check(app, token).await,
        None => Err(unauthenticated().into()),
    };
    match &checked {
        Ok(principal) => {
            parts.extensions.insert(principal.clone());
        }
        Err(Error::Problem(problem)) if problem.status == StatusCode::UNAUTHORIZED => {
            let ip = parts.extensions.get::<ClientAddress>().map(|address| tracing::field::display(Masked(address.0)));
            tracing::warn!(event = "auth.failed", reason = problem.code, ip, "a token was refused");
        }
        Err(_) => {}
    }
    checked
}

/// Whether any `Authorization` header is a bearer's. One of another scheme may be meant for a proxy in front of us.
fn brings_token(headers: &HeaderMap) -> bool {
    let scheme = |value: &HeaderValue| value.as_bytes().get(..6).map(<[u8]>::to_ascii_lowercase);
    headers.get_all(header::AUTHORIZATION).iter().any(|value| scheme(value).as_deref() == Some(b"bearer"))
}

/// The token of `Authorization: Bearer ...`; `None` if the header is anything else, or there are two.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// What somebody who is signed in has to do before anything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Duty {
    /// Somebody else knows their password; live mode insists on another.
    ChangePassword,
    /// The settings ask for a second factor of their role, and they have none.
    SetSecondFactor,
}

impl Duty {
    /// What it is for this person. It holds for their tokens too: else a token would be the way around it.
    pub(super) fn of(principal: &Principal, app: &AppState) -> Option<Self> {
        let mode = app.config.mode;
        if principal.must_change_password && mode == Mode::Live {
            return Some(Self::ChangePassword);
        }
        let asks = app.settings.current().sign_in.asks_second_factor_of(principal.role, mode);
        // What was shown at a provider counts as well.
        let has_one = principal.has_second_factor || principal.used_second_factor();
        (asks && !has_one).then_some(Self::SetSecondFactor)
    }

    /// Where it is done.
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::ChangePassword => PASSWORD_PATH,
            Self::SetSecondFactor => SECOND_FACTOR_PATH,
        }
    }

    fn problem(self) -> Problem {
        match self {
            Self::ChangePassword => password_change_required(),
            Self::SetSecondFactor => second_factor_required(),
        }
    }
}

fn unauthenticated() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "unauthenticated",
        "Nobody is known to ask. Sign in, or send `Authorization: Bearer mc_...` with a valid token.",
    )
}

fn password_change_required() -> Problem {
    let detail =
        format!("Somebody else knows this person's password. They must first choose another at {PASSWORD_PATH}.");
    Problem::forbidden("password_change_required", detail)
}

fn second_factor_required() -> Problem {
    let detail =
        format!("This person's role needs a second factor, and they have none. They set it at {SECOND_FACTOR_PATH}.");
    Problem::forbidden("second_factor_required", detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_whole_bearer_header_counts() {
        let of = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::AUTHORIZATION, HeaderValue::from_static(value));
            }
            bearer(&headers).map(str::to_owned)
        };
        assert_eq!(of(&["Bearer mc_x"]).as_deref(), Some("mc_x"));
        assert_eq!(of(&["bearer  mc_x "]).as_deref(), Some("mc_x"));
        for values in [&["mc_x"][..], &["Basic mc_x"], &["Bearer"], &["Bearer mc_x", "Bearer mc_x"], &[]] {
            assert_eq!(of(values), None, "{values:?}");
        }
    }
}
