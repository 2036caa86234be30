//! What is said on a link, as types. Events travel as the JSON they were encoded to when they were committed.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use ttp::event::EventFrame;
use ttp::frame::encode_with;
use ttp::model::{Seq, UserId};
use ttp::rpc;

use crate::{Event, Hint, Membership, Topic, USERS_PER_QUESTION_MAX};

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

/// Asks for the topics of people.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct TopicsOf {
    pub(super) user_ids: Vec<UserId>,
}

/// Their topics, in the order asked.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Topics {
    pub(super) topics: Vec<Vec<Topic>>,
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
    Moved { users: &'a [UserId] },
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
    Moved { users: Vec<UserId> },
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
        let size = size_of_hint(hint);
        if bytes + size > PUBLISH_BYTES_MAX && !publish.hints.is_empty() {
            write(out, None, PUBLISH, &publish);
            publish.hints.clear();
            bytes = 0;
        }
        bytes += size;
        match hint {
            Hint::Event(event) => publish.hints.push(HintOut::Event {
                topic: event.topic,
                seq: event.seq,
                author: event.author,
                entry: event.frame.params(),
            }),
            Hint::Subscribe(Membership { topic, users }) => publish.hints.extend(
                users.chunks(USERS_PER_QUESTION_MAX).map(|users| HintOut::Subscribe { topic: *topic, users }),
            ),
            Hint::Unsubscribe(Membership { topic, users }) => publish.hints.extend(
                users
                    .chunks(USERS_PER_QUESTION_MAX)
                    .map(|users| HintOut::Unsubscribe { topic: *topic, users }),
            ),
            Hint::Head(event) => publish.hints.push(HintOut::Head {
                topic: event.topic,
                seq: event.seq,
                head: event.frame.params(),
            }),
            Hint::Moved(users) => publish
                .hints
                .extend(users.chunks(USERS_PER_QUESTION_MAX).map(|users| HintOut::Moved { users })),
        }
    }
    if !publish.hints.is_empty() {
        write(out, None, PUBLISH, &publish);
    }
}

/// Bytes that a hint holds, for queues and frames; an upper bound of what it takes on the wire, nearly.
pub(super) fn size_of_hint(hint: &Hint) -> usize {
    match hint {
        Hint::Event(event) | Hint::Head(event) => event.frame.frame().len() + 64,
        Hint::Subscribe(membership) | Hint::Unsubscribe(membership) => 64 + 12 * membership.users.len(),
        Hint::Moved(users) => 64 + 12 * users.len(),
    }
}

/// Reads the params of a `Publish`.
pub(super) fn read_hints(params: &RawValue) -> Result<Vec<Hint>, serde_json::Error> {
    let publish: PublishIn = serde_json::from_str(params.get())?;
    let hints = publish.hints.into_iter().map(|hint| match hint {
        HintIn::Event { topic, seq, author, entry } => {
            Hint::Event(Event { topic, seq, author, frame: EventFrame::from_params(&entry) })
        }
        HintIn::Subscribe { topic, users } => Hint::Subscribe(Membership { topic, users: users.into() }),
        HintIn::Unsubscribe { topic, users } => Hint::Unsubscribe(Membership { topic, users: users.into() }),
        HintIn::Head { topic, seq, head } => {
            Hint::Head(Event { topic, seq, author: None, frame: EventFrame::head_from_params(&head) })
        }
        HintIn::Moved { users } => Hint::Moved(users.into()),
    });
    Ok(hints.collect())
}
