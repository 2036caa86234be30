//! The scenes, and what each road does to them.

mod meddler;

use std::sync::Arc;
use std::time::Duration;

use client_lib::{Client, ConnectionState, Error, Event};
use meddler::{Done, Middle, Wrong};
use tests::proxy::{End, Flow, Hand, Line, Plan, Proxy, Way};
use tests::roads::{Roads, Scene};
use tests::{Form, Installation, Setup, figures, live, until, within};
use ttp::net::random;

/// Flipped bits of the short form on each way of each road.
const FLIPS: usize = 4;

/// Bytes of a session in which a bit is flipped, counted from the moment at which it is ordered.
const SPAN_BYTES: usize = 900;

fn chance(below: usize) -> usize {
    let mut bytes = [0; 4];
    random::fill(&mut bytes).unwrap();
    u32::from_le_bytes(bytes) as usize % below
}

/// Both servers behind TLS, and the link between them too.
struct Stage {
    scene: Scene,
    /// Who sits where.
    middles: Vec<(&'static str, Middle)>,
    /// Messages so far: no two are the same.
    said: usize,
    _keys: tempfile::TempDir,
}

impl Stage {
    async fn open() -> Self {
        let keys = tempfile::tempdir().unwrap();
        let setup = Setup::default().over_tls(keys.path());
        let scene = Scene::open(Roads::start_with(setup).await).await;
        let mut middles = Vec::new();
        for (name, proxy) in roads_of(&scene) {
            middles.push((name, Middle::sit_on(proxy)));
            // On those that are open nobody sits.
            proxy.cut(End::Reset);
        }
        let mut stage = Self { scene, middles, said: 0, _keys: keys };
        stage.say("with somebody in the middle").await;
        stage.scene.all_hear().await;
        stage
    }

    async fn say(&mut self, what: &str) {
        self.said += 1;
        self.scene.say(&format!("{} {what}", self.said)).await;
    }

    fn refused(&self) -> u64 {
        let house = &self.scene.roads.installation;
        house.data_counters.records_refused() + house.broadcast_counters.records_refused()
    }

    /// Does one thing wrong, and goes on talking until it is done and everybody has heard everything.
    async fn suffer(&mut self, middle: &Middle, way: Way, wrong: Wrong) -> usize {
        middle.order(way, wrong);
        for number in 0.. {
            self.say(&format!("{wrong:?} on the way {way:?}")).await;
            if let Done::At(place) = middle.done() {
                self.say("after it").await;
                self.scene.all_hear().await;
                return place;
            }
            assert!(number < 3_000, "{wrong:?} {way:?} does not happen");
        }
        unreachable!("a number is found")
    }

    async fn judge(self) -> usize {
        let verdict = self.scene.judge().await;
        assert!(verdict.violations.is_empty(), "{:#?}", verdict.violations);
        verdict.violations.len()
    }
}

/// The roads on which something is said all the time.
fn roads_of(scene: &Scene) -> [(&'static str, &Proxy); 3] {
    [
        ("client to data-server", &scene.speaker.data),
        ("client to broadcast-server", &scene.listener.stream),
        ("server to server", &scene.roads.link),
    ]
}

/// The ways of these roads that carry what people say. A stream's client and a link's peer say little by themselves.
const WAYS: [(usize, Way); 4] = [(0, Way::Up), (0, Way::Down), (1, Way::Down), (2, Way::Up)];

fn flips() -> usize {
    std::env::var("TALKO_TLS_FLIPS").map_or(FLIPS, |flips| flips.parse().unwrap())
}

/// R21: a flipped bit at any place of a session, in either direction and on every road: nothing wrong is delivered, and
/// nothing is missed. What a server was sent is refused and counted, the type and the version in the head of a record too.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn r21_a_flipped_bit_anywhere_delivers_nothing_wrong() {
    let mut stage = Stage::open().await;
    let (mut flipped, mut heads, mut up) = (0, 0, 0);
    let before = stage.refused();
    for _ in 0..flips() {
        for (road, way) in WAYS {
            let middle = stage.middles[road].1.clone();
            let wrong = Wrong::Flip { after: chance(SPAN_BYTES), bit: chance(8) as u8 };
            let place = stage.suffer(&middle, way, wrong).await;
            flipped += 1;
            heads += usize::from(place < 3);
            // Lengths may also make a record wait for bytes that never come.
            up += u64::from(way == Way::Up && !(3..5).contains(&place));
        }
    }
    let counted = stage.refused() - before;
    assert!(counted >= up, "{counted} of {up} were counted");
    let wrong = stage.judge().await;
    let line = format!(
        "tls_flips={flipped} tls_flips_in_type_or_version={heads} tls_flips_to_servers={up} \
         tls_records_refused={counted} tls_wrong={wrong}"
    );
    figures::keep("tls.flips", &line);
}

/// R21: a record that comes twice, not at all, or behind the next one ends its connection; all is heard once and in order.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn r21_repeated_dropped_and_swapped_records_deliver_nothing_wrong() {
    let mut stage = Stage::open().await;
    let before = stage.refused();
    let mut done = 0;
    for wrong in [Wrong::Repeat, Wrong::Drop, Wrong::Swap] {
        for (road, way) in WAYS {
            let middle = stage.middles[road].1.clone();
            stage.suffer(&middle, way, wrong).await;
            done += 1;
        }
    }
    // Repeated to the data-server, and on the link.
    let counted = stage.refused() - before;
    assert!(counted >= 2, "{counted}");
    let wrong = stage.judge().await;
    figures::keep(
        "tls.records",
        &format!("tls_meddled={done} tls_meddled_refused={counted} tls_wrong={wrong}"),
    );
}

