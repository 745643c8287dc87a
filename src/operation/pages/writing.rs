//! The forms while somebody writes: looked over, changed from one kind to the other, made plain, heard. Nothing is asked for
//! and nothing typed is kept; what is typed comes by POST, because an address is remembered by browsers and proxies.

use axum::http::StatusCode;
use axum::response::Response;

use super::ask::{self, AskForm, Shown};
use crate::config::PublicUrl;
use crate::error::Result;
use crate::operation::audio_url::AudioUrl;
use crate::operation::compose::commands::{Commands, Key};
use crate::operation::compose::cost::estimate;
use crate::operation::compose::number;
use crate::operation::compose::plain::plain;
use crate::operation::compose::size::Size;
use crate::operation::content::Kind;
use crate::operation::speech::{SpeakerId, Speech, SpeechText};
use crate::operation::views::checked::{Checked, CheckedParts};
use crate::speech::catalogue::Wanted;
use crate::speech::preparing::beside::{self, Said};
use crate::speech::{clips, speaking};
use crate::twilio::twiml;
use crate::visit::Visit;
use crate::web::extract::Form;
use crate::web::frame::{FormError, html};
use crate::web::text;

/// Writes the form of an SMS on.
pub(super) async fn sms(visit: Visit, Form(form): Form<AskForm>) -> Result<Response> {
    write_on(&visit, Kind::Sms, form).await
}

/// Writes the form of a call on.
pub(super) async fn call(visit: Visit, Form(form): Form<AskForm>) -> Result<Response> {
    write_on(&visit, Kind::Call, form).await
}

async fn write_on(visit: &Visit, kind: Kind, mut form: AskForm) -> Result<Response> {
    form.unify_line_breaks();
    let mut shown = Shown::default();
    match (kind, form.then.as_str()) {
        (Kind::Sms, "plain") => form.message = plain(&form.message),
        (Kind::Call, "hear") => match hear(visit, &form).await? {
            Ok(said) => shown.heard = said,
            Err(errors) => shown = Shown { status: StatusCode::UNPROCESSABLE_ENTITY, errors, ..shown },
        },
        // Changed from the other kind, or looked over: the page says what there is to say.
        _ => {}
    }
    ask::page(visit, kind, form, shown).await
}

/// The parts of the page that follow what is typed.
pub(super) async fn check(visit: Visit, Form(mut form): Form<AskForm>) -> Result<Response> {
    form.unify_line_breaks();
    let kind = form.kind()?;
    let usual_sender = visit.app.vault.usual_sender().await?;
    let checked = checked(&visit, kind, &form, usual_sender.as_ref().map(ToString::to_string).as_deref());
    Ok(html(StatusCode::OK, &CheckedParts { checked }))
}

/// What can be said about a form.
pub(super) fn checked(visit: &Visit, kind: Kind, form: &AskForm, usual_sender: Option<&str>) -> Checked {
    let app = &visit.app;
    let size = Size::of(&form.message);
    // An empty message will take one segment at least.
    let segments = size.as_ref().map_or(1, |size| size.segments().count);
    let (audio, recording) = audio(&form.audio_url, visit);
    let twiml = if form.plays_recording() { recording.clone() } else { Some(clips::address(&app.public_url, "…")) };
    Checked {
        kind,
        to: number::told(&form.to, kind == Kind::Sms).unwrap_or_else(|| TO.to_owned()),
        from: number::told(&form.from, false).unwrap_or_else(|| left_empty(usual_sender)),
        text: spoken(&form.text),
        audio,
        twiml: twiml.filter(|_| kind == Kind::Call).and_then(|address| twiml::play(&address)),
        recording,
        cost: estimate(&app.settings.current().prices, kind, segments.into()),
        commands: commands(&app.public_url, kind, form),
        size,
    }
}

/// How a number is written.
const TO: &str = "With + and country code, for example +14155550132";

fn left_empty(usual_sender: Option<&str>) -> String {
    match usual_sender.map(text::phone) {
        Some(sender) => format!("Left empty, it comes from {sender}, the number in the API Vault"),
        None => "There is no number in the API Vault, so one is needed here".to_owned(),
    }
}

fn spoken(typed: &str) -> String {
    if typed.trim().is_empty() {
        return "It is made into speech first. Whoever approves it hears exactly what will be played".to_owned();
    }
    match SpeechText::parse(typed) {
        Ok(text) => {
            let count = i64::try_from(text.as_str().chars().count()).unwrap_or(i64::MAX);
            format!("{} to be spoken, each paid for at ElevenLabs once", text::counted(count, "character"))
        }
        Err(why) => why.to_string(),
    }
}

/// What is said of the address of a recording, and the address if it is one.
fn audio(typed: &str, visit: &Visit) -> (String, Option<String>) {
    let hint = "MP3 or WAV, for example https://example.com/hello.mp3. Twilio plays it once when the call is answered, and hangs up";
    match AudioUrl::parse(typed.trim(), visit.app.config.mode) {
        _ if typed.trim().is_empty() => (hint.to_owned(), None),
        Ok(url) => (hint.to_owned(), Some(url.as_str().to_owned())),
        Err(why) => (why.to_string(), None),
    }
}

fn commands(public_url: &PublicUrl, kind: Kind, form: &AskForm) -> Commands {
    Commands::of(public_url, kind, &form.request(kind), Key::Given(&form.idempotency_key))
}

/// Has the text spoken as the form says: whoever may ask for the call may hear it first, which costs the same characters
/// once. Errors are those of the form.
async fn hear(visit: &Visit, form: &AskForm) -> Result<Result<Option<Said>, Vec<FormError>>> {
    let app = &visit.app;
    let speech = match speech(form) {
        Ok(speech) => speech,
        Err(errors) => return Ok(Err(errors)),
    };
    let settings = app.settings.current();
    if let Some(problem) = speaking::refusal(app, &settings, &speech).await? {
        return Ok(Err(ask::errors(&problem)));
    }
    let Some(key) = app.vault.elevenlabs_key().await? else { return Ok(Ok(None)) };
    let wanted = Wanted {
        voice: speech.voice.as_ref().map(SpeakerId::as_str),
        model: speech.model.as_ref().map(SpeakerId::as_str),
    };
    let chosen = match app.catalogue.choose(&app.elevenlabs, &key, &settings.voice, wanted).await {
        Ok(chosen) => chosen,
        Err(error) => return Ok(Err(vec![FormError { field: None, text: error.to_string() }])),
    };
    let text = speech.text.as_str();
    if let Some(message) = chosen.too_long(text) {
        return Ok(Err(vec![FormError { field: Some("text"), text: message }]));
    }
    let clip = beside::hear(app, text, &chosen, &visit.actor).await?;
    Ok(Ok(beside::said(app, &clip, text).await?))
}

fn speech(form: &AskForm) -> Result<Speech, Vec<FormError>> {
    let mut errors = Vec::new();
    let mut wrong = |field, text: String| errors.push(FormError { field: Some(field), text });
    let text = SpeechText::parse(&form.text).map_err(|why| wrong("text", why.to_string())).ok();
    let mut id = |field, typed: &str| match typed.trim() {
        "" => None,
        typed => SpeakerId::parse(typed).map_err(|why| wrong(field, why.to_string())).ok(),
    };
    let (voice, model) = (id("voice_id", &form.voice_id), id("model_id", &form.model_id));
    match text {
        Some(text) if errors.is_empty() => Ok(Speech { text, voice, model }),
        _ => Err(errors),
    }
}
