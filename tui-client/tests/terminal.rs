//! F34: the client in a real terminal, and the terminal afterwards, however the client ended.
//!
//! This program is its own subject: started in a pseudo terminal with an address in its environment it runs the
//! client, otherwise it is the test with a small server of its own.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test without the harness that would tell clippy so")]

mod fake_server;

use std::process::Command;
use std::time::Instant;

use client_lib::{Client, Options, UserId};
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

use pty::Terminal;

/// Names the server's address for the client.
const SERVER_VARIABLE: &str = "TALKO_TEST_SERVER";

type Test = fn(&str);

fn main() {
    if let Ok(address) = std::env::var(SERVER_VARIABLE) {
        be_the_client(&address);
        return;
    }
    let runtime = Runtime::new().unwrap();
    let address = runtime.block_on(fake_server::start());
    let tests: [(&str, Test); 8] = [
        ("t59_t53_typing_sending_and_quitting", typing_sending_and_quitting),
        ("signals_end_it_cleanly", signals_end_it_cleanly),
        ("a_closed_terminal_ends_it", a_closed_terminal_ends_it),
        ("t57_a_storm_of_sizes_leaves_it_usable", a_storm_of_sizes_leaves_it_usable),
        ("no_key_of_many_is_lost", no_key_of_many_is_lost),
        ("a_panic_gives_the_terminal_back", a_panic_gives_the_terminal_back),
        ("a_locale_without_utf8_changes_nothing", a_locale_without_utf8_changes_nothing),
        ("a_paste_of_a_megabyte_is_survived", a_paste_of_a_megabyte_is_survived),
    ];
    let wanted: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    for (name, test) in tests {
        if wanted.is_empty() || wanted.iter().any(|part| name.contains(part.as_str())) {
            test(&address);
            println!("test {name} ... ok");
        }
    }
}

/// The client, which panics in a task of its own when it gets `SIGUSR1`.
fn be_the_client(address: &str) {
    let outcome = Runtime::new().unwrap().block_on(async {
        let client = Client::connect(Options::new(address)).await.unwrap();
        let me = client.trust_me(UserId(1)).await.unwrap();
        tokio::spawn(async {
            signal(SignalKind::user_defined1()).unwrap().recv().await;
            panic!("as ordered");
        });
        tui_client::run(client, me, tui_client::Options::default()).await
    });
    if let Err(error) = &outcome {
        eprintln!("{error}");
    }
    std::process::exit(i32::from(outcome.is_err()));
}

/// This very program, in a terminal.
fn start(variables: &[(&str, &str)]) -> Terminal {
    let mut command = Command::new(std::env::current_exe().unwrap());
    // A long trace would push the message of a panic off the screen.
    command.env("TERM", "xterm-256color").env("RUST_BACKTRACE", "0").envs(variables.iter().copied());
    let terminal = Terminal::start(&command, 24, 80);
    terminal.sees("Lunch");
    terminal.sees("online");
    terminal
}

fn open(address: &str) -> Terminal {
    let terminal = start(&[(SERVER_VARIABLE, address)]);
    assert!(terminal.look(|screen| screen.alternate_screen() && screen.bracketed_paste()));
    assert!(!terminal.has_its_modes(), "raw mode is on");
    terminal
}

fn typing_sending_and_quitting(address: &str) {
    let mut terminal = open(address);
    terminal.types("привет ~ 你好\r");
    terminal.sees("Ann: привет ~ 你好");
    terminal.types("\x03");
    assert_eq!(terminal.ends(), 0);
    assert!(terminal.is_restored());
}

fn signals_end_it_cleanly(address: &str) {
    for name in ["TERM", "INT", "HUP"] {
        let mut terminal = open(address);
        terminal.signal(name);
        assert_eq!(terminal.ends(), 0, "{name}");
        assert!(terminal.is_restored(), "{name}");
    }
}

fn a_closed_terminal_ends_it(address: &str) {
    open(address).close();
}

fn a_storm_of_sizes_leaves_it_usable(address: &str) {
    let mut terminal = open(address);
    for step in 0..300_u16 {
        terminal.resize(1 + step * 5 % 50, 1 + step * 7 % 130);
    }
    terminal.resize(1, 1);
    terminal.resize(24, 80);
    terminal.types("still here\r");
    terminal.sees("Ann: still here");
    terminal.sees("Recent");
    terminal.types("/quit\r");
    assert_eq!(terminal.ends(), 0);
    assert!(terminal.is_restored());
}

/// As a paste that the terminal does not mark: more keys than are taken between two screens.
fn no_key_of_many_is_lost(address: &str) {
    let mut terminal = open(address);
    let words: Vec<String> = (100..300).map(|number| number.to_string()).collect();
    terminal.types(&format!("{}\r", words.join(" ")));
    terminal.waits("the message to be stored", |screen| {
        screen.contents().contains("Ann: ") && screen.contents().contains("299")
    });
    let seen = terminal.contents();
    let lost: Vec<&String> = words.iter().filter(|word| !seen.contains(word.as_str())).collect();
    assert!(lost.is_empty(), "{lost:?} are not in\n{seen}");
    terminal.types("\x03");
    assert_eq!(terminal.ends(), 0);
}

fn a_panic_gives_the_terminal_back(address: &str) {
    let mut terminal = open(address);
    terminal.signal("USR1");
    assert_eq!(terminal.ends(), 1);
    assert!(terminal.is_restored());
    terminal.sees("as ordered");
}

fn a_locale_without_utf8_changes_nothing(address: &str) {
    let mut terminal = start(&[(SERVER_VARIABLE, address), ("LC_ALL", "C"), ("LANG", "C")]);
    terminal.types("жук\r");
    terminal.sees("Ann: жук");
    terminal.types("\x03");
    assert_eq!(terminal.ends(), 0);
    assert!(terminal.is_restored());
}

fn a_paste_of_a_megabyte_is_survived(address: &str) {
    let mut terminal = open(address);
    #[expect(clippy::disallowed_methods, reason = "the test measures how long a paste takes")]
    let begun = Instant::now();
    terminal.types("\x1b[200~");
    for _ in 0..1024 {
        terminal.types(&[b'a'; 1024]);
    }
    terminal.types("\x1b[201~");
    terminal.sees("at most 16000 characters");
    println!("a paste of a megabyte took {} ms", begun.elapsed().as_millis());
    terminal.types("\x03");
    assert_eq!(terminal.ends(), 0);
    assert!(terminal.is_restored());
}
