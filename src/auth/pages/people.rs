//! The list of people, and adding somebody.

use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use crate::access::{Access, Routes};
use crate::auth::users::{self, NewUser};
use crate::auth::views::people::{FirstPasswordPage, PeoplePage, Typed};
use crate::auth::{EmailAddress, NewPassword, Permission, Role};
use crate::error::Result;
use crate::visit::{Visit, refusal};
use crate::web::extract::Form;
use crate::web::frame::{FormError, Place, html};

/// The routes of the list.
pub(super) fn routes() -> Routes {
    let admin = Access::Person(Permission::ManageUsers);
    Routes::new().get("/dashboard/settings/people", admin, show).post("/dashboard/settings/people", admin, add)
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PersonForm {
    email: String,
    name: String,
    role: String,
}

async fn show(visit: Visit) -> Result<Response> {
    visit.principal.require(Permission::ManageUsers)?;
    Ok(html(StatusCode::OK, &page(&visit, PersonForm::default(), Vec::new()).await?))
}

/// Answers with the password at once: sent on to another address, it would have to be kept somewhere.
async fn add(visit: Visit, Form(form): Form<PersonForm>) -> Result<Response> {
    visit.principal.require(Permission::ManageUsers)?;
    let app = &visit.app;
    let (email, name, role) = match form.read() {
        Ok(read) => read,
        Err(errors) => return Ok(html(StatusCode::UNPROCESSABLE_ENTITY, &page(&visit, form, errors).await?)),
    };
    let password = NewPassword::random()?;
    let shown = password.secret().clone();
    let new = NewUser { email: email.clone(), name: name.clone(), role, password, must_change_password: true };
    let person = match users::add(&app.db, &app.clock, &app.passwords, &visit.actor, new).await {
        Ok(person) => person,
        Err(error) => {
            let problem = refusal(error)?;
            let text = match problem.code {
                "email_taken" => {
                    "Somebody has this address already. If their password was lost, open their page and reset it."
                }
                _ => &problem.detail,
            };
            let errors = vec![FormError { field: Some("email"), text: text.to_owned() }];
            return Ok(html(StatusCode::UNPROCESSABLE_ENTITY, &page(&visit, form, errors).await?));
        }
    };
    let page = FirstPasswordPage {
        frame: visit.frame(Place::Settings).await?,
        person,
        email: email.to_string(),
        name,
        password: shown,
        is_new: true,
        sign_in: app.public_url.to_string(),
    };
    Ok(html(StatusCode::OK, &page))
}

async fn page(visit: &Visit, form: PersonForm, errors: Vec<FormError>) -> Result<PeoplePage> {
    let app = &visit.app;
    let people = async { Ok(users::list(&app.db).await?) };
    let (frame, people) = tokio::try_join!(visit.frame(Place::Settings), people)?;
    Ok(PeoplePage {
        frame,
        people,
        reader: visit.principal.user,
        typed: Typed { role: form.role.parse().ok(), email: form.email, name: form.name },
        errors,
        correlation_id: visit.correlation_id.clone(),
        now: app.clock.now(),
    })
}

impl PersonForm {
    /// Who is to be added, or everything that needs a change.
    fn read(&self) -> Result<(EmailAddress, String, Role), Vec<FormError>> {
        let wrong = |field, text: String| FormError { field: Some(field), text };
        let email = self.email.parse::<EmailAddress>();
        let email =
            email.map_err(|_| wrong("email", "This is no email address. Write it as name@example.com.".to_owned()));
        let name = super::name(&self.name).map_err(|text| wrong("name", text));
        let role = self.role.parse::<Role>().map_err(|_| wrong("role", "There is no role. Choose one.".to_owned()));
        match (email, name, role) {
            (Ok(email), Ok(name), Ok(role)) => Ok((email, name, role)),
            (email, name, role) => Err([email.err(), name.err(), role.err()].into_iter().flatten().collect()),
        }
    }
}
