//! The terminal while the client has it, and how it is given back: always, also after a panic.

use std::cell::Cell;
use std::io::{self, IsTerminal, Stdout, Write};
use std::panic::UnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Once, PoisonError};

use base64::Engine;
use crossterm::cursor::Show;
use crossterm::event::{
    DisableBracketedPaste, DisableFocusChange, DisableMouseCapture, EnableBracketedPaste, EnableFocusChange,
    EnableMouseCapture,
};
use crossterm::execute;
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use ratatui::{Frame, Terminal};
use tokio::sync::Notify;

use crate::links::{LinkingBackend, Links};

/// Whether the terminal is in our hands. A process has one terminal, so this is one for all.
static IS_OURS: AtomicBool = AtomicBool::new(false);

/// Whether this process has taken a terminal, so that nothing else may write to it.
pub fn is_taken() -> bool {
    IS_OURS.load(Ordering::SeqCst)
}

/// Told when a panic took the terminal away.
static LOST: Notify = Notify::const_new();

/// The terminal in raw mode and with another screen. Dropping it gives both back.
pub struct Screen {
    /// To draw on.
    pub terminal: Terminal<LinkingBackend<Stdout>>,
    links: Arc<Mutex<Links>>,
    has_mouse: bool,
}

impl Screen {
    /// Takes the terminal, with the mouse or without.
    ///
    /// # Errors
    /// Standard input or output is no terminal, or the terminal refuses.
    pub fn take(has_mouse: bool) -> io::Result<Self> {
        if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "input and output must be a terminal"));
        }
        give_back_on_panic();
        let links = Arc::new(Mutex::new(Links::new()));
        let backend = LinkingBackend::new(io::stdout(), Arc::clone(&links));
        match take(has_mouse).and_then(|()| Terminal::new(backend)) {
            Ok(terminal) => Ok(Self { terminal, links, has_mouse }),
            Err(error) => {
                give_back();
                Err(error)
            }
        }
    }

    /// Draws a screen, whose drawing answers where its links lead.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn draw(&mut self, draw: impl FnOnce(&mut Frame<'_>) -> Links) -> io::Result<()> {
        let links = Arc::clone(&self.links);
        let drawn = |frame: &mut Frame<'_>| {
            *links.lock().unwrap_or_else(PoisonError::into_inner) = draw(frame);
        };
        self.terminal.draw(drawn).map(drop)
    }

    /// Clears the screen, so that the next one is drawn cell by cell. `Terminal::clear` would ask the terminal where
    /// its cursor is, and wait for an answer that some never give.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn forget(&mut self) -> io::Result<()> {
        let size = self.terminal.size()?;
        self.terminal.resize(size.into())
    }

    /// Gives the terminal back, and stops until somebody says to go on, as Ctrl-Z does in other programs.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn suspend(&mut self) -> io::Result<()> {
        give_back();
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::TSTP)?;
        take(self.has_mouse)?;
        self.forget()
    }

    /// Takes the mouse, or leaves it to the terminal, which selects text with it.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn take_mouse(&mut self, has_mouse: bool) -> io::Result<()> {
        self.has_mouse = has_mouse;
        if has_mouse {
            execute!(io::stdout(), EnableMouseCapture)
        } else {
            execute!(io::stdout(), DisableMouseCapture)
        }
    }

    /// Puts a text into the clipboard, by the terminal (OSC 52 of xterm), so that it works over any connection.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn copy(&mut self, text: &str) -> io::Result<()> {
        let encoded = base64::engine::general_purpose::STANDARD.encode(text);
        self.say(&format!("\x1b]52;c;{encoded}\x07"))
    }

    /// Rings the bell, and has the terminal show a notification. Neither text may have anything in it that a terminal obeys.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn notify(&mut self, title: &str, body: &str) -> io::Result<()> {
        let term = std::env::var("TERM").unwrap_or_default();
        let is_vte = std::env::var_os("VTE_VERSION").is_some();
        self.say(&notification(&term, is_vte, title, body))
    }

    fn say(&mut self, sequence: &str) -> io::Result<()> {
        let mut stdout = io::stdout();
        stdout.write_all(sequence.as_bytes())?;
        stdout.flush()
    }

    /// Whether it was given back already, because something panicked.
    pub fn is_lost(&self) -> bool {
        !IS_OURS.load(Ordering::SeqCst)
    }
}

