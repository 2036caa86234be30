//! `HOST:PORT`, and whether it stays on this machine.

use std::io;
use std::net::SocketAddr;

/// Resolves `HOST:PORT` to one socket address; IPv4 is preferred, as both servers listen there by default.
///
/// # Errors
/// The host is unknown, or the text is no address.
pub async fn resolve(address: &str) -> io::Result<SocketAddr> {
    let found: Vec<SocketAddr> = tokio::net::lookup_host(address).await?.collect();
    let first = found.iter().find(|candidate| candidate.is_ipv4()).or(found.first());
    first.copied().ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("{address} has no address")))
}

/// Whether a listener on this address can be reached from this machine only.
pub fn is_loopback(address: &SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}
