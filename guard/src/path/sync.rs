//! Catching up, as every client does that comes back.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use tokio::runtime::Runtime;
use ttp::call::{MessageReply, Sync, SyncReply};
use ttp::model::{ChatId, Seq};

use super::counted;
use super::server::{Client, Workshop};
use super::wire::insert_message;

const CHATS: usize = 100;
const CHANGED: usize = 5;
const CALLS: usize = 20;

/// A person with 100 chats, of which 5 have a new message.
pub(super) fn after_a_while(runtime: &Runtime) -> Result<u64> {
    let mut workshop = Workshop::open(runtime)?;
    let mut client = workshop.register("Ada")?;
    let mut chats = Vec::new();
    for number in 0..CHATS {
        chats.push(client.group(&mut workshop, &format!("chat {number}"))?);
    }
    say(&mut workshop, &mut client, &chats, 0)?;
    say(&mut workshop, &mut client, &chats, 1_000)?;
    let seen = client.call(&mut workshop, &Sync::default())?;
    let cursors: BTreeMap<ChatId, Seq> = seen.heads.unwrap_or_default();
    ensure!(cursors.len() == CHATS, "{} of {CHATS} chats have a head", cursors.len());
    say(&mut workshop, &mut client, &chats[..CHANGED], 2_000)?;
    let question = Sync { epoch: Some(seen.epoch), cursors: Some(cursors), noted: None };
    // The first one prepares statements.
    client.call(&mut workshop, &question)?;
    for _ in 0..CALLS {
        client.send(&question)?;
        counted(|| workshop.work(&mut client))??;
        let replies: Vec<SyncReply> = client.replies()?;
        let found: Vec<usize> = replies.iter().map(|reply| reply.entries.len()).collect();
        ensure!(found == [CHANGED], "the answers have {found:?} entries");
    }
    Ok(CALLS as u64)
}

/// One message in each of these chats.
fn say(workshop: &mut Workshop<'_>, client: &mut Client, chats: &[ChatId], number: u64) -> Result<()> {
    for chat_id in chats {
        let call = insert_message(*chat_id, number + chat_id.0 as u64);
        let _: MessageReply = client.call(workshop, &call)?;
    }
    Ok(())
}
