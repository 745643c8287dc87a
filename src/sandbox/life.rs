//! The life of a message after its acceptance, one status after another, each reported.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use super::{callback, messages::Message, now, numbers::Fate, state::Shared};

/// A message's status in Twilio's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
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

impl Status {
    pub(super) fn name(self) -> &'static str {
        match self {
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
        }
    }

    /// Whether the message has left Twilio.
    pub(super) fn is_out(self) -> bool {
        matches!(self, Self::Sent | Self::Delivered | Self::Undelivered | Self::Read)
    }
}

/// Whether a message was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Made,
    Nothing,
}

/// The order in which the steps of one life are reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    AsItHappens,
    PairsReversed,
}

/// The status after the present one, and the error that it brings; `None` where the message rests.
fn next(message: &Message) -> Option<(Status, Option<u32>)> {
    if message.driven {
        return None;
    }
    match (message.status, Fate::of(&message.to)) {
        (Status::Accepted | Status::Scheduled, _) => Some((Status::Queued, None)),
        (Status::Queued | Status::Sending, Fate::Failed(code)) => Some((Status::Failed, Some(code))),
        (Status::Queued | Status::Sending, _) => Some((Status::Sent, None)),
        (Status::Sent, Fate::Delivered) => Some((Status::Delivered, None)),
        (Status::Sent, Fate::Undelivered(code)) => Some((Status::Undelivered, Some(code))),
        _ => None,
    }
}

pub(super) fn is_unfinished(message: &Message) -> bool {
    !message.reported || next(message).is_some()
}

/// Puts a message into a status: times, the error, and the duty to report it.
pub(super) fn enter(message: &mut Message, status: Status, error_code: Option<u32>) {
    let at = now();
    message.status = status;
    message.error_code = error_code;
    message.updated_at = at;
    message.reported = message.status_callback.is_none();
    if status.is_out() {
        message.sent_at.get_or_insert(at);
    }
}

/// Takes a message one status further. A message changed meanwhile (canceled, driven by hand) stays as it is.
fn advance(shared: &Shared, seen: &Message) -> Option<Message> {
    shared.change(&seen.sid, |message| match next(message) {
        Some((status, error_code)) if message.status == seen.status => {
            enter(message, status, error_code);
            Change::Made
        }
        _ => Change::Nothing,
    })
}

/// Reports the status of `message` and remembers that it was reported, unless the sandbox stopped in between.
pub(super) async fn report(shared: &Shared, message: &Message) -> callback::Outcome {
    let outcome = callback::deliver(shared, message).await;
    if outcome != callback::Outcome::Stopped {
        shared.change(&message.sid, |current| {
            if current.reported || current.status != message.status {
                return Change::Nothing;
            }
            current.reported = true;
            Change::Made
        });
    }
    outcome
}

/// One step now, whatever the pace: for a callback that outruns the answer.
pub(super) async fn step(shared: &Shared, message: &Message) {
    if let Some(message) = advance(shared, message) {
        report(shared, &message).await;
    }
}

/// Follows a message until it rests.
pub(super) async fn follow(shared: Arc<Shared>, sid: String, order: Order) {
    let Some(pace) = shared.pace.step() else {
        return;
    };
    let mut held = None;
    while let Some(message) = shared.find(&sid).filter(|message| next(message).is_some()) {
        if !shared.pause(pace.max(until_due(&message))).await {
            return;
        }
        let Some(message) = advance(&shared, &message) else {
            continue;
        };
        if order == Order::PairsReversed && held.is_none() && next(&message).is_some() {
            held = Some(message);
            continue;
        }
        for message in std::iter::once(message).chain(held.take()) {
            report(&shared, &message).await;
        }
    }
}

/// Goes on after a restart. A status whose report is not known to be through is reported (again) first.
pub(super) async fn resume(shared: Arc<Shared>, sid: String) {
    if let Some(message) = shared.find(&sid).filter(|message| !message.reported) {
        if !shared.pause(shared.pace.step().unwrap_or_default()).await {
            return;
        }
        report(&shared, &message).await;
    }
    follow(shared, sid, Order::AsItHappens).await;
}

/// How long a scheduled message still has to wait.
fn until_due(message: &Message) -> Duration {
    let wait = message.send_at.filter(|_| message.status == Status::Scheduled).map(|at| at - now());
    wait.and_then(|wait| Duration::try_from(wait).ok()).unwrap_or_default()
}
