//! Who has not logged in: what such a peer may ask, how much it may send, and how long it may stay.

use std::time::Duration;

use serde_json::{Value, json};
use ttp::call::DataCall;
use ttp::frame::encode;
use ttp::limits::FRAME_BYTES_MAX_BEFORE_LOGIN;

use crate::house::*;

/// Params with which each method could succeed.
fn params_of(method: &str) -> Value {
    match method {
        "Hello" => json!({"protocol": [2]}),
        "Register" | "Login" => json!({"user_name": "Eve", "password": PASSWORD}),
        "Authenticate" => json!({"user_id": 1}),
        "ChangePassword" => json!({"old_password": PASSWORD, "new_password": "staple staple"}),
        "RevokeSession" => json!({"session_id": 1}),
        "UpdateUser" | "InsertUser" | "InsertBot" => json!({"user_name": "Eve"}),
        "SetServerRole" => json!({"user_id": 1, "role": "guest"}),
        "RevokeInvitation" => json!({"invitation_id": 1}),
        "GetUser" | "GetChats" => json!({"user_id": 1}),
        "InsertChat" => json!({"chat_name": "", "user_ids": [1]}),
        "UpdateChat" => json!({"chat_id": 1, "settings": {}}),
        "JoinChat" | "LeaveChat" | "GetRestrictions" => json!({"chat_id": 1}),
        "Restrict" => json!({"chat_id": 1, "user_id": 1, "penalty": "mute"}),
        "GetMessages" | "GetParticipants" | "GetPins" => json!({"chat_id": 1}),
        "GetThread" => json!({"chat_id": 1, "thread": 2}),
        "UpdateMessage" => json!({"chat_id": 1, "seq": 2, "message_text": "x"}),
        "DeleteMessage" | "PinMessage" | "UnpinMessage" | "GetMessageHistory" => {
            json!({"chat_id": 1, "seq": 2})
        }
        "AddReaction" | "RemoveReaction" => json!({"chat_id": 1, "seq": 2, "emoji": "👍"}),
        "SearchMessages" => json!({"query": "x"}),
        "InsertMessage" => json!({"chat_id": 1, "user_id": 1, "message_text": "x"}),
        "AddParticipant" | "RemoveParticipant" => json!({"chat_id": 1, "user_id": 1}),
        "SetRole" => json!({"chat_id": 1, "user_id": 1, "role": "owner"}),
        "MarkRead" => json!({"chat_id": 1, "number": 1}),
        "SetDraft" => json!({"chat_id": 1, "text": "x"}),
        "BeginUpload" => json!({"sha256": "00".repeat(32), "bytes": 1}),
        "UploadChunk" => json!({"sha256": "00".repeat(32), "bytes": 1, "offset": 0, "data": "eA=="}),
        "DownloadChunk" => json!({"chat_id": 1, "seq": 2, "sha256": "00".repeat(32)}),
        "RenewBot" | "RevokeBot" => json!({"user_id": 1}),
        _ => json!({}),
    }
}

/// C03: before who asks has said who it is, everything but the door is shut, in both versions.
#[tokio::test]
async fn c03_everything_before_login_is_unauthorized() {
    let house = House::strict(|_| {}).await;
    let (mut ada, _) = house.register("Ada").await;
    ada.call("InsertChat", json!({"chat_name": "notes", "user_ids": [1]})).await.unwrap();
    let mut refused = 0;
    for method in DataCall::METHODS {
        let mut old = house.connect().await;
        let reply = old.ask(method, params_of(method)).await;
        if matches!(*method, "Hello" | "Ping" | "GetServerInfo") {
            assert!(reply.is_ok(), "{method}: {reply:?}");
        } else {
            let refusal = reply.unwrap_err();
            assert_eq!(refusal["code"], -32001, "{method}: {refusal}");
            let message = refusal["message"].as_str().unwrap();
            assert!(
                message.contains("Hello") && message.contains("--trust-user-ids"),
                "what to do: {message}"
            );
            refused += 1;
        }
        let mut new = house.stranger().await;
        let code = new.call(method, params_of(method)).await;
        match *method {
            "Ping" | "GetServerInfo" | "Register" => assert!(code.is_ok(), "{method}: {code:?}"),
            "Hello" => assert_eq!(code, Err(-32600)),
            "Authenticate" | "InsertUser" => assert_eq!(code, Err(-32003), "{method}"),
            "Login" => assert!(code.is_ok() || code == Err(-32001), "{code:?}"),
            _ => {
                assert_eq!(code, Err(-32001), "{method}");
                refused += 1;
            }
        }
    }
    assert!(refused > 40, "{refused}");
    let messages = ada.call("GetMessages", json!({"chat_id": 1})).await.unwrap();
    assert_eq!(messages["messages"], json!([]));
    let refusal = house.stranger().await.ask("Authenticate", json!({"token": "tlk_0"})).await.unwrap_err();
    assert_eq!(refusal["message"], "this session has ended: log in again");
    assert_eq!(house.stranger().await.call("Authenticate", json!({})).await, Err(-32602));
}

