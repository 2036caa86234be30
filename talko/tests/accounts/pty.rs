//! A person before a terminal of their own, and everything that this terminal was ever sent.

use std::io::{Read, Write};
use std::num::NonZero;
use std::path::Path;
use std::sync::{Arc, Mutex};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use crate::house::wait_for;

pub(crate) struct Terminal {
    child: Box<dyn Child + Send + Sync>,
    master: Box<dyn MasterPty + Send>,
    keyboard: Box<dyn Write + Send>,
    screen: Arc<Mutex<vt100::Parser>>,
    sent: Arc<Mutex<Vec<u8>>>,
    /// How the terminal was before.
    modes: String,
}

impl Terminal {
    pub(crate) fn open(home: &Path, arguments: &[&str]) -> Self {
        let (rows, columns) = (24, 80);
        let size = PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_talko"));
        command.env_clear();
        for (name, value) in
            [("HOME", home.to_str().unwrap()), ("TZ", "UTC"), ("TERM", "xterm-256color"), ("LANG", "C.UTF-8")]
        {
            command.env(name, value);
        }
        command.args(arguments);
        command.cwd(home);
        let modes = modes(&*pair.master);
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let cells = |count| NonZero::new(count).unwrap();
        let screen = Arc::new(Mutex::new(vt100::Parser::new(cells(rows), cells(columns), 0)));
        let sent = Arc::new(Mutex::new(Vec::new()));
        let mut output = pair.master.try_clone_reader().unwrap();
        let (shown, kept) = (Arc::clone(&screen), Arc::clone(&sent));
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(received) = output.read(&mut bytes)
                && received > 0
            {
                kept.lock().unwrap().extend_from_slice(&bytes[..received]);
                shown.lock().unwrap().process(&bytes[..received]);
            }
        });
        let keyboard = pair.master.take_writer().unwrap();
        Self { child, master: pair.master, keyboard, screen, sent, modes }
    }

    pub(crate) fn types(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
        self.keyboard.flush().unwrap();
    }

    /// Waits until the terminal has been sent these words so many times.
    pub(crate) fn was_sent(&self, words: &str, times: usize) {
        wait_for(&format!("{words:?} {times} times in {:?}", self.everything()), || {
            self.everything().matches(words).count() >= times
        });
    }

    pub(crate) fn sees(&self, words: &str) {
        wait_for(&format!("{words:?} on the screen"), || {
            self.screen.lock().unwrap().screen().contents().contains(words)
        });
    }

    /// All that it was ever sent.
    pub(crate) fn everything(&self) -> String {
        String::from_utf8_lossy(&self.sent.lock().unwrap()).into_owned()
    }

    /// Waits for the end of the program; the terminal must be as it was.
    pub(crate) fn ends(&mut self) -> u32 {
        wait_for("the end of the program", || self.child.try_wait().unwrap().is_some());
        assert_eq!(modes(&*self.master), self.modes);
        wait_for("the usual screen", || {
            let screen = self.screen.lock().unwrap();
            !screen.screen().alternate_screen() && !screen.screen().hide_cursor()
        });
        self.child.wait().unwrap().exit_code()
    }

    pub(crate) fn shows_keys(&self) -> bool {
        modes(&*self.master) == self.modes
    }
}

/// What the kernel does with keys: shows them, gathers lines, makes signals.
fn modes(master: &dyn MasterPty) -> String {
    format!("{:?}", master.get_termios().unwrap().local_flags)
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
