//! Judges a run: what was asked, what was heard and what is stored at the end must fit together (I1 to I9).
//!
//! Everything that happened has a moment, a number from one counter that all senders and readers of the run share,
//! so the order of moments is the order of events. Because the log of a chat is numbered without holes, each rule is
//! one walk over the history: no search, time in proportion to its length.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

use ttp::model::{ChatId, Seq, UserId};

/// When something happened, counted over the whole run.
pub type Moment = u64;

/// The end of a text that its sender deletes as soon as it is stored.
pub const TAKEN_BACK: &str = " and takes it back";

/// Whether a message that the database has is the one that was said: one that was taken back has no text any more, whoever
/// heard it before.
fn is_the_same(stored: &str, said: &str) -> bool {
    stored == said || stored.is_empty() && said.ends_with(TAKEN_BACK)
}

/// One message that somebody tried to send. No two of a run have the same text, so the text is its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// Which client sent it.
    pub client: usize,
    pub sender: UserId,
    pub chat_id: ChatId,
    pub text: String,
    pub invoked: Moment,
    pub completed: Moment,
    pub outcome: Outcome,
}

/// What the sender was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is stored, under this number.
    Stored(Seq),
    /// It is not stored and never will be.
    NotStored,
    /// Nobody knows.
    Indeterminate,
}

/// What one program took from its event stream, in this order.
#[derive(Debug, Clone, Default)]
pub struct Reader {
    pub name: String,
    /// The client that the stream belongs to: its own stored messages are not brought back (I9).
    pub client: Option<usize>,
    /// The chats that the reader is in, each with the number after which it began to read.
    pub chats: BTreeMap<ChatId, Seq>,
    pub deliveries: Vec<Delivery>,
}

/// One entry that a reader took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    pub moment: Moment,
    pub chat_id: ChatId,
    pub seq: Seq,
    /// Of a message; other entries have none.
    pub text: Option<String>,
}

/// One entry of the log of a chat, as the database has it at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub chat_id: ChatId,
    pub seq: Seq,
    pub time_ms: i64,
    pub message: Option<StoredMessage>,
}

/// What a row of a message has besides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredMessage {
    pub sender: UserId,
    pub key: Option<String>,
    pub text: String,
    /// Its place among the messages of the chat.
    pub number: u64,
}

/// A whole run.
#[derive(Debug, Clone, Default)]
pub struct History {
    pub operations: Vec<Operation>,
    pub readers: Vec<Reader>,
    /// By chat, and in each chat by number.
    pub rows: Vec<Row>,
}

/// The rules, by their numbers in `docs/GUARANTEES.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// I1: what was acknowledged is stored, where the acknowledgement says.
    AcknowledgedIsStored,
    /// I2: no message is stored twice.
    StoredOnce,
    /// I3: what was said not to be stored is not.
    RefusedIsNotStored,
    /// I4: the numbers of a chat have no holes, and its times never go back.
    Dense,
    /// I5: a reader has what the database has, each entry once and in order.
    ReaderIsComplete,
    /// I6: nothing is stored or delivered that nobody sent, or where it was not sent to.
    NothingForeign,
    /// I7: nothing is delivered that is not stored.
    DeliveredIsStored,
    /// I8: what was sent after an acknowledgement stands after it.
    RealTimeOrder,
    /// I9: a sender's own stream does not bring back what its send has answered.
    EchoedOnce,
}

impl Rule {
    pub const ALL: [Self; 9] = [
        Self::AcknowledgedIsStored,
        Self::StoredOnce,
        Self::RefusedIsNotStored,
        Self::Dense,
        Self::ReaderIsComplete,
        Self::NothingForeign,
        Self::DeliveredIsStored,
        Self::RealTimeOrder,
        Self::EchoedOnce,
    ];
}

/// One rule broken once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    pub rule: Rule,
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "I{}: {}", self.rule as u8 + 1, self.what)
    }
}

/// Everything that is wrong with a history.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    pub violations: Vec<Violation>,
}

impl Verdict {
    /// How often these rules were broken.
    pub fn count(&self, rules: &[Rule]) -> usize {
        self.violations.iter().filter(|violation| rules.contains(&violation.rule)).count()
    }

    fn add(&mut self, rule: Rule, what: String) {
        self.violations.push(Violation { rule, what });
    }
}

