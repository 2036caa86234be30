//! What is said on a link, as types. Events travel as the JSON they were encoded to when they were committed.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use ttp::event::EventFrame;
use ttp::frame::encode_with;
use ttp::model::{Seq, SessionId, UserId};
use ttp::rpc;

use crate::{Event, Hearing, Hint, Membership, Topic, USERS_PER_QUESTION_MAX};

pub(super) const LINK: &str = "Link";
pub(super) const PROVE: &str = "Prove";
pub(super) const PUBLISH: &str = "Publish";
pub(super) const RESYNC: &str = "Resync";
pub(super) const TOPICS_OF: &str = "TopicsOf";

/// Bytes of events after which a `Publish` ends. One event may be longer; it then travels alone.
const PUBLISH_BYTES_MAX: usize = 256 * 1024;

/// The broadcast-server's answer to `Link`.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Challenge {
    pub(super) nonce: String,
    pub(super) proof: String,
}

/// The data-server's answer to the challenge.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Prove {
    pub(super) proof: String,
}

/// Asks what people hear.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct TopicsOf {
    pub(super) user_ids: Vec<UserId>,
}

/// What they hear, in the order asked.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Topics {
    pub(super) people: Vec<Hearing>,
}

#[derive(Serialize)]
struct PublishOut<'a> {
    hints: Vec<HintOut<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum HintOut<'a> {
    Event { topic: Topic, seq: Seq, author: Option<UserId>, entry: &'a RawValue },
    Subscribe { topic: Topic, users: &'a [UserId] },
    Unsubscribe { topic: Topic, users: &'a [UserId] },
    Head { topic: Topic, seq: Seq, head: &'a RawValue },
    Note { topic: Topic, seq: Seq, note: &'a RawValue },
    NoteHead { topic: Topic, seq: Seq, note: &'a RawValue },
    Moved { users: &'a [UserId] },
    Ended { sessions: &'a [SessionId] },
}

#[derive(Deserialize)]
struct PublishIn {
    hints: Vec<HintIn>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum HintIn {
    Event { topic: Topic, seq: Seq, author: Option<UserId>, entry: Box<RawValue> },
    Subscribe { topic: Topic, users: Vec<UserId> },
    Unsubscribe { topic: Topic, users: Vec<UserId> },
    Head { topic: Topic, seq: Seq, head: Box<RawValue> },
    Note { topic: Topic, seq: Seq, note: Box<RawValue> },
    NoteHead { topic: Topic, seq: Seq, note: Box<RawValue> },
    Moved { users: Vec<UserId> },
    Ended { sessions: Vec<SessionId> },
}

/// Appends one notification or request as a frame.
pub(super) fn write<P: Serialize + ?Sized>(out: &mut Vec<u8>, id: Option<u64>, method: &str, params: &P) {
    encode_with(out, |out| rpc::write_request(out, id, method, params))
        .expect("what a link says is strings, numbers and JSON made before");
}

/// Appends hints as `Publish` frames of bounded length.
pub(super) fn write_hints(out: &mut Vec<u8>, hints: &[Hint]) {
    let mut publish = PublishOut { hints: Vec::new() };
    let mut bytes = 0;
    for hint in hints {
        each_part(hint, |part, size| {
            if bytes + size > PUBLISH_BYTES_MAX && !publish.hints.is_empty() {
                write(out, None, PUBLISH, &publish);
                publish.hints.clear();
                bytes = 0;
            }
            bytes += size;
            publish.hints.push(part);
        });
    }
    if !publish.hints.is_empty() {
        write(out, None, PUBLISH, &publish);
    }
}

/// What a hint is on the wire, with its bytes: lists are cut, so that no list makes a frame too long.
fn each_part<'a>(hint: &'a Hint, mut take: impl FnMut(HintOut<'a>, usize)) {
    match hint {
        Hint::Event(Event { topic, seq, frame, .. }) if topic.is_a_persons() => {
            take(HintOut::Note { topic: *topic, seq: *seq, note: frame.params() }, size_of_hint(hint));
        }
        Hint::Head(Event { topic, seq, frame, .. }) if topic.is_a_persons() => {
            take(HintOut::NoteHead { topic: *topic, seq: *seq, note: frame.params() }, size_of_hint(hint));
        }
        Hint::Event(Event { topic, seq, author, frame }) => {
            let part = HintOut::Event { topic: *topic, seq: *seq, author: *author, entry: frame.params() };
            take(part, size_of_hint(hint));
        }
        Hint::Head(Event { topic, seq, frame, .. }) => {
            take(HintOut::Head { topic: *topic, seq: *seq, head: frame.params() }, size_of_hint(hint));
        }
        Hint::Subscribe(Membership { topic, users }) => {
            each_list(users, |users, size| take(HintOut::Subscribe { topic: *topic, users }, size));
        }
        Hint::Unsubscribe(Membership { topic, users }) => {
            each_list(users, |users, size| take(HintOut::Unsubscribe { topic: *topic, users }, size));
        }
        Hint::Moved(users) => each_list(users, |users, size| take(HintOut::Moved { users }, size)),
        Hint::Ended(sessions) => {
            each_list(sessions, |sessions, size| take(HintOut::Ended { sessions }, size));
        }
    }
}

fn each_list<'a, T>(numbers: &'a [T], mut take: impl FnMut(&'a [T], usize)) {
    for list in numbers.chunks(USERS_PER_QUESTION_MAX) {
        take(list, size_of_list(list));
    }
}

fn size_of_list<T>(numbers: &[T]) -> usize {
    64 + 20 * numbers.len()
}

/// Bytes that a hint holds, for queues and frames; an upper bound of what it takes on the wire, nearly.
pub(super) fn size_of_hint(hint: &Hint) -> usize {
    match hint {
        Hint::Event(event) | Hint::Head(event) => event.frame.frame().len() + 64,
        Hint::Subscribe(membership) | Hint::Unsubscribe(membership) => size_of_list(&membership.users),
        Hint::Moved(users) => size_of_list(users),
        Hint::Ended(sessions) => size_of_list(sessions),
    }
}

/// Reads the params of a `Publish`.
pub(super) fn read_hints(params: &RawValue) -> Result<Vec<Hint>, serde_json::Error> {
    let publish: PublishIn = serde_json::from_str(params.get())?;
    let hints = publish.hints.into_iter().map(|hint| match hint {
        HintIn::Event { topic, seq, author, entry } => {
            Hint::Event(Event { topic, seq, author, frame: EventFrame::from_params(&entry) })
        }
        HintIn::Note { topic, seq, note } => Hint::Event(noted(topic, seq, &note)),
        HintIn::NoteHead { topic, seq, note } => Hint::Head(noted(topic, seq, &note)),
        HintIn::Subscribe { topic, users } => Hint::Subscribe(Membership { topic, users: users.into() }),
        HintIn::Unsubscribe { topic, users } => Hint::Unsubscribe(Membership { topic, users: users.into() }),
        HintIn::Head { topic, seq, head } => {
            Hint::Head(Event { topic, seq, author: None, frame: EventFrame::head_from_params(&head) })
        }
        HintIn::Moved { users } => Hint::Moved(users.into()),
        HintIn::Ended { sessions } => Hint::Ended(sessions.into()),
    });
    Ok(hints.collect())
}

fn noted(topic: Topic, seq: Seq, note: &RawValue) -> Event {
    Event { topic, seq, author: None, frame: EventFrame::note_from_params(note) }
}
