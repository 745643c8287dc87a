//! A request to send, read from what came over the wire: every wrong field is told at once.

use serde_json::{Map, Value, json};

use super::content::{Message, hash};
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

/// A well-formed request for one SMS, before defaults are filled in.
#[derive(Clone, Debug)]
pub struct SmsRequest {
    /// Who gets it.
    pub to: PhoneNumber,
    /// Who it comes from, if the caller said.
    pub from: Option<PhoneNumber>,
    /// What it says.
    pub message: Message,
    /// Why, for the approver. Not part of the content.
    pub note: Option<String>,
    /// The key in the body, as written.
    pub idempotency_key: Option<String>,
}

impl SmsRequest {
    /// Reads the members of a JSON object; `Err` lists every wrong one.
    pub fn from_json(body: &Value) -> Result<Self, Problem> {
        let Value::Object(members) = body else {
            let detail = "The body must be a JSON object with `to` and `message`.";
            return Err(Problem::new(axum::http::StatusCode::BAD_REQUEST, "invalid_json", detail));
        };
        let mut fields = Fields { members, problems: Vec::new() };
        fields.refuse_unknown(&["to", "message", "from", "idempotencyKey", "note"]);
        let to = fields.required("to", |text| PhoneNumber::parse(text).map_err(|error| error.to_string()));
        let message = fields.required("message", |text| Message::parse(text).map_err(|error| error.to_string()));
        let from = fields.optional("from", |text| PhoneNumber::parse(text).map_err(|error| error.to_string()));
        let note = fields.optional("note", parse_note);
        let idempotency_key = fields.optional("idempotencyKey", |text| Ok(text.to_owned()));
        match (to, message) {
            (Some(to), Some(message)) if fields.problems.is_empty() => {
                Ok(Self { to, from, message, note: note.flatten(), idempotency_key })
            }
            _ => Err(Problem::invalid_fields(fields.problems)),
        }
    }

    /// SHA-256 of the request as given: absent fields absent, no note, no key, no defaults.
    pub fn fingerprint(&self, mode: Mode) -> [u8; 32] {
        let mut given =
            json!({ "kind": "sms", "message": self.message.as_str(), "mode": mode.as_str(), "to": self.to.as_str() });
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

impl Fields<'_> {
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

    fn required<T>(&mut self, name: &str, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        match self.members.get(name) {
            None | Some(Value::Null) => self.refuse(name, "This field is required.".to_owned()),
            Some(_) => self.optional(name, parse),
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

    fn wrong_fields(body: &Value) -> Vec<String> {
        match SmsRequest::from_json(body) {
            Ok(_) => Vec::new(),
            Err(problem) => problem.details.into_iter().map(|wrong| wrong.field).collect(),
        }
    }

    #[test]
    fn every_wrong_field_is_told_at_once() {
        let body = json!({ "to": 5, "from": "x", "note": "n".repeat(501), "extra": 1 });
        assert_eq!(wrong_fields(&body), ["extra", "to", "message", "from", "note"]);
        assert_eq!(wrong_fields(&json!({ "to": "+14155550132", "message": "Hello", "from": null })), [""; 0]);
    }

    #[test]
    fn credentials_in_the_body_are_sent_to_the_vault() {
        let body = json!({ "to": "+14155550132", "message": "Hello", "twilioToken": "secret" });
        let problem = SmsRequest::from_json(&body).expect_err("refused");
        assert!(problem.details[0].message.contains("store credentials in the API Vault"));
        assert!(!format!("{problem:?}").contains("secret"));
    }

    #[test]
    fn the_fingerprint_is_of_the_request_as_given() {
        let read = |body: Value| SmsRequest::from_json(&body).expect("valid").fingerprint(Mode::Sandbox);
        let plain = read(json!({ "to": "+14155550132", "message": "Hello" }));
        assert_eq!(
            plain,
            read(json!({ "to": "+1 415 555 0132", "message": "Hello", "note": "why", "idempotencyKey": "k" }))
        );
        assert_ne!(plain, read(json!({ "to": "+14155550132", "message": "Hello", "from": "+15005550006" })));
        assert_ne!(plain, read(json!({ "to": "+14155550132", "message": "Hello." })));
    }
}
