//! Files of messages in SQLite: which there are, who has sent them, and which messages have them.
//!
//! A file is free as soon as its last row in `Attachments` and in `Uploads` has gone, in the same transaction. It is taken
//! from the disk after that, and its own row last, so that a crash at any moment leaves nothing that is not found again.

use std::ops::RangeInclusive;

use rusqlite::OptionalExtension;
use ttp::attachment::{Attachment, FileHash};
use ttp::call::NewAttachment;
use ttp::limits::UPLOADS_WAITING_MAX;
use ttp::model::{ChatId, Message, MessageDetails, Seq, TimestampMs, UserId};

use super::SqliteStore;
use super::admission::Class;
use super::members::require_access;
use super::messages;
use super::tables::{Failure, Tables};
use super::writer::Turn;
use crate::rights::ChatAct;
use crate::store::{AttachmentQuery, Attachments, By, Done, FileQuery, NewFile, StoreError};

impl Attachments for SqliteStore {
    fn file(&self, by: By, query: FileQuery, done: Done<Option<u64>>) {
        self.ask_by(&self.light_reads, by, Some(query.user_id), Class::Other, done, move |tables| {
            file(tables, query)
        });
    }

    fn insert_file(&self, by: By, new: NewFile, done: Done<()>) {
        self.write_by(by, new.user_id, Class::Other, done, move |turn| insert(turn, &new));
    }

    fn attachment(&self, by: By, query: AttachmentQuery, done: Done<Attachment>) {
        self.ask_by(&self.light_reads, by, Some(query.viewer), Class::Other, done, move |tables| {
            attachment(tables, query)
        });
    }

    fn free_files(&self, rows_max: usize, done: Done<Vec<FileHash>>) {
        self.light_reads.ask(Class::Other, done, move |tables| free(tables, rows_max));
    }

    fn forget_file(&self, sha256: FileHash, done: Done<()>) {
        self.write(Class::Other, done, move |turn| {
            let mut delete = turn.tables.statement("DELETE FROM Files WHERE sha256 = ?1 AND is_free")?;
            Ok(delete.execute([sha256.0]).map(drop)?)
        });
    }

    fn expire_uploads(&self, before_ts: TimestampMs, done: Done<()>) {
        self.write(Class::Other, done, move |turn| expire(turn, before_ts));
    }

    fn unknown_files(&self, files: Vec<FileHash>, done: Done<Vec<FileHash>>) {
        self.light_reads.ask(Class::Other, done, move |tables| unknown(tables, files));
    }
}

/// Who may put a file into a message: who has sent it, and who can read a message that has it.
const USABLE: &str = "SELECT f.bytes, f.media_type, f.width, f.height FROM Files f
     WHERE f.sha256 = ?1 AND NOT f.is_free
       AND (EXISTS (SELECT 1 FROM Uploads u WHERE u.user_id = ?2 AND u.sha256 = ?1)
            OR EXISTS (SELECT 1 FROM Attachments a
                       JOIN Participants p ON p.chat_id = a.chat_id AND p.user_id = ?2 WHERE a.sha256 = ?1))";

/// Frees a file that nobody needs.
const FREE: &str = "UPDATE Files SET is_free = 1
     WHERE sha256 = ?1 AND NOT EXISTS (SELECT 1 FROM Attachments WHERE sha256 = ?1)
       AND NOT EXISTS (SELECT 1 FROM Uploads WHERE sha256 = ?1)";

fn file(tables: Tables<'_>, query: FileQuery) -> Result<Option<u64>, Failure> {
    let found = tables
        .statement(USABLE)?
        .query_row((query.sha256.0, query.user_id.0), |row| row.get(0))
        .optional()?;
    if found.is_some() {
        return Ok(found);
    }
    let waiting: usize = tables
        .statement("SELECT count(*) FROM Uploads WHERE user_id = ?1")?
        .query_row([query.user_id.0], |row| row.get(0))?;
    if waiting >= UPLOADS_WAITING_MAX { Err(StoreError::TooManyUploads.into()) } else { Ok(None) }
}

fn insert(turn: &mut Turn<'_>, new: &NewFile) -> Result<(), Failure> {
    let (media_type, width, height) = match &new.image {
        Some(image) => (Some(image.media_type), image.width, image.height),
        None => (None, 0, 0),
    };
    turn.tables
        .statement(
            "INSERT INTO Files (sha256, bytes, media_type, width, height) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (sha256) DO UPDATE SET is_free = 0",
        )?
        .execute((new.sha256.0, new.bytes, media_type, width, height))?;
    turn.tables
        .statement(
            "INSERT INTO Uploads (user_id, sha256, uploaded_ts) VALUES (?1, ?2, ?3)
             ON CONFLICT (user_id, sha256) DO UPDATE SET uploaded_ts = excluded.uploaded_ts",
        )?
        .execute((new.user_id.0, new.sha256.0, turn.now))?;
    Ok(())
}

