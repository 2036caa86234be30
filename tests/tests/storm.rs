//! Everybody is cut at one instant, and everybody comes back: real servers that are killed and started again, and two
//! load processes of clients that are up to 500 messages behind.
//!
//! ```sh
//! TALKO_STORM_CLIENTS=10000 cargo test --release -p tests --test storm -- --nocapture
//! ```
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use client_lib::{Client, Options};
use tests::load::figures::asked;
use tests::load::house::{Processes, processor_s};
use tests::load::{Figures, House, Town};
use tests::{DEADLINE, figures, within};
use ttp::call::InsertMessage;
use ttp::model::{ChatId, UserId};
use ttp::net::clock;

/// Clients of the short form. `TALKO_STORM_CLIENTS` asks for another number.
const CLIENTS: u64 = 600;

/// How many messages a client may be behind.
const BEHIND_MAX: u64 = 500;

/// Memory that a server may hold for each connection.
const CONNECTION_KIB: u64 = 64;

/// Memory that pages under way may take in a data-server, however few ask for them.
const PAGES_KIB: u64 = 256 * 1024;

/// Time until all have all, with as many clients as the guarantee names.
const RETURN_MS_MAX: i64 = 5_000;

/// Files that a server has open besides its connections, at most.
const FILES_BESIDE: u64 = 100;

/// So many clients make it a figure.
const CLIENTS_OF_THE_GUARANTEE: u64 = 10_000;

/// One process full of clients.
struct Load {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Load {
    fn start(house: &House, town: Town, first: i64, count: i64) -> Self {
        let mut load = Command::new(env!("CARGO_BIN_EXE_load"));
        load.args([house.data_address.to_string(), house.broadcast_address.to_string()]);
        let numbers = [first, count, town.people, town.chats, town.chats_of_person, town.messages_of_chat];
        load.args(numbers.map(|number| number.to_string())).arg(BEHIND_MAX.to_string());
        let mut child = load.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (orders, answers) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self { child, orders, answers: BufReader::new(answers) }
    }

