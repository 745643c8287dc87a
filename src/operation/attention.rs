//! Why an operation stands under "Needs attention". *That* it does, `needs_attention` says in the database, for the page,
//! the count and the filter alike; this says it in words of the API.

use time::Duration;

use super::status::State;
use super::store::Operation;

/// How long an outcome may be unknown before a person should look, as in `needs_attention`.
const UNKNOWN_FOR: Duration = Duration::minutes(5);

/// How long an approved operation may wait for its turn, as in `needs_attention`.
const WAITING_FOR: Duration = Duration::minutes(10);

/// A reason for which a person must look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Attention {
    /// It may have gone out twice.
    DuplicateSuspected,
    /// What Twilio reported contradicts what stood here.
    Conflicted,
    /// The evidence does not settle it.
    NeedsReview,
    /// Nobody knows, and not for a moment only.
    UnknownForLong,
    /// It should have been sent by now, or be known not to be.
    SendingPastDeadline,
    /// Another one that looks the same stands in its way.
    Blocked,
    /// It is held, or tried in vain.
    WaitingForLong,
    /// Somebody wanted it, and it was never sent.
    ExpiredAfterApproval,
    /// The call took place, and its recording was never fetched.
    AudioNotFetched,
}

impl Operation {
    /// The reasons that hold, the most urgent first; none once somebody has taken note of them.
    pub fn attention(&self) -> Vec<Attention> {
        if !self.needs_attention {
            return Vec::new();
        }
        let is_past = |at, patience| matches!(at, Some(at) if at < self.read_at - patience);
        let waits = self.state == State::Approved && is_past(self.approved_at, WAITING_FOR);
        let is_sending = self.state == State::Sending;
        let is_unknown = self.state == State::Unknown;
        [
            (Attention::DuplicateSuspected, self.duplicate_suspected_at.is_some()),
            (Attention::Conflicted, self.conflicted_at.is_some()),
            (Attention::NeedsReview, self.state == State::NeedsReview),
            (Attention::UnknownForLong, is_unknown && is_past(self.unknown_since, UNKNOWN_FOR)),
            (Attention::SendingPastDeadline, is_sending && is_past(self.sending_deadline, Duration::ZERO)),
            (Attention::Blocked, waits && self.blocked_by.is_some()),
            (Attention::WaitingForLong, waits && self.blocked_by.is_none()),
            (Attention::ExpiredAfterApproval, self.state == State::Expired && self.approved_at.is_some()),
            (Attention::AudioNotFetched, self.audio_not_fetched_at.is_some()),
        ]
        .into_iter()
        .filter_map(|(reason, holds)| holds.then_some(reason))
        .collect()
    }
}
