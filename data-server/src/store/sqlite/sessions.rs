//! Sessions in SQLite. A session that has ended keeps its row for a while, so that the digest can repeat its end.

use rusqlite::{OptionalExtension, Row};
use ttp::call::SessionInfo;
use ttp::limits::SESSIONS_PER_USER_MAX;
use ttp::model::{SessionId, TimestampMs, User, UserId};

use super::tables::{Failure, Tables, role_from};
use super::users;
use super::writer::Turn;
use crate::store::{By, Ending, LiveSession, NewLogin, NewSession, SecretHash, Sessions, StoreError};

/// How long the row of a session stays after its end.
const REMEMBERED_MS: i64 = 3_600_000;

/// Rows of ended sessions that each new session takes away: more than one, so that they do not become more and more.
const SWEPT: usize = 8;

/// Refuses when the session has ended or expired, or is not one of `actor`, and when somebody whose number is trusted
/// has closed the account.
pub(super) fn require(
    tables: Tables<'_>,
    by: By,
    actor: Option<UserId>,
    now: TimestampMs,
) -> Result<(), Failure> {
    #[cfg(feature = "mutants")]
    if ttp::net::mutant::is("no_session_check") {
        return Ok(());
    }
    #[cfg(feature = "mutants")]
    let actor = actor.filter(|_| !ttp::net::mutant::is("id_from_params"));
    match by {
        By::Session(session_id) => {
            let owner = tables
                .statement(
                    "SELECT user_id FROM Sessions WHERE session_id = ?1 AND ended_ts IS NULL AND expires_ts > ?2",
                )?
                .query_row((session_id.0, now), |row| row.get(0).map(UserId))
                .optional()?;
            match owner {
                None => Err(StoreError::SessionEnded.into()),
                Some(owner) if actor.is_some_and(|actor| actor != owner) => {
                    Err(StoreError::NotAllowed("this session is somebody else's").into())
                }
                Some(_) => Ok(()),
            }
        }
        By::Trust => match actor {
            Some(actor) if users::is_deactivated(tables, actor)? => Err(StoreError::Deactivated.into()),
            _ => Ok(()),
        },
    }
}

/// Begins a session after a login whose password was right.
pub(super) fn log_in(turn: &mut Turn<'_>, new: NewLogin) -> Result<LiveSession, Failure> {
    let set_hash = "UPDATE Users SET password_hash = ?3 WHERE user_id = ?1 AND password_hash = ?2";
    let hash = new.better_hash.as_ref().unwrap_or(&new.password_hash);
    let right = turn.tables.statement(set_hash)?.execute((new.user_id.0, &new.password_hash.0, &hash.0))?;
    if right == 0 {
        return Err(StoreError::WrongPassword.into());
    }
    begin(turn, new.user_id, new.session)
}

/// Begins a session. One too many ends the one that was not used for longest.
pub(super) fn begin(turn: &mut Turn<'_>, user_id: UserId, new: NewSession) -> Result<LiveSession, Failure> {
    let now = turn.now;
    sweep(turn)?;
    turn.tables
        .statement(
            "INSERT INTO Sessions (user_id, token_hash, device, created_ts, used_ts, expires_ts)
             VALUES (?1, ?2, ?3, ?4, ?4, ?5)",
        )?
        .execute((user_id.0, new.token_hash.0, &new.device, now, new.expires_ts))?;
    let session_id = SessionId(turn.tables.last_row_id());
    let ended = turn
        .tables
        .statement(
            "UPDATE Sessions SET ended_ts = ?2 WHERE session_id IN (
                 SELECT session_id FROM Sessions
                 WHERE user_id = ?1 AND ended_ts IS NULL AND expires_ts > ?2 AND session_id <> ?3
                 ORDER BY used_ts DESC, session_id DESC LIMIT -1 OFFSET ?4)
             RETURNING session_id",
        )?
        .query_map((user_id.0, now, session_id.0, SESSIONS_PER_USER_MAX - 1), id)?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    turn.ended.extend(ended);
    find(turn.tables, new.token_hash, now)?.ok_or(StoreError::SessionEnded.into())
}

