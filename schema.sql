-- The one definition of Talko's SQLite tables. `user_version` says which definition a file follows, and
-- `application_id` ("Tlko") that the file is Talko's. Users, Chats, Participants and Messages have the names, and among
-- theirs the columns, that they had in the 2020 system. Times are milliseconds since the Unix epoch.

PRAGMA application_id = 1416391535;
PRAGMA user_version = 5;

-- One row about the file itself. A file that was restored from a copy lives a new life: it gets another epoch, and
-- cursors of the former one are refused. last_message_id is the highest message_id that was given, or higher.
-- general_chat_id is the room that every new account joins, where there is one.
CREATE TABLE Meta (
    meta_id         INTEGER PRIMARY KEY CHECK (meta_id = 1),
    epoch           TEXT    NOT NULL,
    created_ts      INTEGER NOT NULL,
    last_message_id INTEGER NOT NULL DEFAULT 0,
    general_chat_id INTEGER REFERENCES Chats (chat_id)
) STRICT;

-- name_key is the name normalized and with its case folded: people are found by it. name_skeleton is what it looks like.
-- People of version 1 may bear a name that is taken: the first one has the key and the skeleton, the others have none.
-- Who has a password has an account, and both. An account that was closed has a deactivated_ts and no password.
CREATE TABLE Users (
    user_id        INTEGER PRIMARY KEY,
    user_name      TEXT    NOT NULL,
    name_key       TEXT    UNIQUE,
    created_ts     INTEGER NOT NULL,
    name_skeleton  TEXT,
    password_hash  TEXT,
    server_role    TEXT    NOT NULL DEFAULT 'member' CHECK (server_role IN ('guest', 'member', 'moderator', 'owner')),
    deactivated_ts INTEGER
) STRICT;

CREATE UNIQUE INDEX UsersBySkeleton ON Users (name_skeleton);
CREATE INDEX UsersByServerRole ON Users (server_role) WHERE password_hash IS NOT NULL;

-- One row for each session until an hour after its end, so that everybody can be told of it. A number is never used
-- again. token_hash is SHA-256 of the token, which is stored nowhere. used_ts is the time of a use, but not of each.
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

-- code_hash is SHA-256 of the code. role is the server_role of the accounts that are made with it.
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

