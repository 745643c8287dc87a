//! What a client asked for, and what it was told.

use reqwest::Method;
use serde_json::{Value, json};

use super::harness::Sweep;
use crate::support::service::text;

/// An operation as its client knows it.
pub(super) struct Asked {
    /// The idempotency key: a client that got no answer asks again with it.
    pub(super) key: String,
    pub(super) to: String,
    pub(super) message: String,
    /// The first answer, if there was one.
    pub(super) answer: Option<Value>,
}

impl Asked {
    /// The id that the client was told.
    pub(super) fn id(&self) -> Option<String> {
        self.answer.as_ref().map(|answer| text(&answer["operationId"]))
    }

    /// The same, asked for by a client that was told nothing.
    pub(super) fn untold(&self) -> Self {
        Self { key: self.key.clone(), to: self.to.clone(), message: self.message.clone(), answer: None }
    }

    pub(super) fn told_id(&self) -> String {
        self.id().expect("the client was answered")
    }
}

impl Sweep {
    /// An operation that nobody was asked for yet.
    pub(super) fn new_operation(&mut self, to: &str, message: &str) -> Asked {
        self.number += 1;
        let key = format!("sweep-{}", self.number);
        Asked { key, to: to.to_owned(), message: message.to_owned(), answer: None }
    }

    /// A recipient of its own, so that Twilio's ledger tells the operations apart.
    pub(super) fn new_recipient(&mut self) -> String {
        self.number += 1;
        format!("+1415555{:04}", self.number)
    }

    /// Asks for it. A connection that breaks is no answer.
    pub(super) async fn ask(&self, asked: &mut Asked) {
        let body = json!({ "to": asked.to, "message": asked.message, "idempotencyKey": asked.key });
        let answer = self.try_call(Method::POST, "/api/twilio/send-sms", body).await;
        if let Some((status, answer)) = answer
            && status.is_success()
        {
            asked.answer = Some(answer);
        }
    }

    /// Approves it, and answers whether that was confirmed.
    pub(super) async fn approve(&self, asked: &Asked) -> bool {
        let path = format!("/api/operations/{}/approve", asked.told_id());
        let digest = asked.answer.as_ref().map(|answer| &answer["digest"]);
        let answer = self.try_call(Method::POST, &path, json!({ "digest": digest })).await;
        answer.is_some_and(|(status, _)| status.is_success())
    }
}
