//! Rooms in SQLite: the rules of groups, the list of public rooms, joining one of them, and the room that is everybody's.

use rusqlite::{OptionalExtension, Row};
use ttp::call::{RestrictionInfo, Room, RoomsReply};
use ttp::model::{Change, Chat, ChatId, ChatSettings, ChatUpdate, Membership, Role, User, UserId};

use super::accounts::standing;
use super::admission::Class;
use super::budget::{Budget, text_bytes};
use super::tables::{Failure, Tables};
use super::writer::Turn;
use super::{SqliteStore, changes, chats, members, restrictions, roles, users};
use crate::names;
use crate::rights::{ChatAct, ServerAct};
use crate::store::{
    By, ChatDetail, Done, Joining, NewChat, NewRestriction, Page, RestrictionsQuery, RoomSought, Rooms,
    RoomsQuery, SettingsUpdate, StoreError,
};

/// Braces, member names and numbers of a room.
const ROOM_BYTES: usize = 192;

impl Rooms for SqliteStore {
    fn update_chat(&self, by: By, update: SettingsUpdate, done: Done<()>) {
        self.write_by(by, update.by, Class::Other, done, move |turn| self::update(turn, update));
    }

    fn rooms(&self, by: By, query: RoomsQuery, done: Done<RoomsReply>) {
        self.ask_by(&self.heavy_reads, by, Some(query.viewer), Class::History, done, move |tables| {
            page(tables, &query)
        });
    }

    fn join_chat(&self, by: By, joining: Joining, done: Done<Chat>) {
        self.write_by(by, joining.user_id, Class::Other, done, move |turn| join(turn, &joining));
    }

    fn restrict(&self, by: By, restriction: NewRestriction, done: Done<()>) {
        self.write_by(by, restriction.by, Class::Other, done, move |turn| {
            restrictions::set(turn, restriction)
        });
    }

    fn restrictions(&self, by: By, query: RestrictionsQuery, done: Done<Page<RestrictionInfo>>) {
        let now = (self.clock)();
        self.ask_by(&self.heavy_reads, by, Some(query.viewer), Class::History, done, move |tables| {
            restrictions::page(tables, query, now)
        });
    }

    fn open_general_room(&self, room_name: String, done: Done<()>) {
        self.write(Class::Other, done, move |turn| open_general(turn, &room_name));
    }
}

/// What a group is called, its rules, and how many people are in it.
pub(super) struct Rules {
    chat_name: String,
    topic: String,
    room_name: Option<String>,
    is_public: bool,
    pub(super) is_archived: bool,
    pub(super) users_max: u64,
    keep_ms: u64,
    keep_messages: u64,
    pub(super) user_count: u64,
}

impl Rules {
    /// Of a group that nobody gave any.
    fn at_the_beginning(chat_name: &str, user_count: u64) -> Self {
        Self {
            chat_name: chat_name.into(),
            topic: String::new(),
            room_name: None,
            is_public: false,
            is_archived: false,
            users_max: 0,
            keep_ms: 0,
            keep_messages: 0,
            user_count,
        }
    }

    /// Whether nobody more may enter.
    pub(super) fn is_full(&self) -> bool {
        self.users_max > 0 && self.user_count >= self.users_max
    }

    /// What of the settings is not so yet.
    fn difference(&self, settings: ChatSettings) -> ChatSettings {
        let ChatSettings { chat_name, topic, room_name, is_public, is_archived, users_max, .. } = settings;
        let ChatSettings { keep_ms, keep_messages, .. } = settings;
        ChatSettings {
            chat_name: chat_name.filter(|name| *name != self.chat_name),
            topic: topic.filter(|topic| *topic != self.topic),
            room_name: room_name.filter(|name| *name != self.room_name.as_deref().unwrap_or_default()),
            is_public: is_public.filter(|is_public| *is_public != self.is_public),
            is_archived: is_archived.filter(|is_archived| *is_archived != self.is_archived),
            users_max: users_max.filter(|users_max| *users_max != self.users_max),
            keep_ms: keep_ms.filter(|keep_ms| *keep_ms != self.keep_ms),
            keep_messages: keep_messages.filter(|keep_messages| *keep_messages != self.keep_messages),
        }
    }
}

