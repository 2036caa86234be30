//! `talko invite`: making invitations, listing them, and taking them back.

use std::time::Duration;

use ttp::invitation::InvitationLink;
use ttp::model::InvitationId;

use super::login::day;
use crate::account;
use crate::choices::RoleName;
use crate::output::{note, say};
use crate::settings::Settings;

/// What an invitation shall allow.
pub(crate) struct Wanted {
    pub(crate) uses: u32,
    pub(crate) days: u32,
    pub(crate) role: RoleName,
}

/// Makes an invitation and prints its link.
pub(crate) async fn make(wanted: Wanted, settings: &Settings) -> anyhow::Result<()> {
    let (client, _) = account::connect(settings).await?;
    let lifetime = Duration::from_secs(u64::from(wanted.days) * 24 * 3600);
    let made = client.invite(Some(wanted.uses), Some(lifetime), Some(wanted.role.into())).await?;
    let link = InvitationLink {
        address: made.address.unwrap_or_else(|| settings.data_address.value.clone()),
        code: made.code,
        fingerprint: made.fingerprint,
    };
    say(&link)?;
    let info = made.invitation;
    note(format_args!(
        "Invitation {} for {} until {}. Whoever has this link may use it: talko join LINK",
        info.invitation_id,
        if info.uses_left == 1 { "one account".into() } else { format!("{} accounts", info.uses_left) },
        day(info.expires_ts)
    ));
    Ok(())
}

/// Lists those that hold.
pub(crate) async fn list(settings: &Settings) -> anyhow::Result<()> {
    let (client, _) = account::connect(settings).await?;
    for invitation in client.invitations().await? {
        say(format_args!(
            "{}\tby {}\t{}\t{} left\tuntil {}",
            invitation.invitation_id,
            tui_client::one_line(&invitation.by.user_name),
            invitation.role,
            invitation.uses_left,
            day(invitation.expires_ts)
        ))?;
    }
    Ok(())
}

/// Takes one back.
pub(crate) async fn revoke(number: i64, settings: &Settings) -> anyhow::Result<()> {
    let (client, _) = account::connect(settings).await?;
    client.revoke_invitation(InvitationId(number)).await?;
    say(format_args!("invitation {number} holds no more"))
}
