//! Asking by form: the same way in as the API's, with everything typed kept when it is refused.

use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::writing::checked;
use super::{new_call, new_sms};
use crate::auth::Role;
use crate::error::{FieldProblem, Problem, Result};
use crate::id::OperationId;
use crate::idempotency::IdempotencyKey;
use crate::operation::ask::{Asker, ask};
use crate::operation::content::Kind;
use crate::operation::request::Request;
use crate::operation::store::Operation;
use crate::operation::views::terms::{Terms, Typed};
use crate::speech::preparing::beside::Said;
use crate::visit::{Visit, refusal};
use crate::web::extract::{Form, Query};
use crate::web::frame::{FormError, html};
use crate::web::text;

/// The fields that the forms have, and the names under which they are refused.
const FIELDS: [(&str, &str); 8] = [
    ("to", "to"),
    ("from", "from"),
    ("message", "message"),
    ("text", "text"),
    ("voice_id", "voiceId"),
    ("model_id", "modelId"),
    ("audio_url", "audioUrl"),
    ("note", "note"),
];

/// Refusals of the key: the form needs a new one.
const KEY_CODES: [&str; 2] = ["idempotency_key_reused", "idempotency_key_expired"];

/// Why a form was not taken, for the page that shows it again.
pub(crate) struct Refused {
    pub(crate) status: StatusCode,
    pub(crate) errors: Vec<FormError>,
}

#[derive(Deserialize)]
pub(super) struct Again {
    #[serde(default)]
    again: String,
}

/// What either form sends.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct AskForm {
    pub(crate) kind: String,
    pub(crate) idempotency_key: String,
    pub(crate) to: String,
    pub(crate) from: String,
    pub(crate) message: String,
    pub(crate) text: String,
    pub(crate) voice_id: String,
    pub(crate) model_id: String,
    pub(crate) audio_url: String,
    /// `text` or `audio`: which of them a call is made of. Empty: whichever was filled in.
    pub(crate) source: String,
    pub(crate) note: String,
    pub(crate) again: String,
    /// What is to be done with the form instead of asking for what it says.
    pub(crate) then: String,
}

/// What a form is shown with, besides what stands in it.
#[derive(Default)]
pub(super) struct Shown {
    pub(super) status: StatusCode,
    pub(super) errors: Vec<FormError>,
    pub(super) heard: Option<Said>,
}

pub(super) async fn show_sms(visit: Visit, query: Query<Again>) -> Result<Response> {
    show(visit, query, Kind::Sms).await
}

pub(super) async fn show_call(visit: Visit, query: Query<Again>) -> Result<Response> {
    show(visit, query, Kind::Call).await
}

async fn show(visit: Visit, Query(query): Query<Again>, kind: Kind) -> Result<Response> {
    let again = super::find(&visit, &query.again).await?.filter(|operation| operation.kind == kind);
    let form = match again {
        Some(operation) => AskForm::again(operation),
        None => {
            let usual_sender = visit.app.vault.phone_number().await?;
            AskForm { from: usual_sender.map(|sender| sender.to_string()).unwrap_or_default(), ..AskForm::default() }
        }
    };
    page(&visit, kind, form, Shown::default()).await
}

pub(super) async fn submit(visit: Visit, Form(mut form): Form<AskForm>) -> Result<Response> {
    let kind = form.kind()?;
    match take(&visit, kind, &mut form).await? {
        Ok(id) => Ok(Redirect::to(&format!("/dashboard/operations/{id}")).into_response()),
        Err(Refused { status, errors }) => page(&visit, kind, form, Shown { status, errors, ..Shown::default() }).await,
    }
}

/// Asks for what the form says. A refused form is made ready to be shown again.
pub(crate) async fn take(visit: &Visit, kind: Kind, form: &mut AskForm) -> Result<Result<OperationId, Refused>> {
    form.unify_line_breaks();
    let error = match asked(visit, kind, form).await {
        Ok(id) => return Ok(Ok(id)),
        Err(error) => error,
    };
    let problem = refusal(error)?;
    if KEY_CODES.contains(&problem.code) {
        // What stands in the form now is another operation: it gets a key of its own.
        form.idempotency_key.clear();
    }
    let status = if problem.details.is_empty() { problem.status } else { StatusCode::UNPROCESSABLE_ENTITY };
    Ok(Err(Refused { status, errors: errors(&problem) }))
}

