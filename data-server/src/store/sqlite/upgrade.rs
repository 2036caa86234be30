//! What makes a file of an earlier version one of the next, in the caller's one transaction.

use rusqlite::Connection;
use tracing::info;

use super::client_key;
use crate::names;

/// Memory for sorting and writing what is made anew.
const CACHE_KIB: i64 = 64 * 1024;

/// Version 2 finds what changed lately by time.
const FROM_1: &str = "
    ALTER TABLE Chats ADD COLUMN changed_ts INTEGER NOT NULL DEFAULT 0;
    CREATE INDEX ChatsByChange ON Chats (changed_ts);
    CREATE INDEX ChangesByTime ON Changes (change_ts);
    PRAGMA user_version = 2;
";

/// Version 3 has accounts, sessions, invitations and roles. A rule of a table cannot be changed, so Changes is made anew.
const FROM_2: &str = "
    ALTER TABLE Users ADD COLUMN name_skeleton TEXT;
    ALTER TABLE Users ADD COLUMN password_hash TEXT;
    ALTER TABLE Users ADD COLUMN server_role TEXT NOT NULL DEFAULT 'member'
        CHECK (server_role IN ('guest', 'member', 'moderator', 'owner'));
    ALTER TABLE Users ADD COLUMN deactivated_ts INTEGER;
    CREATE UNIQUE INDEX UsersBySkeleton ON Users (name_skeleton);
    CREATE INDEX UsersByServerRole ON Users (server_role) WHERE password_hash IS NOT NULL;

    CREATE TABLE Sessions (
        session_id INTEGER PRIMARY KEY AUTOINCREMENT,
        user_id    INTEGER NOT NULL REFERENCES Users (user_id),
        token_hash BLOB    NOT NULL UNIQUE CHECK (length(token_hash) = 32),
        device     TEXT    NOT NULL,
        created_ts INTEGER NOT NULL,
        used_ts    INTEGER NOT NULL,
        expires_ts INTEGER NOT NULL,
        ended_ts   INTEGER
    ) STRICT;
    CREATE INDEX SessionsByUserId ON Sessions (user_id, used_ts) WHERE ended_ts IS NULL;
    CREATE INDEX SessionsByEnd ON Sessions (ended_ts) WHERE ended_ts IS NOT NULL;
    CREATE INDEX SessionsByExpiry ON Sessions (expires_ts);

    CREATE TABLE Invitations (
        invitation_id INTEGER PRIMARY KEY AUTOINCREMENT,
        code_hash     BLOB    NOT NULL UNIQUE CHECK (length(code_hash) = 32),
        creator_id    INTEGER NOT NULL REFERENCES Users (user_id),
        role          TEXT    NOT NULL CHECK (role IN ('guest', 'member', 'moderator', 'owner')),
        uses_left     INTEGER NOT NULL CHECK (uses_left >= 0),
        created_ts    INTEGER NOT NULL,
        expires_ts    INTEGER NOT NULL,
        ended_ts      INTEGER
    ) STRICT;
    CREATE INDEX InvitationsByExpiry ON Invitations (expires_ts) WHERE ended_ts IS NULL AND uses_left > 0;

    ALTER TABLE Participants ADD COLUMN role TEXT NOT NULL DEFAULT 'member'
        CHECK (role IN ('guest', 'member', 'moderator', 'owner'));

    DROP INDEX ChangesByTime;
    ALTER TABLE Changes RENAME TO Changes2;
    CREATE TABLE Changes (
        chat_id    INTEGER NOT NULL REFERENCES Chats (chat_id),
        seq        INTEGER NOT NULL,
        kind       TEXT    NOT NULL CHECK (kind IN ('created', 'joined', 'left', 'role')),
        change_ts  INTEGER NOT NULL,
        user_id    INTEGER REFERENCES Users (user_id),
        by_user_id INTEGER REFERENCES Users (user_id),
        chat_name  TEXT,
        role       TEXT    CHECK (role IN ('guest', 'member', 'moderator', 'owner')),
        PRIMARY KEY (chat_id, seq),
        CHECK ((kind = 'created') = (user_id IS NULL)),
        CHECK ((kind = 'created') = (chat_name IS NOT NULL)),
        CHECK ((kind = 'role') = (role IS NOT NULL))
    ) STRICT, WITHOUT ROWID;
    INSERT INTO Changes (chat_id, seq, kind, change_ts, user_id, by_user_id, chat_name)
        SELECT chat_id, seq, kind, change_ts, user_id, by_user_id, chat_name FROM Changes2;
    DROP TABLE Changes2;
    CREATE INDEX ChangesByTime ON Changes (change_ts);
    PRAGMA user_version = 3;
";

