//! The hold's switch on every page.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Redirect;
use serde::Deserialize;

use super::api::reason;
use super::hold::{self, Cause};
use crate::access::{Access, Routes};
use crate::auth::{Permission, SignedIn};
use crate::error::{Problem, Result};
use crate::state::AppState;
use crate::web::back::Back;
use crate::web::client::ClientAddress;
use crate::web::correlation::CorrelationId;
use crate::web::extract::Form;

/// The route of the switch.
pub(crate) fn routes() -> Routes {
    Routes::new().post("/dashboard/hold", Access::Person(Permission::Hold), switch)
}

#[derive(Deserialize)]
struct HoldForm {
    held: String,
    #[serde(default)]
    reason: String,
}

async fn switch(
    State(app): State<AppState>,
    SignedIn(principal): SignedIn,
    address: ClientAddress,
    correlation_id: CorrelationId,
    back: Back,
    Form(form): Form<HoldForm>,
) -> Result<Redirect> {
    principal.require(Permission::Hold)?;
    let actor = principal.actor(address, &correlation_id);
    match form.held.as_str() {
        "true" => {
            let reason = reason(&form.reason, &principal.name)?;
            hold::set(&app.db, &app.clock, Cause::Person, &reason, &actor).await?;
        }
        "false" => {
            hold::release(&app.db, &app.clock, &actor).await?;
            app.changes.wake();
        }
        _ => {
            let detail = "`held` is `true` or `false`. Load the page again and repeat.";
            return Err(Problem::new(StatusCode::BAD_REQUEST, "invalid_form", detail).into());
        }
    }
    Ok(back.redirect())
}
