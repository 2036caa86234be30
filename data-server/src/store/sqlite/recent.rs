//! What changed lately, in SQLite: a few looks into indexes by time, which find nothing and cost nothing while
//! nothing happens.

use ttp::model::{ChatId, SessionId, TimestampMs, UserId};

use super::notes;
use super::tables::{Failure, Tables};
use super::writer::Turn;
use crate::store::{Recent, RecentQuery};

/// How far `changed_ts` of a chat may be behind its newest entry. Moving it with each message would cost the writer
/// a sixth of its time.
const LAG_MS: i64 = 10_000;

/// Notes that a chat changes, whose `changed_ts` this was before. A clock that was set back is followed.
pub(super) fn note(turn: &Turn<'_>, chat_id: ChatId, changed_ts: TimestampMs) -> rusqlite::Result<()> {
    if turn.now.abs_diff(changed_ts) < LAG_MS.unsigned_abs() {
        return Ok(());
    }
    let mut statement = turn.tables.statement("UPDATE Chats SET changed_ts = ?2 WHERE chat_id = ?1")?;
    statement.execute((chat_id.0, turn.now)).map(drop)
}

/// Finds what changed since a time, whichever process committed it.
pub(super) fn find(tables: Tables<'_>, query: RecentQuery, now: TimestampMs) -> Result<Recent, Failure> {
    let RecentQuery { since_ts, chats_max, users_max } = query;
    let mut recent = Recent::default();
    let mut statement = tables.statement(
        "SELECT chat_id, last_seq FROM Chats WHERE changed_ts > ?1 ORDER BY changed_ts DESC LIMIT ?2",
    )?;
    let mut rows = statement.query((since_ts - LAG_MS, chats_max))?;
    while let Some(row) = rows.next()? {
        recent.heads.insert(ChatId(row.get(0)?), row.get(1)?);
    }
    // Who is in a chat since its creation has no entry of their own.
    let mut statement = tables.statement(
        "SELECT ifnull(e.user_id, p.user_id)
         FROM (SELECT chat_id, user_id, change_ts FROM Changes WHERE change_ts >= ?1 AND kind IN ('created', 'joined', 'left')
               ORDER BY change_ts DESC LIMIT ?2) e
         LEFT JOIN Participants p ON p.chat_id = iif(e.user_id IS NULL, e.chat_id, NULL) AND p.joined_seq = 1
         ORDER BY e.change_ts DESC LIMIT ?2",
    )?;
    let mut rows = statement.query((since_ts, users_max))?;
    while let Some(row) = rows.next()? {
        recent.moved.extend(row.get::<_, Option<i64>>(0)?.map(UserId));
    }
    for ended in [
        "SELECT session_id FROM Sessions WHERE ended_ts >= ?1 AND ?2 IS NOT NULL ORDER BY ended_ts DESC LIMIT ?3",
        "SELECT session_id FROM Sessions WHERE expires_ts BETWEEN ?1 AND ?2 ORDER BY expires_ts DESC LIMIT ?3",
    ] {
        let mut statement = tables.statement(ended)?;
        let mut rows = statement.query((since_ts, now, users_max))?;
        while let Some(row) = rows.next()? {
            recent.ended.insert(SessionId(row.get(0)?));
        }
    }
    let mut statement = tables.statement(
        "SELECT user_id, version FROM Notebooks WHERE changed_ts > ?1 ORDER BY changed_ts DESC LIMIT ?2",
    )?;
    let mut rows = statement.query((since_ts - notes::LAG_MS, users_max))?;
    while let Some(row) = rows.next()? {
        recent.noted.insert(UserId(row.get(0)?), row.get(1)?);
    }
    Ok(recent)
}
