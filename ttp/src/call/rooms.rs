//! Rooms: groups that are found by a name, joined and left, and kept in order by their people.

use serde::{Deserialize, Serialize};

use crate::model::{ChatId, ChatSettings, Penalty, TimestampMs, User, UserId, is_default};

/// Changes what a group is called, or its rules. Moderators and owners change `chat_name` and `topic`, owners the rest.
/// What is so already makes no entry.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpdateChat {
    /// Which group.
    pub chat_id: ChatId,
    /// What shall be otherwise. An empty `topic` or `room_name` takes it away.
    pub settings: ChatSettings,
}

/// Public rooms that are not archived, by number.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListRooms {
    /// Only rooms with this in their `room_name` or `chat_name`, in any case of letters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// Only rooms with higher numbers: `next_after` of the page before this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<ChatId>,
    /// At most so many; a page is never longer than the server's limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// The answer to [`ListRooms`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomsReply {
    /// By number. With a `query` there may be few of them, or none, and more all the same: the server looks at so many
    /// rooms for one page.
    pub rooms: Vec<Room>,
    /// Where the list goes on; absent at its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_after: Option<ChatId>,
}

/// A public room as everybody on the server sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Room {
    /// Its number.
    pub chat_id: ChatId,
    /// What people call it.
    pub chat_name: String,
    /// The one name by which it is found; empty when it has none.
    #[serde(default, skip_serializing_if = "is_default")]
    pub room_name: String,
    /// What it is about.
    #[serde(default, skip_serializing_if = "is_default")]
    pub topic: String,
    /// How many people are in it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub user_count: u64,
    /// How many people it takes at most; 0 for as many as come.
    #[serde(default, skip_serializing_if = "is_default")]
    pub users_max: u64,
    /// When its newest message was stored, or when it was created.
    pub activity_ts: TimestampMs,
    /// Whether the caller is in it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub is_member: bool,
}

/// Joins a public room, found by its number or by its name. Who is in it already stays, and is answered the same.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinChat {
    /// The room's number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chat_id: Option<ChatId>,
    /// The room's name, in any case of letters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room_name: Option<String>,
}

/// Leaves a group: [`RemoveParticipant`](crate::call::RemoveParticipant) of oneself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaveChat {
    /// Which group.
    pub chat_id: ChatId,
}

/// Bans somebody from a group or mutes them in it, or ends that. A ban removes who is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restrict {
    /// Which group.
    pub chat_id: ChatId,
    /// Whom.
    pub user_id: UserId,
    /// What the person may not do.
    pub penalty: Penalty,
    /// For how long; for ever when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// Ends it instead.
    #[serde(default, skip_serializing_if = "is_default")]
    pub lift: bool,
}

/// Who may not be in a group, or not write in it, by the numbers of the people.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetRestrictions {
    /// Which group.
    pub chat_id: ChatId,
    /// Only people with higher numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_user_id: Option<UserId>,
}

/// The answer to [`GetRestrictions`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestrictionsReply {
    /// Those that hold. What somebody may not do comes together.
    pub restrictions: Vec<RestrictionInfo>,
    /// Whether there are more after the last one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
}

/// A ban or a mute that holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestrictionInfo {
    /// Whose.
    pub user: User,
    /// What the person may not do.
    pub penalty: Penalty,
    /// Until when; absent when for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_ts: Option<TimestampMs>,
}
