//! `talko trust`: the key of a server, what is known of it, and trusting it.

use std::time::Duration;

use anyhow::{Context, bail};
use ttp::net::tls::{Authorities, ClientTls, Expected, Fingerprint, FirstUse, KnownServers};
use ttp::net::{address, clock, socket};

use crate::failure::Misuse;
use crate::output::say;
use crate::person;
use crate::settings::Settings;

/// Longest wait for the server to show its key.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Shows the known and the shown key, and pins the shown one when that is wished.
pub(crate) async fn run(
    server: &str,
    fingerprint: Option<&str>,
    yes: bool,
    settings: &Settings,
) -> anyhow::Result<()> {
    let known = person::known_servers(settings);
    let old = known.pin_of(server)?;
    let new = match fingerprint {
        Some(text) => text.parse::<Fingerprint>().map_err(|error| Misuse(error.to_string()))?,
        None => shown_by(server).await?,
    };
    say(format_args!("server   {server}"))?;
    say(format_args!("trusted  {}", old.map_or("(not known yet)".into(), |old| old.to_string())))?;
    say(format_args!("shown    {new}"))?;
    if old == Some(new) {
        return say("It is the key that is trusted already.");
    }
    if fingerprint.is_none()
        && !yes
        && !person::agrees("Compare it with what the server's operator sees. Trust this key?")?
    {
        bail!("nothing was changed");
    }
    known.pin(server, new, clock::now_ms())?;
    say("This key is trusted from now on.")
}

/// Connects to nothing but the key.
async fn shown_by(server: &str) -> anyhow::Result<Fingerprint> {
    let looking = async {
        let resolved = address::resolve(server).await.with_context(|| format!("cannot find {server}"))?;
        let stream = socket::connect(resolved, TIMEOUT)
            .await
            .with_context(|| format!("cannot connect to {server}"))?;
        let tls =
            ClientTls::new(KnownServers::in_memory(), FirstUse::Pin).with_authorities(Authorities::Nobody);
        let shown = tls.connect(stream, server, Expected::Nothing, &[b"talko"]).await?;
        anyhow::Ok(shown.fingerprint)
    };
    tokio::time::timeout(TIMEOUT, looking)
        .await
        .with_context(|| format!("{server} did not answer in time"))?
}
