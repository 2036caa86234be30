//! `talko send`: says something in a chat, from arguments or line by line from standard input.

use crate::failure::Misuse;
use crate::settings::Settings;
use crate::stdin_lines::{self, Line};
use crate::{account, person};

/// Sends, and ends when everything is stored.
pub(crate) async fn run(chat: &str, text: &[String], settings: &Settings) -> anyhow::Result<()> {
    let (client, _) = account::connect(settings).await?;
    let chat = person::find_chat(&client, chat).await?;
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
