//! Calls about chats: a person's list, and a new chat. Here a private chat gets its name: the other person's (T18).

use std::collections::HashSet;

use ttp::call::{ChatReply, ChatsReply, Dialect, GetChats, InsertChat};
use ttp::code::{CallError, ErrorCode};
use ttp::limits::{
    CHAT_USERS_MAX, CHATS_MAX_VERSION_1, CHATS_PER_PAGE, FRAME_BYTES_MAX_VERSION_1,
    MESSAGES_PER_CHAT_DEFAULT, MESSAGES_PER_CHAT_DEFAULT_VERSION_1, MESSAGES_PER_CHAT_MAX, PAGE_BYTES_MAX,
    PAGE_ROWS_MAX, USERS_PER_CHAT_MAX, USERS_PER_CHAT_MAX_VERSION_1,
};
use ttp::model::{Chat, ChatSettings, UserId, check_client_key, check_name, check_name_length};

use super::session::Session;
use super::{Reply, Service, rooms};
use crate::store::{ChatDetail, ChatsQuery, NewChat};

pub(super) fn get(service: &Service, session: &Session, call: &GetChats, reply: Reply<GetChats>) {
    let caller = match session.caller(call.user_id) {
        Ok(caller) => caller,
        Err(refused) => return reply.send(Err(refused)),
    };
    let dialect = session.dialect;
    let (chats_default, chats_max) = match dialect {
        Dialect::Version1 => (CHATS_MAX_VERSION_1, CHATS_MAX_VERSION_1),
        Dialect::Version2 => (CHATS_PER_PAGE, PAGE_ROWS_MAX),
    };
    let detail = detail(dialect, call.messages_max, call.users_max);
    let query = ChatsQuery {
        user_id: caller,
        before: call.before,
        chats_max: at_most(call.limit, chats_default, chats_max),
        ends_when_full: dialect == Dialect::Version2,
        detail,
    };
    let seen = move |mut chat: Chat| {
        chat = as_seen_by(caller, chat, dialect);
        chat.users.truncate(detail.users_max);
        chat
    };
    let done = reply.found(move |page: crate::store::Page<Chat>| ChatsReply {
        chats: page.items.into_iter().map(seen).collect(),
        more: page.more && dialect == Dialect::Version2,
    });
    service.store.chats(session.by(), query, done);
}

pub(super) fn insert(service: &Service, session: &Session, call: InsertChat, reply: Reply<InsertChat>) {
    let new = match new_chat(session, call) {
        Ok(new) => new,
        Err(refused) => return reply.send(Err(refused.not_stored())),
    };
    let (viewer, dialect) = (new.viewer, session.dialect);
    let done = reply.stored(move |chat| ChatReply { chat: as_seen_by(viewer, chat, dialect) });
    service.store.insert_chat(session.by(), new, done);
}

fn new_chat(session: &Session, mut call: InsertChat) -> Result<NewChat, CallError> {
    let settings = rooms::founding(&mut call)?;
    let invalid = |message: &str| CallError::new(ErrorCode::InvalidParams, message);
    if call.user_ids.len() > CHAT_USERS_MAX {
        let message = format!("a chat is created with at most {CHAT_USERS_MAX} people");
        return Err(CallError::new(ErrorCode::TooLarge, message));
    }
    let mut seen = HashSet::new();
    let mut users: Vec<UserId> = call.user_ids.into_iter().filter(|user_id| seen.insert(*user_id)).collect();
    let Some(viewer) = session.user_id().or(users.first().copied()) else {
        return Err(invalid("`user_ids` is empty"));
    };
    if users.is_empty() {
        return Err(invalid("`user_ids` is empty"));
    }
    if seen.insert(viewer) {
        users.push(viewer);
    }
    let is_group = users.len() != 2 || settings != ChatSettings::default();
    if session.dialect == Dialect::Version2 && is_group {
        check_name("the group's name", &call.chat_name)?;
    } else {
        check_name_length("the chat's name", &call.chat_name)?;
    }
    if let Some(key) = &call.client_chat_id {
        check_client_key("`client_chat_id`", key)?;
        session.identity()?;
    }
    Ok(NewChat {
        creator: session.user_id(),
        viewer,
        chat_name: call.chat_name,
        users,
        client_chat_id: call.client_chat_id,
        settings,
        detail: detail(session.dialect, None, None),
    })
}

pub(super) fn detail(dialect: Dialect, messages_max: Option<u32>, users_max: Option<u32>) -> ChatDetail {
    let (users_default, messages_default, bytes_max) = match dialect {
        Dialect::Version1 => {
            (USERS_PER_CHAT_MAX_VERSION_1, MESSAGES_PER_CHAT_DEFAULT_VERSION_1, FRAME_BYTES_MAX_VERSION_1)
        }
        Dialect::Version2 => (USERS_PER_CHAT_MAX, MESSAGES_PER_CHAT_DEFAULT, PAGE_BYTES_MAX),
    };
    ChatDetail {
        users_max: at_most(users_max, users_default, users_default),
        messages_max: at_most(messages_max, messages_default, MESSAGES_PER_CHAT_MAX),
        bytes_max,
    }
}

/// What was asked for, or what comes unasked, within the limit.
pub(super) fn at_most(asked: Option<u32>, unasked: usize, limit: usize) -> usize {
    asked.map_or(unasked, |asked| usize::try_from(asked).unwrap_or(usize::MAX)).min(limit)
}

/// The chat as one of its people sees it. A private chat whose other person a 2020 file does not know keeps the name
/// that it was given there.
pub(super) fn as_seen_by(viewer: UserId, mut chat: Chat, dialect: Dialect) -> Chat {
    if chat.is_private
        && let Some(other) = chat.users.iter().find(|user| user.user_id != viewer)
    {
        chat.chat_name.clone_from(&other.user_name);
    }
    match dialect {
        Dialect::Version1 => chat.into_version_1(),
        Dialect::Version2 => chat,
    }
}