/// The session of a token, unless it has ended.
pub(super) fn find(
    tables: Tables<'_>,
    token_hash: SecretHash,
    now: TimestampMs,
) -> Result<Option<LiveSession>, Failure> {
    let found = tables
        .statement(
            "SELECT s.session_id, s.user_id, u.user_name, u.server_role, s.used_ts, s.expires_ts,
                    EXISTS (SELECT 1 FROM Bots b WHERE b.user_id = s.user_id)
             FROM Sessions s JOIN Users u ON u.user_id = s.user_id
             WHERE s.token_hash = ?1 AND s.ended_ts IS NULL AND s.expires_ts > ?2",
        )?
        .query_row((token_hash.0, now), |row| {
            Ok(LiveSession {
                session_id: SessionId(row.get(0)?),
                user: User { user_id: UserId(row.get(1)?), user_name: row.get(2)? },
                server_role: role_from(row, 3)?,
                used_ts: row.get(4)?,
                expires_ts: row.get(5)?,
                is_bot: row.get(6)?,
            })
        })
        .optional()?;
    Ok(found)
}

/// Notes that a session is used. Its end moves ahead, never back.
pub(super) fn touch(
    turn: &mut Turn<'_>,
    session_id: SessionId,
    expires_ts: TimestampMs,
) -> Result<(), Failure> {
    let touched = turn
        .tables
        .statement(
            "UPDATE Sessions SET used_ts = max(used_ts, ?2), expires_ts = max(expires_ts, ?3)
             WHERE session_id = ?1 AND ended_ts IS NULL AND expires_ts > ?2",
        )?
        .execute((session_id.0, turn.now, expires_ts))?;
    if touched == 0 { Err(StoreError::SessionEnded.into()) } else { Ok(()) }
}

/// Ends sessions of a person; answers how many.
pub(super) fn end(turn: &mut Turn<'_>, user_id: UserId, ending: Ending) -> Result<u64, Failure> {
    match ending {
        Ending::All => end_all_but(turn, user_id, None),
        Ending::One(session_id) => {
            let sql = "UPDATE Sessions SET ended_ts = ?3
                       WHERE session_id = ?2 AND user_id = ?1 AND ended_ts IS NULL AND expires_ts > ?3";
            let ended = turn.tables.statement(sql)?.execute((user_id.0, session_id.0, turn.now))?;
            if ended == 0 {
                return Err(StoreError::NoSuchSession(session_id).into());
            }
            turn.ended.push(session_id);
            Ok(1)
        }
    }
}

/// Ends all sessions of a person but one; answers how many.
pub(super) fn end_all_but(
    turn: &mut Turn<'_>,
    user_id: UserId,
    keep: Option<SessionId>,
) -> Result<u64, Failure> {
    let keep = keep.map(|session_id| session_id.0);
    let ended = turn
        .tables
        .statement(
            "UPDATE Sessions SET ended_ts = ?2
             WHERE user_id = ?1 AND ended_ts IS NULL AND expires_ts > ?2 AND session_id IS NOT ?3
             RETURNING session_id",
        )?
        .query_map((user_id.0, turn.now, keep), id)?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    let count = ended.len() as u64;
    turn.ended.extend(ended);
    Ok(count)
}

/// A person's sessions, the most recently used first.
pub(super) fn list(
    tables: Tables<'_>,
    by: By,
    user_id: UserId,
    now: TimestampMs,
) -> Result<Sessions, Failure> {
    users::get(tables, user_id)?;
    let sessions = tables
        .statement(
            "SELECT session_id, device, created_ts, used_ts, expires_ts FROM Sessions
             WHERE user_id = ?1 AND ended_ts IS NULL AND expires_ts > ?2
             ORDER BY used_ts DESC, session_id DESC",
        )?
        .query_map((user_id.0, now), |row| {
            let session_id = id(row)?;
            Ok(SessionInfo {
                session_id,
                device: row.get(1)?,
                created_ts: row.get(2)?,
                used_ts: row.get(3)?,
                expires_ts: row.get(4)?,
                is_current: by == By::Session(session_id),
            })
        })?
        .collect::<rusqlite::Result<_>>()?;
    Ok(sessions)
}

/// Takes away some of the rows that nobody need be told of any more.
fn sweep(turn: &Turn<'_>) -> rusqlite::Result<()> {
    for over in [
        "DELETE FROM Sessions WHERE session_id IN (
             SELECT session_id FROM Sessions WHERE ended_ts IS NOT NULL AND ended_ts < ?1 LIMIT ?2)",
        "DELETE FROM Sessions WHERE session_id IN (
             SELECT session_id FROM Sessions WHERE expires_ts < ?1 AND ifnull(ended_ts, 0) < ?1 LIMIT ?2)",
    ] {
        turn.tables.statement(over)?.execute((turn.now - REMEMBERED_MS, SWEPT))?;
    }
    Ok(())
}

fn id(row: &Row<'_>) -> rusqlite::Result<SessionId> {
    row.get(0).map(SessionId)
}
