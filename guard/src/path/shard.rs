//! A broadcast-server of one shard for the paths through it: the real shard, taking turns when it is told to. Its sockets
//! are pipes in memory, whose system calls count nothing.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use broadcast_server::simulation::Server;
use broadcast_server::{Config, TicketKeys};
use bus::{Answer, Directory, Event, Hearing, Hint, Topic};
use socket2::{Domain, Socket, Type};
use ttp::call::{Hello, OpenStream};
use ttp::event::EventFrame;
use ttp::model::{ChatId, Seq, SessionId, UserId};
use ttp::ticket::TicketKey;

use super::wire::request_frame;
use super::{NOW_MS, counted, entry};

/// So long that nothing happens because of the time.
const NEVER_MS: u64 = u64::MAX / 4;

/// Turns after which a server that should be done is not.
const TURNS_MAX: usize = 1_000;

/// What each person hears.
type Hears = fn(UserId) -> Vec<Topic>;

/// The shard, and the other ends of its connections.
pub(super) struct Room {
    server: Server,
    receiver: Arc<dyn bus::Receiver>,
    key: TicketKey,
    clients: Vec<Socket>,
}

/// Answers at once; everybody has the session of their own number.
struct KnowsAll(Hears);

impl Directory for KnowsAll {
    fn hearing_of(&self, users: Vec<UserId>, answer: Answer) {
        let hearing = |user: &UserId| Hearing { topics: self.0(*user), sessions: vec![SessionId(user.0)] };
        answer(Ok(users.iter().map(hearing).collect()));
    }
}

impl Room {
    pub(super) fn new(hears: Hears) -> Result<Self> {
        let key = TicketKey::new([7; 32]);
        let config = Config {
            shards: 1,
            ticket_keys: TicketKeys::new([key.clone()]),
            tick_ms: NEVER_MS,
            ..Config::default()
        };
        let server = Server::start(config, Arc::new(KnowsAll(hears)))?;
        Ok(Self { receiver: server.receiver(), server, key, clients: Vec::new() })
    }

    /// Somebody comes, says hello, and asks for a stream. The shard has not seen it yet.
    pub(super) fn knock(&mut self, user: i64) -> Result<()> {
        let (inner, mut outer) = Socket::pair(Domain::UNIX, Type::STREAM, None)
            .context("no more sockets can be opened: raise the limit of open files (ulimit -n)")?;
        inner.set_nonblocking(true)?;
        outer.set_nonblocking(true)?;
        self.server.serve(inner.into(), SocketAddr::from(([10, 0, 0, 9], 1_024)));
        let ticket = self.key.sign(UserId(user), Some(SessionId(user)), NOW_MS).0;
        outer.write_all(&request_frame(1, &Hello::from_client("guard"))?)?;
        outer.write_all(&request_frame(2, &OpenStream { user_id: None, ticket: Some(ticket) })?)?;
        self.clients.push(outer);
        Ok(())
    }

    /// Takes turns until everybody who came has a stream.
    pub(super) fn open(&mut self) -> Result<()> {
        for _ in 0..TURNS_MAX {
            self.server.take_turn()?;
            if self.server.stats().streams == self.clients.len() {
                return Ok(());
            }
        }
        bail!("not all streams were opened in {TURNS_MAX} turns")
    }

    /// Publishes events, counts the turn that delivers them, and answers how many bytes arrived everywhere together.
    pub(super) fn deliver(&mut self, events: Vec<Event>) -> Result<usize> {
        let hints = events.into_iter().map(Hint::Event).collect();
        counted(|| {
            self.receiver.receive(hints);
            self.server.take_turn()
        })??;
        self.drain()
    }

    /// Reads what has arrived, and lets the shard notice that there is room again.
    pub(super) fn drain(&mut self) -> Result<usize> {
        let (mut buffer, mut bytes) = (vec![0; 64 * 1024], 0);
        for client in &mut self.clients {
            loop {
                match client.read(&mut buffer) {
                    Ok(0) => bail!("a stream was closed"),
                    Ok(count) => bytes += count,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error.into()),
                }
            }
        }
        // A turn looks at so many sockets at most.
        for _ in 0..=self.clients.len() / 1_000 {
            self.server.take_turn()?;
        }
        Ok(bytes)
    }
}

/// An event of a topic.
pub(super) fn event(topic: i64, seq: Seq) -> Event {
    let entry = entry(ChatId(topic), seq);
    Event { topic: Topic(topic), seq, author: entry.author(), frame: EventFrame::new(&entry) }
}

/// Refuses a count of deliveries that were not all made.
pub(super) fn expect(arrived: usize, expected: usize) -> Result<()> {
    ensure!(arrived == expected, "{arrived} bytes arrived instead of {expected}");
    Ok(())
}