/// The rules of a chat that is there.
pub(super) fn rules(tables: Tables<'_>, chat_id: ChatId) -> rusqlite::Result<Rules> {
    tables
        .statement(
            "SELECT chat_name, topic, room_name, is_public, is_archived, users_max, user_count, keep_ms, keep_messages
             FROM Chats WHERE chat_id = ?1",
        )?
        .query_row([chat_id.0], |row| {
            Ok(Rules {
                chat_name: row.get(0)?,
                topic: row.get(1)?,
                room_name: row.get(2)?,
                is_public: row.get(3)?,
                is_archived: row.get(4)?,
                users_max: row.get(5)?,
                user_count: row.get(6)?,
                keep_ms: row.get(7)?,
                keep_messages: row.get(8)?,
            })
        })
}

/// Changes what a group is called, or its rules.
fn update(turn: &mut Turn<'_>, update: SettingsUpdate) -> Result<(), Failure> {
    let SettingsUpdate { chat_id, settings, by } = update;
    members::require_group(turn.tables, chat_id)?;
    let role = roles::of(turn.tables, chat_id, by)?;
    let role = role.ok_or(StoreError::NotAParticipant { user_id: by, chat_id })?;
    for act in acts(&settings) {
        act.check(role).map_err(StoreError::NotAllowed)?;
    }
    let rules = rules(turn.tables, chat_id)?;
    if rules.is_archived && settings.is_archived != Some(false) {
        return Err(StoreError::Archived(chat_id).into());
    }
    let by = users::get(turn.tables, by)?;
    apply(turn, chat_id, &rules, settings, Some(by))
}

/// What somebody does who changes these.
fn acts(settings: &ChatSettings) -> impl Iterator<Item = ChatAct> {
    let ChatSettings { chat_name, topic, room_name, is_public, is_archived, users_max, .. } = settings;
    let describes = chat_name.is_some() || topic.is_some();
    let keeps = settings.keep_ms.is_some() || settings.keep_messages.is_some();
    let governs = room_name.is_some() || is_public.is_some() || is_archived.is_some() || users_max.is_some();
    let governs = governs || keeps;
    let acts = [describes.then_some(ChatAct::Describe), governs.then_some(ChatAct::Govern)];
    acts.into_iter().flatten()
}

/// Gives a group that was created just now the rules that were asked for.
pub(super) fn found(
    turn: &mut Turn<'_>,
    chat_id: ChatId,
    new: &NewChat,
    by: Option<User>,
) -> Result<(), Failure> {
    let rules = Rules::at_the_beginning(&new.chat_name, new.users.len() as u64);
    apply(turn, chat_id, &rules, new.settings.clone(), by)
}

/// Writes what is not so yet, and the entry that says so.
fn apply(
    turn: &mut Turn<'_>,
    chat_id: ChatId,
    rules: &Rules,
    settings: ChatSettings,
    by: Option<User>,
) -> Result<(), Failure> {
    let settings = rules.difference(settings);
    if settings == ChatSettings::default() {
        return Ok(());
    }
    if settings.users_max.is_some_and(|limit| limit > 0 && limit < rules.user_count) {
        return Err(StoreError::LimitTooLow(rules.user_count).into());
    }
    if let Some(name) = &settings.room_name {
        take_name(turn.tables, chat_id, name)?;
    }
    turn.tables
        .statement(
            "UPDATE Chats SET chat_name = ifnull(?2, chat_name), topic = ifnull(?3, topic),
                              is_public = ifnull(?4, is_public), is_archived = ifnull(?5, is_archived),
                              users_max = ifnull(?6, users_max), keep_ms = ifnull(?7, keep_ms),
                              keep_messages = ifnull(?8, keep_messages)
             WHERE chat_id = ?1",
        )?
        .execute((
            chat_id.0,
            &settings.chat_name,
            &settings.topic,
            settings.is_public,
            settings.is_archived,
            settings.users_max,
            settings.keep_ms,
            settings.keep_messages,
        ))?;
    let update = ChatUpdate { settings, by, change_ts: turn.now };
    changes::append(turn, chat_id, Change::Updated(update)).map(drop)
}

