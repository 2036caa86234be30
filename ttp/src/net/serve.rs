//! The accept loop of both servers: a limit on connections, a typed refusal past it, patience when the process
//! is out of file descriptors, and a drain with a deadline.
//!
//! A connection holds its [`Permit`] for as long as it lives; the drain waits until all permits are back.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tracing::{info, warn};

use crate::code::CallError;
use crate::exchange::refusal_frame;
use crate::net::socket;

/// Wait after `accept` failed for want of file descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long a refused peer may take to read why.
const REFUSAL_LINGER: Duration = Duration::from_millis(50);

/// Refused peers that are being told why at one time; further ones are just closed.
const REFUSALS_MAX: usize = 256;

/// What the loop counts. Shared with whoever reports it.
#[derive(Debug, Default)]
pub struct ServeCounters {
    accepted: AtomicU64,
    shed: AtomicU64,
    open: AtomicUsize,
    refusing: AtomicUsize,
    freed: Notify,
}

impl ServeCounters {
    /// Connections that were handed on.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Connections that were refused because the server was full (T41).
    pub fn shed(&self) -> u64 {
        self.shed.load(Ordering::Relaxed)
    }

    /// Connections that are open now.
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }
}

/// A connection's place among the allowed ones. Dropping it frees the place.
#[derive(Debug)]
pub struct Permit {
    counters: Arc<ServeCounters>,
}

impl Permit {
    /// Takes a place.
    pub fn take(counters: &Arc<ServeCounters>) -> Self {
        counters.open.fetch_add(1, Ordering::AcqRel);
        Self { counters: Arc::clone(counters) }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.counters.open.fetch_sub(1, Ordering::AcqRel);
        self.counters.freed.notify_one();
    }
}

/// A connection that was let in.
#[derive(Debug)]
pub struct Accepted {
    /// Its socket, with our options set.
    pub stream: TcpStream,
    /// The other end.
    pub peer: SocketAddr,
    /// To be held as long as the connection lives.
    pub permit: Permit,
}

/// Limits of one accept loop.
#[derive(Debug, Clone, Copy)]
pub struct ServeLimits {
    /// Connections at one time.
    pub connections_max: usize,
    /// How long open connections may go on after the shutdown.
    pub drain_timeout: Duration,
}

/// Accepts until `shutdown` resolves, hands each connection to `accepted`, then waits for all of them to end.
/// Returns how many were still open at the deadline.
///
/// `accepted` must not block. `draining` is called once, when nothing more is accepted.
pub async fn serve(
    listener: TcpListener,
    limits: ServeLimits,
    counters: Arc<ServeCounters>,
    shutdown: impl Future<Output = ()>,
    mut accepted: impl FnMut(Accepted),
    draining: impl FnOnce(),
) -> usize {
    tokio::pin!(shutdown);
    // Failures in a row are told when they begin and when they are over.
    let mut is_failing = false;
    loop {
        let result = tokio::select! {
            () = &mut shutdown => break,
            result = listener.accept() => result,
        };
        match result {
            Ok((stream, peer)) => {
                if std::mem::take(&mut is_failing) {
                    info!("connections are accepted again");
                }
                admit(stream, peer, limits, &counters, &mut accepted);
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
    draining();
    let drained = async {
        while counters.open() > 0 {
            counters.freed.notified().await;
        }
    };
    let _ = tokio::time::timeout(limits.drain_timeout, drained).await;
    counters.open()
}

fn admit(
    stream: TcpStream,
    peer: SocketAddr,
    limits: ServeLimits,
    counters: &Arc<ServeCounters>,
    accepted: &mut impl FnMut(Accepted),
) {
    // Only this loop adds, so the count cannot pass the limit between the check and the addition.
    if counters.open() >= limits.connections_max {
        counters.shed.fetch_add(1, Ordering::Relaxed);
        warn!(%peer, connections_max = limits.connections_max, "connection shed");
        refuse(stream, counters);
        return;
    }
    let permit = Permit::take(counters);
    if let Err(error) = socket::prepare(&stream) {
        info!(%peer, %error, "connection lost before it was served");
        return;
    }
    counters.accepted.fetch_add(1, Ordering::Relaxed);
    info!(%peer, "connection accepted");
    accepted(Accepted { stream, peer, permit });
}

/// Says why, then closes. The short wait for the peer's own bytes keeps the kernel from answering them with a
/// reset, which would take the refusal away from the peer.
fn refuse(mut stream: TcpStream, counters: &Arc<ServeCounters>) {
    if counters.refusing.fetch_add(1, Ordering::AcqRel) >= REFUSALS_MAX {
        counters.refusing.fetch_sub(1, Ordering::AcqRel);
        return;
    }
    let counters = Arc::clone(counters);
    tokio::spawn(async move {
        let frame = refusal_frame(&CallError::overloaded("this server has no place for another connection"));
        let told = async {
            stream.write_all(&frame).await?;
            stream.shutdown().await?;
            let mut scrap = [0u8; 1024];
            while stream.read(&mut scrap).await? > 0 {}
            io::Result::Ok(())
        };
        // Whether the peer listened is its own business.
        let _ = tokio::time::timeout(REFUSAL_LINGER, told).await;
        counters.refusing.fetch_sub(1, Ordering::AcqRel);
    });
}

/// Errors of `accept` that speak of the connection that was being accepted, not of this process.
fn is_about_the_peer(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    )
}