/// Version 4 has the messages of a chat together, keys that sort by time, and the number of people of each chat. All messages
/// are read in the order of the file and sorted: to look for one after the other would take many times as long on a disk.
const FROM_3: &str = "
    ALTER TABLE Meta ADD COLUMN last_message_id INTEGER NOT NULL DEFAULT 0;
    UPDATE Meta SET last_message_id = (SELECT ifnull(max(message_id), 0) FROM Messages);
    ALTER TABLE Chats ADD COLUMN user_count INTEGER NOT NULL DEFAULT 0;
    UPDATE Chats SET user_count = (SELECT count(*) FROM Participants p WHERE p.chat_id = Chats.chat_id);

    DROP INDEX MessagesByClientKey;
    ALTER TABLE Messages RENAME TO Messages3;
    CREATE TABLE Messages (
        chat_id           INTEGER NOT NULL REFERENCES Chats (chat_id),
        seq               INTEGER NOT NULL,
        message_id        INTEGER NOT NULL,
        user_id           INTEGER NOT NULL REFERENCES Users (user_id),
        message_text      TEXT    NOT NULL,
        message_ts        INTEGER NOT NULL,
        number            INTEGER NOT NULL,
        client_message_id ANY,
        PRIMARY KEY (chat_id, seq)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO Messages
        SELECT chat_id, seq, message_id, user_id, message_text, message_ts, number, stored_key(client_message_id)
        FROM Messages3 NOT INDEXED ORDER BY chat_id, seq;
    DROP TABLE Messages3;
    CREATE UNIQUE INDEX MessagesByClientKey ON Messages (client_message_id, user_id) WHERE client_message_id IS NOT NULL;
    PRAGMA user_version = 4;
";

/// Version 5 has what people do with messages and groups: edits, deletions, reactions, pins, threads, mentions, rules of a
/// room. No message is touched.
const FROM_4: &str = "
    ALTER TABLE Messages ADD COLUMN details TEXT;
    ALTER TABLE Chats ADD COLUMN topic TEXT NOT NULL DEFAULT '';
    ALTER TABLE Chats ADD COLUMN room_name TEXT;
    ALTER TABLE Chats ADD COLUMN is_public INTEGER NOT NULL DEFAULT 0 CHECK (is_public IN (0, 1));
    ALTER TABLE Chats ADD COLUMN is_archived INTEGER NOT NULL DEFAULT 0 CHECK (is_archived IN (0, 1));
    ALTER TABLE Chats ADD COLUMN users_max INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE Chats ADD COLUMN room_skeleton TEXT;
    ALTER TABLE Chats ADD COLUMN client_settings TEXT;
    ALTER TABLE Meta ADD COLUMN general_chat_id INTEGER REFERENCES Chats (chat_id);
    CREATE UNIQUE INDEX ChatsByRoomName ON Chats (room_name) WHERE room_name IS NOT NULL;
    CREATE UNIQUE INDEX ChatsByRoomSkeleton ON Chats (room_skeleton) WHERE room_skeleton IS NOT NULL;
    CREATE INDEX ChatsByPublicity ON Chats (chat_id) WHERE is_public;
    DROP INDEX ChangesByTime;
    ALTER TABLE Changes RENAME TO Changes4;
    CREATE TABLE Changes (
        chat_id    INTEGER NOT NULL REFERENCES Chats (chat_id),
        seq        INTEGER NOT NULL,
        kind       TEXT    NOT NULL CHECK (kind IN (
                       'created', 'joined', 'left', 'role', 'updated', 'restricted',
                       'edited', 'deleted', 'reacted', 'unreacted', 'pinned', 'unpinned')),
        change_ts  INTEGER NOT NULL,
        user_id    INTEGER REFERENCES Users (user_id),
        by_user_id INTEGER REFERENCES Users (user_id),
        details    TEXT,
        role       TEXT    CHECK (role IN ('guest', 'member', 'moderator', 'owner')),
        target_seq INTEGER,
        PRIMARY KEY (chat_id, seq),
        CHECK ((kind IN ('joined', 'left', 'role', 'restricted')) = (user_id IS NOT NULL)),
        CHECK ((kind = 'role') = (role IS NOT NULL)),
        CHECK ((kind IN ('edited', 'deleted', 'reacted', 'unreacted', 'pinned', 'unpinned')) = (target_seq IS NOT NULL)),
        CHECK (kind NOT IN ('created', 'updated', 'restricted', 'reacted', 'unreacted') OR details IS NOT NULL)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO Changes (chat_id, seq, kind, change_ts, user_id, by_user_id, details, role)
        SELECT chat_id, seq, kind, change_ts, user_id, by_user_id, chat_name, role FROM Changes4;
    DROP TABLE Changes4;
    CREATE INDEX ChangesByTime ON Changes (change_ts) WHERE kind IN ('created', 'joined', 'left');
    CREATE INDEX ChangesByTarget ON Changes (chat_id, target_seq) WHERE target_seq IS NOT NULL;
    CREATE TABLE Originals (
        chat_id      INTEGER NOT NULL,
        seq          INTEGER NOT NULL,
        message_text TEXT    NOT NULL,
        PRIMARY KEY (chat_id, seq),
        FOREIGN KEY (chat_id, seq) REFERENCES Messages (chat_id, seq)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE Reactions (
        chat_id INTEGER NOT NULL,
        seq     INTEGER NOT NULL,
        emoji   TEXT    NOT NULL,
        user_id INTEGER NOT NULL REFERENCES Users (user_id),
        PRIMARY KEY (chat_id, seq, emoji, user_id),
        FOREIGN KEY (chat_id, seq) REFERENCES Messages (chat_id, seq)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE Pins (
        chat_id INTEGER NOT NULL,
        seq     INTEGER NOT NULL,
        PRIMARY KEY (chat_id, seq),
        FOREIGN KEY (chat_id, seq) REFERENCES Messages (chat_id, seq)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE Threads (
        chat_id    INTEGER NOT NULL,
        thread_seq INTEGER NOT NULL,
        seq        INTEGER NOT NULL,
        PRIMARY KEY (chat_id, thread_seq, seq),
        FOREIGN KEY (chat_id, seq) REFERENCES Messages (chat_id, seq)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE Mentions (
        user_id INTEGER NOT NULL,
        chat_id INTEGER NOT NULL REFERENCES Chats (chat_id),
        number  INTEGER NOT NULL,
        PRIMARY KEY (user_id, chat_id, number)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX MentionsByMessage ON Mentions (chat_id, number);
    CREATE TABLE Restrictions (
        chat_id  INTEGER NOT NULL REFERENCES Chats (chat_id),
        user_id  INTEGER NOT NULL REFERENCES Users (user_id),
        penalty  TEXT    NOT NULL CHECK (penalty IN ('ban', 'mute')),
        until_ts INTEGER,
        PRIMARY KEY (chat_id, user_id, penalty)
    ) STRICT, WITHOUT ROWID;
";

/// Version 5 finds messages by their words. They are read after the start, step by step: see `indexing`.
const FROM_4_SEARCH: &str = "
    CREATE VIRTUAL TABLE MessagesText USING fts5 (
        words, content = '', columnsize = 0, tokenize = \"ascii tokenchars '@#'\"
    );
    INSERT INTO MessagesText (MessagesText, rank) VALUES ('secure-delete', 1);
    INSERT INTO MessagesText (MessagesText, rank) VALUES ('hashsize', 4194304);
    CREATE TABLE TextMarks (
        chat_id     INTEGER PRIMARY KEY REFERENCES Chats (chat_id),
        indexed_seq INTEGER NOT NULL,
        analysis    INTEGER NOT NULL
    ) STRICT;
";

/// Version 5 has what a person's devices share, and bots.
const FROM_4_NOTES_AND_BOTS: &str = "
    CREATE TABLE Notebooks (
        user_id    INTEGER PRIMARY KEY REFERENCES Users (user_id),
        version    INTEGER NOT NULL,
        changed_ts INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX NotebooksByChange ON Notebooks (changed_ts);
    CREATE TABLE Marks (
        user_id INTEGER NOT NULL REFERENCES Users (user_id),
        chat_id INTEGER NOT NULL REFERENCES Chats (chat_id),
        version INTEGER NOT NULL,
        PRIMARY KEY (user_id, chat_id)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE Drafts (
        user_id    INTEGER NOT NULL REFERENCES Users (user_id),
        chat_id    INTEGER NOT NULL REFERENCES Chats (chat_id),
        version    INTEGER NOT NULL,
        draft_text TEXT    NOT NULL,
        reply_to   INTEGER,
        PRIMARY KEY (user_id, chat_id)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE Bots (
        user_id    INTEGER PRIMARY KEY REFERENCES Users (user_id),
        owner_id   INTEGER NOT NULL REFERENCES Users (user_id),
        created_ts INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX BotsByOwner ON Bots (owner_id);
    PRAGMA user_version = 5;
";

/// Version 5 knows the files of messages.
const FROM_4_FILES: &str = "
    CREATE TABLE Files (
        sha256     BLOB    NOT NULL PRIMARY KEY CHECK (length(sha256) = 32),
        bytes      INTEGER NOT NULL CHECK (bytes > 0),
        media_type TEXT,
        width      INTEGER NOT NULL DEFAULT 0,
        height     INTEGER NOT NULL DEFAULT 0,
        is_free    INTEGER NOT NULL DEFAULT 0 CHECK (is_free IN (0, 1))
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX FilesByFreedom ON Files (sha256) WHERE is_free;
    CREATE TABLE Uploads (
        user_id     INTEGER NOT NULL REFERENCES Users (user_id),
        sha256      BLOB    NOT NULL REFERENCES Files (sha256),
        uploaded_ts INTEGER NOT NULL,
        PRIMARY KEY (user_id, sha256)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX UploadsByFile ON Uploads (sha256);
    CREATE INDEX UploadsByTime ON Uploads (uploaded_ts);
    CREATE TABLE Attachments (
        chat_id INTEGER NOT NULL,
        seq     INTEGER NOT NULL,
        sha256  BLOB    NOT NULL REFERENCES Files (sha256),
        PRIMARY KEY (chat_id, seq, sha256),
        FOREIGN KEY (chat_id, seq) REFERENCES Messages (chat_id, seq)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX AttachmentsByFile ON Attachments (sha256);
";

/// Version 5 lets a chat keep its messages for a time, or a number of them.
const FROM_4_RETENTION: &str = "
    ALTER TABLE Chats ADD COLUMN keep_ms INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE Chats ADD COLUMN keep_messages INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE Chats ADD COLUMN purged_seq INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE Chats ADD COLUMN purged_number INTEGER NOT NULL DEFAULT 0;
    CREATE INDEX ChatsByRetention ON Chats (chat_id) WHERE keep_ms > 0 OR keep_messages > 0;
    CREATE INDEX ThreadsBySeq ON Threads (chat_id, seq);
    CREATE TABLE PurgedKeys (
        client_message_id ANY     NOT NULL,
        user_id           INTEGER NOT NULL REFERENCES Users (user_id),
        chat_id           INTEGER NOT NULL REFERENCES Chats (chat_id),
        seq               INTEGER NOT NULL,
        number            INTEGER NOT NULL,
        message_id        INTEGER NOT NULL,
        message_ts        INTEGER NOT NULL,
        PRIMARY KEY (client_message_id, user_id)
    ) STRICT, WITHOUT ROWID;
";

/// Who created a group owns it; where nobody knows who, or where the creator has left, who is in it for longest does.
const GIVE_OWNERS: &str = "
    UPDATE Participants SET role = 'owner' WHERE participant_id IN (
        SELECT participant_id FROM (
            SELECT p.participant_id, row_number() OVER (
                PARTITION BY p.chat_id
                ORDER BY p.user_id IS c.creator_id DESC, p.joined_seq, p.participant_id) AS place
            FROM Participants p JOIN Chats c ON c.chat_id = p.chat_id WHERE NOT c.is_private)
        WHERE place = 1);
";

/// Makes a file of an earlier version one of the current version.
pub(super) fn run(connection: &Connection, version: i64) -> rusqlite::Result<()> {
    let messages: i64 =
        connection.query_row("SELECT ifnull(sum(last_number), 0) FROM Chats", [], |row| row.get(0))?;
    info!(version, messages, "upgrading the database");
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    if version < 2 {
        connection.execute_batch(FROM_1)?;
    }
    if version < 3 {
        connection.execute_batch(FROM_2)?;
        connection.execute_batch("UPDATE Users SET name_key = NULL")?;
        fill(connection)?;
    }
    if version < 4 {
        info!("each message is written anew");
        client_key::teach_to_store(connection)?;
        connection.execute_batch(FROM_3)?;
    }
    connection.execute_batch(FROM_4)?;
    connection.execute_batch(FROM_4_SEARCH)?;
    connection.execute_batch(FROM_4_FILES)?;
    connection.execute_batch(FROM_4_RETENTION)?;
    connection.execute_batch(FROM_4_NOTES_AND_BOTS)
}

/// Fills what earlier versions did not have: owners of groups, keys and skeletons of names. Of several people of one
/// name, or of one look, the first one gets it.
pub(super) fn fill(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(GIVE_OWNERS)?;
    let mut people =
        connection.prepare("SELECT user_id, user_name FROM Users WHERE user_id > ?1 ORDER BY user_id")?;
    let mut set_key = connection.prepare("UPDATE OR IGNORE Users SET name_key = ?2 WHERE user_id = ?1")?;
    let mut set_skeleton = connection.prepare(
        "UPDATE OR IGNORE Users SET name_skeleton = ?2 WHERE user_id = ?1 AND name_key IS NOT NULL",
    )?;
    let mut last = i64::MIN;
    loop {
        // A page at a time: what is being read is being written to.
        let page: Vec<(i64, String)> = people
            .query_map([last], |row| Ok((row.get(0)?, row.get(1)?)))?
            .take(1_000)
            .collect::<rusqlite::Result<_>>()?;
        let Some((newest, _)) = page.last() else { return Ok(()) };
        last = *newest;
        for (user_id, user_name) in &page {
            set_key.execute((user_id, names::key(user_name)))?;
            set_skeleton.execute((user_id, names::skeleton(user_name)))?;
        }
    }
}
