//! `talko stats`: where the bytes of the database go. `talko compact`: a file without free ones.

use data_server::store::sqlite;

use crate::output::say;
use crate::settings::Settings;

/// Prints each part with its bytes, all together and for each message, then the longest rooms.
pub(crate) fn run(settings: &Settings) -> anyhow::Result<()> {
    let stats = sqlite::stats(&settings.db.value)?;
    let for_each = |bytes: u64| bytes as f64 / stats.messages.max(1) as f64;
    say(format_args!("{:>14}  {:>12}", "bytes", "per message"))?;
    for part in &stats.parts {
        say(format_args!("{:>14}  {:>12.1}  {}", part.bytes, for_each(part.bytes), part.name))?;
    }
    say(format_args!("{:>14}  {:>12.1}  file", stats.file_bytes, for_each(stats.file_bytes)))?;
    say(format_args!("{:>14}  {:>12}  write-ahead log", stats.log_bytes, ""))?;
    if stats.attachments > 0 {
        let (files, bytes) = (stats.attachments, stats.attachment_bytes);
        say(format_args!("{bytes:>14}  {:>12}  {files} files of messages, beside the file", ""))?;
    }
    say(format_args!("{:>14}  {:>12}  messages", stats.messages, ""))?;
    say(format_args!("{:>14}  {:>12}  messages that were not kept", stats.purged, ""))?;
    for room in &stats.rooms {
        let name = match room.chat_name.as_str() {
            "" => String::new(),
            name => format!(" {}", tui_client::one_line(name)),
        };
        let (bytes, messages) = (room.text_bytes, room.messages);
        say(format_args!(
            "{bytes:>14}  {:>12}  texts of {messages} messages in chat {}{name}",
            "", room.chat_id
        ))?;
    }
    Ok(())
}

/// Writes the file anew, and says how long it was and is.
pub(crate) fn compact(settings: &Settings) -> anyhow::Result<()> {
    let path = &settings.db.value;
    let compacted = sqlite::compact(path)?;
    let (before, after) = (compacted.bytes_before, compacted.bytes_after);
    say(format_args!("{}: {before} bytes before, {after} bytes after", path.display()))?;
    Ok(())
}