async fn asked(visit: &Visit, kind: Kind, form: &AskForm) -> Result<OperationId> {
    let key = IdempotencyKey::parse(&form.idempotency_key)
        .map_err(|why| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_key", why))?;
    let request = match kind {
        Kind::Sms => Request::sms(&form.request(kind))?,
        Kind::Call => Request::call(&form.request(kind), visit.app.config.mode)?,
    };
    let asker = Asker { principal: &visit.principal, actor: &visit.actor, source: "page" };
    Ok(ask(&visit.app, &asker, request, Some(key)).await?.operation.id)
}

/// The form's page. Every form has a key from here on, which its lines for programs name too.
pub(super) async fn page(visit: &Visit, kind: Kind, mut form: AskForm, shown: Shown) -> Result<Response> {
    form.idempotency_key = form.key();
    let usual_sender = visit.app.vault.phone_number().await?.map(|sender| sender.to_string());
    let checked = checked(visit, kind, &form, usual_sender.as_deref());
    let terms = terms(visit, &form, shown.errors);
    Ok(match kind {
        Kind::Sms => html(shown.status, &new_sms::page(visit, terms, form, checked).await?),
        Kind::Call => html(shown.status, &new_call::page(visit, terms, form, checked, shown.heard).await?),
    })
}

fn terms(visit: &Visit, form: &AskForm, errors: Vec<FormError>) -> Terms {
    let app = &visit.app;
    let approval = &app.settings.current().approval;
    let everyone = !approval.four_eyes(app.config.mode) || approval.allow_self_approval;
    Terms {
        idempotency_key: form.key(),
        errors,
        approvers: approvers(approval.required, everyone || visit.principal.role < Role::Approver).to_owned(),
        is_held: approval.required,
        open_for: text::span(approval.pending().try_into().unwrap_or(time::Duration::MAX)),
        // Only an id of ours becomes a link.
        again: form.again.parse::<OperationId>().ok().map(|id| id.to_string()),
        correlation_id: visit.correlation_id.clone(),
    }
}

impl AskForm {
    /// Filled with what an earlier operation asked for.
    fn again(operation: Operation) -> Self {
        Self {
            to: operation.to_number,
            from: operation.from_number,
            message: operation.message.unwrap_or_default(),
            text: operation.speech_text.unwrap_or_default(),
            voice_id: operation.voice_id.unwrap_or_default(),
            model_id: operation.model_id.unwrap_or_default(),
            audio_url: operation.audio_url.unwrap_or_default(),
            note: operation.note.unwrap_or_default(),
            again: operation.id.to_string(),
            ..Self::default()
        }
    }

    /// The key that came with it, or a new one.
    pub(crate) fn key(&self) -> String {
        let key = IdempotencyKey::parse(&self.idempotency_key).unwrap_or_else(|_| IdempotencyKey::new_random());
        key.as_str().to_owned()
    }

    /// What it asks for.
    pub(super) fn kind(&self) -> Result<Kind, Problem> {
        [Kind::Sms, Kind::Call].into_iter().find(|kind| kind.as_str() == self.kind).ok_or_else(|| {
            let detail = "An SMS or a call can be asked for here. Load the page again and repeat.";
            Problem::new(StatusCode::BAD_REQUEST, "invalid_form", detail)
        })
    }

    /// Browsers send every line break of a form as CRLF; what was typed is one character, and is paid for as one.
    pub(super) fn unify_line_breaks(&mut self) {
        for typed in [&mut self.message, &mut self.text] {
            *typed = typed.replace("\r\n", "\n");
        }
    }

    /// Whether a call plays a recording.
    pub(super) fn plays_recording(&self) -> bool {
        match self.source.as_str() {
            "audio" => true,
            "text" => false,
            _ => self.text.trim().is_empty() && !self.audio_url.trim().is_empty(),
        }
    }

    /// The fields, to be shown again.
    pub(super) fn typed(self) -> Typed {
        Typed {
            plays_recording: self.plays_recording(),
            to: self.to,
            from: self.from,
            message: self.message,
            text: self.text,
            voice_id: self.voice_id,
            model_id: self.model_id,
            audio_url: self.audio_url,
            note: self.note,
        }
    }

    /// The request as the API would get it: what was left empty is absent.
    pub(super) fn request(&self, kind: Kind) -> Value {
        let mut required = vec![("to", &self.to)];
        let mut optional = vec![("from", &self.from), ("note", &self.note)];
        match kind {
            Kind::Sms => required.push(("message", &self.message)),
            Kind::Call => {
                // A call says one thing or plays another: which, is what was chosen, or else what was filled in.
                if self.source != "audio" {
                    optional.extend([("text", &self.text), ("voiceId", &self.voice_id), ("modelId", &self.model_id)]);
                }
                if self.source != "text" {
                    optional.push(("audioUrl", &self.audio_url));
                }
            }
        }
        let given = optional.into_iter().filter(|(_, text)| !text.trim().is_empty());
        let members: Map<String, Value> =
            required.into_iter().chain(given).map(|(name, text)| (name.to_owned(), json!(text))).collect();
        Value::Object(members)
    }
}

/// A refusal in the terms of the form.
pub(super) fn errors(problem: &Problem) -> Vec<FormError> {
    let whole = |field, text: &str| vec![FormError { field, text: text.to_owned() }];
    match problem.code {
        "invalid_key" => whole(None, "This form has lost its key and has a new one now. Check it, and send it again."),
        "idempotency_key_reused" => whole(
            None,
            "This form was sent before with other content, which stands as it is. Check this one: sent again, it makes a second operation.",
        ),
        "idempotency_key_expired" => {
            whole(None, "This form was sent more than 30 days ago. Check it: sent again, it makes a second operation.")
        }
        "no_sender_number" => {
            whole(Some("from"), "There is no number in the API Vault. Write the number that it comes from.")
        }
        "do_not_contact" => whole(Some("to"), &problem.detail),
        _ if problem.details.is_empty() => whole(None, &problem.detail),
        _ => problem.details.iter().map(wrong).collect(),
    }
}

fn wrong(wrong: &FieldProblem) -> FormError {
    let field = FIELDS.into_iter().find(|(_, refused)| *refused == wrong.field);
    FormError { field: field.map(|(id, _)| id), text: wrong.message.clone() }
}

fn approvers(is_held: bool, anyone: bool) -> &'static str {
    match (is_held, anyone) {
        (false, _) => "Nobody: approval is switched off",
        (true, true) => "Anyone with the role Approver",
        (true, false) => "Anyone with the role Approver, except you",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_left_empty_is_absent() {
        let form = AskForm { to: "+1".to_owned(), from: " ".to_owned(), note: "why".to_owned(), ..AskForm::default() };
        assert_eq!(form.request(Kind::Sms), json!({ "to": "+1", "message": "", "note": "why" }));
        assert_eq!(form.request(Kind::Call), json!({ "to": "+1", "note": "why" }));
        let form = AskForm { text: "Hello".to_owned(), voice_id: "v".to_owned(), audio_url: " ".to_owned(), ..form };
        assert_eq!(form.request(Kind::Call), json!({ "to": "+1", "note": "why", "text": "Hello", "voiceId": "v" }));
    }

    #[test]
    fn a_call_is_made_of_what_was_chosen_and_the_rest_stays_typed() {
        let form = |source: &str| AskForm {
            to: "+1".to_owned(),
            text: "Hello".to_owned(),
            voice_id: "v".to_owned(),
            audio_url: "https://x.test".to_owned(),
            source: source.to_owned(),
            ..AskForm::default()
        };
        assert_eq!(form("text").request(Kind::Call), json!({ "to": "+1", "text": "Hello", "voiceId": "v" }));
        assert_eq!(form("audio").request(Kind::Call), json!({ "to": "+1", "audioUrl": "https://x.test" }));
        for (source, plays_recording) in [("text", false), ("audio", true), ("", false)] {
            let typed = form(source).typed();
            assert_eq!((typed.plays_recording, typed.text.as_str()), (plays_recording, "Hello"), "{source}");
            assert_eq!(typed.audio_url, "https://x.test");
        }
    }

    #[test]
    fn every_wrong_field_is_told_where_it_is() {
        let form = AskForm { to: "5".to_owned(), from: "x".to_owned(), ..AskForm::default() };
        let fields = |read: Result<Request, Problem>| {
            errors(&read.expect_err("refused")).into_iter().map(|error| error.field).collect::<Vec<_>>()
        };
        let sms = Request::sms(&form.request(Kind::Sms));
        assert_eq!(fields(sms), [Some("to"), Some("message"), Some("from")]);
        let call = Request::call(&form.request(Kind::Call), crate::config::Mode::Live);
        assert_eq!(fields(call), [Some("to"), Some("text"), Some("from")]);
        let both = AskForm { text: "Hello".to_owned(), audio_url: "https://x.test".to_owned(), ..form };
        let call = Request::call(&both.request(Kind::Call), crate::config::Mode::Live);
        assert_eq!(fields(call), [Some("to"), Some("text"), Some("audio_url"), Some("from")]);
    }
}
