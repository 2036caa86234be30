//! `talko export` and `talko import`: what was said, as lines of JSON, and a database of them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use data_server::store::sqlite::{self, Exported};
use ttp::model::ChatId;

use super::copying::copying;
use crate::output::{note, say};
use crate::settings::Settings;

/// Exports, and prints the hash of each chat and of everything.
pub(crate) async fn export(into: PathBuf, chats: &[i64], settings: &Settings) -> anyhow::Result<()> {
    let chats: Vec<ChatId> = chats.iter().copied().map(ChatId).collect();
    let (database, target) = (settings.db.value.clone(), into.clone());
    let exported = copying(move |watch| sqlite::export(&database, &chats, &target, watch)).await?;
    let told = describe(&into, &exported);
    if into == Path::new("-") {
        // Standard output is the export.
        told.lines().for_each(note);
        return Ok(());
    }
    say(told)?;
    Ok(())
}

/// Imports, and prints the same hashes, which were compared with what stands in the database.
pub(crate) async fn import(export: PathBuf, settings: &Settings) -> anyhow::Result<()> {
    let (database, source) = (settings.db.value.clone(), export.clone());
    let imported = copying(move |watch| sqlite::import(&source, &database, watch)).await?;
    say(describe(&settings.db.value, &imported))?;
    say("nobody has a password in it: give the owner one first, with `talko user password NAME`")?;
    Ok(())
}

fn describe(what: &Path, exported: &Exported) -> String {
    let mut told = String::new();
    for chat in &exported.chats {
        // Writing into a text does not fail.
        let _ = writeln!(told, "{}  chat {}, {} entries", chat.sha256, chat.chat_id, chat.entries);
    }
    let entries: u64 = exported.chats.iter().map(|chat| chat.entries).sum();
    let chats = exported.chats.len();
    let _ = write!(told, "{}  {}: {chats} chats, {entries} entries", exported.sha256, what.display());
    if exported.files > 0 || exported.files_missing > 0 {
        let Exported { files, files_missing, .. } = exported;
        let _ = write!(told, "\n{files} files of messages went along, {files_missing} did not");
    }
    told
}
