//! The addresses of links.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::Invited;
use super::using::{look, use_up};
use super::views::{VoidPage, WelcomePage};
use crate::access::{Access, Routes};
use crate::auth::handlers::{entered_with, refused, wait};
use crate::auth::new_password::SHORTEST;
use crate::auth::proof::Answer;
use crate::auth::sign_in::Visitor;
use crate::auth::{EmailAddress, NewPassword};
use crate::error::Result;
use crate::state::AppState;
use crate::web::extract::{Form, Path};
use crate::web::frame::{FormError, Frame, Theme, html};

/// The routes of links. The last part of the address is what opens it; log lines have the route alone.
pub(in crate::auth) fn routes() -> Routes {
    Routes::new().get("/welcome/{link}", Access::Anybody, show).post("/welcome/{link}", Access::Anybody, choose)
}

#[derive(Deserialize)]
struct ChooseForm {
    #[serde(default)]
    new_password: String,
    #[serde(default)]
    new_password_again: String,
}

/// Looking uses nothing up.
async fn show(
    State(app): State<AppState>,
    theme: Theme,
    visitor: Visitor,
    Path(link): Path<String>,
) -> Result<Response> {
    match look(&app, &visitor, &link).await? {
        Answer::Verified(invited) => Ok(html(StatusCode::OK, &page(&app, theme, &link, invited, Vec::new()))),
        Answer::Refused => Ok(void(&app, theme, None)),
        Answer::Blocked { retry_after } => Ok(void(&app, theme, Some(retry_after))),
    }
}

async fn choose(
    State(app): State<AppState>,
    theme: Theme,
    visitor: Visitor,
    Path(link): Path<String>,
    Form(form): Form<ChooseForm>,
) -> Result<Response> {
    let invited = match look(&app, &visitor, &link).await? {
        Answer::Verified(invited) => invited,
        Answer::Refused => return Ok(void(&app, theme, None)),
        Answer::Blocked { retry_after } => return Ok(void(&app, theme, Some(retry_after))),
    };
    let password = match chosen(form, &invited)? {
        Ok(password) => password,
        Err(wrong) => {
            let page = page(&app, theme, &link, invited, vec![wrong]);
            return Ok(html(StatusCode::UNPROCESSABLE_ENTITY, &page));
        }
    };
    match use_up(&app, &visitor, &invited, &link, &password).await? {
        Answer::Verified(entered) => Ok(entered_with(&app, &entered, None)),
        Answer::Refused | Answer::Blocked { .. } => Ok(void(&app, theme, None)),
    }
}

/// The password, if it may become one.
fn chosen(form: ChooseForm, invited: &Invited) -> Result<Result<NewPassword, FormError>> {
    let email: EmailAddress = invited.email.parse().map_err(anyhow::Error::from)?;
    let wrong = |field, text: String| FormError { field: Some(field), text };
    if form.new_password != form.new_password_again {
        let text = "The two are not the same. Type the password twice.".to_owned();
        return Ok(Err(wrong("new_password_again", text)));
    }
    let password = NewPassword::choose(form.new_password.into(), &email);
    Ok(password.map_err(|weak| wrong("new_password", weak.to_string())))
}

fn page(app: &AppState, theme: Theme, link: &str, invited: Invited, errors: Vec<FormError>) -> WelcomePage {
    WelcomePage {
        frame: Frame::without_menu(app.config.mode, theme),
        action: format!("/welcome/{link}"),
        purpose: invited.purpose,
        name: invited.name,
        email: invited.email,
        minimum_length: SHORTEST,
        errors,
    }
}

fn void(app: &AppState, theme: Theme, retry_after: Option<u64>) -> Response {
    let page = VoidPage { frame: Frame::without_menu(app.config.mode, theme), wait: retry_after.map(wait) };
    let status = if retry_after.is_some() { StatusCode::TOO_MANY_REQUESTS } else { StatusCode::NOT_FOUND };
    refused(html(status, &page), retry_after)
}
