//! `talko` alone, over pipes: two people in two processes, the second joins the first, and takes over from it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// No wait in a test is longer.
const DEADLINE: Duration = Duration::from_secs(30);

/// A person with a keyboard and a screen.
struct Person {
    child: Child,
    /// `None` once it was unplugged.
    keyboard: Option<ChildStdin>,
    screen: Receiver<String>,
}

impl Person {
    fn start(home: &Path, ports: &[String; 2], arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_talko"));
        command
            .env_clear()
            .env("TALKO_TRUST_USER_IDS", "1")
            .env("HOME", home)
            .env("TZ", "UTC")
            .current_dir(home)
            .args(arguments);
        command.env("TALKO_DATA_ADDRESS", &ports[0]).env("TALKO_BROADCAST_ADDRESS", &ports[1]);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, screen) = channel();
        let outputs: [Box<dyn std::io::Read + Send>; 2] =
            [Box::new(child.stdout.take().unwrap()), Box::new(child.stderr.take().unwrap())];
        for output in outputs {
            let sender = sender.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    let _ = sender.send(line);
                }
            });
        }
        let keyboard = child.stdin.take();
        Self { child, keyboard, screen }
    }

    fn types(&mut self, line: &str) {
        writeln!(self.keyboard.as_ref().unwrap(), "{line}").unwrap();
    }

    /// Waits until a line with these words appears.
    fn sees(&self, words: &str) -> String {
        let mut seen = Vec::new();
        loop {
            match self.screen.recv_timeout(DEADLINE) {
                Ok(line) if line.contains(words) => return line,
                Ok(line) => seen.push(line),
                Err(_) => panic!("{words:?} never appeared; what did: {seen:#?}"),
            }
        }
    }

    fn quits(mut self) {
        self.types("/quit");
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `talko up` on a database of its own, until it is dropped.
struct Served(Child);

impl Served {
    fn start(home: &Path, ports: &[String; 2]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_talko"));
        command.env_clear().env("TALKO_TRUST_USER_IDS", "1").env("HOME", home).current_dir(home).args([
            "up",
            "--db",
            "served.db",
        ]);
        command.args(["--data-address", &ports[0], "--broadcast-address", &ports[1], "--log-level", "error"]);
        let mut served = Self(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
        let mut ready = String::new();
        BufReader::new(served.0.stdout.as_mut().unwrap()).read_line(&mut ready).unwrap();
        assert!(ready.starts_with("ready: "), "{ready:?}");
        served
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Two ports that are free now.
fn free_ports() -> [String; 2] {
    let listeners = [0, 1].map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().to_string())
}

/// T43, T44, T60: the first starts the servers, the second joins, both see what the other writes; when the first
/// leaves, the second takes over and a third finds everything.
#[test]
fn t43_a_second_terminal_joins_the_first() {
    let home = tempfile::tempdir().unwrap();
    let ports = free_ports();
    let mut ada = Person::start(home.path(), &ports, &["--user", "Ada"]);
    ada.sees("no chats yet");
    let mut grace = Person::start(home.path(), &ports, &["--line"]);
    grace.types("Грейс");
    grace.sees("You are Грейс");
    ada.types("/new lunch Грейс");
    ada.sees("--- Грейс ---");
    ada.types("привет 🌮");
    grace.sees("Ada: привет 🌮");
    grace.types("/chats");
    grace.sees("  1  Ada");
    grace.types("/open 1");
    grace.sees("Ada: привет 🌮");
    grace.types("你好");
    ada.sees("Грейс: 你好");
    grace.types("/search приветы from:Ada");
    grace.sees("Ada: привет 🌮");
    grace.sees("--- 1 found ---");
    grace.types("/search привет before:banana");
    grace.sees("before: wants a date such as 2026-11-21");
    grace.types("/dance");
    grace.sees("no command /dance");
    grace.types("//slash");
    ada.sees("Грейс: /slash");
    ada.quits();
    let third = Person::start(home.path(), &ports, &["--user", "Ada"]);
    third.sees("Грейс: /slash");
    grace.types("still here");
    third.sees("Грейс: still here");
    grace.quits();
    third.quits();
}

/// N23: the life of messages and of people, by commands that name a message by the number that stands before it.
#[test]
fn n23_everything_is_done_to_messages_by_their_numbers() {
    let home = tempfile::tempdir().unwrap();
    let ports = free_ports();
    let mut ada = Person::start(home.path(), &ports, &["--user", "Ada"]);
    ada.sees("no chats yet");
    let mut grace = Person::start(home.path(), &ports, &["--user", "Grace"]);
    grace.sees("no chats yet");
    let bob = Person::start(home.path(), &ports, &["--user", "Bob"]);
    bob.sees("no chats yet");
    ada.types("/new lunch Grace Bob");
    ada.sees("--- lunch ---");
    ada.types("soup?");
    ada.sees("#2 sent");
    grace.types("/open 1");
    grace.sees("#2 ");
    grace.types("/reply 2 it's  \"hot\" /now");
    ada.sees("Grace: it's  \"hot\" /now (to #2)");
    ada.types("/edit #2 soup, or bread?");
    grace.sees("* Ada edited: soup, or bread? (#2)");
    grace.types("/history 2");
    grace.sees("#2 soup?");
    grace.sees("2 texts of #2");
    grace.types("/react 2 👍");
    ada.sees("* Grace reacted with 👍 (#2)");
    grace.types("/unreact 2 👍");
    ada.sees("* Grace took back 👍 (#2)");
    ada.types("/pin 2");
    grace.sees("* Ada pinned a message (#2)");
    grace.types("/pins");
    grace.sees("#2 ");
    grace.sees("--- 1 pinned ---");
    ada.types("/unpin 2");
    grace.sees("* Ada unpinned a message (#2)");
    grace.types("/thread 2 in here");
    ada.sees("Grace: in here (in the thread of #2)");
    ada.types("/thread 2");
    ada.sees("--- 1 in the thread of #2 ---");
    ada.types("/forward 2 Grace");
    ada.sees("in Grace");
    grace.sees("soup, or bread?");
    grace.types("/edit 2 mine");
    grace.sees("only who wrote a message writes it anew");
    grace.types("/delete 3");
    ada.sees("* Grace deleted a message (#3)");
    ada.types("/who");
    ada.sees("online     Ada (owner)");
    ada.sees("--- 3 people ---");
    ada.types("/watch Grace");
    ada.sees("* Grace is online");
    grace.types("/status away");
    ada.sees("* Grace is away");
    ada.types("/remove Bob");
    bob.sees("* Bob left");
    ada.types("/react 2");
    ada.sees("/react N SIGN");
    for person in [ada, grace, bob] {
        person.quits();
    }
}

/// T43: a `talko` that joined a server of another database does not take its place with its own: it waits.
#[test]
fn t43_another_database_does_not_take_over() {
    let home = tempfile::tempdir().unwrap();
    let ports = free_ports();
    let first = Served::start(home.path(), &ports);
    let mut ada = Person::start(home.path(), &ports, &["--user", "Ada"]);
    ada.sees("no chats yet");
    let grace = Person::start(home.path(), &ports, &["--user", "Grace"]);
    grace.sees("no chats yet");
    ada.types("/new Grace");
    ada.sees("--- Grace ---");
    ada.types("hello");
    grace.sees("[1 Ada] ");
    drop(first);
    ada.sees("disconnected");
    grace.sees("disconnected");
    // Nobody else may have the ports when the operator starts again.
    let second = Served::start(home.path(), &ports);
    ada.types("are you there?");
    grace.sees("Ada: are you there?");
    assert!(!home.path().join(".local/share/talko/talko.db").exists(), "a database was made");
    grace.quits();
    ada.quits();
    drop(second);
}

/// T44: from nothing to the demo chat in one command.
#[test]
fn t44_demo_is_one_command() {
    let home = tempfile::tempdir().unwrap();
    let ports = free_ports();
    let mut first = Person::start(home.path(), &ports, &["demo"]);
    first.sees("--- Joe Rogan ---");
    let mut second = Person::start(home.path(), &ports, &["--user", "Joe Rogan"]);
    second.sees("--- Eugen Hotaj ---");
    second.types("hello");
    first.sees("Joe Rogan: hello");
    first.types("hello back");
    second.sees("Eugen Hotaj: hello back");
    second.quits();
    first.quits();
}

/// V12: a file goes from one terminal to the other, under a name that leads nowhere else, and never over another file.
#[test]
fn v12_a_file_goes_from_terminal_to_terminal() {
    let home = tempfile::tempdir().unwrap();
    let ports = free_ports();
    std::fs::write(home.path().join("my cat.txt"), "meow").unwrap();
    let mut ada = Person::start(home.path(), &ports, &["--user", "Ada"]);
    ada.sees("no chats yet");
    let mut bob = Person::start(home.path(), &ports, &["--user", "Bob"]);
    bob.sees("no chats yet");
    ada.types("/new Bob");
    ada.sees("--- Bob ---");
    ada.types("/attach \"my cat.txt\" look at  \"this\"");
    bob.sees("look at  \"this\" [my cat.txt]");
    bob.sees("file 1: my cat.txt (4 bytes) (/save 1)");
    bob.types("/save 1");
    bob.sees("is there already");
    bob.types("/save 1 there.txt");
    bob.sees("saved there.txt");
    assert_eq!(std::fs::read_to_string(home.path().join("there.txt")).unwrap(), "meow");
    std::fs::create_dir(home.path().join("folder")).unwrap();
    bob.types("/save 1 folder");
    bob.sees("saved folder/my cat.txt");
    bob.types("/save 2");
    bob.sees("no file 2 was shown");
    ada.types("/attach nowhere.txt");
    ada.sees("nowhere.txt");
    ada.quits();
    bob.quits();
}

/// A pipe: everything is sent, then the program ends by itself.
#[test]
fn a_pipe_sends_its_lines_and_ends() {
    let home = tempfile::tempdir().unwrap();
    let ports = free_ports();
    let ada = Person::start(home.path(), &ports, &["--user", "Ada"]);
    ada.sees("no chats yet");
    let mut pipe = Person::start(home.path(), &ports, &["--user", "Pipe"]);
    pipe.types("/new x Ada");
    for number in 0..50 {
        pipe.types(&format!("line {number}"));
    }
    pipe.keyboard = None;
    assert!(pipe.child.wait().unwrap().success());
    for number in 0..50 {
        ada.sees(&format!("Pipe: line {number}"));
    }
    ada.quits();
}

/// N23: what the line chat shows of the open chat counts as read, on the person's other devices, too.
#[test]
fn n23_what_lines_show_counts_as_read() {
    let home = tempfile::tempdir().unwrap();
    let ports = free_ports();
    let _served = Served::start(home.path(), &ports);
    let mut ada = Person::start(home.path(), &ports, &["--user", "Ada"]);
    ada.sees("no chats yet");
    let mut bob = Person::start(home.path(), &ports, &["--user", "Bob"]);
    bob.sees("no chats yet");
    ada.types("/new Bob");
    ada.sees("--- Bob ---");
    bob.types("/new Ada");
    bob.sees("--- Ada ---");
    bob.types("are you there?");
    ada.sees("Bob: are you there?");
    let unread = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_talko"));
        command.env_clear().env("TALKO_TRUST_USER_IDS", "1").env("HOME", home.path());
        command.args(["call", "GetChats", "--user", "Ada", "--data-address", &ports[0]]);
        let said = String::from_utf8(command.output().unwrap().stdout).unwrap();
        assert!(said.contains("are you there?"), "{said}");
        said.replace(char::is_whitespace, "").contains("\"unread\":1")
    };
    for _ in 0..200 {
        if !unread() {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("it is still unread");
}
