//! A program in a pseudo terminal: what is typed into it, what it writes, and what a person sees of that. Dropping it ends the
//! program.
//!
//! Everything that the program writes is stamped with the time at which it was read and shown to an emulated screen piece by
//! piece, so that a moment is that of the bytes and not that of somebody who looked later.

use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::process::Command;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use portable_pty::{Child, MasterPty, PtySize, native_pty_system};
use pty::built;
use rustix::process::{Pid, Signal, kill_process};
use ttp::net::clock;

use crate::machine::{GENERATOR_CORE, pin};

/// Longest wait for something to be seen.
const SIGHT_TIMEOUT: Duration = Duration::from_secs(30);

/// Longest wait for the program to end by itself.
const END_TIMEOUT: Duration = Duration::from_secs(10);

/// Pieces that were read and not looked at yet; a program that writes more waits.
const PIECES_MAX: usize = 1024;

/// The largest piece. The system hands out no more than this of a terminal.
const PIECE_BYTES_MAX: usize = 4096;

/// Columns and rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) columns: NonZeroU16,
    pub(crate) rows: NonZeroU16,
}

impl Size {
    /// Of this many.
    pub(crate) const fn new(columns: u16, rows: u16) -> Self {
        let (Some(columns), Some(rows)) = (NonZeroU16::new(columns), NonZeroU16::new(rows)) else {
            // The sizes of terminals here are written down in the source, and this fails while it is compiled.
            unreachable!()
        };
        Self { columns, rows }
    }
}

impl std::fmt::Display for Size {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}×{}", self.columns, self.rows)
    }
}

/// See the module.
pub(crate) struct Terminal {
    child: Box<dyn Child + Send + Sync>,
    writer: Box<dyn Write + Send>,
    /// Held so that the terminal stays open.
    _master: Box<dyn MasterPty + Send>,
    pieces: Receiver<Piece>,
    emulator: vt100::Parser,
    /// When the program was started.
    pub(crate) started: Instant,
    /// Bytes that the program has written so far, of those that were looked at.
    pub(crate) written: u64,
}

/// Something that the program wrote.
struct Piece {
    at: Instant,
    bytes: Vec<u8>,
}

