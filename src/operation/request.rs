//! A request to send, read from what came over the wire: every wrong field is told at once.

use serde_json::{Map, Value, json};

use super::audio_url::AudioUrl;
use super::content::{Payload, hash};
use super::message::Message;
use crate::config::Mode;
use crate::error::{FieldProblem, Problem};
use crate::phone::PhoneNumber;

/// Longest note in characters.
const NOTE_LIMIT: usize = 500;

/// Fields that the predecessor took in the body, and that belong into the vault.
const CREDENTIAL_FIELDS: [&str; 8] = [
    "twilioSid",
    "twilioToken",
    "accountSid",
    "authToken",
    "twilioAccountSid",
    "twilioAuthToken",
    "apiKey",
    "elevenLabsKey",
];

/// A well-formed request for one SMS or one call, before defaults are filled in.
#[derive(Clone, Debug)]
pub struct Request {
    /// Who gets it.
    pub to: PhoneNumber,
    /// Who it comes from, if the caller said.
    pub from: Option<PhoneNumber>,
    /// What it says or plays.
    pub payload: Payload,
    /// Why, for the approver. Not part of the content.
    pub note: Option<String>,
    /// The key in the body, as written.
    pub idempotency_key: Option<String>,
}

impl Request {
    /// Reads a request for an SMS from the members of a JSON object; `Err` lists every wrong one.
    pub fn sms(body: &Value) -> Result<Self, Problem> {
        let mut fields = Fields::of(body, "`to` and `message`")?;
        fields.refuse_unknown(&["to", "message", "from", "idempotencyKey", "note"]);
        let to = fields.number("to");
        let message = fields.required("message", |text| Message::parse(text).map_err(|error| error.to_string()));
        fields.request(to, message.map(Payload::Text))
    }

    /// Reads a request for a call; `Err` lists every wrong field. In live mode the recording must be on the open network.
    pub fn call(body: &Value, mode: Mode) -> Result<Self, Problem> {
        let mut fields = Fields::of(body, "`to` and `audioUrl`")?;
        fields.refuse_unknown(&["to", "audioUrl", "text", "voiceId", "modelId", "from", "idempotencyKey", "note"]);
        let to = fields.number("to");
        for name in ["text", "voiceId", "modelId"] {
            if fields.is_given(name) {
                let message =
                    "Calls from text cannot be placed yet. Send the address of a recording in audioUrl instead.";
                fields.refuse::<()>(name, message.to_owned());
            }
        }
        let parse = |text: &str| AudioUrl::parse(text, mode).map_err(|error| error.to_string());
        let url = if fields.is_given("text") {
            fields.optional("audioUrl", parse)
        } else {
            fields.required("audioUrl", parse)
        };
        fields.request(to, url.map(Payload::Recording))
    }

    /// SHA-256 of the request as given: absent fields absent, no note, no key, no defaults.
    pub fn fingerprint(&self, mode: Mode) -> [u8; 32] {
        let (name, value) = self.payload.member();
        let kind = self.payload.kind().as_str();
        let mut given = json!({ "kind": kind, name: value, "mode": mode.as_str(), "to": self.to.as_str() });
        if let Some(from) = &self.from {
            given["from"] = json!(from.as_str());
        }
        hash("mission-control request v1", &given.to_string())
    }
}

fn parse_note(text: &str) -> Result<Option<String>, String> {
    let text = text.trim();
    if text.contains('\0') {
        return Err("The note contains a NUL character. Remove it.".to_owned());
    }
    match text.chars().count() {
        0 => Ok(None),
        1..=NOTE_LIMIT => Ok(Some(text.to_owned())),
        count => Err(format!("The note has {count} characters. Keep it under {NOTE_LIMIT}.")),
    }
}

/// The members of an object, and what is wrong with them.
struct Fields<'a> {
    members: &'a Map<String, Value>,
    problems: Vec<FieldProblem>,
}

impl<'a> Fields<'a> {
    fn of(body: &'a Value, needed: &str) -> Result<Self, Problem> {
        let Value::Object(members) = body else {
            let detail = format!("The body must be a JSON object with {needed}.");
            return Err(Problem::new(axum::http::StatusCode::BAD_REQUEST, "invalid_json", detail));
        };
        Ok(Self { members, problems: Vec::new() })
    }

