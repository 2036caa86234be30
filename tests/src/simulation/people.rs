//! Those who send and those who listen in a simulated run, by the real client library.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use client_lib::{Client, Cursors, Error, Event, Options, Position, Security};
use ttp::model::{ChatId, Seq, User, UserId};

use super::DATA;
use super::world::Nature;
use crate::history::{Delivery, Operation, Outcome, Reader};

/// What everybody of a run shares.
pub struct Stage {
    pub nature: Arc<Nature>,
    pub chats: Vec<ChatId>,
    /// Longest wait between two messages of one sender.
    pub pause_ms: u64,
    /// Longest time that a reader takes for an event, now and then.
    pub dawdle_ms: u64,
    /// Bytes of a text at most.
    pub text_bytes: u64,
    pub is_over: AtomicBool,
    moments: AtomicU64,
    /// Sends that are not answered yet.
    open: AtomicU64,
    pub operations: Mutex<Vec<Operation>>,
    pub readers: Mutex<Vec<Reader>>,
    /// What readers got that nobody may get.
    pub strange: Mutex<Vec<String>>,
    /// How far each reader is.
    pub positions: Mutex<Vec<BTreeMap<ChatId, Seq>>>,
}

impl Stage {
    pub fn new(
        nature: Arc<Nature>,
        chats: Vec<ChatId>,
        pause_ms: u64,
        dawdle_ms: u64,
        text_bytes: u64,
    ) -> Self {
        Self {
            nature,
            chats,
            pause_ms,
            dawdle_ms,
            text_bytes,
            is_over: AtomicBool::new(false),
            moments: AtomicU64::new(0),
            open: AtomicU64::new(0),
            operations: Mutex::default(),
            readers: Mutex::default(),
            strange: Mutex::default(),
            positions: Mutex::default(),
        }
    }

    fn moment(&self) -> u64 {
        self.moments.fetch_add(1, Ordering::Relaxed)
    }

    /// Whether everybody who said something knows what became of it.
    pub fn is_quiet(&self) -> bool {
        self.open.load(Ordering::Relaxed) == 0
    }

    /// Whether every reader is this far.
    pub fn have_all(&self, heads: &BTreeMap<ChatId, Seq>) -> bool {
        let positions = self.positions.lock().unwrap();
        positions.iter().all(|have| heads.iter().all(|(chat_id, seq)| have.get(chat_id) >= Some(seq)))
    }
}

/// A client of a new person.
pub async fn person(name: &str) -> (Client, User) {
    let client = connect().await;
    let user = client.insert_user(name).await.unwrap();
    let user = client.trust_me(user.user_id).await.unwrap();
    (client, user)
}

/// One more device of a person.
pub async fn device_of(user_id: UserId) -> Client {
    let client = connect().await;
    client.trust_me(user_id).await.unwrap();
    client
}

async fn connect() -> Client {
    let mut options = Options::new(DATA);
    // Its keys would come from the chance of this machine, and no seed would repeat a run.
    options.security = Security::Plaintext;
    Client::connect(options).await.unwrap()
}

/// Says one thing, and notes what became of it. Gives up waiting after `patience`.
pub async fn say(
    stage: &Stage,
    number: usize,
    client: &Client,
    me: &User,
    patience: Option<Duration>,
) -> Outcome {
    let dice = &stage.nature.dice;
    let chat_id = stage.chats[dice.below(stage.chats.len())];
    let invoked = stage.moment();
    let filling = "x".repeat(dice.between(0, stage.text_bytes) as usize);
    let text = format!("{} says {invoked} {filling}", me.user_name);
    stage.open.fetch_add(1, Ordering::Relaxed);
    let saying = client.insert_message(chat_id, &text);
    let result = match patience {
        Some(patience) => tokio::time::timeout(patience, saying).await.ok(),
        None => Some(saying.await),
    };
    let completed = stage.moment();
    let outcome = match &result {
        Some(Ok(message)) => Outcome::Stored(message.seq),
        Some(Err(Error::Indeterminate { .. })) | None => Outcome::Indeterminate,
        Some(Err(_)) => Outcome::NotStored,
    };
    stage.nature.trace.note((number, &text, format!("{outcome:?}")));
    let (client, sender) = (number, me.user_id);
    let operation = Operation { client, sender, chat_id, text, invoked, completed, outcome };
    stage.operations.lock().unwrap().push(operation);
    stage.open.fetch_sub(1, Ordering::Relaxed);
    outcome
}

/// Says one thing after the other until it is over. Now and then it abandons a send: then its own stream must bring
/// the message, if it is stored.
pub async fn speak(stage: Arc<Stage>, number: usize, client: Client, me: User) {
    while !stage.is_over.load(Ordering::Relaxed) {
        let dice = &stage.nature.dice;
        tokio::time::sleep(dice.up_to_ms(stage.pause_ms)).await;
        let patience = dice.percent(5).then(|| dice.up_to_ms(500));
        say(&stage, number, &client, &me, patience).await;
    }
}

/// Takes events for ever, and keeps a log of them. Now and then it dawdles, or begins anew from its cursors.
pub async fn listen(stage: Arc<Stage>, place: usize, client: Client) {
    let dice = &stage.nature.dice;
    let mut cursors = Cursors::default();
    loop {
        let mut events = client.events(Position::After(cursors));
        let mut events_left = dice.between(20, 200);
        while events_left > 0 {
            let event = tokio::select! {
                biased;
                event = events.next() => event,
                // The position also moves on by messages of the own, which come as no event.
                () = tokio::time::sleep(Duration::from_millis(250)) => {
                    stage.positions.lock().unwrap()[place] = events.cursors().unwrap_or_default().seqs;
                    continue;
                }
            };
            match event {
                Some(Event::Entry(entry)) => {
                    events_left -= 1;
                    let text = entry.message().map(|message| message.message_text.clone());
                    let (moment, chat_id, seq) = (stage.moment(), entry.chat_id, entry.seq);
                    stage.nature.trace.note((place, chat_id, seq, &text));
                    let delivery = Delivery { moment, chat_id, seq, text };
                    stage.readers.lock().unwrap()[place].deliveries.push(delivery);
                    stage.positions.lock().unwrap()[place] = events.cursors().unwrap_or_default().seqs;
                    if stage.dawdle_ms > 0 && !stage.is_over.load(Ordering::Relaxed) && dice.percent(5) {
                        tokio::time::sleep(dice.up_to_ms(stage.dawdle_ms)).await;
                    }
                }
                Some(Event::Connection(_)) => {}
                other => {
                    // No epoch ends in a run, nobody is removed, and no stream ends for good.
                    stage.strange.lock().unwrap().push(format!("reader {place} got {other:?}"));
                    return;
                }
            }
        }
        cursors = events.cursors().unwrap_or_default();
    }
}
