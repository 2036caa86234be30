//! `talko` alone: join the servers that run on the local address, or run them in this process, then chat.
//!
//! Every `talko` on an address watches over it: when the one that runs the servers ends, another takes over and all
//! clients go on, if its own database is the one that was served. Any other database would be another world: then it
//! waits for the servers to come back.

use std::io::IsTerminal;
use std::time::Duration;

use anyhow::Context;
use client_lib::{Client, Error};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use ttp::net::address;

use crate::arguments::ChatArguments;
use crate::commands::call;
use crate::failure::Misuse;
use crate::output::note;
use crate::settings::Settings;
use crate::{account, failure, line, listeners, logging, person, servers, stdin_lines};

/// How often a `talko` that joined looks whether it must take over.
const TAKE_OVER_INTERVAL: Duration = Duration::from_millis(500);

/// Joins or starts, then chats until the person leaves.
pub(crate) async fn run(arguments: ChatArguments, settings: Settings) -> anyhow::Result<()> {
    keep_log(&settings)?;
    let (client, keeper) = join_or_start(&settings).await?;
    let chatted = converse(&client, arguments.line, &settings).await;
    keeper.stop().await.and(chatted)
}

/// Logs to a file. Without a place for it one can still chat.
pub(crate) fn keep_log(settings: &Settings) -> anyhow::Result<()> {
    match logging::to_file(settings) {
        Err(error) if !error.is::<Misuse>() => {
            note(format_args!("talko: no log is kept: {}", failure::sentence(&error)));
            Ok(())
        }
        kept => kept,
    }
}

/// The task that runs the servers whenever nobody else does.
pub(crate) struct Keeper {
    stop: CancellationToken,
    task: Option<JoinHandle<anyhow::Result<()>>>,
}

impl Keeper {
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        self.stop.cancel();
        match self.task {
            Some(task) => task.await.context("the servers ended abnormally")?,
            None => Ok(()),
        }
    }
}

/// Connects to what runs; starts it when nothing listens there and the address is local.
pub(crate) async fn join_or_start(settings: &Settings) -> anyhow::Result<(Client, Keeper)> {
    let wanted = address::resolve(&settings.data_address.value).await.map_err(|error| {
        Misuse(format!("--data-address {} is not an address: {error}", settings.data_address.value))
    })?;
    let stop = CancellationToken::new();
    if !address::is_loopback(&wanted) {
        return Ok((person::connect(settings).await?, Keeper { stop, task: None }));
    }
    let first = match person::connect(settings).await {
        Ok(client) => Some(client),
        Err(Error::Connect { .. }) => None,
        Err(error) => return Err(error).context(format!("{wanted} does not answer like a data-server")),
    };
    let started = match first {
        Some(_) => None,
        None => match servers::start_both(settings).await {
            Ok(running) => Some(running),
            // Another `talko` was quicker, or something else sits on one of the ports; connecting tells which.
            Err(error) if listeners::is_address_in_use(&error) => match person::connect(settings).await {
                Ok(_) => None,
                Err(_) => return Err(error),
            },
            Err(error) => return Err(error),
        },
    };
    let client = match first {
        Some(client) => client,
        None => person::connect(settings).await?,
    };
    let epoch = call::epoch(settings).await?;
    let task = tokio::spawn(keep(settings.clone(), started, epoch, stop.clone()));
    Ok((client, Keeper { stop, task: Some(task) }))
}

/// Runs the servers whenever the address is free and the database is that of `epoch`.
async fn keep(
    settings: Settings,
    mut running: Option<servers::Running>,
    epoch: Option<String>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    loop {
        if let Some(mut servers) = running.take() {
            info!("serving: {}", servers.description);
            tokio::select! {
                () = stop.cancelled() => return servers.stop().await,
                ended = servers.ended() => ended?,
            }
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(TAKE_OVER_INTERVAL) => {}
        }
        let is_ours = || epoch.is_some() && data_server::epoch_of(&settings.db.value) == epoch;
        if !listeners::is_address_free(&settings).await || !is_ours() {
            continue;
        }
        match servers::start_both(&settings).await {
            Ok(servers) => running = Some(servers),
            Err(error) if listeners::is_address_in_use(&error) => {}
            Err(error) => warn!("cannot take over the servers: {}", failure::sentence(&error)),
        }
    }
}

/// Asks who it is if nobody said, then opens the client that fits the terminal.
pub(crate) async fn converse(client: &Client, line: bool, settings: &Settings) -> anyhow::Result<()> {
    let full_screen = !line && std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    // One reader of standard input at a time: the questions are over before a client begins to read.
    let way = account::usual_way(settings).await;
    let me = account::become_somebody(client, settings, &way).await?;
    if full_screen {
        tui_client::run(client.clone(), me, tui_client::Options::default()).await.map_err(Into::into)
    } else {
        line::run(client, me, stdin_lines::read()).await
    }
}
