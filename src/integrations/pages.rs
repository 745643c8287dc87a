//! The page "Integrations", and the two forms by which a test is asked for.

use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;

use super::arrival::{self, Arrival};
use super::views::{AccountAccess, Address, Forms, IntegrationsPage, Latest, News, Reach, Speech, TestForm, Twilio};
use super::{NOTE, evidence, follow};
use crate::access::{Access, Routes};
use crate::audit::mask;
use crate::auth::Permission;
use crate::config::Mode;
use crate::error::Result;
use crate::operation::audio_url::AudioUrl;
use crate::operation::content::Kind;
use crate::operation::pages::ask::{self, AskForm, Refused};
use crate::operation::views::content::Recipient;
use crate::operation::views::status::Status;
use crate::speech::test_recording;
use crate::state::AppState;
use crate::vault::{Entry, EntryState, VaultName};
use crate::visit::Visit;
use crate::web::extract::{Form, Query};
use crate::web::frame::{FormError, Place, html};
use crate::web::text;

const PAGE: &str = "/dashboard/integrations";

/// How many tests are listed.
const LATEST: i64 = 5;

/// The routes of the page.
pub(crate) fn routes() -> Routes {
    let (reader, asker) = (Access::Person(Permission::ReadOperations), Access::Person(Permission::AskOperations));
    // A refused form stands at the address of its act; loading that again shows the page.
    let go_back = async || Redirect::to(PAGE);
    Routes::new()
        .get(PAGE, reader, show)
        .get("/dashboard/integrations/test-sms", reader, go_back)
        .post("/dashboard/integrations/test-sms", asker, test_sms)
        .get("/dashboard/integrations/test-call", reader, go_back)
        .post("/dashboard/integrations/test-call", asker, test_call)
        .get("/dashboard/integrations/test-speech", reader, go_back)
        .post("/dashboard/integrations/test-speech", asker, test_speech)
        .get("/dashboard/integrations/check-address", reader, go_back)
        .post("/dashboard/integrations/check-address", Access::Person(Permission::ManageVault), check_address)
}

#[derive(Deserialize)]
struct PageQuery {
    #[serde(default)]
    test: String,
}

/// What is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trial {
    Sms,
    /// A call that plays a recording of ours.
    Recording,
    /// A call from text.
    Speech,
}

impl Trial {
    fn kind(self) -> Kind {
        match self {
            Self::Sms => Kind::Sms,
            Self::Recording | Self::Speech => Kind::Call,
        }
    }
}

/// A form that was refused, and why.
struct Again {
    trial: Trial,
    form: AskForm,
    errors: Vec<FormError>,
}

/// What the page says beside what is so, once.
#[derive(Default)]
struct Beside {
    again: Option<Again>,
    arrival: Option<Arrival>,
}

async fn show(visit: Visit, Query(query): Query<PageQuery>) -> Result<Response> {
    Ok(html(StatusCode::OK, &page(&visit, &query.test, Beside::default()).await?))
}

async fn test_sms(visit: Visit, Form(form): Form<AskForm>) -> Result<Response> {
    test(visit, Trial::Sms, form).await
}

async fn test_call(visit: Visit, Form(mut form): Form<AskForm>) -> Result<Response> {
    // A test plays our own recording and nothing else.
    if !test_recording::is_at(&form.audio_url, &visit.app.public_url) {
        form.audio_url = test_recording::address(&visit.app.public_url);
    }
    form.text.clear();
    test(visit, Trial::Recording, form).await
}

async fn test_speech(visit: Visit, Form(mut form): Form<AskForm>) -> Result<Response> {
    form.audio_url.clear();
    test(visit, Trial::Speech, form).await
}

/// Answers with the page at once: what was found is not kept.
async fn check_address(visit: Visit) -> Result<Response> {
    let arrival = Some(arrival::ask(&visit.app).await);
    Ok(html(StatusCode::OK, &page(&visit, "", Beside { arrival, ..Beside::default() }).await?))
}

async fn test(visit: Visit, trial: Trial, mut form: AskForm) -> Result<Response> {
    NOTE.clone_into(&mut form.note);
    match ask::take(&visit, trial.kind(), &mut form).await? {
        Ok(id) => Ok(Redirect::to(&format!("{PAGE}?test={id}")).into_response()),
        Err(Refused { status, errors }) => {
            let errors = errors.into_iter().map(|error| of_form(trial, error)).collect();
            Ok(html(
                status,
                &page(&visit, "", Beside { again: Some(Again { trial, form, errors }), ..Beside::default() }).await?,
            ))
        }
    }
}

/// A refusal in the terms of the test's form, which has fewer fields than the whole one.
fn of_form(trial: Trial, error: FormError) -> FormError {
    let field = match (trial, error.field) {
        (Trial::Sms, Some("to")) => Some("sms-to"),
        (Trial::Sms, Some("message")) => Some("sms-message"),
        (Trial::Recording, Some("to")) => Some("call-to"),
        (Trial::Speech, Some("to")) => Some("speech-to"),
        (Trial::Speech, Some("text")) => Some("speech-text"),
        (_, Some("from")) => {
            let text = "There is no number to send from. Store one in the API Vault, then send the test again.";
            return FormError { field: None, text: text.to_owned() };
        }
        _ => None,
    };
    FormError { field, ..error }
}

