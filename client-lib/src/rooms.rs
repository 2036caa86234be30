//! The part of the client that is about rooms: making, finding, joining and leaving them, their rules, and who may not be
//! or write in one.

use std::time::Duration;

use ttp::call::{
    GetRestrictions, InsertChat, JoinChat, LeaveChat, ListRooms, Restrict, RestrictionsReply, RoomsReply,
    UpdateChat,
};
use ttp::model::{Chat, ChatId, ChatSettings, Penalty, UserId};
use ttp::net::clock;

use crate::client::Client;
use crate::error::Error;
use crate::key;

/// # Rooms
impl Client {
    /// Creates a group of the person and others, also of two people or of the person alone, with a topic, a `room_name`, a
    /// limit, listed or not; the other rules are set with [`Client::update_chat`] when it is there. Sent until the outcome is
    /// definite, as [`Client::insert_message`] is.
    ///
    /// # Errors
    /// As [`Client::insert_message`]; `Conflict` when another room has the `room_name`; `RuleOfLater` when another rule is given.
    pub async fn insert_room(
        &self,
        name: &str,
        users: &[UserId],
        settings: ChatSettings,
    ) -> Result<Chat, Error> {
        let later = [
            ("chat_name", settings.chat_name.is_some()),
            ("is_archived", settings.is_archived.is_some()),
            ("keep_ms", settings.keep_ms.is_some()),
            ("keep_messages", settings.keep_messages.is_some()),
        ];
        if let Some((rule, _)) = later.into_iter().find(|(_, is_given)| *is_given) {
            return Err(Error::RuleOfLater { rule });
        }
        let key = key::mint(clock::now_ms())?;
        let me = self.me().map(|me| me.user_id);
        let call = InsertChat {
            chat_name: name.to_owned(),
            user_ids: me.into_iter().chain(users.iter().copied()).collect(),
            client_chat_id: Some(key.clone()),
            topic: settings.topic,
            room_name: settings.room_name,
            is_public: Some(settings.is_public.unwrap_or_default()),
            users_max: settings.users_max,
        };
        Ok(self.outbox.send(&self.session, &call, &key).await?.chat)
    }

    /// Changes what a group is called, or its rules: whatever is given. What is so already changes nothing.
    ///
    /// # Errors
    /// As [`Client::call`]; `Conflict` when the room's name is taken, or the limit below the number of people.
    pub async fn update_chat(&self, chat_id: ChatId, settings: ChatSettings) -> Result<(), Error> {
        self.call(UpdateChat { chat_id, settings }).await.map(drop)
    }

    /// Public rooms by number, those with `query` in their names: the first page, or that after
    /// [`RoomsReply::next_after`] of the page before.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn list_rooms(&self, query: Option<&str>, after: Option<ChatId>) -> Result<RoomsReply, Error> {
        self.call(ListRooms { query: query.map(Into::into), after, limit: None }).await
    }

    /// Joins a public room. Doing it again changes nothing.
    ///
    /// # Errors
    /// As [`Client::call`]; `Forbidden` when it is not public or archived, or the person is banned from it; `Conflict` when
    /// it is full.
    pub async fn join_chat(&self, chat_id: ChatId) -> Result<Chat, Error> {
        Ok(self.call(JoinChat { chat_id: Some(chat_id), room_name: None }).await?.chat)
    }

    /// The same by the room's name.
    ///
    /// # Errors
    /// As [`Client::join_chat`]; `NotFound` when no room has this name.
    pub async fn join_room(&self, room_name: &str) -> Result<Chat, Error> {
        Ok(self.call(JoinChat { chat_id: None, room_name: Some(room_name.to_owned()) }).await?.chat)
    }

    /// Leaves a group. Doing it again changes nothing.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn leave_chat(&self, chat_id: ChatId) -> Result<(), Error> {
        self.call(LeaveChat { chat_id }).await.map(drop)
    }

    /// Bans somebody from a group, who is removed if in it, or mutes somebody in it: for this long, or for ever.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn restrict(
        &self,
        chat_id: ChatId,
        user: UserId,
        penalty: Penalty,
        duration: Option<Duration>,
    ) -> Result<(), Error> {
        let duration_ms = duration.map(|duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX));
        self.call(Restrict { chat_id, user_id: user, penalty, duration_ms, lift: false }).await.map(drop)
    }

    /// Ends a ban or a mute. Doing it again changes nothing.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn lift(&self, chat_id: ChatId, user: UserId, penalty: Penalty) -> Result<(), Error> {
        self.call(Restrict { chat_id, user_id: user, penalty, duration_ms: None, lift: true }).await.map(drop)
    }

    /// Who is banned from a group or muted in it, by number, those after one.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn get_restrictions(
        &self,
        chat_id: ChatId,
        after: Option<UserId>,
    ) -> Result<RestrictionsReply, Error> {
        self.call(GetRestrictions { chat_id, after_user_id: after }).await
    }
}
