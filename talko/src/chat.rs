//! `talko` alone: join the servers that run on the local address, or run them in this process, then chat.
//!
//! Every `talko` on an address watches over it: when the one that runs the servers ends, another takes over and all
//! clients go on, if its own database is the one that was served. Any other database would be another world: then it
//! waits for the servers to come back.

use std::io::{ErrorKind, IsTerminal};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;
use client_lib::{Client, Error, SavedSession, User, UserId};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use ttp::net::address;
use ttp::net::backoff::{Backoff, random};
use tui_client::{Ending, Taste};

use crate::arguments::ChatArguments;
use crate::commands::call;
use crate::failure::Misuse;
use crate::output::note;
use crate::settings::Settings;
use crate::{account, failure, line, listeners, logging, person, servers, stdin_lines};

/// How often a `talko` that joined looks whether it must take over. Twice as often costs 0.04 per cent of a core for nothing.
const TAKE_OVER_INTERVAL: Duration = Duration::from_secs(1);

/// Pauses between two searches for servers that are out of reach.
const FIND_FIRST: Duration = Duration::from_millis(500);
const FIND_MAX: Duration = Duration::from_secs(15);

/// Joins or starts, then chats until the person leaves. Servers that were started go on while people change accounts.
pub(crate) async fn run(arguments: ChatArguments, mut settings: Settings) -> anyhow::Result<()> {
    prepare(&arguments, &settings)?;
    #[cfg(feature = "failpoints")]
    tokio::spawn(panic_when_told());
    let mut host = Host::default();
    let chatted = loop {
        match chat_once(&arguments, &settings, &mut host).await {
            Ok(Ending::ChangeAccount(name)) => settings.user.value = Some(name),
            Ok(Ending::Left) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    let mut stopped = Ok(());
    for keeper in host.keepers {
        stopped = stopped.and(keeper.stop().await);
    }
    stopped.and(chatted)
}

/// For tests: a part of the program panics when the process gets `SIGUSR1`.
#[cfg(feature = "failpoints")]
#[expect(clippy::panic, reason = "the test wants to see one")]
async fn panic_when_told() {
    let told = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::user_defined1());
    if let Ok(mut told) = told {
        told.recv().await;
        panic!("as the test has ordered");
    }
}

/// Servers that run in this process.
#[derive(Default)]
pub(crate) struct Host {
    keepers: Vec<Keeper>,
    /// Whether there are some now.
    is_serving: Arc<AtomicBool>,
}

async fn chat_once(
    arguments: &ChatArguments,
    settings: &Settings,
    host: &mut Host,
) -> anyhow::Result<Ending> {
    if is_full_screen(arguments.line)
        && let Some(kept) = account::usable(settings)?
    {
        match return_to_screen(&kept, settings, host).await {
            Err(error) if is_logged_out(&error) => note(account::forget_ended(&kept, settings)?),
            ended => return ended,
        }
    }
    let (client, keeper) = join_or_start(settings, &host.is_serving).await?;
    host.keepers.push(keeper);
    converse(&client, arguments.line, settings, &host.is_serving).await
}

/// A terminal that cannot place its cursor, or that is read aloud, gets lines (`TERM=dumb`).
fn is_full_screen(line: bool) -> bool {
    let is_dumb = std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
    !line && !is_dumb && std::io::stdin().is_terminal() && std::io::stdout().is_terminal()
}

fn is_logged_out(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Error>().is_some_and(|error| matches!(error, Error::LoggedOut))
}

/// Shows the last screen of who is logged in here at once, and finds or starts the servers behind it.
async fn return_to_screen(
    kept: &SavedSession,
    settings: &Settings,
    host: &mut Host,
) -> anyhow::Result<Ending> {
    let is_serving = Arc::clone(&host.is_serving);
    let me = User { user_id: kept.user_id, user_name: kept.user_name.clone() };
    let mut fault = None;
    let connect = async {
        match find_servers(kept, settings, &is_serving).await {
            Ok((client, keeper)) => {
                host.keepers.push(keeper);
                Some(client)
            }
            Err(error) => {
                fault = Some(error);
                None
            }
        }
    };
    let options = screen_options(settings, kept.user_id, &is_serving)?;
    let chatted = tui_client::run_early(me, options, connect).await;
    match (chatted, fault) {
        (Err(tui_client::Error::NotConnected), Some(fault)) => Err(fault),
        (chatted, _) => chatted.map_err(Into::into),
    }
}

/// The servers, however long it takes while they are out of reach, and a client that speaks for who is logged in.
async fn find_servers(
    kept: &SavedSession,
    settings: &Settings,
    is_serving: &Arc<AtomicBool>,
) -> anyhow::Result<(Client, Keeper)> {
    let mut backoff = Backoff::new(FIND_FIRST, FIND_MAX);
    loop {
        // Where there is no network there are no names; this one was right before.
        while address::resolve(&settings.data_address.value).await.is_err() {
            tokio::time::sleep(backoff.next_wait(random())).await;
        }
        match join_or_start(settings, is_serving).await {
            Ok((client, keeper)) => match client.authenticate(kept.token.clone()).await {
                Ok(_) => return Ok((client, keeper)),
                Err(error) if error.is_temporary() => keeper.stop().await?,
                Err(error) => {
                    keeper.stop().await?;
                    return Err(error.into());
                }
            },
            Err(error) if error.downcast_ref::<Error>().is_some_and(Error::is_temporary) => {}
            Err(error) => return Err(error),
        }
        tokio::time::sleep(backoff.next_wait(random())).await;
    }
}

/// How the full screen looks, and where it is kept.
fn screen_options(
    settings: &Settings,
    me: UserId,
    is_serving: &Arc<AtomicBool>,
) -> anyhow::Result<tui_client::Options> {
    let cache_file = Some(account::screen_file(settings, &settings.data_address.value, me));
    let taste = taste_of(settings)?;
    let is_serving = Arc::clone(is_serving);
    Ok(tui_client::Options { cache_file, taste, is_serving, ..tui_client::Options::default() })
}

/// The keys and colours of the person's file, when there is one.
fn taste_of(settings: &Settings) -> anyhow::Result<Taste> {
    let path = &settings.screen_file.value;
    let wrong = |what: String| Misuse(format!("the screen file {}{what}", path.display()));
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Taste::read(&text).map_err(|error| wrong(format!(", {error}")))?),
        Err(error) if error.kind() == ErrorKind::NotFound && !settings.screen_file.is_chosen() => {
            Ok(Taste::default())
        }
        Err(error) => Err(wrong(format!(" cannot be read: {error}")).into()),
    }
}

