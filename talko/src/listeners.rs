//! Where the servers listen, and behind what: plaintext on this machine, TLS everywhere else.

use std::io;
use std::net::SocketAddr;

use anyhow::Context;
use tokio::net::TcpListener;
use ttp::net::serve::Protection;
use ttp::net::tls::LearntFingerprint;
use ttp::net::tls::server::{ServerTls, TlsFiles};
use ttp::net::{address, socket};

use crate::choices::TlsWhen;
use crate::failure::Misuse;
use crate::port_owner;
use crate::settings::Settings;

/// A listener, and how it is protected.
pub(crate) struct Door {
    pub(crate) listener: TcpListener,
    pub(crate) address: SocketAddr,
    pub(crate) protection: Protection,
}

impl Door {
    /// The key that it shows, where it speaks TLS.
    pub(crate) fn told_fingerprint(&self) -> LearntFingerprint {
        let told = LearntFingerprint::default();
        if let Protection::Tls(tls) = &self.protection {
            told.set(Some(tls.fingerprint()));
        }
        told
    }

    /// Whether only this machine can come in.
    pub(crate) fn is_local(&self) -> bool {
        address::is_loopback(&self.address)
    }

    /// Its protection where it serves HTTP.
    pub(crate) fn http_protection(&self) -> Protection {
        match &self.protection {
            Protection::Tls(tls) => Protection::Tls(tls.for_http()),
            other => other.clone(),
        }
    }

    /// For the line that says what is served.
    pub(crate) fn describe(&self) -> String {
        match &self.protection {
            Protection::Loopback => self.address.to_string(),
            Protection::Tls(tls) => format!("{} (TLS, key {})", self.address, tls.fingerprint()),
            Protection::Plaintext => {
                format!("{} (PLAINTEXT: anybody on the way can read along)", self.address)
            }
        }
    }
}

/// Opens listeners. What they show in TLS is the same, and read or made when the first needs it.
pub(crate) struct Doors<'a> {
    settings: &'a Settings,
    tls: Option<ServerTls>,
}

impl<'a> Doors<'a> {
    /// None is open yet.
    pub(crate) fn new(settings: &'a Settings) -> Self {
        Self { settings, tls: None }
    }

    /// What listeners with TLS show, if there are any.
    pub(crate) fn tls(&self) -> Option<&ServerTls> {
        self.tls.as_ref()
    }

    /// Binds, and says in one sentence why not.
    pub(crate) async fn open(&mut self, text: &str, flag: &str) -> anyhow::Result<Door> {
        let wanted: SocketAddr = address::resolve(text)
            .await
            .map_err(|error| Misuse(format!("{flag} {text} is not an address to listen on: {error}")))?;
        let is_local = address::is_loopback(&wanted);
        if self.settings.trust_user_ids.value && !is_local {
            let message = format!(
                "{flag} {text} can be reached from other machines, where user ids must not be trusted; leave out \
                 --trust-user-ids, or use a loopback address such as 127.0.0.1:{}",
                wanted.port()
            );
            return Err(Misuse(message).into());
        }
        let protection = match (self.settings.tls.value, is_local) {
            (TlsWhen::Auto | TlsWhen::Never, true) => Protection::Loopback,
            (TlsWhen::Never, false) => Protection::Plaintext,
            (TlsWhen::Always, _) | (TlsWhen::Auto, false) => Protection::Tls(self.show(text)?),
        };
        let listener = bind(wanted, flag)?;
        let address = listener.local_addr()?;
        Ok(Door { listener, address, protection })
    }

    /// Opens the listener for metrics, if there shall be one. On this machine it speaks plaintext whatever others do:
    /// there is no secret in figures. Elsewhere it is protected like any other.
    pub(crate) async fn open_metrics(&mut self) -> anyhow::Result<Option<Door>> {
        let Some(text) = &self.settings.metrics_address.value else {
            return Ok(None);
        };
        let mut door = self.open(text, "--metrics-address").await?;
        if door.is_local() {
            door.protection = Protection::Loopback;
        }
        Ok(Some(door))
    }

    /// Reads the certificate and its key, or makes them on the first start.
    fn show(&mut self, text: &str) -> anyhow::Result<ServerTls> {
        if let Some(tls) = &self.tls {
            return Ok(tls.clone());
        }
        let files = TlsFiles {
            certificate: self.settings.tls_certificate_file.value.clone(),
            key: self.settings.tls_key_file.value.clone(),
        };
        for file in [&files.certificate, &files.key] {
            if let Some(directory) = file.parent() {
                std::fs::create_dir_all(directory)
                    .with_context(|| format!("cannot create {}", directory.display()))?;
            }
        }
        let tls = ServerTls::open(files, &self.names(text))?;
        self.tls = Some(tls.clone());
        Ok(tls)
    }

    /// How the server may be called: in a certificate of our own.
    fn names(&self, text: &str) -> Vec<String> {
        let host = |address: &str| {
            address.rsplit_once(':').map(|(host, _)| host.trim_matches(['[', ']']).to_owned())
        };
        let named = self.settings.public_address.value.as_deref().and_then(host);
        let machine = crate::device::machine_name();
        let mut names: Vec<String> = named.into_iter().chain(host(text)).chain(machine).collect();
        names.push("localhost".into());
        names.retain(|name| !name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_unspecified()));
        names.dedup();
        names
    }
}

fn bind(wanted: SocketAddr, flag: &str) -> anyhow::Result<TcpListener> {
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
