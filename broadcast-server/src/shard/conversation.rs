//! What a shard does for one connection: reads, lets it converse, meets its demands, and ends it.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use tracing::{debug, info};
use ttp::code::CloseCode;
use ttp::event::Close;
use ttp::model::UserId;

use super::{READS_PER_TURN, Shard};
use crate::stream::{Demand, End, NotOpened, Received, Stream};
use crate::table::StreamKey;

impl Shard {
    /// Reads what has arrived, but not more than is fair in one turn.
    pub(super) fn readable(&mut self, key: StreamKey) {
        for _ in 0..READS_PER_TURN {
            let Some(stream) = self.connections.get_mut(key) else {
                return;
            };
            match stream.receive(&mut self.scratch, self.now_ms) {
                Received::Nothing => return,
                Received::End => return self.end(key, End::Gone),
                Received::Refused => {
                    self.connections.count_refused_record(key);
                    return self.end(key, End::Forged);
                }
                Received::Some => {}
            }
            self.converse(key);
        }
        self.unread.push(key);
    }

    /// Answers what was read, in its order: what the shard answers itself comes before what was asked after it.
    fn converse(&mut self, key: StreamKey) {
        while let Some(stream) = self.connections.get_mut(key) {
            let demands = stream.converse(&self.shared, self.now_ms, &mut self.out);
            self.say(key);
            let goes_on = demands.iter().any(|demand| matches!(demand, Demand::Signal(..)));
            for demand in demands {
                self.meet(key, demand);
            }
            if !goes_on {
                break;
            }
        }
    }

    /// The socket takes more.
    pub(super) fn writable(&mut self, key: StreamKey) {
        let Some(stream) = self.connections.get_mut(key) else {
            return;
        };
        match stream.flush(self.now_ms) {
            Err(end) => self.end(key, end),
            Ok(()) => self.finish_if_said(key),
        }
    }

    /// The directory has answered for a stream.
    pub(super) fn opened(&mut self, key: StreamKey, result: Result<(), NotOpened>) {
        let Some(stream) = self.connections.get_mut(key) else {
            return;
        };
        stream.opened(result, self.now_ms, &mut self.out);
        let (peer, user_id) = (stream.peer(), stream.user());
        match (result, user_id) {
            (Ok(()), Some(user_id)) => {
                self.stats.streams_opened.fetch_add(1, Ordering::Relaxed);
                self.appear(key, user_id);
                debug!(%peer, %user_id, "stream opened");
            }
            (Err(NotOpened::SessionEnded), _) => debug!(%peer, "stream not opened: its session has ended"),
            _ => debug!(%peer, "stream not opened: the directory did not answer"),
        }
        self.say(key);
    }

    /// Sends the replies that were gathered in `out`.
    pub(super) fn say(&mut self, key: StreamKey) {
        if self.out.is_empty() {
            return;
        }
        let replies = self.budget.hold(Bytes::copy_from_slice(&self.out));
        self.out.clear();
        if let Some(stream) = self.connections.get_mut(key)
            && let Err(end) = stream.send(&[replies], self.now_ms, self.shared.config.outlet_bytes_max)
        {
            self.end(key, end);
        }
        self.relieve();
    }

    fn meet(&mut self, key: StreamKey, demand: Demand) {
        match demand {
            Demand::Open(bearer) => {
                if let Some(stream) = self.connections.get(key)
                    && stream.user() == Some(bearer.user)
                {
                    self.table.enter(bearer, key, stream.dialect());
                }
            }
            Demand::Signal(slot, signal) => self.signal(key, slot, *signal),
            Demand::Link(first) => self.hand_over(key, first),
            Demand::End(end) => self.end(key, end),
        }
    }

