//! Many people at once, over the real program in a process of its own.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::{HashMap, HashSet};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bus::{Hint, Publisher};
use client_lib::{Client, ConnectionState, Event, Options, Position, blocking};
use tests::binary::{Process, command};
use tests::{until, within};
use ttp::call::{InsertChat, InsertUser};
use ttp::frame::{Decoder, encode};
use ttp::model::{ChatId, MessageId, UserId};
use ttp::net::clock;

/// Both servers as one process on free ports.
fn up(home: &std::path::Path) -> Process {
    let mut up = command(home);
    up.args([
        "up",
        "--db",
        "talko.db",
        "--data-address",
        "127.0.0.1:0",
        "--broadcast-address",
        "127.0.0.1:0",
    ]);
    Process::start(up.args(["--log-level", "warn"]))
}

/// New people, many in one go.
async fn people(client: &Client, count: usize) -> Vec<UserId> {
    let mut users = Vec::with_capacity(count);
    let mut waiting = std::collections::VecDeque::new();
    for number in 0..count {
        let client = client.clone();
        waiting.push_back(tokio::spawn(async move {
            client.call(InsertUser { user_name: format!("person {number}") }).await.unwrap().user.user_id
        }));
        if waiting.len() == 50 {
            users.push(waiting.pop_front().unwrap().await.unwrap());
        }
    }
    for task in waiting {
        users.push(task.await.unwrap());
    }
    users
}

const CROWD: usize = 1_000;
const BLOCKING: usize = 100;
const SPEAKERS: usize = 40;

/// What a crowd has heard, listener by listener, and how fast.
struct Ears {
    heard: Vec<Mutex<HashMap<MessageId, usize>>>,
    sent_at: Mutex<HashMap<String, Instant>>,
    delays: Mutex<Vec<Duration>>,
    live: tokio::sync::mpsc::UnboundedSender<()>,
}

impl Ears {
    fn hear(&self, listener: usize, event: &Event) {
        match event {
            Event::Connection(ConnectionState::Connected) => {
                let _ = self.live.send(());
            }
            Event::Entry(entry) => {
                let Some(message) = entry.message() else { return };
                *self.heard[listener].lock().unwrap().entry(message.message_id).or_default() += 1;
                let sent = self.sent_at.lock().unwrap().get(&message.message_text).copied();
                let delay = sent.map(|sent| clock::now() - sent);
                self.delays.lock().unwrap().extend(delay);
            }
            _ => {}
        }
    }

    fn has_heard(&self, listener: usize) -> usize {
        self.heard[listener].lock().unwrap().len()
    }
}

/// A listener whose events are an iterator.
fn listen_blocking(ears: Arc<Ears>, listener: usize, address: String, user: UserId) {
    std::thread::spawn(move || {
        let client = blocking::Client::connect(Options::new(address)).unwrap();
        client.trust_me(user).unwrap();
        for event in client.events(Position::Now) {
            ears.hear(listener, &event);
        }
    });
}

/// A listener whose events are a stream.
async fn listen(ears: Arc<Ears>, listener: usize, address: String, user: UserId) -> Client {
    let client = Client::connect(Options::new(address)).await.unwrap();
    client.trust_me(user).await.unwrap();
    let mut events = client.events(Position::Now);
    tokio::spawn(async move {
        while let Some(event) = events.next().await {
            ears.hear(listener, &event);
        }
    });
    client
}

