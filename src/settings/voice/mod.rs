//! The page of the voice: who speaks calls from text, how that sounds, and what the account at `ElevenLabs` has left.

mod account;
mod sample;
mod views;

use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;

use self::account::{Account, account};
use self::sample::{Sample, TEXT};
use self::views::{Picker, VoicePage};
use super::catalogue::SETTINGS;
use super::document;
use super::draft::Draft;
use super::form::SettingsForm;
use super::history;
use crate::access::{Access, Routes};
use crate::auth::Permission;
use crate::error::Result;
use crate::speech::catalogue::Wanted;
use crate::speech::preparing::beside;
use crate::visit::Visit;
use crate::web::extract::{Form, Query};
use crate::web::frame::{FormError, Place, html};

const ADDRESS: &str = "/dashboard/settings/voice";

const TABLE: &str = "voice";

pub(super) fn routes() -> Routes {
    let (reader, admin) = (Access::Person(Permission::ReadOperations), Access::Person(Permission::ManageSettings));
    Routes::new()
        .get(ADDRESS, reader, show)
        .post(ADDRESS, admin.confirmed(), submit)
        // A refused form stands at the address of its act; loading that again shows the page.
        .get("/dashboard/settings/voice/hear", reader, async || Redirect::to(ADDRESS))
        .post("/dashboard/settings/voice/hear", admin, hear)
}

/// What was heard: the page shows it with the choice that it was made by, which may not be saved.
#[derive(Deserialize)]
struct Heard {
    #[serde(default)]
    voice: String,
    #[serde(default)]
    model: String,
    #[serde(default)]
    sample: String,
}

impl Heard {
    fn query(&self) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("voice", &self.voice).append_pair("model", &self.model).append_pair("sample", &self.sample);
        query.finish()
    }
}

async fn show(visit: Visit, Query(heard): Query<Heard>) -> Result<Response> {
    visit.app.settings.refresh().await?;
    let sample = sample::find(&visit.app, &heard.sample, heard.query()).await?;
    let choice = [("voice.voice_id", heard.voice), ("voice.model_id", heard.model)];
    let tried = sample.is_some().then(|| SettingsForm::of(choice));
    let draft = tried.as_ref().map_or_else(Draft::default, |tried| Draft::refused(tried, Vec::new()));
    page(&visit, StatusCode::OK, draft, sample).await
}

async fn submit(visit: Visit, Form(form): Form<SettingsForm>) -> Result<Response> {
    let form = form.of_table(TABLE);
    visit.app.settings.refresh().await?;
    let (version, current) = visit.app.settings.snapshot();
    let draft = if form.seen() == Some(version) {
        match form.read(&current) {
            Ok(wanted) => Draft::store(&visit, &form, version, &wanted).await?,
            Err(errors) => {
                return page(&visit, StatusCode::UNPROCESSABLE_ENTITY, Draft::refused(&form, errors), None).await;
            }
        }
    } else {
        Some(Draft::overtaken(&visit, &form).await?)
    };
    match draft {
        None => Ok(Redirect::to(ADDRESS).into_response()),
        Some(draft) => page(&visit, StatusCode::CONFLICT, draft, None).await,
    }
}

/// Has a sentence spoken as the form says, saved or not. It costs characters, so only those who change the settings may.
async fn hear(visit: Visit, Form(form): Form<SettingsForm>) -> Result<Response> {
    let form = form.of_table(TABLE);
    let refused = |text: String| Draft::refused(&form, vec![FormError { field: None, text }]);
    let wanted = match form.read(&visit.app.settings.current()) {
        Ok(wanted) => wanted.voice,
        Err(errors) => {
            return page(&visit, StatusCode::UNPROCESSABLE_ENTITY, Draft::refused(&form, errors), None).await;
        }
    };
    let app = &visit.app;
    let Some(key) = app.vault.elevenlabs_key().await? else {
        let text = "There is no ElevenLabs API key, so nothing can be spoken. Store one in the API Vault.";
        return page(&visit, StatusCode::CONFLICT, refused(text.to_owned()), None).await;
    };
    let chosen = match app.catalogue.choose(&app.elevenlabs, &key, &wanted, Wanted::default()).await {
        Ok(chosen) => chosen,
        Err(error) => return page(&visit, StatusCode::BAD_GATEWAY, refused(error.to_string()), None).await,
    };
    let sample = beside::hear(app, TEXT, &chosen, &visit.actor).await?;
    let heard = Heard { voice: wanted.voice_id, model: wanted.model_id, sample };
    Ok(Redirect::to(&format!("{ADDRESS}?{}#sample", heard.query())).into_response())
}

async fn page(visit: &Visit, status: StatusCode, draft: Draft<'_>, sample: Option<Sample>) -> Result<Response> {
    let app = &visit.app;
    let (frame, account, history) =
        tokio::try_join!(visit.frame(Place::Settings), account(app), async { Ok(history::newest(&app.db).await?) },)?;
    let (version, operating) = app.settings.snapshot();
    let now = document(&operating);
    let field = |name: &str| {
        let setting = SETTINGS.iter().find(|setting| setting.name == name).expect("a setting of the page");
        draft.field(visit, setting, &operating, &now)
    };
    let page = VoicePage {
        frame,
        version,
        voice: Picker::of_voices(field("voice.voice_id"), &account, &operating.voice),
        model: Picker::of_models(field("voice.model_id"), &account, &operating.voice),
        kept: field("voice.clips_kept_hours"),
        sample,
        account,
        may_change: visit.principal.may(Permission::ManageSettings),
        newest: history.into_iter().next(),
        meanwhile: draft.meanwhile,
        correlation_id: if draft.errors.is_empty() { String::new() } else { visit.correlation_id.clone() },
        errors: draft.errors,
        now: app.clock.now(),
    };
    Ok(html(status, &page))
}
