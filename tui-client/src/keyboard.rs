//! What the terminal sends, read by a thread of its own.
//!
//! Reading blocks, and goes round in circles when the terminal was closed. Here neither keeps the loop from hearing
//! the signal that ends it. When the keyboard is given up, nothing of what is typed afterwards is taken from the next reader.

use std::io;
use std::thread::JoinHandle;
use std::time::Duration;

use crossterm::event::{Event, poll, read};
use rustix::process::{Signal, getpid, kill_process};
use tokio::sync::mpsc;

/// Events that wait for the loop. The terminal keeps what does not fit.
const EVENTS_MAX: usize = 256;

/// Distance of looks at whether the loop is still there. Each wakes the processor, so they are seldom; who gives the keyboard up
/// wakes the thread.
const POLL_INTERVAL: Duration = Duration::from_secs(30);

/// How often, and how fast, the thread is woken when the keyboard is given up.
const WAKES_MAX: u32 = 100;
const WAKE_INTERVAL: Duration = Duration::from_millis(2);

/// Keys, pasted text and sizes of the window.
pub struct Keyboard {
    events: mpsc::Receiver<io::Result<Event>>,
    thread: Option<JoinHandle<()>>,
}

impl Keyboard {
    /// Begins to read.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn start() -> io::Result<Self> {
        let (sender, events) = mpsc::channel(EVENTS_MAX);
        let thread = std::thread::Builder::new().name("keyboard".into()).spawn(move || forward(&sender))?;
        Ok(Self { events, thread: Some(thread) })
    }

    /// The next event; `None` when there will be none. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<io::Result<Event>> {
        self.events.recv().await
    }
}

impl Drop for Keyboard {
    fn drop(&mut self) {
        self.events.close();
        let Some(thread) = self.thread.take() else { return };
        for _ in 0..WAKES_MAX {
            // A change of the window's size ends the wait for a key; nobody is told of this one. A thread that has just begun may
            // not hear it yet.
            let _ = kill_process(getpid(), Signal::WINCH);
            std::thread::sleep(WAKE_INTERVAL);
            if thread.is_finished() {
                let _ = thread.join();
                return;
            }
        }
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
