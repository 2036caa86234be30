//! Calls about messages: saying something, reading what was said, and marking it as read.

use ttp::call::{Dialect, GetMessages, InsertMessage, MarkRead, MessageReply, MessagesReply, UnreadReply};
use ttp::code::CallError;
use ttp::limits::{FRAME_BYTES_MAX_VERSION_1, MESSAGES_MAX_VERSION_1, PAGE_BYTES_MAX, PAGE_ROWS_MAX};
use ttp::model::{Message, check_client_key, check_text};

use super::session::Session;
use super::{Reply, Service};
use crate::store::{MessagesQuery, NewMessage, Page, ReadMark};

/// A version 1 connection without an identity is trusted to ask for what is its own.
pub(super) fn get(service: &Service, session: &Session, call: &GetMessages, reply: Reply<GetMessages>) {
    let viewer = match session.viewer() {
        Ok(viewer) => viewer,
        Err(refused) => return reply.send(Err(refused)),
    };
    let dialect = session.dialect;
    let (rows_max, bytes_max) = match dialect {
        Dialect::Version1 => (MESSAGES_MAX_VERSION_1, FRAME_BYTES_MAX_VERSION_1),
        Dialect::Version2 => (PAGE_ROWS_MAX, PAGE_BYTES_MAX),
    };
    let asked = call.limit.map_or(rows_max, |asked| usize::try_from(asked).unwrap_or(usize::MAX));
    let query = MessagesQuery {
        chat_id: call.chat_id,
        viewer,
        before_seq: call.before_seq,
        rows_max: asked.min(rows_max),
        bytes_max,
    };
    let done = reply.found(move |page: Page<Message>| MessagesReply {
        messages: page.items.into_iter().map(|message| as_spoken_in(dialect, message)).collect(),
        more: page.more && dialect == Dialect::Version2,
    });
    service.store.messages(session.by(), query, done);
}

pub(super) fn insert(service: &Service, session: &Session, call: InsertMessage, reply: Reply<InsertMessage>) {
    let new = match new_message(session, call) {
        Ok(new) => new,
        Err(refused) => return reply.send(Err(refused.not_stored())),
    };
    ttp::failpoint!("data.validated");
    let dialect = session.dialect;
    let done = reply.stored(move |message| MessageReply { message: as_spoken_in(dialect, message) });
    service.store.insert_message(session.by(), new, done);
}

pub(super) fn mark_read(service: &Service, session: &Session, call: &MarkRead, reply: Reply<MarkRead>) {
    let user_id = match session.identity() {
        Ok(me) => me,
        Err(refused) => return reply.send(Err(refused.not_stored())),
    };
    let mark = ReadMark { chat_id: call.chat_id, user_id, number: call.number };
    service.store.mark_read(session.by(), mark, reply.stored(|unread| UnreadReply { unread }));
}

fn new_message(session: &Session, call: InsertMessage) -> Result<NewMessage, CallError> {
    let user_id = session.caller(call.user_id)?;
    check_text(&call.message_text)?;
    if let Some(key) = &call.client_message_id {
        check_client_key("`client_message_id`", key)?;
    }
    Ok(NewMessage {
        chat_id: call.chat_id,
        user_id,
        message_text: call.message_text,
        client_message_id: call.client_message_id,
    })
}

fn as_spoken_in(dialect: Dialect, message: Message) -> Message {
    match dialect {
        Dialect::Version1 => message.into_version_1(),
        Dialect::Version2 => message,
    }
}
