//! Calls about what becomes of messages: writing anew, deleting, reacting, pinning; threads, pins and earlier texts.

use ttp::call::{
    AddReaction, Call, DeleteMessage, Empty, GetMessageHistory, GetPins, GetThread, HistoryReply,
    MessageReply, MessageVersion, MessagesReply, PinMessage, RemoveReaction, UnpinMessage, UpdateMessage,
};
use ttp::code::CallError;
use ttp::limits::{PAGE_BYTES_MAX, PAGE_ROWS_MAX};
use ttp::model::{ChatId, Seq, check_client_key, check_emoji};

use super::messages::{check_length, reply_of};
use super::session::Session;
use super::{Reply, Service};
use crate::mentions::Called;
use crate::store::{MessageAct, MessageChange, MessagesQuery, Page, Stretch, VersionsQuery};

pub(super) fn edit(service: &Service, session: &Session, call: UpdateMessage, reply: Reply<UpdateMessage>) {
    let UpdateMessage { chat_id, seq, message_text, client_change_id } = call;
    let key = client_change_id.as_deref();
    let checked = check_length(service, &message_text)
        .and_then(|()| key.map_or(Ok(()), |key| check_client_key("`client_change_id`", key)));
    let called = Called::of(&message_text);
    let act = checked.map(|()| MessageAct::Edit { message_text, called, client_change_id });
    change(service, session, (chat_id, seq), act, reply, |message| MessageReply { message });
}

pub(super) fn delete(
    service: &Service,
    session: &Session,
    call: &DeleteMessage,
    reply: Reply<DeleteMessage>,
) {
    let place = (call.chat_id, call.seq);
    change(service, session, place, Ok(MessageAct::Delete), reply, |message| MessageReply { message });
}

pub(super) fn react(service: &Service, session: &Session, call: AddReaction, reply: Reply<AddReaction>) {
    let AddReaction { chat_id, seq, emoji } = call;
    let act = check_emoji(&emoji).map(|()| MessageAct::React(emoji));
    change(service, session, (chat_id, seq), act, reply, |_| Empty {});
}

pub(super) fn unreact(
    service: &Service,
    session: &Session,
    call: RemoveReaction,
    reply: Reply<RemoveReaction>,
) {
    let RemoveReaction { chat_id, seq, emoji } = call;
    let act = check_emoji(&emoji).map(|()| MessageAct::Unreact(emoji));
    change(service, session, (chat_id, seq), act, reply, |_| Empty {});
}

pub(super) fn pin(service: &Service, session: &Session, call: &PinMessage, reply: Reply<PinMessage>) {
    change(service, session, (call.chat_id, call.seq), Ok(MessageAct::Pin), reply, |_| Empty {});
}

pub(super) fn unpin(service: &Service, session: &Session, call: &UnpinMessage, reply: Reply<UnpinMessage>) {
    change(service, session, (call.chat_id, call.seq), Ok(MessageAct::Unpin), reply, |_| Empty {});
}

pub(super) fn pins(service: &Service, session: &Session, call: &GetPins, reply: Reply<GetPins>) {
    page(service, session, call.chat_id, Stretch::Pins(call.before_seq), call.limit, reply);
}

pub(super) fn thread(service: &Service, session: &Session, call: &GetThread, reply: Reply<GetThread>) {
    let stretch = Stretch::Thread { thread: call.thread, before: call.before_seq };
    page(service, session, call.chat_id, stretch, call.limit, reply);
}

pub(super) fn history(
    service: &Service,
    session: &Session,
    call: &GetMessageHistory,
    reply: Reply<GetMessageHistory>,
) {
    let viewer = match session.identity() {
        Ok(me) => me,
        Err(refused) => return reply.send(Err(refused)),
    };
    let query = VersionsQuery {
        chat_id: call.chat_id,
        seq: call.seq,
        viewer,
        rows_max: PAGE_ROWS_MAX,
        bytes_max: PAGE_BYTES_MAX,
    };
    let done =
        reply.found(|page: Page<MessageVersion>| HistoryReply { versions: page.items, more: page.more });
    service.store.versions(session.by(), query, done);
}

/// Hands a change of a message to the store.
fn change<C: Call + 'static>(
    service: &Service,
    session: &Session,
    (chat_id, seq): (ChatId, Seq),
    act: Result<MessageAct, CallError>,
    reply: Reply<C>,
    shape: impl FnOnce(ttp::model::Message) -> C::Reply + Send + 'static,
) {
    match session.identity().and_then(|by| act.map(|act| (by, act))) {
        Ok((by, act)) => {
            let change = MessageChange { chat_id, seq, by, act };
            service.store.change_message(session.by(), change, reply.stored(shape));
        }
        Err(refused) => reply.send(Err(refused.not_stored())),
    }
}

/// Asks the store for a page.
fn page<C: Call<Reply = MessagesReply> + 'static>(
    service: &Service,
    session: &Session,
    chat_id: ChatId,
    stretch: Stretch,
    limit: Option<u32>,
    reply: Reply<C>,
) {
    let viewer = match session.identity() {
        Ok(me) => me,
        Err(refused) => return reply.send(Err(refused)),
    };
    let asked = limit.map_or(PAGE_ROWS_MAX, |asked| usize::try_from(asked).unwrap_or(usize::MAX));
    let rows_max = asked.min(PAGE_ROWS_MAX);
    let query = MessagesQuery { chat_id, viewer: Some(viewer), stretch, rows_max, bytes_max: PAGE_BYTES_MAX };
    service.store.messages(session.by(), query, reply.found(reply_of));
}
