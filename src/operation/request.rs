//! A request to send, read from what came over the wire: every wrong field is told at once.

use serde_json::{Map, Value, json};

use super::audio_url::AudioUrl;
use super::content::{Payload, hash};
use super::message::Message;
use super::speech::{SpeakerId, Speech, SpeechText};
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

    /// Reads a request for a call, which plays a recording or speaks a text; `Err` lists every wrong field. In live mode
    /// the recording must be on the open network.
    pub fn call(body: &Value, mode: Mode) -> Result<Self, Problem> {
        let mut fields = Fields::of(body, "`to` and `text` or `audioUrl`")?;
        fields.refuse_unknown(&["to", "audioUrl", "text", "voiceId", "modelId", "from", "idempotencyKey", "note"]);
        let to = fields.number("to");
        let payload = match (fields.is_given("text"), fields.is_given("audioUrl")) {
            (true, true) => {
                for name in ["text", "audioUrl"] {
                    let message = "A call either speaks a text or plays a recording. Send one of text and audioUrl.";
                    fields.refuse::<()>(name, message.to_owned());
                }
                None
            }
            (true, false) => fields.speech(),
            (false, true) => fields.recording(mode),
            (false, false) => {
                let message = "Send what the call says in text, or the address of a recording in audioUrl.";
                fields.refuse("text", message.to_owned())
            }
        };
        fields.request(to, payload)
    }

    /// SHA-256 of the request as given: absent fields absent, no note, no key, no defaults.
    pub fn fingerprint(&self, mode: Mode) -> [u8; 32] {
        let mut given = self.payload.members();
        let kind = self.payload.kind().as_str();
        for (name, value) in [("kind", kind), ("mode", mode.as_str()), ("to", self.to.as_str())] {
            given.insert(name.to_owned(), json!(value));
        }
        if let Some(from) = &self.from {
            given.insert("from".to_owned(), json!(from.as_str()));
        }
        hash("mission-control request v1", &Value::Object(given).to_string())
    }
}

fn parse_note(text: &str) -> Result<Option<String>, String> {
    let count = text.chars().count();
    if count > NOTE_LIMIT {
        return Err(format!("The note has {count} characters. Keep it under {NOTE_LIMIT}."));
    }
    if text.contains('\0') {
        return Err("The note contains a NUL character. Remove it.".to_owned());
    }
    Ok(Some(text.trim()).filter(|text| !text.is_empty()).map(str::to_owned))
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

    fn speech(&mut self) -> Option<Payload> {
        let text = self.required("text", |text| SpeechText::parse(text).map_err(|error| error.to_string()));
        let mut id = |name| self.optional(name, |id| SpeakerId::parse(id).map_err(|error| error.to_string()));
        let (voice, model) = (id("voiceId"), id("modelId"));
        Some(Payload::Speech(Speech { text: text?, voice, model }))
    }

    fn recording(&mut self, mode: Mode) -> Option<Payload> {
        for name in ["voiceId", "modelId"] {
            if self.is_given(name) {
                self.refuse::<()>(name, "A recording has its voice already. Leave this out, or send text.".to_owned());
            }
        }
        let url = self.required("audioUrl", |text| AudioUrl::parse(text, mode).map_err(|error| error.to_string()));
        url.map(Payload::Recording)
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
        assert_eq!(wrong_fields(Request::call(&body, Mode::Live)), ["extra", "to", "text", "from", "note"]);
        let fine = json!({ "to": "+14155550132", "message": "Hello", "from": null });
        assert_eq!(wrong_fields(Request::sms(&fine)), [""; 0]);
    }

    #[test]
    fn a_call_speaks_a_text_or_plays_a_recording() {
        let wrong = |mut body: Value| {
            body["to"] = json!("+14155550132");
            wrong_fields(Request::call(&body, Mode::Live))
        };
        let url = "https://x.test/a.mp3";
        assert_eq!(wrong(json!({ "text": " Hello " })), [""; 0]);
        assert_eq!(wrong(json!({ "text": "Hello", "voiceId": "v", "modelId": "m", "audioUrl": null })), [""; 0]);
        assert_eq!(wrong(json!({ "text": "Hello", "voiceId": null })), [""; 0]);
        assert_eq!(wrong(json!({})), ["text"]);
        assert_eq!(wrong(json!({ "text": "Hello", "audioUrl": url, "voiceId": "v" })), ["text", "audioUrl"]);
        assert_eq!(wrong(json!({ "text": " ", "voiceId": "a/b", "modelId": 5 })), ["text", "voiceId", "modelId"]);
        assert_eq!(wrong(json!({ "audioUrl": url, "voiceId": "v", "modelId": "m" })), ["voiceId", "modelId"]);
        assert_eq!(wrong(json!({ "voiceId": "v" })), ["text"]);
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

        let speak = |mut body: Value| {
            body["to"] = json!("+14155550132");
            Request::call(&body, Mode::Sandbox).expect("valid").fingerprint(Mode::Sandbox)
        };
        let plain = speak(json!({ "text": "Hello" }));
        assert_eq!(plain, speak(json!({ "text": " Hello\n", "note": "why" })), "white space around it is not heard");
        assert_ne!(plain, speak(json!({ "text": "Hello", "voiceId": "v" })));
        assert_ne!(plain, speak(json!({ "text": "Hello", "modelId": "v" })));
    }
}
