//! Chats in SQLite: creating them, and the list of a person's chats in a number of statements that does not grow
//! with the chats.

use std::collections::BTreeSet;

use rusqlite::{OptionalExtension, Row};
use ttp::model::{Change, Chat, ChatCreated, ChatId, ChatSettings, Entry, Message, Role, User, UserId};

use super::accounts::standing;
use super::budget::{Budget, message_bytes, text_bytes, user_bytes};
use super::members::{id_list, require_access};
use super::messages;
use super::rooms;
use super::tables::{Failure, Tables};
use super::users;
use super::writer::Turn;
use crate::rights::{ChatAct, ServerAct};
use crate::store::{ChatDetail, ChatsQuery, Committed, NewChat, Page, StoreError};

/// People of each chat that are told even when the page is full: of a private chat, both.
const USERS_ALWAYS: usize = 2;

/// Braces, member names and numbers of a chat.
const CHAT_BYTES: usize = 528;

/// Stores a chat, or finds it.
pub(super) fn insert(turn: &mut Turn<'_>, new: &NewChat) -> Result<Chat, Failure> {
    let tables = turn.tables;
    let chat_id = match find_by_key(tables, new)? {
        Some(chat_id) => chat_id,
        None => {
            require_users(tables, new)?;
            let is_group = new.settings != ChatSettings::default();
            let private_key = private_key(&new.users).filter(|_| !is_group);
            match find_private(tables, private_key.as_deref())? {
                // The pair is a key that everybody can guess: who asks must be one of the two.
                Some(chat_id) => {
                    require_access(tables, chat_id, Some(new.viewer), ChatAct::Read)?;
                    chat_id
                }
                None => create(turn, new, private_key)?,
            }
        }
    };
    one(tables, chat_id, new.viewer, new.detail)
}

/// A chat as somebody sees it, who may be in it or not.
pub(super) fn one(
    tables: Tables<'_>,
    chat_id: ChatId,
    viewer: UserId,
    detail: ChatDetail,
) -> Result<Chat, Failure> {
    let chat = tables
        .statement(
            "SELECT c.chat_id, c.chat_name, c.is_private, c.last_seq, c.last_number,
                    ifnull(c.last_number - max(p.read_number, c.purged_number), 0), c.activity_ts, p.role, c.user_count,
                    (SELECT count(*) FROM Mentions n WHERE n.user_id IN (p.user_id, 0) AND n.chat_id = c.chat_id
                     AND n.number > p.read_number),
                    c.topic, c.room_name, c.is_public, c.is_archived, c.users_max,
                    c.keep_ms, c.keep_messages, c.purged_seq
             FROM Chats c LEFT JOIN Participants p ON p.chat_id = c.chat_id AND p.user_id = ?2
             WHERE c.chat_id = ?1",
        )?
        .query_row((chat_id.0, viewer.0), from_row)?;
    let mut chats = [chat];
    fill(tables, &mut chats, detail, false)?;
    let [chat] = chats;
    Ok(chat)
}

