//! What `talko backup` and `talko restore` share: copying beside the runtime, with progress on standard error, until
//! it is done or a signal ends it; and how the outcome reads.

use std::io::{IsTerminal, Write};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use data_server::Error;
use data_server::store::sqlite::{Contents, Progress, Watch};
use tokio::signal::unix::{SignalKind, signal};
use ttp::model::TimestampMs;
use ttp::net::clock;

/// How often progress is told where somebody looks, and where it goes to a file.
const TELL_INTERVALS: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(1)];

/// Runs `copy` on a thread of its own. After a signal it ends by itself and leaves nothing behind.
pub(super) async fn copying<T: Send + 'static>(
    copy: impl FnOnce(Watch<'_>) -> Result<T, Error> + Send + 'static,
) -> anyhow::Result<T> {
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let mut copied = tokio::task::spawn_blocking(move || {
        let mut meter = Meter::start();
        copy(&mut |progress| {
            meter.tell(progress);
            if stopped.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
    });
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let copied = tokio::select! {
        copied = &mut copied => copied,
        _ = interrupt.recv() => { stop.store(true, Ordering::Relaxed); copied.await }
        _ = terminate.recv() => { stop.store(true, Ordering::Relaxed); copied.await }
    };
    Ok(copied.context("the copy ended abnormally")??)
}

/// What a copy holds, in a line.
pub(super) fn describe(contents: &Contents) -> String {
    let newest = time(contents.newest_ts);
    format!("{} bytes, {} messages, newest {newest}", contents.bytes, contents.messages)
}

/// A time as programs and people read it.
pub(super) fn time(time: TimestampMs) -> String {
    match jiff::Timestamp::from_millisecond(time) {
        Ok(timestamp) if time != 0 => timestamp.to_string(),
        _ => "never".into(),
    }
}

/// Tells progress: a line that changes in a terminal, and elsewhere a line a second once a second has passed.
struct Meter {
    in_terminal: bool,
    told_at: Instant,
}

impl Meter {
    fn start() -> Self {
        Self { in_terminal: std::io::stderr().is_terminal(), told_at: clock::now() }
    }

    fn tell(&mut self, progress: Progress) {
        let [often, seldom] = TELL_INTERVALS;
        let now = clock::now();
        let is_done = progress.pages_done == progress.pages;
        let interval = if self.in_terminal { often } else { seldom };
        if now.duration_since(self.told_at) < interval && !(is_done && self.in_terminal) {
            return;
        }
        self.told_at = now;
        let percent = u64::from(progress.pages_done) * 100 / u64::from(progress.pages.max(1));
        let (before, after) = match self.in_terminal {
            true => ("\r", if is_done { "\n" } else { "" }),
            false => ("", "\n"),
        };
        // Nobody has to read this.
        let _ = write!(std::io::stderr(), "{before}copied {percent:3} %{after}");
    }
}