    /// What an SMS and a call have in common; refuses if anything was wrong.
    fn request(mut self, to: Option<PhoneNumber>, payload: Option<Payload>) -> Result<Request, Problem> {
        let from = self.optional("from", |text| PhoneNumber::parse(text).map_err(|error| error.to_string()));
        let note = self.optional("note", parse_note);
        let idempotency_key = self.optional("idempotencyKey", |text| Ok(text.to_owned()));
        match (to, payload) {
            (Some(to), Some(payload)) if self.problems.is_empty() => {
                Ok(Request { to, from, payload, note: note.flatten(), idempotency_key })
            }
            _ => Err(Problem::invalid_fields(self.problems)),
        }
    }

    fn number(&mut self, name: &str) -> Option<PhoneNumber> {
        self.required(name, |text| PhoneNumber::parse(text).map_err(|error| error.to_string()))
    }

    fn refuse_unknown(&mut self, known: &[&str]) {
        for name in self.members.keys().filter(|name| !known.contains(&name.as_str())) {
            let message = if CREDENTIAL_FIELDS.contains(&name.as_str()) {
                "Credentials are not taken from requests: store credentials in the API Vault.".to_owned()
            } else {
                format!("There is no such field. Remove it; the fields are {}.", known.join(", "))
            };
            // A long or strange name is cut, so that an error cannot be made to carry a payload.
            let name: String = name.chars().filter(|character| !character.is_control()).take(64).collect();
            self.problems.push(FieldProblem::new(name, message));
        }
    }

    fn is_given(&self, name: &str) -> bool {
        !matches!(self.members.get(name), None | Some(Value::Null))
    }

    fn required<T>(&mut self, name: &str, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        if self.is_given(name) {
            self.optional(name, parse)
        } else {
            self.refuse(name, "This field is required.".to_owned())
        }
    }

    fn optional<T>(&mut self, name: &str, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        match self.members.get(name) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => match parse(text) {
                Ok(value) => Some(value),
                Err(message) => self.refuse(name, message),
            },
            Some(_) => self.refuse(name, "This field must be a string.".to_owned()),
        }
    }

    fn refuse<T>(&mut self, name: &str, message: String) -> Option<T> {
        self.problems.push(FieldProblem::new(name, message));
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong_fields(read: Result<Request, Problem>) -> Vec<String> {
        match read {
            Ok(_) => Vec::new(),
            Err(problem) => problem.details.into_iter().map(|wrong| wrong.field).collect(),
        }
    }

    #[test]
    fn every_wrong_field_is_told_at_once() {
        let body = json!({ "to": 5, "from": "x", "note": "n".repeat(501), "extra": 1 });
        assert_eq!(wrong_fields(Request::sms(&body)), ["extra", "to", "message", "from", "note"]);
        assert_eq!(wrong_fields(Request::call(&body, Mode::Live)), ["extra", "to", "audioUrl", "from", "note"]);
        let fine = json!({ "to": "+14155550132", "message": "Hello", "from": null });
        assert_eq!(wrong_fields(Request::sms(&fine)), [""; 0]);
    }

    #[test]
    fn a_call_from_text_is_refused_in_words() {
        let body = json!({ "to": "+14155550132", "text": "Hello", "voiceId": "v", "audioUrl": "https://x.test/a.mp3" });
        assert_eq!(wrong_fields(Request::call(&body, Mode::Live)), ["text", "voiceId"]);
        let body = json!({ "to": "+14155550132", "text": "Hello" });
        let problem = Request::call(&body, Mode::Live).expect_err("refused");
        assert_eq!(problem.details[0].field, "text");
        assert!(problem.details[0].message.contains("audioUrl"), "{problem:?}");
    }

    #[test]
    fn credentials_in_the_body_are_sent_to_the_vault() {
        let body = json!({ "to": "+14155550132", "message": "Hello", "twilioToken": "secret" });
        let problem = Request::sms(&body).expect_err("refused");
        assert!(problem.details[0].message.contains("store credentials in the API Vault"));
        assert!(!format!("{problem:?}").contains("secret"));
    }

    #[test]
    fn the_fingerprint_is_of_the_request_as_given() {
        let read = |body: Value| Request::sms(&body).expect("valid").fingerprint(Mode::Sandbox);
        let plain = read(json!({ "to": "+14155550132", "message": "Hello" }));
        assert_eq!(
            plain,
            read(json!({ "to": "+1 415 555 0132", "message": "Hello", "note": "why", "idempotencyKey": "k" }))
        );
        assert_ne!(plain, read(json!({ "to": "+14155550132", "message": "Hello", "from": "+15005550006" })));
        assert_ne!(plain, read(json!({ "to": "+14155550132", "message": "Hello." })));
        let call = json!({ "to": "+14155550132", "audioUrl": "https://example.com/a.mp3" });
        assert_ne!(plain, Request::call(&call, Mode::Sandbox).expect("valid").fingerprint(Mode::Sandbox));
    }
}
