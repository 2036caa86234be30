//! The demo data: one chat of two people (T44).

use client_lib::Client;
use ttp::call::{InsertChat, InsertMessage, InsertUser};

/// The two people of the demo, as in the 2020 system.
pub(crate) const DEMO_PEOPLE: [&str; 2] = ["Eugen Hotaj", "Joe Rogan"];

/// What they said: who, and the words.
const DEMO_MESSAGES: [(usize, &str); 4] = [
    (0, "Hi! This chat runs over plain TCP sockets."),
    (1, "And every message is on disk before you see it?"),
    (0, "On disk first, then on your screen."),
    (1, "Then let's talk. привет 🌮 你好"),
];

/// Puts the demo chat into an empty database, through a client that speaks for nobody.
pub(crate) async fn insert_demo_chat(client: &Client) -> Result<(), client_lib::Error> {
    let mut user_ids = Vec::new();
    for name in DEMO_PEOPLE {
        user_ids.push(client.call(InsertUser { user_name: name.into() }).await?.user.user_id);
    }
    let chat = InsertChat { user_ids: user_ids.clone(), ..InsertChat::default() };
    let chat_id = client.call(chat).await?.chat.chat_id;
    for (who, text) in DEMO_MESSAGES {
        let message = InsertMessage {
            chat_id,
            user_id: Some(user_ids[who]),
            message_text: text.into(),
            client_message_id: None,
            ..InsertMessage::default()
        };
        client.call(message).await?;
    }
    Ok(())
}
