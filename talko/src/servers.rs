//! Starts the servers: both in this process over the bus in memory, or one of them, linked to the other.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use broadcast_server::TicketKeys;
use bus::link::{Caller, Carrier, KeyRing, Links, ServiceKey, ServiceKeys};
use bus::memory::Memory;
use data_server::{Rates, Registration, SharedTicketKey};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use ttp::net::forwarded::Forwarded;
use ttp::net::tls::LearntFingerprint;
use ttp::net::tls::server::ServerTls;

use crate::choices::{RatesName, RegistrationName, TlsWhen};
use crate::failure::{self, Misuse};
use crate::listeners::{Door, Doors};
use crate::metrics::{self, BroadcastSource, DataSource, Sources};
use crate::service_key;
use crate::settings::Settings;

/// Servers that run in this process.
#[derive(Debug)]
pub(crate) struct Running {
    /// What is being served, for the line that says so.
    pub(crate) description: String,
    /// Where a client of this process reaches the data-server; of a lone broadcast-server, its own address.
    pub(crate) address: SocketAddr,
    /// What the operator should do next, if there is anything.
    pub(crate) advice: Option<String>,
    reload: Reload,
    stop: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Running {
    /// Asks the servers to stop, waits until they have, and tells how it went.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        self.stop.cancel();
        (&mut self.task).await.context("a server ended abnormally")?
    }

    /// Reads the certificate and the service keys again.
    pub(crate) fn reload(&self) {
        self.reload.run();
    }

    /// Waits for the servers to end by themselves, which only failures make them do.
    pub(crate) async fn ended(&mut self) -> anyhow::Result<()> {
        (&mut self.task).await.context("a server ended abnormally")?
    }
}

/// What is read again on SIGHUP. What cannot be read leaves in force what was.
#[derive(Debug, Default)]
struct Reload {
    tls: Option<ServerTls>,
    /// What is told of the key of `tls`.
    told: Vec<LearntFingerprint>,
    keys: Option<(KeyRing, PathBuf)>,
    tickets: Tickets,
}

/// The two ends of stream tickets: the data-server signs by the first service key, the broadcast-server checks by all.
#[derive(Debug, Clone, Default)]
struct Tickets {
    signed_by: SharedTicketKey,
    checked_by: TicketKeys,
}

impl Tickets {
    fn of(keys: &ServiceKeys) -> Self {
        let tickets = Self::default();
        tickets.use_keys(keys);
        tickets
    }

    fn use_keys(&self, keys: &ServiceKeys) {
        self.checked_by.replace(keys.iter().map(ServiceKey::ticket_key).collect::<Vec<_>>());
        self.signed_by.replace(keys.first().ticket_key());
    }
}

impl Reload {
    fn run(&self) {
        match self.tls.as_ref().map(ServerTls::reload) {
            None => {}
            Some(Ok(fingerprint)) => {
                self.told.iter().for_each(|told| told.set(Some(fingerprint)));
                info!(%fingerprint, "the certificate was read again");
            }
            Some(Err(error)) => warn!(%error, "the certificate was not read again, the old one stays"),
        }
        if let Some((ring, path)) = &self.keys {
            match service_key::read(path) {
                Ok(keys) => {
                    self.tickets.use_keys(&keys);
                    ring.replace(keys);
                    info!("the service keys were read again");
                }
                Err(error) => warn!("the old service keys stay: {}", failure::sentence(&error)),
            }
        }
    }
}

