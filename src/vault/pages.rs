//! The page "API Vault": what is stored, and the forms that change it. Each form comes back to the page.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use secrecy::SecretString;
use serde::{Deserialize, Deserializer};

use super::api::{no_key_to_verify, nothing_to_verify};
use super::views::{Card, Outcome, RemovePage, SpeechOutcome, VaultPage};
use super::{EntryState, SpeechVerification, VaultError, VaultName, Verification};
use crate::access::{Access, Routes};
use crate::auth::{Permission, confirmation};
use crate::config::Mode;
use crate::error::{Problem, Result};
use crate::visit::Visit;
use crate::web::extract::{Form, Path, Query};
use crate::web::frame::{FormError, Place, html};
use crate::web::settings_tabs::SettingsTab;

/// The routes of the page.
pub(crate) fn routes() -> Routes {
    let (reader, keeper) = (Access::Person(Permission::ReadOperations), Access::Person(Permission::ManageVault));
    Routes::new()
        .get("/dashboard/settings", reader, show)
        .get("/dashboard/settings/vault/verify", reader, go_back)
        .post("/dashboard/settings/vault/verify", keeper.confirmed(), verify)
        .get("/dashboard/settings/vault/verify-elevenlabs", reader, go_back)
        .post("/dashboard/settings/vault/verify-elevenlabs", keeper.confirmed(), verify_elevenlabs)
        .get("/dashboard/settings/vault/wrap", reader, go_back)
        .post("/dashboard/settings/vault/wrap", keeper.confirmed(), wrap)
        .get("/dashboard/settings/vault/{name}", reader, go_back)
        .post("/dashboard/settings/vault/{name}", keeper.confirmed_by_form(), set)
        .get("/dashboard/settings/vault/{name}/remove", keeper, ask_to_remove)
        .post("/dashboard/settings/vault/{name}/remove", keeper.confirmed(), remove)
        .get("/dashboard/settings/vault/{name}/revoke-previous", reader, go_back)
        .post("/dashboard/settings/vault/{name}/revoke-previous", keeper.confirmed(), revoke_previous)
}

#[derive(Deserialize)]
struct PageQuery {
    #[serde(default)]
    tab: String,
}

/// A field as it came, in no copy that is not wiped.
fn secret<'de, D: Deserializer<'de>>(field: D) -> Result<SecretString, D::Error> {
    String::deserialize(field).map(SecretString::from)
}

/// A new value. It has no `Debug`, and is gone with the request.
#[derive(Deserialize)]
struct SetForm {
    #[serde(default, deserialize_with = "secret")]
    value: SecretString,
    /// The entry's name, typed by whoever replaces what is stored.
    #[serde(default)]
    confirm: String,
}

#[derive(Deserialize)]
struct RemoveForm {
    #[serde(default)]
    confirm: String,
}

/// What a page shows beside the entries.
#[derive(Default)]
struct Beside {
    verification: Option<Verification>,
    speech: Option<SpeechVerification>,
    errors: Vec<FormError>,
}

async fn show(visit: Visit, Query(query): Query<PageQuery>) -> Result<Response> {
    match SettingsTab::parse(&query.tab) {
        Some(tab) if tab != SettingsTab::ApiKeys => Ok(Redirect::to(tab.address()).into_response()),
        _ => page(&visit, StatusCode::OK, Beside::default()).await,
    }
}

/// A refused form stands at the address of its act; loading that again shows the page.
async fn go_back() -> Redirect {
    Redirect::to(SettingsTab::ApiKeys.address())
}

async fn set(visit: Visit, Path(name): Path<String>, Form(form): Form<SetForm>) -> Result<Response> {
    let Ok(name) = name.parse::<VaultName>() else { return no_such_entry(&visit).await };
    let is_stored = visit.app.vault.entry(name).await?.state == EntryState::Stored;
    if is_stored && form.confirm.trim() != name.as_str() {
        let text = format!(
            "To replace what is stored, type {name} beside the new value. The fields are empty again, because no value is ever shown."
        );
        return refused(&visit, StatusCode::UNPROCESSABLE_ENTITY, Some(name.as_str()), text).await;
    }
    match visit.app.vault.set(name, form.value, &visit.actor).await {
        Ok(_) => Ok(changed(&visit, name)),
        Err(VaultError::Invalid { problem, .. }) => {
            let text = format!("{problem} The field is empty again, because no value is ever shown.");
            refused(&visit, StatusCode::UNPROCESSABLE_ENTITY, Some(name.as_str()), text).await
        }
        Err(error) => Err(error.into()),
    }
}

async fn verify(visit: Visit) -> Result<Response> {
    if let Err(problem) = visit.app.vault.admit_verification(visit.principal.user) {
        return not_verified(&visit, problem).await;
    }
    let Some(verification) = visit.app.vault.verify(&visit.app.twilio, &visit.actor).await? else {
        return not_verified(&visit, nothing_to_verify()).await;
    };
    // The answer is the page itself: not everything on it is kept anywhere.
    page(&visit, StatusCode::OK, Beside { verification: Some(verification), ..Beside::default() }).await
}

