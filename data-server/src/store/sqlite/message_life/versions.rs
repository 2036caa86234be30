//! What a message said, from its first text to the one that it has.

use ttp::call::MessageVersion;

use crate::rights::ChatAct;
use crate::store::sqlite::budget::{Budget, text_bytes};
use crate::store::sqlite::members::require_access;
use crate::store::sqlite::messages;
use crate::store::sqlite::tables::{Failure, Tables};
use crate::store::{Page, VersionsQuery};

/// Braces, member names and a number.
const VERSION_BYTES: usize = 64;

/// The versions of a message, oldest first; of too many the newest.
pub(in crate::store::sqlite) fn versions(
    tables: Tables<'_>,
    query: VersionsQuery,
) -> Result<Page<MessageVersion>, Failure> {
    require_access(tables, query.chat_id, Some(query.viewer), ChatAct::Read)?;
    let message = messages::find(tables, query.chat_id, query.seq)?;
    let details = message.details.unwrap_or_default();
    if details.deleted.is_some() {
        return Ok(Page { items: Vec::new(), more: false });
    }
    if details.edited.is_none() {
        let only = MessageVersion { message_text: message.message_text, change_ts: message.message_ts };
        return Ok(Page { items: vec![only], more: false });
    }
    let mut statement = tables.statement(
        "SELECT details ->> '$.message_text', change_ts, seq FROM Changes
         WHERE chat_id = ?1 AND target_seq = ?2 AND kind = 'edited'
         UNION ALL
         SELECT message_text, ?3, 0 FROM Originals WHERE chat_id = ?1 AND seq = ?2
         ORDER BY seq DESC",
    )?;
    let mut rows = statement.query((query.chat_id.0, query.seq, message.message_ts))?;
    let mut budget = Budget::new(query.bytes_max);
    let mut page = Page { items: Vec::new(), more: false };
    while let Some(row) = rows.next()? {
        let version = MessageVersion { message_text: row.get(0)?, change_ts: row.get(1)? };
        let fits = budget.take(VERSION_BYTES + text_bytes(&version.message_text)) || page.items.is_empty();
        if !fits || page.items.len() == query.rows_max {
            page.more = true;
            break;
        }
        page.items.push(version);
    }
    page.items.reverse();
    Ok(page)
}