/// T64: the story over TLS, in both forms: two people, events, cut connections, and a reader that stands still.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn t64_the_story_over_tls() {
    for form in [Form::Together, Form::Apart] {
        let keys = tempfile::tempdir().unwrap();
        let house = Installation::start_with(form, Setup::default().over_tls(keys.path())).await;
        let (ada, _) = house.person("Ada").await;
        let (bob, bob_user) = house.person("Bob").await;
        let mut events = live(&bob).await;
        let chat = ada.insert_chat("two", &[bob_user.user_id]).await.unwrap();
        for number in 0..20 {
            ada.insert_message(chat.chat_id, &format!("{number}")).await.unwrap();
        }
        for number in 0..20 {
            assert_eq!(next_text(&mut events).await, number.to_string(), "{form:?}");
        }
        bob.insert_message(chat.chat_id, "back").await.unwrap();
        let page = ada.get_messages(chat.chat_id, None, None).await.unwrap();
        assert_eq!(page.messages.len(), 21);
        assert!(ada.server_trust().unwrap().fingerprint().is_some());
        house.stop().await;
    }
}

async fn next_text(events: &mut client_lib::EventStream) -> String {
    loop {
        let event = within("an event", events.next()).await.unwrap();
        if let Some(message) = event.message() {
            return message.message_text.clone();
        }
    }
}

/// T64, G7: cut connections and a reader that stands still, behind TLS: all is heard once and in order.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn t64_cuts_and_a_slow_reader_over_tls() {
    let mut stage = Stage::open().await;
    for round in 0..3 {
        stage.scene.listener.stream.cut(End::Reset);
        stage.say("while the stream is cut").await;
        stage.scene.speaker.data.cut(if round == 0 { End::Finish } else { End::Reset });
        stage.say("while the speaker is cut").await;
        stage.scene.roads.link.cut(End::Reset);
        stage.say("while the link is cut").await;
        stage.scene.all_hear().await;
    }
    let still = Line { flow: Flow::StandsStill, ..Line::default() };
    stage.scene.listener.stream.set(Plan { down: still, ..Plan::default() });
    for _ in 0..400 {
        stage.say(&"x".repeat(8_000)).await;
    }
    assert!(!stage.scene.have_all_heard());
    stage.scene.listener.stream.set(Plan::default());
    stage.scene.all_hear().await;
    stage.judge().await;
}

/// Counts what a client says.
struct Ear(Arc<std::sync::atomic::AtomicUsize>);

impl Hand for Ear {
    fn pass(&mut self, way: Way, bytes: &[u8]) -> Vec<u8> {
        if way == Way::Up {
            self.0.fetch_add(bytes.len(), std::sync::atomic::Ordering::AcqRel);
        }
        bytes.to_vec()
    }
}

/// F27, G21: the key is swapped under a client that runs: it does not come back, names both keys, and says nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn f27_a_key_swapped_under_a_running_client_hears_nothing() {
    let (keys, others) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let house = Installation::start_with(Form::Together, Setup::default().over_tls(keys.path())).await;
    let thief = Installation::start_with(Form::Together, Setup::default().over_tls(others.path())).await;
    let heard = Arc::default();
    let (data, stream) = (Proxy::to(house.data_address).await, Proxy::to(house.broadcast_address).await);
    let options = client_lib::Options {
        data_address: data.address().to_string(),
        broadcast_address: Some(stream.address().to_string()),
        backoff_max: Duration::from_millis(50),
        ..house.options()
    };
    let client = Client::connect(options).await.unwrap();
    let user = client.insert_user("Ada").await.unwrap();
    client.trust_me(user.user_id).await.unwrap();
    let mut events = live(&client).await;
    let ours = client.server_trust().unwrap().fingerprint().unwrap().to_string();
    let theirs = {
        let looking = Client::connect(thief.options()).await.unwrap();
        looking.server_trust().unwrap().fingerprint().unwrap().to_string()
    };
    for (proxy, target) in [(&data, thief.data_address), (&stream, thief.broadcast_address)] {
        let heard = Arc::clone(&heard);
        proxy.lay_hands(move || Box::new(Ear(Arc::clone(&heard))));
        proxy.lead_to(target);
        proxy.cut(End::Reset);
    }
    let said = loop {
        let event = within("the end", events.next()).await.expect("the stream says why it ends");
        if let Event::Connection(ConnectionState::Disconnected { retry_in: None, reason }) = event {
            break reason;
        }
    };
    let error = client.insert_message(client_lib::ChatId(1), "a secret").await.unwrap_err();
    for error in [&said, &error] {
        assert!(matches!(error, Error::Tls(_)), "{error}");
        let words = error.to_string();
        // The stream's server is vouched for by the data-server's key, and not known by a pin of its own.
        assert!(words.contains(&theirs), "{words}");
    }
    assert!(error.to_string().contains(&ours) && error.to_string().contains("talko trust"), "{error}");
    let failed = || thief.data_counters.handshakes_failed() + thief.broadcast_counters.handshakes_failed();
    until("the thief is left", async || failed() >= 2).await;
    // A hello and an alert for each attempt: no room for anything else.
    let attempts = (data.accepted() + stream.accepted()) as usize;
    let bytes = heard.load(std::sync::atomic::Ordering::Acquire);
    assert!(bytes > 0 && bytes < 600 * attempts, "{bytes} in {attempts} attempts");
    assert!(within("no more", events.next()).await.is_none());
    figures::keep("tls.swapped", &format!("tls_swapped_bytes_said={bytes} tls_swapped_messages=0"));
    house.stop().await;
    thief.stop().await;
}
