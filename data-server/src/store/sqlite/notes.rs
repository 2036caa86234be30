//! Notes in SQLite: what a person's devices share, by the person's own numbers. A row for each chat has the number of its
//! latest change. A draft that was taken away keeps its row without a text, so that every device hears of it.

use rusqlite::{OptionalExtension, Row};
use ttp::call::{Draft, Mark, Note};
use ttp::limits::DRAFTS_PER_USER_MAX;
use ttp::model::{ChatId, TimestampMs, UserId};

use super::budget::{Budget, text_bytes};
use super::tables::{Failure, Tables};
use super::writer::Turn;
use super::{SqliteStore, members, messages};
use crate::rights::ChatAct;
use crate::store::{By, Done, DraftsQuery, EntriesPage, NewDraft, Noted, Notes, Page, StoreError};

/// How far `changed_ts` of a person's notes may be behind the newest one: as of chats, it is in an index.
pub(super) const LAG_MS: i64 = 10_000;

/// Braces, member names and numbers of a mark or a draft.
const NOTE_BYTES: usize = 160;

impl Notes for SqliteStore {
    fn set_draft(&self, by: By, new: NewDraft, done: Done<()>) {
        self.write_by(by, new.user_id, super::Class::Other, done, move |turn| set_draft(turn, new));
    }

    fn noted(&self, by: By, user_id: UserId, done: Done<u64>) {
        self.ask_by(&self.light_reads, by, Some(user_id), super::Class::Chat, done, move |tables| {
            Ok(version(tables, user_id)?)
        });
    }

    fn drafts(&self, by: By, query: DraftsQuery, done: Done<Page<Draft>>) {
        let class = super::Class::History;
        self.ask_by(&self.heavy_reads, by, Some(query.user_id), class, done, move |tables| {
            drafts(tables, query)
        });
    }
}

/// The number of a person's newest note.
pub(super) fn version(tables: Tables<'_>, user_id: UserId) -> rusqlite::Result<u64> {
    let found = tables
        .statement("SELECT version FROM Notebooks WHERE user_id = ?1")?
        .query_row([user_id.0], |row| row.get(0))
        .optional()?;
    Ok(found.unwrap_or_default())
}

/// Notes that a mark was moved to where it is now. The sink hears of it after the commit.
pub(super) fn moved(turn: &mut Turn<'_>, user_id: UserId, mark: Mark) -> Result<(), Failure> {
    let version = next_version(turn, user_id)?;
    turn.tables
        .statement(
            "INSERT INTO Marks (user_id, chat_id, version) VALUES (?1, ?2, ?3)
             ON CONFLICT DO UPDATE SET version = excluded.version",
        )?
        .execute((user_id.0, mark.chat_id.0, version))?;
    let note = Note { version, mark: Some(mark), draft: None };
    turn.notes.push(Noted { user_id, note });
    Ok(())
}

/// Notes that somebody has left a chat: nothing is told but the number, and who hears it asks what is new. The entry by which
/// they went may be lost on the way, and to who is not there no later one would come.
pub(super) fn left(turn: &mut Turn<'_>, chat_id: ChatId, user_id: UserId) -> Result<(), Failure> {
    forget(turn.tables, chat_id, user_id)?;
    let note = Note { version: next_version(turn, user_id)?, ..Note::default() };
    turn.notes.push(Noted { user_id, note });
    Ok(())
}

/// Who is not in a chat any more has no notes of it.
fn forget(tables: Tables<'_>, chat_id: ChatId, user_id: UserId) -> rusqlite::Result<()> {
    for sql in [
        "DELETE FROM Marks WHERE user_id = ?1 AND chat_id = ?2",
        "DELETE FROM Drafts WHERE user_id = ?1 AND chat_id = ?2",
    ] {
        tables.statement(sql)?.execute((user_id.0, chat_id.0))?;
    }
    Ok(())
}

/// Adds to a page what is newer than a number, as far as it fits.
pub(super) fn fill(
    tables: Tables<'_>,
    user_id: UserId,
    after: u64,
    page: &mut EntriesPage,
    (rows_left, budget): (usize, &mut Budget),
) -> Result<(), Failure> {
    let newest = version(tables, user_id)?;
    page.noted = Some(newest);
    if newest <= after {
        return Ok(());
    }
    let mut statement = tables.statement(
        "SELECT m.version, m.chat_id, max(p.read_number, c.purged_number),
                c.last_number - max(p.read_number, c.purged_number),
                (SELECT count(*) FROM Mentions n WHERE n.user_id IN (?1, 0) AND n.chat_id = m.chat_id
                 AND n.number > p.read_number), NULL, NULL
         FROM Marks m JOIN Participants p ON p.chat_id = m.chat_id AND p.user_id = m.user_id
         JOIN Chats c ON c.chat_id = m.chat_id
         WHERE m.user_id = ?1 AND m.version > ?2
         UNION ALL
         SELECT version, chat_id, NULL, NULL, NULL, draft_text, reply_to FROM Drafts
         WHERE user_id = ?1 AND version > ?2
         ORDER BY 1 LIMIT ?3",
    )?;
    let mut told = after;
    let mut rows = statement.query((user_id.0, after, rows_left.saturating_add(1)))?;
    for place in 0.. {
        let Some(row) = rows.next()? else { return Ok(()) };
        let is_first = place == 0 && page.entries.is_empty();
        let text: Option<String> = row.get(5)?;
        let bytes = NOTE_BYTES + text.as_deref().map_or(0, text_bytes);
        if !is_first && (place >= rows_left || !budget.take(bytes)) {
            (page.noted, page.more) = (Some(told), true);
            return Ok(());
        }
        told = row.get(0)?;
        match text {
            Some(text) => page.drafts.push(Draft { text, ..draft_from(row, 1, 6)? }),
            None => page.marks.push(Mark {
                chat_id: ChatId(row.get(1)?),
                number: row.get(2)?,
                unread: row.get(3)?,
                mentions: row.get(4)?,
            }),
        }
    }
    Ok(())
}

