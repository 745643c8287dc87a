//! What the sandbox knows, behind one lock that is never held across an await.

use std::{
    net::SocketAddr,
    sync::{Mutex, MutexGuard, PoisonError, atomic::AtomicUsize},
    time::Duration,
};

use time::OffsetDateTime;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    CredentialSource, KeySource, Pace,
    answer::Refusal,
    api::ApiRequest,
    calls::Call,
    elevenlabs::Synthesis,
    faults::{self, Armed, Fault, Moment},
    journal::{Journal, Line},
    life::Change,
    living::Living,
    messages::Message,
    register::Register,
    shelf::Shelf,
};

/// Everything that requests and lives share.
pub(super) struct Shared {
    pub(super) credentials: CredentialSource,
    pub(super) elevenlabs_key: KeySource,
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

/// What was accepted, the account with its numbers, and the faults in wait.
pub(super) struct State {
    pub(super) messages: Shelf<Message>,
    pub(super) calls: Shelf<Call>,
    /// What was read aloud, oldest first.
    syntheses: Vec<Synthesis>,
    register: Register,
    faults: Vec<Armed>,
    journal: Option<Journal>,
}

/// The state that `lines` lead to.
pub(super) fn resumed(journal: Option<Journal>, lines: Vec<Line>) -> Mutex<State> {
    let mut state = State {
        messages: Shelf::default(),
        calls: Shelf::default(),
        syntheses: Vec::new(),
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
            Line::Call { call } => self.calls.put(*call),
            Line::Synthesis { synthesis } => self.syntheses.push(*synthesis),
            Line::Message(message) => self.messages.put(*message),
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

    /// Takes in the synthesis that `make` allows, given those before it.
    pub(super) fn synthesise<E: From<Refusal>>(
        &self,
        make: impl FnOnce(&[Synthesis]) -> Result<Synthesis, E>,
    ) -> Result<Synthesis, E> {
        let mut state = self.state();
        let made = make(&state.syntheses)?;
        state.make(made.clone().into())?;
        Ok(made)
    }

    /// All that was read aloud, oldest first.
    pub(super) fn syntheses(&self) -> Vec<Synthesis> {
        self.state().syntheses.clone()
    }

    /// Takes in something new.
    pub(super) fn accept<L: Living>(&self, living: L) -> Result<(), Refusal> {
        let mut state = self.state();
        let to = living.vitals().to.clone();
        state.make(living.into())?;
        if let Some(Fault::ListLag { ms }) = state.take(Moment::Listing, Some(&to)) {
            L::shelf_mut(&mut state).hide_last(Duration::from_millis(ms));
        }
        Ok(())
    }

    /// The message or call, deleted or not.
    pub(super) fn find<L: Living>(&self, sid: &str) -> Option<L> {
        L::shelf(&self.state()).get(sid).cloned()
    }

    /// Changes it if `change` says so; as it then is, or `None` if there is none or nothing changed.
    pub(super) fn change<L: Living>(&self, sid: &str, change: impl FnOnce(&mut L) -> Change) -> Option<L> {
        let mut state = self.state();
        let mut living = L::shelf(&state).get(sid)?.clone();
        if change(&mut living) == Change::Nothing {
            return None;
        }
        let line = living.clone().into();
        if let Err(error) = state.record(&line) {
            // The emulated network moves on; after a restart this change is made again.
            tracing::error!(event = "sandbox.journal.failed", %error, "a change of {sid} is not in the journal");
        }
        state.apply(line);
        Some(living)
    }

    /// What `wanted` picks of the account's own among what is listed, newest first.
    pub(super) fn list<L: Living>(&self, request: &ApiRequest, wanted: impl Fn(&L) -> bool) -> Vec<L> {
        let account = &request.credentials.account_sid;
        let state = self.state();
        let own = L::shelf(&state).listed().filter(|living| living.vitals().account_sid == *account);
        own.filter(|living| wanted(living)).cloned().collect()
    }

    /// All of one kind that was ever accepted, oldest first.
    pub(super) fn accepted<L: Living>(&self) -> Vec<L> {
        L::shelf(&self.state()).all().cloned().collect()
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
        state.messages = Shelf::default();
        state.calls = Shelf::default();
        state.syntheses = Vec::new();
        state.register = Register::default();
        state.faults.clear();
        Ok(())
    }
}
