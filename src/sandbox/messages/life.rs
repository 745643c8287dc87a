//! How a message lives: its statuses in Twilio's words, and what follows what.

use std::{
    fmt::{Display, Formatter, Result},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, macros::format_description};

use super::{
    super::{
        api::API_VERSION,
        living::{Living, Vitals},
        now,
        numbers::Fate,
        shelf::Shelf,
        state::State,
    },
    Message,
};

/// A message's status in Twilio's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::sandbox) enum Status {
    Accepted,
    Scheduled,
    Queued,
    Sending,
    Sent,
    Delivered,
    Undelivered,
    Failed,
    Canceled,
    Read,
}

impl Display for Status {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        formatter.write_str(match self {
            Self::Accepted => "accepted",
            Self::Scheduled => "scheduled",
            Self::Queued => "queued",
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Undelivered => "undelivered",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
            Self::Read => "read",
        })
    }
}

impl Status {
    /// Whether the message has left Twilio.
    fn is_out(self) -> bool {
        matches!(self, Self::Sent | Self::Delivered | Self::Undelivered | Self::Read)
    }
}

impl Living for Message {
    type Status = Status;

    const KIND: &'static str = "message";
    const SIGNS_HTTPS_PORT: bool = true;

    fn vitals(&self) -> &Vitals<Status> {
        &self.vitals
    }

    fn vitals_mut(&mut self) -> &mut Vitals<Status> {
        &mut self.vitals
    }

    fn shelf(state: &State) -> &Shelf<Self> {
        &state.messages
    }

    fn shelf_mut(state: &mut State) -> &mut Shelf<Self> {
        &mut state.messages
    }

    fn next(&self) -> Option<(Status, Option<u32>)> {
        match (self.vitals.status, Fate::of(&self.vitals.to)) {
            (Status::Accepted | Status::Scheduled, _) => Some((Status::Queued, None)),
            (Status::Queued | Status::Sending, Fate::Failed(code)) => Some((Status::Failed, Some(code))),
            (Status::Queued | Status::Sending, _) => Some((Status::Sent, None)),
            (Status::Sent, Fate::Delivered) => Some((Status::Delivered, None)),
            (Status::Sent, Fate::Undelivered(code)) => Some((Status::Undelivered, Some(code))),
            _ => None,
        }
    }

    fn settle_in(&mut self, at: OffsetDateTime) {
        if self.vitals.status.is_out() {
            self.sent_at.get_or_insert(at);
        }
    }

    fn report(&self) -> Vec<(&'static str, String)> {
        let Vitals { sid, account_sid, to, from, status, error_code, .. } = &self.vitals;
        let mut params = vec![
            ("MessageSid", sid.clone()),
            ("SmsSid", sid.clone()),
            ("AccountSid", account_sid.clone()),
            ("From", from.clone()),
            ("To", to.clone()),
            ("MessageStatus", status.to_string()),
            ("SmsStatus", status.to_string()),
            ("ApiVersion", API_VERSION.to_owned()),
        ];
        if let Some(service) = &self.messaging_service_sid {
            params.push(("MessagingServiceSid", service.clone()));
        }
        if let Some(code) = error_code.filter(|_| matches!(status, Status::Failed | Status::Undelivered)) {
            params.push(("ErrorCode", code.to_string()));
        }
        if matches!(status, Status::Delivered | Status::Undelivered) {
            let done = now().format(format_description!("[year repr:last_two][month][day][hour][minute]"));
            params.push(("RawDlrDoneDate", done.expect("every time has these parts")));
        }
        params
    }

    /// How long a scheduled message still has to wait.
    fn until_due(&self) -> Duration {
        let wait = self.send_at.filter(|_| self.vitals.status == Status::Scheduled).map(|at| at - now());
        wait.and_then(|wait| Duration::try_from(wait).ok()).unwrap_or_default()
    }
}
