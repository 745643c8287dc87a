//! One person: their role, whether they may come in, and another password or second factor.

use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;

use super::sessions;
use crate::access::{Access, Routes};
use crate::auth::second_factor::setting;
use crate::auth::users::{self, User};
use crate::auth::views::people::{DisablePage, LinkPage, PersonPage};
use crate::auth::{EmailAddress, Permission, Role, links, standing};
use crate::error::{Error, Problem, Result};
use crate::id::UserId;
use crate::visit::{Visit, refusal};
use crate::web::extract::{Form, Path};
use crate::web::frame::{FormError, Place, html};

/// The routes of one person. A refused form stands under the address that it was sent to; loading that again leads back.
pub(super) fn routes() -> Routes {
    let admin = Access::Person(Permission::ManageUsers);
    Routes::new()
        .get("/dashboard/settings/people/{id}", admin, show)
        .get("/dashboard/settings/people/{id}/role", admin, go_back)
        .post("/dashboard/settings/people/{id}/role", admin.confirmed(), change_role)
        .get("/dashboard/settings/people/{id}/disable", admin, ask_to_disable)
        .post("/dashboard/settings/people/{id}/disable", admin.confirmed(), disable)
        .get("/dashboard/settings/people/{id}/enable", admin, go_back)
        .post("/dashboard/settings/people/{id}/enable", admin.confirmed(), enable)
        .get("/dashboard/settings/people/{id}/reset-password", admin, go_back)
        .post("/dashboard/settings/people/{id}/reset-password", admin.confirmed(), make_link)
        .get("/dashboard/settings/people/{id}/withdraw-link", admin, go_back)
        .post("/dashboard/settings/people/{id}/withdraw-link", admin.confirmed(), withdraw_link)
        .get("/dashboard/settings/people/{id}/reset-second-factor", admin, go_back)
        .post("/dashboard/settings/people/{id}/reset-second-factor", admin.confirmed(), reset_second_factor)
}

#[derive(Deserialize)]
struct RoleForm {
    #[serde(default)]
    role: String,
}

#[derive(Deserialize)]
struct ResetForm {
    #[serde(default)]
    seen: String,
}

async fn show(visit: Visit, Path(id): Path<String>) -> Result<Response> {
    let Some(person) = find(&visit, &id).await? else { return not_found(&visit).await };
    page(&visit, person, StatusCode::OK, Vec::new()).await
}

async fn change_role(visit: Visit, Path(id): Path<String>, Form(form): Form<RoleForm>) -> Result<Response> {
    let Some(person) = find(&visit, &id).await? else { return not_found(&visit).await };
    let Ok(role) = form.role.parse::<Role>() else {
        let error = FormError { field: Some("role"), text: "There is no such role. Choose one.".to_owned() };
        return page(&visit, person, StatusCode::UNPROCESSABLE_ENTITY, vec![error]).await;
    };
    let (app, email) = (&visit.app, address(&person)?);
    let changed = standing::change_role(&app.db, &app.token_cache, &visit.actor, &email, role).await;
    done(&visit, person, changed).await
}

async fn ask_to_disable(visit: Visit, Path(id): Path<String>) -> Result<Response> {
    let Some(person) = find(&visit, &id).await? else { return not_found(&visit).await };
    if person.disabled_at.is_some() || person.id == visit.principal.user {
        return Ok(back_to(person.id));
    }
    Ok(html(StatusCode::OK, &DisablePage { frame: visit.frame(Place::Settings).await?, person }))
}

async fn disable(visit: Visit, Path(id): Path<String>) -> Result<Response> {
    let Some(person) = find(&visit, &id).await? else { return not_found(&visit).await };
    let (app, email) = (&visit.app, address(&person)?);
    let changed = standing::disable(&app.db, &app.clock, &app.token_cache, &visit.actor, &email).await;
    done(&visit, person, changed).await
}

