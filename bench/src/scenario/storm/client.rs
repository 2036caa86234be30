//! One client: where it stands between being cut and having everything, in the order and with the waits of `client-lib`.
//!
//! ```text
//!  Away ──► Opening (connect, Hello, OpenStream) ──► Syncing (connect, Hello, Authenticate, Sync …) ──► Live
//!   ▲                                                   │ ▲ refused: Paused, then asked again            │
//!   └──────────────── whatever ends a connection ◄──────┴─┴──────────────────────────────────────────────┘
//! ```

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use bytes::Bytes;
use mio::net::TcpStream;
use ttp::frame::{Decoder, encode};
use ttp::net::backoff::Backoff;

use super::page;

/// As `client-lib` has them.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// Longest payload that a server sends.
const PAYLOAD_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Where a client stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Without a connection, until the wait is over.
    Away,
    /// Its stream is not open yet.
    Opening,
    /// Its stream is open, and it asks the data-server.
    Syncing,
    /// The data-server wants to be asked again later.
    Paused,
    /// It has everything, and listens.
    Live,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) user_id: usize,
    pub(crate) step: Step,
    /// Counts the steps, so that a wait that is over can be told from a later one.
    pub(crate) turn: u32,
    pub(crate) stream: Option<Line>,
    pub(crate) data: Option<Line>,
    pub(crate) backoff: Backoff,
    /// The newest entry that it has of each chat.
    pub(crate) cursors: Vec<(i64, u64)>,
    /// Something was missed while it asked for what was missed before.
    pub(crate) asks_again: bool,
    /// When its stream was open again, and when it had everything again.
    pub(crate) opened: Option<Instant>,
    pub(crate) completed: Option<Instant>,
}

/// A connection to one of the servers.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) socket: TcpStream,
    decoder: Decoder,
    pub(crate) is_connected: bool,
    /// Requests that were sent; the number of the last one.
    pub(crate) asked: u32,
}

impl Client {
    /// Somebody who has everything until now.
    pub(crate) fn new(user_id: usize, cursors: Vec<(i64, u64)>) -> Self {
        Self {
            user_id,
            step: Step::Away,
            turn: 0,
            stream: None,
            data: None,
            backoff: Backoff::new(BACKOFF.0, BACKOFF.1),
            cursors,
            asks_again: false,
            opened: None,
            completed: None,
        }
    }

    /// So many entries of its chats are missing, an equal share of each.
    pub(crate) fn fall_behind(&mut self, behind: u64, head: u64) {
        let chats = self.cursors.len() as u64;
        for (place, (_, cursor)) in (0..).zip(&mut self.cursors) {
            *cursor = head - (behind / chats + u64::from(place < behind % chats));
        }
        (self.opened, self.completed) = (None, None);
        self.backoff.reset();
    }

    /// Takes the entries of a page; answers how many there were.
    ///
    /// # Errors
    /// One of them is not the next of its chat, or its chat is not this person's.
    pub(crate) fn take_page(&mut self, payload: &[u8]) -> Result<u64> {
        let mut count = 0;
        for (chat, seq) in page::entries(payload) {
            ensure!(self.take_next(chat, seq), "person {} got {chat}/{seq} out of its order", self.user_id);
            count += 1;
        }
        Ok(count)
    }

    /// Takes the entries of an event, without those that it has already; answers how many were new.
    ///
    /// # Errors
    /// As with a page.
    pub(crate) fn take_event(&mut self, payload: &[u8]) -> Result<u64> {
        let mut count = 0;
        for (chat, seq) in page::entries(payload) {
            if self.cursors.iter().any(|(own, cursor)| *own == chat && seq <= *cursor) {
                continue;
            }
            ensure!(self.take_next(chat, seq), "person {} heard {chat}/{seq} out of its order", self.user_id);
            count += 1;
        }
        Ok(count)
    }

    fn take_next(&mut self, chat: i64, seq: u64) -> bool {
        let own = self.cursors.iter_mut().find(|(own, cursor)| *own == chat && seq == *cursor + 1);
        own.map(|(_, cursor)| *cursor = seq).is_some()
    }