-- private_key is "LOW:HIGH", the numbers of the two people of a private chat: two people have one such chat.
-- last_seq and last_number are the newest numbers of the chat's log and among its messages. activity_ts is the time
-- of the newest message, or of the creation. A time of 0 is one that a 2020 file did not know. changed_ts is at most ten
-- seconds before the newest entry of the log: it is moved seldom, because it is in an index. user_count is the number of
-- Participants. topic, room_name and the columns after it are the rules of a group as the log says: room_name, without case,
-- is what a room is found by, and room_skeleton what that looks like. client_settings is, as JSON, which rules were asked
-- for with the client_chat_id. Up to purged_seq, and to purged_number among the messages, messages and what was done with
-- them are gone, because the chat keeps them for keep_ms only, or only the newest keep_messages; 0 is for ever, and all.
CREATE TABLE Chats (
    chat_id        INTEGER PRIMARY KEY,
    chat_name      TEXT    NOT NULL,
    is_private     INTEGER NOT NULL CHECK (is_private IN (0, 1)),
    private_key    TEXT    UNIQUE,
    creator_id     INTEGER REFERENCES Users (user_id),
    client_chat_id TEXT,
    last_seq       INTEGER NOT NULL,
    last_number    INTEGER NOT NULL,
    activity_ts    INTEGER NOT NULL,
    created_ts     INTEGER NOT NULL,
    changed_ts     INTEGER NOT NULL DEFAULT 0,
    user_count     INTEGER NOT NULL DEFAULT 0,
    topic          TEXT    NOT NULL DEFAULT '',
    room_name      TEXT,
    is_public      INTEGER NOT NULL DEFAULT 0 CHECK (is_public IN (0, 1)),
    is_archived    INTEGER NOT NULL DEFAULT 0 CHECK (is_archived IN (0, 1)),
    users_max      INTEGER NOT NULL DEFAULT 0,
    room_skeleton  TEXT,
    client_settings TEXT,
    keep_ms        INTEGER NOT NULL DEFAULT 0,
    keep_messages  INTEGER NOT NULL DEFAULT 0,
    purged_seq     INTEGER NOT NULL DEFAULT 0,
    purged_number  INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE UNIQUE INDEX ChatsByRoomName ON Chats (room_name) WHERE room_name IS NOT NULL;
CREATE UNIQUE INDEX ChatsByRoomSkeleton ON Chats (room_skeleton) WHERE room_skeleton IS NOT NULL;
CREATE INDEX ChatsByPublicity ON Chats (chat_id) WHERE is_public;
CREATE UNIQUE INDEX ChatsByClientKey ON Chats (creator_id, client_chat_id) WHERE client_chat_id IS NOT NULL;
CREATE INDEX ChatsByChange ON Chats (changed_ts);
CREATE INDEX ChatsByRetention ON Chats (chat_id) WHERE keep_ms > 0 OR keep_messages > 0;

-- joined_seq is the entry of the log by which the person came, read_number the newest message marked as read. A group
-- has an owner as long as there are people in it; in a private chat both are members.
CREATE TABLE Participants (
    participant_id INTEGER PRIMARY KEY,
    chat_id        INTEGER NOT NULL REFERENCES Chats (chat_id),
    user_id        INTEGER NOT NULL REFERENCES Users (user_id),
    joined_seq     INTEGER NOT NULL,
    read_number    INTEGER NOT NULL,
    role           TEXT    NOT NULL DEFAULT 'member' CHECK (role IN ('guest', 'member', 'moderator', 'owner')),
    UNIQUE (chat_id, user_id)
) STRICT;

CREATE INDEX ParticipantsByUserId ON Participants (user_id, chat_id);

-- Messages and Changes together are the log of each chat: seq is 1, 2, 3 … without holes over both tables, but for what
-- was purged. number counts the messages of a chat alone, without holes too. What is read together, the messages of a chat, lies
-- together. message_id is of one message in all chats and rises with each that is stored, but nothing is found by it.
-- client_message_id is a BLOB of 16 bytes when the key is a ULID, else a TEXT. details is what a message has besides its
-- text, as JSON; most have nothing. Of a message that was deleted the text is empty.
CREATE TABLE Messages (
    chat_id           INTEGER NOT NULL REFERENCES Chats (chat_id),
    seq               INTEGER NOT NULL,
    message_id        INTEGER NOT NULL,
    user_id           INTEGER NOT NULL REFERENCES Users (user_id),
    message_text      TEXT    NOT NULL,
    message_ts        INTEGER NOT NULL,
    number            INTEGER NOT NULL,
    client_message_id ANY,
    details           TEXT,
    PRIMARY KEY (chat_id, seq)
) STRICT, WITHOUT ROWID;

-- The key first, because ULIDs sort by time: whoever sends a message, it goes to the end of the index.
CREATE UNIQUE INDEX MessagesByClientKey ON Messages (client_message_id, user_id) WHERE client_message_id IS NOT NULL;

-- Entries of the log that are not messages. user_id joined, left, has the role or may not do something from now on;
-- by_user_id did it, or created the chat, and is null when it is not known. target_seq is the entry of the message that is
-- changed. details is, of a creation the chat's name, of a reaction its sign, of an edit, an update and a restriction what it
-- says as JSON; of an edit of a message that was deleted since it is null.
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

CREATE INDEX ChangesByTime ON Changes (change_ts) WHERE kind IN ('created', 'joined', 'left');
CREATE INDEX ChangesByTarget ON Changes (chat_id, target_seq) WHERE target_seq IS NOT NULL;

-- What a message said before its first edit, for as long as it is not deleted. What it said later is in its edits.
CREATE TABLE Originals (
    chat_id      INTEGER NOT NULL,
    seq          INTEGER NOT NULL,
    message_text TEXT    NOT NULL,
    PRIMARY KEY (chat_id, seq),
    FOREIGN KEY (chat_id, seq) REFERENCES Messages (chat_id, seq)
) STRICT, WITHOUT ROWID;

-- Signs that are on messages now, and messages that are pinned now, as the log says.
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

-- Messages of each thread by the entry of its first one.
CREATE TABLE Threads (
    chat_id    INTEGER NOT NULL,
    thread_seq INTEGER NOT NULL,
    seq        INTEGER NOT NULL,
    PRIMARY KEY (chat_id, thread_seq, seq),
    FOREIGN KEY (chat_id, seq) REFERENCES Messages (chat_id, seq)
) STRICT, WITHOUT ROWID;

CREATE INDEX ThreadsBySeq ON Threads (chat_id, seq);

-- The keys of messages that were purged, with what their senders were answered: a key is never another message's.
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

-- Who is called by which message, by the message's number among those of its chat: what is above read_number is unread.
-- A user_id of 0 is everybody in the chat; then nobody else has a row of the same message.
CREATE TABLE Mentions (
    user_id INTEGER NOT NULL,
    chat_id INTEGER NOT NULL REFERENCES Chats (chat_id),
    number  INTEGER NOT NULL,
    PRIMARY KEY (user_id, chat_id, number)
) STRICT, WITHOUT ROWID;

CREATE INDEX MentionsByMessage ON Mentions (chat_id, number);

-- Who may not be in a group, or not write in it, until when; null is for ever.
CREATE TABLE Restrictions (
    chat_id  INTEGER NOT NULL REFERENCES Chats (chat_id),
    user_id  INTEGER NOT NULL REFERENCES Users (user_id),
    penalty  TEXT    NOT NULL CHECK (penalty IN ('ban', 'mute')),
    until_ts INTEGER,
    PRIMARY KEY (chat_id, user_id, penalty)
) STRICT, WITHOUT ROWID;

-- Rows of a 2020 file that these rules cannot hold. row_json has each column's value as an SQL literal.
CREATE TABLE Leftovers (
    leftover_id INTEGER PRIMARY KEY,
    table_name  TEXT    NOT NULL,
    reason      TEXT    NOT NULL,
    row_json    TEXT    NOT NULL
) STRICT;

-- By which words messages are found. A row is a message that is numbered chat_id * 2^32 + seq, so that those of a chat lie
-- together in their order; the texts themselves stand in Messages alone. What it is given is read before: words are ASCII
-- letters and digits and everything else that is no ASCII, @ begins an author and # what a message has.
CREATE VIRTUAL TABLE MessagesText USING fts5 (
    words, content = '', columnsize = 0, tokenize = "ascii tokenchars '@#'"
);
-- What is deleted is gone from the index at once, and an index that is filled in large steps has few parts.
INSERT INTO MessagesText (MessagesText, rank) VALUES ('secure-delete', 1);
INSERT INTO MessagesText (MessagesText, rank) VALUES ('hashsize', 4194304);

-- How far each chat can be found by words: up to this entry of its log. Later ones are looked through one by one.
-- analysis says how texts were read.
CREATE TABLE TextMarks (
    chat_id     INTEGER PRIMARY KEY REFERENCES Chats (chat_id),
    indexed_seq INTEGER NOT NULL,
    analysis    INTEGER NOT NULL
) STRICT;

-- Files of messages, which lie beside the database under the names of their hashes: what is here is there. media_type, width
-- and height are what the first bytes of an image say. A file that nobody needs any more is free, and soon gone.
CREATE TABLE Files (
    sha256     BLOB    NOT NULL PRIMARY KEY CHECK (length(sha256) = 32),
    bytes      INTEGER NOT NULL CHECK (bytes > 0),
    media_type TEXT,
    width      INTEGER NOT NULL DEFAULT 0,
    height     INTEGER NOT NULL DEFAULT 0,
    is_free    INTEGER NOT NULL DEFAULT 0 CHECK (is_free IN (0, 1))
) STRICT, WITHOUT ROWID;

CREATE INDEX FilesByFreedom ON Files (sha256) WHERE is_free;

-- Who has sent the whole of a file and not put it into a message since.
CREATE TABLE Uploads (
    user_id     INTEGER NOT NULL REFERENCES Users (user_id),
    sha256      BLOB    NOT NULL REFERENCES Files (sha256),
    uploaded_ts INTEGER NOT NULL,
    PRIMARY KEY (user_id, sha256)
) STRICT, WITHOUT ROWID;

CREATE INDEX UploadsByFile ON Uploads (sha256);
CREATE INDEX UploadsByTime ON Uploads (uploaded_ts);

-- Which messages have which files. No file goes that stands here.
CREATE TABLE Attachments (
    chat_id INTEGER NOT NULL,
    seq     INTEGER NOT NULL,
    sha256  BLOB    NOT NULL REFERENCES Files (sha256),
    PRIMARY KEY (chat_id, seq, sha256),
    FOREIGN KEY (chat_id, seq) REFERENCES Messages (chat_id, seq)
) STRICT, WITHOUT ROWID;

CREATE INDEX AttachmentsByFile ON Attachments (sha256);

-- What a person's devices share, by the person's own numbers 1, 2, 3 …: version is the newest one. changed_ts is at most ten
-- seconds before it.
CREATE TABLE Notebooks (
    user_id    INTEGER PRIMARY KEY REFERENCES Users (user_id),
    version    INTEGER NOT NULL,
    changed_ts INTEGER NOT NULL
) STRICT;

CREATE INDEX NotebooksByChange ON Notebooks (changed_ts);

-- With which number a person's mark in a chat was moved last. Where it stands is read_number of Participants.
CREATE TABLE Marks (
    user_id INTEGER NOT NULL REFERENCES Users (user_id),
    chat_id INTEGER NOT NULL REFERENCES Chats (chat_id),
    version INTEGER NOT NULL,
    PRIMARY KEY (user_id, chat_id)
) STRICT, WITHOUT ROWID;

-- What somebody has begun to write in a chat; of a draft that was taken away the text is empty.
CREATE TABLE Drafts (
    user_id    INTEGER NOT NULL REFERENCES Users (user_id),
    chat_id    INTEGER NOT NULL REFERENCES Chats (chat_id),
    version    INTEGER NOT NULL,
    draft_text TEXT    NOT NULL,
    reply_to   INTEGER,
    PRIMARY KEY (user_id, chat_id)
) STRICT, WITHOUT ROWID;

-- Accounts of programs, each of which belongs to a person. They have no password, and one session.
CREATE TABLE Bots (
    user_id    INTEGER PRIMARY KEY REFERENCES Users (user_id),
    owner_id   INTEGER NOT NULL REFERENCES Users (user_id),
    created_ts INTEGER NOT NULL
) STRICT;

CREATE INDEX BotsByOwner ON Bots (owner_id);