/// Judges a history.
pub fn check(history: &History) -> Verdict {
    let mut verdict = Verdict::default();
    let known = Known::of(history);
    check_rows(history, &known, &mut verdict);
    check_outcomes(history, &known, &mut verdict);
    check_real_time(history, &mut verdict);
    for reader in &history.readers {
        check_reader(reader, history, &known, &mut verdict);
    }
    verdict
}

/// The history by its names and numbers.
struct Known<'a> {
    operations: HashMap<&'a str, &'a Operation>,
    rows: HashMap<(ChatId, Seq), &'a Row>,
    messages: HashMap<&'a str, &'a Row>,
    /// The newest number of each chat.
    heads: BTreeMap<ChatId, Seq>,
}

impl<'a> Known<'a> {
    fn of(history: &'a History) -> Self {
        let messages = history.rows.iter().filter_map(|row| Some((row.message.as_ref()?.text.as_str(), row)));
        let mut heads = BTreeMap::new();
        for row in &history.rows {
            let head = heads.entry(row.chat_id).or_default();
            *head = row.seq.max(*head);
        }
        Self {
            operations: history.operations.iter().map(|one| (one.text.as_str(), one)).collect(),
            rows: history.rows.iter().map(|row| ((row.chat_id, row.seq), row)).collect(),
            messages: messages.collect(),
            heads,
        }
    }
}

/// I2, I4, I6: the database by itself, and against what was sent.
fn check_rows(history: &History, known: &Known<'_>, verdict: &mut Verdict) {
    let mut texts = HashSet::new();
    let mut keys = HashSet::new();
    let mut ends: BTreeMap<ChatId, (Seq, u64, i64)> = BTreeMap::new();
    for row in &history.rows {
        let Row { chat_id, seq, .. } = row;
        let (last_seq, last_number, last_ms) = ends.entry(*chat_id).or_default();
        if *seq != *last_seq + 1 || row.time_ms < *last_ms {
            verdict.add(Rule::Dense, format!("entry {seq} of chat {chat_id} comes after entry {last_seq}"));
        }
        (*last_seq, *last_ms) = (*seq, row.time_ms);
        let Some(message) = &row.message else { continue };
        if message.number != *last_number + 1 {
            let number = message.number;
            verdict.add(Rule::Dense, format!("message {number} of chat {chat_id} comes after {last_number}"));
        }
        *last_number = message.number;
        let key_is_new = message.key.as_ref().is_none_or(|key| keys.insert((message.sender, key)));
        // Of what was taken back the key alone tells who said it.
        let is_gone = message.text.is_empty();
        if !key_is_new || !is_gone && !texts.insert(message.text.as_str()) {
            verdict.add(Rule::StoredOnce, format!("{:?} is stored twice in chat {chat_id}", message.text));
        }
        let sent = known.operations.get(message.text.as_str());
        if !is_gone && sent.is_none_or(|sent| sent.chat_id != *chat_id || sent.sender != message.sender) {
            verdict.add(Rule::NothingForeign, format!("nobody sent {:?} to chat {chat_id}", message.text));
        }
    }
}

/// I1, I3: what senders were told, against the database.
fn check_outcomes(history: &History, known: &Known<'_>, verdict: &mut Verdict) {
    for operation in &history.operations {
        let Operation { chat_id, text, .. } = operation;
        match operation.outcome {
            Outcome::Stored(seq) => {
                let row = known.rows.get(&(*chat_id, seq)).and_then(|row| row.message.as_ref());
                if row.is_none_or(|message| !is_the_same(&message.text, text)) {
                    let what = format!("{text:?} was acknowledged as entry {seq} of chat {chat_id}");
                    verdict.add(Rule::AcknowledgedIsStored, what);
                }
            }
            Outcome::NotStored => {
                if known.messages.contains_key(text.as_str()) {
                    let what = format!("{text:?} was refused and is in chat {chat_id}");
                    verdict.add(Rule::RefusedIsNotStored, what);
                }
            }
            Outcome::Indeterminate => {}
        }
    }
}

