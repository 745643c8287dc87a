//! What the protocol does and what the world around it may do: all constants of the model in one place.

/// What becomes of an attempt that Twilio provably does not have: `dispatch.on_unknown`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OnUnknown {
    /// It is sent again, [`Rules::resends`] times at most.
    Auto,
    /// A person decides.
    Person,
}

/// How often each thing goes wrong at most. Without a bound the space of states had no end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Budget {
    /// Processes that die; their requests go on.
    pub(super) crashes: u8,
    /// Processes that stand still beyond the deadline of what they do.
    pub(super) pauses: u8,
    /// Sessions of PostgreSQL that are lost under a living process.
    pub(super) sessions: u8,
    /// Requests, or answers, that the network loses or delays beyond the time-out.
    pub(super) losses: u8,
    /// Sends that provably did not happen: no connection, or "too many requests".
    pub(super) refusals: u8,
    /// Messages on which Twilio never reports.
    pub(super) silences: u8,
    /// Identical messages that somebody else sends from the same number.
    pub(super) strangers: u8,
}

/// The protocol, switch by switch, and the world it runs in. A mutant is `Rules { x: .., ..Rules::ours() }`.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is one mechanism that a mutant lacks")]
pub(super) struct Rules {
    /// An identical operation is not claimed while an attempt of the other is open.
    pub(super) one_at_a_time: bool,
    /// The fence, first half: the owner holds the attempt's lock, and nobody else judges what is locked.
    pub(super) lock: bool,
    /// The fence, second half: under the lock, what was claimed is checked again, the deadline too.
    pub(super) recheck: bool,
    /// A request is written only within 5 s of the check.
    pub(super) freshness: bool,
    /// The settle time passes before Twilio's list is read.
    pub(super) settle: bool,
    /// The settle time begins when the outcome became unknown, not at the claim's deadline.
    pub(super) settle_from_unknown: bool,
    /// Twilio's list is read before an attempt is judged absent.
    pub(super) reads_list: bool,
    /// It is read twice, 60 s apart.
    pub(super) reads_twice: bool,
    /// Nothing is bound while another attempt that could own the message lacks a SID.
    pub(super) sole_suspect: bool,
    /// Only this installation sends from its numbers, so that the list may bind: `dispatch.sender_is_exclusive`.
    pub(super) sender_is_exclusive: bool,
    /// What every queue does: past its deadline, with its owner gone, it goes back to where it was.
    pub(super) requeues_on_a_timer: bool,
    /// What becomes of what is provably absent.
    pub(super) on_unknown: OnUnknown,
    /// Automatic resends of one operation.
    pub(super) resends: u8,

    /// The world: Twilio lists what it accepted within the settle time and 60 s.
    pub(super) lag_is_bounded: bool,
    /// The world: a process whose session is lost between its last look at the clock and the write is not, at that very
    /// place, paused for longer than the settle time as well.
    pub(super) last_step_is_prompt: bool,
    /// Sends under way at once, each by a process of its own: what one crash of several would free at once, several
    /// crashes free.
    pub(super) workers: usize,
    /// What may go wrong.
    pub(super) faults: Budget,
}

impl Rules {
    /// The protocol as `src/dispatch` has it, in the world that the README promises it for.
    pub(super) fn ours() -> Self {
        Self {
            one_at_a_time: true,
            lock: true,
            recheck: true,
            freshness: true,
            settle: true,
            settle_from_unknown: true,
            reads_list: true,
            reads_twice: true,
            sole_suspect: true,
            sender_is_exclusive: true,
            requeues_on_a_timer: false,
            on_unknown: OnUnknown::Auto,
            resends: 2,
            lag_is_bounded: true,
            last_step_is_prompt: true,
            workers: 2,
            faults: Budget { crashes: 1, pauses: 1, sessions: 1, losses: 1, refusals: 0, silences: 1, strangers: 0 },
        }
    }

    /// Whether evidence alone is to settle everything, as long as there are resends.
    pub(super) fn do_without_a_person(&self) -> bool {
        self.on_unknown == OnUnknown::Auto && self.sender_is_exclusive
    }
}
