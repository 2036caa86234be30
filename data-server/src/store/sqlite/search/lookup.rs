//! Where in a chat something stands that no index of the database finds: its messages rise by time and by number, so it is
//! found by halving.

use rusqlite::{OptionalExtension, Row};
use ttp::model::{ChatId, MessageId, Seq, TimestampMs};

use super::super::tables::Tables;

/// A message and where it stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spot {
    pub(super) seq: Seq,
    pub(super) message_id: MessageId,
    message_ts: TimestampMs,
}

/// Entries on each side that are looked through when the halving ends beside a message: in files of 2020 numbers may not
/// rise with the time, as the clock had been set back between two messages.
const ENTRIES_AROUND: Seq = 8_192;

/// The entry of a message of a chat, up to an entry.
pub(super) fn of_message(
    tables: Tables<'_>,
    chat_id: ChatId,
    last_seq: Seq,
    message_id: MessageId,
) -> rusqlite::Result<Option<Seq>> {
    let near = first_where(tables, chat_id, last_seq, |spot| spot.message_id >= message_id)?;
    if let Some(spot) = near
        && spot.message_id == message_id
    {
        return Ok(Some(spot.seq));
    }
    let near = near.map_or(last_seq, |spot| spot.seq);
    tables
        .statement(
            "SELECT seq FROM Messages WHERE chat_id = ?1 AND seq BETWEEN ?2 AND ?3 AND message_id = ?4",
        )?
        .query_row(
            (
                chat_id.0,
                near.saturating_sub(ENTRIES_AROUND),
                last_seq.min(near + ENTRIES_AROUND),
                message_id.0,
            ),
            |row| row.get(0),
        )
        .optional()
}

/// The first message of a chat, up to an entry, that was said at a time or later.
pub(super) fn first_since(
    tables: Tables<'_>,
    chat_id: ChatId,
    last_seq: Seq,
    since_ts: TimestampMs,
) -> rusqlite::Result<Option<Spot>> {
    first_where(tables, chat_id, last_seq, |spot| spot.message_ts >= since_ts)
}

/// The last message of a chat up to an entry.
pub(super) fn last(tables: Tables<'_>, chat_id: ChatId, last_seq: Seq) -> rusqlite::Result<Option<Spot>> {
    tables
        .statement(
            "SELECT seq, message_id, message_ts FROM Messages WHERE chat_id = ?1 AND seq <= ?2 ORDER BY seq DESC LIMIT 1",
        )?
        .query_row((chat_id.0, last_seq), spot)
        .optional()
}

/// The first of the messages up to an entry that are late; none after a late one is early.
fn first_where(
    tables: Tables<'_>,
    chat_id: ChatId,
    last_seq: Seq,
    is_late: impl Fn(&Spot) -> bool,
) -> rusqlite::Result<Option<Spot>> {
    let mut statement = tables.statement(
        "SELECT seq, message_id, message_ts FROM Messages WHERE chat_id = ?1 AND seq >= ?2 ORDER BY seq LIMIT 1",
    )?;
    let (mut low, mut end) = (1, last_seq + 1);
    let mut first = None;
    while low < end {
        let middle = low + (end - low) / 2;
        let next = statement.query_row((chat_id.0, middle), spot).optional()?;
        match next.filter(|spot| spot.seq < end) {
            Some(spot) if !is_late(&spot) => low = spot.seq + 1,
            late => {
                first = late.or(first);
                end = middle;
            }
        }
    }
    Ok(first)
}

fn spot(row: &Row<'_>) -> rusqlite::Result<Spot> {
    Ok(Spot { seq: row.get(0)?, message_id: MessageId(row.get(1)?), message_ts: row.get(2)? })
}
