//! `talko login`, `join`, `logout`, `whoami`, `sessions` and `password`: being somebody on this device.

use anyhow::bail;
use client_lib::Client;
use ttp::call::Authenticate;
use ttp::invitation::InvitationLink;
use ttp::model::{SessionId, TimestampMs};

use crate::account::{self, Way};
use crate::failure::Misuse;
use crate::output::say;
use crate::settings::Settings;
use crate::{password, person, token};

/// Logs in, whoever was before.
pub(crate) async fn login(register: bool, settings: &Settings) -> anyhow::Result<()> {
    refuse_trust(settings)?;
    let client = person::connect(settings).await?;
    let way = if register { Way::LogInOrRegister } else { Way::LogIn };
    let me = account::enter(&client, settings, &way).await?;
    say(format_args!(
        "{} is logged in at {}",
        tui_client::one_line(&me.user_name),
        settings.data_address.value
    ))
}

/// Makes an account by an invitation.
pub(crate) async fn join(link: &str, mut settings: Settings) -> anyhow::Result<()> {
    refuse_trust(&settings)?;
    let link: InvitationLink = link.parse().map_err(|error| Misuse(format!("{error}")))?;
    settings.data_address.value.clone_from(&link.address);
    let client = person::connect_expecting(&settings, link.fingerprint.as_deref()).await?;
    let me = account::enter(&client, &settings, &Way::Join(link.code)).await?;
    say(format_args!(
        "{} is logged in. To chat: talko --data-address {}",
        tui_client::one_line(&me.user_name),
        link.address
    ))
}

/// Ends the session of this device, or all.
pub(crate) async fn logout(everywhere: bool, settings: &Settings) -> anyhow::Result<()> {
    let (client, kept) = kept(settings).await?;
    let ended = if everywhere {
        client.logout_everywhere().await?
    } else {
        client.logout().await?;
        1
    };
    account::forget(&kept, settings)?;
    say(format_args!("{} is logged out ({ended} ended)", tui_client::one_line(&kept.user_name)))
}

/// Says who is logged in here.
pub(crate) async fn whoami(settings: &Settings) -> anyhow::Result<()> {
    if settings.trust_user_ids.value || token::given(settings)?.is_some() {
        let (_, me) = account::connect(settings).await?;
        return say(format_args!("{}\t{}", me.user_id, tui_client::one_line(&me.user_name)));
    }
    let (client, kept) = kept(settings).await?;
    let identity = client.call(Authenticate { token: Some(kept.token.clone()), user_id: None }).await?;
    say(format_args!(
        "{}\t{}\t{} of {}\tsession {}",
        identity.user.user_id,
        tui_client::one_line(&identity.user.user_name),
        identity.server_role,
        kept.server,
        kept.session_id
    ))
}

/// Lists the devices, or logs one out.
pub(crate) async fn sessions(revoke: Option<i64>, settings: &Settings) -> anyhow::Result<()> {
    let (client, _) = kept(settings).await?;
    if let Some(number) = revoke {
        client.revoke_session(SessionId(number)).await?;
        return say(format_args!("session {number} has ended"));
    }
    for session in client.sessions().await? {
        say(format_args!(
            "{}{}\t{}\tsince {}\tlast used {}",
            session.session_id,
            if session.is_current { "*" } else { "" },
            tui_client::one_line(&session.device),
            day(session.created_ts),
            day(session.used_ts)
        ))?;
    }
    Ok(())
}

/// Sets another password.
pub(crate) async fn change_password(settings: &Settings) -> anyhow::Result<()> {
    let (client, _) = kept(settings).await?;
    let old = password::ask("The password until now: ", settings)?;
    let new = password::ask_new("The new password: ", settings)?;
    let ended = client.change_password(old, new).await?;
    say(format_args!("the password is changed; {ended} other sessions have ended"))
}

/// A client in the session that this device keeps.
async fn kept(settings: &Settings) -> anyhow::Result<(Client, client_lib::SavedSession)> {
    refuse_trust(settings)?;
    let Some(kept) = account::kept(settings)? else {
        bail!(account::nobody(settings));
    };
    let client = person::connect(settings).await?;
    match client.authenticate(kept.token.clone()).await {
        Ok(_) => Ok((client, kept)),
        Err(client_lib::Error::LoggedOut) => Err(account::forget_ended(&kept, settings)?.into()),
        Err(error) => Err(error.into()),
    }
}

fn refuse_trust(settings: &Settings) -> Result<(), Misuse> {
    if settings.trust_user_ids.value {
        return Err(Misuse("with --trust-user-ids nobody logs in: say who you are with --user NAME".into()));
    }
    Ok(())
}

/// A time as a date and minutes.
pub(super) fn day(time: TimestampMs) -> String {
    jiff::Timestamp::from_millisecond(time)
        .map(|time| time.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M").to_string())
        .unwrap_or_default()
}
