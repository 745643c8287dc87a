//! Confirming by a page of its own, for scripts that were told to and for forms whose content is kept nowhere.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use secrecy::SecretString;
use serde::Deserialize;

use super::views::ConfirmPage;
use super::{NotConfirmed, Proof, confirm, signed_out};
use crate::access::{Access, Routes};
use crate::auth::next::Next;
use crate::auth::sign_in::Visitor;
use crate::auth::{AtTheDoor, Principal};
use crate::error::Result;
use crate::state::AppState;
use crate::web::extract::{Form, Query};
use crate::web::frame::{FormError, Frame, Theme, html};

/// Where it stands.
pub(crate) const PATH: &str = "/account/confirm";

/// The routes of the page.
pub(crate) fn routes() -> Routes {
    Routes::new().get(PATH, Access::AtTheDoor, show).post(PATH, Access::AtTheDoor, submit)
}

#[derive(Deserialize)]
struct ConfirmQuery {
    next: Option<String>,
}

#[derive(Deserialize)]
struct ConfirmForm {
    #[serde(default)]
    proof: String,
    next: Option<String>,
}

async fn show(
    State(app): State<AppState>,
    AtTheDoor(principal): AtTheDoor,
    theme: Theme,
    Query(query): Query<ConfirmQuery>,
) -> Response {
    html(StatusCode::OK, &page(&app, &principal, theme, &next(query.next.as_deref())))
}

async fn submit(
    State(app): State<AppState>,
    AtTheDoor(principal): AtTheDoor,
    theme: Theme,
    visitor: Visitor,
    Form(form): Form<ConfirmForm>,
) -> Result<Response> {
    let next = next(form.next.as_deref());
    let why = match confirm(&app, &visitor, &principal, &SecretString::from(form.proof)).await? {
        Ok(confirmed) => {
            let set = [(header::SET_COOKIE, confirmed.cookie(&app))];
            return Ok((set, Redirect::to(next.as_str())).into_response());
        }
        Err(why) => why,
    };
    let page = ConfirmPage { errors: vec![why.error(Proof::of(&principal))], ..page(&app, &principal, theme, &next) };
    Ok(why.refuse(html(why.status(), &page)))
}

fn page(app: &AppState, principal: &Principal, theme: Theme, next: &Next) -> ConfirmPage {
    ConfirmPage {
        frame: Frame::without_menu(app.config.mode, theme),
        email: principal.email.clone(),
        proof: Proof::of(principal),
        action: PATH.to_owned(),
        fields: vec![("next".to_owned(), next.as_str().to_owned())],
        lost: false,
        errors: Vec::new(),
        back: next.as_str().to_owned(),
    }
}

fn next(asked: Option<&str>) -> Next {
    asked.and_then(Next::parse).unwrap_or_else(Next::start)
}

impl NotConfirmed {
    /// What the page says at its field.
    pub(crate) fn error(&self, proof: Proof) -> FormError {
        let text = match (self, proof) {
            (Self::Blocked { retry_after }, _) => {
                format!("There were too many failed tries. Try again in {retry_after} s.")
            }
            (Self::Wrong | Self::SignedOut, Proof::Provider) => {
                "You have not signed in again yet. Do it in the other tab, then continue here.".to_owned()
            }
            (Self::Wrong | Self::SignedOut, Proof::Password) => "This is not your password.".to_owned(),
            (Self::Wrong | Self::SignedOut, Proof::Code) => {
                "This code is not right, or it was used before. Wait for the next one, or use a recovery code."
                    .to_owned()
            }
        };
        FormError { field: Some(super::FIELD), text }
    }

    /// The status of the page that says so.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Blocked { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Wrong | Self::SignedOut => StatusCode::FORBIDDEN,
        }
    }

    /// The answer with everything that belongs to its status; whoever has been signed out is led to sign in.
    pub(crate) fn refuse(&self, mut page: Response) -> Response {
        match self {
            Self::SignedOut => signed_out().into_response(),
            Self::Wrong => page,
            Self::Blocked { retry_after } => {
                page.headers_mut().insert(header::RETRY_AFTER, (*retry_after).into());
                page
            }
        }
    }
}
