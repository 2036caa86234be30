//! `talko send`: says something in a chat, from arguments, line by line from standard input, or as objects that a program
//! has made.

use anyhow::{Context, anyhow};
use client_lib::{Client, InsertMessage};
use serde::Deserialize;
use ttp::model::{ChatId, Seq, check_client_key, check_text};

use crate::failure::{self, Misuse};
use crate::output::note;
use crate::settings::Settings;
use crate::stdin_lines::{self, Line};
use crate::{account, person};

/// Sends, and ends when everything is stored.
pub(crate) async fn run(chat: Option<&str>, text: &[String], settings: &Settings) -> anyhow::Result<()> {
    let (client, _) = account::connect(settings).await?;
    let chat = person::find_chat(&client, chat.unwrap_or_default()).await?;
    if !text.is_empty() {
        client.insert_message(chat.chat_id, &text.join(" ")).await?;
        return Ok(());
    }
    let mut lines = stdin_lines::read();
    while let Some(line) = lines.recv().await {
        match line {
            Line::Text(text) if text.is_empty() => {}
            Line::Text(text) => {
                client.insert_message(chat.chat_id, &text).await?;
            }
            Line::TooLong => return Err(Misuse("a line is longer than a message may be".into()).into()),
        }
    }
    Ok(())
}

/// One line of what a program has to say.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    chat_id: Option<ChatId>,
    text: String,
    reply_to: Option<Seq>,
    /// Makes the same line said once, however often it comes.
    key: Option<String>,
}

/// Sends each line, which is an object. A line that cannot be said is told with its number, and the next ones are said
/// all the same; the exit code is that of the first such line.
pub(crate) async fn objects(chat: Option<&str>, settings: &Settings) -> anyhow::Result<()> {
    let (client, _) = account::connect(settings).await?;
    let usual = match chat {
        Some(chat) => Some(person::find_chat(&client, chat).await?.chat_id),
        None => None,
    };
    let mut lines = stdin_lines::read();
    let (mut number, mut failed, mut first) = (0_u64, 0_u64, None);
    while let Some(line) = lines.recv().await {
        number += 1;
        let sent = match line {
            Line::Text(text) if text.trim().is_empty() => continue,
            Line::Text(text) => send(&client, usual, &text).await,
            Line::TooLong => Err(Misuse("longer than a message may be".into()).into()),
        };
        if let Err(error) = sent {
            note(format_args!("line {number}: {}", failure::sentence(&error)));
            failed += 1;
            first.get_or_insert(error);
        }
    }
    match first {
        None => Ok(()),
        Some(first) => Err(first.context(format!("{failed} of {number} lines were not sent"))),
    }
}

async fn send(client: &Client, usual: Option<ChatId>, line: &str) -> anyhow::Result<()> {
    let said: Said = serde_json::from_str(line)
        .map_err(|error| Misuse(format!("this is no {{\"chat_id\":…,\"text\":…}}: {error}")))?;
    let chat_id = said.chat_id.or(usual).ok_or_else(|| Misuse("say which chat with \"chat_id\"".into()))?;
    check_text(&said.text).map_err(|fault| Misuse(fault.message))?;
    if let Some(key) = &said.key {
        check_client_key("\"key\"", key).map_err(|fault| Misuse(fault.message))?;
    }
    let call = InsertMessage {
        chat_id,
        message_text: said.text,
        reply_to: said.reply_to,
        client_message_id: said.key,
        ..InsertMessage::default()
    };
    client.send_message(call).await.map(drop).map_err(|error| anyhow!(error)).context("not sent")
}