fn draft_from(row: &Row<'_>, chat: usize, reply_to: usize) -> rusqlite::Result<Draft> {
    Ok(Draft { chat_id: ChatId(row.get(chat)?), text: String::new(), reply_to: row.get(reply_to)? })
}

/// A page of somebody's drafts.
fn drafts(tables: Tables<'_>, query: DraftsQuery) -> Result<Page<Draft>, Failure> {
    let mut statement = tables.statement(
        "SELECT chat_id, reply_to, draft_text FROM Drafts
         WHERE user_id = ?1 AND chat_id > ifnull(?2, -9223372036854775808) AND draft_text <> '' ORDER BY chat_id",
    )?;
    let after = query.after_chat_id.map(|chat_id| chat_id.0);
    let mut rows = statement.query((query.user_id.0, after))?;
    let mut page = Page { items: Vec::new(), more: false };
    let mut budget = Budget::new(query.bytes_max);
    while let Some(row) = rows.next()? {
        let draft = Draft { text: row.get(2)?, ..draft_from(row, 0, 1)? };
        if !budget.take(NOTE_BYTES + text_bytes(&draft.text)) && !page.items.is_empty() {
            page.more = true;
            break;
        }
        page.items.push(draft);
    }
    Ok(page)
}

/// Keeps what somebody has begun to write. What is kept already makes no note.
fn set_draft(turn: &mut Turn<'_>, new: NewDraft) -> Result<(), Failure> {
    let NewDraft { chat_id, user_id, text, reply_to } = new;
    members::require_access(turn.tables, chat_id, Some(user_id), ChatAct::Read)?;
    let reply_to = reply_to.filter(|_| !text.is_empty());
    if let Some(seq) = reply_to {
        messages::find(turn.tables, chat_id, seq)?;
    }
    let kept = turn
        .tables
        .statement("SELECT chat_id, reply_to, draft_text FROM Drafts WHERE user_id = ?1 AND chat_id = ?2")?
        .query_row((user_id.0, chat_id.0), |row| Ok(Draft { text: row.get(2)?, ..draft_from(row, 0, 1)? }))
        .optional()?
        .unwrap_or(Draft { chat_id, ..Draft::default() });
    let draft = Draft { chat_id, text, reply_to };
    if draft == kept {
        return Ok(());
    }
    if kept.text.is_empty() {
        let sql = "SELECT count(*) FROM Drafts WHERE user_id = ?1 AND draft_text <> ''";
        let count: usize = turn.tables.statement(sql)?.query_row([user_id.0], |row| row.get(0))?;
        if count >= DRAFTS_PER_USER_MAX {
            return Err(StoreError::TooManyDrafts.into());
        }
    }
    let version = next_version(turn, user_id)?;
    turn.tables
        .statement(
            "INSERT INTO Drafts (user_id, chat_id, version, draft_text, reply_to) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT DO UPDATE SET version = excluded.version, draft_text = excluded.draft_text,
                                       reply_to = excluded.reply_to",
        )?
        .execute((user_id.0, chat_id.0, version, &draft.text, draft.reply_to))?;
    let note = Note { version, mark: None, draft: Some(draft) };
    turn.notes.push(Noted { user_id, note });
    Ok(())
}

/// Takes a person's next number.
fn next_version(turn: &Turn<'_>, user_id: UserId) -> Result<u64, Failure> {
    let (version, changed_ts): (u64, TimestampMs) = turn
        .tables
        .statement(
            "INSERT INTO Notebooks (user_id, version, changed_ts) VALUES (?1, 1, ?2)
             ON CONFLICT DO UPDATE SET version = version + 1 RETURNING version, changed_ts",
        )?
        .query_row((user_id.0, turn.now), |row| Ok((row.get(0)?, row.get(1)?)))?;
    if turn.now.abs_diff(changed_ts) >= LAG_MS.unsigned_abs() {
        let mut statement =
            turn.tables.statement("UPDATE Notebooks SET changed_ts = ?2 WHERE user_id = ?1")?;
        statement.execute((user_id.0, turn.now))?;
    }
    Ok(version)
}
