//! Requests that are understood and refused, or fit just so: whole params, conversations, and sizes.

use ttp::frame::encode;

use super::To::{self, Both, Broadcast, Data};
use super::{Case, framed, raw, request};

/// Params as a whole, with the outcome.
const REQUESTS: &[(To, &str, &str, &str)] = &[
    (Data, "GetUser", "{}", "-32602 1"),
    (Data, "GetUser", r#"{"user_id":1,"user_name":"a"}"#, "-32602 1"),
    (Data, "GetUser", r#"{"user_id":null,"user_name":null}"#, "-32602 1"),
    (Data, "GetUser", r#"{"user_id":1,"user_id":2}"#, "-32602 1"),
    (Data, "GetUser", r#"{"user_id":1,"user_id":1}"#, "-32602 1"),
    (Data, "GetUser", r#"{"user_id":0}"#, "-32004 1"),
    (Data, "GetUser", r#"{"user_id":-1}"#, "-32004 1"),
    (Data, "GetUser", r#"{"user_id":9223372036854775807}"#, "-32004 1"),
    (Data, "GetUser", r#"{"user_id":-9223372036854775808}"#, "-32004 1"),
    (Data, "GetUser", r#"{"user_name":"nobody\u0000"}"#, "-32004 1"),
    (Data, "GetUser", r#"{"user_name":"' OR '1'='1"}"#, "-32004 1"),
    (Data, "GetUser", r#"{"user_id":1,"shoe_size":43}"#, "ok 1"),
    (Data, "GetUser", "[1]", "ok 1"),
    (Data, "GetUser", "[1,null,3]", "-32602 1"),
    (Data, "GetUser", "[[1]]", "-32602 1"),
    (Data, "Authenticate", "{}", "-32602 1"),
    (Data, "Authenticate", r#"{"user_id":99}"#, "-32004 1"),
    (Data, "InsertUser", "{}", "-32602 1"),
    (Data, "InsertUser", r#"{"user_name":"a","user_name":"b"}"#, "-32602 1"),
    (Data, "GetChats", "{}", "-32001 1"),
    (Data, "GetChats", r#"{"user_id":null}"#, "-32001 1"),
    (Data, "GetChats", r#"{"user_id":1,"messages_max":4294967295}"#, "ok 1"),
    (Data, "GetChats", r#"{"user_id":1,"before":null}"#, "ok 1"),
    (Data, "InsertChat", "{}", "-32602 1"),
    (Data, "InsertChat", r#"{"chat_name":"x"}"#, "-32602 1"),
    (Data, "InsertChat", r#"{"user_ids":[1,99]}"#, "-32004 1"),
    (Data, "InsertChat", r#"{"user_ids":[99]}"#, "-32004 1"),
    (Data, "InsertChat", r#"{"user_ids":[1,2],"client_chat_id":"k"}"#, "-32001 1"),
    (Data, "InsertChat", r#"{"user_ids":[1,1,1,2,2]}"#, "ok 1"),
    (Data, "GetMessages", "{}", "-32602 1"),
    (Data, "GetMessages", r#"{"chat_id":99}"#, "-32004 1"),
    (Data, "GetMessages", r#"{"chat_id":-1}"#, "-32004 1"),
    (Data, "GetMessages", r#"{"chat_id":1,"limit":0}"#, "ok 1"),
    (Data, "GetMessages", r#"{"chat_id":1,"before_seq":0}"#, "ok 1"),
    (Data, "GetMessages", r#"{"chat_id":1,"before_seq":18446744073709551615}"#, "ok 1"),
    (Data, "InsertMessage", "{}", "-32602 1"),
    (Data, "InsertMessage", r#"{"chat_id":1,"message_text":"t"}"#, "-32001 1"),
    (Data, "InsertMessage", r#"{"chat_id":1,"user_id":null,"message_text":"t"}"#, "-32001 1"),
    (Data, "InsertMessage", r#"{"chat_id":99,"user_id":1,"message_text":"t"}"#, "-32004 1"),
    (Data, "InsertMessage", r#"{"chat_id":1,"user_id":99,"message_text":"t"}"#, "-32004 1"),
    (Data, "InsertMessage", r#"{"chat_id":1,"user_id":3,"message_text":"t"}"#, "-32003 1"),
    (Data, "GetParticipants", "{}", "-32602 1"),
    (Data, "GetParticipants", r#"{"chat_id":99}"#, "-32004 1"),
    (Data, "AddParticipant", r#"{"chat_id":1,"user_id":3}"#, "-32001 1"),
    (Data, "AddParticipant", r#"{"chat_id":1}"#, "-32602 1"),
    (Data, "RemoveParticipant", r#"{"chat_id":1,"user_id":2}"#, "-32001 1"),
    (Data, "RemoveParticipant", r#"{"user_id":2}"#, "-32602 1"),
    (Data, "MarkRead", r#"{"chat_id":1,"number":1}"#, "-32001 1"),
    (Data, "Sync", "{}", "-32001 1"),
    (Data, "OpenStreamRequest", r#"{"user_id":1}"#, "-32601 1"),
    (Data, "BroadcastRequest", "{}", "-32601 1"),
    (Data, "Link", "{}", "-32601 1"),
    (Both, "Hello", "{}", "-32602 1"),
    (Both, "Hello", r#"{"protocol":[]}"#, "-32026 1 | ✕"),
    (Both, "Hello", r#"{"protocol":[0,1,3,4294967295]}"#, "-32026 1 | ✕"),
    (Both, "Hello", r#"{"protocol":[2,2,9]}"#, "ok 1"),
    (Both, "Hello", r#"[[2]]"#, "ok 1"),
    (Both, "Hello", r#"{"protocol":[2],"client":"\u0000\u001b[2J\u202e"}"#, "ok 1"),
    (Broadcast, "OpenStreamRequest", "{}", "-32602 1"),
    (Broadcast, "OpenStreamRequest", r#"{"user_id":1,"user_id":1}"#, "-32602 1"),
    (Broadcast, "OpenStreamRequest", r#"{"user_id":-9223372036854775808}"#, "ok 1"),
    (Broadcast, "OpenStreamRequest", "[1]", "ok 1"),
    (Broadcast, "OpenStreamRequest", "[[1]]", "-32602 1"),
    (Broadcast, "CloseStreamRequest", "{}", "-32602 1"),
    (Broadcast, "CloseStreamRequest", r#"{"user_id":99}"#, "ok 1"),
    (Broadcast, "BroadcastRequest", "{}", "-32003 1"),
    (Broadcast, "BroadcastRequest", "[]", "-32003 1"),
    (Broadcast, "BroadcastRequest", "[1,2]", "-32003 1"),
    (Broadcast, "BroadcastRequest", r#"{"receiver_ids":[1],"message":{}}"#, "-32003 1"),
    (Broadcast, "Broadcast", r#"{"receiver_ids":"all"}"#, "-32003 1"),
    (Broadcast, "Link", "{}", "-32602 1"),
    (Broadcast, "GetUser", r#"{"user_id":1}"#, "-32601 1"),
    (Broadcast, "Authenticate", r#"{"user_id":1}"#, "-32601 1"),
    (Broadcast, "Event", "{}", "-32601 1"),
    (Broadcast, "Heartbeat", "{}", "-32601 1"),
    (Broadcast, "Close", "{}", "-32601 1"),
];

/// A method and its params.
type Asked = (&'static str, &'static str);

/// Several requests on one connection, with the ids 1, 2, 3 …, and the outcome of all.
const CONVERSATIONS: &[(To, &[Asked], &str)] = &[
    (Both, &[("Hello", r#"{"protocol":[2]}"#), ("Hello", r#"{"protocol":[2]}"#)], "ok 1 | -32600 2"),
    (Both, &[("Ping", "{}"), ("Hello", r#"{"protocol":[2]}"#)], "ok 1 | -32600 2"),
    (Both, &[("No", "{}"), ("Hello", r#"{"protocol":[2]}"#)], "-32601 1 | -32600 2"),
    (Both, &[("Hello", "{}"), ("Hello", r#"{"protocol":[2]}"#)], "-32602 1 | -32600 2"),
    (Both, &[("Hello", r#"{"protocol":[9]}"#), ("Ping", "{}")], "-32026 1 | ✕"),
    (Both, &[("Hello", r#"{"protocol":[2]}"#), ("Ping", r#"{"x":1}"#)], "ok 1 | -32602 2"),
    (Both, &[("Hello", r#"{"protocol":[2],"x":1}"#), ("Ping", "{}")], "ok 1 | ok 2"),
    (Data, &[("Hello", r#"{"protocol":[2]}"#), ("GetChats", r#"{"user_id":1,"x":1}"#)], "ok 1 | -32602 2"),
    (Data, &[("Hello", r#"{"protocol":[2]}"#), ("InsertChat", r#"{"user_ids":[1]}"#)], "ok 1 | -32602 2"),
    (Data, &[("Authenticate", r#"{"user_id":1}"#), ("Authenticate", r#"{"user_id":2}"#)], "ok 1 | -32003 2"),
    (Data, &[("Authenticate", r#"{"user_id":1}"#), ("GetChats", r#"{"user_id":2}"#)], "ok 1 | -32003 2"),
    (Data, &[("Authenticate", r#"{"user_id":3}"#), ("GetMessages", r#"{"chat_id":1}"#)], "ok 1 | -32003 2"),
    (
        Data,
        &[("Authenticate", r#"{"user_id":3}"#), ("AddParticipant", r#"{"chat_id":1,"user_id":3}"#)],
        "ok 1 | -32003 2",
    ),
    (
        Data,
        &[("Authenticate", r#"{"user_id":1}"#), ("AddParticipant", r#"{"chat_id":1,"user_id":3}"#)],
        "ok 1 | -32003 2",
    ),
    (
        Data,
        &[("Authenticate", r#"{"user_id":3}"#), ("MarkRead", r#"{"chat_id":1,"number":1}"#)],
        "ok 1 | -32003 2",
    ),
    (
        Data,
        &[("Authenticate", r#"{"user_id":1}"#), ("Sync", r#"{"cursors":{"1":18446744073709551615}}"#)],
        "ok 1 | ok 2",
    ),
    (
        Data,
        &[("Authenticate", r#"{"user_id":1}"#), ("Sync", r#"{"cursors":{"-5":1,"99":0}}"#)],
        "ok 1 | ok 2",
    ),
    (Broadcast, &[("OpenStream", r#"{"user_id":1}"#), ("Link", r#"{"nonce":""}"#)], "ok 1 | -32003 2"),
];

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    cases.extend(REQUESTS.iter().map(|(to, method, params, outcome)| request(*to, method, params, *outcome)));
    for (to, requests, outcome) in CONVERSATIONS {
        let frames = requests.iter().enumerate().flat_map(|(place, (method, params))| {
            let id = place + 1;
            encode(
                format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{params},"id":{id}}}"#).as_bytes(),
            )
        });
        cases.push(raw(*to, frames.collect::<Vec<u8>>(), *outcome));
    }
    cases.extend(sizes());
    cases.push(framed(
        Broadcast,
        r#"[{"jsonrpc":"2.0","method":"Link","params":{"nonce":"00"},"id":1}]"#,
        "[-32003 1]",
    ));
    cases
}

/// Texts, names, keys and lists around their limits.
fn sizes() -> Vec<Case> {
    let name = |name: &str| format!(r#"{{"user_name":"{name}"}}"#);
    let chat = |name: &str| format!(r#"{{"user_ids":[1,2,3],"chat_name":"{name}"}}"#);
    let text = |text: &str| format!(r#"{{"chat_id":1,"user_id":1,"message_text":"{text}"}}"#);
    let key =
        |key: &str| format!(r#"{{"chat_id":1,"user_id":1,"message_text":"t","client_message_id":"{key}"}}"#);
    let users = |count: usize| format!(r#"{{"user_ids":[{}]}}"#, vec!["99"; count].join(","));
    vec![
        request(Data, "InsertUser", &name(&"я".repeat(255)), "ok 1"),
        request(Data, "InsertUser", &name(&"я".repeat(256)), "-32013 1"),
        request(Data, "InsertUser", &name(&"\\u0041".repeat(255)), "ok 1"),
        request(Data, "InsertUser", &name(&"x".repeat(1_000_000)), "-32013 1"),
        request(Data, "InsertChat", &chat(&"🌮".repeat(255)), "ok 1"),
        request(Data, "InsertChat", &chat(&"🌮".repeat(256)), "-32013 1"),
        request(Data, "InsertChat", &users(20_000), "-32004 1"),
        request(Data, "InsertChat", &users(20_001), "-32013 1"),
        request(Data, "InsertMessage", &text(&"я".repeat(16_000)), "ok 1"),
        request(Data, "InsertMessage", &text(&"🌮".repeat(16_000)), "ok 1"),
        request(Data, "InsertMessage", &text(&"\\u0001".repeat(16_000)), "ok 1"),
        request(Data, "InsertMessage", &text(&"я".repeat(16_001)), "-32013 1"),
        request(Data, "InsertMessage", &text(&"x".repeat(1_000_000)), "-32013 1"),
        request(Data, "InsertMessage", &text("\\u0000"), "ok 1"),
        request(Data, "InsertMessage", &text(" "), "ok 1"),
        request(Data, "InsertMessage", &key(&"k".repeat(64)), "ok 1"),
        request(Data, "InsertMessage", &key(&"k".repeat(65)), "-32602 1"),
        request(Data, "InsertMessage", &key(&"я".repeat(33)), "-32602 1"),
    ]
}
