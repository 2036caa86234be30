//! The promises of `bus/src/lib.rs`, one test each, run over every implementation.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use bus::link::{Caller, LinkAcceptor, Links, ServiceKey};
use bus::memory::Memory;
use bus::{
    Answer, Directory, Event, Hearing, Hint, Membership, Publisher, Receiver, Topic, USERS_PER_QUESTION_MAX,
    Unavailable,
};
use tokio::net::TcpListener;
use ttp::event::{EventFrame, Head};
use ttp::limits::{FRAME_BYTES_MAX, SESSIONS_PER_USER_MAX};
use ttp::model::{Change, ChatCreated, ChatId, Entry, SessionId, UserId};
use ttp::net::connection::FramedConnection;

mod tls;
mod rotation;

const DEADLINE: Duration = Duration::from_secs(20);

/// Remembers what arrived.
#[derive(Default)]
struct Recorder {
    heard: Mutex<Heard>,
    changed: Condvar,
}

#[derive(Default, Clone)]
struct Heard {
    hints: Vec<Hint>,
    resyncs: usize,
    /// How many announcements came before the first hint.
    resyncs_before_hints: Option<usize>,
}

impl Recorder {
    fn wait(&self, what: &str, until: impl Fn(&Heard) -> bool) -> Heard {
        let heard = self.heard.lock().unwrap();
        let (heard, timeout) =
            self.changed.wait_timeout_while(heard, DEADLINE, |heard| !until(heard)).unwrap();
        assert!(!timeout.timed_out(), "{what}: only {} hints, {} resyncs", heard.hints.len(), heard.resyncs);
        heard.clone()
    }
}

impl Receiver for Recorder {
    fn receive(&self, hints: Vec<Hint>) {
        let mut heard = self.heard.lock().unwrap();
        let resyncs = heard.resyncs;
        heard.resyncs_before_hints.get_or_insert(resyncs);
        heard.hints.extend(hints);
        drop(heard);
        self.changed.notify_all();
    }

    fn resync(&self) {
        self.heard.lock().unwrap().resyncs += 1;
        self.changed.notify_all();
    }
}

/// Knows that user n hears topics n and n + 1, in session -n; knows nobody below zero.
struct Numbers;

impl Directory for Numbers {
    fn hearing_of(&self, users: Vec<UserId>, answer: Answer) {
        if users.iter().any(|user| user.0 < 0) {
            return answer(Err(Unavailable));
        }
        answer(Ok(users.iter().map(|user| hearing_of(user.0)).collect()));
    }
}

fn hearing_of(user: i64) -> Hearing {
    Hearing { topics: vec![Topic(user), Topic(user + 1)], sessions: vec![SessionId(-user)] }
}

/// Never answers.
struct Silent(Mutex<Vec<Answer>>);

impl Directory for Silent {
    fn hearing_of(&self, _: Vec<UserId>, answer: Answer) {
        self.0.lock().unwrap().push(answer);
    }
}

/// A bus with both ends attached.
pub(crate) struct Bus {
    publisher: Arc<dyn Publisher>,
    asker: Arc<dyn Directory>,
    recorder: Arc<Recorder>,
}

fn memory(directory: Arc<dyn Directory>) -> Bus {
    let memory = Memory::new();
    let recorder = Arc::new(Recorder::default());
    memory.attach_directory(directory);
    memory.attach_receiver(Arc::clone(&recorder) as _);
    Bus { publisher: Arc::clone(&memory) as _, asker: memory, recorder }
}

/// A listener that makes every connection a link, as a broadcast-server does after a `Link` request.
async fn listen(listener: TcpListener, links: Arc<Links>) {
    while let Ok((stream, _)) = listener.accept().await {
        let mut connection = FramedConnection::new(stream, FRAME_BYTES_MAX);
        if let Ok(Some(first)) = connection.next_payload().await {
            let (stream, decoder) = connection.into_parts();
            Arc::clone(&links).accept(stream.into_std().unwrap(), decoder, first, Box::new(()));
        }
    }
}

