//! The real program in a real terminal: two people chat, resize, paste, leave; the terminal is as before.
//!
//! With `TALKO_PICTURE=FILE` the first test also writes what it saw as an SVG, for the README.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::num::NonZero;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

/// No wait in a test is longer.
const DEADLINE: Duration = Duration::from_secs(30);

/// A person before a terminal of their own.
struct Terminal {
    child: Box<dyn Child + Send + Sync>,
    master: Box<dyn MasterPty + Send>,
    keyboard: Box<dyn Write + Send>,
    screen: Arc<Mutex<vt100::Parser>>,
}

impl Terminal {
    fn open(home: &Path, ports: &[String; 2], user: &str, rows: u16, columns: u16) -> Self {
        let size = PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_talko"));
        command.env_clear();
        let home_path = home.to_str().unwrap();
        let trust = ("TALKO_TRUST_USER_IDS", "1");
        for (name, value) in [("HOME", home_path), ("TZ", "UTC"), ("TERM", "xterm-256color"), trust] {
            command.env(name, value);
        }
        command.env("LANG", "C.UTF-8");
        command.args(["--user", user, "--data-address", &ports[0], "--broadcast-address", &ports[1]]);
        command.cwd(home);
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let screen = Arc::new(Mutex::new(vt100::Parser::new(cells(rows), cells(columns), 0)));
        let mut output = pair.master.try_clone_reader().unwrap();
        let shown = Arc::clone(&screen);
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(received) = output.read(&mut bytes)
                && received > 0
            {
                shown.lock().unwrap().process(&bytes[..received]);
            }
        });
        let keyboard = pair.master.take_writer().unwrap();
        Self { child, master: pair.master, keyboard, screen }
    }

    fn types(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
        self.keyboard.flush().unwrap();
    }

    fn contents(&self) -> String {
        self.screen.lock().unwrap().screen().contents()
    }

    fn sees(&self, words: &str) {
        self.waits(&format!("{words:?} on the screen"), |screen| screen.contents().contains(words));
    }

    #[expect(clippy::disallowed_methods, reason = "a deadline of a test")]
    fn waits(&self, what: &str, until: impl Fn(&vt100::Screen) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        while !until(self.screen.lock().unwrap().screen()) {
            assert!(Instant::now() < deadline, "waited in vain for {what}:\n{}", self.contents());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn resize(&self, rows: u16, columns: u16) {
        self.screen.lock().unwrap().screen_mut().set_size(cells(rows), cells(columns));
        let size = PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 };
        self.master.resize(size).unwrap();
    }

    /// The program has ended, and has left the other screen and its modes.
    fn is_restored(&mut self) -> bool {
        self.child.wait().unwrap();
        self.waits("the terminal as it was", |screen| {
            !screen.alternate_screen() && !screen.hide_cursor() && !screen.bracketed_paste()
        });
        true
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn cells(count: u16) -> NonZero<u16> {
    NonZero::new(count).unwrap()
}

/// A person who exists without chatting.
fn add_person(home: &Path, ports: &[String; 2], name: &str) {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_talko"));
    command.env_clear().env("TALKO_TRUST_USER_IDS", "1").env("HOME", home).args([
        "user",
        "add",
        name,
        "--data-address",
        &ports[0],
    ]);
    assert!(command.output().unwrap().status.success());
}

/// Two ports that are free now.
fn free_ports() -> [String; 2] {
    let listeners = [0, 1].map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().to_string())
}

/// T57–T62 with the real program: three panes, live messages without a key press, another chat's message marks that
/// chat, Cyrillic, Chinese, emoji and `~` are typed and seen.
#[test]
fn t57_t60_two_people_in_two_terminals() {
    let home = tempfile::tempdir().unwrap();
    let ports = free_ports();
    let mut ada = Terminal::open(home.path(), &ports, "Ada", 24, 80);
    ada.sees("/new");
    let mut grace = Terminal::open(home.path(), &ports, "Грейс", 24, 80);
    grace.sees("/new");
    ada.types("/new lunch Грейс\r");
    ada.sees("Recent");
    ada.sees("Грейс");
    ada.types("привет 你好 🌮 ~\r");
    ada.sees("Ada: привет 你好 🌮 ~");
    grace.sees("Ada");
    grace.types("1");
    grace.sees("Ada: привет 你好 🌮 ~");
    grace.types("soup is ready\r");
    ada.sees("Грейс: soup is ready");
    // A message for another chat marks that chat, and does not appear in the open one (T61).
    add_person(home.path(), &ports, "Lin");
    ada.types("/new lunch Грейс Lin\r");
    ada.sees("┌ lunch ");
    ada.types("who is coming?\r");
    grace.sees("(1)");
    assert!(!grace.contents().contains("who is coming?"), "{}", grace.contents());
    ada.types("/open 2\r");
    ada.sees("Грейс: soup is ready");
    ada.types("on my way\r");
    grace.sees("Ada: on my way");
    if let Ok(path) = std::env::var("TALKO_PICTURE") {
        std::fs::write(path, svg(grace.screen.lock().unwrap().screen())).unwrap();
    }
    ada.types("/quit\r");
    assert!(ada.is_restored());
    // Who joined takes the servers over.
    grace.types("still here\r");
    grace.sees("Грейс: still here");
    grace.types("/quit\r");
    assert!(grace.is_restored());
}

/// T57: a storm of resizes, down to nothing and back.
#[test]
fn t57_resizing_keeps_it_usable() {
    let home = tempfile::tempdir().unwrap();
    let mut ada = Terminal::open(home.path(), &free_ports(), "Ada", 24, 80);
    ada.sees("/new");
    for (rows, columns) in [(1, 1), (60, 200), (2, 80), (24, 3), (12, 40), (24, 80)] {
        ada.resize(rows, columns);
        ada.types("x\u{7f}");
    }
    ada.sees("/new");
    ada.types("/quit\r");
    assert!(ada.is_restored());
}

/// T59: a large paste is taken as text and freezes nothing; a closed terminal or a signal ends the program cleanly.
#[test]
fn t59_paste_and_signals() {
    let home = tempfile::tempdir().unwrap();
    let mut ada = Terminal::open(home.path(), &free_ports(), "Ada", 24, 80);
    ada.sees("/new");
    let pasted = "paste ".repeat(20_000);
    ada.types(&format!("\u{1b}[200~{pasted}\u{1b}[201~"));
    ada.sees("paste paste");
    let id = ada.child.process_id().unwrap().to_string();
    assert!(std::process::Command::new("kill").args(["-s", "TERM", &id]).status().unwrap().success());
    assert!(ada.is_restored());
}

/// A cell's place and size in the picture, in its units.
const CELL: (u32, u32) = (9, 18);

/// The screen as a picture: each run of cells that look the same is a text of a fixed length.
fn svg(screen: &vt100::Screen) -> String {
    let (rows, columns) = screen.size();
    let (width, height) = (u32::from(columns.get()) * CELL.0 + 20, u32::from(rows.get()) * CELL.1 + 20);
    let mut picture = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         font-family=\"monospace\" font-size=\"15\">\n<rect width=\"100%\" height=\"100%\" rx=\"6\" fill=\"#16181d\"/>\n"
    );
    for row in 0..rows.get() {
        let cells: Vec<(u16, &vt100::Cell)> = (0..columns.get())
            .filter_map(|column| Some((column, screen.cell(row, column)?)))
            .filter(|(_, cell)| cell.has_contents() && cell.contents() != " ")
            .collect();
        let is_one_run = |a: &(u16, &vt100::Cell), b: &(u16, &vt100::Cell)| {
            a.0 + 1 == b.0 && a.1.fgcolor() == b.1.fgcolor() && a.1.bold() == b.1.bold()
        };
        for run in cells.chunk_by(is_one_run) {
            let (x, y) = (10 + u32::from(run[0].0) * CELL.0, 24 + u32::from(row) * CELL.1);
            let text: String = run.iter().map(|(_, cell)| cell.contents()).collect();
            let text = text.replace('&', "&amp;").replace('<', "&lt;");
            let look = run[0].1;
            let weight = if look.bold() { " font-weight=\"bold\"" } else { "" };
            let wide = u32::from(look.is_wide()) + 1;
            let length = run.len() as u32 * CELL.0 * wide;
            let fill = fill(look.fgcolor());
            writeln!(
                picture,
                "<text x=\"{x}\" y=\"{y}\" textLength=\"{length}\" fill=\"{fill}\"{weight}>{text}</text>"
            )
            .unwrap();
        }
    }
    picture + "</svg>\n"
}

fn fill(color: vt100::Color) -> &'static str {
    match color {
        vt100::Color::Idx(1 | 9) => "#f07178",
        vt100::Color::Idx(2 | 10) => "#a5d66f",
        vt100::Color::Idx(3 | 11) => "#ffcb6b",
        vt100::Color::Idx(4 | 12) => "#82aaff",
        vt100::Color::Idx(5 | 13) => "#c792ea",
        vt100::Color::Idx(6 | 14) => "#89ddff",
        vt100::Color::Idx(8) => "#7a8294",
        _ => "#d6dae3",
    }
}
