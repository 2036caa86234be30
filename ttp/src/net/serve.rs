//! The accept loop of all servers: limits on connections, a typed refusal past them, TLS where it is spoken, patience
//! when the process is out of file descriptors, and a drain with a deadline.
//!
//! A connection holds its [`Permit`] for as long as it lives, its handshake included; the drain waits until all permits
//! are back.

#[cfg(feature = "tls")]
mod handshake;
mod places;
mod protection;
mod stream;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tracing::{info, warn};

pub use places::{Permit, ServeCounters};
pub use protection::{NotLoopback, Protection};
pub use stream::ServerStream;

use crate::code::CallError;
use crate::exchange::refusal_frame;
use crate::net::forwarded::Forwarded;
use crate::net::socket;

/// Wait after `accept` failed for want of file descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long a refused peer may take to read why.
const REFUSAL_LINGER: Duration = Duration::from_millis(50);

/// How long a refused peer may take for the handshake that it takes to tell it.
#[cfg(feature = "tls")]
const REFUSAL_HANDSHAKE: Duration = Duration::from_secs(2);

/// Refused peers that are being told why at one time; further ones are just closed.
const REFUSALS_MAX: usize = 256;

/// Where connections come in.
#[derive(Debug)]
pub struct Entrance {
    /// The socket.
    pub listener: TcpListener,
    /// Whom a gateway of this process connects for. It counts its connections of one address itself.
    pub forwarded: Forwarded,
}

impl From<TcpListener> for Entrance {
    /// Without a gateway.
    fn from(listener: TcpListener) -> Self {
        Self { listener, forwarded: Forwarded::default() }
    }
}

/// A connection that was let in.
#[derive(Debug)]
pub struct Accepted {
    /// Its socket, with our options set, and the handshake done.
    pub stream: ServerStream,
    /// The other end; where a gateway of this process connected, the other end of that.
    pub peer: SocketAddr,
    /// To be held as long as the connection lives.
    pub permit: Permit,
}

/// Limits of one accept loop.
#[derive(Debug, Clone, Copy)]
pub struct ServeLimits {
    /// Connections at one time.
    pub connections_max: usize,
    /// Connections of one IP address at one time, of one /64 of IPv6. As many as `connections_max` is no limit.
    pub connections_per_address_max: usize,
    /// Time for a TLS handshake.
    pub opening_timeout: Duration,
    /// How long open connections may go on after the shutdown.
    pub drain_timeout: Duration,
}

