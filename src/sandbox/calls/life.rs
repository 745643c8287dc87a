//! How a call lives: its statuses in Twilio's words, what follows what, and which of it is told.

use std::fmt::{Display, Formatter, Result};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{
    super::{
        answer::date,
        api::API_VERSION,
        living::{Living, Vitals},
        numbers::Pickup,
        shelf::Shelf,
        state::{Shared, State},
    },
    Call, performance,
};

/// A call's status in Twilio's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::sandbox) enum Status {
    Queued,
    /// Dialled. Only callbacks know it; everywhere else it is `ringing` already.
    Initiated,
    Ringing,
    InProgress,
    Completed,
    Busy,
    NoAnswer,
    Failed,
    Canceled,
}

/// A step that a callback can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Event {
    Initiated,
    Ringing,
    Answered,
    /// The end, whatever it is.
    Completed,
}

impl Display for Status {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        formatter.write_str(match self {
            Self::Queued => "queued",
            Self::Initiated => "initiated",
            Self::Ringing => "ringing",
            Self::InProgress => "in-progress",
            Self::Completed => "completed",
            Self::Busy => "busy",
            Self::NoAnswer => "no-answer",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
        })
    }
}

impl Status {
    fn event(self) -> Option<Event> {
        match self {
            Self::Queued => None,
            Self::Initiated => Some(Event::Initiated),
            Self::Ringing => Some(Event::Ringing),
            Self::InProgress => Some(Event::Answered),
            Self::Completed | Self::Busy | Self::NoAnswer | Self::Failed | Self::Canceled => Some(Event::Completed),
        }
    }

    pub(super) fn is_final(self) -> bool {
        self.event() == Some(Event::Completed)
    }

    /// Whether nobody has picked up so far.
    pub(super) fn is_before_answer(self) -> bool {
        matches!(self, Self::Queued | Self::Initiated | Self::Ringing)
    }

    /// The telephone network's last word on a call that is over.
    fn sip_response_code(self, was_answered: bool) -> u16 {
        match self {
            Self::Busy => 486,
            Self::NoAnswer | Self::Canceled => 487,
            Self::Failed if !was_answered => 404,
            _ => 200,
        }
    }
}

impl Call {
    /// The parameters by which Twilio names a call in all its requests.
    pub(super) fn identity(&self) -> Vec<(&'static str, String)> {
        let Vitals { sid, account_sid, to, from, status, .. } = &self.vitals;
        vec![
            ("CallSid", sid.clone()),
            ("AccountSid", account_sid.clone()),
            ("From", from.clone()),
            ("To", to.clone()),
            ("Caller", from.clone()),
            ("Called", to.clone()),
            ("CallStatus", status.to_string()),
            ("ApiVersion", API_VERSION.to_owned()),
            ("Direction", "outbound-api".to_owned()),
        ]
    }

    /// The seconds since it was answered, begun ones too, once it has ended.
    pub(super) fn duration(&self) -> Option<i64> {
        let ended = self.ended_at?;
        let spoken = ended - self.answered_at.unwrap_or(ended);
        Some((spoken + time::Duration::SECOND - time::Duration::NANOSECOND).whole_seconds().max(1))
    }
}

impl Living for Call {
    type Status = Status;

    const KIND: &'static str = "call";
    const SIGNS_HTTPS_PORT: bool = false;

    fn vitals(&self) -> &Vitals<Status> {
        &self.vitals
    }

    fn vitals_mut(&mut self) -> &mut Vitals<Status> {
        &mut self.vitals
    }

    fn shelf(state: &State) -> &Shelf<Self> {
        &state.calls
    }

    fn shelf_mut(state: &mut State) -> &mut Shelf<Self> {
        &mut state.calls
    }

    fn next(&self) -> Option<(Status, Option<u32>)> {
        let next = match (self.vitals.status, Pickup::of(&self.vitals.to)) {
            (Status::Queued, _) => Status::Initiated,
            (Status::Initiated, Pickup::Unreachable) => Status::Failed,
            (Status::Initiated, _) => Status::Ringing,
            (Status::Ringing, Pickup::Busy) => Status::Busy,
            (Status::Ringing, Pickup::Nobody) => Status::NoAnswer,
            (Status::Ringing, _) => Status::InProgress,
            // What was to be played could not be: nobody heard anything, whoever picked up.
            (Status::InProgress, _) if self.vitals.error_code.is_some() => {
                return Some((Status::Failed, self.vitals.error_code));
            }
            (Status::InProgress, _) => Status::Completed,
            _ => return None,
        };
        Some((next, None))
    }

    fn settle_in(&mut self, at: OffsetDateTime) {
        self.steps += 1;
        match self.vitals.status {
            Status::InProgress => self.answered_at = Some(at),
            Status::Completed => self.ended_at = Some(at),
            Status::Failed if self.answered_at.is_some() => self.ended_at = Some(at),
            _ => {}
        }
        if self.vitals.status != Status::Queued {
            self.started_at.get_or_insert(at);
        }
    }

    fn is_reportable(&self) -> bool {
        let is_wanted = self.vitals.status.event().is_some_and(|event| self.events.contains(&event));
        is_wanted && Pickup::of(&self.vitals.to) != Pickup::NeverReported
    }

    fn report(&self) -> Vec<(&'static str, String)> {
        let mut params = self.identity();
        params.extend([
            ("Timestamp", date(self.vitals.updated_at)),
            ("CallbackSource", "call-progress-events".to_owned()),
            // The first step has number 0, whether it was reported or not.
            ("SequenceNumber", self.steps.saturating_sub(1).to_string()),
        ]);
        if self.vitals.status.is_final() {
            let seconds = self.duration().unwrap_or_default();
            params.extend([
                ("CallDuration", seconds.to_string()),
                ("Duration", ((seconds + 59) / 60).to_string()),
                ("SipResponseCode", self.vitals.status.sip_response_code(self.answered_at.is_some()).to_string()),
            ]);
        }
        params.extend(self.vitals.error_code.map(|code| ("ErrorCode", code.to_string())));
        params
    }

    fn is_occupied(&self) -> bool {
        self.vitals.status == Status::InProgress && !self.performed
    }

    async fn occupy(&self, shared: &Shared) {
        if self.is_occupied() {
            performance::perform(shared, self).await;
        }
    }
}
