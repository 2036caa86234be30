//! G20: an open stream loses a topic the moment the right to it ends, in whatever order hints come together.

use std::collections::{HashMap, HashSet};

use broadcast_server::Config;
use bus::Hint;
use serde_json::{Value, json};

use crate::client::Client;
use crate::stage::{Stage, ended, membership, message, until};

/// The next push that is no word about syncing.
fn next_said(client: &mut Client) -> Value {
    loop {
        let push = client.next();
        if push["method"] != "Resync" {
            return push;
        }
    }
}

/// N12: who is removed hears the entry by which they go, and nothing after it; who is added again hears again.
#[test]
fn g20_n12_a_removed_person_hears_their_removal_and_no_more() {
    let stage = Stage::new(Config::default());
    stage.directory.set(7, &[17]);
    stage.directory.set(8, &[17]);
    let (mut seven, mut old, mut eight) = (stage.open(7), stage.open_version_1(7), stage.open(8));
    stage.hub.receive(vec![
        Hint::Event(message(17, 1, 8, "you are removed")),
        Hint::Unsubscribe(membership(17, &[7])),
        Hint::Event(message(17, 2, 8, "at last")),
    ]);
    stage.publish(vec![message(17, 3, 8, "among ourselves")]);
    stage.head(17, 4);
    assert_eq!([(); 3].map(|()| eight.next_event().1), [1, 2, 3]);
    assert_eq!(seven.next_event(), (17, 1));
    assert_eq!(seven.next()["method"], "Resync");
    stage
        .hub
        .receive(vec![Hint::Subscribe(membership(17, &[7])), Hint::Event(message(17, 5, 8, "welcome back"))]);
    assert_eq!(seven.next_event(), (17, 5));
    for text in ["you are removed", "welcome back"] {
        assert_eq!(old.next()["result"]["message"]["message_text"], text);
    }
    for client in [&mut seven, &mut old] {
        assert_eq!(client.call("Ping", json!({}))["result"], json!({}), "nothing else came");
    }
}

/// The hint of a removal is lost: whatever makes the server ask repairs it, and the streams are told to sync.
#[test]
fn g20_a_lost_removal_is_repaired_by_asking() {
    let stage = Stage::new(Config { shards: 1, ..Config::default() });
    stage.directory.set(8, &[17, 18]);
    let mut eight = stage.open(8);
    let repairs: [&dyn Fn(); 2] = [&|| stage.moved(&[7]), &|| stage.hub.resync()];
    for (round, repair) in repairs.iter().enumerate() {
        stage.directory.set(7, &[17, 18]);
        let mut seven = stage.open(7);
        stage.directory.set(7, &[18]);
        let asked = stage.directory.questions();
        repair();
        until("the directory is asked", || stage.directory.questions() > asked);
        assert_eq!(seven.next()["method"], "Resync");
        until("it is silenced", || stage.stats().subscriptions == 3);
        let seq = round as u64 + 1;
        stage.publish(vec![message(17, seq, 8, "among ourselves"), message(18, seq, 8, "hello")]);
        assert_eq!(next_said(&mut eight)["params"]["chat_id"], 17);
        assert_eq!(next_said(&mut eight)["params"]["chat_id"], 18);
        assert_eq!(next_said(&mut seven)["params"]["chat_id"], 18);
        assert_eq!(seven.call("Ping", json!({}))["result"], json!({}), "nothing else came");
        assert_eq!(seven.call("CloseStream", json!({"user_id": 7}))["result"], json!({}));
        until("it has gone", || stage.stats().streams == 1);
    }
}

/// A person whose account is closed: the streams of all sessions end; one that was opened for a trusted number stays, and
/// hears nothing.
#[test]
fn g20_a_deactivated_person_hears_nothing() {
    let stage = Stage::new(Config::default());
    for user in [7, 8] {
        stage.directory.set(user, &[17, 18]);
    }
    stage.directory.set_sessions(7, &[70, 71]);
    let mut sessions = [stage.open_session(7, 70), stage.open_session(7, 71)];
    let (mut trusted, mut eight) = (stage.open(7), stage.open(8));
    stage.directory.set(7, &[]);
    stage.directory.set_sessions(7, &[]);
    stage.hub.receive(vec![
        ended(&[70, 71]),
        Hint::Moved([ttp::model::UserId(7)].into()),
        Hint::Unsubscribe(membership(17, &[7])),
        Hint::Event(message(17, 1, 8, "among ourselves")),
    ]);
    for stream in &mut sessions {
        assert_eq!(stream.next()["params"]["code"], 4010);
        assert!(stream.is_closed());
    }
    assert_eq!(trusted.next()["method"], "Resync", "of topic 17, by the hint");
    assert_eq!(trusted.next()["method"], "Resync", "of topic 18, by the answer");
    stage.publish(vec![message(17, 2, 8, "ourselves"), message(18, 1, 8, "ourselves")]);
    assert_eq!([(); 3].map(|()| eight.next_event()), [(17, 1), (17, 2), (18, 1)]);
    assert_eq!(trusted.call("Ping", json!({}))["result"], json!({}), "nothing else came");
    let mut again = stage.greet();
    let refusal = again.call("OpenStream", json!({"ticket": crate::stage::ticket(7, 71)}));
    assert_eq!(refusal["error"]["code"], -32001);
}

