//! Calls about rooms: what a group is called and its rules, finding and joining public ones, and who may not be or write in
//! a group.

use ttp::call::{
    ChatReply, Empty, GetRestrictions, InsertChat, JoinChat, LeaveChat, ListRooms, Restrict, RestrictionInfo,
    RestrictionsReply, RoomsReply, UpdateChat,
};
use ttp::code::{CallError, ErrorCode};
use ttp::limits::{
    CHATS_PER_PAGE, KEEP_MAX_MS, KEEP_MESSAGES_MAX, KEEP_MIN_MS, NAME_CHARS_MAX, PAGE_BYTES_MAX,
    PAGE_ROWS_MAX, RESTRICTION_MAX_MS, ROOM_USERS_MAX, ROOMS_SEARCHED_MAX, TOPIC_CHARS_MAX,
};
use ttp::model::{ChatSettings, check_name, check_name_length};

use super::chats::{as_seen_by, at_most, detail};
use super::session::Session;
use super::{Reply, Service};
use crate::names;
use crate::store::{
    Joining, MembershipChange, NewRestriction, Page, RestrictionsQuery, RoomSought, RoomsQuery,
    SettingsUpdate, Term,
};

pub(super) fn update(service: &Service, session: &Session, call: UpdateChat, reply: Reply<UpdateChat>) {
    let checked = session.identity().and_then(|by| Ok((by, checked(call.settings)?)));
    match checked {
        Ok((by, settings)) => {
            let update = SettingsUpdate { chat_id: call.chat_id, settings, by };
            service.store.update_chat(session.by(), update, reply.stored(|()| Empty {}));
        }
        Err(refused) => reply.send(Err(refused.not_stored())),
    }
}

pub(super) fn list(service: &Service, session: &Session, call: ListRooms, reply: Reply<ListRooms>) {
    let query = session.identity().and_then(|viewer| {
        check_name_length("`query`", call.query.as_deref().unwrap_or_default())?;
        Ok(RoomsQuery {
            viewer,
            part: call.query,
            after: call.after,
            rows_max: at_most(call.limit, CHATS_PER_PAGE, PAGE_ROWS_MAX),
            searched_max: ROOMS_SEARCHED_MAX,
            bytes_max: PAGE_BYTES_MAX,
        })
    });
    match query {
        Ok(query) => service.store.rooms(session.by(), query, reply.found(|page: RoomsReply| page)),
        Err(refused) => reply.send(Err(refused)),
    }
}

pub(super) fn join(service: &Service, session: &Session, call: JoinChat, reply: Reply<JoinChat>) {
    let user_id = match session.identity() {
        Ok(me) => me,
        Err(refused) => return reply.send(Err(refused.not_stored())),
    };
    let room = match (call.chat_id, call.room_name) {
        (Some(chat_id), None) => RoomSought::Number(chat_id),
        (None, Some(name)) if name.chars().count() <= NAME_CHARS_MAX => RoomSought::Name(name),
        _ => {
            let message = "params of JoinChat: give `chat_id` or `room_name`, one of them";
            return reply.send(Err(CallError::new(ErrorCode::InvalidParams, message).not_stored()));
        }
    };
    let dialect = session.dialect;
    let joining = Joining { room, user_id, detail: detail(dialect, None, None) };
    let done = reply.stored(move |chat| ChatReply { chat: as_seen_by(user_id, chat, dialect) });
    service.store.join_chat(session.by(), joining, done);
}

/// One leaves as one removes somebody: oneself.
pub(super) fn leave(service: &Service, session: &Session, call: LeaveChat, reply: Reply<LeaveChat>) {
    match session.identity() {
        Ok(me) => {
            let change = MembershipChange { chat_id: call.chat_id, user_id: me, by: me };
            service.store.remove_participant(session.by(), change, reply.stored(|()| Empty {}));
        }
        Err(refused) => reply.send(Err(refused.not_stored())),
    }
}

