//! The states of an operation and the one table of legal moves. Pure; the database holds the same table as a trigger,
//! and a test compares the two over the whole product.

use std::fmt;
use std::str::FromStr;

use axum::http::StatusCode;

/// Where an operation stands.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, sqlx::Type, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum State {
    /// Its speech is being made.
    Preparing,
    /// It waits for a person.
    PendingApproval,
    /// A person said yes to exactly this content; it may be claimed.
    Approved,
    /// It is claimed; the request may be on its way.
    Sending,
    /// Twilio has it.
    Accepted,
    /// It arrived. For a call: it was completed.
    Delivered,
    /// It will not arrive, for a known reason.
    Failed,
    /// It may have been sent; nobody knows yet.
    Unknown,
    /// The evidence does not settle it; a person must.
    NeedsReview,
    /// A person said no.
    Rejected,
    /// Its time ran out before it was decided or sent.
    Expired,
    /// It was withdrawn.
    Cancelled,
}

impl State {
    /// Every state, in the order of the flow.
    pub const ALL: [Self; 12] = [
        Self::Preparing,
        Self::PendingApproval,
        Self::Approved,
        Self::Sending,
        Self::Accepted,
        Self::Delivered,
        Self::Failed,
        Self::Unknown,
        Self::NeedsReview,
        Self::Rejected,
        Self::Expired,
        Self::Cancelled,
    ];

    /// Whether the move to `next` is legal. **There is no way from `sending` or `unknown` to `approved` on a timer
    /// alone**: those two moves need proof that nothing was sent, or it is sent twice.
    pub const fn may_become(self, next: Self) -> bool {
        use State::{
            Accepted, Approved, Cancelled, Delivered, Expired, Failed, NeedsReview, PendingApproval, Preparing,
            Rejected, Sending, Unknown,
        };
        match self {
            Preparing => matches!(next, PendingApproval | Failed | Expired | Cancelled),
            PendingApproval => matches!(next, Approved | Rejected | Expired | Cancelled),
            Approved => matches!(next, PendingApproval | Sending | Expired | Cancelled),
            Sending => matches!(next, Approved | Accepted | Delivered | Failed | Unknown),
            Accepted => matches!(next, Delivered | Failed),
            Unknown => matches!(next, Accepted | Delivered | Failed | Approved | NeedsReview),
            NeedsReview => matches!(next, Accepted | Delivered | Failed | Approved),
            Delivered | Failed | Rejected | Expired | Cancelled => false,
        }
    }

    /// Whether no move leads out of it.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Delivered | Self::Failed | Self::Rejected | Self::Expired | Self::Cancelled)
    }

    /// Whether a caller who waits has its answer: Twilio has the operation, or it has ended.
    pub const fn answers_a_wait(self) -> bool {
        matches!(self, Self::Accepted) || self.is_final()
    }

    /// The HTTP status of an answer about an operation in this state; the same for first answers, replays and waits.
    pub const fn http_status(self, has_sid: bool) -> StatusCode {
        match self {
            Self::Preparing
            | Self::PendingApproval
            | Self::Approved
            | Self::Sending
            | Self::Unknown
            | Self::NeedsReview => StatusCode::ACCEPTED,
            Self::Accepted | Self::Delivered => StatusCode::OK,
            Self::Failed if has_sid => StatusCode::OK,
            Self::Failed => StatusCode::BAD_GATEWAY,
            Self::Rejected | Self::Cancelled => StatusCode::CONFLICT,
            Self::Expired => StatusCode::GONE,
        }
    }

    /// The state's name in the API, the logs and the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Preparing => "preparing",
            Self::PendingApproval => "pending_approval",
            Self::Approved => "approved",
            Self::Sending => "sending",
            Self::Accepted => "accepted",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::NeedsReview => "needs_review",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for State {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::State;

    #[test]
    fn final_states_have_no_way_out_and_others_have_one() {
        for state in State::ALL {
            let ways = State::ALL.into_iter().filter(|next| state.may_become(*next)).count();
            assert_eq!(state.is_final(), ways == 0, "{state}");
            assert!(!state.may_become(state), "{state} moves to itself");
        }
    }

    #[test]
    fn only_a_sent_operation_comes_back_to_approved() {
        let back: Vec<State> = State::ALL.into_iter().filter(|state| state.may_become(State::Approved)).collect();
        assert_eq!(back, [State::PendingApproval, State::Sending, State::Unknown, State::NeedsReview]);
    }

    #[test]
    fn only_an_approved_operation_is_sent() {
        let before: Vec<State> = State::ALL.into_iter().filter(|state| state.may_become(State::Sending)).collect();
        assert_eq!(before, [State::Approved]);
    }

    #[test]
    fn names_read_back() {
        for state in State::ALL {
            assert_eq!(state.as_str().parse(), Ok(state));
        }
    }
}
