//! Messages through a connection, the calls and the store into a file of SQLite, and back as replies and hints.

use anyhow::{Result, ensure};
use tokio::runtime::Runtime;
use ttp::call::MessageReply;

use super::counted;
use super::server::{Client, Workshop};
use super::wire::insert_message;

/// Messages that are sent before the counting, so that statements are prepared and pages are cached.
const WARM_UP: usize = 64;

/// Each message has a commit of its own.
pub(super) fn alone(runtime: &Runtime) -> Result<u64> {
    ingest(runtime, 200, 1)
}

/// 64 messages share a commit.
pub(super) fn together(runtime: &Runtime) -> Result<u64> {
    ingest(runtime, 16, 64)
}

fn ingest(runtime: &Runtime, rounds: usize, outstanding: usize) -> Result<u64> {
    let mut workshop = Workshop::open(runtime)?;
    let mut client = workshop.register("Ada")?;
    let chat_id = client.group(&mut workshop, "Friday lunch")?;
    let mut number = 0;
    let mut send = |client: &mut Client, count: usize| -> Result<()> {
        for _ in 0..count {
            number += 1;
            client.send(&insert_message(chat_id, number))?;
        }
        Ok(())
    };
    send(&mut client, WARM_UP)?;
    workshop.work(&mut client)?;
    ensure!(client.replies::<MessageReply>()?.len() == WARM_UP, "messages were not stored");
    workshop.take_published();
    for _ in 0..rounds {
        send(&mut client, outstanding)?;
        counted(|| workshop.work(&mut client))??;
        let (stored, heard) = (client.replies::<MessageReply>()?.len(), workshop.take_published());
        ensure!(stored == outstanding && heard == outstanding, "{stored} stored, {heard} published");
    }
    Ok((rounds * outstanding) as u64)
}
