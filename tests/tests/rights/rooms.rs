//! The part of the matrix that is about rooms: its lines, and what an accepted call leaves behind.
//!
//! `$lounge` is a public room of `$otto` alone, called `lounge`. In the team `$bert` is banned, who was never in it.

use ttp::call::{JoinChat, Restrict, UpdateChat};
use ttp::model::UserId;

/// The lines, as in `table`.
pub(crate) const ROOMS: &str = r#"
own mod mem gue str rem lan ste vis rev exp clo nob old
ok  ok  003 003 003 003 003 003 003 001 001 001 001 001 UpdateChat {"chat_id":$team,"settings":{"chat_name":"band"}}
ok  ok  003 003 003 003 003 003 003 001 001 001 001 001 UpdateChat {"chat_id":$team,"settings":{"topic":"songs"}}
ok  003 003 003 003 003 003 003 003 001 001 001 001 001 UpdateChat {"chat_id":$team,"settings":{"room_name":"Team"}}
009 003 003 003 003 003 003 003 003 001 001 001 001 001 UpdateChat {"chat_id":$team,"settings":{"room_name":"L0UNGE"}}
ok  003 003 003 003 003 003 003 003 001 001 001 001 001 UpdateChat {"chat_id":$team,"settings":{"is_public":true}}
ok  003 003 003 003 003 003 003 003 001 001 001 001 001 UpdateChat {"chat_id":$team,"settings":{"is_archived":true}}
ok  003 003 003 003 003 003 003 003 001 001 001 001 001 UpdateChat {"chat_id":$team,"settings":{"users_max":40}}
009 003 003 003 003 003 003 003 003 001 001 001 001 001 UpdateChat {"chat_id":$team,"settings":{"users_max":2}}
ok  003 003 003 003 003 003 003 003 001 001 001 001 001 UpdateChat {"chat_id":$team,"settings":{"topic":"songs","users_max":40}}
ok  003 003 003 003 003 003 003 003 001 001 001 001 001 UpdateChat {"chat_id":$team,"settings":{"keep_messages":100000}}
ok  003 003 003 003 003 003 003 003 001 001 001 001 001 UpdateChat {"chat_id":$team,"settings":{"topic":"songs","keep_ms":3153600000000}}
=   =   003 003 003 003 003 003 003 001 001 001 001 001 UpdateChat {"chat_id":$team,"settings":{"chat_name":"team"}}
=   =   =   =   003 003 003 003 003 001 001 001 001 001 UpdateChat {"chat_id":$team,"settings":{}}
003 003 003 003 003 003 003 003 003 001 001 001 001 001 UpdateChat {"chat_id":$lounge,"settings":{"topic":"tea"}}
003 003 003 003 003 003 003 003 003 001 001 001 001 001 UpdateChat {"chat_id":$private,"settings":{"topic":"tea"}}
004 004 004 004 004 004 004 004 004 001 001 001 001 001 UpdateChat {"chat_id":999,"settings":{"topic":"tea"}}
ok  ok  ok  ok  ok  ok  ok  ok  ok  001 001 001 001 001 ListRooms {}
ok  ok  ok  ok  ok  ok  ok  ok  ok  001 001 001 001 001 ListRooms {"query":"OUN"}
ok  ok  ok  ok  ok  ok  ok  ok  ok  001 001 001 001 001 JoinChat {"chat_id":$lounge}
ok  ok  ok  ok  ok  ok  ok  ok  ok  001 001 001 001 001 JoinChat {"room_name":"Lounge"}
=   =   =   =   003 003 003 003 003 001 001 001 001 001 JoinChat {"chat_id":$team}
003 003 003 003 003 003 003 003 003 001 001 001 001 001 JoinChat {"chat_id":$private}
004 004 004 004 004 004 004 004 004 001 001 001 001 001 JoinChat {"chat_id":999}
004 004 004 004 004 004 004 004 004 001 001 001 001 001 JoinChat {"room_name":"team"}
ok  ok  ok  ok  =   =   =   =   =   001 001 001 001 001 LeaveChat {"chat_id":$team}
=   =   =   =   =   =   =   =   =   001 001 001 001 001 LeaveChat {"chat_id":$lounge}
003 003 003 003 003 003 003 003 003 001 001 001 001 001 LeaveChat {"chat_id":$private}
004 004 004 004 004 004 004 004 004 001 001 001 001 001 LeaveChat {"chat_id":999}
ok  ok  003 003 003 003 003 003 003 001 001 001 001 001 Restrict {"chat_id":$team,"user_id":$tilda,"penalty":"ban"}
ok  ok  003 003 003 003 003 003 003 001 001 001 001 001 Restrict {"chat_id":$team,"user_id":$tony,"penalty":"mute","duration_ms":60000}
ok  ok  003 003 003 003 003 003 003 001 001 001 001 001 Restrict {"chat_id":$team,"user_id":$otto,"penalty":"ban"}
ok  003 003 003 003 003 003 003 003 001 001 001 001 001 Restrict {"chat_id":$team,"user_id":$thea,"penalty":"ban"}
ok  003 003 003 003 003 003 003 003 001 001 001 001 001 Restrict {"chat_id":$team,"user_id":$thea,"penalty":"mute"}
003 003 003 003 003 003 003 003 003 001 001 001 001 001 Restrict {"chat_id":$team,"user_id":$fallen,"penalty":"ban"}
003 003 003 003 003 003 003 003 003 001 001 001 001 001 Restrict {"chat_id":$team,"user_id":$fallen,"penalty":"mute"}
=   =   003 003 003 003 003 003 003 001 001 001 001 001 Restrict {"chat_id":$team,"user_id":$bert,"penalty":"ban"}
ok  ok  003 003 003 003 003 003 003 001 001 001 001 001 Restrict {"chat_id":$team,"user_id":$bert,"penalty":"ban","lift":true}
=   =   003 003 003 003 003 003 003 001 001 001 001 001 Restrict {"chat_id":$team,"user_id":$tilda,"penalty":"mute","lift":true}
004 004 003 003 003 003 003 003 003 001 001 001 001 001 Restrict {"chat_id":$team,"user_id":999,"penalty":"ban"}
003 003 003 003 003 003 003 003 003 001 001 001 001 001 Restrict {"chat_id":$private,"user_id":$otto,"penalty":"mute"}
004 004 004 004 004 004 004 004 004 001 001 001 001 001 Restrict {"chat_id":999,"user_id":$otto,"penalty":"mute"}
003 003 003 003 003 003 003 003 003 001 001 001 001 001 AddParticipant {"chat_id":$team,"user_id":$bert}
ok  ok  003 003 003 003 003 003 003 001 001 001 001 001 GetRestrictions {"chat_id":$team}
003 003 003 003 003 003 003 003 003 001 001 001 001 001 GetRestrictions {"chat_id":$lounge}
003 003 003 003 003 003 003 003 003 001 001 001 001 001 GetRestrictions {"chat_id":$private}
004 004 004 004 004 004 004 004 004 001 001 001 001 001 GetRestrictions {"chat_id":999}
ok  ok  ok  ok  ok  ok  ok  ok  003 001 001 001 001 001 InsertChat {"chat_name":"choir","user_ids":[$me],"room_name":"choir","is_public":true}
009 009 009 009 009 009 009 009 003 001 001 001 001 001 InsertChat {"chat_name":"lounge","user_ids":[$me],"room_name":"lounge"}
"#;