    /// Fails unless it has the newest entry of each of its chats.
    ///
    /// # Errors
    /// A server has said that there is no more, and there is.
    pub(crate) fn check_complete(&self, head: u64) -> Result<()> {
        let lacks = self.cursors.iter().find(|(_, cursor)| *cursor != head);
        ensure!(lacks.is_none(), "person {} is complete without the newest entry of {lacks:?}", self.user_id);
        Ok(())
    }

    /// What to ask the data-server for everything newer.
    pub(crate) fn sync_params(&self) -> String {
        let cursors: Vec<String> =
            self.cursors.iter().map(|(chat, seq)| format!(r#""{chat}":{seq}"#)).collect();
        format!(r#"{{"cursors":{{{}}}}}"#, cursors.join(","))
    }
}

impl Line {
    /// Begins to connect.
    ///
    /// # Errors
    /// As the operating system says.
    pub(crate) fn connect(address: SocketAddr) -> std::io::Result<Self> {
        let socket = TcpStream::connect(address)?;
        Ok(Self { socket, decoder: Decoder::new(PAYLOAD_BYTES_MAX), is_connected: false, asked: 0 })
    }

    /// Whether it has just been connected, or why that failed.
    ///
    /// # Errors
    /// As the operating system says.
    pub(crate) fn finish_connecting(&mut self) -> std::io::Result<bool> {
        if let Some(error) = self.socket.take_error()? {
            return Err(error);
        }
        match self.socket.peer_addr() {
            Err(error) if error.kind() == ErrorKind::NotConnected => return Ok(false),
            other => other?,
        };
        self.socket.set_nodelay(true)?;
        self.is_connected = true;
        Ok(true)
    }

    /// Asks something. It is short, and nothing waits before it, so the socket takes it.
    ///
    /// # Errors
    /// The server is gone.
    pub(crate) fn ask(&mut self, method: &str, params: &str) -> std::io::Result<()> {
        self.asked += 1;
        let id = self.asked;
        let request = format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{params},"id":{id}}}"#);
        self.socket.write_all(&encode(request.as_bytes()))
    }

    /// Whether this is the answer to the last request.
    pub(crate) fn is_answer(&self, payload: &[u8]) -> bool {
        payload.ends_with(format!(r#","id":{}}}"#, self.asked).as_bytes())
    }

    /// Reads what has arrived; whether the server is gone.
    pub(crate) fn read(&mut self, scratch: &mut [u8]) -> bool {
        loop {
            match self.socket.read(scratch) {
                Ok(0) => return true,
                Ok(count) => {
                    self.decoder.push(&scratch[..count]);
                    // The socket is empty then; what comes later is an event of its own.
                    if count < scratch.len() {
                        return false;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return true,
            }
        }
    }

    /// The next whole payload.
    ///
    /// # Errors
    /// The server does not write frames.
    pub(crate) fn payload(&mut self) -> Result<Option<Bytes>> {
        Ok(self.decoder.next_payload()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(seqs: &[u64]) -> Vec<u8> {
        let entry = |seq| format!(r#"{{"chat_id":3,"seq":{seq},"change":{{}}}}"#);
        seqs.iter().map(entry).collect::<Vec<_>>().join(",").into()
    }

    #[test]
    fn a_hole_a_repetition_and_a_foreign_chat_are_found_out() {
        let behind = || {
            let mut client = Client::new(1, vec![(3, 9), (4, 9)]);
            client.fall_behind(5, 9);
            assert_eq!(client.cursors, [(3, 6), (4, 7)]);
            client
        };
        assert_eq!(behind().take_page(&page(&[7, 8, 9])).unwrap(), 3);
        behind().take_page(&page(&[7, 9])).unwrap_err();
        behind().take_page(&page(&[7, 7])).unwrap_err();
        behind().take_page(br#"{"chat_id":5,"seq":1,"change":{}}"#).unwrap_err();
        assert_eq!(behind().take_event(&page(&[6, 7, 7])).unwrap(), 1);
        behind().take_event(&page(&[8])).unwrap_err();
    }

    #[test]
    fn complete_is_who_has_the_newest_of_every_chat() {
        let mut client = Client::new(1, vec![(3, 8), (4, 9)]);
        client.check_complete(9).unwrap_err();
        client.take_page(&page(&[9])).unwrap();
        client.check_complete(9).unwrap();
        assert_eq!(client.sync_params(), r#"{"cursors":{"3":9,"4":9}}"#);
    }
}
