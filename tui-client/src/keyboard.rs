//! What the terminal sends, read by a thread of its own.
//!
//! Reading blocks, and goes round in circles when the terminal was closed. Here neither keeps the loop from hearing
//! the signal that ends it.

use std::io;
use std::time::Duration;

use crossterm::event::{Event, poll, read};
use tokio::sync::mpsc;

/// Events that wait for the loop. The terminal keeps what does not fit.
const EVENTS_MAX: usize = 256;

/// Distance of looks at whether the loop is still there.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// Keys, pasted text and sizes of the window.
pub struct Keyboard {
    events: mpsc::Receiver<io::Result<Event>>,
}

impl Keyboard {
    /// Begins to read.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn start() -> io::Result<Self> {
        let (sender, events) = mpsc::channel(EVENTS_MAX);
        std::thread::Builder::new().name("keyboard".into()).spawn(move || forward(&sender))?;
        Ok(Self { events })
    }

    /// The next event; `None` when there will be none. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<io::Result<Event>> {
        self.events.recv().await
    }
}

fn forward(sender: &mpsc::Sender<io::Result<Event>>) {
    while !sender.is_closed() {
        let event = match poll(POLL_INTERVAL) {
            Ok(false) => continue,
            Ok(true) => read(),
            Err(error) => Err(error),
        };
        let is_last = event.is_err();
        if sender.blocking_send(event).is_err() || is_last {
            return;
        }
    }
}