/// Accepts until `shutdown` resolves, hands each connection to `accepted`, then waits for all of them to end.
/// Returns how many were still open at the deadline.
///
/// Whether the listener's address may be served so, [`Protection::check`] has said before. `accepted` must not block.
/// `draining` is called once, when nothing more is accepted.
pub async fn serve(
    entrance: impl Into<Entrance>,
    protection: &Protection,
    limits: ServeLimits,
    counters: Arc<ServeCounters>,
    shutdown: impl Future<Output = ()>,
    mut accepted: impl FnMut(Accepted),
    draining: impl FnOnce(),
) -> usize {
    tokio::pin!(shutdown);
    let Entrance { listener, forwarded } = entrance.into();
    let mut door = Door { protection, limits, counters: &counters, handshakes: JoinSet::new() };
    // Failures in a row are told when they begin and when they are over.
    let mut is_failing = false;
    loop {
        let result = tokio::select! {
            () = &mut shutdown => break,
            Some(shaken) = door.handshakes.join_next() => {
                if let Ok(Some(connection)) = shaken {
                    door.let_in(connection, &mut accepted);
                }
                continue;
            }
            result = listener.accept() => result,
        };
        match result {
            Ok((stream, peer)) => {
                if std::mem::take(&mut is_failing) {
                    info!("connections are accepted again");
                }
                door.admit(stream, peer, forwarded.take(peer), &mut accepted);
            }
            Err(error) if is_about_the_peer(&error) => {}
            Err(error) => {
                if !std::mem::replace(&mut is_failing, true) {
                    warn!(%error, "accept failed; trying again until it works");
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    // Who has not finished shaking hands has asked for nothing yet.
    drop(door);
    draining();
    let drained = async {
        while counters.open() > 0 {
            counters.freed().await;
        }
    };
    let _ = tokio::time::timeout(limits.drain_timeout, drained).await;
    counters.open()
}

/// What a connection passes before it is served.
struct Door<'a> {
    protection: &'a Protection,
    limits: ServeLimits,
    counters: &'a Arc<ServeCounters>,
    /// As many as connections may be, since each holds a permit.
    handshakes: JoinSet<Option<Accepted>>,
}

impl Door<'_> {
    fn admit(
        &mut self,
        stream: TcpStream,
        peer: SocketAddr,
        origin: Option<SocketAddr>,
        accepted: &mut impl FnMut(Accepted),
    ) {
        let ServeLimits { connections_max, connections_per_address_max, .. } = self.limits;
        let is_counted = origin.is_none() && connections_per_address_max < connections_max;
        let peer = origin.unwrap_or(peer);
        // Only this loop adds, so the count cannot pass the limit between the check and the addition.
        if self.counters.open() >= connections_max {
            self.counters.count_shed();
            warn!(%peer, connections_max, "connection shed");
            return self.refuse(stream, "this server has no place for another connection");
        }
        let permit = if is_counted {
            let Some(permit) = Permit::take_of(self.counters, peer.ip(), connections_per_address_max) else {
                info!(%peer, connections_per_address_max, "connection shed: its address has enough");
                return self
                    .refuse(stream, "this server has no place for another connection from this address");
            };
            permit
        } else {
            Permit::take(self.counters)
        };
        if let Err(error) = socket::prepare(&stream) {
            info!(%peer, %error, "connection lost before it was served");
            return;
        }
        match self.protection {
            #[cfg(feature = "tls")]
            Protection::Tls(tls) => {
                let patience = self.limits.opening_timeout;
                self.handshakes.spawn(handshake::shake(tls.clone(), stream, peer, permit, patience));
            }
            _ => self.let_in(Accepted { stream: ServerStream::Plain(stream), peer, permit }, accepted),
        }
    }

    fn let_in(&self, connection: Accepted, accepted: &mut impl FnMut(Accepted)) {
        self.counters.count_accepted();
        info!(peer = %connection.peer, "connection accepted");
        accepted(connection);
    }

    /// Says why, then closes.
    fn refuse(&self, stream: TcpStream, why: &'static str) {
        let Some(place) = self.counters.place_for_refusal(REFUSALS_MAX) else {
            return;
        };
        let frame = refusal_frame(&CallError::overloaded(why));
        // Whether the peer listens is its own business.
        match self.protection {
            #[cfg(feature = "tls")]
            Protection::Tls(tls) => {
                let tls = tls.clone();
                tokio::spawn(async move {
                    if let Ok(Ok(stream)) = tokio::time::timeout(REFUSAL_HANDSHAKE, tls.accept(stream)).await
                    {
                        tell(stream, &frame).await;
                    }
                    drop(place);
                });
            }
            _ => {
                tokio::spawn(async move {
                    tell(stream, &frame).await;
                    drop(place);
                });
            }
        }
    }
}

async fn tell(mut stream: impl AsyncRead + AsyncWrite + Unpin, frame: &[u8]) {
    let told = async {
        stream.write_all(frame).await?;
        linger(&mut stream).await
    };
    let _ = tokio::time::timeout(REFUSAL_LINGER, told).await;
}

/// Closes our side, and waits for the peer to close its own. Bytes that nobody reads would make the kernel answer with a
/// reset, which would take what was said last away from the peer.
async fn linger(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> io::Result<()> {
    stream.shutdown().await?;
    let mut scrap = [0u8; 1024];
    while stream.read(&mut scrap).await? > 0 {}
    Ok(())
}

/// Errors of `accept` that speak of the connection that was being accepted, not of this process.
fn is_about_the_peer(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    )
}