/// Starts both servers in this process, and the gateway if it has an address.
pub(crate) async fn start_both(settings: &Settings) -> anyhow::Result<Running> {
    settings.check_for_serving()?;
    let mut doors = Doors::new(settings);
    let data_door = doors.open(&settings.data_address.value, "--data-address").await?;
    let broadcast_door = doors.open(&settings.broadcast_address.value, "--broadcast-address").await?;
    let http_door = match &settings.http_address.value {
        Some(http_address) => Some(doors.open(http_address, "--http-address").await?),
        None => None,
    };
    let metrics_door = doors.open_metrics().await?;
    let memory = Memory::new();
    let limits = Limits::shared(settings, if http_door.is_some() { 3 } else { 2 });
    // Nobody else needs to know the key by which one half of this process signs for the other.
    let tickets = Tickets::of(&ServiceKey::generate()?.into());
    let forwarded = Forwarded::default();
    let is_local = [Some(&data_door), http_door.as_ref()].into_iter().flatten().all(Door::is_local);
    let broadcast_address = broadcast_door.address.to_string();
    let broadcast_key = broadcast_door.told_fingerprint();
    let data_config =
        data_config(settings, limits, &data_door, (broadcast_address, broadcast_key), &tickets)?;
    let told = [&data_config.fingerprint, &data_config.broadcast_fingerprint];
    let told = told.into_iter().filter(|told| told.get().is_some()).cloned().collect();
    let data_config = data_server::Config {
        registration: registration(settings, is_local),
        forwarded: forwarded.clone(),
        ..data_config
    };
    let data = data_server::Server::open(data_config, Arc::clone(&memory) as _)?;
    memory.attach_directory(data.directory());
    let advice = advise_owner(&data, &data_door).await;
    let broadcast_config = broadcast_server::Config {
        forwarded: forwarded.clone(),
        ..broadcast_config(settings, limits, &broadcast_door, &tickets)
    };
    let broadcast = broadcast_server::Server::start(broadcast_config, Arc::clone(&memory) as _, None)?;
    memory.attach_receiver(broadcast.receiver());
    let mut description = format!(
        "data-server on {}, broadcast-server on {}, ",
        data_door.describe(),
        broadcast_door.describe()
    );
    if let Some(door) = &http_door {
        description += &format!("http on {}, ", door.describe());
    }
    if let Some(door) = &metrics_door {
        description += &format!("metrics on {}, ", door.describe());
    }
    description += &format!("database {}", settings.db.value.display());
    let address = data_door.address;
    let reload = Reload { tls: doors.tls().cloned(), told, keys: None, tickets };
    let gateway = gateway(limits, [&data_door, &broadcast_door], http_door.as_ref(), forwarded);
    let sources = Sources {
        data: Some(DataSource::of(&data, None)),
        broadcast: Some(BroadcastSource::of(&broadcast, None)),
        gateway: http_door.is_some().then(|| gateway.counters()),
    };
    let metrics = metrics::serve(metrics_door, sources);
    let house = House {
        data: (data, data_door.listener),
        broadcast: (broadcast, broadcast_door.listener),
        gateway: http_door.map(|door| (gateway, door.listener)),
        _metrics: metrics,
    };
    let stop = CancellationToken::new();
    let task = tokio::spawn(house.serve(stop.clone()));
    Ok(Running { description, address, advice, reload, stop, task })
}

/// All servers of one process, each with its listener.
struct House {
    data: (data_server::Server, TcpListener),
    broadcast: (broadcast_server::Server, TcpListener),
    gateway: Option<(gateway::Server, TcpListener)>,
    /// Shown until all have ended.
    _metrics: JoinSet<()>,
}

