//! The commands, one file each, and the table that leads to them.

mod backup;
mod bot;
pub(crate) mod call;
mod check;
mod copying;
mod demo;
mod export;
mod invite;
mod login;
mod restore;
mod send;
mod stats;
mod tail;
mod trust;
mod up;
mod user;

use clap::CommandFactory;

use crate::arguments::{Arguments, Command};
use crate::chat;
use crate::file_arguments::FileCommand;
use crate::output::{self, say};
use crate::settings::Settings;
use crate::top;

/// What is about the database as a file.
async fn of_the_file(command: FileCommand, settings: &Settings) -> anyhow::Result<()> {
    match command {
        FileCommand::Backup { file, .. } => backup::run(file, settings).await,
        FileCommand::Check { file } => check::run(&file),
        FileCommand::Restore { backup, .. } => restore::run(backup, settings).await,
        FileCommand::Export { into, chats, .. } => export::export(into, &chats, settings).await,
        FileCommand::Import { export, .. } => export::import(export, settings).await,
        FileCommand::Stats { .. } => stats::run(settings),
        FileCommand::Compact { .. } => stats::compact(settings),
    }
}

/// Does what was typed.
pub(crate) async fn run(arguments: Arguments, settings: Settings) -> anyhow::Result<()> {
    match arguments.command {
        None => chat::run(arguments.chat, settings).await,
        Some(Command::Up { recreate, .. }) => up::both(recreate, settings).await,
        Some(Command::DataServer { recreate, .. }) => up::data_server(recreate, settings).await,
        Some(Command::BroadcastServer { .. }) => up::broadcast_server(settings).await,
        Some(Command::Demo { chat, .. }) => demo::run(chat, settings).await,
        Some(Command::Send { chat, json: true, .. }) => send::objects(chat.as_deref(), &settings).await,
        Some(Command::Send { chat, text, .. }) => send::run(chat.as_deref(), &text, &settings).await,
        Some(Command::Tail { chat, named, json, since, position, .. }) => {
            let from = tail::From { since, file: position };
            tail::run(chat.or(named), json, from, &settings).await
        }
        Some(Command::Bot { command }) => bot::run(command, &settings).await,
        Some(Command::Call { method, params, broadcast, .. }) => {
            call::run(&method, &params, broadcast, &settings).await
        }
        Some(Command::Login { register, .. }) => login::login(register, &settings).await,
        Some(Command::Join { link, .. }) => login::join(&link, settings).await,
        Some(Command::Logout { everywhere, .. }) => login::logout(everywhere, &settings).await,
        Some(Command::Whoami { .. }) => login::whoami(&settings).await,
        Some(Command::Sessions { revoke, .. }) => login::sessions(revoke, &settings).await,
        Some(Command::Password { .. }) => login::change_password(&settings).await,
        Some(Command::Invite { list: true, .. }) => invite::list(&settings).await,
        Some(Command::Invite { revoke: Some(number), .. }) => invite::revoke(number, &settings).await,
        Some(Command::Invite { uses, days, role, .. }) => {
            invite::make(invite::Wanted { uses, days, role }, &settings).await
        }
        Some(Command::Trust { server, fingerprint, yes, .. }) => {
            trust::run(&server, fingerprint.as_deref(), yes, &settings).await
        }
        Some(Command::User { command }) => user::run(command, &settings).await,
        Some(Command::Files(command)) => of_the_file(command, &settings).await,
        Some(Command::Ping { .. }) => call::ping(&settings).await,
        Some(Command::Top { addresses, once, .. }) => top::run(addresses, once, &settings).await,
        Some(Command::Config { .. }) => say_table(&settings.table()),
        Some(Command::ScreenFile) => output::write(tui_client::Taste::example().as_bytes()),
        Some(Command::Completions { shell }) => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "talko", &mut script);
            output::write(&script)
        }
    }
}

fn say_table(rows: &[[String; 3]]) -> anyhow::Result<()> {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let (names, values) = (width(0), width(1));
    for [name, value, origin] in rows {
        say(format_args!("{name:names$}  {value:values$}  {origin}"))?;
    }
    Ok(())
}
