//! A world that a test makes: its own network, chance and time of day. Behind feature `simulation`; no build that
//! people run has it.
//!
//! A world belongs to the thread that has entered it. Elsewhere everything is as it is without the feature. Durations
//! are not its business: a runtime whose time is paused rules them, because [`clock::now`](super::clock::now) asks it.

use std::cell::RefCell;
use std::fmt::Debug;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, ReadHalf, WriteHalf};
use tokio::net::TcpStream;

use crate::model::TimestampMs;
use crate::net::socket;

/// What a test makes instead of the operating system.
pub trait World: Send + Sync {
    /// Uniform over all values.
    fn random(&self) -> u64;
    /// The time of day in milliseconds since the Unix epoch.
    fn now_ms(&self) -> TimestampMs;
    /// Connects to a listener of this world.
    fn connect(&self, address: SocketAddr) -> Connecting;
}

/// A connection that comes, or not.
pub type Connecting = Pin<Box<dyn Future<Output = io::Result<Box<dyn Pipe>>> + Send>>;

/// One end of a connection of a world.
pub trait Pipe: AsyncRead + AsyncWrite + Debug + Send + Unpin {}

thread_local! {
    static WORLD: RefCell<Option<Arc<dyn World>>> = const { RefCell::new(None) };
}

/// Leaves the world when it is dropped.
#[derive(Debug)]
pub struct Stay(());

/// Enters a world, with this thread and all that runs on it.
pub fn enter(world: Arc<dyn World>) -> Stay {
    WORLD.set(Some(world));
    Stay(())
}

impl Drop for Stay {
    fn drop(&mut self) {
        // Dropped after the cell is free again: a world may hold what asks for it once more.
        let world = WORLD.take();
        drop(world);
    }
}

/// The world of this thread.
pub(crate) fn world() -> Option<Arc<dyn World>> {
    WORLD.with_borrow(Clone::clone)
}

/// What a client speaks over.
#[derive(Debug)]
pub enum Stream {
    /// The operating system's.
    Tcp(TcpStream),
    /// A world's.
    Simulated(Box<dyn Pipe>),
}

/// Connects, in the world of this thread or by the operating system.
///
/// # Errors
/// As the network says, and `TimedOut`.
pub async fn connect(address: SocketAddr, timeout: Duration) -> io::Result<Stream> {
    match world() {
        Some(world) => Ok(Stream::Simulated(tokio::time::timeout(timeout, world.connect(address)).await??)),
        None => socket::connect(address, timeout).await.map(Stream::Tcp),
    }
}

impl Stream {
    /// Both directions, each by itself.
    pub fn into_split(self) -> (ReadHalf<Self>, WriteHalf<Self>) {
        tokio::io::split(self)
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Simulated(pipe) => Pin::new(pipe).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Simulated(pipe) => Pin::new(pipe).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(context),
            Self::Simulated(pipe) => Pin::new(pipe).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Simulated(pipe) => Pin::new(pipe).poll_shutdown(context),
        }
    }
}