async fn enable(visit: Visit, Path(id): Path<String>) -> Result<Response> {
    let Some(person) = find(&visit, &id).await? else { return not_found(&visit).await };
    let (app, email) = (&visit.app, address(&person)?);
    let changed = standing::enable(&app.db, &app.token_cache, &visit.actor, &email).await;
    done(&visit, person, changed).await
}

/// Answers with the link at once: sent on to another address, it would have to be kept somewhere.
async fn make_link(visit: Visit, Path(id): Path<String>, Form(form): Form<ResetForm>) -> Result<Response> {
    let Some(person) = find(&visit, &id).await? else { return not_found(&visit).await };
    let (app, email, seen) = (&visit.app, address(&person)?, Some(form.seen.as_str()));
    let made = users::make_link(&app.db, &app.clock, &app.passwords, &visit.actor, &email, seen).await;
    let link = match made {
        Ok(link) => link,
        Err(error) => return refused(&visit, person, error).await,
    };
    let page = LinkPage {
        frame: visit.frame(Place::Settings).await?,
        person: person.id,
        email: person.email,
        name: person.name,
        address: link.address(&app.public_url),
        purpose: link.purpose,
    };
    Ok(html(StatusCode::OK, &page))
}

async fn withdraw_link(visit: Visit, Path(id): Path<String>) -> Result<Response> {
    let Some(person) = find(&visit, &id).await? else { return not_found(&visit).await };
    let withdrawn = links::withdraw(&visit.app.db, &visit.actor, person.id, &person.email).await;
    done(&visit, person, withdrawn).await
}

async fn reset_second_factor(visit: Visit, Path(id): Path<String>) -> Result<Response> {
    let Some(person) = find(&visit, &id).await? else { return not_found(&visit).await };
    let (app, email) = (&visit.app, address(&person)?);
    let reset = setting::reset(&app.db, &app.vault, &app.token_cache, &visit.actor, &email).await;
    done(&visit, person, reset).await
}

pub(super) async fn go_back(visit: Visit, Path(id): Path<String>) -> Result<Response> {
    let Some(person) = find(&visit, &id).await? else { return not_found(&visit).await };
    Ok(back_to(person.id))
}

/// The person that an address names, for whoever may look at people at all.
pub(super) async fn find(visit: &Visit, id: &str) -> Result<Option<User>> {
    let Ok(id) = id.parse::<UserId>() else { return Ok(None) };
    Ok(users::find(&visit.app.db, id).await?)
}

fn address(person: &User) -> Result<EmailAddress> {
    Ok(person.email.parse().map_err(anyhow::Error::from)?)
}

/// Leads back to the person, also if nothing had to be done; or says why it was not done.
async fn done(visit: &Visit, person: User, changed: Result<bool>) -> Result<Response> {
    match changed {
        Ok(_) => Ok(back_to(person.id)),
        Err(error) => refused(visit, person, error).await,
    }
}

async fn refused(visit: &Visit, person: User, error: Error) -> Result<Response> {
    let Problem { status, detail, .. } = refusal(error)?;
    // What the page shows is what stands there now.
    let person = users::find(&visit.app.db, person.id).await?.unwrap_or(person);
    page(visit, person, status, vec![FormError { field: None, text: detail }]).await
}

async fn page(visit: &Visit, person: User, status: StatusCode, errors: Vec<FormError>) -> Result<Response> {
    let page = PersonPage {
        frame: visit.frame(Place::Settings).await?,
        sessions: sessions::of(visit, person.id, None).await?,
        link: links::open_of(&visit.app.db, &visit.app.clock, person.id).await?,
        is_reader: person.id == visit.principal.user,
        person,
        errors,
        correlation_id: visit.correlation_id.clone(),
        now: visit.app.clock.now(),
    };
    Ok(html(status, &page))
}

pub(super) fn back_to(person: UserId) -> Response {
    Redirect::to(&format!("/dashboard/settings/people/{person}")).into_response()
}

pub(super) async fn not_found(visit: &Visit) -> Result<Response> {
    let advice = "Check the address, or start from the list of people in the settings.";
    visit.not_found(Place::Settings, "There is no such person", advice).await
}
