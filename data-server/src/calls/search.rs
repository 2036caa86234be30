//! Searching: what was typed becomes a question for the store, and a place in the list a text that clients give back.

use ttp::call::{SearchMessages, SearchReply};
use ttp::code::{CallError, ErrorCode};
use ttp::limits::{
    PAGE_BYTES_MAX, SEARCH_CONTEXT_MAX, SEARCH_HITS_DEFAULT, SEARCH_HITS_MAX, SEARCH_RANKED_MAX,
};
use ttp::model::{MessageId, UserId};

use super::session::Session;
use super::{Reply, Service};
use crate::search::{Query, QueryFault};
use crate::store::{SearchCursor, SearchPage, SearchQuery};

pub(super) fn search(
    service: &Service,
    session: &Session,
    call: SearchMessages,
    reply: Reply<SearchMessages>,
) {
    let query = session.identity().and_then(|user_id| question(user_id, &call));
    let query = match query {
        Ok(query) => query,
        Err(refused) => return reply.send(Err(refused)),
    };
    let done = reply.found(|page: SearchPage| SearchReply {
        hits: page.hits,
        more: page.next.is_some(),
        cursor: page.next.map(write_cursor),
        indexing: page.indexing,
    });
    service.store.search(session.by(), query, done);
}

fn question(user_id: UserId, call: &SearchMessages) -> Result<SearchQuery, CallError> {
    let query = Query::read(&call.query, call.utc_offset_minutes.unwrap_or_default()).map_err(refusal)?;
    let cursor = match &call.cursor {
        None => None,
        Some(cursor) => Some(read_cursor(cursor).ok_or_else(|| {
            CallError::new(ErrorCode::InvalidParams, "`cursor` is none that a search has answered")
        })?),
    };
    let at_most = |asked: Option<u32>, unasked: usize, limit: usize| {
        asked.map_or(unasked, |asked| usize::try_from(asked).unwrap_or(usize::MAX)).min(limit)
    };
    Ok(SearchQuery {
        user_id,
        chat_id: call.chat_id,
        query,
        order: call.order.unwrap_or_default(),
        cursor,
        // A page without hits would have no end.
        rows_max: at_most(call.limit, SEARCH_HITS_DEFAULT, SEARCH_HITS_MAX).max(1),
        bytes_max: PAGE_BYTES_MAX,
        context: at_most(call.context, 0, SEARCH_CONTEXT_MAX),
    })
}

fn refusal(fault: QueryFault) -> CallError {
    let code = match fault {
        QueryFault::TooLong => ErrorCode::TooLarge,
        _ => ErrorCode::InvalidParams,
    };
    CallError::new(code, fault.to_string())
}

fn write_cursor(cursor: SearchCursor) -> String {
    format!("{}.{}", cursor.before, cursor.skip)
}

fn read_cursor(text: &str) -> Option<SearchCursor> {
    let (before, skip) = text.split_once('.')?;
    let skip = skip.parse().ok().filter(|skip| *skip <= SEARCH_RANKED_MAX)?;
    Some(SearchCursor { before: MessageId(before.parse().ok()?), skip })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_come_back_as_they_went() {
        let cursor = SearchCursor { before: MessageId(-7), skip: 20 };
        assert_eq!(read_cursor(&write_cursor(cursor)), Some(cursor));
        for text in ["", "1", "1.2.3", "x.0", "1.-3", "1.9999"] {
            assert_eq!(read_cursor(text), None, "{text}");
        }
    }
}