/// A stranger's frames are short, and grow with the login. What follows a login in one breath waits for it.
#[tokio::test]
async fn frames_are_short_before_login() {
    let house = House::strict(|_| {}).await;
    let (_, token) = house.register("Ada").await;
    let long = |id: u32| {
        let params = json!({"chat_id": 1, "message_text": "x".repeat(FRAME_BYTES_MAX_BEFORE_LOGIN)});
        json!({"jsonrpc": "2.0", "method": "InsertMessage", "params": params, "id": id}).to_string()
    };
    let mut peer = house.stranger().await;
    peer.write(&encode(long(1).as_bytes())[..20]).await;
    let refusal = peer.read_json().await;
    assert_eq!((&refusal["error"]["code"], &refusal["id"]), (&json!(-32013), &Value::Null));
    assert_eq!(peer.read().await, None);

    let mut peer = house.stranger().await;
    let login = json!({"jsonrpc": "2.0", "method": "Login", "id": 2,
        "params": {"user_name": "Ada", "password": PASSWORD}});
    let mut bytes = encode(login.to_string().as_bytes());
    bytes.extend(encode(long(3).as_bytes()));
    peer.write(&bytes).await;
    assert_eq!(peer.read_json().await["id"], 2);
    assert_eq!(peer.read_json().await["error"]["code"], -32004, "there is no such chat yet");

    let mut peer = house.stranger().await;
    peer.call("Authenticate", json!({"token": token})).await.unwrap();
    peer.send(&long(4)).await;
    assert_eq!(peer.read_json().await["error"]["code"], -32004);
    peer.call("Logout", json!({})).await.unwrap();
    peer.send(&long(5)).await;
    assert_eq!(peer.read_json().await["error"]["code"], -32013, "as a stranger again");
    assert_eq!(peer.read().await, None);
}

/// Where numbers are trusted a version 1 peer sends long frames at once: it knows no login.
#[tokio::test]
async fn frames_are_long_where_numbers_are_trusted() {
    let house = House::new().await;
    house.people(2).await;
    let mut peer = house.connect().await;
    peer.call("InsertChat", json!({"user_ids": [1, 2]})).await.unwrap();
    let text = "x".repeat(3 * FRAME_BYTES_MAX_BEFORE_LOGIN);
    let said = json!({"chat_id": 1, "user_id": 1, "message_text": text});
    assert!(peer.call("InsertMessage", said).await.is_ok());
}

/// Who does not log in is told so and closed, whatever it asks meanwhile.
#[tokio::test]
async fn a_stranger_does_not_stay() {
    let house = House::strict(|config| config.opening_timeout = Duration::from_secs(1)).await;
    let (mut ada, token) = house.register("Ada").await;
    let mut idle = house.connect().await;
    let mut busy = house.stranger().await;
    let told = async {
        let mut last_id = 0;
        loop {
            last_id += 1;
            let method = if last_id % 2 == 0 { "Ping" } else { "GetServerInfo" };
            let request = json!({"jsonrpc": "2.0", "method": method, "id": last_id});
            busy.send(&request.to_string()).await;
            let reply = busy.read_json().await;
            if reply["id"].is_null() {
                return reply;
            }
            assert!(reply["result"].is_object());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let told = tokio::time::timeout(PATIENCE, told).await.expect("it is told");
    assert_eq!(told["error"]["code"], -32001);
    assert_eq!(idle.read_json().await["error"]["code"], -32001);
    assert_eq!(idle.read().await, None);
    assert_eq!(ada.call("GetChats", json!({})).await, Ok(json!({"chats": []})), "who logged in stays");
    assert!(house.stranger().await.call("Authenticate", json!({"token": token})).await.is_ok());
}