pub(super) fn restrict(service: &Service, session: &Session, call: Restrict, reply: Reply<Restrict>) {
    let restriction = session.identity().and_then(|by| {
        let Restrict { chat_id, user_id, penalty, .. } = call;
        Ok(NewRestriction { chat_id, user_id, penalty, term: term(call)?, by })
    });
    match restriction {
        Ok(restriction) => {
            service.store.restrict(session.by(), restriction, reply.stored(|()| Empty {}));
        }
        Err(refused) => reply.send(Err(refused.not_stored())),
    }
}

pub(super) fn restrictions(
    service: &Service,
    session: &Session,
    call: GetRestrictions,
    reply: Reply<GetRestrictions>,
) {
    match session.identity() {
        Ok(viewer) => {
            let GetRestrictions { chat_id, after_user_id } = call;
            let query = RestrictionsQuery { chat_id, viewer, after_user_id, rows_max: PAGE_ROWS_MAX };
            let done = reply.found(|page: Page<RestrictionInfo>| RestrictionsReply {
                restrictions: page.items,
                more: page.more,
            });
            service.store.restrictions(session.by(), query, done);
        }
        Err(refused) => reply.send(Err(refused)),
    }
}

/// The rules that a new group is asked for with, without its name.
pub(super) fn founding(call: &mut InsertChat) -> Result<ChatSettings, CallError> {
    checked(ChatSettings {
        topic: call.topic.take(),
        room_name: call.room_name.take(),
        is_public: call.is_public.take(),
        users_max: call.users_max.take(),
        ..ChatSettings::default()
    })
}

/// Refuses settings that no group may have, and brings a room's name into the form that is stored.
fn checked(mut settings: ChatSettings) -> Result<ChatSettings, CallError> {
    if let Some(name) = &settings.chat_name {
        check_name("the group's name", name)?;
    }
    if settings.topic.as_ref().is_some_and(|topic| topic.chars().count() > TOPIC_CHARS_MAX) {
        let message = format!("the topic is longer than {TOPIC_CHARS_MAX} characters");
        return Err(CallError::new(ErrorCode::TooLarge, message));
    }
    if let Some(name) = settings.room_name.as_mut().filter(|name| !name.is_empty()) {
        *name =
            names::room(name).map_err(|fault| CallError::new(ErrorCode::InvalidParams, fault.to_string()))?;
    }
    if settings.users_max.is_some_and(|limit| limit > ROOM_USERS_MAX) {
        let message = format!("`users_max` is at most {ROOM_USERS_MAX}, and 0 is no limit");
        return Err(CallError::new(ErrorCode::InvalidParams, message));
    }
    if settings.keep_ms.is_some_and(|ms| ms != 0 && !(KEEP_MIN_MS..=KEEP_MAX_MS).contains(&ms)) {
        let message = "`keep_ms` is a minute to a hundred years, and 0 is for ever";
        return Err(CallError::new(ErrorCode::InvalidParams, message));
    }
    if settings.keep_messages.is_some_and(|messages| messages > KEEP_MESSAGES_MAX) {
        let message = format!("`keep_messages` is at most {KEEP_MESSAGES_MAX}, and 0 is all of them");
        return Err(CallError::new(ErrorCode::InvalidParams, message));
    }
    Ok(settings)
}

fn term(call: Restrict) -> Result<Term, CallError> {
    let message = match (call.lift, call.duration_ms) {
        (true, None) => return Ok(Term::Over),
        (false, None) => return Ok(Term::ForEver),
        (false, Some(ms)) if (1..=RESTRICTION_MAX_MS).contains(&ms) => return Ok(Term::Milliseconds(ms)),
        (false, Some(_)) => "`duration_ms` is 1 ms to ten years: leave it out for ever",
        (true, Some(_)) => "`lift` ends it now: leave `duration_ms` out",
    };
    Err(CallError::new(ErrorCode::InvalidParams, format!("params of Restrict: {message}")))
}
