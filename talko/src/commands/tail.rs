//! `talko tail`: follows what is said, as text for people or one JSON object per log entry for programs.

use std::io::Write;

use client_lib::{Client, Cursors, Event, Position};
use ttp::call::Sync;
use ttp::model::{Chat, Entry};

use crate::settings::Settings;
use crate::{line, person};

/// Follows until it is interrupted or nobody reads what it prints.
pub(crate) async fn run(
    chat: Option<String>,
    json: bool,
    since: Option<u64>,
    settings: &Settings,
) -> anyhow::Result<()> {
    let (client, _) = person::connect_as_user(settings).await?;
    let chat = match chat {
        Some(text) => Some(person::find_chat(&client, &text).await?),
        None => None,
    };
    let from = position(&client, chat.as_ref(), since).await?;
    let mut events = client.events(from);
    let mut out = std::io::stdout();
    while let Some(event) = events.next().await {
        let Event::Entry(entry) = event else {
            continue;
        };
        if chat.as_ref().is_some_and(|chat| chat.chat_id != entry.chat_id) {
            continue;
        }
        match print(&mut out, &entry, json) {
            // Whoever read has gone: as with `head`, that is no failure.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(()),
            printed => printed?,
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
    Ok(Position::After(Cursors { epoch: Some(heads.epoch), seqs }))
}

fn print(out: &mut impl Write, entry: &Entry, json: bool) -> std::io::Result<()> {
    if json {
        serde_json::to_writer(&mut *out, entry)?;
        out.write_all(b"\n")?;
    } else if let Some(text) = line::describe(entry) {
        writeln!(out, "{text}")?;
    }
    out.flush()
}
