//! The pages of the operating settings: read by everybody, changed by admins. This one is of sending.

use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};

use super::catalogue::{SETTINGS, Setting};
use super::draft::Draft;
use super::form::SettingsForm;
use super::history::{self, differences};
use super::views::{CONFIRMATION, Group, SendingPage, WithoutApprovalPage};
use super::{document, voice};
use crate::access::{Access, Routes};
use crate::auth::Permission;
use crate::config::Operating;
use crate::error::Result;
use crate::visit::Visit;
use crate::web::extract::Form;
use crate::web::frame::{FormError, Place, html};

const ADDRESS: &str = "/dashboard/settings/sending";

/// The tables of the settings, with what the page says of each.
const GROUPS: [(&str, &str, &str); 5] = [
    ("sign_in.", "Signing in", "How people prove who they are."),
    ("approval.", "Approval", "Who may let what go, and how long it waits."),
    ("dispatch.", "Sending", "How fast and how carefully it goes out."),
    ("api.", "API", "What programs must bring."),
    ("prices.", "Prices", "What an SMS and a call are estimated to cost."),
];

/// The routes of the pages.
pub(crate) fn routes() -> Routes {
    Routes::new()
        .get(ADDRESS, Access::Person(Permission::ReadOperations), show)
        .post(ADDRESS, Access::Person(Permission::ManageSettings).confirmed(), submit)
        .merge(voice::routes())
}

async fn show(visit: Visit) -> Result<Response> {
    visit.app.settings.refresh().await?;
    page(&visit, StatusCode::OK, Draft::default()).await
}

async fn submit(visit: Visit, Form(form): Form<SettingsForm>) -> Result<Response> {
    let settings = &visit.app.settings;
    settings.refresh().await?;
    let (version, current) = settings.snapshot();
    if form.seen() != Some(version) {
        return page(&visit, StatusCode::CONFLICT, Draft::overtaken(&visit, &form).await?).await;
    }
    let wanted = match form.read(&current) {
        Ok(wanted) => wanted,
        Err(errors) => {
            return page(&visit, StatusCode::UNPROCESSABLE_ENTITY, Draft::refused(&form, errors)).await;
        }
    };
    let switches_off = current.approval.required && !wanted.approval.required;
    let is_confirmed = form.confirmation().is_some_and(|typed| typed.eq_ignore_ascii_case(CONFIRMATION));
    if switches_off && !settings.is_locked("approval.required") && !is_confirmed {
        return ask_to_confirm(&visit, &form, version, &current, &wanted).await;
    }
    match Draft::store(&visit, &form, version, &wanted).await? {
        None => Ok(Redirect::to(ADDRESS).into_response()),
        Some(draft) => page(&visit, StatusCode::CONFLICT, draft).await,
    }
}

async fn ask_to_confirm(
    visit: &Visit,
    form: &SettingsForm,
    version: i64,
    current: &Operating,
    wanted: &Operating,
) -> Result<Response> {
    let error = form.confirmation().map(|_| FormError {
        field: Some("confirm"),
        text: format!("This is not what has to be typed. Type “{CONFIRMATION}”, or keep approval on."),
    });
    let fields = SETTINGS.iter().filter_map(|setting| Some((setting.name, form.typed(setting)?.to_owned())));
    let page = WithoutApprovalPage {
        frame: visit.frame(Place::Settings).await?,
        version,
        fields: fields.collect(),
        differences: differences(&document(current), &document(wanted)),
        typed: form.confirmation().unwrap_or_default().to_owned(),
        errors: error.into_iter().collect(),
        correlation_id: visit.correlation_id.clone(),
    };
    let status = if page.errors.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    Ok(html(status, &page))
}

async fn page(visit: &Visit, status: StatusCode, draft: Draft<'_>) -> Result<Response> {
    let app = &visit.app;
    let history = async { Ok(history::newest(&app.db).await?) };
    let (frame, history) = tokio::try_join!(visit.frame(Place::Settings), history)?;
    let (version, operating) = app.settings.snapshot();
    let now = document(&operating);
    let field = |setting: &'static Setting| draft.field(visit, setting, &operating, &now);
    let groups = GROUPS.map(|(table, title, purpose)| {
        let fields = SETTINGS.iter().filter(|setting| setting.name.starts_with(table)).map(field).collect();
        Group { title, purpose, fields }
    });
    let page = SendingPage {
        frame,
        version,
        groups: groups.into(),
        may_change: visit.principal.may(Permission::ManageSettings),
        meanwhile: draft.meanwhile,
        history,
        errors: draft.errors,
        correlation_id: visit.correlation_id.clone(),
        now: app.clock.now(),
    };
    Ok(html(status, &page))
}
