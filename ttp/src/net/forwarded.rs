//! Whom a gateway connects for, as the servers of its own process are told.
//!
//! Such a connection comes from this machine, whoever is behind it. The gateway says who that is before it connects, here
//! and not on the wire, so that nobody else can; the server's accept loop takes the word at the moment it accepts.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::{TcpSocket, TcpStream};

use crate::net::socket;

/// The ports that connections are made from.
const PORTS: RangeInclusive<u16> = 32_768..=60_999;

/// Distance of two ports that are tried one after the other. It divides nothing, so all of them have their turn.
const STRIDE: u32 = 7_919;

/// Ports that are tried for one connection. Some are taken, or were until a moment ago.
const ATTEMPTS_MAX: usize = 64;

/// The connections that were announced and not accepted yet: no more than there are ports. Clones are the same one.
///
/// A word is not taken back when its connection ends early: the server may find that connection in its queue yet, with
/// all that was said on it, and must not take it for one of this machine.
#[derive(Debug, Clone, Default)]
pub struct Forwarded(Arc<Mutex<Words>>);

#[derive(Debug, Default)]
struct Words {
    /// For whom, by the address that the connection comes from.
    origins: HashMap<SocketAddr, SocketAddr>,
    /// Counts the ports that were tried.
    turn: u32,
}

impl Forwarded {
    /// Connects, on behalf of `origin`, to a server of this process, and prepares the socket.
    ///
    /// # Errors
    /// As the operating system says, and `TimedOut`.
    pub async fn connect(
        &self,
        server: SocketAddr,
        origin: SocketAddr,
        timeout: Duration,
    ) -> io::Result<TcpStream> {
        for _ in 0..ATTEMPTS_MAX {
            let socket = if server.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
            // The system would choose only ports that nobody has had for a minute, and soon find none.
            socket.set_reuseaddr(true)?;
            let local = SocketAddr::new(server.ip(), self.next_port());
            match socket.bind(local) {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => continue,
                bound => bound?,
            }
            let Some(word) = self.announce(local, origin).filter(|_| local != server) else {
                continue;
            };
            match tokio::time::timeout(timeout, socket.connect(server)).await? {
                // It has a connection to this server, or had one until a moment ago.
                Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => {}
                Err(error) => return Err(error),
                Ok(stream) => {
                    word.leave();
                    socket::prepare(&stream)?;
                    return Ok(stream);
                }
            }
        }
        Err(io::Error::new(io::ErrorKind::AddrInUse, "no port is free to connect from"))
    }

    /// Whom a connection is for, if a gateway made it. Can be asked once.
    pub(crate) fn take(&self, peer: SocketAddr) -> Option<SocketAddr> {
        self.lock().origins.remove(&canonical(peer))
    }

    fn next_port(&self) -> u16 {
        let mut words = self.lock();
        words.turn = words.turn.wrapping_add(1);
        let ports = u64::from(PORTS.end() - PORTS.start()) + 1;
        let place = u64::from(words.turn) * u64::from(STRIDE) % ports;
        PORTS.start() + place as u16
    }

    /// `None` when the address is that of another connection, which was not accepted yet.
    fn announce(&self, local: SocketAddr, origin: SocketAddr) -> Option<Word<'_>> {
        let local = canonical(local);
        let mut words = self.lock();
        if words.origins.contains_key(&local) {
            return None;
        }
        words.origins.insert(local, origin);
        Some(Word { forwarded: self, local: Some(local) })
    }

    /// Every change is one step, so the table is right even if a thread panicked elsewhere.
    fn lock(&self) -> MutexGuard<'_, Words> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What was announced for a connection. Taken back if the connection does not come about.
struct Word<'a> {
    forwarded: &'a Forwarded,
    local: Option<SocketAddr>,
}

impl Word<'_> {
    /// Leaves it to the server.
    fn leave(mut self) {
        self.local = None;
    }
}

impl Drop for Word<'_> {
    fn drop(&mut self) {
        if let Some(local) = self.local {
            self.forwarded.lock().origins.remove(&local);
        }
    }
}

/// The same address, whichever kind of socket sees it.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEADLINE: Duration = Duration::from_secs(10);

    /// The server asks at the moment it accepts, whatever became of the connection since.
    #[tokio::test]
    async fn the_origin_is_there_when_the_connection_is_accepted_and_only_then() {
        for listens_on in ["127.0.0.1:0", "[::]:0"] {
            let forwarded = Forwarded::default();
            let listener = socket::listen(listens_on.parse().unwrap()).unwrap();
            let port = listener.local_addr().unwrap().port();
            let server = SocketAddr::new("127.0.0.1".parse().unwrap(), port);
            let origin = "203.0.113.7:4711".parse().unwrap();
            drop(forwarded.connect(server, origin, DEADLINE).await.unwrap());
            let (_, peer) = listener.accept().await.unwrap();
            assert_eq!(forwarded.take(peer), Some(origin), "{listens_on}");
            assert_eq!(forwarded.take(peer), None, "it is used up");
            let direct = TcpStream::connect(server).await.unwrap();
            assert_eq!(forwarded.take(direct.local_addr().unwrap()), None);
        }
    }

    #[tokio::test]
    async fn what_did_not_come_about_is_forgotten() {
        let forwarded = Forwarded::default();
        let nowhere = socket::listen("127.0.0.1:0".parse().unwrap()).unwrap().local_addr().unwrap();
        assert!(forwarded.connect(nowhere, nowhere, DEADLINE).await.is_err());
        assert!(forwarded.lock().origins.is_empty());
    }

    /// Who connects and closes first leaves a port behind that nobody can reserve for a minute.
    #[tokio::test]
    async fn more_connections_than_there_are_ports_can_follow_each_other() {
        let connections = std::env::var("TALKO_FORWARDED_CONNECTIONS").map_or(200, |n| n.parse().unwrap());
        let forwarded = Forwarded::default();
        let listener = socket::listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let server = listener.local_addr().unwrap();
        for _ in 0..connections {
            drop(forwarded.connect(server, server, DEADLINE).await.unwrap());
            let (_, peer) = listener.accept().await.unwrap();
            assert_eq!(forwarded.take(peer), Some(server));
        }
    }
}
