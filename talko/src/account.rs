//! Becoming somebody: by the session that this device keeps, by a password, or by a number that is trusted.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;

use anyhow::bail;
use client_lib::{Client, Error, SavedSession, SessionFile};
use ttp::call::SessionReply;
use ttp::code::ErrorCode;
use ttp::model::{Role, User, UserId};
use ttp::net::address;
use ttp::secret::Secret;

use crate::failure::{Misuse, Said};
use crate::output::note;
use crate::settings::Settings;
use crate::{device, password, person, token};

/// How somebody without a session is let in.
#[derive(Debug, Clone)]
pub(crate) enum Way {
    /// By the password of an account that is there.
    LogIn,
    /// The same; or the account is made, unless the name is taken.
    LogInOrRegister,
    /// A new account, by the code of an invitation.
    Join(Secret),
}

/// Connects as the person that the settings name, or that is logged in here.
pub(crate) async fn connect(settings: &Settings) -> anyhow::Result<(Client, User)> {
    if let Some(token) = token::given(settings)? {
        let client = person::connect(settings).await?;
        let me = client.authenticate(token).await.map_err(token::refused)?;
        return Ok((client, me));
    }
    let is_named = settings.user.value.is_some();
    if settings.trust_user_ids.value && !is_named {
        bail!(Misuse("say who you are with --user NAME or TALKO_USER".into()));
    }
    let client = person::connect(settings).await?;
    let me = match resume(&client, settings).await? {
        Some(me) => me,
        // What comes by a pipe are messages and no names.
        None if !is_named && !std::io::stdin().is_terminal() => bail!(nobody(settings)),
        None => become_somebody(&client, settings, &Way::LogIn).await?,
    };
    Ok((client, me))
}

/// Lets the client speak for the person that the settings name, or that is logged in here; else asks who it is.
pub(crate) async fn become_somebody(client: &Client, settings: &Settings, way: &Way) -> anyhow::Result<User> {
    if settings.trust_user_ids.value {
        return Ok(person::become_trusted(client, &name(settings)?).await?);
    }
    if let Some(user) = resume(client, settings).await? {
        return Ok(user);
    }
    if !password::can_ask(settings) {
        bail!(nobody(settings));
    }
    enter(client, settings, way).await
}

/// The session that is kept here, of the person that the settings name or of the last one.
pub(crate) fn kept(settings: &Settings) -> anyhow::Result<Option<SavedSession>> {
    Ok(sessions(settings).find(&settings.data_address.value, settings.user.value.as_deref())?)
}

/// The same, when nothing else says who it is.
pub(crate) fn usable(settings: &Settings) -> anyhow::Result<Option<SavedSession>> {
    match settings.trust_user_ids.value {
        true => Ok(None),
        false => kept(settings),
    }
}

/// Where the last screen of a person is kept; it goes with the session.
pub(crate) fn screen_file(settings: &Settings, server: &str, me: UserId) -> PathBuf {
    let server: String = server.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    settings.data_directory.join("screens").join(format!("{server}-{me}.json"))
}

/// What to do when no session is kept here.
pub(crate) fn nobody(settings: &Settings) -> Misuse {
    let server = &settings.data_address.value;
    Misuse(match &settings.user.value {
        Some(name) => format!("{name} is not logged in at {server}: say `talko login --user \"{name}\"`"),
        None => format!("nobody is logged in at {server}: say `talko login --user NAME`"),
    })
}

/// Forgets a session that has ended elsewhere.
pub(crate) fn forget_ended(kept: &SavedSession, settings: &Settings) -> anyhow::Result<Said> {
    forget(kept, settings)?;
    let name = tui_client::one_line(&kept.user_name);
    let sentence = format!("{name} was logged out at {}: `talko login` begins again", kept.server);
    Ok(Said { sentence, error: Error::LoggedOut })
}

/// Forgets a session, and what its person has seen.
pub(crate) fn forget(kept: &SavedSession, settings: &Settings) -> anyhow::Result<()> {
    sessions(settings).forget(&kept.server, kept.user_id)?;
    // Often there is none.
    let _ = std::fs::remove_file(screen_file(settings, &kept.server, kept.user_id));
    Ok(())
}