fn attachment(tables: Tables<'_>, query: AttachmentQuery) -> Result<Attachment, Failure> {
    require_access(tables, query.chat_id, Some(query.viewer), ChatAct::Read)?;
    let message = messages::find(tables, query.chat_id, query.seq)?;
    let files = message.details.map(|details| details.attachments).unwrap_or_default();
    let found = files.into_iter().find(|file| file.sha256 == query.sha256);
    found.ok_or(StoreError::NoSuchAttachment(query.seq).into())
}

fn free(tables: Tables<'_>, rows_max: usize) -> Result<Vec<FileHash>, Failure> {
    let rows_max = i64::try_from(rows_max).unwrap_or(i64::MAX);
    let mut statement = tables.statement("SELECT sha256 FROM Files WHERE is_free LIMIT ?1")?;
    let found = statement.query_map([rows_max], |row| row.get(0).map(FileHash))?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

fn unknown(tables: Tables<'_>, mut files: Vec<FileHash>) -> Result<Vec<FileHash>, Failure> {
    let mut known = tables.statement("SELECT 1 FROM Files WHERE sha256 = ?1")?;
    let mut failed = None;
    files.retain(|file| match known.exists([file.0]) {
        Ok(is_known) => !is_known,
        Err(error) => failed.replace(error).is_some(),
    });
    failed.map_or(Ok(files), |error| Err(error.into()))
}

fn expire(turn: &mut Turn<'_>, before_ts: TimestampMs) -> Result<(), Failure> {
    let mut statement =
        turn.tables.statement("DELETE FROM Uploads WHERE uploaded_ts < ?1 RETURNING sha256")?;
    let expired: Vec<FileHash> =
        statement.query_map([before_ts], |row| row.get(0).map(FileHash))?.collect::<rusqlite::Result<_>>()?;
    turn.has_freed |= release(turn.tables, expired)?;
    Ok(())
}

/// Frees files that nobody needs. Answers whether there were any: after the commit somebody looks for them.
fn release(tables: Tables<'_>, files: Vec<FileHash>) -> Result<bool, Failure> {
    let mut freed = 0;
    for sha256 in files {
        freed += tables.statement(FREE)?.execute([sha256.0])?;
    }
    Ok(freed > 0)
}

/// What everybody will be told of the files of a new message. Of images the kind is the one that their first bytes say, and
/// no other file is called one of these kinds.
pub(super) fn resolve(
    tables: Tables<'_>,
    user_id: UserId,
    wanted: &[NewAttachment],
) -> Result<Vec<Attachment>, Failure> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let mut statement = tables.statement(USABLE)?;
    let mut found = Vec::with_capacity(wanted.len());
    for new in wanted {
        let file = statement
            .query_row((new.sha256.0, user_id.0), |row| {
                Ok(Attachment {
                    sha256: new.sha256,
                    file_name: new.file_name.clone(),
                    bytes: row.get(0)?,
                    media_type: row.get::<_, Option<String>>(1)?.or_else(|| claimed(new)),
                    width: row.get(2)?,
                    height: row.get(3)?,
                })
            })
            .optional()?;
        found.push(file.ok_or(StoreError::NoSuchFile(new.sha256))?);
    }
    Ok(found)
}

/// What the sender says of a file that is none of the images that are known here.
fn claimed(new: &NewAttachment) -> Option<String> {
    let known = ["image/png", "image/gif", "image/jpeg", "image/webp"];
    new.media_type.clone().filter(|claimed| !known.contains(&claimed.to_ascii_lowercase().as_str()))
}

/// Whether the files of a message that is stored are those that are sent with its key now. The kind that was claimed counts
/// where it was believed.
pub(super) fn are_what_was_sent(stored: &[Attachment], sent: &[NewAttachment]) -> bool {
    stored.len() == sent.len()
        && stored.iter().zip(sent).all(|(stored, sent)| {
            stored.sha256 == sent.sha256
                && stored.file_name == sent.file_name
                && (stored.is_image() || stored.media_type == claimed(sent))
        })
}

/// Writes down that a message has files. Who has sent them has used them by that.
pub(super) fn attach(
    tables: Tables<'_>,
    message: &Message,
    details: &MessageDetails,
) -> rusqlite::Result<()> {
    for file in &details.attachments {
        tables.statement("INSERT INTO Attachments (chat_id, seq, sha256) VALUES (?1, ?2, ?3)")?.execute((
            message.chat_id.0,
            message.seq,
            file.sha256.0,
        ))?;
        tables
            .statement("DELETE FROM Uploads WHERE user_id = ?1 AND sha256 = ?2")?
            .execute((message.user.user_id.0, file.sha256.0))?;
    }
    Ok(())
}

/// Ends what the messages of these entries have to do with their files. Answers whether a file is free by that.
pub(super) fn detach(
    tables: Tables<'_>,
    chat_id: ChatId,
    entries: RangeInclusive<Seq>,
) -> Result<bool, Failure> {
    let mut statement = tables
        .statement("DELETE FROM Attachments WHERE chat_id = ?1 AND seq BETWEEN ?2 AND ?3 RETURNING sha256")?;
    let files: Vec<FileHash> = statement
        .query_map((chat_id.0, entries.start(), entries.end()), |row| row.get(0).map(FileHash))?
        .collect::<rusqlite::Result<_>>()?;
    release(tables, files)
}
