//! Calls about bots: making, listing and ending what a program speaks as.

use ttp::call::{BotInfo, BotReply, BotsReply, Empty, GetBots, InsertBot, RenewBot, RevokeBot};
use ttp::code::CallError;
use ttp::secret::Secret;

use super::session::Session;
use super::users::check_account_name;
use super::{Reply, Service};
use crate::passwords::Failed;
use crate::store::{BotEnd, BotRenewal, NewBot};
use crate::tokens;

pub(super) fn insert(service: &Service, session: &Session, call: InsertBot, reply: Reply<InsertBot>) {
    let checked = check_account_name(&call.user_name).and_then(|()| session.identity());
    match checked.and_then(|owner| Ok((owner, token()?))) {
        Ok((owner, token)) => {
            let new = NewBot { owner, user_name: call.user_name, token_hash: tokens::hash_of(&token) };
            let done = reply.stored(|bot: BotInfo| BotReply { bot, token });
            service.store.insert_bot(session.by(), new, done);
        }
        Err(refused) => reply.send(Err(refused.not_stored())),
    }
}

pub(super) fn renew(service: &Service, session: &Session, call: &RenewBot, reply: Reply<RenewBot>) {
    match session.identity().and_then(|owner| Ok((owner, token()?))) {
        Ok((owner, token)) => {
            let user_id = call.user_id;
            let renewal = BotRenewal { owner, user_id, token_hash: tokens::hash_of(&token) };
            let done = reply.stored(|bot: BotInfo| BotReply { bot, token });
            service.store.renew_bot(session.by(), renewal, done);
        }
        Err(refused) => reply.send(Err(refused.not_stored())),
    }
}

pub(super) fn get(service: &Service, session: &Session, reply: Reply<GetBots>) {
    match session.identity() {
        Ok(me) => service.store.bots(session.by(), me, reply.found(|bots| BotsReply { bots })),
        Err(refused) => reply.send(Err(refused)),
    }
}

pub(super) fn revoke(service: &Service, session: &Session, call: &RevokeBot, reply: Reply<RevokeBot>) {
    match session.identity() {
        Ok(owner) => {
            let end = BotEnd { owner, user_id: call.user_id };
            service.store.end_bot(session.by(), end, reply.stored(|()| Empty {}));
        }
        Err(refused) => reply.send(Err(refused.not_stored())),
    }
}

fn token() -> Result<Secret, CallError> {
    tokens::token().map_err(|_| super::not_hashed(Failed::Broken))
}