/// Numbers that look random, and are the same in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) % limit
    }
}

/// Who hears what, told by the same hints one after another.
#[derive(Default)]
struct Model {
    hears: HashMap<i64, HashSet<i64>>,
    heard: HashMap<i64, Vec<(i64, u64)>>,
    seqs: HashMap<i64, u64>,
}

impl Model {
    /// A hint about these topics, and what it does.
    fn throw(&mut self, dice: &mut Dice, topics: &[i64]) -> Hint {
        let topic = topics[dice.below(topics.len() as u64) as usize];
        let users: Vec<i64> = USERS.into_iter().filter(|_| dice.below(2) == 0).collect();
        match dice.below(4) {
            0 => {
                for user in &users {
                    self.hears.entry(*user).or_default().insert(topic);
                }
                Hint::Subscribe(membership(topic, &users))
            }
            1 => {
                for user in &users {
                    self.hears.entry(*user).or_default().remove(&topic);
                }
                Hint::Unsubscribe(membership(topic, &users))
            }
            _ => Hint::Event(self.say(topic)),
        }
    }

    fn say(&mut self, topic: i64) -> bus::Event {
        let seq = self.seqs.entry(topic).or_default();
        *seq += 1;
        for (user, _) in self.hears.iter().filter(|(_, topics)| topics.contains(&topic)) {
            self.heard.entry(*user).or_default().push((topic, *seq));
        }
        message(topic, *seq, 99, "x")
    }
}

const USERS: [i64; 3] = [1, 2, 3];
const TOPICS: [i64; 3] = [17, 18, 19];
const LAST: i64 = 20;

/// Events, beginnings and ends in every order, in one turn and in several: each stream hears of each topic exactly what
/// was said between its beginnings and ends, in order.
#[test]
fn g20_streams_hear_exactly_what_was_said_while_they_had_the_right() {
    const ROUNDS: u64 = 80;
    let stage = Stage::new(Config { shards: 2, ..Config::default() });
    let mut model = Model::default();
    let mut streams = Vec::new();
    for user in USERS {
        stage.directory.set(user, &[LAST]);
        model.hears.insert(user, [LAST].into());
        streams.extend([(user, stage.open(user)), (user, stage.open(user))]);
    }
    let mut dice = Dice(4);
    let mut events = 0;
    for round in 1..=ROUNDS {
        let mut hints: Vec<Hint> = (0..60).map(|_| model.throw(&mut dice, &TOPICS)).collect();
        hints.push(Hint::Event(model.say(LAST)));
        while !hints.is_empty() {
            let count = hints.len().min(1 + dice.below(30) as usize);
            stage.hub.receive(hints.drain(..count).collect());
        }
        let expected = std::mem::take(&mut model.heard);
        for (user, stream) in &mut streams {
            let mut heard: Vec<(i64, u64)> = Vec::new();
            while heard.last().is_none_or(|(topic, _)| *topic != LAST) {
                let push = next_said(stream);
                assert_eq!(push["method"], "Event", "{push}");
                let params = &push["params"];
                heard.push((params["chat_id"].as_i64().unwrap(), params["seq"].as_u64().unwrap()));
            }
            for topic in TOPICS.into_iter().chain([LAST]) {
                let of = |all: &[(i64, u64)]| -> Vec<u64> {
                    all.iter().filter(|(of, _)| *of == topic).map(|(_, seq)| *seq).collect()
                };
                assert_eq!(of(&heard), of(&expected[user]), "round {round}, user {user}, topic {topic}");
            }
            events += heard.len();
        }
    }
    println!("{events} events heard in {ROUNDS} rounds");
    for (_, stream) in &mut streams {
        assert_eq!(stream.call("Ping", json!({}))["result"], json!({}), "nothing else came");
    }
}