/// Gives a group this name, or none when it is empty. Refuses a name that another one has, or that looks like it.
fn take_name(tables: Tables<'_>, chat_id: ChatId, name: &str) -> Result<(), Failure> {
    let skeleton = names::skeleton(name);
    let taken = "SELECT 1 FROM Chats WHERE room_name = ?1 AND chat_id <> ?3
                 UNION ALL SELECT 1 FROM Chats WHERE room_skeleton = ?2 AND chat_id <> ?3";
    if !name.is_empty() && tables.statement(taken)?.exists((name, &skeleton, chat_id.0))? {
        return Err(StoreError::RoomNameTaken.into());
    }
    tables
        .statement(
            "UPDATE Chats SET room_name = nullif(?2, ''), room_skeleton = iif(?2 = '', NULL, ?3)
             WHERE chat_id = ?1",
        )?
        .execute((chat_id.0, name, skeleton))?;
    Ok(())
}

/// A page of the public rooms. The index is named because the numbers alone would lead through all chats.
fn page(tables: Tables<'_>, query: &RoomsQuery) -> Result<RoomsReply, Failure> {
    ServerAct::ListRooms.check(standing(tables, query.viewer)?.role).map_err(StoreError::NotAllowed)?;
    let part = query.part.as_deref().map(names::key).filter(|part| !part.is_empty());
    let mut statement = tables.statement(
        "SELECT c.chat_id, c.chat_name, c.room_name, c.topic, c.user_count, c.users_max, c.activity_ts,
                EXISTS (SELECT 1 FROM Participants p WHERE p.chat_id = c.chat_id AND p.user_id = ?1)
         FROM Chats c INDEXED BY ChatsByPublicity
         WHERE c.is_public AND c.chat_id > ?2 AND NOT c.is_archived ORDER BY c.chat_id LIMIT ?3",
    )?;
    let after = query.after.map_or(i64::MIN, |chat_id| chat_id.0);
    let mut rows = statement.query((query.viewer.0, after, query.searched_max))?;
    let mut budget = Budget::new(query.bytes_max);
    let mut reply = RoomsReply { rooms: Vec::new(), next_after: None };
    let (mut searched, mut last) = (0, None);
    while let Some(row) = rows.next()? {
        let room = room_from(row)?;
        let texts = [&room.chat_name, &room.room_name, &room.topic].map(|text| text_bytes(text));
        let bytes = ROOM_BYTES + texts.iter().sum::<usize>();
        let is_sought = part.as_ref().is_none_or(|part| is_called(&room, part));
        if is_sought && (reply.rooms.len() == query.rows_max || !budget.take(bytes) && last.is_some()) {
            reply.next_after = last;
            return Ok(reply);
        }
        searched += 1;
        last = Some(room.chat_id);
        if is_sought {
            reply.rooms.push(room);
        }
    }
    reply.next_after = last.filter(|_| searched == query.searched_max);
    Ok(reply)
}

fn room_from(row: &Row<'_>) -> rusqlite::Result<Room> {
    Ok(Room {
        chat_id: ChatId(row.get(0)?),
        chat_name: row.get(1)?,
        room_name: row.get::<_, Option<String>>(2)?.unwrap_or_default(),
        topic: row.get(3)?,
        user_count: row.get(4)?,
        users_max: row.get(5)?,
        activity_ts: row.get(6)?,
        is_member: row.get(7)?,
    })
}

