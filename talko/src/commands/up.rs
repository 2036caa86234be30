//! `talko up`, `talko data-server`, `talko broadcast-server`: servers in the foreground until a signal.

use tokio::signal::unix::{SignalKind, signal};
use tracing::info;

use crate::arguments::RecreateArguments;
use crate::output::{note, say};
use crate::servers::{self, Running};
use crate::settings::Settings;
use crate::{logging, person, seed};

/// Sent where a file would pass the limit of its length (`ulimit -f`). Whoever listens for it gets an error from the write
/// instead of its death, and the store knows what to do about that.
const SIGXFSZ: i32 = 25;

/// Both servers.
pub(crate) async fn both(recreate: RecreateArguments, settings: Settings) -> anyhow::Result<()> {
    logging::to_stderr(&settings)?;
    if recreate.recreate_db {
        servers::set_database_aside(&settings)?;
    }
    let running = servers::start_both(&settings).await?;
    if recreate.insert_demo_chat {
        seed::insert_demo_chat(&person::connect_to_own(running.address.to_string(), &settings).await?)
            .await?;
    }
    until_signal(running).await
}

/// The data-server alone.
pub(crate) async fn data_server(recreate: RecreateArguments, settings: Settings) -> anyhow::Result<()> {
    logging::to_stderr(&settings)?;
    if recreate.recreate_db {
        servers::set_database_aside(&settings)?;
    }
    let running = servers::start_data_server(&settings).await?;
    if recreate.insert_demo_chat {
        seed::insert_demo_chat(&person::connect_to_own(running.address.to_string(), &settings).await?)
            .await?;
    }
    until_signal(running).await
}

/// The broadcast-server alone.
pub(crate) async fn broadcast_server(settings: Settings) -> anyhow::Result<()> {
    logging::to_stderr(&settings)?;
    until_signal(servers::start_broadcast_server(&settings).await?).await
}

/// Says that it is ready, on standard output and once, then drains on SIGINT or SIGTERM. A second signal ends the process
/// at once. On SIGHUP the certificate and the service keys are read again.
async fn until_signal(mut running: Running) -> anyhow::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let _file_too_long = signal(SignalKind::from_raw(SIGXFSZ))?;
    say(format_args!("ready: {}", running.description))?;
    if let Some(advice) = &running.advice {
        note(advice);
    }
    let name = loop {
        tokio::select! {
            ended = running.ended() => return ended,
            _ = interrupt.recv() => break "SIGINT",
            _ = terminate.recv() => break "SIGTERM",
            _ = hangup.recv() => running.reload(),
        }
    };
    info!(signal = name, "stopping; a second signal ends at once");
    tokio::select! {
        stopped = running.stop() => stopped,
        _ = interrupt.recv() => Err(anyhow::anyhow!("stopped at once by a second signal")),
        _ = terminate.recv() => Err(anyhow::anyhow!("stopped at once by a second signal")),
    }
}
