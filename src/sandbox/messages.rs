//! The Messages resource: create, fetch, list, update, delete.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::{Date, OffsetDateTime, format_description::well_known::Rfc3339, macros::format_description};

use super::{
    accounts,
    answer::{Refusal, date},
    api::{API_VERSION, ApiRequest},
    creation,
    faults::Moment,
    life::{self, Change, Status},
    now, numbers, paging, segments,
    state::Shared,
};

/// Price of one segment in hundred-thousandths of a dollar; any will do, as long as it shows up negative.
const SEGMENT_PRICE: usize = 750;

/// A message that was accepted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Message {
    pub(super) sid: String,
    pub(super) account_sid: String,
    pub(super) to: String,
    pub(super) from: String,
    pub(super) messaging_service_sid: Option<String>,
    /// The sender is the messaging service's choice, which shows only once the message is queued.
    pub(super) sender_is_picked: bool,
    /// As accepted, also after a redaction.
    pub(super) body: String,
    pub(super) media: usize,
    pub(super) status_callback: Option<String>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub(super) send_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339")]
    pub(super) accepted_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    pub(super) updated_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    pub(super) sent_at: Option<OffsetDateTime>,
    pub(super) status: Status,
    pub(super) error_code: Option<u32>,
    pub(super) content: Content,
    /// Its life is driven by hand from now on.
    pub(super) driven: bool,
    /// The present status needs no report any more.
    pub(super) reported: bool,
}

/// What is left of a message for those who ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Content {
    Kept,
    Redacted,
    Deleted,
}

impl Message {
    fn sender(&self) -> Option<&str> {
        let is_open = self.sender_is_picked && matches!(self.status, Status::Accepted | Status::Scheduled);
        (!is_open).then_some(self.from.as_str())
    }

    fn resource(&self) -> Value {
        let uri = format!("/{API_VERSION}/Accounts/{}/Messages/{}", self.account_sid, self.sid);
        let sender = self.sender();
        let segments = sender.map_or(0, |_| segments::count(&self.body));
        let price = segments * SEGMENT_PRICE;
        json!({
            "sid": self.sid,
            "account_sid": self.account_sid,
            "api_version": API_VERSION,
            "to": self.to,
            "from": sender,
            "messaging_service_sid": self.messaging_service_sid,
            "body": if self.content == Content::Kept { &self.body } else { "" },
            "status": self.status,
            "direction": "outbound-api",
            "num_segments": segments.to_string(),
            "num_media": self.media.to_string(),
            "error_code": self.error_code,
            "error_message": self.error_code.and_then(numbers::error_message),
            "price": self.sent_at.map(|_| format!("-{}.{:05}", price / 100_000, price % 100_000)),
            "price_unit": "USD",
            "date_created": date(self.accepted_at),
            "date_updated": date(self.updated_at),
            "date_sent": self.sent_at.map(date),
            "uri": format!("{uri}.json"),
            "subresource_uris": { "media": format!("{uri}/Media.json") },
        })
    }
}

pub(super) async fn create(shared: &Arc<Shared>, request: &ApiRequest) -> Result<Value, Refusal> {
    accounts::refuse_inactive(shared, request)?;
    let message = creation::parse(shared, request)?;
    shared.accept(message.clone())?;
    tracing::info!(event = "sandbox.message.accepted", sid = message.sid, "the sandbox accepted {}", message.sid);
    let fault = shared.take_fault(Moment::Acceptance, Some(&message.to));
    let (living, newborn) = (Arc::clone(shared), message.clone());
    // A task of its own: a caller that hangs up now must not end the message's life.
    let begun = shared.tasks.spawn(async move {
        if fault.is_some() {
            life::step(&living, &newborn).await;
        }
        living.begin(&newborn);
    });
    // It panicked if this is an error; the message is accepted all the same.
    let _ = begun.await;
    Ok(message.resource())
}

