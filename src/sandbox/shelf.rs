//! What was accepted of one kind, in the order of its acceptance.

use std::{collections::HashMap, time::Duration};

use tokio::time::Instant;

use super::living::Living;

pub(super) struct Shelf<L> {
    entries: Vec<Entry<L>>,
    positions: HashMap<String, usize>,
}

struct Entry<L> {
    living: L,
    /// Until when it is missing from lists.
    unlisted_until: Option<Instant>,
}

impl<L> Default for Shelf<L> {
    fn default() -> Self {
        Self { entries: Vec::new(), positions: HashMap::new() }
    }
}

impl<L: Living> Shelf<L> {
    /// Puts something in, in the place of what it was before.
    pub(super) fn put(&mut self, living: L) {
        let sid = &living.vitals().sid;
        if let Some(position) = self.positions.get(sid) {
            self.entries[*position].living = living;
        } else {
            self.positions.insert(sid.clone(), self.entries.len());
            self.entries.push(Entry { living, unlisted_until: None });
        }
    }

    pub(super) fn get(&self, sid: &str) -> Option<&L> {
        self.positions.get(sid).map(|position| &self.entries[*position].living)
    }

    /// Keeps what came last out of lists for a while.
    pub(super) fn hide_last(&mut self, duration: Duration) {
        if let Some(entry) = self.entries.last_mut() {
            entry.unlisted_until = Some(Instant::now() + duration);
        }
    }

    /// All of it, oldest first, deleted or not.
    pub(super) fn all(&self) -> impl Iterator<Item = &L> {
        self.entries.iter().map(|entry| &entry.living)
    }

    /// What lists show, newest first.
    pub(super) fn listed(&self) -> impl Iterator<Item = &L> {
        let at = Instant::now();
        self.entries
            .iter()
            .rev()
            .filter(move |entry| entry.unlisted_until.is_none_or(|until| until <= at))
            .map(|entry| &entry.living)
            .filter(|living| !living.vitals().deleted)
    }
}
