//! A broadcast-server on a port of its own, with a directory that does what the test says, and clients that speak
//! raw frames.

#![allow(dead_code, reason = "each test file uses its part")]

use std::collections::HashMap;
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use broadcast_server::{Config, Server, Stats, StatsReader, TicketKeys};
use bus::link::{LinkAcceptor, Links, ServiceKey};
use bus::{Answer, Directory, Event, Hearing, Hint, Membership, Receiver, Topic, Unavailable};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use serde_json::json;
use tokio::sync::oneshot;
use ttp::event::{EventFrame, Head};
use ttp::model::{Change, ChatId, Entry, Message, MessageId, SessionId, User, UserId};
use ttp::net::clock;
use ttp::net::serve::{Protection, ServeCounters};
use ttp::net::tls::server::{ServerTls, TlsFiles};
use ttp::ticket::TicketKey;

use crate::client::Client;

/// Longest wait for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until something is so.
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = clock::now();
    while !is_so() {
        assert!(clock::now() - begun < PATIENCE, "waited too long until {what}");
        std::thread::park_timeout(Duration::from_millis(1));
    }
}

/// A directory with a memory of its own.
#[derive(Default)]
pub(crate) struct FakeDirectory {
    people: Mutex<HashMap<UserId, Hearing>>,
    mood: Mutex<Mood>,
    held: Mutex<Vec<(Vec<UserId>, Answer)>>,
    questions: Mutex<Vec<Vec<UserId>>>,
    barrier: Mutex<Option<(mpsc::Sender<()>, mpsc::Receiver<()>)>>,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    #[default]
    Answers,
    /// Nobody is there.
    Away,
    /// Questions wait until the test answers them.
    Holds,
}

impl FakeDirectory {
    pub(crate) fn set(&self, user: i64, topics: &[i64]) {
        let topics = topics.iter().copied().map(Topic).collect();
        self.people.lock().unwrap().entry(UserId(user)).or_default().topics = topics;
    }

    /// The person's sessions from now on.
    pub(crate) fn set_sessions(&self, user: i64, sessions: &[i64]) {
        let sessions = sessions.iter().copied().map(SessionId).collect();
        self.people.lock().unwrap().entry(UserId(user)).or_default().sessions = sessions;
    }

    pub(crate) fn feel(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    /// The next question says that it was asked, and holds its asker until the test allows it to go on.
    pub(crate) fn block_next(&self) -> (mpsc::Receiver<()>, mpsc::Sender<()>) {
        let (tell, told) = mpsc::channel();
        let (release, released) = mpsc::channel();
        *self.barrier.lock().unwrap() = Some((tell, released));
        (told, release)
    }

    pub(crate) fn questions(&self) -> usize {
        self.questions.lock().unwrap().len()
    }

    pub(crate) fn held(&self) -> usize {
        self.held.lock().unwrap().len()
    }

    /// Answers what was held, with what is known now.
    pub(crate) fn release(&self) {
        for (users, answer) in std::mem::take(&mut *self.held.lock().unwrap()) {
            answer(Ok(self.find(&users)));
        }
    }

    fn find(&self, users: &[UserId]) -> Vec<Hearing> {
        let people = self.people.lock().unwrap();
        users.iter().map(|user| people.get(user).cloned().unwrap_or_default()).collect()
    }
}

impl Directory for FakeDirectory {
    fn hearing_of(&self, users: Vec<UserId>, answer: Answer) {
        assert!(users.len() <= bus::USERS_PER_QUESTION_MAX);
        self.questions.lock().unwrap().push(users.clone());
        let barrier = self.barrier.lock().unwrap().take();
        if let Some((tell, released)) = barrier {
            tell.send(()).unwrap();
            released.recv_timeout(PATIENCE).unwrap();
        }
        let mood = *self.mood.lock().unwrap();
        match mood {
            Mood::Answers => answer(Ok(self.find(&users))),
            Mood::Away => answer(Err(Unavailable)),
            Mood::Holds => self.held.lock().unwrap().push((users, answer)),
        }
    }
}

/// A server that runs until it is stopped or dropped.
pub(crate) struct Stage {
    pub(crate) address: SocketAddr,
    pub(crate) directory: Arc<FakeDirectory>,
    pub(crate) hub: Arc<dyn Receiver>,
    pub(crate) counters: Arc<ServeCounters>,
    stats: StatsReader,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<usize>>,
    /// What clients need for TLS, if the server speaks it.
    tls: Option<Arc<ClientConfig>>,
}

impl Stage {
    /// A server that trusts numbers.
    pub(crate) fn new(config: Config) -> Self {
        Self::with_links(config, None)
    }

