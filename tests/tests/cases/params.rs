//! Members of params that are of the wrong kind, for every method.

use super::To::{self, Both, Broadcast, Data};
use super::{Case, request};

/// Values that are no id of anything.
const NO_NUMBER: &[&str] =
    &["\"1\"", "1.5", "true", "[]", "{}", "9223372036854775808", "1e3", "1e400", "-9223372036854775809"];

/// Values that are no text.
const NO_TEXT: &[&str] = &["1", "true", "[]", "{}", "\"\\ud800\"", "\"\\udc00\\ud800\""];

/// Values that are no small count.
const NO_COUNT: &[&str] = &["-1", "4294967296", "\"1\"", "1.5", "[]"];

/// Members that must be of one kind: the method, the other members, the member, what is wrong for it.
const MEMBERS: &[(To, &str, &str, &str, &[&str])] = &[
    (Data, "GetUser", "", "user_id", NO_NUMBER),
    (Data, "GetUser", "", "user_name", NO_TEXT),
    (Data, "InsertUser", "", "user_name", NO_TEXT),
    (Data, "InsertUser", "", "user_name", &["null", "\"\"", "\" \\t\\n\""]),
    (Data, "Authenticate", "", "user_id", NO_NUMBER),
    (Data, "Authenticate", "", "user_id", &["null"]),
    (Data, "GetChats", "", "user_id", NO_NUMBER),
    (Data, "GetChats", "\"user_id\":1,", "messages_max", NO_COUNT),
    (Data, "GetChats", "\"user_id\":1,", "limit", NO_COUNT),
    (Data, "GetChats", "\"user_id\":1,", "users_max", NO_COUNT),
    (
        Data,
        "GetChats",
        "\"user_id\":1,",
        "before",
        &["1", "\"x\"", "[]", "{}", "{\"chat_id\":1}", "{\"activity_ts\":\"1\",\"chat_id\":1}"],
    ),
    (
        Data,
        "InsertChat",
        "",
        "user_ids",
        &["1", "null", "{}", "\"1\"", "[\"1\"]", "[null]", "[1.5]", "[[1]]", "[]"],
    ),
    (Data, "InsertChat", "\"user_ids\":[1,2],", "chat_name", NO_TEXT),
    (Data, "InsertChat", "\"user_ids\":[1,2],", "chat_name", &["null"]),
    (Data, "InsertChat", "\"user_ids\":[1,2],", "client_chat_id", &["1", "[]", "{}", "\"\""]),
    (Data, "GetMessages", "", "chat_id", NO_NUMBER),
    (Data, "GetMessages", "", "chat_id", &["null"]),
    (
        Data,
        "GetMessages",
        "\"chat_id\":1,",
        "before_seq",
        &["-1", "\"1\"", "1.5", "18446744073709551616", "[]"],
    ),
    (Data, "GetMessages", "\"chat_id\":1,", "limit", NO_COUNT),
    (Data, "InsertMessage", "\"user_id\":1,\"message_text\":\"t\",", "chat_id", NO_NUMBER),
    (Data, "InsertMessage", "\"chat_id\":1,\"message_text\":\"t\",", "user_id", NO_NUMBER),
    (Data, "InsertMessage", "\"chat_id\":1,\"user_id\":1,", "message_text", NO_TEXT),
    (Data, "InsertMessage", "\"chat_id\":1,\"user_id\":1,", "message_text", &["null", "\"\""]),
    (
        Data,
        "InsertMessage",
        "\"chat_id\":1,\"user_id\":1,\"message_text\":\"t\",",
        "client_message_id",
        &["1", "[]", "\"\""],
    ),
    (Data, "SearchMessages", "", "query", NO_TEXT),
    (Data, "SearchMessages", "", "query", &["null"]),
    (Data, "SearchMessages", "\"query\":\"x\",", "chat_id", NO_NUMBER),
    (Data, "SearchMessages", "\"query\":\"x\",", "limit", NO_COUNT),
    (Data, "SearchMessages", "\"query\":\"x\",", "context", NO_COUNT),
    (Data, "SearchMessages", "\"query\":\"x\",", "cursor", &["1", "[]", "{}"]),
    (Data, "SearchMessages", "\"query\":\"x\",", "order", &["1", "\"oldest\"", "[]"]),
    (Data, "SearchMessages", "\"query\":\"x\",", "utc_offset_minutes", &["\"1\"", "1.5", "2147483648"]),
    (Data, "GetParticipants", "", "chat_id", NO_NUMBER),
    (Data, "GetParticipants", "\"chat_id\":1,", "after_user_id", &["\"1\"", "1.5", "[]"]),
    (Data, "AddParticipant", "\"user_id\":1,", "chat_id", NO_NUMBER),
    (Data, "AddParticipant", "\"chat_id\":1,", "user_id", NO_NUMBER),
    (Data, "RemoveParticipant", "\"user_id\":1,", "chat_id", NO_NUMBER),
    (Data, "RemoveParticipant", "\"chat_id\":1,", "user_id", NO_NUMBER),
    (Data, "MarkRead", "\"number\":1,", "chat_id", NO_NUMBER),
    (Data, "MarkRead", "\"chat_id\":1,", "number", &["-1", "\"1\"", "1.5", "null"]),
    (Data, "Sync", "", "epoch", &["1", "[]", "{}"]),
    (
        Data,
        "Sync",
        "",
        "cursors",
        &["1", "\"x\"", "[]", "[1]", "{\"x\":1}", "{\"1\":\"x\"}", "{\"1\":-1}", "{\"1.5\":1}", "{\"\":1}"],
    ),
    (
        Both,
        "Hello",
        "",
        "protocol",
        &["2", "\"2\"", "null", "{}", "[\"2\"]", "[-1]", "[2.5]", "[4294967296]", "[null]", "[[2]]"],
    ),
    (Both, "Hello", "\"protocol\":[2],", "client", NO_TEXT),
    (Broadcast, "OpenStreamRequest", "", "user_id", NO_NUMBER),
    (Broadcast, "OpenStream", "", "user_id", &["null"]),
    (Broadcast, "CloseStreamRequest", "", "user_id", NO_NUMBER),
    (Broadcast, "CloseStream", "", "user_id", &["null"]),
    (Broadcast, "Link", "", "nonce", NO_TEXT),
];

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (to, method, others, member, values) in MEMBERS {
        for value in *values {
            cases.push(request(*to, method, &format!("{{{others}\"{member}\":{value}}}"), "-32602 1"));
        }
    }
    cases
}
