//! The list of people, and inviting somebody.

use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use crate::access::{Access, Routes};
use crate::auth::users::{self, Invitation};
use crate::auth::views::people::{LinkPage, PeoplePage, Typed};
use crate::auth::{EmailAddress, Permission, Role};
use crate::error::Result;
use crate::visit::{Visit, refusal};
use crate::web::extract::Form;
use crate::web::frame::{FormError, Place, html};

/// The routes of the list.
pub(super) fn routes() -> Routes {
    let admin = Access::Person(Permission::ManageUsers);
    Routes::new().get("/dashboard/settings/people", admin, show).post(
        "/dashboard/settings/people",
        admin.confirmed(),
        invite,
    )
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PersonForm {
    email: String,
    name: String,
    role: String,
}

async fn show(visit: Visit) -> Result<Response> {
    Ok(html(StatusCode::OK, &page(&visit, PersonForm::default(), Vec::new()).await?))
}

/// Answers with the link at once: sent on to another address, it would have to be kept somewhere.
async fn invite(visit: Visit, Form(form): Form<PersonForm>) -> Result<Response> {
    let app = &visit.app;
    let (email, name, role) = match form.read() {
        Ok(read) => read,
        Err(errors) => return Ok(html(StatusCode::UNPROCESSABLE_ENTITY, &page(&visit, form, errors).await?)),
    };
    let invitation = Invitation { email, name, role };
    let invited = users::invite(&app.db, &app.clock, &app.passwords, &visit.actor, &invitation).await;
    let (person, link) = match invited {
        Ok(invited) => invited,
        Err(error) => {
            let problem = refusal(error)?;
            let text = match problem.code {
                "email_taken" => {
                    "Somebody has this address already. If their link or their password was lost, open their page and make a new link."
                }
                _ => &problem.detail,
            };
            let errors = vec![FormError { field: Some("email"), text: text.to_owned() }];
            return Ok(html(StatusCode::UNPROCESSABLE_ENTITY, &page(&visit, form, errors).await?));
        }
    };
    let page = LinkPage {
        frame: visit.frame(Place::Settings).await?,
        person,
        email: invitation.email.to_string(),
        name: invitation.name,
        address: link.address(&app.public_url),
        purpose: link.purpose,
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
