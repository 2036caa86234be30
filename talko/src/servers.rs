//! Starts the servers: both in this process over the bus in memory, or one of them, linked to the other.

use std::fs;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use bus::link::{Caller, Links, ServiceKey};
use bus::memory::Memory;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use ttp::net::{address, socket};

use crate::failure::Misuse;
use crate::port_owner;
use crate::settings::Settings;

/// Servers that run in this process.
#[derive(Debug)]
pub(crate) struct Running {
    /// What is being served, for the line that says so.
    pub(crate) description: String,
    /// Where a client of this process reaches the data-server; of a lone broadcast-server, its own address.
    pub(crate) address: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Running {
    /// Asks the servers to stop, waits until they have, and tells how it went.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        self.stop.cancel();
        (&mut self.task).await.context("a server ended abnormally")?
    }

    /// Waits for the servers to end by themselves, which only failures make them do.
    pub(crate) async fn ended(&mut self) -> anyhow::Result<()> {
        (&mut self.task).await.context("a server ended abnormally")?
    }
}

/// Starts both servers in this process, and the gateway if it has an address.
pub(crate) async fn start_both(settings: &Settings) -> anyhow::Result<Running> {
    settings.check_for_serving()?;
    let data_listener = listen(&settings.data_address.value, "--data-address").await?;
    let broadcast_listener = listen(&settings.broadcast_address.value, "--broadcast-address").await?;
    let http_listener = match &settings.http_address.value {
        Some(http_address) => Some(listen(http_address, "--http-address").await?),
        None => None,
    };
    let address = data_listener.local_addr()?;
    let broadcast_address = broadcast_listener.local_addr()?;
    let memory = Memory::new();
    let limits = Limits::shared(settings, if http_listener.is_some() { 3 } else { 2 });
    let data = open_data_server(settings, limits, broadcast_address.to_string(), Arc::clone(&memory) as _)?;
    memory.attach_directory(data.directory());
    let broadcast =
        broadcast_server::Server::start(broadcast_config(settings, limits), Arc::clone(&memory) as _, None)?;
    memory.attach_receiver(broadcast.receiver());
    let mut description = format!("data-server on {address}, broadcast-server on {broadcast_address}, ");
    if let Some(listener) = &http_listener {
        description += &format!("http on {}, ", listener.local_addr()?);
    }
    description += &format!("database {}", settings.db.value.display());
    let gateway = gateway::Server::open(gateway::Config {
        connections_max: limits.connections_max,
        drain_timeout: limits.drain_timeout,
        ..gateway::Config::new(address, broadcast_address)
    });
    let stops = [(); 3].map(|()| CancellationToken::new());
    let stop = stops[0].clone();
    let task = tokio::spawn(async move {
        let [stop_gateway, stop_data, stop_broadcast] = stops;
        // A server that ends by itself begins the end of all.
        let (broadcast_guard, data_guard) =
            (stop_gateway.clone().drop_guard(), stop_gateway.clone().drop_guard());
        let stopped = stop_broadcast.clone().cancelled_owned();
        let broadcast_task = tokio::spawn(async move {
            let _guard = broadcast_guard;
            broadcast.serve(broadcast_listener, stopped).await
        });
        let stopped = stop_data.clone().cancelled_owned();
        let data_task = tokio::spawn(async move {
            let _guard = data_guard;
            data.serve(data_listener, stopped).await
        });
        // Each stops before the one that it speaks to, so that what was begun is finished and delivered.
        let gateway_ended = match http_listener {
            Some(listener) => gateway.serve(listener, stop_gateway.cancelled_owned()).await,
            None => {
                stop_gateway.cancelled().await;
                Ok(())
            }
        };
        stop_data.cancel();
        let data_ended = data_task.await;
        stop_broadcast.cancel();
        broadcast_task.await??;
        data_ended??;
        gateway_ended?;
        Ok(())
    });
    Ok(Running { description, address, stop, task })
}