/// The account's message; a deleted one is as if it had never been.
fn find(shared: &Shared, request: &ApiRequest, sid: &str) -> Result<Message, Refusal> {
    shared
        .find(sid)
        .filter(|message| message.content != Content::Deleted && message.account_sid == request.credentials.account_sid)
        .ok_or_else(|| Refusal::not_found(&request.path))
}

pub(super) fn fetch(shared: &Shared, request: &ApiRequest, sid: &str) -> Result<Value, Refusal> {
    find(shared, request, sid).map(|message| message.resource())
}

/// Redacts (`Body=`) or cancels (`Status=canceled`).
pub(super) fn update(shared: &Arc<Shared>, request: &ApiRequest, sid: &str) -> Result<Value, Refusal> {
    let message = find(shared, request, sid)?;
    match (request.form("Body"), request.form("Status")) {
        (Some(body), _) if !body.is_empty() => {
            return Err(Refusal::bad_request(20001, "Invalid parameter: Body may only be set to an empty string"));
        }
        (_, Some("canceled")) => cancel(shared, &message)?,
        (_, Some(_)) => return Err(Refusal::invalid("Status")),
        (Some(_), None) => {
            shared.change(sid, |message| {
                message.content = Content::Redacted;
                message.updated_at = now();
                Change::Made
            });
        }
        (None, None) => {}
    }
    fetch(shared, request, sid)
}

fn cancel(shared: &Arc<Shared>, message: &Message) -> Result<(), Refusal> {
    let canceled = shared.change(&message.sid, |message| {
        if message.status != Status::Scheduled {
            return Change::Nothing;
        }
        life::enter(message, Status::Canceled, None);
        Change::Made
    });
    let canceled = canceled.ok_or_else(|| Refusal::bad_request(30409, "This message cannot be canceled"))?;
    let reporter = Arc::clone(shared);
    shared.tasks.spawn(async move { life::report(&reporter, &canceled).await });
    Ok(())
}

pub(super) fn delete(shared: &Shared, request: &ApiRequest, sid: &str) -> Result<(), Refusal> {
    find(shared, request, sid)?;
    shared.change(sid, |message| {
        message.content = Content::Deleted;
        Change::Made
    });
    Ok(())
}

pub(super) fn list(shared: &Shared, request: &ApiRequest) -> Result<Value, Refusal> {
    let equals = |filter: &str, value: Option<&str>| request.query(filter).is_none_or(|wanted| Some(wanted) == value);
    let on = request.query("DateSent").map(Moments::parse).transpose()?;
    let until = request.query("DateSent<").map(Moments::parse).transpose()?;
    let since = request.query("DateSent>").map(Moments::parse).transpose()?;
    let in_time = |sent: Option<OffsetDateTime>| match sent {
        // What is not sent yet has no date, so no date filter finds it.
        None => on.is_none() && until.is_none() && since.is_none(),
        Some(sent) => {
            on.as_ref().is_none_or(|day| day.first.date() == sent.date())
                && until.as_ref().is_none_or(|day| sent <= day.last)
                && since.as_ref().is_none_or(|day| sent >= day.first)
        }
    };
    let account = &request.credentials.account_sid;
    let messages = shared.list(|message| {
        message.account_sid == *account
            && equals("To", Some(&message.to))
            && equals("From", message.sender())
            && in_time(message.sent_at)
    });
    paging::page("messages", &request.path, &request.query, &messages, |message| &message.sid, Message::resource)
}

/// The time that a date filter names: a whole day in GMT, or one instant.
struct Moments {
    first: OffsetDateTime,
    last: OffsetDateTime,
}

impl Moments {
    fn parse(text: &str) -> Result<Self, Refusal> {
        if let Ok(day) = Date::parse(text, format_description!("[year]-[month]-[day]")) {
            let first = day.midnight().assume_utc();
            return Ok(Self { first, last: first + time::Duration::DAY - time::Duration::NANOSECOND });
        }
        let at = OffsetDateTime::parse(text, &Rfc3339)
            .map_err(|_| Refusal::bad_request(20001, format!("Invalid parameter: DateSent {text}")))?
            .to_offset(time::UtcOffset::UTC);
        Ok(Self { first: at, last: at })
    }
}
