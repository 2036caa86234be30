//! Accounts: made once, entered by password, renamed, closed; and what roles let people do to each other.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::house::*;

fn account(name: &str, password: &str) -> Value {
    json!({"user_name": name, "password": password})
}

/// R14: a name that is taken is not entered with another password, and one sentence covers both mistakes.
#[tokio::test]
async fn r14_a_wrong_password_and_an_unknown_name_are_one_mistake() {
    let house = House::strict(|_| {}).await;
    house.register("Ada").await;
    let mut peer = house.stranger().await;
    let mut refusals = Vec::new();
    for (name, password) in [("Ada", "incorrect horse"), ("Grace", PASSWORD), ("Ada", ""), ("", PASSWORD)] {
        refusals.push(peer.ask("Login", account(name, password)).await.unwrap_err());
    }
    let long = "x".repeat(2_000);
    refusals.push(peer.ask("Login", account("Ada", &long)).await.unwrap_err());
    refusals.push(peer.ask("Login", account(&long, PASSWORD)).await.unwrap_err());
    for refusal in refusals {
        assert_eq!(refusal, json!({"code": -32001, "message": "wrong name or password"}));
    }
    assert_eq!(peer.call("Register", account("Ada", "incorrect horse")).await, Err(-32009));
    assert_eq!(peer.call("GetSessions", json!({})).await, Err(-32001), "none of it logged in");
    let begun = peer.call("Login", account(" ada", PASSWORD)).await;
    assert!(begun.is_ok(), "found in any case of letters: {begun:?}");
}

/// R15: 100 registrations of one name at once make one account, and 99 are refused.
#[tokio::test]
async fn r15_one_name_is_one_account_however_many_ask() {
    let house = House::strict(|config| config.hash_queue_max = 200).await;
    house.register("Owner").await;
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let mut peer = house.stranger().await;
        asking.spawn(async move { peer.call("Register", account("Highlander", PASSWORD)).await });
    }
    let replies = asking.join_all().await;
    let made: Vec<&Value> = replies.iter().filter_map(|reply| reply.as_ref().ok()).collect();
    assert_eq!(made.len(), 1, "{made:?}");
    assert_eq!((&made[0]["user"]["user_id"], &made[0]["server_role"]), (&json!(2), &json!("member")));
    assert_eq!(replies.iter().filter(|reply| **reply == Err(-32009)).count(), 99);
    assert!(house.log_in("Highlander").await.1["token"].is_string());
}

/// R16: stored is a slow salted hash, and of a token only a hash.
#[tokio::test]
async fn r16_nothing_stored_opens_a_door() {
    let mut house = House::strict(|_| {}).await;
    let mut tokens = Vec::new();
    for name in ["Ada", "Grace"] {
        tokens.push(house.register(name).await.1);
    }
    house.stop().await;
    let connection = rusqlite::Connection::open(house.store_path()).unwrap();
    let mut hashes = HashSet::new();
    let mut statement = connection.prepare("SELECT password_hash FROM Users").unwrap();
    for hash in statement.query_map([], |row| row.get::<_, String>(0)).unwrap() {
        hashes.insert(hash.unwrap());
    }
    assert_eq!(hashes.len(), 2, "equal passwords have different hashes");
    assert!(hashes.iter().all(|hash| hash.starts_with("$argon2id$v=19$m=8,t=1,p=1$")), "{hashes:?}");
    let file = std::fs::read(house.store_path()).unwrap();
    for secret in [PASSWORD, &tokens[0], &tokens[1], &tokens[0][4..]] {
        assert!(!file.windows(secret.len()).any(|window| window == secret.as_bytes()));
    }
}

/// A login with a hash that has become too cheap leaves a better one.
#[tokio::test]
async fn r16_a_cheap_hash_is_replaced_at_the_next_login() {
    let mut before = House::strict(|_| {}).await;
    before.register("Ada").await;
    before.stop().await;
    let path = before.store_path();
    let mut house = House::strict(|config| {
        config.store_path = path.clone();
        config.password_cost.passes = 2;
    })
    .await;
    house.log_in("Ada").await;
    house.log_in("Ada").await;
    house.stop().await;
    let connection = rusqlite::Connection::open(path).unwrap();
    let hash: String = connection.query_row("SELECT password_hash FROM Users", [], |row| row.get(0)).unwrap();
    assert!(hash.contains("t=2"), "{hash}");
}

