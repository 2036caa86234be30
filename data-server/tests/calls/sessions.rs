//! Sessions: accepted by each server of a database, checked on every call, ended here, elsewhere and by time.

use std::time::Duration;

use bus::Hint;
use data_server::SharedTicketKey;
use serde_json::{Value, json};
use ttp::model::{SessionId, UserId};
use ttp::net::clock;
use ttp::secret::Secret;
use ttp::ticket::{TicketError, TicketKey};

use crate::house::*;

/// Another server on the same database.
async fn beside(house: &House, adjust: impl FnOnce(&mut data_server::Config)) -> House {
    let path = house.store_path();
    House::strict(|config| {
        config.store_path = path;
        adjust(config);
    })
    .await
}

/// R17: who logged in at one server is known at the other, for as long as the operator says.
#[tokio::test]
async fn r17_a_session_holds_at_every_server_of_the_database() {
    const THREE_DAYS_MS: i64 = 3 * 24 * 3_600_000;
    let lifetime = Duration::from_millis(THREE_DAYS_MS as u64);
    let first = House::strict(|config| config.session_lifetime = lifetime).await;
    let second = beside(&first, |_| {}).await;
    let mut peer = first.stranger().await;
    let before = clock::now_ms();
    let params = json!({"user_name": "Ada", "password": PASSWORD, "device": "laptop"});
    let begun = peer.call("Register", params).await.unwrap();
    let expires_ts = begun["expires_ts"].as_i64().unwrap();
    assert!((before + THREE_DAYS_MS..=clock::now_ms() + THREE_DAYS_MS).contains(&expires_ts));
    let mut there = second.stranger().await;
    let told = there.call("Authenticate", json!({"token": begun["token"]})).await.unwrap();
    let expected = json!({"user": begun["user"], "server_role": "owner", "session_id": begun["session_id"]});
    assert_eq!(told, expected);
    assert_eq!(there.call("GetChats", json!({})).await, Ok(json!({"chats": []})));
    let sessions = there.call("GetSessions", json!({})).await.unwrap();
    let session = &sessions["sessions"][0];
    assert_eq!((&session["device"], &session["is_current"]), (&json!("laptop"), &json!(true)));
    assert_eq!(there.call("Authenticate", json!({"token": begun["token"]})).await, Ok(told), "once more");
}

