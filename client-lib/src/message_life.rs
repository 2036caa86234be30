//! What becomes of messages: answers and threads, writing anew, deleting, reactions, pins.

use ttp::call::{
    AddReaction, DeleteMessage, GetMessageHistory, GetMessages, GetPins, GetThread, HistoryReply,
    InsertMessage, MarkRead, MessagePlace, MessagesReply, PinMessage, RemoveReaction, UnpinMessage,
    UnreadReply, UpdateMessage,
};
use ttp::model::{ChatId, Message, Seq, TimestampMs};
use ttp::net::clock;

use crate::client::Client;
use crate::error::Error;
use crate::key;

impl Client {
    /// Answers a message of the chat.
    ///
    /// # Errors
    /// As [`Client::insert_message`]: `NotFound` when there is no such message (any more).
    pub async fn reply(&self, chat_id: ChatId, reply_to: Seq, text: &str) -> Result<Message, Error> {
        let (message_text, reply_to) = (text.to_owned(), Some(reply_to));
        self.send_message(InsertMessage { chat_id, message_text, reply_to, ..InsertMessage::default() }).await
    }

    /// Says something in the thread of a message.
    ///
    /// # Errors
    /// As [`Client::reply`].
    pub async fn insert_in_thread(&self, chat_id: ChatId, thread: Seq, text: &str) -> Result<Message, Error> {
        let (message_text, thread) = (text.to_owned(), Some(thread));
        self.send_message(InsertMessage { chat_id, message_text, thread, ..InsertMessage::default() }).await
    }

    /// Says a message of any chat of the person again, in its author's name.
    ///
    /// # Errors
    /// As [`Client::reply`].
    pub async fn forward(&self, from: MessagePlace, chat_id: ChatId) -> Result<Message, Error> {
        self.send_message(InsertMessage { chat_id, forward: Some(from), ..InsertMessage::default() }).await
    }

    /// Writes an own message anew. Sent until the outcome is definite, as [`Client::insert_message`] is; then nobody's
    /// later text is written over by an attempt of this one.
    ///
    /// # Errors
    /// As [`Client::insert_message`]: `Forbidden` when it is not the person's own or was forwarded, `NotFound` when it was
    /// deleted.
    pub async fn edit_message(&self, chat_id: ChatId, seq: Seq, text: &str) -> Result<Message, Error> {
        let key = key::mint(clock::now_ms())?;
        let call = UpdateMessage {
            chat_id,
            seq,
            message_text: text.to_owned(),
            client_change_id: Some(key.clone()),
        };
        Ok(self.outbox.send(&self.session, &call, &key).await?.message)
    }

    /// Deletes what a message says, for everybody and for good. Doing it again changes nothing.
    ///
    /// # Errors
    /// As [`Client::call`]: `Forbidden` when it is somebody else's and the person's role is too low.
    pub async fn delete_message(&self, chat_id: ChatId, seq: Seq) -> Result<Message, Error> {
        Ok(self.call(DeleteMessage { chat_id, seq }).await?.message)
    }

    /// Puts a sign on a message. Doing it again changes nothing.
    ///
    /// # Errors
    /// As [`Client::call`]: `Conflict` when there are too many different signs on it.
    pub async fn react(&self, chat_id: ChatId, seq: Seq, emoji: &str) -> Result<(), Error> {
        self.call(AddReaction { chat_id, seq, emoji: emoji.to_owned() }).await.map(drop)
    }

    /// Takes the person's sign off a message. Doing it again changes nothing.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn remove_reaction(&self, chat_id: ChatId, seq: Seq, emoji: &str) -> Result<(), Error> {
        self.call(RemoveReaction { chat_id, seq, emoji: emoji.to_owned() }).await.map(drop)
    }

    /// Pins a message for all who are in the chat. Doing it again changes nothing.
    ///
    /// # Errors
    /// As [`Client::call`]: `Conflict` when too many are pinned.
    pub async fn pin_message(&self, chat_id: ChatId, seq: Seq) -> Result<(), Error> {
        self.call(PinMessage { chat_id, seq }).await.map(drop)
    }

    /// Ends a pin. Doing it again changes nothing.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn unpin_message(&self, chat_id: ChatId, seq: Seq) -> Result<(), Error> {
        self.call(UnpinMessage { chat_id, seq }).await.map(drop)
    }

    /// The messages of a chat that are pinned, oldest first: the newest, or those before a `seq`.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn get_pins(&self, chat_id: ChatId, before_seq: Option<Seq>) -> Result<MessagesReply, Error> {
        self.call(GetPins { chat_id, before_seq, limit: None }).await
    }

    /// The messages of a thread, oldest first: the newest, or those before a `seq`.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn get_thread(
        &self,
        chat_id: ChatId,
        thread: Seq,
        before_seq: Option<Seq>,
        limit: Option<u32>,
    ) -> Result<MessagesReply, Error> {
        self.call(GetThread { chat_id, thread, before_seq, limit }).await
    }

    /// What a message said, from its first text to the one that it has; nothing when it was deleted.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn get_message_history(&self, chat_id: ChatId, seq: Seq) -> Result<HistoryReply, Error> {
        self.call(GetMessageHistory { chat_id, seq }).await
    }

    /// Messages of a chat after a `seq`, oldest first.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn get_messages_after(
        &self,
        chat_id: ChatId,
        after_seq: Seq,
        limit: Option<u32>,
    ) -> Result<MessagesReply, Error> {
        self.call(GetMessages { chat_id, after_seq: Some(after_seq), limit, ..GetMessages::default() }).await
    }

    /// Messages of a chat around a `seq`, oldest first.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn get_messages_around(
        &self,
        chat_id: ChatId,
        around_seq: Seq,
        limit: Option<u32>,
    ) -> Result<MessagesReply, Error> {
        self.call(GetMessages { chat_id, around_seq: Some(around_seq), limit, ..GetMessages::default() })
            .await
    }

    /// The first message of a chat that was said at a time or later, found by halving: times never go back in a chat. One
    /// message is fetched for each doubling of the chat's length. Nothing when none was said since.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn get_first_message_since(
        &self,
        chat_id: ChatId,
        since_ts: TimestampMs,
    ) -> Result<Option<Message>, Error> {
        let newest = self.get_messages(chat_id, None, Some(1)).await?.messages.pop();
        let Some(mut found) = newest.filter(|newest| newest.message_ts >= since_ts) else { return Ok(None) };
        // No message up to `early` was said so late, and none from `end` up to `found` is there.
        let (mut early, mut end) = (0, found.seq);
        while early + 1 < end {
            let middle = early + (end - early) / 2;
            let page = self.get_messages_after(chat_id, middle - 1, Some(1)).await?;
            match page.messages.into_iter().next().filter(|message| message.seq < end) {
                Some(message) if message.message_ts < since_ts => early = message.seq,
                late => (found, end) = (late.unwrap_or(found), middle),
            }
        }
        Ok(Some(found))
    }

    /// Marks messages as read up to a message's `number`. Returns how many are still unread, and how many of them call the
    /// person.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn mark_read_with_mentions(&self, chat_id: ChatId, number: u64) -> Result<UnreadReply, Error> {
        self.call(MarkRead { chat_id, number }).await
    }
}