async fn page(visit: &Visit, test: &str, Beside { again, arrival }: Beside) -> Result<IntegrationsPage> {
    let (app, mode) = (&visit.app, visit.app.config.mode);
    let (frame, entries, verification, speech_verification, evidence, speech, followed, tests) = tokio::try_join!(
        visit.frame(Place::Integrations),
        async { Ok(app.vault.list().await?) },
        async { Ok(app.vault.last_verification().await?) },
        async { Ok(app.vault.last_speech_verification().await?) },
        async { Ok(evidence::newest(&app.db, mode).await?) },
        async { Ok(evidence::speech(&app.db, mode).await?) },
        follow::followed(visit, test),
        async { Ok(evidence::tests(&app.db, mode, LATEST).await?) },
    )?;
    let state = |name: VaultName| state(&entries, name);
    let [half, other] = VaultName::API_KEY.map(|name| state(name) == EntryState::Missing);
    let account_sid = if half == other { state(VaultName::TwilioAccountSid) } else { EntryState::Missing };
    let twilio = Twilio {
        // With half an API key nothing is sent, as without an account.
        access: AccountAccess::of(account_sid, state(VaultName::TwilioAuthToken)),
        has_number: state(VaultName::TwilioPhoneNumber) != EntryState::Missing,
        verification,
        accepted: evidence.accepted.map(|attempt| news(visit, attempt)),
        failed: evidence.failed.map(|attempt| news(visit, attempt)),
        reported_at: evidence.reported_at,
        is_emulated: app.config.embeds_sandbox(),
    };
    let elevenlabs = Speech {
        key: state(VaultName::ElevenlabsApiKey),
        verification: speech_verification,
        made_at: speech.made_at,
        failed: speech.failed_at.map(|at| (at, text::sentence(&speech.reason.unwrap_or_default()))),
        is_emulated: mode == Mode::Sandbox,
        is_nowhere: app.elevenlabs.is_nowhere(),
    };
    let errors = again.as_ref().map_or_else(Vec::new, |again| again.errors.clone());
    Ok(IntegrationsPage {
        frame,
        now: app.clock.now(),
        is_unknown_test: !test.is_empty() && followed.is_none(),
        followed,
        forms: forms(visit, &twilio, &elevenlabs, again).await?,
        twilio,
        elevenlabs,
        may_manage: visit.principal.may(Permission::ManageVault),
        address: address(app),
        arrival,
        latest: tests.into_iter().map(|test| latest(visit, test)).collect(),
        correlation_id: if errors.is_empty() { String::new() } else { visit.correlation_id.clone() },
        errors,
    })
}

fn state(entries: &[Entry], name: VaultName) -> EntryState {
    entries.iter().find(|entry| entry.name == name).map_or(EntryState::Missing, |entry| entry.state)
}

/// The forms, for those who may ask and where there is something to test.
async fn forms(visit: &Visit, twilio: &Twilio, elevenlabs: &Speech, again: Option<Again>) -> Result<Forms> {
    let app = &visit.app;
    if !visit.principal.may(Permission::AskOperations) {
        return Ok(Forms::Denied("An operator can send a test SMS and place a test call."));
    }
    if !twilio.is_complete() && again.is_none() {
        return Ok(Forms::Denied("A test needs an account, its Auth Token and a phone number in the API Vault."));
    }
    let to = evidence::last_recipient(&app.db, app.config.mode, visit.principal.user).await?.unwrap_or_default();
    let proposed = || AskForm {
        to: to.clone(),
        message: "Test message from Mission Control".to_owned(),
        audio_url: test_recording::address(&app.public_url),
        text: "This is a test call from Mission Control. Goodbye.".to_owned(),
        ..AskForm::default()
    };
    let is_speech_again = again.as_ref().is_some_and(|again| again.trial == Trial::Speech);
    let mut forms = [Trial::Sms, Trial::Recording, Trial::Speech].map(|trial| (trial, proposed()));
    if let Some(Again { trial, form, .. }) = again
        && let Some((_, proposal)) = forms.iter_mut().find(|(one, _)| *one == trial)
    {
        *proposal = form;
    }
    let [sms, call, speech] = forms.map(|(_, form)| Box::new(TestForm::of(form)));
    let is_held = app.settings.current().approval.required;
    Ok(Forms::Granted { sms, call, speech: (elevenlabs.is_complete() || is_speech_again).then_some(speech), is_held })
}

fn address(app: &AppState) -> Address {
    let path = |door: &str| app.public_url.join(&format!("/webhooks/twilio/{door}/"));
    let reach = match app.config.mode {
        Mode::Sandbox => Reach::Here,
        Mode::Live if AudioUrl::parse(&test_recording::address(&app.public_url), Mode::Live).is_ok() => Reach::Public,
        Mode::Live => Reach::Private,
    };
    Address { public: app.public_url.to_string(), messages: path("message-status"), calls: path("call-status"), reach }
}

fn news(visit: &Visit, attempt: evidence::Attempt) -> News {
    let words = attempt.detail.as_deref().map(text::sentence).unwrap_or_default();
    News {
        operation: attempt.operation.to_string(),
        kind: attempt.kind,
        recipient: Recipient { number: attempt.to_number, is_masked: visit.is_masked() },
        state: attempt.state,
        words: if visit.is_masked() { mask::text(&words) } else { words },
        at: attempt.at,
    }
}

fn latest(visit: &Visit, test: evidence::Test) -> Latest {
    Latest {
        id: test.id.to_string(),
        status: Status { kind: test.kind, state: test.state, is_settled: test.is_settled },
        recipient: Recipient { number: test.to_number, is_masked: visit.is_masked() },
        requested_by: test.requester,
        at: test.created_at,
    }
}
