//! Asking for an SMS by form: the same way in as the API's, with everything typed kept when it is refused.

use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::auth::{Permission, Role};
use crate::error::{FieldProblem, Problem, Result};
use crate::id::OperationId;
use crate::idempotency::IdempotencyKey;
use crate::operation::ask::{Asker, ask};
use crate::operation::content::Kind;
use crate::operation::request::Request;
use crate::operation::segments::{Segments, first_outside_gsm};
use crate::operation::store::Operation;
use crate::operation::views::content::Content;
use crate::operation::views::new_sms::{NewSmsPage, Typed, Widest};
use crate::visit::{Visit, refusal};
use crate::web::extract::{Form, Query};
use crate::web::frame::{FormError, Place, html};
use crate::web::text;

/// The fields that the form has, by the names under which they are refused.
const FIELDS: [&str; 4] = ["to", "from", "message", "note"];

/// Refusals of the key: the form needs a new one.
const KEY_CODES: [&str; 2] = ["idempotency_key_reused", "idempotency_key_expired"];

#[derive(Deserialize)]
pub(super) struct NewSmsQuery {
    #[serde(default)]
    again: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct NewSmsForm {
    kind: String,
    idempotency_key: String,
    to: String,
    from: String,
    message: String,
    note: String,
    again: String,
}

pub(super) async fn show(visit: Visit, Query(query): Query<NewSmsQuery>) -> Result<Response> {
    visit.principal.require(Permission::AskOperations)?;
    let again = super::find(&visit, &query.again).await?.filter(|operation| operation.kind == Kind::Sms);
    let form = again.map_or_else(NewSmsForm::default, NewSmsForm::again);
    Ok(html(StatusCode::OK, &page(&visit, form, Vec::new()).await?))
}

pub(super) async fn submit(visit: Visit, Form(mut form): Form<NewSmsForm>) -> Result<Response> {
    visit.principal.require(Permission::AskOperations)?;
    if form.kind != Kind::Sms.as_str() {
        let detail = "Only SMS can be asked for here. Load the page again and repeat.";
        return Err(Problem::new(StatusCode::BAD_REQUEST, "invalid_form", detail).into());
    }
    // Browsers send every line break of a form as CRLF; what was typed is one character, and is paid for as one.
    form.message = form.message.replace("\r\n", "\n");
    let error = match asked(&visit, &form).await {
        Ok(id) => return Ok(Redirect::to(&format!("/dashboard/operations/{id}")).into_response()),
        Err(error) => error,
    };
    let problem = refusal(error)?;
    if KEY_CODES.contains(&problem.code) {
        // What stands in the form now is another message: it gets a key of its own.
        form.idempotency_key.clear();
    }
    let status = if problem.details.is_empty() { problem.status } else { StatusCode::UNPROCESSABLE_ENTITY };
    Ok(html(status, &page(&visit, form, errors(&problem)).await?))
}

async fn asked(visit: &Visit, form: &NewSmsForm) -> Result<OperationId> {
    let key = IdempotencyKey::parse(&form.idempotency_key)
        .map_err(|why| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_key", why))?;
    let request = Request::sms(&form.request())?;
    let asker = Asker { principal: &visit.principal, actor: &visit.actor, source: "page" };
    Ok(ask(&visit.app, &asker, request, Some(key)).await?.operation.id)
}

async fn page(visit: &Visit, form: NewSmsForm, errors: Vec<FormError>) -> Result<NewSmsPage> {
    let app = &visit.app;
    let approval = &app.settings.current().approval;
    let (frame, usual_sender) =
        tokio::try_join!(visit.frame(Place::NewSms), async { Ok(app.vault.phone_number().await?) })?;
    let key = IdempotencyKey::parse(&form.idempotency_key).unwrap_or_else(|_| IdempotencyKey::new_random());
    let everyone = !approval.four_eyes(app.config.mode) || approval.allow_self_approval;
    Ok(NewSmsPage {
        frame,
        idempotency_key: key.as_str().to_owned(),
        usual_sender: usual_sender.map(|sender| sender.to_string()),
        errors,
        size: size(&form.message),
        widest: widest(&form.message),
        approvers: approvers(approval.required, everyone || visit.principal.role < Role::Approver).to_owned(),
        is_held: approval.required,
        open_for: text::span(approval.pending().try_into().unwrap_or(time::Duration::MAX)),
        // Only an id of ours becomes a link.
        again: form.again.parse::<OperationId>().ok().map(|id| id.to_string()),
        typed: Typed { to: form.to, from: form.from, message: form.message, note: form.note },
        correlation_id: visit.correlation_id.clone(),
    })
}

impl NewSmsForm {
    /// Filled with what an earlier operation asked for.
    fn again(operation: Operation) -> Self {
        Self {
            to: operation.to_number,
            from: operation.from_number,
            message: operation.message.unwrap_or_default(),
            note: operation.note.unwrap_or_default(),
            again: operation.id.to_string(),
            ..Self::default()
        }
    }

    /// The request as the API would get it: what was left empty is absent.
    fn request(&self) -> Value {
        let given =
            [("from", &self.from), ("note", &self.note)].into_iter().filter(|(_, text)| !text.trim().is_empty());
        let required = [("to", &self.to), ("message", &self.message)];
        let members: Map<String, Value> =
            required.into_iter().chain(given).map(|(name, text)| (name.to_owned(), json!(text))).collect();
        Value::Object(members)
    }
}

/// A refusal in the terms of the form.
fn errors(problem: &Problem) -> Vec<FormError> {
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
    let field = FIELDS.into_iter().find(|field| *field == wrong.field);
    FormError { field, text: wrong.message.clone() }
}

fn size(message: &str) -> Option<Content> {
    let segments = Segments::of(message);
    (!message.is_empty()).then(|| Content::Sms {
        message: message.to_owned(),
        segments: segments.count.into(),
        encoding: segments.encoding.to_string(),
    })
}

fn widest(message: &str) -> Option<Widest> {
    let character = first_outside_gsm(message)?;
    let position = message.chars().position(|one| one == character)? + 1;
    Some(Widest { character, position })
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
        let form =
            NewSmsForm { to: "+1".to_owned(), from: " ".to_owned(), note: "why".to_owned(), ..NewSmsForm::default() };
        assert_eq!(form.request(), json!({ "to": "+1", "message": "", "note": "why" }));
    }

    #[test]
    fn every_wrong_field_is_told_where_it_is() {
        let form = NewSmsForm { to: "5".to_owned(), from: "x".to_owned(), ..NewSmsForm::default() };
        let problem = Request::sms(&form.request()).expect_err("refused");
        let fields: Vec<_> = errors(&problem).into_iter().map(|error| error.field).collect();
        assert_eq!(fields, [Some("to"), Some("message"), Some("from")]);
    }

    #[test]
    fn the_character_that_costs_the_short_encoding_is_named() {
        let Some(Widest { character, position }) = widest("I’m here") else { panic!("one is outside") };
        assert_eq!((character, position), ('’', 2));
        assert!(widest("I'm here").is_none() && size("").is_none());
    }
}
