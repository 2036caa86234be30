//! A program that is killed at any moment, again and again: what it had taken to say is said once and in order, and what
//! others said it hears without a gap.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::ops::Range;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use client_lib::Client;
use tests::chaos::database;
use tests::figures;
use tests::{DEADLINE, Form, Installation, within};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use ttp::model::{ChatId, UserId};

/// Kills of the short form. `TALKO_CHAOS_KILLS` asks for another number, `TALKO_CHAOS_SEED` for other moments.
const KILLS: u64 = 21;

/// Lines that a program is given in each of its lives.
const LINES_OF_A_LIFE: u64 = 15;

/// What others say meanwhile.
const NEWS_OF_A_LIFE: u64 = 50;

/// A life ends within so much time when it shall end at a moment of time.
const LIFE_MICROS_MAX: u64 = 120_000;

/// … or after so many events …
const HEARD_MAX: u64 = 40;

/// … or after so many bytes to the data-server: the greetings, a question, and several messages.
const BYTES_MAX: u64 = 2_000;

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().unwrap())
}

/// A life of the program, and all that it has said in it.
struct Life {
    child: Child,
    input: Option<ChildStdin>,
    lines: mpsc::UnboundedReceiver<String>,
    said: Vec<String>,
}

impl Life {
    fn begin(address: SocketAddr, user: UserId, chat_id: ChatId, folder: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_keeper"));
        command.args([address.to_string(), user.to_string(), chat_id.to_string()]).arg(folder);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            // A line that was cut by the kill says nothing.
            for line in output.split(b'\n').map_while(Result::ok) {
                let _ = sender.send(String::from_utf8(line).unwrap());
            }
        });
        let input = child.stdin.take();
        Self { child, input, lines, said: Vec::new() }
    }

    /// Gives the program lines to say. It may be dead before it has them all.
    fn give(&mut self, numbers: Range<u64>) {
        let mut input = self.input.take().unwrap();
        std::thread::spawn(move || {
            for number in numbers {
                if writeln!(input, "word {number}").is_err() {
                    return;
                }
            }
        });
    }

    /// Waits until the program has said so many lines that begin so.
    async fn says(&mut self, words: &str, count: u64) {
        let mut left = count;
        while left > 0 {
            let Some(line) = self.lines.recv().await else { panic!("the program ended: {:?}", self.said) };
            left -= u64::from(line.starts_with(words));
            self.said.push(line);
        }
    }

    /// Kills it, and returns what it has said.
    async fn end(mut self) -> Vec<String> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        while let Some(line) = self.lines.recv().await {
            self.said.push(line);
        }
        self.said
    }
}

/// A way to a server on which the client gets no further than so many bytes. It says when they are over.
async fn way_of(bytes: u64, server: SocketAddr) -> (SocketAddr, oneshot::Receiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (over, is_over) = oneshot::channel();
    tokio::spawn(async move {
        let (client, _) = listener.accept().await.unwrap();
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_server, mut to_server) = TcpStream::connect(server).await.unwrap().into_split();
        tokio::spawn(async move { copy(&mut from_server, &mut to_client).await });
        let mut rest = [0; 1];
        for _ in 0..bytes {
            if from_client.read_exact(&mut rest).await.is_err() || to_server.write_all(&rest).await.is_err() {
                return;
            }
        }
        let _ = over.send(());
        // Whoever waits for more gets nothing, until the client is dead: half a frame lies at the server.
        let _ = from_client.read_to_end(&mut Vec::new()).await;
    });
    (address, is_over)
}

/// Says numbered news.
fn speak(client: &Client, chat_id: ChatId, numbers: Range<u64>) -> tokio::task::JoinHandle<()> {
    let client = client.clone();
    tokio::spawn(async move {
        for number in numbers {
            client.insert_message(chat_id, &format!("news {number}")).await.unwrap();
        }
    })
}

/// What follows these words, line by line, as the number at its end.
fn numbers(lines: &[String], words: &str) -> Vec<u64> {
    let ours = lines.iter().filter(|line| line.starts_with(words));
    ours.map(|line| line.rsplit(' ').next().unwrap().parse().unwrap()).collect()
}

/// What was heard of this kind.
fn heard(lines: &[String], kind: &str) -> Vec<u64> {
    let of_kind: Vec<String> = lines.iter().filter(|line| line.contains(kind)).cloned().collect();
    numbers(&of_kind, "heard ")
}

