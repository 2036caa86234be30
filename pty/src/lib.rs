//! A program in a pseudo terminal, for tests: what is typed into it, what it shows, and how it leaves the terminal. Waits
//! for nothing longer than [`DEADLINE`], and ends the program when it is dropped.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use std::io::{Read, Write};
use std::num::NonZero;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

/// No wait is longer.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// See the module.
pub struct Terminal {
    child: Box<dyn Child + Send + Sync>,
    /// Until it is closed.
    window: Option<Window>,
    shown: Arc<Shown>,
    /// The terminal's modes before the program started.
    modes: String,
}

struct Window {
    master: Box<dyn MasterPty + Send>,
    keyboard: Box<dyn Write + Send>,
}

/// What the program has written.
struct Shown {
    screen: Mutex<vt100::Parser>,
    everything: Mutex<Vec<u8>>,
    /// Whether nobody looks any more.
    is_closing: AtomicBool,
}

impl Terminal {
    /// Starts a program in a terminal of so many rows and columns, with the variables that the command names and no others.
    pub fn start(command: &Command, rows: u16, columns: u16) -> Self {
        let pair = native_pty_system().openpty(size(rows, columns)).unwrap();
        let modes = modes(&*pair.master);
        let child = pair.slave.spawn_command(built(command)).unwrap();
        drop(pair.slave);
        let shown = Arc::new(Shown {
            screen: Mutex::new(vt100::Parser::new(cells(rows), cells(columns), 0)),
            everything: Mutex::default(),
            is_closing: AtomicBool::new(false),
        });
        let reader = pair.master.try_clone_reader().unwrap();
        let showing = Arc::clone(&shown);
        std::thread::spawn(move || showing.show(reader));
        let keyboard = pair.master.take_writer().unwrap();
        Self { child, window: Some(Window { master: pair.master, keyboard }), shown, modes }
    }

    /// The number of the process.
    pub fn id(&self) -> u32 {
        self.child.process_id().unwrap()
    }

    // ---- What a person does

    /// Presses keys, or pastes.
    pub fn types(&mut self, keys: &(impl AsRef<[u8]> + ?Sized)) {
        let Window { keyboard, .. } = self.window.as_mut().unwrap();
        keyboard.write_all(keys.as_ref()).unwrap();
        keyboard.flush().unwrap();
    }

    /// Gives the window another size.
    pub fn resize(&self, rows: u16, columns: u16) {
        self.shown.screen.lock().unwrap().screen_mut().set_size(cells(rows), cells(columns));
        self.window.as_ref().unwrap().master.resize(size(rows, columns)).unwrap();
    }

    /// Sends the program a signal, by its name without `SIG`.
    pub fn signal(&self, name: &str) {
        let id = self.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }

    /// Closes the window. The program must end by itself.
    pub fn close(mut self) {
        self.shown.is_closing.store(true, Ordering::SeqCst);
        // What the program shows of it lets the reader go on, and end.
        self.types("x");
        self.window = None;
        self.ends();
    }

    // ---- What is to be seen

    /// Looks at the screen.
    pub fn look<T>(&self, look: impl FnOnce(&vt100::Screen) -> T) -> T {
        look(self.shown.screen.lock().unwrap().screen())
    }

    /// The text on the screen.
    pub fn contents(&self) -> String {
        self.look(vt100::Screen::contents)
    }

    /// All that the terminal was ever sent.
    pub fn everything(&self) -> String {
        String::from_utf8_lossy(&self.shown.everything.lock().unwrap()).into_owned()
    }

    /// Waits until these words are on the screen.
    #[track_caller]
    pub fn sees(&self, words: &str) {
        self.waits(&format!("{words:?} on the screen"), |screen| screen.contents().contains(words));
    }

    /// Waits until the screen is so.
    #[track_caller]
    pub fn waits(&self, what: &str, is_so: impl Fn(&vt100::Screen) -> bool) {
        let is_seen = until(|| self.look(&is_so));
        assert!(is_seen, "waited in vain for {what}:\n{}", self.contents());
    }

    /// Waits until the terminal has been sent these words so many times.
    #[track_caller]
    pub fn was_sent(&self, words: &str, times: usize) {
        let is_sent = until(|| self.everything().matches(words).count() >= times);
        assert!(is_sent, "waited in vain for {words:?} {times} times in {:?}", self.everything());
    }

    // ---- How it ends

    /// Waits for the end of the program, and answers its code.
    #[track_caller]
    pub fn ends(&mut self) -> u32 {
        let has_ended = until(|| self.child.try_wait().unwrap().is_some());
        assert!(has_ended, "waited in vain for the end:\n{}", self.contents());
        self.child.wait().unwrap().exit_code()
    }

    /// Whether the kernel does with keys what it did before the program started.
    pub fn has_its_modes(&self) -> bool {
        self.window.as_ref().is_some_and(|window| modes(&*window.master) == self.modes)
    }

    /// Waits for the end of the program, and answers whether the terminal is as it was: its modes, its screen, its cursor.
    #[track_caller]
    pub fn is_restored(&mut self) -> bool {
        self.ends();
        let is_usual = |screen: &vt100::Screen| {
            !screen.alternate_screen() && !screen.bracketed_paste() && !screen.hide_cursor()
        };
        // The last bytes may still be on their way to the reader.
        self.has_its_modes() && until(|| self.look(is_usual))
    }

    /// Waits for the end of the program, which must leave the terminal as it was, and answers its code.
    #[track_caller]
    pub fn leaves(&mut self) -> u32 {
        assert!(self.is_restored(), "the terminal is not as it was:\n{}", self.contents());
        self.ends()
    }
}

impl Shown {
    fn show(&self, mut reader: Box<dyn Read + Send>) {
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = reader.read(&mut bytes) {
            self.everything.lock().unwrap().extend_from_slice(&bytes[..count]);
            self.screen.lock().unwrap().process(&bytes[..count]);
            if self.is_closing.load(Ordering::SeqCst) {
                break;
            }
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The same command for a terminal, with the variables that it names and no others.
pub fn built(command: &Command) -> CommandBuilder {
    let mut program = CommandBuilder::new(command.get_program());
    program.args(command.get_args());
    program.env_clear();
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            program.env(name, value);
        }
    }
    if let Some(folder) = command.get_current_dir() {
        program.cwd(folder);
    }
    program
}

/// Waits for a condition, and says whether it came in time.
pub fn until(mut holds: impl FnMut() -> bool) -> bool {
    #[expect(clippy::disallowed_methods, reason = "tests wait with a deadline")]
    let begun = Instant::now();
    loop {
        if holds() {
            return true;
        }
        if begun.elapsed() > DEADLINE {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn size(rows: u16, columns: u16) -> PtySize {
    PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 }
}

fn cells(count: u16) -> NonZero<u16> {
    NonZero::new(count).expect("terminals of tests have cells")
}

fn modes(master: &dyn MasterPty) -> String {
    format!("{:?}", master.get_termios().unwrap())
}
