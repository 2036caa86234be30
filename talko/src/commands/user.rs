//! `talko user`: people.

use anyhow::Context;
use ttp::model::User;

use crate::arguments::UserCommand;
use crate::choices::RoleName;
use crate::failure::Misuse;
use crate::output::say;
use crate::settings::Settings;
use crate::{account, password, person};

/// Does what was typed behind `talko user`.
pub(crate) async fn run(command: UserCommand, settings: &Settings) -> anyhow::Result<()> {
    match command {
        UserCommand::Add { name, .. } => add(&name, settings).await,
        UserCommand::Show { name, .. } => show(&name, settings).await,
        UserCommand::Rename { name, .. } => {
            let (client, _) = account::connect(settings).await?;
            say_user(&client.rename(&name).await?)
        }
        UserCommand::Role { name, role, .. } => set_role(&name, role, settings).await,
        UserCommand::Password { name, .. } => set_password(name, settings).await,
        UserCommand::Deactivate { name, .. } => deactivate(&name, settings).await,
    }
}

async fn add(name: &str, settings: &Settings) -> anyhow::Result<()> {
    if !settings.trust_user_ids.value {
        let message = "people make their own accounts: `talko login --register`, or `talko join` with a link of \
                       `talko invite`; this command is for servers with --trust-user-ids";
        return Err(Misuse(message.into()).into());
    }
    say_user(&person::connect(settings).await?.insert_user(name).await?)
}

async fn show(name: &str, settings: &Settings) -> anyhow::Result<()> {
    let client = match settings.trust_user_ids.value {
        true => person::connect(settings).await?,
        false => account::connect(settings).await?.0,
    };
    say_user(&client.find_user(name).await?)
}

async fn set_role(name: &str, role: RoleName, settings: &Settings) -> anyhow::Result<()> {
    let (client, _) = account::connect(settings).await?;
    let user = person::find(&client, name).await?;
    client.set_server_role(user.user_id, role.into()).await?;
    say(format_args!(
        "{} is now {} of the server",
        tui_client::one_line(&user.user_name),
        ttp::model::Role::from(role)
    ))
}

/// In the database itself: whoever may write to it may do this.
async fn set_password(name: String, settings: &Settings) -> anyhow::Result<()> {
    let shown = tui_client::one_line(&name);
    let password = password::ask_new(&format!("A password for {shown}: "), settings)?;
    let database = settings.db.value.clone();
    let set = move || data_server::set_password(&database, &name, &password);
    let set = tokio::task::spawn_blocking(set).await.context("the password was not set")??;
    let user_name = tui_client::one_line(&set.user_name);
    say(format_args!("{user_name} has a new password; {} sessions have ended", set.sessions_ended))?;
    if set.is_new_owner {
        say(format_args!("{user_name} is now owner of the server, as the first who can log in"))?;
    }
    Ok(())
}

async fn deactivate(name: &str, settings: &Settings) -> anyhow::Result<()> {
    let (client, me) = account::connect(settings).await?;
    let user = person::find(&client, name).await?;
    let ended = if user.user_id == me.user_id {
        let password = password::ask("Your password, to close your account for good: ", settings)?;
        client.deactivate(password).await?
    } else {
        client.deactivate_user(user.user_id).await?
    };
    say(format_args!(
        "the account {} is closed; {ended} sessions have ended",
        tui_client::one_line(&user.user_name)
    ))
}

fn say_user(user: &User) -> anyhow::Result<()> {
    say(format_args!("{}\t{}", user.user_id, tui_client::one_line(&user.user_name)))
}
