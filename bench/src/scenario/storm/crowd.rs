//! All clients in one thread: sockets that are ready, waits that are over, and what each client does then.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use memchr::memmem;
use mio::{Events, Interest, Poll, Token};
use ttp::net::backoff::random;
use ttp::net::clock;

use super::client::{Client, Line, Step};
use super::page;

/// How long a client waits for a connection or an answer before it tries again, as `client-lib` does.
const PATIENCE: Duration = Duration::from_secs(10);

/// Room for one read.
const READ_BYTES: usize = 256 * 1024;

/// Sockets looked at in one turn.
const EVENTS_PER_TURN: usize = 1024;

/// What happened to all clients together.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Tally {
    pub(crate) complete: usize,
    /// Attempts to come back.
    pub(crate) attempts: u64,
    /// Answers that told a client to come later, which it did.
    pub(crate) refusals: u64,
    /// Entries that came by `Sync`, and its answers.
    pub(crate) entries: u64,
    pub(crate) pages: u64,
    /// Entries that came on streams.
    pub(crate) heard: u64,
    /// Times that a client that had everything was told to sync again.
    pub(crate) again: u64,
}

/// See the module.
pub(crate) struct Crowd {
    poll: Poll,
    clients: Vec<Client>,
    addresses: [SocketAddr; 2],
    /// The newest entry of every chat.
    head: u64,
    waits: BinaryHeap<Reverse<(Instant, usize, u32)>>,
    tally: Tally,
    scratch: Vec<u8>,
}

/// Which connection of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Stream,
    Data,
}

impl Crowd {
    /// Everybody is away, and comes one shortly after the other. First the address of the broadcast-server.
    ///
    /// # Errors
    /// The operating system has no place for it.
    pub(crate) fn new(clients: Vec<Client>, addresses: [SocketAddr; 2], head: u64) -> Result<Self> {
        let mut crowd = Self {
            poll: Poll::new()?,
            clients,
            addresses,
            head,
            waits: BinaryHeap::new(),
            tally: Tally::default(),
            scratch: vec![0; READ_BYTES],
        };
        let now = clock::now();
        for place in 0..crowd.clients.len() {
            crowd.enter(place, Step::Away, now + Duration::from_micros(150) * place as u32);
        }
        Ok(crowd)
    }

    /// The clients.
    pub(crate) fn clients(&self) -> &[Client] {
        &self.clients
    }

    /// What happened since the last cut.
    pub(crate) fn tally(&self) -> Tally {
        self.tally
    }

    /// The next cut finds each client so many entries behind.
    pub(crate) fn fall_behind(&mut self, behind: impl Fn(usize) -> u64) {
        self.tally = Tally::default();
        for client in &mut self.clients {
            client.fall_behind(behind(client.user_id), self.head);
        }
    }

    /// From now on the chats have one entry more.
    pub(crate) fn expect_one_more(&mut self) {
        self.head += 1;
    }

    /// Fails unless everybody has everything.
    ///
    /// # Errors
    /// Somebody has not.
    pub(crate) fn check_complete(&self) -> Result<()> {
        self.clients.iter().try_for_each(|client| client.check_complete(self.head))
    }

