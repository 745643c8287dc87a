//! The page of the operating settings: read by everybody, changed by admins.

use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::get;
use serde_json::Value;

use super::catalogue::{SETTINGS, Setting};
use super::form::{Rebased, SendingForm};
use super::history::{self, Difference, differences};
use super::views::{CONFIRMATION, Field, Group, SendingPage, WithoutApprovalPage};
use super::{SettingsError, document};
use crate::auth::Permission;
use crate::config::{Operating, variable};
use crate::error::Result;
use crate::state::AppState;
use crate::visit::Visit;
use crate::web::extract::Form;
use crate::web::frame::{FormError, Place, html};

const ADDRESS: &str = "/dashboard/settings/sending";

/// The tables of the settings, with what the page says of each.
const GROUPS: [(&str, &str, &str); 3] = [
    ("approval.", "Approval", "Who may let what go, and how long it waits."),
    ("dispatch.", "Sending", "How fast and how carefully it goes out."),
    ("api.", "API", "What programs must bring."),
];

/// The route of the page.
pub(crate) fn router() -> Router<AppState> {
    Router::new().route(ADDRESS, get(show).post(submit))
}

/// What stands on the page besides what is in force.
#[derive(Default)]
struct Draft<'a> {
    form: Option<&'a SendingForm>,
    /// The settings that the form was made from, if they are no longer in force.
    base: Option<Value>,
    meanwhile: Option<Vec<Difference>>,
    errors: Vec<FormError>,
}

async fn show(visit: Visit) -> Result<Response> {
    visit.app.settings.refresh().await?;
    page(&visit, StatusCode::OK, Draft::default()).await
}

async fn submit(visit: Visit, Form(form): Form<SendingForm>) -> Result<Response> {
    visit.principal.require(Permission::ManageSettings)?;
    let settings = &visit.app.settings;
    settings.refresh().await?;
    let (version, current) = settings.snapshot();
    if form.seen() != Some(version) {
        return changed_meanwhile(&visit, &form).await;
    }
    let wanted = match form.read(&current) {
        Ok(wanted) => wanted,
        Err(errors) => {
            let draft = Draft { form: Some(&form), errors, ..Draft::default() };
            return page(&visit, StatusCode::UNPROCESSABLE_ENTITY, draft).await;
        }
    };
    let switches_off = current.approval.required && !wanted.approval.required;
    let is_confirmed = form.confirmation().is_some_and(|typed| typed.eq_ignore_ascii_case(CONFIRMATION));
    if switches_off && !settings.is_locked("approval.required") && !is_confirmed {
        return ask_to_confirm(&visit, &form, version, &current, &wanted).await;
    }
    match settings.change(version, &wanted, &visit.actor).await {
        Ok(()) => Ok(Redirect::to(ADDRESS).into_response()),
        Err(SettingsError::ChangedMeanwhile) => changed_meanwhile(&visit, &form).await,
        Err(error @ SettingsError::Locked { .. }) => {
            let errors = vec![FormError { field: None, text: error.to_string() }];
            page(&visit, StatusCode::CONFLICT, Draft { form: Some(&form), errors, ..Draft::default() }).await
        }
        Err(error) => Err(error.into()),
    }
}

/// Shows the form once more on top of what is in force now: nothing that was typed is lost, and nothing that somebody else
/// chose is undone unseen.
async fn changed_meanwhile(visit: &Visit, form: &SendingForm) -> Result<Response> {
    let settings = &visit.app.settings;
    let base = match form.seen() {
        Some(seen) => settings.at(seen).await?.map(|operating| document(&operating)),
        None => None,
    };
    let meanwhile = base.as_ref().map(|base| differences(base, &document(&settings.current()))).unwrap_or_default();
    let draft = Draft { form: Some(form), base, meanwhile: Some(meanwhile), errors: Vec::new() };
    page(visit, StatusCode::CONFLICT, draft).await
}

async fn ask_to_confirm(
    visit: &Visit,
    form: &SendingForm,
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
    let field = |setting: &'static Setting| field(visit, &draft, setting, &operating, &now);
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

fn field(visit: &Visit, draft: &Draft<'_>, setting: &'static Setting, operating: &Operating, now: &Value) -> Field {
    let value = setting.value_in(now).unwrap_or(&Value::Null);
    let is_locked = visit.app.settings.is_locked(setting.name);
    let Rebased { written, is_contested } = match draft.form.filter(|_| !is_locked) {
        None => Rebased { written: setting.written(value), is_contested: false },
        Some(form) if draft.meanwhile.is_some() => form.rebase(setting, draft.base.as_ref(), now),
        Some(form) => Rebased {
            written: form.typed(setting).map_or_else(|| setting.written(value), str::to_owned),
            is_contested: false,
        },
    };
    Field {
        setting,
        written,
        in_force: setting.in_force(operating, value, visit.app.config.mode),
        locked_by: is_locked.then(|| variable(setting.name)),
        is_contested,
    }
}