    /// Gives the connection to the bus.
    fn hand_over(&mut self, key: StreamKey, first: Bytes) {
        let Some(links) = self.shared.links.clone() else {
            return;
        };
        let waiting = self.connections.get(key).map(Stream::outlet_bytes);
        if waiting != Some(0) {
            // A peer that does not read its replies would find the link's in the middle of one.
            return self.end(key, End::Close(CloseCode::Slow));
        }
        let Some(connection) = self.connections.remove(key) else {
            return;
        };
        let peer = connection.stream.peer();
        let (mut socket, decoder) = connection.stream.into_parts();
        if let Err(error) = self.poll.registry().deregister(socket.wire()) {
            info!(%peer, %error, "connection closed: it could not become a link");
            return;
        }
        info!(%peer, "connection handed to the bus as a link");
        links.accept(socket.into_wire().into(), decoder, first, Box::new(connection.permit));
    }

    /// Ends a connection: it hears nothing more but its farewell, and is closed when that is read.
    pub(super) fn end(&mut self, key: StreamKey, end: End) {
        let Some(stream) = self.connections.get_mut(key) else {
            return;
        };
        if stream.is_closing() {
            // The farewell could not be said in time, or the peer has read it and closed.
            if matches!(end, End::Gone | End::Forged) {
                self.connections.remove(key);
            }
            return;
        }
        let (peer, user) = (stream.peer(), stream.user());
        let appeared = stream.listener().map(|user| (user, stream.shows()));
        match user {
            Some(user_id) => info!(%peer, %user_id, reason = end.reason(), "connection closed"),
            None => info!(%peer, reason = end.reason(), "connection closed"),
        }
        let lingers = match end {
            End::Gone | End::Forged => false,
            End::Close(code) => self.say_farewell(key, code),
        };
        if !lingers {
            self.connections.remove(key);
        }
        if let Some(user) = user {
            self.leave(user, key);
        }
        if let Some((user, shows)) = appeared {
            self.disappear(key, user, shows);
        }
        self.finish_if_said(key);
    }

    /// Ends streams whose session has ended. One that is not open yet is refused instead, and may try again with
    /// another ticket.
    pub(super) fn log_out(&mut self, keys: &[StreamKey]) {
        for key in keys {
            let Some(stream) = self.connections.get(*key) else { continue };
            match (stream.listener(), stream.user()) {
                (None, Some(user)) => {
                    self.leave(user, *key);
                    self.shared.tickets.count_refused();
                    self.opened(*key, Err(NotOpened::SessionEnded));
                }
                _ => self.end(*key, End::Close(CloseCode::LoggedOut)),
            }
        }
    }

    /// The table forgets a stream.
    fn leave(&mut self, user: UserId, key: StreamKey) {
        let connections = &self.connections;
        let is_live =
            |key| connections.get(key).is_some_and(|stream: &Stream<_>| stream.listener().is_some());
        self.table.leave(user, key, is_live);
    }

    fn say_farewell(&mut self, key: StreamKey, code: CloseCode) -> bool {
        let retry_after_ms = match code {
            CloseCode::GoingAway => Some(self.return_after_ms()),
            _ => None,
        };
        if code == CloseCode::Slow {
            self.stats.slow_cuts.fetch_add(1, Ordering::Relaxed);
        }
        let now_ms = self.now_ms;
        let linger_ms = match code {
            // Nobody seems to be there to read it.
            CloseCode::Idle => self.shared.config.tick_ms,
            _ => self.shared.config.linger_ms,
        };
        self.connections
            .get_mut(key)
            .is_some_and(|stream| stream.begin_closing(&Close::new(code, retry_after_ms), now_ms, linger_ms))
    }

    /// When a closing connection has said everything, the peer is told so, and has the linger time to close. To
    /// close before it has would let the kernel take back what it has not read yet.
    fn finish_if_said(&mut self, key: StreamKey) {
        let Some(stream) = self.connections.get_mut(key).filter(|stream| stream.has_said_all()) else {
            return;
        };
        match stream.socket().say_goodbye() {
            Ok(true) => stream.note_shut(),
            Ok(false) => {}
            Err(_) => drop(self.connections.remove(key)),
        }
    }
}
