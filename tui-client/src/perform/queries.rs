//! Questions for the data-server: lists, pages, people by name.

use std::time::Duration;

use client_lib::{Client, ErrorCode, User};
use ttp::call::{ChatsCursor, Draft, GetChats, MessagesReply, Room, SearchMessages, SearchReply};
use ttp::model::{Chat, ChatId, Penalty, Seq};

use super::failure;
use crate::command::{Look, Wanted};
use crate::event::{Failure, Net, Sight};

/// Messages asked for at once.
const PAGE_MESSAGES: u32 = 100;

/// Chats that are listed; a person who has more sees the most recent ones.
const CHATS_MAX: usize = 2_000;

/// Chats asked for at once: not so many that long last messages of some leave no room for those of others.
const CHATS_PER_CALL: u32 = 250;

/// Messages that come with one that was found, before it and after it.
const SEARCH_CONTEXT: u32 = 1;

/// Drafts that are fetched.
const DRAFTS_MAX: usize = 512;

pub(super) async fn chats(client: &Client) -> Result<Vec<Chat>, Failure> {
    let mut chats: Vec<Chat> = Vec::new();
    let mut before = None;
    loop {
        // What is seen of each is its name and its last message.
        let limit = Some(CHATS_PER_CALL);
        let call = GetChats { messages_max: Some(1), before, limit, ..GetChats::bare() };
        let reply = client.call(call).await.map_err(failure)?;
        chats.extend(reply.chats);
        let last = chats.last();
        before = last.map(|last| ChatsCursor { activity_ts: last.activity_ts, chat_id: last.chat_id });
        if !reply.more || before.is_none() || chats.len() >= CHATS_MAX {
            return Ok(chats);
        }
    }
}

pub(super) async fn messages(
    client: &Client,
    chat: ChatId,
    wanted: Wanted,
) -> Result<MessagesReply, Failure> {
    let limit = Some(PAGE_MESSAGES);
    let reply = match wanted {
        Wanted::Newest => client.get_messages(chat, None, limit).await,
        Wanted::Before(seq) => client.get_messages(chat, Some(seq), limit).await,
        Wanted::After(seq) => client.get_messages_after(chat, seq, limit).await,
        Wanted::Around(seq) => client.get_messages_around(chat, seq, limit).await,
        Wanted::Thread { root, before } => client.get_thread(chat, root, before, limit).await,
    };
    reply.map_err(failure)
}

/// A message that another one answers, if it is there.
pub(super) async fn quote(client: &Client, chat: ChatId, seq: Seq) -> Option<Net> {
    let reply = client.get_messages_after(chat, seq.saturating_sub(1), Some(1)).await.ok()?;
    let as_of = reply.as_of;
    let found = reply.messages.into_iter().find(|message| message.seq == seq);
    Some(found.map_or(Net::NoQuote { chat, seq }, |message| Net::Quote { message, as_of }))
}

/// What was begun to be written, on whichever device.
pub(super) async fn drafts(client: &Client) -> Option<Vec<Draft>> {
    let mut drafts: Vec<Draft> = Vec::new();
    loop {
        let reply = client.get_drafts(drafts.last().map(|draft| draft.chat_id)).await.ok()?;
        let is_last = !reply.more || reply.drafts.is_empty();
        drafts.extend(reply.drafts);
        if is_last || drafts.len() >= DRAFTS_MAX {
            return Some(drafts);
        }
    }
}

/// What is shown in a list.
pub(super) async fn look(client: &Client, chat: ChatId, at: Look) -> Result<Sight, Failure> {
    let of = |page: MessagesReply| Sight::Messages(page.messages, page.more);
    match at {
        Look::Pins => client.get_pins(chat, None).await.map(of),
        Look::History(seq) => {
            client.get_message_history(chat, seq).await.map(|reply| Sight::Versions(reply.versions))
        }
        Look::People { after } => {
            client.get_participants(chat, after).await.map(|reply| Sight::People(reply.users, reply.more))
        }
    }
    .map_err(failure)
}

pub(super) async fn search(
    client: &Client,
    query: String,
    cursor: Option<String>,
) -> Result<SearchReply, Failure> {
    let utc_offset_minutes = Some(jiff::Zoned::now().offset().seconds() / 60);
    let context = Some(SEARCH_CONTEXT);
    let call = SearchMessages { query, cursor, context, utc_offset_minutes, ..SearchMessages::default() };
    client.search_messages(call).await.map_err(failure)
}

pub(super) async fn new_chat(client: &Client, name: &str, people: &[String]) -> Result<Chat, Failure> {
    let mut users = Vec::with_capacity(people.len());
    for person in people {
        users.push(find(client, person).await?.user_id);
    }
    client.insert_chat(name, &users).await.map_err(failure)
}

pub(super) async fn add(client: &Client, chat: ChatId, person: &str) -> Result<(), Failure> {
    let user = find(client, person).await?;
    client.add_participant(chat, user.user_id).await.map_err(failure)
}

/// Rooms that `/join` can name: the first of those that were found.
pub(super) async fn rooms(client: &Client, part: Option<&str>) -> Result<Vec<Room>, Failure> {
    let mut rooms = client.list_rooms(part, None).await.map_err(failure)?.rooms;
    rooms.retain(|room| !room.room_name.is_empty());
    Ok(rooms)
}

pub(super) async fn restrict(
    client: &Client,
    chat: ChatId,
    person: &str,
    penalty: Penalty,
    (minutes, lift): (Option<u64>, bool),
) -> Result<(), Failure> {
    let user = find(client, person).await?.user_id;
    let duration = minutes.map(|minutes| Duration::from_secs(minutes.saturating_mul(60)));
    let done = match lift {
        true => client.lift(chat, user, penalty).await,
        false => client.restrict(chat, user, penalty, duration).await,
    };
    done.map_err(failure)
}

pub(super) async fn find(client: &Client, name: &str) -> Result<User, Failure> {
    client.find_user(name).await.map_err(|error| match failure(error) {
        Failure::Refused(error) if error.code == ErrorCode::NotFound => {
            Failure::NoSuchPerson(name.to_owned())
        }
        other => other,
    })
}
