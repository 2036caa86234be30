//! Those who send and those who listen, and the stage that they share.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use client_lib::{Client, Cursors, Error, Event, Position};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use ttp::model::{ChatId, ChatSettings, Message, Seq, User};
use ttp::net::clock;

use crate::history::{Delivery, Moment, Operation, Outcome, Reader, TAKEN_BACK};

/// Every so many events a reader starts anew from its cursors, as a program that was restarted would.
const EVENTS_OF_A_LIFE: usize = 150;

/// Every so many messages of one sender go where it may not write.
const FORBIDDEN_EVERY: usize = 16;

/// What a message says more once it was edited. The judge knows messages by what they said first.
const ANEW: &str = " anew";

/// Every so many messages of one sender are followed by another topic, where the sender may give one.
const TOPIC_EVERY: usize = 20;

/// How long who was refused waits before the next message.
const PAUSE: Duration = Duration::from_millis(2);

/// Whether senders may begin something new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    Closed,
    Open,
    Over,
}

/// Newest numbers by chat.
pub type Heads = BTreeMap<ChatId, Seq>;

/// What senders, readers and the run share.
#[derive(Clone)]
pub struct Stage(Arc<Shared>);

struct Shared {
    gate: watch::Sender<Gate>,
    readers_stop: watch::Sender<bool>,
    moments: AtomicU64,
    acknowledged: Mutex<Heads>,
    positions: Mutex<Vec<watch::Receiver<Heads>>>,
}

impl Stage {
    /// A stage whose gate is closed.
    pub fn new() -> Self {
        Self(Arc::new(Shared {
            gate: watch::Sender::new(Gate::Closed),
            readers_stop: watch::Sender::new(false),
            moments: AtomicU64::new(0),
            acknowledged: Mutex::default(),
            positions: Mutex::default(),
        }))
    }

    pub fn set(&self, gate: Gate) {
        self.0.gate.send_replace(gate);
    }

    pub fn stop_readers(&self) {
        self.0.readers_stop.send_replace(true);
    }

    /// What every reader must have.
    pub fn acknowledged(&self) -> Heads {
        self.0.acknowledged.lock().unwrap().clone()
    }

    /// A place for one more reader's position.
    pub fn add_reader(&self) -> watch::Sender<Heads> {
        let position = watch::Sender::new(Heads::new());
        self.0.positions.lock().unwrap().push(position.subscribe());
        position
    }

