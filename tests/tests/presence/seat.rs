//! A person's open stream as raw frames, and the chats that the stories play in.

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::{Value, json};
use tests::{Form, Installation, Setup, Wire, until, within};

/// Servers with this grace time, which look at the time often.
pub(crate) async fn house(form: Form, grace_ms: u64) -> Installation {
    let mut setup = Setup::default();
    setup.broadcast.presence_grace_ms = grace_ms;
    setup.broadcast.tick_ms = 20;
    setup.broadcast.shards = 2;
    Installation::start_with(form, setup).await
}

/// New people.
pub(crate) async fn ids<const COUNT: usize>(house: &Installation, names: [&str; COUNT]) -> [i64; COUNT] {
    let mut wire = house.data_wire().await;
    let mut ids = [0; COUNT];
    for (id, name) in ids.iter_mut().zip(names) {
        let user = wire.result("InsertUser", json!({"user_name": name})).await;
        *id = user["user"]["user_id"].as_i64().unwrap();
    }
    ids
}

async fn data(house: &Installation, me: i64) -> Wire {
    let mut wire = house.data_wire().await;
    wire.result("Hello", json!({"protocol": [2]})).await;
    wire.result("Authenticate", json!({"user_id": me})).await;
    wire
}

/// A group of somebody and others, or the private chat of two.
pub(crate) async fn group(house: &Installation, owner: i64, others: &[i64]) -> i64 {
    let mut users = vec![owner];
    users.extend(others);
    let call = json!({"chat_name": "group", "user_ids": users, "client_chat_id": format!("{owner}, {} to {:?}", others.len(), others.last())});
    let reply = data(house, owner).await.result("InsertChat", call).await;
    reply["chat"]["chat_id"].as_i64().unwrap()
}

pub(crate) async fn add(house: &Installation, chat: i64, owner: i64, user: i64) {
    data(house, owner).await.result("AddParticipant", json!({"chat_id": chat, "user_id": user})).await;
}

pub(crate) async fn remove(house: &Installation, chat: i64, owner: i64, user: i64) {
    data(house, owner).await.result("RemoveParticipant", json!({"chat_id": chat, "user_id": user})).await;
}

pub(crate) async fn say(house: &Installation, chat: i64, user: i64, text: &str) {
    let call = json!({"chat_id": chat, "message_text": text});
    data(house, user).await.result("InsertMessage", call).await;
}

/// One open stream of version 2.
pub(crate) struct Seat {
    wire: Wire,
    last_id: u64,
    pushes: VecDeque<Value>,
}

impl Seat {
    pub(crate) async fn open(house: &Installation, user: i64) -> Self {
        Self::open_showing(house, user, "online").await
    }

    pub(crate) async fn open_showing(house: &Installation, user: i64, state: &str) -> Self {
        let wire = house.broadcast_wire().await;
        let mut seat = Self { wire, last_id: 0, pushes: VecDeque::new() };
        seat.ask("Hello", json!({"protocol": [2]})).await;
        if state != "online" {
            seat.ask("SetPresence", json!({"state": state})).await;
        }
        // Where the servers are apart, the directory may not be there yet.
        until("the stream opens", async || {
            seat.call("OpenStream", json!({"user_id": user})).await.get("error").is_none()
        })
        .await;
        seat
    }

    async fn call(&mut self, method: &str, params: Value) -> Value {
        self.last_id += 1;
        let request = json!({"jsonrpc": "2.0", "method": method, "params": params, "id": self.last_id});
        self.wire.send_payload(&request.to_string()).await;
        loop {
            let said = self.wire.receive().await;
            if said.get("id").is_some() {
                assert_eq!(said["id"], self.last_id, "{said}");
                return said;
            }
            self.pushes.push_back(said);
        }
    }

    /// The result of a call that must succeed.
    pub(crate) async fn ask(&mut self, method: &str, params: Value) -> Value {
        let reply = self.call(method, params).await;
        assert!(reply.get("error").is_none(), "{method} was refused: {reply}");
        reply["result"].clone()
    }

    /// The error of a call that must be refused.
    pub(crate) async fn refusal(&mut self, method: &str, params: Value) -> Value {
        let reply = self.call(method, params).await;
        assert!(reply.get("error").is_some(), "{method} was not refused: {reply}");
        reply["error"].clone()
    }

    /// Watches people. Answers what is seen of them.
    pub(crate) async fn watch(&mut self, users: &[i64]) -> Vec<(i64, String)> {
        let reply = self.ask("WatchPresence", json!({"watch": users})).await;
        reply["people"].as_array().unwrap().iter().map(seen).collect()
    }

    /// The next push of a kind, which must come; others are passed over.
    pub(crate) async fn next(&mut self, method: &str) -> Value {
        loop {
            let push = match self.pushes.pop_front() {
                Some(push) => push,
                None => self.wire.receive().await,
            };
            if push["method"] == method {
                return push["params"].clone();
            }
        }
    }

    /// Of whom something is told next, and what.
    pub(crate) async fn next_presence(&mut self) -> (i64, String) {
        seen(&self.next("Presence").await)
    }

    /// The same, or nothing when it does not come in time.
    pub(crate) async fn presence_within(&mut self, wait_ms: u64) -> Option<(i64, String)> {
        tokio::time::timeout(Duration::from_millis(wait_ms), self.next_presence()).await.ok()
    }

    /// The text of the next message.
    pub(crate) async fn next_text(&mut self) -> String {
        loop {
            let entry = within("a message", self.next("Event")).await;
            if let Some(text) = entry["change"]["message"]["message_text"].as_str() {
                return text.to_owned();
            }
        }
    }
}

/// That somebody is seen so.
pub(crate) fn is(user: i64, state: &str) -> (i64, String) {
    (user, state.to_owned())
}

fn seen(person: &Value) -> (i64, String) {
    (person["user_id"].as_i64().unwrap(), person["state"].as_str().unwrap().to_owned())
}
