//! What the metrics say is what happened: figures of real servers move by exactly as much, an endpoint bears what peers
//! do to it, the text is what its format allows, and docs/OPERATIONS.md lists exactly what is shown.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;

use client_lib::{Client, Options};
use serde_json::json;
use tempfile::TempDir;
use tests::binary::{Process, command};
use tests::{Wire, live, until, within};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// `talko up` with metrics.
struct House {
    process: Process,
    metrics: SocketAddr,
    home: TempDir,
}

impl House {
    fn start(flags: &[&str]) -> Self {
        let home = tempfile::tempdir().unwrap();
        let mut command = command(home.path());
        command.args(["up", "--data-address", "127.0.0.1:0", "--broadcast-address", "127.0.0.1:0"]);
        command.args(["--metrics-address", "127.0.0.1:0", "--general-room", "off"]).args(flags);
        let process = Process::start(&mut command);
        Self { metrics: process.address_after("metrics on "), process, home }
    }

    fn data_address(&self) -> SocketAddr {
        self.process.address_after("data-server on ")
    }

    async fn person(&self, name: &str) -> (Client, client_lib::User) {
        let client = Client::connect(Options::new(self.data_address().to_string())).await.unwrap();
        let user = client.insert_user(name).await.unwrap();
        (client.clone(), client.trust_me(user.user_id).await.unwrap())
    }

    async fn figures(&self) -> Figures {
        scrape(self.metrics).await
    }

    fn top(&self, flags: &[&str]) -> std::process::Output {
        let mut top = command(self.home.path());
        top.args(["top", "--once", "--metrics-address", &self.metrics.to_string()]).args(flags);
        top.output().unwrap()
    }
}

/// Every sample by its name and labels, as they are written.
#[derive(Debug)]
struct Figures {
    samples: BTreeMap<String, f64>,
    names: BTreeSet<String>,
}

impl Figures {
    fn of(&self, series: &str) -> f64 {
        *self.samples.get(series).unwrap_or_else(|| panic!("no {series} in {:?}", self.samples.keys()))
    }
}

/// Says something to an endpoint, and reads until it closes.
async fn say(address: SocketAddr, request: &[u8]) -> String {
    within("an answer", async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        // Whether all of it is taken is the endpoint's business.
        let _ = stream.write_all(request).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8(answer).unwrap()
    })
    .await
}

async fn scrape(address: SocketAddr) -> Figures {
    let answer = say(address, b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(head.contains("content-type: application/openmetrics-text; version=1.0.0"), "{head}");
    read(body)
}

/// Reads the text as strictly as its format says: each family has its help and its type before its samples, which are
/// named as the type demands; no sample comes twice; buckets rise and end with all; the last line says so.
fn read(text: &str) -> Figures {
    let text = text.strip_suffix("# EOF\n").expect("the text ends with its mark");
    let (mut samples, mut names) = (BTreeMap::new(), BTreeSet::new());
    let mut families = BTreeSet::new();
    let (mut family, mut kind, mut help) = (String::new(), String::new(), String::new());
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, words) = rest.split_once(' ').unwrap();
            assert!(words.len() > 10 && words.ends_with('.'), "{line}");
            assert!(families.insert(name.to_owned()), "{name} comes twice");
            help = name.to_owned();
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, type_of) = rest.split_once(' ').unwrap();
            assert_eq!(name, help, "no help stands before the type");
            assert!(["counter", "gauge", "histogram", "info"].contains(&type_of), "{line}");
            (family, kind) = (name.to_owned(), type_of.to_owned());
        } else {
            let (series, value) = line.rsplit_once(' ').unwrap();
            let value: f64 = value.parse().unwrap_or_else(|_| panic!("{line}"));
            let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
            check_labels(labels.strip_suffix('}').unwrap());
            let ending = name.strip_prefix(&family).unwrap_or_else(|| panic!("{line} in {family}"));
            let endings: &[&str] = match kind.as_str() {
                "counter" => &["_total"],
                "histogram" => &["_sum", "_count", "_bucket"],
                "info" => &["_info"],
                _ => &[""],
            };
            assert!(endings.contains(&ending), "{line} is no sample of a {kind}");
            assert!(value >= 0.0, "{line}");
            // What people and documents call it: of a histogram, its family.
            names.insert(if kind == "histogram" { family.clone() } else { name.to_owned() });
            assert!(samples.insert(series.to_owned(), value).is_none(), "{series} comes twice");
        }
    }
    check_buckets(&samples);
    Figures { samples, names }
}

