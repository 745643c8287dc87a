//! The addresses of one's own second factor. They stand before the menu, because somebody who needs one and has none can
//! open nothing else.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use secrecy::SecretString;
use serde::Deserialize;

use super::picture::Picture;
use super::setting::{self, SetNow};
use super::views::{RecoveryCodesPage, SecondFactorPage, SetPage};
use super::{codes, factors, recovery};
use crate::access::{Access, Routes};
use crate::auth::cookie::{self, Carries};
use crate::auth::identify::{Duty, SECOND_FACTOR_PATH};
use crate::auth::sign_in::Visitor;
use crate::auth::{AtTheDoor, Principal};
use crate::error::{Error, Result};
use crate::state::AppState;
use crate::visit::refusal;
use crate::web::extract::Form;
use crate::web::frame::{FormError, Frame, Theme, html};

/// The routes of the pages. What was posted to stands under its address; loading that again leads back.
pub(in crate::auth) fn routes() -> Routes {
    let (door, back) = (Access::AtTheDoor, async || Redirect::to(SECOND_FACTOR_PATH));
    Routes::new()
        .get(SECOND_FACTOR_PATH, door, show)
        .get("/account/second-factor/offer", door, back)
        .post("/account/second-factor/offer", door.confirmed(), offer)
        .get("/account/second-factor/set", door, back)
        .post("/account/second-factor/set", door.confirmed(), set)
        .get("/account/second-factor/remove", door, back)
        .post("/account/second-factor/remove", door.confirmed(), remove)
        .get("/account/second-factor/recovery-codes", door, back)
        .post("/account/second-factor/recovery-codes", door.confirmed(), renew_recovery_codes)
}

#[derive(Deserialize)]
struct SetForm {
    #[serde(default)]
    code: String,
}

#[derive(Deserialize)]
struct RenewForm {
    #[serde(default)]
    seen: String,
}

async fn show(State(app): State<AppState>, AtTheDoor(principal): AtTheDoor, theme: Theme) -> Result<Response> {
    page(&app, &principal, theme, StatusCode::OK, Vec::new()).await
}

/// Answers with the secret at once, which is shown nowhere else: an address of its own would show it to whoever comes later.
async fn offer(State(app): State<AppState>, AtTheDoor(principal): AtTheDoor, theme: Theme) -> Result<Response> {
    let secret = setting::offer(&app, &principal).await?;
    set_page(&app, &principal, theme, &secret, Vec::new())
}

async fn set(
    State(app): State<AppState>,
    AtTheDoor(principal): AtTheDoor,
    theme: Theme,
    visitor: Visitor,
    Form(form): Form<SetForm>,
) -> Result<Response> {
    let Some(session) = visitor.session else { return Ok(Redirect::to(SECOND_FACTOR_PATH).into_response()) };
    let actor = principal.actor(visitor.address, &visitor.correlation_id);
    if let Some(SetNow { session, recovery_codes }) =
        setting::set(&app, &actor, &principal, session, &form.code).await?
    {
        let set = [(header::SET_COOKIE, cookie::set(Carries::Session, &app.public_url, &session))];
        return Ok((set, recovery_codes_page(&app, theme, recovery_codes, true)).into_response());
    }
    let Some(secret) = setting::offered(&app, &principal).await? else {
        let text = "There is no new secret to show a code of. Begin again.".to_owned();
        let errors = vec![FormError { field: None, text }];
        return page(&app, &principal, theme, StatusCode::CONFLICT, errors).await;
    };
    let text =
        "This is not the code that the app shows for this secret. Wait for the next one, and see that the clock of \
        the telephone is right."
            .to_owned();
    let errors = vec![FormError { field: Some("code"), text }];
    set_page(&app, &principal, theme, &secret, errors)
}

async fn remove(
    State(app): State<AppState>,
    AtTheDoor(principal): AtTheDoor,
    theme: Theme,
    visitor: Visitor,
) -> Result<Response> {
    let Some(session) = visitor.session else { return Ok(Redirect::to(SECOND_FACTOR_PATH).into_response()) };
    let actor = principal.actor(visitor.address, &visitor.correlation_id);
    match setting::remove(&app, &actor, &principal, session).await {
        Ok(_) => Ok(Redirect::to(SECOND_FACTOR_PATH).into_response()),
        Err(error) => not_done(&app, &principal, theme, error).await,
    }
}

async fn renew_recovery_codes(
    State(app): State<AppState>,
    AtTheDoor(principal): AtTheDoor,
    theme: Theme,
    visitor: Visitor,
    Form(form): Form<RenewForm>,
) -> Result<Response> {
    let actor = principal.actor(visitor.address, &visitor.correlation_id);
    if let Some(made) = setting::renew_recovery_codes(&app, &actor, &principal, &form.seen).await? {
        return Ok(recovery_codes_page(&app, theme, made, false));
    }
    let text =
        "The codes were made anew since this page was loaded, so they stay as they are. Look at the page as it is now."
            .to_owned();
    page(&app, &principal, theme, StatusCode::CONFLICT, vec![FormError { field: None, text }]).await
}

async fn not_done(app: &AppState, principal: &Principal, theme: Theme, error: Error) -> Result<Response> {
    let problem = refusal(error)?;
    let errors = vec![FormError { field: None, text: problem.detail }];
    page(app, principal, theme, problem.status, errors).await
}

async fn page(
    app: &AppState,
    principal: &Principal,
    theme: Theme,
    status: StatusCode,
    errors: Vec<FormError>,
) -> Result<Response> {
    let user = principal.user;
    let set_at = factors::set_at(&app.db, user).await?;
    let recovery_codes = recovery::left(&app.db, user).await?;
    let page = SecondFactorPage {
        frame: Frame::without_menu(app.config.mode, theme),
        set_at,
        recovery_codes,
        is_required: app.settings.current().sign_in.asks_second_factor_of(principal.role, app.config.mode),
        may_skip: Duty::of(principal, app).is_none(),
        errors,
        now: app.clock.now(),
    };
    Ok(html(status, &page))
}

fn set_page(
    app: &AppState,
    principal: &Principal,
    theme: Theme,
    secret: &SecretString,
    errors: Vec<FormError>,
) -> Result<Response> {
    let status = if errors.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let page = SetPage {
        frame: Frame::without_menu(app.config.mode, theme),
        picture: Picture::of(&codes::address(secret, &principal.email, app.config.mode))?,
        secret: codes::in_groups(secret),
        email: principal.email.clone(),
        errors,
    };
    Ok(html(status, &page))
}

fn recovery_codes_page(app: &AppState, theme: Theme, codes: Vec<SecretString>, is_first: bool) -> Response {
    let frame = Frame::without_menu(app.config.mode, theme);
    html(StatusCode::OK, &RecoveryCodesPage { frame, codes, is_first })
}
