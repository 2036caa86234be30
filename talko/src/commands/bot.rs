//! `talko bot`: accounts of programs that belong to the person who is logged in.

use client_lib::Client;
use ttp::call::{BotInfo, BotReply};

use super::login::day;
use crate::account;
use crate::arguments::BotCommand;
use crate::failure::Misuse;
use crate::output::{note, say};
use crate::settings::Settings;

/// Does what was typed behind `talko bot`.
pub(crate) async fn run(command: BotCommand, settings: &Settings) -> anyhow::Result<()> {
    let (client, _) = account::connect(settings).await?;
    match command {
        BotCommand::New { name, .. } => say_token(&client.insert_bot(&name).await?),
        BotCommand::Token { name, .. } => {
            let bot = find(&client, &name).await?;
            say_token(&client.renew_bot(bot.user.user_id).await?)
        }
        BotCommand::List { .. } => {
            for bot in client.get_bots().await? {
                say(format_args!(
                    "{}\t{}\tsince {}\tlast used {}",
                    bot.user.user_id,
                    tui_client::one_line(&bot.user.user_name),
                    day(bot.created_ts),
                    bot.used_ts.map_or("never".into(), day)
                ))?;
            }
            Ok(())
        }
        BotCommand::End { name, .. } => {
            let bot = find(&client, &name).await?;
            client.revoke_bot(bot.user.user_id).await?;
            say(format_args!("the bot {} has ended", tui_client::one_line(&bot.user.user_name)))
        }
    }
}

async fn find(client: &Client, name: &str) -> anyhow::Result<BotInfo> {
    let bots = client.get_bots().await?;
    let found =
        bots.into_iter().find(|bot| bot.user.user_name == name || bot.user.user_id.to_string() == name);
    found.ok_or_else(|| Misuse(format!("you have no bot `{name}`: `talko bot list` shows them")).into())
}

/// The token alone on standard output, so that it goes into a file without a look at it.
fn say_token(made: &BotReply) -> anyhow::Result<()> {
    say(made.token.expose())?;
    let BotInfo { user, .. } = &made.bot;
    note(format_args!(
        "The bot {} is user {}. Its token is shown this once: keep it in a file that nobody else reads, and name the file \
         with --token-file or put it into TALKO_TOKEN",
        user.user_name, user.user_id
    ));
    Ok(())
}