    fn ask(&mut self, order: &str) -> Figures {
        writeln!(self.orders, "{order}").unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        Figures::read(&line)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Both load processes.
struct Crowd([Load; 2]);

impl Crowd {
    fn sum(&mut self, name: &str) -> i64 {
        self.0.iter_mut().map(|load| load.ask("tell").number(name)).sum()
    }

    fn latest(&mut self, name: &str) -> i64 {
        self.0.iter_mut().map(|load| load.ask("tell").number(name)).max().unwrap()
    }

    fn processor_s(&self) -> Vec<f64> {
        self.0.iter().map(|load| processor_s(load.child.id())).collect()
    }

    /// Waits until a sum is reached.
    fn wait_for(&mut self, name: &str, goal: i64) {
        let begun = clock::now();
        while self.sum(name) < goal {
            let waited = clock::now() - begun;
            assert!(waited < 2 * DEADLINE, "{name} is {} of {goal} after {waited:?}", self.sum(name));
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// G15, G7, G13; F25: all are complete again, in time, and no process grows past its bound.
#[tokio::test(flavor = "multi_thread")]
async fn g15_a_storm_of_returning_clients_is_over_in_time() {
    let clients = asked("TALKO_STORM_CLIENTS", CLIENTS);
    // In one process each client takes two of the files that a process may have open.
    let files_max = rlimit::increase_nofile_limit(u64::MAX).unwrap();
    let clients_of_one = clients.min((files_max - FILES_BESIDE) / 2);
    let runs = [storm(Processes::Two, clients).await, storm(Processes::One, clients_of_one).await];
    for figures in &runs {
        println!("{figures}");
        assert_eq!(figures.number("wrong"), 0, "{figures}");
    }
    if clients >= CLIENTS_OF_THE_GUARANTEE {
        let longest_ms = runs.iter().map(|figures| figures.number("storm_ms")).max().unwrap();
        let peaks_mb = runs.iter().flat_map(|figures| figures.list("peak_rss_mb"));
        let mut kept = Figures::default();
        kept.note("storm_10k_s", longest_ms as f64 / 1_000.0);
        kept.note("peak_rss_mb", peaks_mb.max().unwrap());
        figures::keep("storm", &kept.to_string());
        assert!(longest_ms <= RETURN_MS_MAX, "{kept}");
    }
}

async fn storm(processes: Processes, clients: u64) -> Figures {
    let people = clients as i64;
    let town = Town {
        people,
        chats: (people / 10).max(1),
        chats_of_person: 4,
        messages_of_chat: 150,
        text_chars: 60,
    };
    let mut house = House::start(processes, |path| town.build(path));
    let base_kib = house.status("VmHWM");
    let half = people / 2;
    let mut crowd = Crowd(
        [(1, half), (1 + half, people - half)].map(|(first, count)| Load::start(&house, town, first, count)),
    );
    crowd.wait_for("complete", people);
    crowd.0.iter_mut().for_each(|load| drop(load.ask("cut")));
    let cut_ms = clock::now_ms();
    let load_before_s = crowd.processor_s();
    house.kill();
    house.start_again();
    let ready_ms = clock::now_ms();
    crowd.wait_for("complete", people);
    let processor_s = house.processor_s();
    let load_processor_s: Vec<f64> =
        crowd.processor_s().iter().zip(load_before_s).map(|(after, before)| after - before).collect();
    speak(&house, town).await;
    crowd.wait_for("heard", people * town.chats_of_person);
    assert!(house.is_alive());
    let mut figures = Figures::default();
    figures.note("storm_processes", if processes == Processes::Two { 2 } else { 1 });
    figures.note("clients", clients);
    figures.note("storm_ms", crowd.latest("last_at_ms") - cut_ms);
    figures.note("p50_ms", crowd.latest("p50_at_ms") - cut_ms);
    figures.note("p99_ms", crowd.latest("p99_at_ms") - cut_ms);
    figures.note("restart_ms", ready_ms - cut_ms);
    for name in ["paged", "pages", "heard", "attempts", "overloaded", "wrong"] {
        figures.note(name, crowd.sum(name));
    }
    let peak_kib = house.status("VmHWM");
    figures.note("peak_rss_mb", list(&megabytes(&peak_kib)));
    figures.note("base_rss_mb", list(&megabytes(&base_kib)));
    figures.note("server_cpu_s", list(&processor_s));
    figures.note("load_cpu_s", list(&load_processor_s));
    let connections = if processes == Processes::Two { clients } else { 2 * clients };
    for (peak, base) in peak_kib.iter().zip(&base_kib) {
        // Few clients may ask for as many pages at one time as many.
        let bound_kib = base + (CONNECTION_KIB * connections).max(PAGES_KIB);
        assert!(*peak <= bound_kib, "{peak} KiB for {connections} connections: {figures}");
    }
    figures
}

fn list(values: &[impl ToString]) -> String {
    values.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

fn megabytes(kib: &[u64]) -> Vec<u64> {
    kib.iter().map(|kib| kib / 1024).collect()
}

/// Something new in every chat: whoever is live hears it.
async fn speak(house: &House, town: Town) {
    let client = Client::connect(Options::new(house.data_address.to_string())).await.unwrap();
    let mut speaking = Vec::new();
    for chat in 1..=town.chats {
        let author = (1..=town.people).find(|person| town.chats_of(*person).contains(&chat)).unwrap();
        let call = InsertMessage {
            chat_id: ChatId(chat),
            user_id: Some(UserId(author)),
            message_text: "we are all here again".into(),
            client_message_id: None,
            ..InsertMessage::default()
        };
        let client = client.clone();
        speaking.push(tokio::spawn(async move { client.call(call).await }));
    }
    for said in speaking {
        within("saying something", said).await.unwrap().unwrap();
    }
}