    /// The same with links.
    pub(crate) fn with_links(config: Config, links: Option<Arc<dyn LinkAcceptor>>) -> Self {
        let config = Config { trust_user_ids: true, ..config };
        if crate::IS_TLS { Self::over_tls(config, links) } else { Self::alone(config, links, None) }
    }

    /// A server that believes tickets alone.
    pub(crate) fn strict(config: Config) -> Self {
        Self::alone(config, None, None)
    }

    /// A strict server that hears of its directory, and of everything else, over links with this key. Needs a runtime.
    pub(crate) fn linked(key: ServiceKey) -> Self {
        let links = Links::new(key);
        let asked = Arc::clone(&links) as _;
        let stage =
            Self::start(Config::default(), asked, Arc::default(), Some(Arc::clone(&links) as _), None);
        links.attach_receiver(Arc::clone(&stage.hub));
        stage
    }

    /// A server with a certificate that its clients trust.
    pub(crate) fn over_tls(config: Config, links: Option<Arc<dyn LinkAcceptor>>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        let files = TlsFiles { certificate: file("certificate.pem"), key: file("key.pem") };
        let tls = ServerTls::open(files.clone(), &["localhost".to_owned()]).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(files.certificate).unwrap()).unwrap();
        let client = ClientConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let config = Config { protection: Protection::Tls(tls), trust_user_ids: true, ..config };
        Self::alone(config, links, Some(Arc::new(client)))
    }

    fn alone(config: Config, links: Option<Arc<dyn LinkAcceptor>>, tls: Option<Arc<ClientConfig>>) -> Self {
        let directory = Arc::<FakeDirectory>::default();
        Self::start(config, Arc::clone(&directory) as _, directory, links, tls)
    }

