//! Calls about drafts. Marks are moved in `messages`; both are heard of by way of `Sync` and streams.

use ttp::call::{Draft, DraftsReply, Empty, GetDrafts, SetDraft};
use ttp::code::CallError;
use ttp::limits::PAGE_BYTES_MAX;
use ttp::model::check_text;

use super::session::Session;
use super::{Reply, Service};
use crate::store::{DraftsQuery, NewDraft, Page};

pub(super) fn set(service: &Service, session: &Session, call: SetDraft, reply: Reply<SetDraft>) {
    match new_draft(session, call) {
        Ok(new) => service.store.set_draft(session.by(), new, reply.stored(|()| Empty {})),
        Err(refused) => reply.send(Err(refused.not_stored())),
    }
}

fn new_draft(session: &Session, call: SetDraft) -> Result<NewDraft, CallError> {
    let SetDraft { chat_id, text, reply_to } = call;
    let user_id = session.identity()?;
    if !text.is_empty() {
        check_text(&text)?;
    }
    Ok(NewDraft { chat_id, user_id, text, reply_to })
}

pub(super) fn get(service: &Service, session: &Session, call: &GetDrafts, reply: Reply<GetDrafts>) {
    match session.identity() {
        Ok(user_id) => {
            let after_chat_id = call.after_chat_id;
            let query = DraftsQuery { user_id, after_chat_id, bytes_max: PAGE_BYTES_MAX };
            let done = reply.found(|Page { items: drafts, more }: Page<Draft>| DraftsReply { drafts, more });
            service.store.drafts(session.by(), query, done);
        }
        Err(refused) => reply.send(Err(refused)),
    }
}