fn is_called(room: &Room, part: &str) -> bool {
    room.room_name.contains(part) || names::key(&room.chat_name).contains(part)
}

/// Lets somebody into a public room.
fn join(turn: &mut Turn<'_>, joining: &Joining) -> Result<Chat, Failure> {
    let user_id = joining.user_id;
    let chat_id = match &joining.room {
        RoomSought::Number(chat_id) => *chat_id,
        RoomSought::Name(name) => find(turn.tables, name)?,
    };
    members::require_group(turn.tables, chat_id)?;
    if roles::of(turn.tables, chat_id, user_id)?.is_none() {
        ServerAct::JoinRoom.check(standing(turn.tables, user_id)?.role).map_err(StoreError::NotAllowed)?;
        let rules = rules(turn.tables, chat_id)?;
        if !rules.is_public {
            return Err(StoreError::NotPublic(chat_id).into());
        }
        let user = users::get(turn.tables, user_id)?;
        members::enter(turn, chat_id, Membership { user, by: None, change_ts: turn.now })?;
        if rules.user_count == 0 {
            roles::give(turn, chat_id, user_id, Role::Owner, None)?;
        }
    }
    chats::one(turn.tables, chat_id, user_id, joining.detail)
}

fn find(tables: Tables<'_>, name: &str) -> Result<ChatId, Failure> {
    tables
        .statement("SELECT chat_id FROM Chats WHERE room_name = ?1")?
        .query_row([names::key(name)], |row| row.get(0).map(ChatId))
        .optional()?
        .ok_or(StoreError::NoSuchRoom.into())
}

/// Makes the room that every new account joins, unless there is one. Everybody who has an account already is in it.
fn open_general(turn: &mut Turn<'_>, room_name: &str) -> Result<(), Failure> {
    if general(turn.tables)?.is_some() {
        return Ok(());
    }
    // Who is named first owns it.
    let people = "SELECT user_id FROM Users WHERE password_hash IS NOT NULL
                  ORDER BY server_role = 'owner' DESC, user_id";
    let mut statement = turn.tables.statement(people)?;
    let users = statement.query_map([], |row| row.get(0).map(UserId))?.collect::<rusqlite::Result<_>>()?;
    let new = NewChat {
        creator: None,
        viewer: UserId::default(),
        chat_name: room_name.into(),
        users,
        client_chat_id: None,
        settings: ChatSettings {
            room_name: Some(room_name.into()),
            is_public: Some(true),
            ..ChatSettings::default()
        },
        detail: ChatDetail { users_max: 0, messages_max: 0, bytes_max: 0 },
    };
    let chat_id = chats::create(turn, &new, None)?;
    turn.tables.statement("UPDATE Meta SET general_chat_id = ?1")?.execute([chat_id.0])?;
    Ok(())
}

/// Lets a new account into the room that is everybody's, if there is one and it has a place. The owners of the server own it,
/// too, and so does who is alone in it.
pub(super) fn enter_general(turn: &mut Turn<'_>, user: User, server_role: Role) -> Result<(), Failure> {
    let Some(chat_id) = general(turn.tables)? else { return Ok(()) };
    let rules = rules(turn.tables, chat_id)?;
    if rules.is_archived || rules.is_full() {
        return Ok(());
    }
    let user_id = user.user_id;
    members::enter(turn, chat_id, Membership { user, by: None, change_ts: turn.now })?;
    match server_role {
        Role::Owner => roles::give(turn, chat_id, user_id, Role::Owner, None),
        _ if rules.user_count == 0 => roles::give(turn, chat_id, user_id, Role::Owner, None),
        _ => Ok(()),
    }
}

fn general(tables: Tables<'_>) -> rusqlite::Result<Option<ChatId>> {
    tables
        .statement("SELECT general_chat_id FROM Meta")?
        .query_row([], |row| row.get::<_, Option<i64>>(0))
        .map(|chat_id| chat_id.map(ChatId))
}