/// T40, T37: 1 000 people in one room, 100 of them through blocking clients; everybody sees every message once.
#[tokio::test(flavor = "multi_thread")]
async fn t40_a_thousand_people_see_each_message_once() {
    tests::need_open_files(4_000);
    let home = tempfile::tempdir().unwrap();
    let server = up(home.path());
    let address = server.address_after("data-server on ").to_string();
    let admin = Client::connect(Options::new(address.clone())).await.unwrap();
    let users = people(&admin, CROWD).await;
    let room =
        InsertChat { chat_name: "the square".into(), user_ids: users.clone(), ..InsertChat::default() };
    let chat_id = admin.call(room).await.unwrap().chat.chat_id;
    let (live, mut lives) = tokio::sync::mpsc::unbounded_channel();
    let heard = (0..CROWD).map(|_| Mutex::default()).collect();
    let ears = Arc::new(Ears { heard, sent_at: Mutex::default(), delays: Mutex::default(), live });
    let mut clients = Vec::new();
    for (listener, user) in users.iter().copied().enumerate() {
        if listener < BLOCKING {
            listen_blocking(Arc::clone(&ears), listener, address.clone(), user);
        } else {
            clients.push(listen(Arc::clone(&ears), listener, address.clone(), user).await);
        }
    }
    for _ in 0..CROWD {
        within("everybody is live", lives.recv()).await.unwrap();
    }
    let said = speak(&ears, &clients[..SPEAKERS], chat_id).await;
    // A speaker does not hear its own message again.
    let expected =
        |listener: usize| SPEAKERS - usize::from((BLOCKING..BLOCKING + SPEAKERS).contains(&listener));
    until("everybody has heard everything", async || {
        (0..CROWD).all(|listener| ears.has_heard(listener) >= expected(listener))
    })
    .await;
    for (listener, heard) in ears.heard.iter().enumerate() {
        let heard = heard.lock().unwrap();
        assert_eq!(heard.len(), expected(listener), "listener {listener}");
        assert!(heard.values().all(|times| *times == 1), "listener {listener} heard something twice");
        assert!(heard.keys().all(|message| said.contains(message)));
    }
    let mut delays = ears.delays.lock().unwrap().clone();
    delays.sort();
    let part = |percent: usize| delays[delays.len() * percent / 100];
    println!("T40: {} deliveries, p50 {:?}, p99 {:?}", delays.len(), part(50), part(99));
}

/// Everybody of `clients` says something at once.
async fn speak(ears: &Arc<Ears>, clients: &[Client], chat_id: ChatId) -> HashSet<MessageId> {
    let mut speaking = Vec::new();
    for (number, client) in clients.iter().cloned().enumerate() {
        let ears = Arc::clone(ears);
        speaking.push(tokio::spawn(async move {
            let text = format!("from speaker {number}");
            ears.sent_at.lock().unwrap().insert(text.clone(), clock::now());
            client.insert_message(chat_id, &text).await.unwrap().message_id
        }));
    }
    let mut said = HashSet::new();
    for task in speaking {
        said.insert(task.await.unwrap());
    }
    assert_eq!(said.len(), clients.len());
    said
}

/// Remembers what the bus would carry.
#[derive(Default)]
struct Recorder(Mutex<Vec<Hint>>);

impl Publisher for Recorder {
    fn publish(&self, hints: Vec<Hint>) {
        self.0.lock().unwrap().extend(hints);
    }
}