    fn start(
        config: Config,
        asked: Arc<dyn Directory>,
        directory: Arc<FakeDirectory>,
        links: Option<Arc<dyn LinkAcceptor>>,
        tls: Option<Arc<ClientConfig>>,
    ) -> Self {
        let config = Config { ticket_keys: TicketKeys::new([ticket_key()]), ..config };
        let server = Server::start(config, asked, links).unwrap();
        let (hub, counters, stats) = (server.receiver(), server.counters(), server.stats());
        let (stop, stopped) = oneshot::channel();
        let (tell, told) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = ttp::net::socket::listen(([127, 0, 0, 1], 0).into()).unwrap();
                tell.send(listener.local_addr().unwrap()).unwrap();
                let shutdown = async {
                    let _ = stopped.await;
                };
                server.serve(listener, shutdown).await.unwrap()
            })
        });
        Self {
            address: told.recv().unwrap(),
            directory,
            hub,
            counters,
            stats,
            stop: Some(stop),
            thread: Some(thread),
            tls,
        }
    }

    /// Turns that the shards have taken.
    pub(crate) fn turns(&self) -> u64 {
        self.stats.work().turns
    }

    pub(crate) fn stats(&self) -> Stats {
        self.stats.read()
    }

    /// Begins the shutdown.
    pub(crate) fn begin_stop(&mut self) {
        drop(self.stop.take());
    }

    /// Shuts down; how many connections were cut at the end of the drain.
    pub(crate) fn stop(&mut self) -> usize {
        self.begin_stop();
        self.thread.take().unwrap().join().unwrap()
    }

    /// A connection that has said nothing: version 1.
    pub(crate) fn connect(&self) -> Client {
        let stream = TcpStream::connect(self.address).unwrap();
        match &self.tls {
            None => Client::new(stream),
            Some(config) => Client::over_tls(stream, config),
        }
    }

    /// A connection over TLS whose first bytes travel with the end of its handshake.
    pub(crate) fn connect_saying(&self, bytes: &[u8]) -> Client {
        let stream = TcpStream::connect(self.address).unwrap();
        Client::over_tls_saying(stream, self.tls.as_ref().unwrap(), bytes)
    }

    /// A connection of version 2.
    pub(crate) fn greet(&self) -> Client {
        let mut client = self.connect();
        assert_eq!(client.call("Hello", json!({"protocol": [2]}))["result"]["protocol"], 2);
        client
    }

    /// A live stream of version 2.
    pub(crate) fn open(&self, user: i64) -> Client {
        let mut client = self.greet();
        assert_eq!(client.call("OpenStream", json!({"user_id": user}))["result"], json!({}));
        client
    }

    /// A live stream of version 1, opened as the 2020 client does.
    pub(crate) fn open_version_1(&self, user: i64) -> Client {
        let mut client = self.connect();
        let reply = client.call("OpenStreamRequest", json!({"user_id": user}));
        assert_eq!(reply["result"], json!({}));
        client
    }

    /// A live stream of a session.
    pub(crate) fn open_session(&self, user: i64, session: i64) -> Client {
        let mut client = self.greet();
        assert_eq!(client.call("OpenStream", json!({"ticket": ticket(user, session)}))["result"], json!({}));
        client
    }

    pub(crate) fn publish(&self, events: Vec<Event>) {
        self.hub.receive(events.into_iter().map(Hint::Event).collect());
    }

    pub(crate) fn head(&self, topic: i64, seq: u64) {
        let frame = EventFrame::head(Head { chat_id: ChatId(topic), seq });
        self.hub.receive(vec![Hint::Head(Event { topic: Topic(topic), seq, author: None, frame })]);
    }

    pub(crate) fn moved(&self, users: &[i64]) {
        self.hub.receive(vec![Hint::Moved(users.iter().copied().map(UserId).collect())]);
    }

    pub(crate) fn ended(&self, sessions: &[i64]) {
        self.hub.receive(vec![ended(sessions)]);
    }

    pub(crate) fn subscribe(&self, topic: i64, users: &[i64]) {
        self.hub.receive(vec![Hint::Subscribe(membership(topic, users))]);
    }

    pub(crate) fn unsubscribe(&self, topic: i64, users: &[i64]) {
        self.hub.receive(vec![Hint::Unsubscribe(membership(topic, users))]);
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if self.thread.is_some() && !std::thread::panicking() {
            self.stop();
        }
    }
}

pub(crate) fn membership(topic: i64, users: &[i64]) -> Membership {
    Membership { topic: Topic(topic), users: users.iter().copied().map(UserId).collect() }
}

pub(crate) fn ended(sessions: &[i64]) -> Hint {
    Hint::Ended(sessions.iter().copied().map(SessionId).collect())
}

/// The key that strict servers check tickets by.
pub(crate) fn ticket_key() -> TicketKey {
    TicketKey::new([7; 32])
}

/// A ticket that the data-server gives out now.
pub(crate) fn ticket(user: i64, session: i64) -> String {
    let (ticket, _) = ticket_key().sign(UserId(user), Some(SessionId(session)), clock::now_ms());
    ticket.expose().to_owned()
}

/// A message of a chat, as a data-server publishes it.
pub(crate) fn message(topic: i64, seq: u64, author: i64, text: &str) -> Event {
    let user = User { user_id: UserId(author), user_name: "Ann".into() };
    let message = Message {
        message_id: MessageId(seq as i64),
        chat_id: ChatId(topic),
        user,
        message_text: text.into(),
        message_ts: 1000,
        seq,
        number: seq,
        client_message_id: None,
        details: None,
    };
    let entry = Entry { chat_id: ChatId(topic), seq, change: Change::Message(message) };
    Event { topic: Topic(topic), seq, author: Some(UserId(author)), frame: EventFrame::new(&entry) }
}
