//! A program in a pseudo terminal: what it shows, and how it leaves the terminal.

use std::io::{Read, Write};
use std::num::NonZero;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

const DEADLINE: Duration = Duration::from_secs(20);

pub(crate) struct Pty {
    master: Box<dyn MasterPty + Send>,
    writer: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    shown: Arc<Mutex<vt100::Parser>>,
    is_closing: Arc<AtomicBool>,
    /// The terminal's modes before the program started.
    before: String,
}

impl Pty {
    /// Starts this very program in a terminal of this size.
    pub(crate) fn start(width: u16, height: u16, variables: &[(&str, &str)]) -> Self {
        let pair = native_pty_system().openpty(size(width, height)).unwrap();
        let before = modes(&*pair.master);
        let mut command = CommandBuilder::new(std::env::current_exe().unwrap());
        command.env("TERM", "xterm-256color");
        // A long trace would push the message of a panic off the screen.
        command.env("RUST_BACKTRACE", "0");
        for (name, value) in variables {
            command.env(name, value);
        }
        let child = pair.slave.spawn_command(command).unwrap();
        let shown = Arc::new(Mutex::new(vt100::Parser::new(cells(height), cells(width), 0)));
        let is_closing = Arc::new(AtomicBool::new(false));
        let mut reader = pair.master.try_clone_reader().unwrap();
        let (screen, closing) = (Arc::clone(&shown), Arc::clone(&is_closing));
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut bytes) {
                screen.lock().unwrap().process(&bytes[..count]);
                if closing.load(Ordering::SeqCst) {
                    break;
                }
            }
        });
        let writer = pair.master.take_writer().unwrap();
        Self { master: pair.master, writer, child, shown, is_closing, before }
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.writer.write_all(bytes).unwrap();
        self.writer.flush().unwrap();
    }

    pub(crate) fn resize(&mut self, width: u16, height: u16) {
        self.shown.lock().unwrap().screen_mut().set_size(cells(height), cells(width));
        self.master.resize(size(width, height)).unwrap();
    }

    pub(crate) fn screen<T>(&self, look: impl FnOnce(&vt100::Screen) -> T) -> T {
        look(self.shown.lock().unwrap().screen())
    }

    pub(crate) fn wait_for(&self, text: &str) {
        let seen = until(DEADLINE, || self.screen(|screen| screen.contents().contains(text)));
        assert!(seen, "{text:?} is not in\n{}", self.screen(vt100::Screen::contents));
    }

    pub(crate) fn wait_for_end(&mut self) -> u32 {
        let mut code = None;
        until(DEADLINE, || {
            code = self.child.try_wait().unwrap().map(|status| status.exit_code());
            code.is_some()
        });
        code.expect("the program ends in time")
    }

    /// Whether the modes are those of before, and the screen is the first one again.
    pub(crate) fn is_restored(&self) -> bool {
        let restored = |screen: &vt100::Screen| {
            !screen.alternate_screen() && !screen.bracketed_paste() && !screen.hide_cursor()
        };
        let is_first_screen = || self.screen(restored);
        // The last bytes may still be on their way to the reader.
        modes(&*self.master) == self.before && until(Duration::from_secs(1), is_first_screen)
    }

    pub(crate) fn signal(&self, name: &str) {
        let process = self.child.process_id().unwrap().to_string();
        let status = Command::new("kill").args([format!("-{name}"), process]).status().unwrap();
        assert!(status.success());
    }

    /// Closes the terminal as if its window was closed.
    pub(crate) fn close(mut self) -> Box<dyn Child + Send + Sync> {
        self.is_closing.store(true, Ordering::SeqCst);
        // What the program shows of it lets the reader go on, and end.
        self.write(b"x");
        self.child
    }
}

/// Waits for a condition.
pub(crate) fn until(deadline: Duration, mut holds: impl FnMut() -> bool) -> bool {
    #[expect(clippy::disallowed_methods, reason = "a test waits with a deadline")]
    let end = Instant::now() + deadline;
    loop {
        if holds() {
            return true;
        }
        #[expect(clippy::disallowed_methods, reason = "a test waits with a deadline")]
        if Instant::now() > end {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn size(width: u16, height: u16) -> PtySize {
    PtySize { rows: height, cols: width, pixel_width: 0, pixel_height: 0 }
}

fn modes(master: &dyn MasterPty) -> String {
    format!("{:?}", master.get_termios().unwrap())
}

fn cells(count: u16) -> NonZero<u16> {
    NonZero::new(count).expect("terminals of tests have cells")
}
