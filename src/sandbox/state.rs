//! What the sandbox knows, behind one lock that is never held across an await.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicUsize},
    time::Duration,
};

use time::OffsetDateTime;
use tokio::time::Instant;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    CredentialSource, Pace,
    answer::Refusal,
    faults::{self, Armed, Fault, Moment},
    journal::{Journal, Line},
    life::{self, Change},
    messages::{Content, Message},
    register::Register,
};

/// Everything that requests and lives share.
pub(super) struct Shared {
    pub(super) credentials: CredentialSource,
    pub(super) callbacks_to: Option<(String, SocketAddr)>,
    pub(super) pace: Pace,
    pub(super) client: reqwest::Client,
    pub(super) started_at: OffsetDateTime,
    pub(super) tasks: TaskTracker,
    pub(super) stop: CancellationToken,
    pub(super) state: Mutex<State>,
    /// Requests being answered, for `Twilio-Concurrent-Requests`.
    pub(super) in_flight: AtomicUsize,
}

/// The messages in the order of their acceptance, the account with its numbers, and the faults in wait.
pub(super) struct State {
    entries: Vec<Entry>,
    positions: HashMap<String, usize>,
    register: Register,
    faults: Vec<Armed>,
    journal: Option<Journal>,
}

struct Entry {
    message: Message,
    /// Until when it is missing from lists.
    unlisted_until: Option<Instant>,
}

/// The state that `lines` lead to.
pub(super) fn resumed(journal: Option<Journal>, lines: Vec<Line>) -> Mutex<State> {
    let mut state = State {
        entries: Vec::new(),
        positions: HashMap::new(),
        register: Register::default(),
        faults: Vec::new(),
        journal,
    };
    for line in lines {
        state.apply(line);
    }
    Mutex::new(state)
}

impl State {
    fn record(&mut self, line: &Line) -> std::io::Result<()> {
        self.journal.as_mut().map_or(Ok(()), |journal| journal.append(line))
    }

    /// Makes a change that can be refused. What cannot be journalled does not happen.
    fn make(&mut self, line: Line) -> Result<(), Refusal> {
        self.record(&line).map_err(|error| {
            tracing::error!(event = "sandbox.journal.failed", %error, "a request was not carried out: the journal cannot be written");
            Refusal::internal()
        })?;
        self.apply(line);
        Ok(())
    }

    fn apply(&mut self, line: Line) {
        match line {
            Line::Account { account } => self.register.put_account(account),
            Line::Number { number } => self.register.put_number(number),
            Line::Message(message) => match self.positions.get(&message.sid) {
                Some(position) => self.entries[*position].message = *message,
                None => {
                    self.positions.insert(message.sid.clone(), self.entries.len());
                    self.entries.push(Entry { message: *message, unlisted_until: None });
                }
            },
        }
    }

    fn take(&mut self, moment: Moment, to: Option<&str>) -> Option<Fault> {
        faults::take(&mut self.faults, moment, to)
    }
}

impl Shared {
    /// A panic elsewhere leaves the state whole: each change is one assignment.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits; `false` if the sandbox stops before the time is over.
    pub(super) async fn pause(&self, duration: Duration) -> bool {
        tokio::select! {
            () = self.stop.cancelled() => false,
            () = tokio::time::sleep(duration) => true,
        }
    }

    /// What `look` finds in the register.
    pub(super) fn look_up<T>(&self, look: impl FnOnce(&Register) -> T) -> T {
        look(&self.state().register)
    }

    /// Puts into the register what `change` makes of it.
    pub(super) fn amend<T>(&self, change: impl FnOnce(&Register) -> Result<T, Refusal>) -> Result<T, Refusal>
    where
        T: Clone + Into<Line>,
    {
        let mut state = self.state();
        let changed = change(&state.register)?;
        state.make(changed.clone().into())?;
        Ok(changed)
    }

    /// Takes a new message in.
    pub(super) fn accept(&self, message: Message) -> Result<(), Refusal> {
        let mut state = self.state();
        let to = message.to.clone();
        state.make(message.into())?;
        if let Some(Fault::ListLag { ms }) = state.take(Moment::Listing, Some(&to))
            && let Some(entry) = state.entries.last_mut()
        {
            entry.unlisted_until = Some(Instant::now() + Duration::from_millis(ms));
        }
        Ok(())
    }

    /// The message, deleted or not.
    pub(super) fn find(&self, sid: &str) -> Option<Message> {
        let state = self.state();
        state.positions.get(sid).map(|position| state.entries[*position].message.clone())
    }

    /// Changes a message if `change` says so; the changed message, or `None` if there is none or nothing changed.
    pub(super) fn change(&self, sid: &str, change: impl FnOnce(&mut Message) -> Change) -> Option<Message> {
        let mut state = self.state();
        let position = *state.positions.get(sid)?;
        let mut message = state.entries[position].message.clone();
        if change(&mut message) == Change::Nothing {
            return None;
        }
        let line = Line::from(message.clone());
        if let Err(error) = state.record(&line) {
            // The emulated network moves on; after a restart this change is made again.
            tracing::error!(event = "sandbox.journal.failed", %error, "a change of {sid} is not in the journal");
        }
        state.apply(line);
        Some(message)
    }

    /// The messages that `wanted` picks among those listed, newest first.
    pub(super) fn list(&self, wanted: impl Fn(&Message) -> bool) -> Vec<Message> {
        let at = Instant::now();
        self.state()
            .entries
            .iter()
            .rev()
            .filter(|entry| entry.unlisted_until.is_none_or(|until| until <= at))
            .map(|entry| &entry.message)
            .filter(|message| message.content != Content::Deleted && wanted(message))
            .cloned()
            .collect()
    }

    /// Every message ever accepted, oldest first.
    pub(super) fn accepted(&self) -> Vec<Message> {
        self.state().entries.iter().map(|entry| entry.message.clone()).collect()
    }

    /// The messages whose life goes on after a restart.
    pub(super) fn unfinished(&self) -> Vec<String> {
        let state = self.state();
        let messages = state.entries.iter().map(|entry| &entry.message);
        messages.filter(|message| life::is_unfinished(message)).map(|message| message.sid.clone()).collect()
    }

    pub(super) fn take_fault(&self, moment: Moment, to: Option<&str>) -> Option<Fault> {
        self.state().take(moment, to)
    }

    pub(super) fn armed(&self) -> Vec<Armed> {
        self.state().faults.clone()
    }

    pub(super) fn arm(&self, faults: Vec<Armed>) {
        self.state().faults.extend(faults);
    }

    pub(super) fn disarm(&self) {
        self.state().faults.clear();
    }

    /// Forgets everything, also in the journal; lives in progress end at their next step.
    pub(super) fn reset(&self) -> std::io::Result<()> {
        let mut state = self.state();
        if let Some(journal) = &mut state.journal {
            journal.clear()?;
        }
        state.entries.clear();
        state.positions.clear();
        state.register = Register::default();
        state.faults.clear();
        Ok(())
    }

    /// Starts the life of a message that was just accepted.
    pub(super) fn begin(self: &Arc<Self>, message: &Message) {
        let order = match self.take_fault(Moment::Life, Some(&message.to)) {
            Some(Fault::CallbacksReordered) => life::Order::PairsReversed,
            _ => life::Order::AsItHappens,
        };
        self.tasks.spawn(life::follow(Arc::clone(self), message.sid.clone(), order));
    }
}