/// Goes on with the session that is kept here, if there is one that holds.
async fn resume(client: &Client, settings: &Settings) -> anyhow::Result<Option<User>> {
    if settings.trust_user_ids.value {
        return Ok(None);
    }
    let Some(kept) = kept(settings)? else {
        return Ok(None);
    };
    match client.authenticate(kept.token.clone()).await {
        Ok(user) => Ok(Some(user)),
        Err(Error::LoggedOut) => {
            let ended = forget_ended(&kept, settings)?;
            if !password::can_ask(settings) {
                return Err(ended.into());
            }
            note(format_args!("talko: {ended}"));
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// Asks for a name and a password and lets the client in with them. At a terminal, what was refused is asked again.
pub(crate) async fn enter(client: &Client, settings: &Settings, way: &Way) -> anyhow::Result<User> {
    let is_named = settings.user.value.is_some();
    if !is_named && matches!(way, Way::LogInOrRegister) {
        note("Welcome to Talko. A name that is new becomes an account: choose its password.");
    }
    let mut same_name = None;
    for attempts_left in (0..password::ATTEMPTS_MAX).rev() {
        let name = match same_name.take() {
            Some(name) => name,
            None => name(settings)?,
        };
        let question = match way {
            Way::Join(_) => "A password for the new account: ".to_owned(),
            Way::LogIn | Way::LogInOrRegister => format!("Password of {}: ", tui_client::one_line(&name)),
        };
        let password = password::ask(&question, settings)?;
        let refused = match try_to_enter(client, &name, password, way).await {
            Ok(reply) => return keep(settings, reply),
            Err(refused) => refused,
        };
        let cure = cure(&refused.error, way, &name);
        if attempts_left == 0 || settings.password_fd.is_some() || (is_named && cure == Cure::Name) {
            return Err(refused.into());
        }
        match cure {
            Cure::None => return Err(refused.into()),
            Cure::Password => same_name = Some(name),
            Cure::Name | Cure::Either => {}
        }
        note(refused);
    }
    bail!("nobody was let in")
}

/// What would have to be another one to be let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cure {
    Name,
    Password,
    Either,
    None,
}

fn cure(refused: &Error, way: &Way, name: &str) -> Cure {
    let Error::Call(refused) = refused else {
        return Cure::None;
    };
    match refused.code {
        ErrorCode::Unauthenticated => Cure::Either,
        ErrorCode::Conflict if matches!(way, Way::LogInOrRegister) => Cure::Either,
        ErrorCode::Conflict => Cure::Name,
        ErrorCode::InvalidParams | ErrorCode::TooLarge if data_server::names::check(name).is_err() => {
            Cure::Name
        }
        ErrorCode::InvalidParams | ErrorCode::TooLarge => Cure::Password,
        _ => Cure::None,
    }
}

async fn try_to_enter(
    client: &Client,
    name: &str,
    password: Secret,
    way: &Way,
) -> Result<SessionReply, Said> {
    let device = device::describe();
    let is_wrong =
        |error: &Error| matches!(error, Error::Call(refused) if refused.code == ErrorCode::Unauthenticated);
    let code = match way {
        Way::Join(code) => Some(code.clone()),
        Way::LogIn | Way::LogInOrRegister => match client.login(name, password.clone(), &device).await {
            Ok(reply) => return Ok(reply),
            Err(error) if is_wrong(&error) && matches!(way, Way::LogInOrRegister) => None,
            Err(error) => return Err(in_words(error)),
        },
    };
    let is_new = code.is_some();
    let reply =
        client.register(name, password, code, &device).await.map_err(|error| match in_words(error) {
            // There may have been an account, and another password (R14).
            Said { sentence, error: Error::Call(refused) }
                if refused.code == ErrorCode::Conflict && !is_new =>
            {
                Said {
                    sentence: format!("wrong name or password, or {sentence}"),
                    error: Error::Call(refused),
                }
            }
            said => said,
        })?;
    let name = tui_client::one_line(&reply.user.user_name);
    match reply.server_role {
        Role::Owner => note(format_args!("Made the account {name}, the owner of this server.")),
        _ => note(format_args!("Made the account {name}.")),
    }
    Ok(reply)
}

/// What the server answered, and when to try again.
fn in_words(error: Error) -> Said {
    let wait = error.retry_after().map(|wait| wait.as_secs_f32().ceil());
    let sentence = match (&error, wait) {
        (Error::Call(refused), Some(seconds)) => format!("{}: try again in {seconds} s", refused.message),
        (Error::Call(refused), None) => refused.message.clone(),
        _ => error.to_string(),
    };
    Said { sentence, error }
}

fn keep(settings: &Settings, reply: SessionReply) -> anyhow::Result<User> {
    sessions(settings).save(&SavedSession::new(settings.data_address.value.as_str(), &reply))?;
    Ok(reply.user)
}

/// The sessions that this device keeps.
pub(crate) fn sessions(settings: &Settings) -> SessionFile {
    SessionFile::new(settings.data_directory.join("sessions"))
}

/// The way for who just starts `talko`: on this machine's own servers whoever comes may make an account.
pub(crate) async fn usual_way(settings: &Settings) -> Way {
    match address::resolve(&settings.data_address.value).await {
        Ok(address) if address::is_loopback(&address) => Way::LogInOrRegister,
        _ => Way::LogIn,
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
