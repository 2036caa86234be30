//! The part of the seam that is about rooms: the rules of groups, public ones, and who may not be or write in them.
//!
//! # Promises, besides those of the store
//!
//! 1. **A group is what its log says.** Its name and its rules are those of its creation and of its later entries of the
//!    kind `updated`, of which each tells what really changed. What changes nothing makes no entry.
//! 2. **A room's name is one room's**, under case folding, normalization and the look of its characters.
//! 3. **A limit holds**, however many come at once: nobody enters a full group, and no limit is set below who is in it.
//! 4. **In an archived group nothing is written**: no messages, nobody enters, nobody gets another role. Its people read
//!    and leave, and its owners open it again.
//! 5. **A ban or a mute that is over is none**, from that very millisecond, whoever asks.

use ttp::call::{RestrictionInfo, RoomsReply};
use ttp::model::{Chat, ChatId, ChatSettings, Penalty, UserId};

use super::{By, ChatDetail, Done, Page};

/// What a store is asked about rooms.
pub trait Rooms: Send + Sync {
    /// Changes what a group is called, or its rules.
    fn update_chat(&self, by: By, update: SettingsUpdate, done: Done<()>);
    /// A page of the public rooms that are not archived, by number.
    fn rooms(&self, by: By, query: RoomsQuery, done: Done<RoomsReply>);
    /// Lets somebody into a public room. Who is in it already stays. Who enters a room without people owns it.
    fn join_chat(&self, by: By, joining: Joining, done: Done<Chat>);
    /// Bans or mutes somebody, or ends that. A ban removes who is in the group.
    fn restrict(&self, by: By, restriction: NewRestriction, done: Done<()>);
    /// A page of who is banned or muted.
    fn restrictions(&self, by: By, query: RestrictionsQuery, done: Done<Page<RestrictionInfo>>);
    /// Makes the room that every new account joins, with everybody who has an account already, unless there is one.
    fn open_general_room(&self, room_name: String, done: Done<()>);
}

/// Other rules of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsUpdate {
    /// Where.
    pub chat_id: ChatId,
    /// What shall be otherwise. A room's name is in the form that `names::room` gives it.
    pub settings: ChatSettings,
    /// By whom.
    pub by: UserId,
}

/// Which public rooms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomsQuery {
    /// Who asks.
    pub viewer: UserId,
    /// Only those with this in their names.
    pub part: Option<String>,
    /// Only those with higher numbers.
    pub after: Option<ChatId>,
    /// At most so many.
    pub rows_max: usize,
    /// At most so many are looked at.
    pub searched_max: usize,
    /// At most so many bytes of JSON, but at least one room.
    pub bytes_max: usize,
}

/// How a room is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoomSought {
    /// By its number.
    Number(ChatId),
    /// By its name.
    Name(String),
}

/// Somebody who wants to be in a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joining {
    /// Where.
    pub room: RoomSought,
    /// Who.
    pub user_id: UserId,
    /// How much the answer tells.
    pub detail: ChatDetail,
}

/// A ban or a mute, or its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewRestriction {
    /// Where.
    pub chat_id: ChatId,
    /// Whom.
    pub user_id: UserId,
    /// What the person may not do.
    pub penalty: Penalty,
    /// For how long.
    pub term: Term,
    /// By whom.
    pub by: UserId,
}

/// How long somebody may not do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Term {
    /// From now on so many milliseconds.
    Milliseconds(u64),
    /// From now on.
    ForEver,
    /// No longer.
    Over,
}

/// Which restrictions of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestrictionsQuery {
    /// Where.
    pub chat_id: ChatId,
    /// Who asks.
    pub viewer: UserId,
    /// Only those of people with higher numbers.
    pub after_user_id: Option<UserId>,
    /// At most so many, two or more: those of one person come together.
    pub rows_max: usize,
}