/// T63: what is not fit for an account is refused with a sentence, before anything is hashed.
#[tokio::test]
async fn t63_names_passwords_and_devices_are_checked() {
    let house = House::strict(|_| {}).await;
    let mut peer = house.stranger().await;
    for (params, code) in [
        (account("Ada", "1234567"), -32602),
        (account("Ada Lovelace", "ada lovelace "), -32602),
        (account("Ada", &"x".repeat(1_025)), -32013),
        (account(" ", PASSWORD), -32602),
        (account("A\u{202e}da", PASSWORD), -32602),
        (account(&"x".repeat(300), PASSWORD), -32013),
        (json!({"user_name": "Ada", "password": PASSWORD, "device": "x".repeat(101)}), -32013),
        (json!({"user_name": "Ada", "password": 7}), -32602),
        (json!({"user_name": "Ada"}), -32602),
    ] {
        let refusal = peer.ask("Register", params.clone()).await.unwrap_err();
        assert_eq!(refusal["code"], code, "{params}: {refusal}");
    }
    let device = json!({"user_name": "Ada", "password": PASSWORD, "device": "x".repeat(101)});
    assert_eq!(peer.call("Login", device).await, Err(-32013));
    let begun = peer.call("Register", account("Ада", "пароль пароль")).await.unwrap();
    assert_eq!((&begun["user"]["user_name"], &begun["server_role"]), (&json!("Ада"), &json!("owner")));
    for method in ["Register", "Login"] {
        let again = peer.ask(method, account("Grace", PASSWORD)).await.unwrap_err();
        assert_eq!(again["code"], -32003, "one session at a time: {again}");
    }
}

/// Another password ends every session but the one that sets it.
#[tokio::test]
async fn a_changed_password_ends_the_other_sessions() {
    let house = House::strict(|_| {}).await;
    let (mut ada, token) = house.register("Ada").await;
    let (mut phone, _) = house.log_in("Ada").await;
    let change = |old: &str, new: &str| json!({"old_password": old, "new_password": new});
    for (params, code) in [
        (change("incorrect horse", "staple staple"), -32003),
        (change(PASSWORD, "short"), -32602),
        (change(PASSWORD, &"x".repeat(1_025)), -32013),
        (change(&"x".repeat(1_025), "staple staple"), -32003),
    ] {
        assert_eq!(ada.call("ChangePassword", params).await, Err(code));
    }
    assert!(phone.call("GetSessions", json!({})).await.is_ok(), "nothing has changed");
    let changed = ada.call("ChangePassword", change(PASSWORD, "staple staple")).await;
    assert_eq!(changed, Ok(json!({"sessions_ended": 1})));
    assert_eq!(phone.call("ChangePassword", change("staple staple", PASSWORD)).await, Err(-32001));
    assert_eq!(phone.call("Login", account("Ada", PASSWORD)).await, Err(-32001));
    assert!(phone.call("Login", account("Ada", "staple staple")).await.is_ok());
    assert!(house.stranger().await.call("Authenticate", json!({"token": token})).await.is_ok());
}

#[tokio::test]
async fn a_new_name_is_free_and_shown_everywhere() {
    let house = House::strict(|_| {}).await;
    let (mut ada, _) = house.register("Ada").await;
    house.register("Grace").await;
    for (name, code) in [("grace", -32009), ("Grаce", -32602), ("", -32602), ("a\u{7}da", -32602)] {
        assert_eq!(ada.call("UpdateUser", json!({"user_name": name})).await, Err(code), "{name}");
    }
    let renamed = ada.call("UpdateUser", json!({"user_name": "Countess"})).await.unwrap();
    assert_eq!(renamed["user"], json!({"user_id": 1, "user_name": "Countess"}));
    let found = ada.call("GetUser", json!({"user_name": "countess"})).await.unwrap();
    assert_eq!(found["user"]["user_id"], 1);
    assert!(house.stranger().await.call("Login", account("Countess", PASSWORD)).await.is_ok());
}

/// A closed account is entered by nobody, and what it could do it cannot any more.
#[tokio::test]
async fn a_closed_account_stays_closed() {
    let house = House::strict(|_| {}).await;
    let (mut owner, _) = house.register("Owner").await;
    let (mut ada, token) = house.register("Ada").await;
    let (mut phone, _) = house.log_in("Ada").await;
    for (params, code) in [
        (json!({}), -32602),
        (json!({"password": "incorrect horse"}), -32003),
        (json!({"user_id": 1}), -32003),
        (json!({"user_id": 9}), -32004),
    ] {
        assert_eq!(ada.call("DeactivateUser", params).await, Err(code));
    }
    let own = json!({"password": PASSWORD});
    assert_eq!(owner.call("DeactivateUser", own.clone()).await, Err(-32009), "an owner stays");
    assert_eq!(ada.call("DeactivateUser", own).await, Ok(json!({"sessions_ended": 2})));
    for peer in [&mut ada, &mut phone] {
        assert_eq!(peer.call("GetChats", json!({})).await, Err(-32001));
        assert_eq!(peer.call("Login", account("Ada", PASSWORD)).await, Err(-32001));
        assert_eq!(peer.call("Authenticate", json!({"token": token})).await, Err(-32001));
    }
    assert_eq!(ada.call("Register", account("Ada", PASSWORD)).await, Err(-32009), "the name stays taken");
    let (mut grace, _) = house.register("Grace").await;
    assert_eq!(owner.call("DeactivateUser", json!({"user_id": 3})).await, Ok(json!({"sessions_ended": 1})));
    assert_eq!(grace.call("Sync", json!({})).await, Err(-32001));
}