    /// Lets everybody go on until that much has happened.
    ///
    /// # Errors
    /// It does not happen in time, or something happens that must not.
    pub(crate) fn run_until(&mut self, patience: Duration, is_done: impl Fn(Tally) -> bool) -> Result<()> {
        let begun = clock::now();
        let mut events = Events::with_capacity(EVENTS_PER_TURN);
        while !is_done(self.tally) {
            let now = clock::now();
            let count = self.clients.len();
            ensure!(now - begun < patience, "after {patience:?} of {count} clients: {:?}", self.tally);
            let next =
                self.waits.peek().map_or(PATIENCE, |Reverse((at, ..))| at.saturating_duration_since(now));
            match self.poll.poll(&mut events, Some(next.min(Duration::from_millis(100)))) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                other => other?,
            }
            for event in &events {
                let Token(token) = event.token();
                let side = if token % 2 == 0 { Side::Stream } else { Side::Data };
                self.ready(token / 2, side)?;
            }
            self.end_waits();
        }
        Ok(())
    }

    fn end_waits(&mut self) {
        let now = clock::now();
        while let Some(Reverse((at, place, turn))) = self.waits.peek().copied()
            && at <= now
        {
            self.waits.pop();
            if self.clients[place].turn != turn {
                continue;
            }
            match self.clients[place].step {
                Step::Away => self.open(place),
                Step::Paused => self.sync(place),
                // Nobody has answered.
                Step::Opening | Step::Syncing => self.lose(place, 0),
                Step::Live => {}
            }
        }
    }

    /// A client is at another step; after some time it looks again.
    fn enter(&mut self, place: usize, step: Step, until: Instant) {
        let client = &mut self.clients[place];
        client.step = step;
        client.turn = client.turn.wrapping_add(1);
        self.waits.push(Reverse((until, place, client.turn)));
    }

    fn ready(&mut self, place: usize, side: Side) -> Result<()> {
        let Some(line) = self.line(place, side) else { return Ok(()) };
        if !line.is_connected {
            let greeted = match line.finish_connecting() {
                Ok(false) => return Ok(()),
                Ok(true) => line.ask("Hello", r#"{"protocol":[2]}"#),
                Err(error) => Err(error),
            };
            if greeted.is_err() {
                self.lose(place, 0);
            }
            return Ok(());
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        let mut is_gone = false;
        if let Some(line) = self.line(place, side) {
            is_gone = line.read(&mut scratch);
        }
        self.scratch = scratch;
        // What was said before the end counts, and may say when to come back.
        while let Some(line) = self.line(place, side)
            && let Some(payload) = line.payload()?
        {
            self.take(place, side, &payload)?;
        }
        if is_gone && self.line(place, side).is_some() {
            self.lose(place, 0);
        }
        Ok(())
    }

    fn line(&mut self, place: usize, side: Side) -> Option<&mut Line> {
        let client = &mut self.clients[place];
        match side {
            Side::Stream => client.stream.as_mut(),
            Side::Data => client.data.as_mut(),
        }
    }

    fn take(&mut self, place: usize, side: Side, payload: &[u8]) -> Result<()> {
        let client = &mut self.clients[place];
        let line = match side {
            Side::Stream => client.stream.as_mut(),
            Side::Data => client.data.as_mut(),
        };
        let Some(line) = line else { return Ok(()) };
        if !line.is_answer(payload) {
            return self.take_push(place, payload);
        }
        let asked = line.asked;
        if page::is_refusal(payload) {
            self.refused(place, side, page::advice_ms(payload));
            return Ok(());
        }
        let me = format!(r#"{{"user_id":{}}}"#, client.user_id);
        let went_on = match (side, asked) {
            (Side::Stream, 1) => line.ask("OpenStream", &me),
            (Side::Stream, 2) => {
                client.opened.get_or_insert_with(clock::now);
                self.sync(place);
                Ok(())
            }
            // The answer to a ping.
            (Side::Stream, _) => Ok(()),
            (Side::Data, 1) => line.ask("Authenticate", &me),
            (Side::Data, 2) => {
                self.sync(place);
                Ok(())
            }
            (Side::Data, _) => return self.take_page(place, payload),
        };
        if went_on.is_err() {
            self.lose(place, 0);
        }
        Ok(())
    }

    fn take_page(&mut self, place: usize, payload: &[u8]) -> Result<()> {
        let client = &mut self.clients[place];
        ensure!(!page::is_reset(payload), "the data-server does not know its own cursors");
        self.tally.entries += client.take_page(payload)?;
        self.tally.pages += 1;
        if page::has_more(payload) || std::mem::take(&mut client.asks_again) {
            self.sync(place);
            return Ok(());
        }
        client.check_complete(self.head)?;
        client.data = None;
        client.backoff.reset();
        let now = clock::now();
        if client.completed.is_none() {
            client.completed = Some(now);
            self.tally.complete += 1;
        }
        self.enter(place, Step::Live, now + PATIENCE);
        Ok(())
    }

    /// What comes on a stream without having been asked for.
    fn take_push(&mut self, place: usize, payload: &[u8]) -> Result<()> {
        let says =
            |method: &str| memmem::find(&payload[..payload.len().min(100)], method.as_bytes()).is_some();
        let client = &mut self.clients[place];
        if says(r#""method":"Event""#) {
            self.tally.heard += client.take_event(payload)?;
        } else if says(r#""method":"Heartbeat""#) {
            let answered = client.stream.as_mut().map(|line| line.ask("Ping", "{}"));
            if answered.is_some_and(|answered| answered.is_err()) {
                self.lose(place, 0);
            }
        } else if says(r#""method":"Resync""#) || says(r#""method":"Head""#) {
            if client.step == Step::Live {
                self.tally.again += 1;
                self.sync(place);
            } else {
                client.asks_again = true;
            }
        } else {
            // A farewell, or a refusal of the connection itself.
            self.tally.refusals += u64::from(page::is_refusal(payload));
            self.lose(place, page::advice_ms(payload));
        }
        Ok(())
    }

    /// Asks for what is newer, on a connection that is opened first if there is none.
    fn sync(&mut self, place: usize) {
        let client = &mut self.clients[place];
        let params = client.sync_params();
        let went_on = match &mut client.data {
            // Until it is connected and greeted, the answers lead here.
            Some(line) if line.asked < 2 => Ok(()),
            Some(line) => line.ask("Sync", &params),
            None => self.connect(place, Side::Data),
        };
        match went_on {
            Ok(()) => self.enter(place, Step::Syncing, clock::now() + PATIENCE),
            Err(_) => self.lose(place, 0),
        }
    }

    fn open(&mut self, place: usize) {
        self.tally.attempts += 1;
        match self.connect(place, Side::Stream) {
            Ok(()) => self.enter(place, Step::Opening, clock::now() + PATIENCE),
            Err(_) => self.lose(place, 0),
        }
    }

    fn connect(&mut self, place: usize, side: Side) -> std::io::Result<()> {
        let mut line = Line::connect(self.addresses[usize::from(side == Side::Data)])?;
        let token = Token(2 * place + usize::from(side == Side::Data));
        self.poll.registry().register(&mut line.socket, token, Interest::READABLE | Interest::WRITABLE)?;
        let client = &mut self.clients[place];
        match side {
            Side::Stream => client.stream = Some(line),
            Side::Data => client.data = Some(line),
        }
        Ok(())
    }

    fn refused(&mut self, place: usize, side: Side, told_ms: u64) {
        self.tally.refusals += 1;
        if side == Side::Stream {
            return self.lose(place, told_ms);
        }
        let client = &mut self.clients[place];
        // Who was not let in begins again; who was asks again.
        client.data.take_if(|line| line.asked <= 2);
        let wait = client.backoff.next_wait(random()) + Duration::from_millis(told_ms);
        self.enter(place, Step::Paused, clock::now() + wait);
    }

    /// Both connections end, and the client comes back after a while.
    fn lose(&mut self, place: usize, told_ms: u64) {
        let client = &mut self.clients[place];
        (client.stream, client.data, client.asks_again) = (None, None, false);
        let wait = client.backoff.next_wait(random()).max(Duration::from_millis(told_ms));
        self.enter(place, Step::Away, clock::now() + wait);
    }
}