impl Terminal {
    /// Starts a program in a terminal of its own, on this core or anywhere. What it writes is read elsewhere.
    ///
    /// # Errors
    /// The program is not there, or the system has no terminal left.
    pub(crate) fn start(command: &Command, size: Size, core: Option<usize>) -> Result<Self> {
        let (rows, cols) = (size.rows.get(), size.columns.get());
        let dimensions = PtySize { rows, cols, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(dimensions).context("the system has no terminal left")?;
        let reader = pair.master.try_clone_reader()?;
        let writer = pair.master.take_writer()?;
        let (sender, pieces) = sync_channel(PIECES_MAX);
        thread::spawn(move || read(reader, &sender));
        let program = built(command);
        // A child begins where its parent is.
        core.map_or(Ok(()), |core| pin(&[core]))?;
        let started = clock::now();
        let child = pair.slave.spawn_command(program);
        core.map_or(Ok(()), |_| pin(&[GENERATOR_CORE]))?;
        let child = child.context("the program does not start")?;
        let emulator = vt100::Parser::new(size.rows, size.columns, 0);
        Ok(Self { child, writer, _master: pair.master, pieces, emulator, started, written: 0 })
    }

    /// The number of the process.
    ///
    /// # Errors
    /// It has ended.
    pub(crate) fn id(&self) -> Result<u32> {
        self.child.process_id().context("the program has ended")
    }

    /// What is to be seen.
    pub(crate) fn screen(&self) -> &vt100::Screen {
        self.emulator.screen()
    }

    /// Types something, and says when.
    ///
    /// # Errors
    /// The terminal is gone.
    pub(crate) fn press(&mut self, keys: &str) -> Result<Instant> {
        let now = clock::now();
        self.writer.write_all(keys.as_bytes())?;
        self.writer.flush()?;
        Ok(now)
    }

    /// When the bytes were read that made `is_seen` true.
    ///
    /// # Errors
    /// It is never seen, or the program ends.
    pub(crate) fn see(&mut self, what: &str, is_seen: impl FnMut(&vt100::Screen) -> bool) -> Result<Instant> {
        let seen = self.see_soon(SIGHT_TIMEOUT, is_seen)?;
        seen.with_context(|| format!("{what} was never seen; the screen:\n{}", self.screen().contents()))
    }

    /// The same with patience of one's own; nothing if it was not seen.
    ///
    /// # Errors
    /// The program ends.
    pub(crate) fn see_soon(
        &mut self,
        patience: Duration,
        mut is_seen: impl FnMut(&vt100::Screen) -> bool,
    ) -> Result<Option<Instant>> {
        let begun = clock::now();
        if is_seen(self.screen()) {
            return Ok(Some(begun));
        }
        let end = begun + patience;
        while let Some(at) = self.look(end)? {
            if is_seen(self.screen()) {
                return Ok(Some(at));
            }
        }
        Ok(None)
    }

    /// Looks on for this long, whatever comes.
    ///
    /// # Errors
    /// The program ends.
    pub(crate) fn watch(&mut self, duration: Duration) -> Result<()> {
        let end = clock::now() + duration;
        while self.look(end)?.is_some() {}
        Ok(())
    }

    /// Looks on until the program has written nothing for this long.
    ///
    /// # Errors
    /// The program ends, or never stops writing.
    pub(crate) fn settle(&mut self, silence: Duration) -> Result<()> {
        let last = clock::now() + SIGHT_TIMEOUT;
        while self.look(clock::now() + silence)?.is_some() {
            if clock::now() > last {
                bail!("the program writes and writes; the screen:\n{}", self.screen().contents());
            }
        }
        Ok(())
    }

    /// Takes the next piece, if one comes until `end`, and says when it came.
    fn look(&mut self, end: Instant) -> Result<Option<Instant>> {
        match self.pieces.recv_timeout(end.saturating_duration_since(clock::now())) {
            Ok(Piece { at, bytes }) => {
                self.written += bytes.len() as u64;
                self.emulator.process(&bytes);
                Ok(Some(at))
            }
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => {
                bail!("the program has ended; the screen:\n{}", self.screen().contents())
            }
        }
    }

    /// Asks the program to end, looks on while it does, and is not content with less.
    ///
    /// # Errors
    /// It does not end by itself.
    pub(crate) fn end(mut self) -> Result<()> {
        self.signal(Signal::TERM);
        let last = clock::now() + END_TIMEOUT;
        // It ends when nothing can come any more.
        while self.look(last).is_ok_and(|at| at.is_some()) {}
        while self.child.try_wait()?.is_none() {
            if clock::now() > last {
                bail!("the program does not end when it is asked to");
            }
            thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    fn signal(&self, signal: Signal) {
        let process = self.child.process_id().and_then(|id| Pid::from_raw(id.try_into().ok()?));
        if let Some(process) = process {
            let _ = kill_process(process, signal);
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // A process that was waited for has given its number back, and somebody else may have it.
        if matches!(self.child.try_wait(), Ok(None)) {
            self.signal(Signal::KILL);
            let _ = self.child.wait();
        }
    }
}

/// Hands on what the program writes, until it ends or nobody looks any more.
fn read(mut reader: Box<dyn Read + Send>, pieces: &SyncSender<Piece>) {
    let mut bytes = [0; PIECE_BYTES_MAX];
    while let Ok(count @ 1..) = reader.read(&mut bytes) {
        let piece = Piece { at: clock::now(), bytes: bytes[..count].to_vec() };
        if pieces.send(piece).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_seen_and_counted() {
        let mut cat = Terminal::start(&Command::new("/bin/cat"), Size::new(20, 4), None).unwrap();
        let typed = cat.press("wave").unwrap();
        let seen = cat.see("the echo", |screen| screen.contents() == "wave").unwrap();
        assert!(seen > typed && typed > cat.started);
        // Four letters, and nothing else.
        assert_eq!(cat.written, 4);
        assert!(
            cat.see_soon(Duration::from_millis(20), |screen| screen.contents() == "way").unwrap().is_none()
        );
        cat.end().unwrap();
    }

    #[test]
    fn a_program_that_ends_is_an_error_that_shows_its_screen() {
        let mut echo = Command::new("/bin/echo");
        let mut echo = Terminal::start(echo.arg("no such room"), Size::new(20, 4), None).unwrap();
        let error = echo.see("something else", |screen| screen.contents() == "online").unwrap_err();
        assert!(error.to_string().contains("no such room"), "{error}");
    }
}