/// A page of a person's chats.
pub(super) fn page(tables: Tables<'_>, query: ChatsQuery) -> Result<Page<Chat>, Failure> {
    users::get(tables, query.user_id)?;
    let before_ts = query.before.map(|before| before.activity_ts);
    let before_id = query.before.map(|before| before.chat_id.0);
    let chats_max = i64::try_from(query.chats_max).unwrap_or(i64::MAX - 1);
    let mut items = tables
        .statement(
            "SELECT c.chat_id, c.chat_name, c.is_private, c.last_seq, c.last_number,
                    c.last_number - max(p.read_number, c.purged_number), c.activity_ts, p.role, c.user_count,
                    (SELECT count(*) FROM Mentions n WHERE n.user_id IN (p.user_id, 0) AND n.chat_id = c.chat_id
                     AND n.number > p.read_number),
                    c.topic, c.room_name, c.is_public, c.is_archived, c.users_max,
                    c.keep_ms, c.keep_messages, c.purged_seq
             FROM Participants p JOIN Chats c ON c.chat_id = p.chat_id
             WHERE p.user_id = ?1 AND (?2 IS NULL OR (c.activity_ts, c.chat_id) < (?2, ?3))
             ORDER BY c.activity_ts DESC, c.chat_id DESC LIMIT ?4",
        )?
        .query_map((query.user_id.0, before_ts, before_id, chats_max + 1), from_row)?
        .collect::<rusqlite::Result<Vec<Chat>>>()?;
    let more = items.len() > query.chats_max;
    items.truncate(query.chats_max);
    let fitting = fill(tables, &mut items, query.detail, query.ends_when_full)?;
    let more = more || fitting < items.len();
    items.truncate(fitting);
    Ok(Page { items, more })
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Chat> {
    Ok(Chat {
        chat_id: ChatId(row.get(0)?),
        chat_name: row.get(1)?,
        users: Vec::new(),
        messages: Vec::new(),
        is_private: row.get(2)?,
        last_seq: row.get(3)?,
        last_number: row.get(4)?,
        unread: row.get(5)?,
        activity_ts: row.get(6)?,
        role: row.get::<_, Option<String>>(7)?.as_deref().and_then(Role::from_name),
        user_count: row.get(8)?,
        mentions: row.get(9)?,
        topic: row.get(10)?,
        room_name: row.get::<_, Option<String>>(11)?.unwrap_or_default(),
        is_public: row.get(12)?,
        is_archived: row.get(13)?,
        users_max: row.get(14)?,
        keep_ms: row.get(15)?,
        keep_messages: row.get(16)?,
        purged_seq: row.get(17)?,
    })
}

/// Adds people and messages: two statements, however many chats there are. Answers how many of the chats fit.
fn fill(
    tables: Tables<'_>,
    chats: &mut [Chat],
    detail: ChatDetail,
    ends_when_full: bool,
) -> Result<usize, Failure> {
    fill_users(tables, chats, detail)?;
    let mut budget = Budget::new(detail.bytes_max);
    let mut fitting = chats.len();
    for (place, chat) in chats.iter().enumerate() {
        let bytes = bytes_in_any_case(chat);
        if budget.take(bytes) {
            continue;
        }
        if ends_when_full && place > 0 {
            fitting = place;
            break;
        }
        budget.take_anyway(bytes);
    }
    let chats = &mut chats[..fitting];
    for users in chats.iter_mut().map(|chat| &mut chat.users) {
        let further =
            users.iter().skip(USERS_ALWAYS).take_while(|user| budget.take(user_bytes(user))).count();
        users.truncate(USERS_ALWAYS + further);
    }
    if detail.messages_max > 0 {
        fill_messages(tables, chats, detail.messages_max, &mut budget)?;
    }
    Ok(fitting)
}

/// Of a chat without its messages and further people. A private chat is told by another name than it is stored with:
/// that of one of its people.
fn bytes_in_any_case(chat: &Chat) -> usize {
    let people = chat.users.iter().take(USERS_ALWAYS).map(user_bytes);
    let people: usize = if chat.is_private { 2 * people.sum::<usize>() } else { people.sum() };
    CHAT_BYTES + text_bytes(&chat.chat_name) + text_bytes(&chat.topic) + text_bytes(&chat.room_name) + people
}

/// Of a chat whose people are not asked for, only those come whose names make its own.
fn fill_users(tables: Tables<'_>, chats: &mut [Chat], detail: ChatDetail) -> Result<(), Failure> {
    let mut asked: Vec<&mut Chat> =
        chats.iter_mut().filter(|chat| detail.users_max > 0 || chat.is_private).collect();
    if asked.is_empty() {
        return Ok(());
    }
    let mut statement = tables.statement(
        "SELECT w.key, u.user_id, u.user_name
         FROM json_each(?1) w CROSS JOIN Participants p CROSS JOIN Users u
         WHERE p.chat_id = w.value AND u.user_id = p.user_id AND p.user_id <= ifnull(
             (SELECT q.user_id FROM Participants q WHERE q.chat_id = w.value
              ORDER BY q.user_id LIMIT 1 OFFSET ?2), 9223372036854775807)",
    )?;
    let ids = id_list(asked.iter().map(|chat| chat.chat_id.0));
    // More than fit into the page are not even held in memory.
    let mut budget = Budget::new(detail.bytes_max);
    let mut rows = statement.query((ids, detail.users_max.max(USERS_ALWAYS) - 1))?;
    while let Some(row) = rows.next()? {
        let place: usize = row.get(0)?;
        let users: &mut Vec<User> = &mut asked[place].users;
        let user = users::from_row(row, 1)?;
        if budget.take(user_bytes(&user)) || users.len() < USERS_ALWAYS {
            users.push(user);
        }
    }
    for chat in asked {
        chat.users.sort_unstable_by_key(|user| user.user_id);
    }
    Ok(())
}

/// Rows come chat by chat, because the list of chats is the outer loop. Of a chat whose messages do not all fit, the
/// newest are kept, and the chats after it get none.
fn fill_messages(
    tables: Tables<'_>,
    chats: &mut [Chat],
    messages_max: usize,
    budget: &mut Budget,
) -> Result<(), Failure> {
    let mut statement = tables.statement(
        "SELECT w.key, m.message_id, m.chat_id, m.user_id, u.user_name, m.message_text, m.message_ts, m.seq,
                m.number, m.client_message_id, m.details
         FROM json_each(?1) w CROSS JOIN Messages m CROSS JOIN Users u
         WHERE m.chat_id = w.value AND u.user_id = m.user_id AND m.seq >= ifnull(
             (SELECT n.seq FROM Messages n WHERE n.chat_id = w.value
              ORDER BY n.seq DESC LIMIT 1 OFFSET ?2), 0)",
    )?;
    let ids = id_list(chats.iter().map(|chat| chat.chat_id.0));
    let mut rows = statement.query((ids, messages_max - 1))?;
    let mut open = None;
    while let Some(row) = rows.next()? {
        let place: usize = row.get(0)?;
        if let Some(last) = open.replace(place).filter(|last| *last != place)
            && !keep_newest(&mut chats[last].messages, budget)
        {
            return Ok(());
        }
        chats[place].messages.push(messages::from_row(row, 1)?);
    }
    if let Some(last) = open {
        keep_newest(&mut chats[last].messages, budget);
    }
    Ok(())
}

/// Keeps what fits. Answers whether that is everything.
fn keep_newest(messages: &mut Vec<Message>, budget: &mut Budget) -> bool {
    messages.sort_unstable_by_key(|message| message.seq);
    let kept = messages.iter().rev().take_while(|message| budget.take(message_bytes(message))).count();
    messages.drain(..messages.len() - kept).len() == 0
}

/// "LOW:HIGH" when these are the two people of a private chat.
pub(super) fn private_key(users: &[UserId]) -> Option<String> {
    match users {
        [one, other] => Some(format!("{}:{}", one.min(other), one.max(other))),
        _ => None,
    }
}

fn find_private(tables: Tables<'_>, private_key: Option<&str>) -> rusqlite::Result<Option<ChatId>> {
    let Some(key) = private_key else { return Ok(None) };
    tables
        .statement("SELECT chat_id FROM Chats WHERE private_key = ?1")?
        .query_row([key], |row| row.get(0).map(ChatId))
        .optional()
}

fn find_by_key(tables: Tables<'_>, new: &NewChat) -> Result<Option<ChatId>, Failure> {
    let (Some(creator), Some(key)) = (new.creator, &new.client_chat_id) else {
        return Ok(None);
    };
    // As it was created: it may be called something else by now.
    let found: Option<(ChatId, String, bool, Option<String>)> = tables
        .statement(
            "SELECT c.chat_id, e.details, c.is_private, c.client_settings
             FROM Chats c JOIN Changes e ON e.chat_id = c.chat_id AND e.seq = 1
             WHERE c.creator_id = ?1 AND c.client_chat_id = ?2",
        )?
        .query_row((creator.0, key), |row| {
            Ok((row.get(0).map(ChatId)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })
        .optional()?;
    let Some((chat_id, chat_name, is_private, settings)) = found else {
        return Ok(None);
    };
    let same_name = is_private || new.chat_name == chat_name;
    let same_users = first_users(tables, chat_id)? == new.users.iter().copied().collect();
    if !same_name || !same_users || settings != client_settings(new)? {
        return Err(StoreError::KeyReused.into());
    }
    // Who was removed since has no more right to the chat than others.
    require_access(tables, chat_id, Some(new.viewer), ChatAct::Read)?;
    Ok(Some(chat_id))
}

/// The rules that a key stands for, if it stands for any.
fn client_settings(new: &NewChat) -> Result<Option<String>, Failure> {
    if new.client_chat_id.is_none() || new.settings == ChatSettings::default() {
        return Ok(None);
    }
    serde_json::to_string(&new.settings).map(Some).map_err(|_| StoreError::Failed.into())
}

/// The people that a chat was created with, whoever came and went since: those who are in it without an entry of
/// their own, and those whose first entry says that they left.
fn first_users(tables: Tables<'_>, chat_id: ChatId) -> rusqlite::Result<BTreeSet<UserId>> {
    tables
        .statement(
            "SELECT user_id FROM Participants WHERE chat_id = ?1 AND joined_seq = 1
             UNION
             SELECT user_id FROM (
                 SELECT user_id, kind, min(seq) FROM Changes
                 WHERE chat_id = ?1 AND kind IN ('joined', 'left') GROUP BY user_id)
             WHERE kind = 'left'",
        )?
        .query_map([chat_id.0], |row| row.get(0).map(UserId))?
        .collect()
}

fn require_users(tables: Tables<'_>, new: &NewChat) -> Result<(), Failure> {
    let ids = id_list(new.users.iter().chain(&new.creator).map(|user_id| user_id.0));
    let unknown = tables
        .statement("SELECT value FROM json_each(?1) WHERE value NOT IN (SELECT user_id FROM Users) LIMIT 1")?
        .query_row([ids], |row| row.get(0).map(UserId))
        .optional()?;
    unknown.map_or(Ok(()), |user_id| Err(StoreError::NoSuchUser(user_id).into()))
}

/// Refuses who may not create such a chat, and a new chat with people whose accounts are closed.
fn require_right(tables: Tables<'_>, new: &NewChat, is_private: bool) -> Result<(), Failure> {
    let act = if is_private { ServerAct::CreatePrivateChat } else { ServerAct::CreateGroup };
    if let Some(creator) = new.creator {
        act.check(standing(tables, creator)?.role).map_err(StoreError::NotAllowed)?;
    }
    let ids = id_list(new.users.iter().map(|user_id| user_id.0));
    let closed = "SELECT 1 FROM json_each(?1) w CROSS JOIN Users u
                  WHERE u.user_id = w.value AND u.deactivated_ts IS NOT NULL LIMIT 1";
    if tables.statement(closed)?.exists([ids])? { Err(StoreError::Deactivated.into()) } else { Ok(()) }
}

/// Stores a chat that is not there, and the entries that say so.
pub(super) fn create(
    turn: &mut Turn<'_>,
    new: &NewChat,
    private_key: Option<String>,
) -> Result<ChatId, Failure> {
    let is_private = private_key.is_some();
    require_right(turn.tables, new, is_private)?;
    let chat_name = if is_private { "" } else { new.chat_name.as_str() };
    let by = new.creator.map(|creator| users::get(turn.tables, creator)).transpose()?;
    let creator = new.creator.map(|creator| creator.0);
    turn.tables
        .statement(
            "INSERT INTO Chats (chat_name, is_private, private_key, creator_id, client_chat_id, last_seq,
                                last_number, activity_ts, created_ts, changed_ts, user_count, client_settings)
             VALUES (?1, ?2, ?3, ?4, ?5, 1, 0, ?6, ?6, ?6, ?7, ?8)",
        )?
        .execute((
            chat_name,
            is_private,
            private_key,
            creator,
            &new.client_chat_id,
            turn.now,
            new.users.len(),
            client_settings(new)?,
        ))?;
    let chat_id = ChatId(turn.tables.last_row_id());
    turn.tables
        .statement(
            "INSERT INTO Changes (chat_id, seq, kind, change_ts, by_user_id, details)
             VALUES (?1, 1, 'created', ?2, ?3, ?4)",
        )?
        .execute((chat_id.0, turn.now, creator, chat_name))?;
    turn.tables
        .statement(
            "INSERT INTO Participants (chat_id, user_id, joined_seq, read_number, role)
             SELECT ?1, value, 1, 0, iif(value = ?3, 'owner', 'member') FROM json_each(?2)",
        )?
        .execute((chat_id.0, id_list(new.users.iter().map(|user_id| user_id.0)), owner(new, is_private)))?;
    let created =
        ChatCreated { chat_name: chat_name.into(), is_private, by: by.clone(), change_ts: turn.now };
    let entry = Entry { chat_id, seq: 1, change: Change::Created(created) };
    turn.entries.push(Committed { entry, first_users: new.users.as_slice().into() });
    rooms::found(turn, chat_id, new, by)?;
    Ok(chat_id)
}

/// Who owns a new group: its creator, or the first of its people where nobody of them has created it.
fn owner(new: &NewChat, is_private: bool) -> Option<i64> {
    let creator = new.creator.filter(|creator| new.users.contains(creator));
    creator.or(new.users.first().copied()).filter(|_| !is_private).map(|user_id| user_id.0)
}
