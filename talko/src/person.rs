//! Who is chatting: connecting as a person, found by name or new.

use anyhow::{Context, bail};
use client_lib::{Client, Error, Options};
use ttp::code::ErrorCode;
use ttp::model::{Chat, User};

use crate::settings::Settings;

/// Connects as nobody yet.
pub(crate) async fn connect(settings: &Settings) -> Result<Client, Error> {
    connect_to(settings.data_address.value.clone(), settings).await
}

/// Connects as nobody yet, to a data-server that may be another than that of the settings.
pub(crate) async fn connect_to(data_address: String, settings: &Settings) -> Result<Client, Error> {
    let mut options = Options::new(data_address);
    options.broadcast_address = settings.chosen_broadcast_address();
    options.client_name = format!("talko/{}", env!("CARGO_PKG_VERSION"));
    Client::connect(options).await
}

/// Connects as the person that the settings name.
pub(crate) async fn connect_as_user(settings: &Settings) -> anyhow::Result<(Client, User)> {
    let Some(name) = &settings.user.value else {
        bail!(crate::failure::Misuse("say who you are with --user NAME or TALKO_USER".into()));
    };
    let client = connect(settings).await?;
    let me = become_person(&client, name).await?;
    Ok((client, me))
}

/// Finds the person with this name, or creates it, and lets the client speak for it.
pub(crate) async fn become_person(client: &Client, name: &str) -> Result<User, Error> {
    let user = match client.find_user(name).await {
        Err(Error::Call(error)) if error.code == ErrorCode::NotFound => {
            match client.insert_user(name).await {
                // Somebody else was quicker with the same name: it is the same person.
                Err(Error::Call(error)) if error.code == ErrorCode::Conflict => {
                    client.find_user(name).await?
                }
                created => created?,
            }
        }
        found => found?,
    };
    client.trust_me(user.user_id).await
}

/// All chats of the person, most recent first.
pub(crate) async fn chats(client: &Client) -> Result<Vec<Chat>, Error> {
    let mut chats: Vec<Chat> = Vec::new();
    loop {
        let before = chats
            .last()
            .map(|chat| ttp::call::ChatsCursor { activity_ts: chat.activity_ts, chat_id: chat.chat_id });
        let page = client.call(ttp::call::GetChats { user_id: None, messages_max: None, before }).await?;
        chats.extend(page.chats);
        if !page.more {
            return Ok(chats);
        }
    }
}

/// Finds a chat by number or by name; a person's name means the private chat, which is made when there is none.
pub(crate) async fn find_chat(client: &Client, text: &str) -> anyhow::Result<Chat> {
    let chats = chats(client).await?;
    if let Some(chat) = chats.iter().find(|chat| chat.chat_id.to_string() == text) {
        return Ok(chat.clone());
    }
    let named: Vec<&Chat> = chats.iter().filter(|chat| chat.chat_name == text).collect();
    match named.as_slice() {
        [chat] => Ok((*chat).clone()),
        [] => {
            let user = client.find_user(text).await.with_context(|| {
                format!("you have no chat `{text}`, and nobody has this name to begin a private one with")
            })?;
            Ok(client.insert_chat("", &[user.user_id]).await?)
        }
        several => {
            let numbers: Vec<String> = several.iter().map(|chat| chat.chat_id.to_string()).collect();
            bail!("several chats are called `{text}`: say which by its number: {}", numbers.join(", "))
        }
    }
}

/// Creates a chat with people given by name.
pub(crate) async fn new_chat(
    client: &Client,
    me: &User,
    name: &str,
    people: &[String],
) -> anyhow::Result<Chat> {
    let mut users = Vec::new();
    for person in people {
        users.push(find(client, person).await?.user_id);
    }
    if users.iter().all(|user| *user == me.user_id) {
        bail!("a chat needs somebody besides you");
    }
    Ok(client.insert_chat(name, &users).await?)
}

/// Finds a person by name.
pub(crate) async fn find(client: &Client, name: &str) -> anyhow::Result<User> {
    client.find_user(name).await.with_context(|| format!("cannot find `{name}`"))
}
