//! Calls about messages: saying something, reading what was said, and marking it as read.

use ttp::call::{Dialect, GetMessages, InsertMessage, MarkRead, MessageReply, MessagesReply};
use ttp::code::{CallError, ErrorCode};
use ttp::limits::{FRAME_BYTES_MAX_VERSION_1, MESSAGES_MAX_VERSION_1, PAGE_BYTES_MAX, PAGE_ROWS_MAX};
use ttp::model::{Message, check_client_key, check_text};

use super::files;
use super::session::Session;
use super::{Reply, Service};
use crate::mentions::Called;
use crate::store::{MessagesPage, MessagesQuery, NewMessage, ReadMark, References, Stretch};

/// A version 1 connection without an identity is trusted to ask for what is its own.
pub(super) fn get(service: &Service, session: &Session, call: &GetMessages, reply: Reply<GetMessages>) {
    let asked = session.viewer().and_then(|viewer| Ok((viewer, stretch(session.dialect, call)?)));
    let (viewer, stretch) = match asked {
        Ok(asked) => asked,
        Err(refused) => return reply.send(Err(refused)),
    };
    let dialect = session.dialect;
    let (rows_max, bytes_max) = match dialect {
        Dialect::Version1 => (MESSAGES_MAX_VERSION_1, FRAME_BYTES_MAX_VERSION_1),
        Dialect::Version2 => (PAGE_ROWS_MAX, PAGE_BYTES_MAX),
    };
    let asked = call.limit.map_or(rows_max, |asked| usize::try_from(asked).unwrap_or(usize::MAX));
    let query =
        MessagesQuery { chat_id: call.chat_id, viewer, stretch, rows_max: asked.min(rows_max), bytes_max };
    let done = reply.found(move |page| match dialect {
        Dialect::Version1 => reply_in_version_1(page),
        Dialect::Version2 => reply_of(page),
    });
    service.store.messages(session.by(), query, done);
}

/// Which part of the messages is asked for.
fn stretch(dialect: Dialect, call: &GetMessages) -> Result<Stretch, CallError> {
    let sides = match dialect {
        Dialect::Version1 => (call.before_seq, None, None),
        Dialect::Version2 => (call.before_seq, call.after_seq, call.around_seq),
    };
    Ok(match sides {
        (None, None, None) => Stretch::Newest,
        (Some(seq), None, None) => Stretch::Before(seq),
        (None, Some(seq), None) => Stretch::After(seq),
        (None, None, Some(seq)) => Stretch::Around(seq),
        _ => {
            let message = "give one of `before_seq`, `after_seq` and `around_seq`";
            return Err(CallError::new(ErrorCode::InvalidParams, message));
        }
    })
}

/// A page as version 2 is told of it.
pub(super) fn reply_of(page: MessagesPage) -> MessagesReply {
    let MessagesPage { items: messages, more, more_after, as_of } = page;
    MessagesReply { messages, more, more_after, as_of }
}

fn reply_in_version_1(page: MessagesPage) -> MessagesReply {
    let messages = page.items.into_iter().map(Message::into_version_1).collect();
    MessagesReply { messages, ..MessagesReply::default() }
}

pub(super) fn insert(service: &Service, session: &Session, call: InsertMessage, reply: Reply<InsertMessage>) {
    let new = match new_message(service, session, call) {
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
    service.store.mark_read(session.by(), mark, reply.stored(|unread| unread));
}

/// Refuses texts that are empty, or longer than the protocol or this server takes.
pub(super) fn check_length(service: &Service, text: &str) -> Result<(), CallError> {
    check_text(text)?;
    if text.len() > service.text_bytes_max {
        let message =
            format!("a message holds at most {} bytes here: say it in parts", service.text_bytes_max);
        return Err(CallError::new(ErrorCode::TooLarge, message));
    }
    Ok(())
}

fn new_message(service: &Service, session: &Session, call: InsertMessage) -> Result<NewMessage, CallError> {
    let user_id = session.caller(call.user_id)?;
    let references = match session.dialect {
        Dialect::Version1 => References::default(),
        Dialect::Version2 => {
            References { reply_to: call.reply_to, thread: call.thread, forward: call.forward }
        }
    };
    let attachments = match session.dialect {
        Dialect::Version1 => Vec::new(),
        Dialect::Version2 => call.attachments,
    };
    files::check(&attachments)?;
    if references.forward.is_none() {
        // Files may speak for themselves.
        if attachments.is_empty() || !call.message_text.is_empty() {
            check_length(service, &call.message_text)?;
        }
    } else if !call.message_text.is_empty() || !attachments.is_empty() {
        let message = "a forwarded message says what it said: leave `message_text` and `attachments` out";
        return Err(CallError::new(ErrorCode::InvalidParams, message));
    }
    if let Some(key) = &call.client_message_id {
        check_client_key("`client_message_id`", key)?;
    }
    Ok(NewMessage {
        chat_id: call.chat_id,
        user_id,
        called: Called::of(&call.message_text),
        message_text: call.message_text,
        client_message_id: call.client_message_id,
        references,
        attachments,
    })
}

fn as_spoken_in(dialect: Dialect, message: Message) -> Message {
    match dialect {
        Dialect::Version1 => message.into_version_1(),
        Dialect::Version2 => message,
    }
}