async fn link_with_keys(
    directory: Arc<dyn Directory>,
    caller_key: ServiceKey,
    links_key: ServiceKey,
) -> (Bus, Arc<Links>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let links = Links::new(links_key);
    let recorder = Arc::new(Recorder::default());
    links.attach_receiver(Arc::clone(&recorder) as _);
    tokio::spawn(listen(listener, Arc::clone(&links)));
    let publisher = Caller::start(address, caller_key);
    publisher.attach_directory(directory);
    (Bus { publisher, asker: Arc::clone(&links) as _, recorder }, links)
}

async fn link(directory: Arc<dyn Directory>) -> Bus {
    let key = ServiceKey::generate().unwrap();
    link_with_keys(directory, key.clone(), key).await.0
}

fn event(topic: i64, seq: u64) -> Hint {
    let created = ChatCreated { chat_name: "имя 🌮".into(), is_private: false, by: None, change_ts: 1 };
    let entry = Entry { chat_id: ChatId(topic), seq, change: Change::Created(created) };
    Hint::Event(Event { topic: Topic(topic), seq, author: Some(UserId(7)), frame: EventFrame::new(&entry) })
}

fn head(topic: i64, seq: u64) -> Hint {
    let frame = EventFrame::head(Head { chat_id: ChatId(topic), seq });
    Hint::Head(Event { topic: Topic(topic), seq, author: None, frame })
}

async fn ask(bus: &Bus, users: Vec<UserId>) -> Result<Vec<Hearing>, Unavailable> {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    bus.asker.hearing_of(users, Box::new(move |people| sender.send(people).unwrap()));
    tokio::time::timeout(DEADLINE, receiver).await.expect("promise 5: an answer always comes").unwrap()
}

/// Promises 2 and 3: order, and the announcement that a new receiver may have missed something.
async fn hints_arrive_in_order(bus: Bus) {
    bus.recorder.wait("the first announcement", |heard| heard.resyncs > 0);
    let members: Arc<[UserId]> = (0..1_200).map(UserId).collect();
    let mut published = vec![Hint::Subscribe(Membership { topic: Topic(1), users: Arc::clone(&members) })];
    published.extend((1..=1_000).map(|seq| event(1, seq)));
    published.push(Hint::Unsubscribe(Membership { topic: Topic(1), users: Arc::clone(&members) }));
    published.push(Hint::Moved(members));
    published.push(Hint::Ended((0..100_000).map(|n| SessionId(i64::MAX - n)).collect()));
    published.extend((1..=1_000).map(|topic| head(topic, 5)));
    for part in published.chunks(97) {
        bus.publisher.publish(part.to_vec());
    }
    let expected: Vec<Flat> = published.iter().flat_map(flatten).collect();
    let heard = bus.recorder.wait("all hints", |heard| {
        heard.hints.iter().map(|hint| flatten(hint).len()).sum::<usize>() >= expected.len()
    });
    assert_eq!(heard.hints.iter().flat_map(flatten).collect::<Vec<_>>(), expected);
}

