//! Open sessions: one's own, and for admins those of a person.

use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Redirect, Response};

use super::person;
use crate::access::{Access, Routes};
use crate::auth::credential::CredentialHash;
use crate::auth::open_sessions::{self, Which};
use crate::auth::views::sessions::{Row, SessionsPage};
use crate::auth::{Permission, cookie, sessions};
use crate::error::Result;
use crate::id::UserId;
use crate::state::AppState;
use crate::visit::Visit;
use crate::web::extract::Path;
use crate::web::frame::{Place, html};
use crate::web::settings_tabs::SettingsTab;

/// The routes of sessions. Ending them is asked for once only: it has to be quick. What was posted to stands under its address; loading that again leads back.
pub(super) fn routes() -> Routes {
    let (own, others) = (Access::Person(Permission::ReadOperations), Access::Person(Permission::ManageUsers));
    let back = async || to_list();
    Routes::new()
        .get("/dashboard/settings/sessions", own, show)
        .get("/dashboard/settings/sessions/end-others", own, back)
        .post("/dashboard/settings/sessions/end-others", own, end_others)
        .get("/dashboard/settings/sessions/{session}/end", own, back)
        .post("/dashboard/settings/sessions/{session}/end", own, end_own)
        .get("/dashboard/settings/people/{id}/end-sessions", others, person::go_back)
        .post("/dashboard/settings/people/{id}/end-sessions", others, end_all_of)
        .get("/dashboard/settings/people/{id}/sessions/{session}/end", others, back_to_person)
        .post("/dashboard/settings/people/{id}/sessions/{session}/end", others, end_one_of)
}

async fn show(visit: Visit, headers: HeaderMap) -> Result<Response> {
    let app = &visit.app;
    let (frame, sessions) =
        tokio::try_join!(visit.frame(Place::Settings), of(&visit, visit.principal.user, presented(app, &headers)))?;
    let page = SessionsPage {
        frame,
        sessions,
        has_second_factor: visit.principal.has_second_factor,
        now: app.clock.now(),
        idle: sessions::IDLE,
        longest: sessions::LONGEST,
    };
    Ok(html(StatusCode::OK, &page))
}

async fn end_others(visit: Visit, headers: HeaderMap) -> Result<Response> {
    let kept = presented(&visit.app, &headers);
    end_mine(&visit, Which::AllBut(kept)).await
}

async fn end_own(visit: Visit, Path(session): Path<String>) -> Result<Response> {
    end_mine(&visit, Which::One(&session)).await
}

async fn end_mine(visit: &Visit, which: Which<'_>) -> Result<Response> {
    let (app, person) = (&visit.app, &visit.principal);
    open_sessions::end(&app.db, &app.clock, &visit.actor, (person.user, &person.email), which).await?;
    Ok(to_list().into_response())
}

async fn end_all_of(visit: Visit, Path(id): Path<String>) -> Result<Response> {
    end_of(&visit, &id, Which::AllBut(None)).await
}

async fn end_one_of(visit: Visit, Path((id, session)): Path<(String, String)>) -> Result<Response> {
    end_of(&visit, &id, Which::One(&session)).await
}

async fn end_of(visit: &Visit, id: &str, which: Which<'_>) -> Result<Response> {
    let Some(person) = person::find(visit, id).await? else { return person::not_found(visit).await };
    let app = &visit.app;
    open_sessions::end(&app.db, &app.clock, &visit.actor, (person.id, &person.email), which).await?;
    Ok(person::back_to(person.id))
}

async fn back_to_person(visit: Visit, Path((id, _)): Path<(String, String)>) -> Result<Response> {
    person::go_back(visit, Path(id)).await
}

/// The open sessions of a person, with a mark on the reader's own.
pub(super) async fn of(visit: &Visit, person: UserId, this: Option<CredentialHash>) -> Result<Vec<Row>> {
    let sessions = open_sessions::list(&visit.app.db, &visit.app.clock, person).await?;
    let row = |session: open_sessions::OpenSession| Row { is_this: this.is_some_and(|this| session.is(this)), session };
    Ok(sessions.into_iter().map(row).collect())
}

fn presented(app: &AppState, headers: &HeaderMap) -> Option<CredentialHash> {
    cookie::presented(cookie::Carries::Session, &app.public_url, headers)
}

fn to_list() -> Redirect {
    Redirect::to(SettingsTab::Sessions.address())
}
