//! The connections of one shard, by slot. A key outlives its connection and then finds nothing.

use slab::Slab;
use ttp::net::serve::Permit;

use crate::socket::Socket;
use crate::stream::Stream;
use crate::table::StreamKey;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    slots: Slab<Connection>,
    last_generation: u32,
}

/// A connection with its place among those of the server.
#[derive(Debug)]
pub(crate) struct Connection {
    generation: u32,
    pub(crate) stream: Stream<Socket>,
    pub(crate) permit: Permit,
}

impl Connections {
    /// The key that the next connection gets.
    pub(crate) fn next_key(&self) -> StreamKey {
        StreamKey { slot: self.slots.vacant_key() as u32, generation: self.last_generation.wrapping_add(1) }
    }

    /// Adds a connection under [`Connections::next_key`].
    pub(crate) fn insert(&mut self, stream: Stream<Socket>, permit: Permit) {
        self.last_generation = self.last_generation.wrapping_add(1);
        self.slots.insert(Connection { generation: self.last_generation, stream, permit });
    }

    /// The key of whatever is in a slot now.
    pub(crate) fn key_of(&self, slot: usize) -> Option<StreamKey> {
        let connection = self.slots.get(slot)?;
        Some(StreamKey { slot: slot as u32, generation: connection.generation })
    }

    pub(crate) fn get(&self, key: StreamKey) -> Option<&Stream<Socket>> {
        let connection = self.slots.get(key.slot as usize)?;
        (connection.generation == key.generation).then_some(&connection.stream)
    }

    pub(crate) fn get_mut(&mut self, key: StreamKey) -> Option<&mut Stream<Socket>> {
        let connection = self.slots.get_mut(key.slot as usize)?;
        (connection.generation == key.generation).then_some(&mut connection.stream)
    }

    /// Counts that a record of this connection was not what its peer had sent.
    pub(crate) fn count_refused_record(&self, key: StreamKey) {
        if let Some(connection) = self.slots.get(key.slot as usize)
            && connection.generation == key.generation
        {
            connection.permit.counters().count_refused_record();
        }
    }

    pub(crate) fn remove(&mut self, key: StreamKey) -> Option<Connection> {
        self.get(key)?;
        self.slots.try_remove(key.slot as usize)
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (StreamKey, &Stream<Socket>)> {
        self.slots.iter().map(|(slot, connection)| {
            let key = StreamKey { slot: slot as u32, generation: connection.generation };
            (key, &connection.stream)
        })
    }
}
