//! What the mutations start from: a sound request of every method, and some that are nearly so.

use ttp::call::{BroadcastCall, DataCall};
use ttp::frame::encode;

/// Params that fit one method or another. Each method is tried with all of them.
const PARAMS: &[&str] = &[
    "{}",
    r#"{"protocol":[2],"client":"fuzz 1"}"#,
    r#"{"user_id":7}"#,
    r#"{"user_name":"Аня 王 🌮"}"#,
    r#"{"user_id":7,"messages_max":20,"before":{"activity_ts":1600000000000,"chat_id":3}}"#,
    r#"{"chat_name":"группа","user_ids":[1,2,3],"client_chat_id":"k1"}"#,
    r#"{"chat_id":3,"before_seq":10,"limit":50}"#,
    r#"{"chat_id":3,"user_id":7,"message_text":"привет \ud83c\udf2e \" \\","client_message_id":"k2"}"#,
    r#"{"chat_id":3,"after_user_id":7}"#,
    r#"{"chat_id":3,"number":9}"#,
    r#"{"epoch":"e","cursors":{"1":2,"3":4}}"#,
    r#"{"receiver_ids":[1,2],"message":{"message_id":1,"chat_id":3,"user":{"user_id":7,"user_name":"A"},"message_text":"t","message_ts":1}}"#,
    r#"{"nonce":"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"}"#,
    r#"[7,"name",[1,2],null]"#,
];

/// Ids in every form.
const IDS: &[&str] =
    &["1", "340282366920938463463374607431768211455", "null", r#""a\u0041\ud83c\udf2e""#, "-0", "1e400"];

/// Payloads that are no requests of a client.
const OTHER_PAYLOADS: &[&str] = &[
    "",
    "[]",
    "[1,2,3]",
    r#"{"jsonrpc":"2.0","method":"Ping"}"#,
    r#"{"jsonrpc":"2.0","result":{"receiver_ids":[],"message":{}},"id":1}"#,
    r#"{"jsonrpc":"2.0","error":{"code":-32053,"message":"full","data":{"retry_after_ms":5}},"id":null}"#,
    r#"{"jsonrpc":"2.0","method":"Heartbeat","params":{}}"#,
    r#"{"jsonrpc":"2.0","method":"Close","params":{"code":3001,"reason":"slow","reconnect":true}}"#,
    r#"{"jsonrpc":"2.0","method":"Event","params":{"chat_id":3,"seq":1,"change":{"joined":{"user":{"user_id":7,"user_name":"A"},"change_ts":1}}}}"#,
];

/// Inputs for the target of this name. Unknown names start from nothing.
pub fn of_target(name: &str) -> Vec<Vec<u8>> {
    match name {
        "decoder" => frames(),
        "envelope" => payloads(),
        "params" => params(),
        _ => Vec::new(),
    }
}

/// A request of every method of both servers, batches of them, and what is no request.
pub fn payloads() -> Vec<Vec<u8>> {
    let methods = DataCall::METHODS.iter().chain(BroadcastCall::METHODS);
    let requests: Vec<String> = methods
        .enumerate()
        .flat_map(|(place, method)| {
            PARAMS.iter().enumerate().map(move |(other, params)| {
                let id = IDS[(place + other) % IDS.len()];
                format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{params},"id":{id}}}"#)
            })
        })
        .collect();
    let batches = requests.chunks(9).map(|some| format!("[{}]", some.join(", ")));
    let others = OTHER_PAYLOADS.iter().map(|payload| String::from(*payload));
    batches.chain(others).chain(requests.iter().cloned()).map(String::into_bytes).collect()
}

/// Several frames in a row, with headers in every accepted form.
fn frames() -> Vec<Vec<u8>> {
    let payloads = payloads();
    let mut frames: Vec<Vec<u8>> =
        payloads.chunks(3).map(|some| some.iter().flat_map(|payload| encode(payload)).collect()).collect();
    frames.extend(
        ["  2       {}", "0000000002{}", "         2{}0         2         []", "9999999999", "4096      "]
            .map(|text| text.as_bytes().to_vec()),
    );
    frames
}

/// Params behind a byte that chooses the method.
fn params() -> Vec<Vec<u8>> {
    let choices = DataCall::METHODS.len().max(BroadcastCall::METHODS.len()) as u8;
    (0..choices)
        .flat_map(|choice| PARAMS.iter().map(move |params| [&[choice], params.as_bytes()].concat()))
        .collect()
}