    /// Waits until every reader is as far as this, but no longer than `patience`. How long it took.
    pub async fn wait_for_all(&self, goal: &Heads, patience: Duration) -> Duration {
        let begun = clock::now();
        while !self.have_all(goal) && clock::now() - begun < patience {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        clock::now() - begun
    }

    /// Whether every reader is as far as this, in the chats that it is in.
    pub fn have_all(&self, goal: &Heads) -> bool {
        self.0.positions.lock().unwrap().iter().all(|position| {
            let position = position.borrow();
            goal.iter().all(|(chat_id, seq)| position.get(chat_id).is_some_and(|have| have >= seq))
        })
    }

    /// The moment that it is now; no other is the same.
    pub fn moment(&self) -> Moment {
        self.0.moments.fetch_add(1, Ordering::SeqCst)
    }

    /// A message was acknowledged.
    pub fn note(&self, chat_id: ChatId, seq: Seq) {
        let mut acknowledged = self.0.acknowledged.lock().unwrap();
        let head = acknowledged.entry(chat_id).or_default();
        *head = seq.max(*head);
    }
}

impl Default for Stage {
    fn default() -> Self {
        Self::new()
    }
}

/// What senders did, when their gate is over.
pub async fn operations_of(senders: Vec<JoinHandle<Vec<Operation>>>) -> Vec<Operation> {
    let mut operations = Vec::new();
    for sender in senders {
        operations.extend(crate::within("the last sends", sender).await.unwrap());
    }
    operations
}

/// Sends one message after the other while the gate is open, and keeps a log of it.
pub async fn speak(
    stage: Stage,
    client_number: usize,
    client: Client,
    me: User,
    chats: Vec<ChatId>,
    forbidden: Option<ChatId>,
) -> Vec<Operation> {
    let mut gate = stage.0.gate.subscribe();
    let mut operations = Vec::new();
    // A message of each chat that answers go to.
    let mut threads = BTreeMap::new();
    loop {
        let open = gate.wait_for(|gate| *gate != Gate::Closed).await.map(|gate| *gate);
        if !matches!(open, Ok(Gate::Open)) {
            return operations;
        }
        let number = operations.len();
        let chat_id = match forbidden {
            Some(forbidden) if number % FORBIDDEN_EVERY == 1 => forbidden,
            _ => chats[number % chats.len()],
        };
        let end = if number % 6 == 5 { TAKEN_BACK } else { "" };
        let text = format!("{} says {number}{end}", me.user_name);
        let invoked = stage.moment();
        let result = match threads.get(&chat_id) {
            Some(thread) if number % 7 == 3 => client.insert_in_thread(chat_id, *thread, &text).await,
            _ => client.insert_message(chat_id, &text).await,
        };
        let completed = stage.moment();
        let outcome = match &result {
            Ok(message) => {
                stage.note(chat_id, message.seq);
                Outcome::Stored(message.seq)
            }
            Err(Error::Indeterminate { .. }) => Outcome::Indeterminate,
            Err(_) => Outcome::NotStored,
        };
        if let Ok(message) = &result {
            if message.details.is_none() && end.is_empty() {
                threads.insert(chat_id, message.seq);
            }
            do_more(&stage, &client, message, number).await;
        }
        if result.is_err() {
            // Who is refused at once does not ask again at once.
            tokio::time::sleep(PAUSE).await;
        }
        let sender = me.user_id;
        operations.push(Operation {
            client: client_number,
            sender,
            chat_id,
            text,
            invoked,
            completed,
            outcome,
        });
    }
}

/// Edits, deletes, reacts to or pins what was said, and gives the chat another topic. Whether that is stored does not matter
/// here: what is stored must reach everybody.
async fn do_more(stage: &Stage, client: &Client, message: &Message, number: usize) {
    let (chat_id, seq) = (message.chat_id, message.seq);
    match number % 6 {
        0 => {
            let edited = client.edit_message(chat_id, seq, &format!("{}{ANEW}", message.message_text)).await;
            let entry = edited.ok().and_then(|message| message.details).and_then(|details| details.edited);
            if let Some(entry) = entry {
                stage.note(chat_id, entry);
            }
        }
        1 => drop(client.react(chat_id, seq, "🌮").await),
        2 => drop(client.remove_reaction(chat_id, seq.saturating_sub(6), "🌮").await),
        3 => drop(client.pin_message(chat_id, seq).await),
        4 => drop(client.unpin_message(chat_id, seq.saturating_sub(6)).await),
        _ => {
            let deleted = client.delete_message(chat_id, seq).await;
            let entry = deleted.ok().and_then(|message| message.details).and_then(|details| details.deleted);
            if let Some(entry) = entry {
                stage.note(chat_id, entry);
            }
        }
    }
    if number % TOPIC_EVERY == 7 {
        let topic = Some(format!("what was said as number {number}"));
        drop(client.update_chat(chat_id, ChatSettings { topic, ..ChatSettings::default() }).await);
    }
}

/// What a message said first.
pub fn first_text(text: &str) -> &str {
    text.strip_suffix(ANEW).unwrap_or(text)
}

/// Takes events until it is told to stop, and keeps a log of them. Now and then it begins anew from its cursors.
pub async fn listen(
    stage: Stage,
    client: Client,
    mut reader: Reader,
    position: watch::Sender<Heads>,
) -> Reader {
    let mut stop = stage.0.readers_stop.subscribe();
    let mut cursors = Cursors::default();
    loop {
        let mut events = client.events(Position::After(cursors));
        let life_ends = reader.deliveries.len() + EVENTS_OF_A_LIFE;
        while reader.deliveries.len() < life_ends {
            // The position also moves on by messages of the own, which come as no event.
            let event = tokio::select! {
                event = events.next() => event,
                () = tokio::time::sleep(Duration::from_millis(5)) => {
                    position.send_replace(events.cursors().unwrap_or_default().seqs);
                    continue;
                }
                _ = stop.wait_for(|stop| *stop) => return reader,
            };
            match event {
                Some(Event::Entry(entry)) => {
                    let text = entry.message().map(|message| first_text(&message.message_text).to_owned());
                    let (moment, chat_id, seq) = (stage.moment(), entry.chat_id, entry.seq);
                    reader.deliveries.push(Delivery { moment, chat_id, seq, text });
                    position.send_replace(events.cursors().unwrap_or_default().seqs);
                }
                Some(Event::Connection(_)) => {}
                // Servers that lost what this reader has: it ends here, and the judge sees what it lacks.
                Some(Event::Reset) => return reader,
                other => panic!("{} got {other:?}", reader.name),
            }
        }
        cursors = events.cursors().unwrap_or_default();
    }
}
