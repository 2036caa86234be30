//! The terminal while the client has it, and how it is given back: always, also after a panic.

use std::io::{self, IsTerminal, Stdout};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use crossterm::cursor::Show;
use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use crossterm::execute;
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use tokio::sync::Notify;

/// Whether the terminal is in our hands. A process has one terminal, so this is one for all.
static IS_OURS: AtomicBool = AtomicBool::new(false);

/// Told when a panic took the terminal away.
static LOST: Notify = Notify::const_new();

/// The terminal in raw mode and with another screen. Dropping it gives both back.
pub struct Screen {
    /// To draw on.
    pub terminal: Terminal<CrosstermBackend<Stdout>>,
}

impl Screen {
    /// Takes the terminal.
    ///
    /// # Errors
    /// Standard input or output is no terminal, or the terminal refuses.
    pub fn take() -> io::Result<Self> {
        if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "input and output must be a terminal"));
        }
        give_back_on_panic();
        IS_OURS.store(true, Ordering::SeqCst);
        let taken = enable_raw_mode()
            .and_then(|()| execute!(io::stdout(), EnterAlternateScreen, EnableBracketedPaste))
            .and_then(|()| Terminal::new(CrosstermBackend::new(io::stdout())));
        match taken {
            Ok(terminal) => Ok(Self { terminal }),
            Err(error) => {
                give_back();
                Err(error)
            }
        }
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

    /// Whether it was given back already, because something panicked.
    pub fn is_lost(&self) -> bool {
        !IS_OURS.load(Ordering::SeqCst)
    }
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
        let _ = execute!(io::stdout(), DisableBracketedPaste, LeaveAlternateScreen, Show);
        let _ = disable_raw_mode();
    }
}

/// The message of a panic is written after the terminal was given back, so that it can be read.
fn give_back_on_panic() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            give_back();
            before(panic);
            LOST.notify_one();
        }));
    });
}