impl House {
    /// Serves until it is stopped, or one of the servers ends by itself.
    async fn serve(self, stop: CancellationToken) -> anyhow::Result<()> {
        let (stop_data, stop_broadcast) = (CancellationToken::new(), CancellationToken::new());
        // A server that ends by itself begins the end of all.
        let (broadcast_guard, data_guard) = (stop.clone().drop_guard(), stop.clone().drop_guard());
        let (broadcast, listener) = self.broadcast;
        let stopped = stop_broadcast.clone().cancelled_owned();
        let broadcast_task = tokio::spawn(async move {
            let _guard = broadcast_guard;
            broadcast.serve(listener, stopped).await
        });
        let (data, listener) = self.data;
        let stopped = stop_data.clone().cancelled_owned();
        let data_task = tokio::spawn(async move {
            let _guard = data_guard;
            data.serve(listener, stopped).await
        });
        // Each stops before the one that it speaks to, so that what was begun is finished and delivered.
        let gateway_ended = match self.gateway {
            Some((gateway, listener)) => gateway.serve(listener, stop.cancelled_owned()).await,
            None => {
                stop.cancelled().await;
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
    }
}

/// How to become the owner of a server that others can reach and that has none. On this machine alone, just starting
/// `talko` does it.
async fn advise_owner(server: &data_server::Server, door: &Door) -> Option<String> {
    if door.is_local() || server.has_accounts().await {
        return None;
    }
    let (ip, port) = (door.address.ip(), door.address.port());
    Some(if ip.is_unspecified() {
        format!(
            "Nobody owns this server yet. On this machine, say: \
             talko login --register --user NAME --data-address 127.0.0.1:{port}"
        )
    } else {
        format!(
            "Nobody owns this server yet, and its owner can be made on this machine alone: start it once with \
             --data-address 0.0.0.0:{port}"
        )
    })
}

/// Starts the data-server alone, linked to the broadcast-server.
pub(crate) async fn start_data_server(settings: &Settings) -> anyhow::Result<Running> {
    settings.check_for_serving()?;
    let mut doors = Doors::new(settings);
    let door = doors.open(&settings.data_address.value, "--data-address").await?;
    let metrics_door = doors.open_metrics().await?;
    let path = &settings.service_key_file.value;
    let keys = service_key::read_or_make(path)?;
    let tickets = Tickets::of(&keys);
    let keys = KeyRing::new(keys);
    let broadcast_address = settings.broadcast_address.value.clone();
    let carrier = match settings.tls.value {
        TlsWhen::Auto => Carrier::TlsOffLoopback,
        TlsWhen::Always => Carrier::Tls,
        TlsWhen::Never => Carrier::Plaintext,
    };
    let caller = Caller::start_over(carrier, broadcast_address.clone(), keys.clone());
    let limits = Limits::shared(settings, 1);
    let broadcast = (broadcast_address.clone(), caller.broadcast_fingerprint());
    let config = data_config(settings, limits, &door, broadcast, &tickets)?;
    let told = vec![config.fingerprint.clone()];
    let server = data_server::Server::open(config, Arc::clone(&caller) as _)?;
    caller.attach_directory(server.directory());
    let advice = advise_owner(&server, &door).await;
    let description = format!(
        "data-server on {}, linked to {broadcast_address}, {}database {}",
        door.describe(),
        metrics_door.as_ref().map_or(String::new(), |door| format!("metrics on {}, ", door.describe())),
        settings.db.value.display()
    );
    let sources = Sources { data: Some(DataSource::of(&server, Some(&caller))), ..Sources::default() };
    let metrics = metrics::serve(metrics_door, sources);
    let reload = Reload { tls: doors.tls().cloned(), told, keys: Some((keys, path.clone())), tickets };
    let (address, listener) = (door.address, door.listener);
    let stop = CancellationToken::new();
    let stopped = stop.clone().cancelled_owned();
    let task = tokio::spawn(async move {
        let _metrics = metrics;
        server.serve(listener, stopped).await?;
        caller.flush().await;
        Ok(())
    });
    Ok(Running { description, address, advice, reload, stop, task })
}

/// Starts the broadcast-server alone; data-servers link to it.
pub(crate) async fn start_broadcast_server(settings: &Settings) -> anyhow::Result<Running> {
    settings.check_for_serving()?;
    let mut doors = Doors::new(settings);
    let door = doors.open(&settings.broadcast_address.value, "--broadcast-address").await?;
    let metrics_door = doors.open_metrics().await?;
    let path = &settings.service_key_file.value;
    let keys = service_key::read_or_make(path)?;
    let tickets = Tickets::of(&keys);
    let keys = KeyRing::new(keys);
    let links = Links::new(keys.clone());
    let server = broadcast_server::Server::start(
        broadcast_config(settings, Limits::shared(settings, 1), &door, &tickets),
        Arc::clone(&links) as _,
        Some(Arc::clone(&links) as _),
    )?;
    links.attach_receiver(server.receiver());
    let mut description = format!("broadcast-server on {}", door.describe());
    if let Some(door) = &metrics_door {
        description += &format!(", metrics on {}", door.describe());
    }
    let sources =
        Sources { broadcast: Some(BroadcastSource::of(&server, Some(&links))), ..Sources::default() };
    let metrics = metrics::serve(metrics_door, sources);
    let reload =
        Reload { tls: doors.tls().cloned(), told: Vec::new(), keys: Some((keys, path.clone())), tickets };
    let (address, listener) = (door.address, door.listener);
    let stop = CancellationToken::new();
    let stopped = stop.clone().cancelled_owned();
    let task = tokio::spawn(async move {
        let _metrics = metrics;
        server.serve(listener, stopped).await?;
        Ok(())
    });
    Ok(Running { description, address, advice: None, reload, stop, task })
}

fn data_config(
    settings: &Settings,
    limits: Limits,
    door: &Door,
    (broadcast_address, broadcast_fingerprint): (String, LearntFingerprint),
    tickets: &Tickets,
) -> anyhow::Result<data_server::Config> {
    let path = &settings.db.value;
    if path.is_dir() {
        return Err(Misuse(format!("{} is a directory, not a database", path.display())).into());
    }
    if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
        fs::create_dir_all(directory).with_context(|| format!("cannot create {}", directory.display()))?;
    }
    let is_local = door.is_local();
    let rates = match settings.rates.value {
        RatesName::Default => Rates::default(),
        RatesName::Off => Rates::OFF,
    };
    Ok(data_server::Config {
        rates,
        store_path: path.clone(),
        broadcast_address: Some(broadcast_address),
        broadcast_fingerprint,
        fingerprint: door.told_fingerprint(),
        public_address: settings.public_address.value.clone(),
        protection: door.protection.clone(),
        trust_user_ids: settings.trust_user_ids.value,
        registration: registration(settings, is_local),
        general_room: settings.general_room(),
        session_lifetime: Duration::from_secs(u64::from(settings.session_days.value) * 24 * 3600),
        keep_ms: u64::from(settings.keep_days.value) * 24 * 3_600_000,
        keep_messages: settings.keep_messages.value,
        ticket_key: tickets.signed_by.clone(),
        connections_max: limits.connections_max,
        connections_per_address_max: limits.connections_per_address_max(is_local),
        drain_timeout: limits.drain_timeout,
        text_bytes_max: settings.text_bytes_max.value,
        attachment_bytes_max: settings.attachment_bytes_max.value,
        ..data_server::Config::default()
    })
}

fn broadcast_config(
    settings: &Settings,
    limits: Limits,
    door: &Door,
    tickets: &Tickets,
) -> broadcast_server::Config {
    broadcast_server::Config {
        protection: door.protection.clone(),
        trust_user_ids: settings.trust_user_ids.value,
        ticket_keys: tickets.checked_by.clone(),
        connections_max: limits.connections_max,
        connections_per_address_max: limits.connections_per_address_max(door.is_local()),
        outlets_bytes_max: settings.outlet_bytes_max.value,
        drain_timeout_ms: limits.drain_timeout.as_millis() as u64,
        ..broadcast_server::Config::default()
    }
}

/// Who may make an account, unless the operator has said it: on this machine anybody, elsewhere whoever is invited.
fn registration(settings: &Settings, is_local: bool) -> Registration {
    match settings.registration.value {
        Some(RegistrationName::Open) => Registration::Open,
        Some(RegistrationName::Invitation) => Registration::Invitation,
        Some(RegistrationName::Closed) => Registration::Closed,
        None if is_local => Registration::Open,
        None => Registration::Invitation,
    }
}

fn gateway(
    limits: Limits,
    [data, broadcast]: [&Door; 2],
    http: Option<&Door>,
    forwarded: Forwarded,
) -> gateway::Server {
    gateway::Server::open(gateway::Config {
        protection: http.map(Door::http_protection).unwrap_or_default(),
        data_protection: data.protection.clone(),
        broadcast_protection: broadcast.protection.clone(),
        forwarded: Some(forwarded),
        connections_max: limits.connections_max,
        connections_per_address_max: limits.connections_per_address_max(http.is_none_or(Door::is_local)),
        drain_timeout: limits.drain_timeout,
        ..gateway::Config::new(data.address, broadcast.address)
    })
}

/// What each server of this process may have. They stop one after the other, so they share the time for that.
#[derive(Debug, Clone, Copy)]
struct Limits {
    connections_max: usize,
    drain_timeout: Duration,
}

/// Connections of one address, where strangers can connect.
const CONNECTIONS_PER_ADDRESS_MAX: usize = 1_000;

impl Limits {
    /// On this machine one address is everybody.
    fn connections_per_address_max(self, is_local: bool) -> usize {
        if is_local { self.connections_max } else { CONNECTIONS_PER_ADDRESS_MAX.min(self.connections_max) }
    }

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