/// What comes before any question: a log is kept, and the screen's file is whole.
pub(crate) fn prepare(arguments: &ChatArguments, settings: &Settings) -> anyhow::Result<()> {
    if is_full_screen(arguments.line) {
        taste_of(settings)?;
    }
    keep_log(settings)
}

/// Logs to a file. Without a place for it one can still chat.
fn keep_log(settings: &Settings) -> anyhow::Result<()> {
    match logging::to_file(settings) {
        Err(error) if !error.is::<Misuse>() => {
            note(format_args!("talko: no log is kept: {}", failure::sentence(&error)));
            Ok(())
        }
        kept => kept,
    }
}

/// As long as it lives, servers run in this process.
struct Serving<'a>(&'a AtomicBool);

impl<'a> Serving<'a> {
    fn begin(is_serving: &'a AtomicBool) -> Self {
        is_serving.store(true, Ordering::Relaxed);
        Self(is_serving)
    }
}

impl Drop for Serving<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
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
pub(crate) async fn join_or_start(
    settings: &Settings,
    is_serving: &Arc<AtomicBool>,
) -> anyhow::Result<(Client, Keeper)> {
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
    let serving = Arc::clone(is_serving);
    let task = tokio::spawn(keep(settings.clone(), started, epoch, stop.clone(), serving));
    Ok((client, Keeper { stop, task: Some(task) }))
}

/// Runs the servers whenever the address is free and the database is that of `epoch`.
async fn keep(
    settings: Settings,
    mut running: Option<servers::Running>,
    epoch: Option<String>,
    stop: CancellationToken,
    is_serving: Arc<AtomicBool>,
) -> anyhow::Result<()> {
    loop {
        if let Some(mut servers) = running.take() {
            info!("serving: {}", servers.description);
            let _serving = Serving::begin(&is_serving);
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
pub(crate) async fn converse(
    client: &Client,
    line: bool,
    settings: &Settings,
    is_serving: &Arc<AtomicBool>,
) -> anyhow::Result<Ending> {
    // One reader of standard input at a time: the questions are over before a client begins to read.
    let way = account::usual_way(settings).await;
    let me = account::become_somebody(client, settings, &way).await?;
    if is_full_screen(line) {
        let options = screen_options(settings, me.user_id, is_serving)?;
        tui_client::run(client.clone(), me, options).await.map_err(Into::into)
    } else {
        line::run(client, me, stdin_lines::read()).await.map(|()| Ending::Left)
    }
}