/// Starts the data-server alone, linked to the broadcast-server.
pub(crate) async fn start_data_server(settings: &Settings) -> anyhow::Result<Running> {
    settings.check_for_serving()?;
    let listener = listen(&settings.data_address.value, "--data-address").await?;
    let address = listener.local_addr()?;
    let key = service_key(&settings.service_key_file.value)?;
    let broadcast_address = settings.broadcast_address.value.clone();
    let caller = Caller::start(broadcast_address.clone(), key);
    let limits = Limits::shared(settings, 1);
    let server = open_data_server(settings, limits, broadcast_address.clone(), Arc::clone(&caller) as _)?;
    caller.attach_directory(server.directory());
    let description = format!(
        "data-server on {address}, linked to {broadcast_address}, database {}",
        settings.db.value.display()
    );
    let stop = CancellationToken::new();
    let stopped = stop.clone().cancelled_owned();
    let task = tokio::spawn(async move {
        server.serve(listener, stopped).await?;
        caller.flush().await;
        Ok(())
    });
    Ok(Running { description, address, stop, task })
}

/// Starts the broadcast-server alone; data-servers link to it.
pub(crate) async fn start_broadcast_server(settings: &Settings) -> anyhow::Result<Running> {
    settings.check_for_serving()?;
    let listener = listen(&settings.broadcast_address.value, "--broadcast-address").await?;
    let links = Links::new(service_key(&settings.service_key_file.value)?);
    let server = broadcast_server::Server::start(
        broadcast_config(settings, Limits::shared(settings, 1)),
        Arc::clone(&links) as _,
        Some(Arc::clone(&links) as _),
    )?;
    links.attach_receiver(server.receiver());
    let address = listener.local_addr()?;
    let description = format!("broadcast-server on {address}");
    let stop = CancellationToken::new();
    let stopped = stop.clone().cancelled_owned();
    let task = tokio::spawn(async move {
        server.serve(listener, stopped).await?;
        Ok(())
    });
    Ok(Running { description, address, stop, task })
}

fn open_data_server(
    settings: &Settings,
    limits: Limits,
    broadcast_address: String,
    publisher: Arc<dyn bus::Publisher>,
) -> anyhow::Result<data_server::Server> {
    let path = &settings.db.value;
    if path.is_dir() {
        return Err(Misuse(format!("{} is a directory, not a database", path.display())).into());
    }
    if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
        fs::create_dir_all(directory).with_context(|| format!("cannot create {}", directory.display()))?;
    }
    let config = data_server::Config {
        store_path: path.clone(),
        broadcast_address: Some(broadcast_address),
        connections_max: limits.connections_max,
        drain_timeout: limits.drain_timeout,
        // Until its clients log in. The listener refuses anything but loopback.
        trust_user_ids: true,
        ..data_server::Config::default()
    };
    Ok(data_server::Server::open(config, publisher)?)
}

fn broadcast_config(settings: &Settings, limits: Limits) -> broadcast_server::Config {
    broadcast_server::Config {
        connections_max: limits.connections_max,
        outlets_bytes_max: settings.outlet_bytes_max.value,
        trust_user_ids: true,
        drain_timeout_ms: limits.drain_timeout.as_millis() as u64,
        ..broadcast_server::Config::default()
    }
}

/// What each server of this process may have. They stop one after the other, so they share the time for that.
#[derive(Debug, Clone, Copy)]
struct Limits {
    connections_max: usize,
    drain_timeout: Duration,
}

impl Limits {
    fn shared(settings: &Settings, servers: u32) -> Self {
        Self { connections_max: connections_max(settings), drain_timeout: settings.drain_timeout(servers) }
    }
}

/// Files that a process needs besides its connections.
const OTHER_FILES: u64 = 256;

