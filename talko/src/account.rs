//! Becoming somebody: by the session that this device keeps, by a password, or by a number that is trusted.

use std::io::Write;

use anyhow::bail;
use client_lib::{Client, Error, SavedSession, SessionFile};
use ttp::call::SessionReply;
use ttp::code::ErrorCode;
use ttp::model::{Role, User};
use ttp::net::address;
use ttp::secret::Secret;

use crate::failure::Misuse;
use crate::output::note;
use crate::settings::Settings;
use crate::{device, password, person};

/// What happens when nobody of a name can log in with a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unknown {
    /// The account is made, unless the name is taken.
    Register,
    /// That is told.
    Refuse,
}

/// Connects as the person that the settings name, or that is logged in here.
pub(crate) async fn connect(settings: &Settings) -> anyhow::Result<(Client, User)> {
    if settings.trust_user_ids.value && settings.user.value.is_none() {
        bail!(Misuse("say who you are with --user NAME or TALKO_USER".into()));
    }
    let client = person::connect(settings).await?;
    let me = become_somebody(&client, settings, Unknown::Refuse).await?;
    Ok((client, me))
}

/// Lets the client speak for the person that the settings name, or that is logged in here; else asks who it is.
pub(crate) async fn become_somebody(
    client: &Client,
    settings: &Settings,
    unknown: Unknown,
) -> anyhow::Result<User> {
    if settings.trust_user_ids.value {
        return Ok(person::become_trusted(client, &name(settings)?).await?);
    }
    if let Some(user) = resume(client, settings).await? {
        return Ok(user);
    }
    let server = &settings.data_address.value;
    if !password::can_ask(settings) {
        bail!(Misuse(format!("nobody is logged in at {server}: say `talko login --user NAME`")));
    }
    let name = name(settings)?;
    let password = password::ask(&format!("Password of {}: ", tui_client::one_line(&name)), settings)?;
    log_in(client, settings, &name, password, unknown).await
}

/// Goes on with the session that is kept here, if there is one that holds.
async fn resume(client: &Client, settings: &Settings) -> anyhow::Result<Option<User>> {
    let file = sessions(settings);
    let server = &settings.data_address.value;
    let Some(kept) = file.find(server, settings.user.value.as_deref())? else {
        return Ok(None);
    };
    match client.authenticate(kept.token.clone()).await {
        Ok(user) => Ok(Some(user)),
        Err(Error::LoggedOut) => {
            file.forget(server, kept.user_id)?;
            note(format_args!("talko: {} was logged out at {server}", tui_client::one_line(&kept.user_name)));
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// Logs in with a password, or makes the account, and keeps the session.
pub(crate) async fn log_in(
    client: &Client,
    settings: &Settings,
    name: &str,
    password: Secret,
    unknown: Unknown,
) -> anyhow::Result<User> {
    let refused = match client.login(name, password.clone(), &device::describe()).await {
        Ok(reply) => return keep(settings, reply),
        Err(error) => error,
    };
    let is_unknown = matches!(&refused, Error::Call(error) if error.code == ErrorCode::Unauthenticated);
    if !is_unknown || unknown == Unknown::Refuse {
        return Err(refused.into());
    }
    match client.register(name, password, None, &device::describe()).await {
        Ok(reply) => welcome(settings, reply),
        Err(Error::Call(error)) if error.code == ErrorCode::Conflict => {
            bail!("wrong name or password, or the name is taken: {}", error.message)
        }
        Err(error) => Err(error.into()),
    }
}

/// Makes an account by an invitation, and keeps the session.
pub(crate) async fn register_invited(
    client: &Client,
    settings: &Settings,
    code: Secret,
) -> anyhow::Result<User> {
    let name = name(settings)?;
    let password = password::ask("A password for the new account: ", settings)?;
    let reply = client.register(&name, password, Some(code), &device::describe()).await?;
    welcome(settings, reply)
}

fn welcome(settings: &Settings, reply: SessionReply) -> anyhow::Result<User> {
    let name = tui_client::one_line(&reply.user.user_name);
    match reply.server_role {
        Role::Owner => note(format_args!("Made the account {name}, the owner of this server.")),
        _ => note(format_args!("Made the account {name}.")),
    }
    keep(settings, reply)
}

fn keep(settings: &Settings, reply: SessionReply) -> anyhow::Result<User> {
    sessions(settings).save(&SavedSession::new(settings.data_address.value.as_str(), &reply))?;
    Ok(reply.user)
}

/// The sessions that this device keeps.
pub(crate) fn sessions(settings: &Settings) -> SessionFile {
    SessionFile::new(settings.data_directory.join("sessions"))
}

/// Whether the servers of these settings are this machine's own, where whoever comes may make an account.
pub(crate) async fn unknown_on_this_machine(settings: &Settings) -> Unknown {
    match address::resolve(&settings.data_address.value).await {
        Ok(address) if address::is_loopback(&address) => Unknown::Register,
        _ => Unknown::Refuse,
    }
}

/// The name of the settings, or the answer to the question for it.
pub(crate) fn name(settings: &Settings) -> anyhow::Result<String> {
    if let Some(name) = &settings.user.value {
        return Ok(name.trim().to_owned());
    }
    loop {
        let mut err = std::io::stderr();
        write!(err, "Your name: ")?;
        err.flush()?;
        let mut name = String::new();
        if std::io::stdin().read_line(&mut name)? == 0 {
            bail!(Misuse("without a name nobody can chat; say it with --user NAME".into()));
        }
        if !name.trim().is_empty() {
            return Ok(name.trim().to_owned());
        }
    }
}
