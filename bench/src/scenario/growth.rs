//! How each cost grows with rooms, chats, messages and senders.

use anyhow::{Result, bail};

use crate::options::Options;
use crate::report::Report;

/// See the module.
///
/// # Errors
/// In one sentence for a person.
pub(crate) fn run(_options: &Options) -> Result<Report> {
    bail!("not measured yet")
}