/// F3; G2, G3, G6, T38, V09: `kill -9` of the client before it has written (K0), in the middle of a frame (K1), after it
/// has heard and before it has saved that (K14), and at any other moment.
#[tokio::test(flavor = "multi_thread")]
async fn f3_a_program_that_is_killed_says_all_once_and_hears_all() {
    let kills = number("TALKO_CHAOS_KILLS", KILLS);
    let mut dice = Dice(number("TALKO_CHAOS_SEED", 1));
    let house = Installation::start(Form::Apart).await;
    let (bob, _) = house.person("Bob").await;
    let (_, ada) = house.person("Ada").await;
    let chat_id = bob.insert_chat("", &[ada.user_id]).await.unwrap().chat_id;
    let folder = tempfile::tempdir().unwrap();
    let begin = |address| Life::begin(address, ada.user_id, chat_id, folder.path());
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut lives = Vec::new();
    for kill in 0..kills {
        let given = kill * LINES_OF_A_LIFE..(kill + 1) * LINES_OF_A_LIFE;
        let speaking = speak(&bob, chat_id, kill * NEWS_OF_A_LIFE..(kill + 1) * NEWS_OF_A_LIFE);
        let (way, is_over) = way_of(dice.below(BYTES_MAX), house.data_address).await;
        let mut life = begin(match kill % 4 {
            0 => nobody,
            1 => way,
            _ => house.data_address,
        });
        life.give(given);
        match kill % 4 {
            0 => life.says("queued", 1 + dice.below(LINES_OF_A_LIFE)).await,
            1 => drop(timeout(DEADLINE, is_over).await.unwrap()),
            2 => life.says("heard", 1 + dice.below(HEARD_MAX)).await,
            _ => tokio::time::sleep(Duration::from_micros(dice.below(LIFE_MICROS_MAX))).await,
        }
        lives.push(life.end().await);
        speaking.await.unwrap();
    }
    let news = kills * NEWS_OF_A_LIFE;
    let mut last = begin(house.data_address);
    let queued: BTreeSet<u64> = lives.iter().flat_map(|life| numbers(life, "queued word")).collect();
    // Progress is what is asked for: how much is left after so many kills depends on the disk.
    let of_all = |last: &Life, numbers: &dyn Fn(&[String]) -> Vec<u64>| -> BTreeSet<u64> {
        lives.iter().chain([&last.said]).flat_map(|life| numbers(life)).collect()
    };
    while !of_all(&last, &|life| numbers(life, "said ")).is_superset(&queued)
        || of_all(&last, &|life| heard(life, "news")).last() != Some(&(news - 1))
    {
        let line = within("a line of the last life", last.lines.recv()).await;
        last.said.push(line.expect("the last life goes on"));
        last.said.extend(std::iter::from_fn(|| last.lines.try_recv().ok()));
    }
    lives.push(last.end().await);
    let report = judge(&lives, &queued, news, &house.database(), ada.user_id);
    let line = format!("client_kills={kills} acked={} client_news={news} {report}", queued.len());
    figures::keep("dying_clients", &line);
}

/// Holds the lives against the database: nothing lost, doubled, refused, out of order, or missed.
fn judge(lives: &[Vec<String>], queued: &BTreeSet<u64>, news: u64, database: &Path, ada: UserId) -> String {
    let rows = database::rows(database);
    let messages = rows.iter().filter_map(|row| row.message.as_ref());
    let texts = messages.filter(|message| message.sender == ada).map(|message| message.text.clone());
    let stored = numbers(&texts.collect::<Vec<_>>(), "word ");
    assert!(stored.is_sorted_by(|one, next| one < next), "doubled or out of order: {stored:?}");
    let stored: BTreeSet<u64> = stored.into_iter().collect();
    assert!(stored.is_superset(queued), "lost: {:?}", queued.difference(&stored));
    let mut next = 0;
    let (mut told_again, mut heard_again) = (0, 0);
    let mut said = BTreeSet::new();
    for (index, life) in lives.iter().enumerate() {
        assert!(!life.iter().any(|line| line.starts_with("not said") || line == "reset"), "{life:?}");
        let told = numbers(life, "said ");
        told_again += told.iter().filter(|number| !said.insert(**number)).count();
        let own = heard(life, "word");
        assert!(told.iter().all(|number| !own.contains(number)), "life {index}: told and heard");
        for (place, number) in heard(life, "news").into_iter().enumerate() {
            if place == 0 && number + 1 == next {
                heard_again += 1;
                continue;
            }
            assert_eq!(number, next, "life {index} has a gap or hears twice");
            next += 1;
        }
    }
    assert_eq!(next, news, "missed");
    assert!(told_again <= lives.len(), "one of a life at most");
    format!("stored={} told_again={told_again} heard_again={heard_again} lost=0 dup=0 gaps=0", stored.len())
}

/// Numbers that look like chance and repeat with their seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}
