//! What there is at one moment: the rows in PostgreSQL, who is doing what with each attempt, and what Twilio has.

use super::rules::Budget;

/// Identical operations: same sender, same recipient, same words. One with another match key shares nothing with them
/// but the workers.
pub(super) const OPERATIONS: usize = 2;

/// Most attempts of one operation: the first, two resends, and those that were provably not sent. Were it too few, an
/// operation would stay approved for ever, and [`super::properties`] would say so.
const ATTEMPTS: usize = 6;

/// One attempt, by its operation and number. A message is accepted once for it at most, so this is the message's SID too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Name {
    pub(super) operation: u8,
    pub(super) number: u8,
}

/// The SID of somebody else's message.
pub(super) const STRANGER: Name = Name { operation: u8::MAX, number: 0 };

/// Where an operation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Standing {
    Approved,
    Sending,
    Unknown,
    NeedsReview,
    Accepted,
}

/// How a SID was bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Evidence {
    Answer,
    Report,
    List,
}

/// A row of `operations`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Operation {
    pub(super) standing: Standing,
    pub(super) attempts: u8,
    /// Automatic ones.
    pub(super) resends: u8,
    pub(super) duplicate_suspected: bool,
    pub(super) bound: Option<(Name, Evidence)>,
}

/// The state of a row of `attempts`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Verdict {
    Sending,
    Unknown,
    NeedsReview,
    Accepted,
    NotSent,
    Absent,
}

/// How much time has passed for an open attempt, as far as the protocol can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Phase {
    /// Claimed a moment ago: enough is left of the deadline.
    Fresh,
    /// Past the deadline.
    Overdue,
    /// The settle time is over.
    Settled,
    /// Twilio's list was read once, and the attempt's message was not on it.
    ReadOnce,
    /// That was 60 s ago, or the attempt is closed.
    Last,
}

/// What the process that claimed an attempt is about to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Owner {
    /// Nothing: it is done, or dead.
    Gone,
    /// Pass the fence.
    Claimed,
    /// Look at the clock: the fence was passed less than 5 s ago.
    Fenced,
    /// Look at the clock: the fence was passed long ago.
    Stale,
    /// Write the request.
    Cleared,
    /// Record what comes of it.
    Waiting,
    /// Record that nothing left.
    NotSent,
}

/// The request of an attempt, then its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Post {
    /// Not written, or lost.
    Nothing,
    InFlight,
    /// Twilio has it, and does not list it yet.
    Accepted,
    /// The same, and a settle time has passed since.
    Aged,
    Listed,
}

/// What Twilio says of a message by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Report {
    Due,
    Stored,
    /// Lost, however often Twilio tried.
    Never,
}

/// A row of `attempts` with all that belongs to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Attempt {
    pub(super) verdict: Verdict,
    pub(super) phase: Phase,
    pub(super) owner: Owner,
    /// Whether the owner's session holds the attempt's lock.
    pub(super) locked: bool,
    pub(super) post: Post,
    pub(super) report: Report,
}

impl Attempt {
    /// What a claim inserts.
    pub(super) const CLAIMED: Self = Self {
        verdict: Verdict::Sending,
        phase: Phase::Fresh,
        owner: Owner::Claimed,
        locked: false,
        post: Post::Nothing,
        report: Report::Due,
    };

    /// Whether it blocks its twins: the unique index of the match key.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.verdict, Verdict::Sending | Verdict::Unknown)
    }

    /// Whether a message could be its own though nobody bound one: neither answered nor provably absent.
    pub(super) fn lacks_its_sid(&self) -> bool {
        self.is_open() || self.verdict == Verdict::NeedsReview
    }

    /// Whether Twilio has its message.
    pub(super) fn was_accepted(&self) -> bool {
        matches!(self.post, Post::Accepted | Post::Aged | Post::Listed)
    }

    /// Gives it its last verdict; time matters no more.
    pub(super) fn close(&mut self, verdict: Verdict) {
        self.verdict = verdict;
        self.phase = Phase::Last;
    }

    /// Ends its owner, in whichever way; PostgreSQL frees the lock.
    pub(super) fn disown(&mut self) {
        self.owner = Owner::Gone;
        self.locked = false;
    }
}

/// Everything.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct State {
    pub(super) operations: [Operation; OPERATIONS],
    /// Those that were not made yet are as a claim will insert them.
    attempts: [[Attempt; ATTEMPTS]; OPERATIONS],
    /// Whether Twilio lists an identical message of somebody else.
    pub(super) lists_a_stranger: bool,
    /// What may still go wrong.
    pub(super) faults: Budget,
}

impl State {
    /// Two people approved the same words to the same number.
    pub(super) fn approved(faults: Budget) -> Self {
        let operation = Operation {
            standing: Standing::Approved,
            attempts: 0,
            resends: 0,
            duplicate_suspected: false,
            bound: None,
        };
        let attempts = [[Attempt::CLAIMED; ATTEMPTS]; OPERATIONS];
        Self { operations: [operation; OPERATIONS], attempts, lists_a_stranger: false, faults }
    }

    /// Every attempt so far.
    pub(super) fn attempts(&self) -> impl Iterator<Item = (Name, &Attempt)> {
        (0_u8..).zip(self.by_operation()).flat_map(|(operation, (_, attempts))| {
            (0_u8..).zip(attempts).map(move |(number, attempt)| (Name { operation, number }, attempt))
        })
    }

    /// Each operation with its attempts.
    pub(super) fn by_operation(&self) -> impl Iterator<Item = (&Operation, &[Attempt])> {
        self.operations.iter().zip(&self.attempts).map(|(row, attempts)| (row, &attempts[..row.attempts.into()]))
    }

    pub(super) fn attempt(&self, name: Name) -> &Attempt {
        &self.attempts[usize::from(name.operation)][usize::from(name.number)]
    }

    pub(super) fn attempt_mut(&mut self, name: Name) -> &mut Attempt {
        &mut self.attempts[usize::from(name.operation)][usize::from(name.number)]
    }

    pub(super) fn operation(&self, operation: u8) -> &Operation {
        &self.operations[usize::from(operation)]
    }

    pub(super) fn operation_mut(&mut self, operation: u8) -> &mut Operation {
        &mut self.operations[usize::from(operation)]
    }

    /// Whether the model has room for another attempt.
    pub(super) fn has_room(&self, operation: u8) -> bool {
        usize::from(self.operation(operation).attempts) < ATTEMPTS
    }

    /// Inserts the next attempt of an operation.
    pub(super) fn insert(&mut self, operation: u8) {
        let row = self.operation_mut(operation);
        row.attempts += 1;
        row.standing = Standing::Sending;
    }

    /// What Twilio's list shows of this match key, less what is bound.
    pub(super) fn candidates(&self) -> impl Iterator<Item = Name> {
        let listed = self.attempts().filter(|(_, attempt)| attempt.post == Post::Listed).map(|(sid, _)| sid);
        listed.chain(self.lists_a_stranger.then_some(STRANGER)).filter(|&sid| !self.is_bound(sid))
    }

    /// Whether a message belongs to some operation already: the unique index of the SID.
    pub(super) fn is_bound(&self, sid: Name) -> bool {
        self.operations.iter().any(|operation| operation.bound.is_some_and(|(bound, _)| bound == sid))
    }
}
