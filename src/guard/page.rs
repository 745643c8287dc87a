//! The hold's two switches on every page. Stopping is one click, whoever has been sitting there for how long; letting it
//! go on is asked for once more.

use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::response::Redirect;
use serde::Deserialize;

use super::api::reason;
use super::hold::{self, Cause};
use crate::access::{Access, Routes};
use crate::audit::Actor;
use crate::auth::{Permission, Refusal, SignedIn};
use crate::error::Result;
use crate::state::AppState;
use crate::web::back::{Back, START};
use crate::web::client::ClientAddress;
use crate::web::correlation::CorrelationId;
use crate::web::extract::Form;

/// The routes of the switches. What was posted to stands under its address; loading that again leads to the start.
pub(crate) fn routes() -> Routes {
    let (admin, start) = (Access::Person(Permission::Hold), async || Redirect::to(START));
    Routes::new()
        .get("/dashboard/hold", admin, start)
        .post("/dashboard/hold", admin, set)
        .get("/dashboard/hold/release", admin, start)
        .post("/dashboard/hold/release", admin.confirmed(), release)
}

#[derive(Deserialize)]
struct HoldForm {
    #[serde(default)]
    reason: String,
}

/// An admin at one of the switches, whom the route has let in.
struct Admin {
    name: String,
    actor: Actor,
}

impl FromRequestParts<AppState> for Admin {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, Refusal> {
        let SignedIn(principal) = SignedIn::from_request_parts(parts, app).await?;
        let Ok(address) = ClientAddress::from_request_parts(parts, app).await;
        let Ok(correlation_id) = CorrelationId::from_request_parts(parts, app).await;
        Ok(Self { actor: principal.actor(address, &correlation_id), name: principal.name })
    }
}

async fn set(State(app): State<AppState>, admin: Admin, back: Back, Form(form): Form<HoldForm>) -> Result<Redirect> {
    let reason = reason(&form.reason, &admin.name)?;
    hold::set(&app.db, &app.clock, Cause::Person, &reason, &admin.actor).await?;
    Ok(back.redirect())
}

async fn release(State(app): State<AppState>, admin: Admin, back: Back) -> Result<Redirect> {
    hold::release(&app.db, &app.clock, &admin.actor).await?;
    app.changes.wake();
    Ok(back.redirect())
}
