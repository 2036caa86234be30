//! The one catch-up: what is newer than the caller's cursors.

use ttp::call::{Sync, SyncReply};
use ttp::limits::{PAGE_BYTES_MAX, PAGE_ROWS_MAX};

use super::session::Session;
use super::{Reply, Service};
use crate::store::{EntriesPage, EntriesQuery};

pub(super) fn sync(service: &Service, session: &Session, call: Sync, reply: Reply<Sync>) {
    let user_id = match session.identity() {
        Ok(me) => me,
        Err(refused) => return reply.send(Err(refused)),
    };
    let epoch = service.store.epoch().to_owned();
    let foreign = call.epoch.is_some_and(|theirs| theirs != epoch);
    match call.cursors {
        Some(cursors) if !foreign => {
            let query = EntriesQuery { user_id, cursors, rows_max: PAGE_ROWS_MAX, bytes_max: PAGE_BYTES_MAX };
            let done = reply.found(|page: EntriesPage| SyncReply {
                epoch,
                entries: page.entries,
                more: page.more,
                gone: page.gone,
                purged: page.purged,
                reset: page.heads.is_some(),
                heads: page.heads,
            });
            service.store.entries(session.by(), query, done);
        }
        refused => {
            let reset = refused.is_some();
            let done = reply.found(move |heads| SyncReply {
                epoch,
                reset,
                heads: Some(heads),
                ..SyncReply::default()
            });
            service.store.heads(session.by(), user_id, done);
        }
    }
}