fn check_labels(labels: &str) {
    for label in labels.split(',').filter(|label| !label.is_empty()) {
        let (name, value) = label.split_once("=\"").unwrap_or_else(|| panic!("{label}"));
        assert!(name.chars().all(|char| char.is_ascii_lowercase() || char == '_'), "{label}");
        let value = value.strip_suffix('"').unwrap_or_else(|| panic!("{label}"));
        assert!(!value.is_empty() && !value.contains(['"', '\\', '\n']), "{label}");
    }
}

/// A histogram by the name of its count, with each end of a bucket and how many observations lie up to it.
type Histograms = BTreeMap<String, Vec<(f64, f64)>>;

fn check_buckets(samples: &BTreeMap<String, f64>) {
    let mut histograms = Histograms::new();
    for (series, count) in samples {
        let Some((name, labels)) = series.split_once("_bucket{") else { continue };
        let labels = labels.trim_end_matches('}').split(',');
        let (ends, others): (Vec<&str>, Vec<&str>) = labels.partition(|label| label.starts_with("le="));
        let [end] = ends[..] else { panic!("{series} has one end") };
        let end = end["le=\"".len()..].trim_end_matches('"').replace("+Inf", "inf").parse().unwrap();
        let others = if others.is_empty() { String::new() } else { format!("{{{}}}", others.join(",")) };
        histograms.entry(format!("{name}_count{others}")).or_default().push((end, *count));
    }
    for (count, mut ends) in histograms {
        ends.sort_by(|one, other| one.0.total_cmp(&other.0));
        assert_eq!(ends.last(), Some(&(f64::INFINITY, samples[&count])), "{count}");
        assert!(ends.len() > 5 && ends.is_sorted_by(|one, other| one.1 <= other.1), "{count}: {ends:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn three_messages_to_two_streams_are_six_deliveries() {
    let house = House::start(&[]);
    let ((ann, ann_user), (bob, bob_user)) = (house.person("Ann").await, house.person("Bob").await);
    let chat = ann.insert_chat("pair", &[ann_user.user_id, bob_user.user_id]).await.unwrap();
    let _listening = (live(&ann).await, live(&bob).await);
    // Callers are answered before entries are handed on.
    until("the chat", async || house.figures().await.of("talko_data_forward_seconds_count") == 1.0).await;
    until("both streams", async || house.figures().await.of("talko_broadcast_streams") == 2.0).await;
    let before = house.figures().await;
    for text in ["one", "two", "three"] {
        ann.insert_message(chat.chat_id, text).await.unwrap();
    }
    let moved = async |series: &str| house.figures().await.of(series) - before.of(series);
    until("six deliveries", async || moved("talko_broadcast_deliveries_total").await >= 6.0).await;
    until("forwarding", async || moved("talko_data_forward_seconds_count").await >= 3.0).await;
    for (series, by) in [
        ("talko_broadcast_deliveries_total", 6.0),
        ("talko_data_entries_total", 3.0),
        ("talko_data_batch_changes_sum", 3.0),
        ("talko_data_batch_changes_count", 3.0),
        ("talko_data_commit_seconds_count", 3.0),
        ("talko_data_forward_seconds_count", 3.0),
        ("talko_broadcast_slow_cuts_total", 0.0),
        ("talko_broadcast_hints_lost_total", 0.0),
        ("talko_data_commits_failed_total", 0.0),
    ] {
        assert_eq!(moved(series).await, by, "{series}");
    }
    let now = house.figures().await;
    assert!(now.of("talko_data_calls_total") - before.of("talko_data_calls_total") >= 3.0);
    // Each shard with one of the streams saw each event once.
    let lags = now.of("talko_broadcast_lag_seconds_count") - before.of("talko_broadcast_lag_seconds_count");
    assert!([3.0, 6.0].contains(&lags), "{lags}");
    assert!(now.of("talko_broadcast_lag_seconds_sum") > before.of("talko_broadcast_lag_seconds_sum"));
    assert!(now.of("talko_broadcast_delivered_bytes_total") > 6.0 * 100.0);
    assert_eq!(now.of("talko_data_storage_sound"), 1.0);
    assert_eq!(now.of("talko_connections{server=\"broadcast\"}"), 2.0);
    // Each hears the chat, and what is for all devices of that person alone.
    assert_eq!(now.of("talko_broadcast_subscriptions"), 4.0);

    let shown = String::from_utf8(house.top(&[]).stdout).unwrap();
    let row =
        |title: &str| shown.lines().find(|line| line.trim_start().starts_with(title)).unwrap().to_owned();
    assert!(row("streams").ends_with(" 2"), "{shown}");
    assert!(row("slow cuts").ends_with(" 0") && row("storage").ends_with(" up"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_and_slow_cuts_are_counted_one_by_one() {
    let house = House::start(&["--outlet-bytes-max", "262144", "--connections-max", "3"]);
    let mut wire = Wire::connect(house.data_address()).await;
    for name in ["Ann", "Bob"] {
        wire.result("InsertUser", json!({"user_name": name})).await;
    }
    let chat = json!({"chat_name": "pair", "user_ids": [1, 2]});
    let chat = wire.result("InsertChat", chat).await["chat"]["chat_id"].clone();
    let mut deaf = Wire::connect(house.process.address_after("broadcast-server on ")).await;
    deaf.result("OpenStreamRequest", json!({"user_id": 2})).await;
    until("the chat", async || house.figures().await.of("talko_data_entries_total") == 1.0).await;
    let before = house.figures().await;
    assert_eq!(wire.refusal("GetUser", json!({"user_id": 99})).await, -32004);
    assert_eq!(wire.refusal("Nothing", json!({})).await, -32601);
    let text = "x".repeat(15_000);
    let mut sent = 0;
    while house.figures().await.of("talko_broadcast_slow_cuts_total") == 0.0 {
        sent += 1;
        assert!(sent < 2_000, "the stream was not cut");
        let message = json!({"user_id": 1, "chat_id": chat, "message_text": text});
        wire.result("InsertMessage", message).await;
    }
    let others = [Wire::connect(house.data_address()).await, Wire::connect(house.data_address()).await];
    let mut refused = Wire::connect(house.data_address()).await;
    assert!(refused.receive().await["error"]["code"] == -32053);
    let entries = async || house.figures().await.of("talko_data_entries_total");
    until("entries", async || entries().await >= 1.0 + f64::from(sent)).await;
    let now = house.figures().await;
    for (series, by) in [
        ("talko_broadcast_slow_cuts_total", 1.0),
        ("talko_data_entries_total", f64::from(sent)),
        ("talko_data_refusals_total{code=\"not_found\"}", 1.0),
        ("talko_data_refusals_total{code=\"method_not_found\"}", 1.0),
        ("talko_data_refusals_total{code=\"overloaded\"}", 0.0),
        ("talko_data_calls_total", 2.0 + f64::from(sent)),
        ("talko_connections_refused_total{server=\"data\",reason=\"full\"}", 1.0),
        ("talko_connections_accepted_total{server=\"data\"}", 2.0),
    ] {
        assert_eq!(now.of(series) - before.of(series), by, "{series}");
    }
    let held = now.of("talko_broadcast_outlet_held_bytes");
    assert!(held < 20_000.0, "{held} are more than the rest of a frame");
    drop(others);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_bears_garbage_and_many_connections() {
    let house = House::start(&[]);
    let at = house.metrics;
    assert!(say(at, b"11        hello world\r\n\r\n").await.starts_with("HTTP/1.1 400 "));
    let long = format!("GET /metrics HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(100_000));
    let answer = say(at, long.as_bytes()).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431 "), "{answer}");
    for (request, expected) in [
        ("POST /metrics HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n", "405"),
        ("GET / HTTP/1.1\r\nhost: x\r\n\r\n", "404"),
        ("HEAD /metrics HTTP/1.1\r\nhost: x\r\n\r\n", "200"),
        ("GET /healthz HTTP/1.0\r\n\r\n", "200"),
    ] {
        let answer = say(at, request.as_bytes()).await;
        assert_eq!(answer.split(' ').nth(1), Some(expected), "{request}: {answer}");
    }
    let mut silent = Vec::new();
    for _ in 0..64 {
        silent.push(within("connecting", TcpStream::connect(at)).await.unwrap());
    }
    let files = house.process.id();
    let files = std::fs::read_dir(format!("/proc/{files}/fd")).unwrap().count();
    assert!(files < 64, "{files} files are open");
    assert!(say(at, b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n").await.starts_with("HTTP/1.1 503 "));
    drop(silent);
    until("places to be free", async || {
        say(at, b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n").await.starts_with("HTTP/1.1 200 ")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn top_says_in_one_sentence_that_nobody_answers() {
    let house = House::start(&[]);
    let mut top = command(house.home.path());
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let output = top.args(["top", "--metrics-address", &free.to_string()]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), said.lines().count()), (Some(3), 1), "{said}");
    assert!(said.contains(&format!("talko up --metrics-address {free}")), "{said}");
    let wrong = house.data_address().to_string();
    let output = command(house.home.path()).args(["top", "--metrics-address", &wrong]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

/// The document has a row for each figure that some server shows, and no other.
#[tokio::test(flavor = "multi_thread")]
async fn the_document_lists_what_is_shown() {
    let mut shown = BTreeSet::new();
    let house = House::start(&["--http-address", "127.0.0.1:0"]);
    shown.extend(house.figures().await.names);
    let home = tempfile::tempdir().unwrap();
    let any = ["--metrics-address", "127.0.0.1:0", "--broadcast-address"];
    let broadcast = Process::start(command(home.path()).arg("broadcast-server").args(any).arg("127.0.0.1:0"));
    let broadcast_address = broadcast.address_after("broadcast-server on ").to_string();
    let data = Process::start(command(home.path()).arg("data-server").args(any).args([
        &broadcast_address,
        "--data-address",
        "127.0.0.1:0",
    ]));
    let apart = [data.address_after("metrics on "), broadcast.address_after("metrics on ")];
    until("the link", async || scrape(apart[0]).await.of("talko_data_link_up") == 1.0).await;
    assert_eq!(scrape(apart[1]).await.of("talko_broadcast_links"), 1.0);
    for address in apart {
        let names = scrape(address).await.names;
        assert!(!names.contains("talko_data_calls_total") || !names.contains("talko_broadcast_streams"));
        shown.extend(names);
    }
    let both = apart.map(|address| address.to_string()).join(",");
    let output = command(home.path()).args(["top", "--once", "--metrics-address", &both]).output().unwrap();
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(table.contains(&format!("data-server {}", apart[0])), "{table}");
    assert!(table.contains(&format!("broadcast-server {}", apart[1])), "{table}");

    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let document = std::fs::read_to_string(root.join("docs/OPERATIONS.md")).unwrap();
    let (_, section) = document.split_once("\n## Metrics\n").expect("there is a section");
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    let mut listed = BTreeSet::new();
    for (name, rest) in rows.filter(|(name, _)| name.starts_with("talko_") || name.starts_with("process_")) {
        assert_eq!(rest.matches('|').count(), 4, "{name} has a type, a meaning and what to do");
        assert!(listed.insert(name.split('{').next().unwrap().to_owned()), "{name} is listed twice");
    }
    assert_eq!(listed, shown);
}
