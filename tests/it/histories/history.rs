//! What three logs, kept independently of each other, say about one run: the clients', our database's, and Twilio's.

use mission_control::operation::content::Kind;
use mission_control::operation::status::State;
use time::OffsetDateTime;

/// What goes out.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Content {
    pub(super) kind: Kind,
    pub(super) to: String,
    pub(super) from: String,
    /// The text of an SMS, or the address that a call plays.
    pub(super) says: String,
}

/// What a client was told.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) operation: Option<String>,
}

/// The clients' log: one key, and all that was done with it.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) key: String,
    pub(super) content: Content,
    pub(super) answers: Vec<Answer>,
    /// To another request under the same key.
    pub(super) answers_to_another: Vec<Answer>,
    /// To questions for its operation by id.
    pub(super) reads: Vec<u16>,
    /// Whether a client ever asked to approve it, and whether it heard that it is.
    pub(super) approval_asked: bool,
    pub(super) approval_heard: bool,
}

/// Our database: an operation, and what was decided about it.
#[derive(Clone, Debug)]
pub(super) struct Operation {
    pub(super) id: String,
    pub(super) key: String,
    pub(super) content: Content,
    pub(super) state: State,
    pub(super) digest: String,
    pub(super) approved_digest: Option<String>,
    pub(super) sid: Option<String>,
    /// How often a person said that it is to be sent.
    pub(super) approvals: usize,
    pub(super) needs_attention: bool,
    /// Whether a report with the reference of one of its attempts arrived.
    pub(super) is_reported: bool,
}

/// Our database: a line of the audit.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) object: String,
    pub(super) from: Option<State>,
    pub(super) to: Option<State>,
    /// Whether number, predecessor and hash are what they must be.
    pub(super) is_chained: bool,
}

/// Our database: one try to send.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    pub(super) operation: String,
    pub(super) digest: String,
    pub(super) sid: Option<String>,
    pub(super) started_at: OffsetDateTime,
}

/// Twilio's ledger: what it really took.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) sid: String,
    pub(super) content: Content,
}

/// A time in which nothing may be claimed: from when a client was told of the hold to when its end was written down.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hold {
    pub(super) from: OffsetDateTime,
    pub(super) to: OffsetDateTime,
}

/// Everything.
#[derive(Clone, Debug)]
pub(super) struct History {
    pub(super) requests: Vec<Request>,
    pub(super) holds: Vec<Hold>,
    pub(super) operations: Vec<Operation>,
    /// Of each object in their order.
    pub(super) lines: Vec<Line>,
    pub(super) attempts: Vec<Attempt>,
    pub(super) ledger: Vec<Entry>,
}

impl Operation {
    /// What the audit calls it.
    pub(super) fn object(&self) -> String {
        format!("operation/{}", self.id)
    }

    /// How often Twilio may have taken it: as often as it was approved, and never if it ended before.
    pub(super) fn allowance(&self) -> usize {
        match self.state {
            State::Preparing | State::PendingApproval | State::Rejected | State::Expired | State::Cancelled => 0,
            _ => self.approvals,
        }
    }
}
