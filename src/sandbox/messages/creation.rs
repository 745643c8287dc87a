//! The request to create a message: what Twilio objects to, in Twilio's order, and the message it becomes.

use hyper::StatusCode;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{
    super::{answer::Refusal, api::ApiRequest, living::Vitals, now, numbers, random_hex, state::Shared},
    Message, Status,
};

/// Twilio's own limit, in characters.
const LONGEST_BODY: usize = 1600;

/// Twilio's own limits, in seconds.
const VALIDITY_PERIODS: std::ops::RangeInclusive<u32> = 1..=36000;

/// The message that the form asks for, or Twilio's first objection to it.
pub(super) fn parse(shared: &Shared, request: &ApiRequest) -> Result<Message, Refusal> {
    let given = |name| request.given(name);
    let to = given("To").ok_or_else(|| Refusal::bad_request(21604, "A 'To' phone number is required."))?;
    let service = given("MessagingServiceSid");
    let from = given("From");
    if from.or(service).is_none() {
        return Err(Refusal::bad_request(21603, "A 'From' phone number is required."));
    }
    let body = request.form("Body").unwrap_or_default();
    let media = request.form_values("MediaUrl").count();
    if body.is_empty() && media == 0 {
        return Err(Refusal::bad_request(21602, "Message body is required."));
    }
    if body.chars().count() > LONGEST_BODY {
        return Err(Refusal::bad_request(21617, "The concatenated message body exceeds the 1600 character limit"));
    }
    numbers::refuse_recipient(to)?;
    if let Some(from) = from {
        numbers::refuse_sender(from)?;
        if from == to {
            return Err(Refusal::bad_request(21266, "'To' and 'From' number cannot be the same"));
        }
        if !shared.look_up(|register| register.owns(&request.credentials, from)) {
            let message = format!("'From' {from} is not a Twilio phone number or Short Code country mismatch");
            return Err(Refusal::bad_request(21659, message));
        }
    }
    let status_callback = request.status_callback()?;
    if let Some(period) = given("ValidityPeriod") {
        valid_period(period)?;
    }
    let send_at = schedule(service, given("ScheduleType"), given("SendAt"))?;
    let sid = format!("{}{}", if media == 0 { "SM" } else { "MM" }, random_hex());
    let sender = from.or_else(|| request.credentials.numbers().find(|number| *number != to)).unwrap_or_default();
    let status = match (send_at, service) {
        (Some(_), _) => Status::Scheduled,
        (None, Some(_)) => Status::Accepted,
        (None, None) => Status::Queued,
    };
    Ok(Message {
        vitals: Vitals { status_callback, ..Vitals::new(sid, request, to, sender, status) },
        messaging_service_sid: service.map(valid_service).transpose()?,
        sender_is_picked: from.is_none(),
        body: body.to_owned(),
        media,
        send_at,
        sent_at: None,
        redacted: false,
    })
}

fn valid_service(sid: &str) -> Result<String, Refusal> {
    let digits = sid.strip_prefix("MG").unwrap_or_default();
    if digits.len() == 32 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Ok(sid.to_owned());
    }
    Err(Refusal::new(StatusCode::NOT_FOUND, 21701, "The Messaging Service does not exist"))
}

fn valid_period(seconds: &str) -> Result<(), Refusal> {
    match seconds.parse::<u32>() {
        Ok(seconds) if VALIDITY_PERIODS.contains(&seconds) => Ok(()),
        _ => Err(Refusal::bad_request(90007, "The Validity Period must be an integer between 1 and 36000")),
    }
}

/// When to send. Without a messaging service Twilio ignores the schedule and sends at once.
fn schedule(
    service: Option<&str>,
    kind: Option<&str>,
    send_at: Option<&str>,
) -> Result<Option<OffsetDateTime>, Refusal> {
    let (Some(_), Some("fixed"), Some(send_at)) = (service, kind, send_at) else {
        return Ok(None);
    };
    let parsed = OffsetDateTime::parse(send_at, &Rfc3339).ok();
    let window = now() + time::Duration::minutes(15)..=now() + time::Duration::days(35);
    parsed
        .filter(|at| window.contains(at))
        .map(Some)
        .ok_or_else(|| Refusal::bad_request(35114, "Scheduling does not support this timestamp"))
}