/// How many connections a server of this process may have: as many as were asked for, if the system lets the process
/// open so many files. A server that runs out of files could not even refuse.
fn connections_max(settings: &Settings) -> usize {
    let wanted = settings.connections_max.value;
    match rlimit::increase_nofile_limit((wanted as u64).saturating_mul(2).saturating_add(OTHER_FILES)) {
        Ok(files) => {
            let possible = usize::try_from(files - OTHER_FILES.min(files / 4)).unwrap_or(usize::MAX);
            if possible < wanted {
                info!(wanted, possible, "the system allows fewer open files than connections_max needs");
            }
            wanted.min(possible)
        }
        Err(error) => {
            warn!(%error, "the limit of open files is not known");
            wanted
        }
    }
}

/// Binds, and says in one sentence why not.
async fn listen(text: &str, flag: &str) -> anyhow::Result<TcpListener> {
    let wanted: SocketAddr = address::resolve(text)
        .await
        .map_err(|error| Misuse(format!("{flag} {text} is not an address to listen on: {error}")))?;
    if !address::is_loopback(&wanted) {
        let message = format!(
            "{flag} {text} can be reached from other machines, where user ids must not be trusted; until \
             accounts exist use a loopback address such as 127.0.0.1:{}",
            wanted.port()
        );
        return Err(Misuse(message).into());
    }
    match socket::listen(wanted) {
        Ok(listener) => Ok(listener),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            let owner = port_owner::find(wanted)
                .map_or("another program listens there".into(), |owner| format!("{owner} listens there"));
            Err(anyhow::Error::new(error)
                .context(format!("{wanted} is in use: {owner}; stop it or choose another {flag}")))
        }
        Err(error) => Err(error).with_context(|| format!("cannot listen on {wanted}")),
    }
}

/// Whether nobody listens where the data-server of these settings would.
pub(crate) async fn is_address_free(settings: &Settings) -> bool {
    match address::resolve(&settings.data_address.value).await {
        Ok(wanted) => socket::listen(wanted).is_ok(),
        Err(_) => false,
    }
}

/// Whether an error of starting says that somebody else listens there.
pub(crate) fn is_address_in_use(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|error| error.kind() == io::ErrorKind::AddrInUse)
}

/// Reads the key that both servers share, or makes it on the first start of either.
fn service_key(path: &Path) -> anyhow::Result<ServiceKey> {
    let context = || format!("cannot use the service key {}", path.display());
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory).with_context(context)?;
    }
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    // The new key gets its name when it is complete, so the other server never reads half of one.
    let unfinished = path.with_extension(format!("new-{}", std::process::id()));
    let key = ServiceKey::generate()?;
    let made = options
        .open(&unfinished)
        .and_then(|mut file| file.write_all(key.to_hex().as_bytes()).and_then(|()| file.sync_all()))
        .and_then(|()| fs::hard_link(&unfinished, path));
    let _ = fs::remove_file(&unfinished);
    match made {
        Ok(()) => {
            info!(path = %path.display(), "made a service key");
            Ok(key)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let text = fs::read_to_string(path).with_context(context)?;
            text.parse().with_context(context)
        }
        Err(error) => Err(error).with_context(context),
    }
}

/// Puts the database aside as `FILE.previous`, so that the next start makes an empty one.
pub(crate) fn set_database_aside(settings: &Settings) -> anyhow::Result<()> {
    let path = &settings.db.value;
    let beside = |suffix: &str| {
        let mut name = path.clone().into_os_string();
        name.push(suffix);
        std::path::PathBuf::from(name)
    };
    if fs::exists(beside("-wal"))? && fs::metadata(beside("-wal"))?.len() > 0 {
        bail!(
            "{} is open or was not closed cleanly; start and stop `talko up` on it once before recreating it",
            path.display()
        );
    }
    for suffix in ["-wal", "-shm"] {
        match fs::remove_file(beside(suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    match fs::rename(path, beside(".previous")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot set {} aside", path.display()))
        }
        _ => Ok(()),
    }
}
