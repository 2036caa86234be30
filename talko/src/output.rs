//! Standard output for people and programs. Whoever reads may go away at any time, as `head` does: that ends the
//! program without a word, and without a failure.

use std::fmt::Display;
use std::io::{self, Write};

use anyhow::Context;

/// Nobody reads standard output any more.
#[derive(Debug)]
pub(crate) struct ReaderGone;

impl Display for ReaderGone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("nobody reads the output any more")
    }
}

impl std::error::Error for ReaderGone {}

/// Writes one line.
pub(crate) fn say(line: impl Display) -> anyhow::Result<()> {
    write(format!("{line}\n").as_bytes())
}

/// Writes bytes as they are.
pub(crate) fn write(bytes: &[u8]) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(ReaderGone.into()),
        written => written.context("cannot write the output"),
    }
}

/// Writes one line to standard error. Nothing can be said about a failure to say something.
pub(crate) fn note(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}