/// I8: walks through all moments, and keeps the highest number that was acknowledged so far in each chat.
fn check_real_time(history: &History, verdict: &mut Verdict) {
    enum Step<'a> {
        Invoked(&'a Operation, Seq),
        Completed(ChatId, Seq),
    }
    let last = history.operations.iter().map(|operation| operation.completed.max(operation.invoked)).max();
    let mut steps: Vec<Option<Step<'_>>> = Vec::new();
    steps.resize_with(last.map_or(0, |last| last as usize + 1), || None);
    for operation in &history.operations {
        if let Outcome::Stored(seq) = operation.outcome {
            steps[operation.invoked as usize] = Some(Step::Invoked(operation, seq));
            steps[operation.completed as usize] = Some(Step::Completed(operation.chat_id, seq));
        }
    }
    let mut acknowledged: BTreeMap<ChatId, Seq> = BTreeMap::new();
    // An operation is judged by what had been acknowledged when it began.
    for step in steps.into_iter().flatten() {
        match step {
            Step::Invoked(Operation { chat_id, text, .. }, seq) => {
                let before = acknowledged.get(chat_id).copied().unwrap_or(0);
                if seq <= before {
                    let what =
                        format!("{text:?} was sent after entry {before} was acknowledged, and is {seq}");
                    verdict.add(Rule::RealTimeOrder, what);
                }
            }
            Step::Completed(chat_id, seq) => {
                let before = acknowledged.entry(chat_id).or_default();
                *before = seq.max(*before);
            }
        }
    }
}

/// I5, I6, I7, I9: one reader's list against the database.
fn check_reader(reader: &Reader, history: &History, known: &Known<'_>, verdict: &mut Verdict) {
    let name = &reader.name;
    let own: HashSet<(ChatId, Seq)> = history
        .operations
        .iter()
        .filter(|operation| reader.client == Some(operation.client))
        .filter_map(|operation| match operation.outcome {
            Outcome::Stored(seq) => Some((operation.chat_id, seq)),
            _ => None,
        })
        .collect();
    let mut cursors = reader.chats.clone();
    for delivery in &reader.deliveries {
        let Delivery { chat_id, seq, text, .. } = delivery;
        if own.contains(&(*chat_id, *seq)) {
            verdict.add(Rule::EchoedOnce, format!("{name} got its own entry {seq} of chat {chat_id} back"));
            continue;
        }
        let Some(cursor) = cursors.get_mut(chat_id) else {
            verdict
                .add(Rule::NothingForeign, format!("{name} is not in chat {chat_id} and heard entry {seq}"));
            continue;
        };
        let sent =
            text.as_ref().filter(|text| !text.is_empty()).map(|text| known.operations.get(text.as_str()));
        if sent.is_some_and(|sent| sent.is_none_or(|sent| sent.chat_id != *chat_id)) {
            verdict
                .add(Rule::NothingForeign, format!("{name} heard {text:?}, which nobody sent to {chat_id}"));
        }
        let row = known.rows.get(&(*chat_id, *seq));
        let is_stored = row.is_some_and(|row| match (&row.message, text) {
            (Some(message), Some(text)) => is_the_same(&message.text, text),
            (message, text) => message.is_none() && text.is_none(),
        });
        let is_early = sent.flatten().is_some_and(|sent| delivery.moment < sent.invoked);
        if !is_stored || is_early {
            let what = format!("{name} heard {text:?} as entry {seq} of chat {chat_id}, which is not stored");
            verdict.add(Rule::DeliveredIsStored, what);
        }
        let next = first_not_in(&own, *chat_id, *cursor + 1);
        if *seq != next {
            let what = format!("{name} got entry {seq} of chat {chat_id} in the place of {next}");
            verdict.add(Rule::ReaderIsComplete, what);
        }
        *cursor = (*seq).max(*cursor);
    }
    for (chat_id, cursor) in cursors {
        let head = known.heads.get(&chat_id).copied().unwrap_or(0);
        let next = first_not_in(&own, chat_id, cursor + 1);
        if next <= head {
            let what = format!("{name} did not get entries {next} to {head} of chat {chat_id}");
            verdict.add(Rule::ReaderIsComplete, what);
        }
    }
}

/// The next number that a reader must get, when its own are passed over.
fn first_not_in(own: &HashSet<(ChatId, Seq)>, chat_id: ChatId, from: Seq) -> Seq {
    (from..).find(|seq| !own.contains(&(chat_id, *seq))).unwrap_or(from)
}