/// R17: a session ends when it was not used for its lifetime, and not while it is.
#[tokio::test]
async fn r17_a_session_lives_as_long_as_it_is_used() {
    let lifetime = Duration::from_secs(3);
    let house = House::strict(|config| config.session_lifetime = lifetime).await;
    let (mut ada, token) = house.register("Ada").await;
    let until = clock::now() + lifetime * 5 / 4;
    while clock::now() < until {
        ada.call("GetChats", json!({})).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut known = house.stranger().await;
    assert!(known.call("Authenticate", json!({"token": token})).await.is_ok(), "it was used all the time");
    let over = async {
        // Each look is a connection that does nothing else: showing a token is no use of the session.
        while house.stranger().await.call("Authenticate", json!({"token": token})).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, over).await.expect("the session expires");
    for mut peer in [ada, known] {
        assert_eq!(peer.call("GetChats", json!({})).await, Err(-32001), "also on an open connection");
        assert_eq!(peer.call("Ping", json!({})).await, Ok(json!({})));
    }
}

/// R18: after the end of a session elsewhere, the next call on an open connection is refused.
#[tokio::test]
async fn r18_a_session_is_checked_on_every_call() {
    let house = House::strict(|_| {}).await;
    let (mut ada, _) = house.register("Ada").await;
    ada.call("InsertChat", json!({"chat_name": "notes", "user_ids": [1]})).await.unwrap();
    let (_, token) = house.register("Eve").await;
    let calls = [
        ("GetChats", json!({})),
        ("GetMessages", json!({"chat_id": 1})),
        ("InsertMessage", json!({"chat_id": 1, "message_text": "x"})),
        ("InsertChat", json!({"user_ids": [2]})),
        ("GetUser", json!({"user_id": 1})),
        ("GetUser", json!({"user_name": "Ada"})),
        ("GetParticipants", json!({"chat_id": 1})),
        ("AddParticipant", json!({"chat_id": 1, "user_id": 2})),
        ("RemoveParticipant", json!({"chat_id": 1, "user_id": 1})),
        ("SetRole", json!({"chat_id": 1, "user_id": 1, "role": "owner"})),
        ("MarkRead", json!({"chat_id": 1, "number": 0})),
        ("Sync", json!({})),
        ("Sync", json!({"cursors": {}})),
        ("GetSessions", json!({})),
        ("RevokeSession", json!({"session_id": 1})),
        ("Logout", json!({})),
        ("LogoutEverywhere", json!({})),
        ("ChangePassword", json!({"old_password": PASSWORD, "new_password": "staple staple"})),
        ("UpdateUser", json!({"user_name": "Countess"})),
        ("DeactivateUser", json!({"password": PASSWORD})),
        ("SetServerRole", json!({"user_id": 2, "role": "guest"})),
        ("InsertInvitation", json!({})),
        ("GetInvitations", json!({})),
        ("RevokeInvitation", json!({"invitation_id": 1})),
        ("GetStreamTicket", json!({})),
    ];
    for (method, params) in calls {
        let (mut phone, begun) = house.log_in("Ada").await;
        assert!(phone.call("Sync", json!({})).await.is_ok());
        let revoked = ada.call("RevokeSession", json!({"session_id": begun["session_id"]})).await;
        assert_eq!(revoked, Ok(json!({})), "{method}");
        let refusal = phone.ask(method, params.clone()).await.unwrap_err();
        assert_eq!(refusal["code"], -32001, "{method}: {refusal}");
        assert_eq!(refusal["message"], "this session has ended: log in again", "{method}");
        let refusal = phone.ask(method, params).await.unwrap_err();
        assert_eq!(refusal["code"], -32001, "{method}: {refusal}");
        assert_ne!(refusal["message"], "this session has ended: log in again", "it speaks for nobody now");
        assert!(phone.call("Authenticate", json!({"token": token})).await.is_ok(), "and for anybody else");
    }
    assert_eq!(ada.call("RevokeSession", json!({"session_id": 2})).await, Err(-32004), "of somebody else");
    assert!(ada.call("GetChats", json!({})).await.is_ok());
}

/// R19: after `LogoutEverywhere` no token is accepted anywhere, and the broadcast-servers are told.
#[tokio::test]
async fn r19_logging_out_everywhere_ends_all() {
    let first = House::strict(|_| {}).await;
    let (mut ada, token) = first.register("Ada").await;
    let (_phone, begun) = first.log_in("Ada").await;
    let second = beside(&first, |_| {}).await;
    let mut there = second.stranger().await;
    there.call("Authenticate", json!({"token": begun["token"]})).await.unwrap();
    assert_eq!(ada.call("LogoutEverywhere", json!({})).await, Ok(json!({"sessions_ended": 2})));
    assert_eq!(there.call("GetChats", json!({})).await, Err(-32001));
    assert_eq!(ada.call("GetChats", json!({})).await, Err(-32001));
    for token in [json!(token), begun["token"].clone()] {
        for house in [&first, &second] {
            let refused = house.stranger().await.call("Authenticate", json!({"token": token})).await;
            assert_eq!(refused, Err(-32001));
        }
    }
    let hints = first.recorder.hints(1).await;
    let [Hint::Ended(ended)] = &hints[..] else {
        panic!("{hints:?}");
    };
    assert_eq!(ended.len(), 2);
    assert!(ended.contains(&SessionId(begun["session_id"].as_i64().unwrap())));
}

/// R19, N15: a logout ends the session and not the connection, which may log in again.
#[tokio::test]
async fn n15_a_connection_outlives_its_logout() {
    let house = House::strict(|config| config.opening_timeout = Duration::from_secs(1)).await;
    let (mut ada, token) = house.register("Ada").await;
    assert_eq!(ada.call("Logout", json!({})).await, Ok(json!({})));
    assert_eq!(ada.call("GetChats", json!({})).await, Err(-32001));
    assert_eq!(ada.call("Logout", json!({})).await, Err(-32001));
    assert_eq!(ada.call("Authenticate", json!({"token": token})).await, Err(-32001));
    // Longer than a newcomer may take.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let again = ada.call("Login", json!({"user_name": "Ada", "password": PASSWORD})).await.unwrap();
    assert_ne!(again["token"], token);
    assert!(ada.call("GetChats", json!({})).await.is_ok());
    let known = house.stranger().await.call("Authenticate", json!({"token": again["token"]})).await;
    assert!(known.is_ok());
}

/// Calls behind a logout speak for nobody, and those behind a login for who has come, also within one batch.
#[tokio::test]
async fn calls_wait_for_who_comes_and_goes() {
    let house = House::strict(|_| {}).await;
    house.register("Ada").await;
    let (mut grace, _) = house.register("Grace").await;
    let request = |id: u64, method: &str, params: Value| json!({"jsonrpc": "2.0", "method": method, "params": params, "id": id});
    let batch = json!([
        request(1, "UpdateUser", json!({"user_name": "Hopper"})),
        request(2, "Logout", json!({})),
        request(3, "GetChats", json!({})),
        request(4, "Login", json!({"user_name": "Ada", "password": PASSWORD})),
        request(5, "GetSessions", json!({})),
    ]);
    grace.send(&batch.to_string()).await;
    let replies = grace.read_json().await;
    let reply = |id: u64| replies.as_array().unwrap().iter().find(|reply| reply["id"] == id).unwrap();
    assert_eq!(reply(1)["result"]["user"]["user_name"], "Hopper");
    assert_eq!(reply(2)["result"], json!({}));
    assert_eq!(reply(3)["error"]["code"], -32001);
    assert_eq!(reply(4)["result"]["user"]["user_name"], "Ada");
    assert_eq!(reply(5)["result"]["sessions"].as_array().unwrap().len(), 2);
}

/// A ticket says who, in which session, for a minute; and the key may be another one from one call to the next.
#[tokio::test]
async fn tickets_are_signed_with_the_key_of_the_house() {
    let keys = [TicketKey::new([1; 32]), TicketKey::new([2; 32])];
    let shared = SharedTicketKey::new(keys[0].clone());
    let house = House::strict(|config| config.ticket_key = shared.clone()).await;
    let (mut ada, _) = house.register("Ada").await;
    let session_id = ada.call("GetSessions", json!({})).await.unwrap()["sessions"][0]["session_id"].as_i64();
    for (key, other) in [(&keys[0], &keys[1]), (&keys[1], &keys[0])] {
        let reply = ada.call("GetStreamTicket", json!({})).await.unwrap();
        let ticket = Secret::new(reply["ticket"].as_str().unwrap());
        let said = key.verify(&ticket, clock::now_ms()).unwrap();
        assert_eq!((said.user_id, said.session_id), (UserId(1), session_id.map(SessionId)));
        assert_eq!(reply["expires_ts"], said.expires_ts);
        assert!((1..=60_000).contains(&(said.expires_ts - clock::now_ms())));
        assert_eq!(other.verify(&ticket, clock::now_ms()), Err(TicketError::Forged));
        shared.replace(other.clone());
    }
    assert_eq!(house.stranger().await.call("GetStreamTicket", json!({})).await, Err(-32001));
}

/// The directory says which sessions of a person hold.
#[tokio::test]
async fn broadcast_servers_are_told_which_sessions_hold() {
    let house = House::strict(|_| {}).await;
    let (mut ada, _) = house.register("Ada").await;
    let (_phone, begun) = house.log_in("Ada").await;
    ada.call("Logout", json!({})).await.unwrap();
    let (sender, hearing) = tokio::sync::oneshot::channel();
    house.directory.hearing_of(vec![UserId(1)], Box::new(move |answer| sender.send(answer).unwrap()));
    let sessions = hearing.await.unwrap().unwrap().remove(0).sessions;
    assert_eq!(sessions, [SessionId(begun["session_id"].as_i64().unwrap())]);
}
