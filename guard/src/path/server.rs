//! A data-server for the paths through it: the real connection, calls and store on a file, without sockets and threads.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use anyhow::{Context as _, Result, bail, ensure};
use bus::{Hint, Publisher};
use data_server::simulation::{Hands, Server};
use data_server::{ClassRates, Config, PasswordCost, Rate, Rates, Registration, SharedTicketKey};
use serde::de::DeserializeOwned;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::runtime::Runtime;
use tokio::task::yield_now;
use ttp::call::{Call, ChatReply, Hello, InsertChat, Register};
use ttp::frame::Decoder;
use ttp::limits::FRAME_BYTES_MAX;
use ttp::model::{ChatId, UserId};
use ttp::rpc::ServerMessage;
use ttp::secret::Secret;
use ttp::ticket::TicketKey;

use super::wire::request_frame;

/// Bytes that may wait between a client and the server.
const PIPE_BYTES: usize = 4 * 1024 * 1024;

/// How often tasks may get a turn before a call is given up.
const TASK_TURNS_MAX: usize = 100;

/// No client here comes near it, but what it has left is computed as for anybody.
const AMPLE: Rate = Rate::per_second(1_000_000, 1_000_000);
const AMPLE_RATES: ClassRates =
    ClassRates { login: Some(AMPLE), write: Some(AMPLE), read: Some(AMPLE), light: Some(AMPLE) };

/// The server with its store.
pub(super) struct Workshop<'a> {
    runtime: &'a Runtime,
    server: Server,
    hands: Hands,
    published: Arc<Published>,
    _folder: TempDir,
}

/// Counts what is published, and throws it away.
#[derive(Default)]
struct Published(Mutex<usize>);

impl Publisher for Published {
    fn publish(&self, hints: Vec<Hint>) {
        let events = hints.iter().filter(|hint| matches!(hint, Hint::Event(_))).count();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) += events;
    }
}

/// A connection, from both of its ends.
pub(super) struct Client {
    life: Pin<Box<dyn Future<Output = String>>>,
    pipe: DuplexStream,
    decoder: Decoder,
    last_id: u64,
    /// Whose it is.
    pub(super) user_id: UserId,
}

impl<'a> Workshop<'a> {
    pub(super) fn open(runtime: &'a Runtime) -> Result<Self> {
        let folder = tempfile::tempdir().context("no temporary folder can be made")?;
        let config = Config {
            store_path: folder.path().join("talko.db"),
            registration: Registration::Open,
            password_cost: PasswordCost { memory_kib: 8, passes: 1, lanes: 1 },
            rates: Rates {
                connection: AMPLE_RATES,
                account: AMPLE_RATES,
                address: AMPLE_RATES,
                registrations: None,
                ..Rates::default()
            },
            ticket_key: SharedTicketKey::new(TicketKey::new([7; 32])),
            ..Config::default()
        };
        let published = Arc::<Published>::default();
        let publisher = Arc::clone(&published) as Arc<dyn Publisher>;
        let (server, hands) = Server::open(config, publisher, |store| store)?;
        Ok(Self { runtime, server, hands, published, _folder: folder })
    }

    /// Events published since the last look.
    pub(super) fn take_published(&self) -> usize {
        std::mem::take(&mut self.published.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A client with an account of its own.
    pub(super) fn register(&mut self, name: &str) -> Result<Client> {
        let (pipe, end) = tokio::io::duplex(PIPE_BYTES);
        let (reader, writer) = tokio::io::split(end);
        let life = Box::pin(self.server.connection(reader, writer));
        let decoder = Decoder::new(FRAME_BYTES_MAX);
        let mut client = Client { life, pipe, decoder, last_id: 0, user_id: UserId(0) };
        client.call(self, &Hello::from_client("guard"))?;
        let account = Register {
            user_name: name.into(),
            password: Secret::new("correct horse battery"),
            invitation: None,
            device: "guard".into(),
        };
        client.user_id = client.call(self, &account)?.user.user_id;
        Ok(client)
    }

    /// Lets connection and store do what there is to do, until replies wait or nothing moves.
    pub(super) fn work(&mut self, client: &mut Client) -> Result<()> {
        let mut context = Context::from_waker(Waker::noop());
        loop {
            if let Poll::Ready(end) = client.life.as_mut().poll(&mut context) {
                bail!("the server closed the connection: {end}");
            }
            let mut has_worked = false;
            while self.hands.has_writes() {
                self.hands.write();
                has_worked = true;
            }
            while self.hands.read() {
                has_worked = true;
            }
            if !has_worked {
                return Ok(());
            }
        }
    }
}

impl Client {
    /// Calls and waits for the reply.
    pub(super) fn call<C: Call>(&mut self, workshop: &mut Workshop<'_>, call: &C) -> Result<C::Reply> {
        self.send(call)?;
        let mut replies = Vec::new();
        // To hash a password is a task of its own.
        for _ in 0..TASK_TURNS_MAX {
            workshop.work(self)?;
            replies = self.replies()?;
            if !replies.is_empty() {
                break;
            }
            workshop.runtime.block_on(yield_now());
        }
        ensure!(replies.len() == 1, "{} has {} replies", C::METHOD, replies.len());
        replies.pop().with_context(|| format!("{} has no reply", C::METHOD))
    }

    /// A group of one person.
    pub(super) fn group(&mut self, workshop: &mut Workshop<'_>, name: &str) -> Result<ChatId> {
        let user_ids = vec![self.user_id];
        let call = InsertChat { chat_name: name.into(), user_ids, ..InsertChat::default() };
        let ChatReply { chat, .. } = self.call(workshop, &call)?;
        Ok(chat.chat_id)
    }

    /// Sends a call, which finds room in the pipe.
    pub(super) fn send<C: Call>(&mut self, call: &C) -> Result<()> {
        self.last_id += 1;
        let frame = request_frame(self.last_id, call)?;
        let mut context = Context::from_waker(Waker::noop());
        match Pin::new(&mut self.pipe).poll_write(&mut context, &frame)? {
            Poll::Ready(bytes) if bytes == frame.len() => Ok(()),
            _ => bail!("the server takes no more requests"),
        }
    }

    /// The replies that have arrived, in their order, each of them a success.
    pub(super) fn replies<R: DeserializeOwned>(&mut self) -> Result<Vec<R>> {
        let mut replies = Vec::new();
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let mut buffer = ReadBuf::new(&mut buffer);
            let mut context = Context::from_waker(Waker::noop());
            if Pin::new(&mut self.pipe).poll_read(&mut context, &mut buffer)?.is_pending() {
                return Ok(replies);
            }
            ensure!(!buffer.filled().is_empty(), "the server closed the connection");
            self.decoder.push(buffer.filled());
            while let Some(payload) = self.decoder.next_payload()? {
                let message: ServerMessage<'_> = serde_json::from_slice(&payload)?;
                let refusal = message.error.map(|error| error.message);
                ensure!(refusal.is_none(), "the server refuses: {}", refusal.unwrap_or_default());
                let result = message.result.context("a reply without a result")?;
                replies.push(serde_json::from_str(result.get())?);
            }
        }
    }
}
