//! A part of the program panics while somebody chats in the full screen and the servers run in the same process: the
//! terminal is given back with what went wrong on it, and nothing that was acknowledged is lost.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::num::NonZero;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use tests::binary::{at_home, talko, talko_with_failpoints};
use ttp::net::clock;

const DEADLINE: Duration = Duration::from_secs(30);
const ROWS: u16 = 24;
const COLUMNS: u16 = 80;

/// The program in a terminal of its own.
struct Terminal {
    child: Box<dyn Child + Send + Sync>,
    /// Open as long as somebody looks at it.
    _master: Box<dyn MasterPty + Send>,
    keyboard: Box<dyn Write + Send>,
    screen: Arc<Mutex<vt100::Parser>>,
}

impl Terminal {
    fn open(program: &Path, home: &Path, arguments: &[&str]) -> Self {
        let size = PtySize { rows: ROWS, cols: COLUMNS, ..PtySize::default() };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new(program);
        command.args(arguments);
        command.env_clear();
        let variables = [("TERM", "xterm-256color"), ("LANG", "C.UTF-8"), ("TALKO_TRUST_USER_IDS", "1")];
        for (name, value) in variables {
            command.env(name, value);
        }
        command.env("HOME", home);
        command.cwd(home);
        let child = pair.slave.spawn_command(command).unwrap();
        let cells = |count| NonZero::new(count).unwrap();
        let screen = Arc::new(Mutex::new(vt100::Parser::new(cells(ROWS), cells(COLUMNS), 0)));
        let mut output = pair.master.try_clone_reader().unwrap();
        let shown = Arc::clone(&screen);
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(received @ 1..) = output.read(&mut bytes) {
                shown.lock().unwrap().process(&bytes[..received]);
            }
        });
        let keyboard = pair.master.take_writer().unwrap();
        Self { child, _master: pair.master, keyboard, screen }
    }

    fn types(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
        self.keyboard.flush().unwrap();
    }

    fn sees(&self, words: &str) {
        let contents = || self.screen.lock().unwrap().screen().contents();
        if !until(|| contents().contains(words)) {
            let shown = contents();
            panic!("no {words:?} on\n{shown}");
        }
    }

    fn is_restored(&self) -> bool {
        until(|| {
            let parser = self.screen.lock().unwrap();
            let screen = parser.screen();
            !screen.alternate_screen() && !screen.hide_cursor() && !screen.bracketed_paste()
        })
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn until(mut holds: impl FnMut() -> bool) -> bool {
    let begun = clock::now();
    while begun.elapsed() < DEADLINE {
        if holds() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    false
}

/// F34, G01: with `talko` itself, which is client and servers in one.
#[test]
fn f34_a_panic_gives_the_terminal_back_and_loses_nothing() {
    let home = tempfile::tempdir().unwrap();
    let database = home.path().join("talko.db");
    let database = database.to_str().unwrap();
    let listeners = [0, 1].map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    let [data, broadcast] = listeners.map(|listener| listener.local_addr().unwrap().to_string());
    let arguments =
        ["--user", "Ada", "--db", database, "--data-address", &data, "--broadcast-address", &broadcast];
    let mut ada = Terminal::open(talko_with_failpoints(), home.path(), &arguments);
    ada.sees("online");
    let added = at_home(talko(), home.path())
        .env("TALKO_TRUST_USER_IDS", "1")
        .args(["user", "add", "Bob", "--data-address", &data])
        .output()
        .unwrap();
    assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
    ada.types("/new Bob\r");
    ada.sees("┌ Bob ");
    ada.types("said before\r");
    ada.sees("Ada: said before");
    let process = ada.child.process_id().unwrap().to_string();
    assert!(Command::new("kill").args(["-s", "USR1", &process]).status().unwrap().success());
    let mut status = None;
    assert!(until(|| {
        status = ada.child.try_wait().unwrap();
        status.is_some()
    }));
    assert_eq!(status.unwrap().exit_code(), 1);
    assert!(ada.is_restored());
    ada.sees("as the test has ordered");
    for question in [["check", database].as_slice(), &["export", "-", "--db", database]] {
        let answer = at_home(talko(), home.path()).args(question).output().unwrap();
        let said = String::from_utf8_lossy(&answer.stdout);
        assert!(answer.status.success(), "{said}{}", String::from_utf8_lossy(&answer.stderr));
        assert!(question[0] == "check" || said.contains("said before"), "{said}");
    }
}