/// Memberships may be cut into several hints on the way; person by person they are the same.
#[derive(Debug, PartialEq)]
enum Flat {
    Event(Hint),
    Member(&'static str, Topic, UserId),
    Moved(UserId),
    Ended(SessionId),
}

fn flatten(hint: &Hint) -> Vec<Flat> {
    match hint {
        Hint::Event(_) | Hint::Head(_) => vec![Flat::Event(hint.clone())],
        Hint::Moved(users) => users.iter().map(|user| Flat::Moved(*user)).collect(),
        Hint::Ended(sessions) => sessions.iter().map(|session| Flat::Ended(*session)).collect(),
        Hint::Subscribe(m) => m.users.iter().map(|user| Flat::Member("in", m.topic, *user)).collect(),
        Hint::Unsubscribe(m) => m.users.iter().map(|user| Flat::Member("out", m.topic, *user)).collect(),
    }
}

/// Promise 5, with an answer: in the order asked, many at once.
async fn questions_are_answered(bus: Bus) {
    bus.recorder.wait("the bus is up", |heard| heard.resyncs > 0);
    let answers = ask(&bus, vec![UserId(5), UserId(3)]).await.unwrap();
    assert_eq!(answers, [hearing_of(5), hearing_of(3)]);
    assert_eq!(ask(&bus, vec![UserId(-1)]).await, Err(Unavailable));
    let mut seen = HashMap::new();
    for n in 0..300 {
        seen.insert(n, ask(&bus, vec![UserId(n)]).await.unwrap());
    }
    assert!(seen.iter().all(|(n, people)| *people == [hearing_of(*n)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_hints_arrive_in_order() {
    hints_arrive_in_order(memory(Arc::new(Numbers))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn link_hints_arrive_in_order() {
    hints_arrive_in_order(link(Arc::new(Numbers)).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_questions_are_answered() {
    questions_are_answered(memory(Arc::new(Numbers))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn link_questions_are_answered() {
    questions_are_answered(link(Arc::new(Numbers)).await).await;
}

/// Promise 5 when nobody is there to answer.
#[tokio::test]
async fn unattached_buses_answer_unavailable() {
    let recorder = Arc::new(Recorder::default());
    let memory = Memory::new();
    let bus = Bus { publisher: Arc::clone(&memory) as _, asker: memory, recorder: Arc::clone(&recorder) };
    assert_eq!(ask(&bus, vec![UserId(1)]).await, Err(Unavailable));
    bus.publisher.publish(vec![event(1, 1)]);
    let links = Links::new(ServiceKey::generate().unwrap());
    let bus = Bus { publisher: bus.publisher, asker: links, recorder };
    assert_eq!(ask(&bus, vec![UserId(1)]).await, Err(Unavailable));
}

/// Promise 5 when the directory behind the link is stuck.
#[tokio::test(flavor = "multi_thread")]
async fn a_stuck_directory_is_unavailable_in_time() {
    let bus = link(Arc::new(Silent(Mutex::default()))).await;
    bus.recorder.wait("the link is up", |heard| heard.resyncs > 0);
    assert_eq!(ask(&bus, vec![UserId(1)]).await, Err(Unavailable));
}

/// Promise 6 (T34): without the right key nothing is published, nothing is asked.
#[tokio::test(flavor = "multi_thread")]
async fn t34_a_wrong_key_opens_no_link() {
    let (right, wrong) = (ServiceKey::generate().unwrap(), ServiceKey::generate().unwrap());
    let (bus, links) = link_with_keys(Arc::new(Numbers), wrong, right.clone()).await;
    bus.publisher.publish(vec![event(1, 1)]);
    // A second, honest data-server shows that the time was enough.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(listen(listener, Arc::clone(&links)));
    let honest = Caller::start(address, right);
    honest.publish(vec![event(2, 1)]);
    bus.recorder.wait("the honest link", |heard| heard.resyncs >= 2);
    honest.publish(vec![event(2, 2)]);
    let heard = bus.recorder.wait("the honest hint", |heard| heard.hints.contains(&event(2, 2)));
    assert!(!heard.hints.contains(&event(1, 1)));
    assert_eq!(links.count(), 1);
}

/// Promise 3: a cut is announced at once, also if the link never comes back; when it does, the loss is announced
/// before anything new.
#[tokio::test(flavor = "multi_thread")]
async fn a_cut_link_is_announced_and_goes_on() {
    let key = ServiceKey::generate().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (before, after) = (Arc::new(Recorder::default()), Arc::new(Recorder::default()));
    let first_links = Links::new(key.clone());
    first_links.attach_receiver(Arc::clone(&before) as _);
    let listening = tokio::spawn(listen(listener, Arc::clone(&first_links)));
    let publisher = Caller::start(address.to_string(), key.clone());
    // Accepting a link is announced by the server, and a new caller announces that it may have lost something.
    before.wait("the first link", |heard| heard.resyncs == 2);
    listening.abort();
    assert!(listening.await.unwrap_err().is_cancelled());
    first_links.close();
    before.wait("the announcement of the cut", |heard| heard.resyncs == 3);
    publisher.publish(vec![event(1, 1)]);

    let links = Links::new(key);
    links.attach_receiver(Arc::clone(&after) as _);
    let rebinding = async {
        loop {
            match TcpListener::bind(address).await {
                Ok(listener) => break listener,
                Err(_) => tokio::task::yield_now().await,
            }
        }
    };
    let listener = tokio::time::timeout(DEADLINE, rebinding).await.expect("the address is free again");
    tokio::spawn(listen(listener, links));
    publisher.publish(vec![event(1, 2)]);
    after.wait("the second link", |heard| heard.resyncs == 2);
    publisher.publish(vec![event(1, 3)]);
    let heard = after.wait("a hint after the cut", |heard| heard.hints.contains(&event(1, 3)));
    assert_eq!(heard.resyncs_before_hints, Some(2), "both announcements come first");
    let published: Vec<Hint> = (1..=3).map(|seq| event(1, seq)).collect();
    assert!(published.ends_with(&heard.hints), "lost from the front, never reordered: {:?}", heard.hints);
}

/// Knows that everybody hears five thousand topics, in as many sessions as a person may have.
struct Popular;

impl Directory for Popular {
    fn hearing_of(&self, users: Vec<UserId>, answer: Answer) {
        let topics: Vec<Topic> = (1_000_000..1_005_000).map(Topic).collect();
        let sessions = (1..=SESSIONS_PER_USER_MAX as i64).map(|n| SessionId(i64::MAX - n)).collect();
        answer(Ok(vec![Hearing { topics, sessions }; users.len()]));
    }
}

/// Promise 5 for people in very many chats: long answers pass, and the link stays open.
#[tokio::test(flavor = "multi_thread")]
async fn long_answers_pass_a_link() {
    let bus = link(Arc::new(Popular)).await;
    bus.recorder.wait("the link is up", |heard| heard.resyncs == 2);
    let users: Vec<UserId> = (0..1_200).map(UserId).collect();
    for users in users.chunks(USERS_PER_QUESTION_MAX) {
        let people = ask(&bus, users.to_vec()).await.unwrap();
        let lengths: Vec<_> =
            people.iter().map(|person| (person.topics.len(), person.sessions.len())).collect();
        assert_eq!(lengths, vec![(5_000, SESSIONS_PER_USER_MAX); users.len()]);
    }
    bus.publisher.publish(vec![event(1, 1)]);
    let heard = bus.recorder.wait("a hint", |heard| !heard.hints.is_empty());
    assert_eq!(heard.resyncs, 2, "the link was never cut");
}

/// What was published before a flush arrives, though the publisher's process ends right after it.
#[tokio::test(flavor = "multi_thread")]
async fn a_flush_loses_nothing() {
    let key = ServiceKey::generate().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let recorder = Arc::new(Recorder::default());
    let links = Links::new(key.clone());
    links.attach_receiver(Arc::clone(&recorder) as _);
    tokio::spawn(listen(listener, links));
    let process = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let guard = process.enter();
    let publisher = Caller::start(address.to_string(), key);
    drop(guard);
    recorder.wait("the link is up", |heard| heard.resyncs == 2);
    let published: Vec<Hint> = (1..=20_000).map(|seq| event(1, seq)).collect();
    publisher.publish(published.clone());
    publisher.flush().await;
    process.shutdown_background();
    let heard = recorder.wait("the end of the link", |heard| heard.resyncs == 3);
    assert_eq!(heard.hints.len(), published.len());
}