/// Whether a group is what the call says.
pub(crate) fn is_so(call: &UpdateChat) -> String {
    let settings = &call.settings;
    let texts = [
        ("chat_name", settings.chat_name.clone()),
        ("topic", settings.topic.clone()),
        ("room_name", settings.room_name.as_ref().map(|name| name.to_lowercase())),
    ];
    let texts = texts.into_iter().filter_map(|(what, text)| Some(format!("{what} IS '{}'", text?)));
    let numbers = [
        ("is_public", settings.is_public.map(u64::from)),
        ("is_archived", settings.is_archived.map(u64::from)),
        ("users_max", settings.users_max),
        ("keep_ms", settings.keep_ms),
        ("keep_messages", settings.keep_messages),
    ];
    let numbers = numbers.into_iter().filter_map(|(what, number)| Some(format!("{what} = {}", number?)));
    let all: Vec<String> = std::iter::once("TRUE".into()).chain(texts).chain(numbers).collect();
    format!("SELECT {} FROM Chats WHERE chat_id = {}", all.join(" AND "), call.chat_id)
}

/// Whether somebody is in the room.
pub(crate) fn is_in(call: &JoinChat, user_id: UserId) -> String {
    let room = match (&call.chat_id, &call.room_name) {
        (Some(chat_id), _) => format!("chat_id = {chat_id}"),
        (None, name) => format!("room_name = '{}'", name.clone().unwrap_or_default().to_lowercase()),
    };
    format!(
        "SELECT count(*) = 1 FROM Participants JOIN Chats USING (chat_id) WHERE {room} AND user_id = {user_id}"
    )
}

/// Whether somebody may not do something, or may again. Who is banned is not in the group.
pub(crate) fn is_restricted(call: &Restrict) -> String {
    let Restrict { chat_id, user_id, penalty, lift, .. } = call;
    let whose = format!("chat_id = {chat_id} AND user_id = {user_id}");
    let penalty = penalty.name();
    format!(
        "SELECT count(*) = {} AND ({} OR NOT EXISTS (SELECT 1 FROM Participants WHERE {whose}))
         FROM Restrictions WHERE {whose} AND penalty = '{penalty}'",
        u8::from(!lift),
        *lift || penalty == "mute",
    )
}
