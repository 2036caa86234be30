//! Finding people and chats, and the connection that asks for them.

use anyhow::{Context, bail};
use client_lib::{Client, Error, Options, Security, ServerTrust};
use ttp::call::{ChatsCursor, GetChats};
use ttp::code::ErrorCode;
use ttp::model::{Chat, User};
use ttp::net::tls::{ClientTls, FirstUse, KnownServers, Trusted};

use crate::choices::TlsWhen;
use crate::failure::Misuse;
use crate::output::note;
use crate::settings::Settings;

/// Connects as nobody yet.
pub(crate) async fn connect(settings: &Settings) -> Result<Client, Error> {
    connect_to(settings.data_address.value.clone(), settings).await
}

/// Connects as nobody yet, to a data-server that may be another than that of the settings.
pub(crate) async fn connect_to(data_address: String, settings: &Settings) -> Result<Client, Error> {
    let client = Client::connect(options(data_address, settings)).await?;
    introduce(&client, settings);
    Ok(client)
}

/// Connects as nobody yet, to a server whose key an invitation has named.
pub(crate) async fn connect_expecting(settings: &Settings, key: Option<&str>) -> anyhow::Result<Client> {
    let mut options = options(settings.data_address.value.clone(), settings);
    options.data_key =
        key.map(str::parse).transpose().map_err(|error| Misuse(format!("the invitation: {error}")))?;
    let client = Client::connect(options).await?;
    introduce(&client, settings);
    Ok(client)
}

/// Says whose key is trusted from now on, because it was seen for the first time.
fn introduce(client: &Client, settings: &Settings) {
    if let Some(ServerTrust::Tls { fingerprint, trusted: Trusted::First }) = client.server_trust() {
        note(format_args!(
            "talko: first time at {}: its key is {fingerprint}; it is trusted from now on",
            settings.data_address.value
        ));
    }
}

/// How servers are spoken to.
pub(crate) fn options(data_address: String, settings: &Settings) -> Options {
    let mut options = Options::new(data_address);
    options.broadcast_address = settings.chosen_broadcast_address();
    options.security = security(settings);
    options.client_name = format!("talko/{}", env!("CARGO_PKG_VERSION"));
    options
}

/// Finds the person with this name, or creates it, and lets the client speak for it: where numbers are trusted.
pub(crate) async fn become_trusted(client: &Client, name: &str) -> Result<User, Error> {
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

/// What is believed of servers: those that this device knows, and what they show when they are first seen.
fn security(settings: &Settings) -> Security {
    let tls = || ClientTls::new(known_servers(settings), FirstUse::Pin);
    match settings.tls.value {
        TlsWhen::Auto => Security::Auto(tls()),
        TlsWhen::Always => Security::Tls(tls()),
        TlsWhen::Never => Security::Plaintext,
    }
}

/// The keys of servers that this device knows.
pub(crate) fn known_servers(settings: &Settings) -> KnownServers {
    KnownServers::in_file(settings.data_directory.join("known_servers"))
}

/// All chats of the person, most recent first.
pub(crate) async fn chats(client: &Client) -> Result<Vec<Chat>, Error> {
    let mut chats: Vec<Chat> = Vec::new();
    loop {
        let before =
            chats.last().map(|chat| ChatsCursor { activity_ts: chat.activity_ts, chat_id: chat.chat_id });
        let page = client.call(GetChats { before, ..GetChats::bare() }).await?;
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
