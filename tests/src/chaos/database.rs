//! What the database has at the end of a run, and whether it is whole.

use std::path::{Path, PathBuf};

use data_server::store::sqlite::ClientKey;
use rusqlite::{Connection, OpenFlags};
use ttp::model::{ChatId, UserId};

use super::people::{Heads, first_text};
use crate::history::{Row, StoredMessage};

/// The log of every chat: by chat, and in each chat by number.
pub fn rows(path: &Path) -> Vec<Row> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let mut statement = connection
        .prepare(
            "SELECT chat_id, seq, message_ts, user_id, client_message_id, message_text, number FROM Messages
             UNION ALL SELECT chat_id, seq, change_ts, NULL, NULL, NULL, NULL FROM Changes ORDER BY 1, 2",
        )
        .unwrap();
    let rows = statement.query_map([], |row| {
        let text: Option<String> = row.get(5)?;
        let message = match text {
            Some(text) => Some(StoredMessage {
                sender: UserId(row.get(3)?),
                key: row.get::<_, Option<ClientKey<String>>>(4)?.map(|ClientKey(key)| key),
                text: first_text(&text).to_owned(),
                number: row.get(6)?,
            }),
            None => None,
        };
        Ok(Row { chat_id: ChatId(row.get(0)?), seq: row.get(1)?, time_ms: row.get(2)?, message })
    });
    rows.unwrap().map(Result::unwrap).collect()
}

/// The newest numbers of chats in which something was said.
pub fn heads(rows: &[Row]) -> Heads {
    let mut heads: Heads =
        rows.iter().filter(|row| row.message.is_some()).map(|row| (row.chat_id, row.seq)).collect();
    // What was done with the last message may stand after it.
    for row in rows {
        if let Some(head) = heads.get_mut(&row.chat_id) {
            *head = row.seq.max(*head);
        }
    }
    heads
}

/// What `talko check` says against a database. It reads a copy, since nothing may touch the files before a server does.
pub fn faults(path: &Path) -> Vec<String> {
    let scratch = tempfile::tempdir().unwrap();
    let copy = scratch.path().join("talko.db");
    for suffix in ["", "-wal", "-journal"] {
        let with_suffix = |path: &Path| PathBuf::from(format!("{}{suffix}", path.display()));
        if with_suffix(path).exists() {
            std::fs::copy(with_suffix(path), with_suffix(&copy)).unwrap();
        }
    }
    match data_server::store::sqlite::check(&copy) {
        Ok(report) => report.faults().map(str::to_owned).collect(),
        Err(error) => vec![error.to_string()],
    }
}
