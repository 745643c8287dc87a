//! The Messages resource: create, fetch, list, update, delete.

mod creation;
mod life;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::OffsetDateTime;

use self::life::Status;
use super::{
    accounts,
    answer::{Refusal, date},
    api::{API_VERSION, ApiRequest},
    life::{Change, begin, find, intervene},
    living::Vitals,
    now, numbers, paging,
    period::Period,
    segments,
    state::Shared,
};

/// Price of one segment in hundred-thousandths of a dollar; any will do, as long as it shows up negative.
const SEGMENT_PRICE: usize = 750;

/// A message that was accepted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Message {
    #[serde(flatten)]
    vitals: Vitals<Status>,
    messaging_service_sid: Option<String>,
    /// The sender is the messaging service's choice, which shows only once the message is queued.
    sender_is_picked: bool,
    /// As accepted, also after a redaction.
    pub(super) body: String,
    media: usize,
    #[serde(with = "time::serde::rfc3339::option")]
    send_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    sent_at: Option<OffsetDateTime>,
    /// The text is gone for those who ask.
    #[serde(default)]
    redacted: bool,
}

impl Message {
    fn sender(&self) -> Option<&str> {
        let is_open = self.sender_is_picked && matches!(self.vitals.status, Status::Accepted | Status::Scheduled);
        (!is_open).then_some(self.vitals.from.as_str())
    }

    fn resource(&self) -> Value {
        let Vitals { sid, account_sid, to, status, accepted_at, updated_at, error_code, .. } = &self.vitals;
        let uri = format!("/{API_VERSION}/Accounts/{account_sid}/Messages/{sid}");
        let sender = self.sender();
        let segments = sender.map_or(0, |_| segments::count(&self.body));
        let price = segments * SEGMENT_PRICE;
        json!({
            "sid": sid,
            "account_sid": account_sid,
            "api_version": API_VERSION,
            "to": to,
            "from": sender,
            "messaging_service_sid": self.messaging_service_sid,
            "body": if self.redacted { "" } else { &self.body },
            "status": status,
            "direction": "outbound-api",
            "num_segments": segments.to_string(),
            "num_media": self.media.to_string(),
            "error_code": error_code,
            "error_message": error_code.and_then(numbers::error_message),
            "price": self.sent_at.map(|_| format!("-{}.{:05}", price / 100_000, price % 100_000)),
            "price_unit": "USD",
            "date_created": date(*accepted_at),
            "date_updated": date(*updated_at),
            "date_sent": self.sent_at.map(date),
            "uri": format!("{uri}.json"),
            "subresource_uris": { "media": format!("{uri}/Media.json") },
        })
    }
}

pub(super) async fn create(shared: &Arc<Shared>, request: &ApiRequest) -> Result<Value, Refusal> {
    accounts::refuse_inactive(shared, request)?;
    begin(shared, creation::parse(shared, request)?).await.map(|message| message.resource())
}

pub(super) fn fetch(shared: &Shared, request: &ApiRequest, sid: &str) -> Result<Value, Refusal> {
    find(shared, request, sid).map(|message: Message| message.resource())
}

/// Redacts (`Body=`) or cancels (`Status=canceled`).
pub(super) fn update(shared: &Arc<Shared>, request: &ApiRequest, sid: &str) -> Result<Value, Refusal> {
    find::<Message>(shared, request, sid)?;
    match (request.form("Body"), request.form("Status")) {
        (Some(body), _) if !body.is_empty() => {
            return Err(Refusal::bad_request(20001, "Invalid parameter: Body may only be set to an empty string"));
        }
        (_, Some("canceled")) => {
            let is_waiting = |message: &Message| message.vitals.status == Status::Scheduled;
            intervene(shared, sid, |message| is_waiting(message).then_some(Status::Canceled))
                .ok_or_else(|| Refusal::bad_request(30409, "This message cannot be canceled"))?;
        }
        (_, Some(_)) => return Err(Refusal::invalid("Status")),
        (Some(_), None) => {
            shared.change(sid, |message: &mut Message| {
                message.redacted = true;
                message.vitals.updated_at = now();
                Change::Made
            });
        }
        (None, None) => {}
    }
    fetch(shared, request, sid)
}

pub(super) fn list(shared: &Shared, request: &ApiRequest) -> Result<Value, Refusal> {
    let sent = Period::of(request, "DateSent")?;
    let messages = shared.list(request, |message: &Message| {
        request.filters("To", Some(&message.vitals.to))
            && request.filters("From", message.sender())
            && sent.includes(message.sent_at)
    });
    paging::page("messages", &request.path, &request.query, &messages, |one| &one.vitals.sid, Message::resource)
}
