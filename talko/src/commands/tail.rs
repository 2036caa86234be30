//! `talko tail`: follows what is said, as text for people or one JSON object per log entry for programs.

use std::path::PathBuf;

use client_lib::{Client, Cursors, Event, Position};
use ttp::call::Sync;
use ttp::model::{Chat, Entry};

use crate::output::{say, say_json};
use crate::settings::Settings;
use crate::{account, line, person};

/// Where to begin, if not now.
pub(crate) struct From {
    /// After this entry of each chat.
    pub(crate) since: Option<u64>,
    /// Where the last run has ended, which is kept in this file.
    pub(crate) file: Option<PathBuf>,
}

/// Follows until it is interrupted or nobody reads what it prints.
pub(crate) async fn run(
    chat: Option<String>,
    json: bool,
    from: From,
    settings: &Settings,
) -> anyhow::Result<()> {
    let (client, _) = account::connect(settings).await?;
    let chat = match chat {
        Some(text) => Some(person::find_chat(&client, &text).await?),
        None => None,
    };
    let saved = from.file.as_ref().map(Cursors::load).transpose()?.flatten();
    let position = match saved {
        Some(cursors) => Position::After(cursors),
        None => position(&client, chat.as_ref(), from.since).await?,
    };
    let mut events = client.events(position);
    while let Some(event) = events.next().await {
        match event {
            Event::Entry(entry) if chat.as_ref().is_none_or(|chat| chat.chat_id == entry.chat_id) => {
                print(&entry, json)?;
            }
            Event::Connection(state) => line::note_connection(state)?,
            _ => {}
        }
        // What was printed is not told again. Whoever reads may have died with it: keys make saying things again harmless.
        if let Some((file, cursors)) = from.file.as_ref().zip(events.cursors()) {
            cursors.save(file)?;
        }
    }
    Ok(())
}

/// Now, or after an entry of each chat that shall be followed.
async fn position(client: &Client, chat: Option<&Chat>, since: Option<u64>) -> anyhow::Result<Position> {
    let Some(since) = since else {
        return Ok(Position::Now);
    };
    let heads = client.call(Sync::default()).await?;
    let mut seqs = heads.heads.unwrap_or_default();
    for (chat_id, seq) in &mut seqs {
        if chat.is_none_or(|chat| chat.chat_id == *chat_id) {
            *seq = since.min(*seq);
        }
    }
    Ok(Position::After(Cursors { epoch: Some(heads.epoch), seqs, ..Cursors::default() }))
}

fn print(entry: &Entry, json: bool) -> anyhow::Result<()> {
    if json {
        return say_json(&serde_json::to_string(entry)?);
    }
    line::describe(entry).map_or(Ok(()), say)
}
