//! From the commit to the bus: each committed entry becomes hints, encoded once, whatever the number of listeners.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bus::{Event, Hint, Publisher};
use ttp::event::EventFrame;
use ttp::model::SessionId;

use crate::audience;
use crate::files::Nudge;
use crate::store::{CommitSink, Committed, Noted};

/// Publishes what a store committed.
pub(crate) struct Forward {
    publisher: Arc<dyn Publisher>,
    /// Entries so far.
    entries: Arc<AtomicU64>,
    /// Who takes away files that are free.
    sweeper: Nudge,
}

impl Forward {
    /// Publishes through `publisher`, and tells the sweeper of files that are free.
    pub(crate) fn new(publisher: Arc<dyn Publisher>, sweeper: Nudge) -> Self {
        Self { publisher, entries: Arc::default(), sweeper }
    }

    /// How many entries were published.
    pub(crate) fn entries(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.entries)
    }
}

impl CommitSink for Forward {
    fn committed(&mut self, entries: Vec<Committed>) {
        self.entries.fetch_add(entries.len() as u64, Ordering::Relaxed);
        self.publisher.publish(entries.iter().flat_map(hints).collect());
    }

    fn ended(&mut self, sessions: Vec<SessionId>) {
        self.publisher.publish(vec![Hint::Ended(sessions.into())]);
    }

    fn noted(&mut self, notes: Vec<Noted>) {
        self.publisher.publish(notes.iter().map(audience::note).map(Hint::Event).collect());
    }

    fn freed(&mut self) {
        self.sweeper.give();
    }
}

/// Those who come hear the entry by which they come, those who go hear the one by which they go.
fn hints(committed: &Committed) -> impl Iterator<Item = Hint> {
    let entry = &committed.entry;
    let event = Event {
        topic: audience::topic_of(entry.chat_id),
        seq: entry.seq,
        author: entry.author(),
        frame: EventFrame::new(entry),
    };
    let subscribe = audience::comes_with(committed).map(Hint::Subscribe);
    let unsubscribe = audience::goes_after(committed).map(Hint::Unsubscribe);
    subscribe.into_iter().chain([Hint::Event(event)]).chain(unsubscribe)
}
