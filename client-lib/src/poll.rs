//! The long poll: a stream that is kept from one call to the next, so that nothing falls between two.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use ttp::model::{Change, Message};

use crate::error::Error;
use crate::resume::{Cursors, Position};
use crate::session::Session;
use crate::stream::{ConnectionState, Event, EventStream};

/// What is kept between two polls. Two callers take turns, each with its own time-out; the lock is one that waits
/// without blocking its thread.
#[derive(Debug, Default)]
pub(crate) struct Poll {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    stream: Option<EventStream>,
    /// Where the last stream stood when it ended, and where the next one begins.
    from: Option<Cursors>,
}

impl Poll {
    /// See [`crate::Client::receive_one`].
    pub(crate) async fn receive_one(
        &self,
        session: &Arc<Session>,
        timeout: Option<Duration>,
    ) -> Result<Option<Message>, Error> {
        let Some(timeout) = timeout else {
            return self.next_message(session).await.map(Some);
        };
        // Giving up loses nothing: a message leaves the stream only as the last thing `next_message` does.
        match tokio::time::timeout(timeout, self.next_message(session)).await {
            Ok(message) => message.map(Some),
            Err(_) => Ok(None),
        }
    }

    async fn next_message(&self, session: &Arc<Session>) -> Result<Message, Error> {
        let mut kept = self.kept.lock().await;
        let Kept { stream, from } = &mut *kept;
        let events = stream.get_or_insert_with(|| {
            let from = from.take().map_or(Position::Now, Position::After);
            EventStream::start(Arc::clone(session), from)
        });
        while let Some(event) = events.next().await {
            match event {
                Event::Entry(entry) => {
                    if let Change::Message(message) = entry.change {
                        return Ok(message);
                    }
                }
                Event::Reset => return Err(Error::Reset),
                Event::Connection(ConnectionState::Disconnected { reason, retry_in: None }) => {
                    *from = events.cursors();
                    *stream = None;
                    return Err(reason);
                }
                Event::Gone(_)
                | Event::Purged(..)
                | Event::Read(_)
                | Event::Draft(_)
                | Event::Connection(_) => {}
            }
        }
        Err(Error::Closed)
    }
}
