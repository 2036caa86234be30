//! Events to the streams that hear them, and how a stream comes to be.

use anyhow::Result;
use bus::{Event, Topic};
use tokio::runtime::Runtime;
use ttp::model::UserId;

use super::counted;
use super::shard::{Room, event, expect};

const STREAMS: i64 = 1_000;
const OPENED: i64 = 200;
const TOPICS: i64 = 64;
const EVENTS: u64 = 64;
/// Topics that each stream hears where there are many.
const HEARD: i64 = 8;

/// Everybody hears one topic, which has one event in a turn.
pub(super) fn one_event(_: &Runtime) -> Result<u64> {
    const ROUNDS: u64 = 20;
    let mut room = room(everybody)?;
    for seq in 1..=ROUNDS {
        deliver(&mut room, vec![event(1, seq)], STREAMS as usize)?;
    }
    Ok(ROUNDS * STREAMS as u64)
}

/// Everybody hears one topic, which has many events in a turn.
pub(super) fn one_topic(_: &Runtime) -> Result<u64> {
    const ROUNDS: u64 = 10;
    let mut room = room(everybody)?;
    for round in 0..ROUNDS {
        let events = (1..=EVENTS).map(|number| event(1, round * EVENTS + number));
        deliver(&mut room, events.collect(), STREAMS as usize)?;
    }
    Ok(ROUNDS * EVENTS * STREAMS as u64)
}

/// Many topics with one event each, of which everybody hears some.
pub(super) fn many_topics(_: &Runtime) -> Result<u64> {
    const ROUNDS: u64 = 10;
    let mut room = room(some)?;
    for seq in 1..=ROUNDS {
        let events = (0..TOPICS).map(|topic| event(topic, seq));
        deliver(&mut room, events.collect(), (STREAMS * HEARD / TOPICS) as usize)?;
    }
    Ok(ROUNDS * (STREAMS * HEARD) as u64)
}

/// Greeting, ticket, directory, table.
pub(super) fn opening(_: &Runtime) -> Result<u64> {
    let mut room = Room::new(some)?;
    for user in 1..=OPENED {
        room.knock(user)?;
        counted(|| room.open())??;
    }
    room.drain()?;
    Ok(OPENED as u64)
}

/// A room of people who hear something.
fn room(hears: fn(UserId) -> Vec<Topic>) -> Result<Room> {
    let mut room = Room::new(hears)?;
    for user in 1..=STREAMS {
        room.knock(user)?;
        room.open()?;
    }
    room.drain()?;
    Ok(room)
}

fn everybody(_: UserId) -> Vec<Topic> {
    vec![Topic(1)]
}

/// Eight of the topics, another eight for the next person.
fn some(user: UserId) -> Vec<Topic> {
    (0..HEARD).map(|number| Topic((user.0 + number * HEARD) % TOPICS)).collect()
}

fn deliver(room: &mut Room, events: Vec<Event>, listeners: usize) -> Result<()> {
    let bytes: usize = events.iter().map(|event| event.frame.frame().len()).sum();
    expect(room.deliver(events)?, bytes * listeners)
}