async fn verify_elevenlabs(visit: Visit) -> Result<Response> {
    if let Err(problem) = visit.app.vault.admit_verification(visit.principal.user) {
        return not_verified(&visit, problem).await;
    }
    let Some(speech) = visit.app.vault.verify_elevenlabs(&visit.app.elevenlabs, &visit.actor).await? else {
        return not_verified(&visit, no_key_to_verify()).await;
    };
    page(&visit, StatusCode::OK, Beside { speech: Some(speech), ..Beside::default() }).await
}

/// Begins to wrap everything by the primary key. The page says how far it came.
async fn wrap(visit: Visit) -> Redirect {
    visit.app.vault.wrap_in_background(&visit.app.tasks, visit.actor);
    Redirect::to(&format!("{}#master-keys", SettingsTab::ApiKeys.address()))
}

async fn ask_to_remove(visit: Visit, Path(name): Path<String>) -> Result<Response> {
    let Ok(name) = name.parse() else { return no_such_entry(&visit).await };
    remove_page(&visit, name, Vec::new()).await
}

async fn remove(visit: Visit, Path(name): Path<String>, Form(form): Form<RemoveForm>) -> Result<Response> {
    let Ok(name) = name.parse::<VaultName>() else { return no_such_entry(&visit).await };
    if form.confirm.trim() != name.as_str() {
        let text = format!("This is not the name of the entry. Type {name}, or keep the entry.");
        return remove_page(&visit, name, vec![FormError { field: Some("confirm"), text }]).await;
    }
    visit.app.vault.remove(name, &visit.actor).await?;
    Ok(changed(&visit, name))
}

async fn revoke_previous(visit: Visit, Path(name): Path<String>) -> Result<Response> {
    let Ok(name) = name.parse() else { return no_such_entry(&visit).await };
    // Whoever came second wanted what is so now.
    visit.app.vault.revoke_previous(name, &visit.actor).await?;
    Ok(changed(&visit, name))
}

/// Back to the entry. What waits for credentials need not wait longer.
fn changed(visit: &Visit, name: VaultName) -> Response {
    visit.app.changes.wake();
    Redirect::to(&format!("{}#entry-{name}", SettingsTab::ApiKeys.address())).into_response()
}

async fn not_verified(visit: &Visit, problem: Problem) -> Result<Response> {
    let Problem { status, detail, retry_after, .. } = problem;
    let mut response = refused(visit, status, None, detail).await?;
    response.headers_mut().extend(retry_after.map(|seconds| (header::RETRY_AFTER, seconds.into())));
    Ok(response)
}

async fn refused(visit: &Visit, status: StatusCode, field: Option<&'static str>, text: String) -> Result<Response> {
    page(visit, status, Beside { errors: vec![FormError { field, text }], ..Beside::default() }).await
}

async fn page(visit: &Visit, status: StatusCode, beside: Beside) -> Result<Response> {
    let entries = visit.app.vault.list().await?;
    let may_manage = visit.principal.may(Permission::ManageVault);
    let has_errors = !beside.errors.is_empty();
    let cards = entries.into_iter().map(|entry| {
        let errors = beside.errors.iter().filter(|error| error.field == Some(entry.name.as_str()));
        Card { errors: errors.map(|error| error.text.clone()).collect(), is_masked: visit.is_masked(), entry }
    });
    let (elevenlabs, twilio) = cards.partition(|card: &Card| card.entry.name == VaultName::ElevenlabsApiKey);
    let page = VaultPage {
        frame: visit.frame(Place::Settings).await?,
        may_manage,
        proof: confirmation::asked_soon(&visit.principal),
        twilio,
        elevenlabs,
        keys: visit.app.vault.keys().await?,
        wrapping: visit.app.vault.wrapping(),
        outcome: beside.verification.map(Outcome),
        speech_outcome: beside.speech.map(SpeechOutcome),
        errors: beside.errors,
        correlation_id: if has_errors { visit.correlation_id.clone() } else { String::new() },
        is_emulated: visit.app.config.embeds_sandbox(),
        is_speech_emulated: visit.app.config.mode == Mode::Sandbox,
        now: visit.app.clock.now(),
    };
    Ok(html(status, &page))
}

/// The step before a removal. Without a stored value there is nothing to ask.
async fn remove_page(visit: &Visit, name: VaultName, errors: Vec<FormError>) -> Result<Response> {
    let entry = visit.app.vault.entry(name).await?;
    if entry.state != EntryState::Stored {
        return Ok(changed(visit, name));
    }
    let status = if errors.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let page = RemovePage {
        frame: visit.frame(Place::Settings).await?,
        left: visit.app.vault.state_without(name).await?,
        card: Card { entry, is_masked: visit.is_masked(), errors: Vec::new() },
        correlation_id: if errors.is_empty() { String::new() } else { visit.correlation_id.clone() },
        errors,
    };
    Ok(html(status, &page))
}

async fn no_such_entry(visit: &Visit) -> Result<Response> {
    let advice = "Check the address, or start from Settings.";
    visit.not_found(Place::Settings, "There is no such entry", advice).await
}