#[tokio::test]
async fn roles_are_given_by_who_may() {
    let house = House::strict(|_| {}).await;
    let (mut owner, _) = house.register("Owner").await;
    let (mut ada, token) = house.register("Ada").await;
    let give = |user_id: u32, role: &str| json!({"user_id": user_id, "role": role});
    assert_eq!(ada.call("SetServerRole", give(2, "owner")).await, Err(-32003));
    assert_eq!(owner.call("SetServerRole", give(1, "member")).await, Err(-32009), "an owner stays");
    assert_eq!(owner.call("SetServerRole", give(9, "guest")).await, Err(-32004));
    assert_eq!(owner.call("SetServerRole", give(2, "king")).await, Err(-32602));
    assert_eq!(owner.call("SetServerRole", give(2, "moderator")).await, Ok(json!({})));
    let told = house.stranger().await.call("Authenticate", json!({"token": token})).await.unwrap();
    assert_eq!(told["server_role"], "moderator");

    let group = json!({"chat_name": "team", "user_ids": [1]});
    let chat = owner.call("InsertChat", group).await.unwrap()["chat"]["chat_id"].clone();
    owner.call("AddParticipant", json!({"chat_id": chat, "user_id": 2})).await.unwrap();
    let role = |role: &str| json!({"chat_id": chat, "user_id": 2, "role": role});
    assert_eq!(ada.call("SetRole", role("owner")).await, Err(-32003));
    assert_eq!(owner.call("SetRole", role("moderator")).await, Ok(json!({})));
    let people = ada.call("GetParticipants", json!({"chat_id": chat})).await.unwrap();
    let roles: Vec<&Value> = people["users"].as_array().unwrap().iter().map(|user| &user["role"]).collect();
    assert_eq!(roles, ["owner", "moderator"]);
}

/// T30, N13: who speaks for one person speaks for nobody else, and not where that person is not.
#[tokio::test]
async fn t30_a_session_speaks_for_its_person_alone() {
    let house = House::strict(|_| {}).await;
    let (mut ada, _) = house.register("Ada").await;
    let (mut grace, _) = house.register("Grace").await;
    let (mut eve, _) = house.register("Eve").await;
    ada.call("InsertChat", json!({"user_ids": [2]})).await.unwrap();
    for (method, params) in [
        ("GetChats", json!({"user_id": 1})),
        ("InsertMessage", json!({"chat_id": 1, "user_id": 1, "message_text": "x"})),
        ("InsertMessage", json!({"chat_id": 1, "message_text": "x"})),
        ("GetMessages", json!({"chat_id": 1})),
        ("Authenticate", json!({"user_id": 1})),
        ("InsertUser", json!({"user_name": "Mallory"})),
    ] {
        let refusal = eve.ask(method, params).await.unwrap_err();
        assert_eq!(refusal["code"], -32003, "{method}: {refusal}");
    }
    let said = grace.call("InsertMessage", json!({"chat_id": 1, "user_id": 2, "message_text": "x"})).await;
    assert_eq!(said.unwrap()["message"]["user"]["user_name"], "Grace");
}

/// With trust both are possible, and a session is still nobody else's.
#[tokio::test]
async fn t30_accounts_work_where_numbers_are_trusted() {
    let house = House::with(|config| config.password_cost = CHEAP).await;
    house.people(2).await;
    let (mut ada, token) = house.register("Ada").await;
    assert_eq!(ada.call("GetChats", json!({"user_id": 1})).await, Err(-32003));
    assert_eq!(ada.call("Authenticate", json!({"user_id": 1})).await, Err(-32003));
    assert_eq!(ada.call("GetChats", json!({"user_id": 3})).await, Ok(json!({"chats": []})));
    let mut trusted = house.connect_as(1).await;
    assert_eq!(trusted.call("Authenticate", json!({"token": token})).await, Err(-32003));
    let ticket = trusted.call("GetStreamTicket", json!({})).await.unwrap();
    assert!(ticket["ticket"].as_str().unwrap().starts_with("1.1.0."), "no session");
    assert_eq!(trusted.call("Logout", json!({})).await, Ok(json!({})));
    assert_eq!(trusted.call("Sync", json!({})).await, Err(-32001));
    assert!(trusted.call("Authenticate", json!({"token": token})).await.is_ok());
}