/// The bell, and OSC 777 of rxvt where the terminal is known to have it, or else OSC 9 of iTerm2, which most others know. A
/// terminal that has both would show both.
fn notification(term: &str, is_vte: bool, title: &str, body: &str) -> String {
    let is_777 = is_vte || ["rxvt", "foot"].iter().any(|known| term.starts_with(known));
    if is_777 {
        // A semicolon would end the title.
        let title = title.replace(';', ",");
        return format!("\x07\x1b]777;notify;{title};{body}\x07");
    }
    // ConEmu and its kin have commands of numbers here (9;4 is progress).
    let mut text = format!("{title}: {body}");
    if text.starts_with(|first: char| first.is_ascii_digit()) {
        text.insert_str(0, "Talko: ");
    }
    format!("\x07\x1b]9;{text}\x07")
}

fn take(has_mouse: bool) -> io::Result<()> {
    IS_OURS.store(true, Ordering::SeqCst);
    enable_raw_mode()?;
    execute!(io::stdout(), EnterAlternateScreen, EnableBracketedPaste, EnableFocusChange)?;
    if has_mouse { execute!(io::stdout(), EnableMouseCapture) } else { Ok(()) }
}

/// Waits until something panics.
pub async fn lost() {
    LOST.notified().await;
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

/// Puts the terminal back as it was found; once, whoever calls first. A terminal that is gone cannot be restored,
/// so errors end here.
fn give_back() {
    if IS_OURS.swap(false, Ordering::SeqCst) {
        let _ = execute!(
            io::stdout(),
            DisableMouseCapture,
            DisableFocusChange,
            DisableBracketedPaste,
            LeaveAlternateScreen,
            Show
        );
        let _ = disable_raw_mode();
    }
}

thread_local! {
    /// Whether what panics in this thread is of no consequence.
    static IS_CONTAINED: Cell<bool> = const { Cell::new(false) };
}

/// Does what may panic on a file of somebody else: then there is nothing, and the screen stays.
pub(crate) fn contained<T>(work: impl FnOnce() -> T + UnwindSafe) -> Option<T> {
    IS_CONTAINED.set(true);
    let done = std::panic::catch_unwind(work);
    IS_CONTAINED.set(false);
    done.ok()
}

/// The message of a panic is written after the terminal was given back, so that it can be read.
fn give_back_on_panic() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if IS_CONTAINED.get() {
                return tracing::warn!("contained: {panic}");
            }
            give_back();
            before(panic);
            LOST.notify_one();
        }));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_contained_leaves_the_terminal_alone() {
        give_back_on_panic();
        IS_OURS.store(true, Ordering::SeqCst);
        assert_eq!(contained(|| 7), Some(7));
        let nothing: [u8; 0] = [];
        assert_eq!(contained(|| nothing[std::hint::black_box(0)]), None);
        assert!(IS_OURS.swap(false, Ordering::SeqCst), "the terminal was given back");
    }

    #[test]
    fn a_notification_is_said_in_the_way_that_the_terminal_knows() {
        let plain = notification("xterm-256color", false, "Bob · Tea", "hello");
        assert_eq!(plain, "\x07\x1b]9;Bob · Tea: hello\x07");
        let progress = notification("xterm", false, "4;3;", "100");
        assert_eq!(progress, "\x07\x1b]9;Talko: 4;3;: 100\x07");
        for (term, is_vte) in [("rxvt-unicode", false), ("foot", false), ("xterm-256color", true)] {
            let said = notification(term, is_vte, "Bob;1", "hello");
            assert_eq!(said, "\x07\x1b]777;notify;Bob,1;hello\x07");
        }
    }
}