/// T23, T29: forwarding a message to a group of 10 000 costs the bus what a group of three costs it.
#[tokio::test(flavor = "multi_thread")]
async fn t23_forwarding_does_not_grow_with_the_group() {
    let folder = tempfile::tempdir().unwrap();
    let recorder = Arc::new(Recorder::default());
    let config = data_server::Config {
        store_path: folder.path().join("talko.db"),
        digest_interval: Duration::from_secs(3600),
        ..tests::trusting()
    };
    let server = data_server::Server::open(config, Arc::clone(&recorder) as _).unwrap();
    let listener = ttp::net::socket::listen("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(server.serve(listener, std::future::pending()));
    let client = Client::connect(Options::new(address.to_string())).await.unwrap();
    let users = people(&client, 10_000).await;
    client.trust_me(users[0]).await.unwrap();
    let mut sizes = Vec::new();
    for members in [3, 10_000] {
        let chat: ChatId = client.insert_chat("group", &users[..members]).await.unwrap().chat_id;
        until("the group is announced", async || !recorder.0.lock().unwrap().is_empty()).await;
        // The creation names everybody once; that is its nature. What is said afterwards must not.
        until("the creation is published", async || {
            recorder.0.lock().unwrap().iter().any(|hint| matches!(hint, Hint::Event(_)))
        })
        .await;
        recorder.0.lock().unwrap().clear();
        client.insert_message(chat, "the same words").await.unwrap();
        until("the message is published", async || !recorder.0.lock().unwrap().is_empty()).await;
        let hints = std::mem::take(&mut *recorder.0.lock().unwrap());
        let [Hint::Event(event)] = hints.as_slice() else { panic!("{} hints for one message", hints.len()) };
        sizes.push(event.frame.frame().len());
    }
    assert!(sizes[1] <= sizes[0] + 16, "{sizes:?} bytes: only numbers may be longer");
    serving.abort();
}

/// Opens a version 1 stream with blocking calls, and leaves it.
fn open_stream(address: SocketAddr, user: UserId) -> TcpStream {
    try_stream(address, user).expect("the stream was refused")
}

/// The same; `None` when the person has too many already.
fn try_stream(address: SocketAddr, user: UserId) -> Option<TcpStream> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(tests::DEADLINE)).unwrap();
    let request =
        format!(r#"{{"jsonrpc":"2.0","method":"OpenStreamRequest","params":{{"user_id":{user}}},"id":1}}"#);
    stream.write_all(&encode(request.as_bytes())).unwrap();
    let mut decoder = Decoder::new(4096);
    let mut buffer = [0; 256];
    let payload = loop {
        let received = stream.read(&mut buffer).unwrap();
        assert!(received > 0, "the server closed");
        decoder.push(&buffer[..received]);
        if let Some(payload) = decoder.next_payload().unwrap() {
            break payload;
        }
    };
    (payload[..] == *br#"{"jsonrpc":"2.0","result":{},"id":1}"#).then_some(stream)
}

/// T37, T36: 10 000 idle streams cost no thread and little memory, and give their places back when they vanish.
#[tokio::test(flavor = "multi_thread")]
async fn t37_ten_thousand_idle_streams() {
    const STREAMS: usize = 10_000;
    tests::need_open_files(12_000);
    let home = tempfile::tempdir().unwrap();
    let server = up(home.path());
    let data_address = server.address_after("data-server on ");
    let broadcast_address = server.address_after("broadcast-server on ");
    let client = Client::connect(Options::new(data_address.to_string())).await.unwrap();
    let users = people(&client, 500).await;
    let room = InsertChat { chat_name: "all".into(), user_ids: users.clone(), ..InsertChat::default() };
    let chat_id = client.call(room).await.unwrap().chat.chat_id;
    client.trust_me(users[0]).await.unwrap();
    // The first streams bring what every later one shares.
    let mut streams: Vec<TcpStream> = (0..500).map(|n| open_stream(broadcast_address, users[n])).collect();
    let (threads, memory_kib) = (server.status("Threads"), server.status("VmRSS"));
    streams.extend((500..STREAMS).map(|n| open_stream(broadcast_address, users[n % users.len()])));
    assert!(server.status("Threads") <= threads, "idle streams have threads");
    let grown = server.status("VmRSS").saturating_sub(memory_kib) * 1024;
    let per_stream = grown as usize / (STREAMS - 500);
    println!("T37: {STREAMS} idle streams, {per_stream} bytes of resident memory each, 0 threads more");
    assert!(per_stream <= 2_048, "{per_stream} bytes per idle stream");
    client.insert_message(chat_id, "to all of you").await.unwrap();
    let last = streams.last_mut().unwrap();
    let mut header = [0; 10];
    last.read_exact(&mut header).unwrap();
    drop(streams);
    // The limit of streams per person would refuse these if the vanished ones still counted.
    until("the places are free again", async || {
        let again: Vec<_> = (0..64).map_while(|_| try_stream(broadcast_address, users[1])).collect();
        again.len() == 64
    })
    .await;
}
