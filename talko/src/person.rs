//! Finding people and chats, and the connection that asks for them.

use std::io::{BufRead, IsTerminal, Write};
use std::sync::Arc;

use anyhow::{Context, bail};
use client_lib::{Client, Error, Options, Security, ServerTrust};
use ttp::call::{ChatsCursor, GetChats};
use ttp::code::ErrorCode;
use ttp::model::{Chat, User};
use ttp::net::clock;
use ttp::net::tls::{ClientTls, Fingerprint, FirstUse, KnownServers, TlsClientError, Trusted};

use crate::choices::TlsWhen;
use crate::failure::Misuse;
use crate::output::note;
use crate::settings::Settings;

/// Connects as nobody yet.
pub(crate) async fn connect(settings: &Settings) -> Result<Client, Error> {
    let client = meet(options(settings.data_address.value.clone(), settings), settings).await?;
    introduce(&client, settings);
    Ok(client)
}

/// Connects as nobody yet, to a data-server of this process: its key is believed.
pub(crate) async fn connect_to_own(data_address: String, settings: &Settings) -> Result<Client, Error> {
    let mut options = options(data_address, settings);
    options.security = security(settings, FirstUse::Pin);
    Client::connect(options).await
}

/// Connects. A server that this device does not know is trusted when the person at the terminal says so.
async fn meet(options: Options, settings: &Settings) -> Result<Client, Error> {
    match Client::connect(options.clone()).await {
        Err(Error::Tls(fault)) => match &*fault {
            TlsClientError::Unknown { server, fingerprint } if trusts(server, *fingerprint) => {
                let kept = known_servers(settings).pin(server, *fingerprint, clock::now_ms());
                kept.map_err(|error| Error::Tls(Arc::new(error.into())))?;
                Client::connect(options).await
            }
            _ => Err(Error::Tls(fault)),
        },
        connected => connected,
    }
}

/// Whether somebody sits at a terminal of whom it can be asked whether a key is trusted.
fn is_attended() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Asks; anything but yes is no. While the screen is taken nobody can be asked.
fn trusts(server: &str, fingerprint: Fingerprint) -> bool {
    if tui_client::terminal::is_taken() {
        return false;
    }
    note(format_args!(
        "This device has never met {server}. Its key is {fingerprint}. Whoever runs it can tell you the key: `talko up` shows it."
    ));
    agrees("Is it the same, and do you trust it?").unwrap_or(false)
}

/// Asks at the terminal; anything but yes is no.
pub(crate) fn agrees(question: &str) -> std::io::Result<bool> {
    let mut err = std::io::stderr();
    write!(err, "{question} [y/N] ")?;
    err.flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// Connects as nobody yet, to a server whose key an invitation has named.
pub(crate) async fn connect_expecting(settings: &Settings, key: Option<&str>) -> anyhow::Result<Client> {
    let mut options = options(settings.data_address.value.clone(), settings);
    options.data_key =
        key.map(str::parse).transpose().map_err(|error| Misuse(format!("the invitation: {error}")))?;
    let client = meet(options, settings).await?;
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
    let first_use = if is_attended() { FirstUse::Refuse } else { FirstUse::Pin };
    options.security = security(settings, first_use);
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

/// What is believed of servers: those that this device knows. What others show is asked about where somebody sits at a terminal,
/// and believed where nobody does.
fn security(settings: &Settings, first_use: FirstUse) -> Security {
    let tls = || ClientTls::new(known_servers(settings), first_use);
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
