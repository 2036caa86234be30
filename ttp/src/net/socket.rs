//! Options that every TCP socket of ours gets, and the listener.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream};

use crate::limits::TCP_USER_TIMEOUT_MS;

/// Connections that may wait for `accept`.
const BACKLOG: i32 = 4096;

/// Bytes that the kernel takes ahead of what the peer has room for. Without this limit it would buffer megabytes for a
/// peer that does not read. What is on its way to the peer does not count, so a long fast path is still filled.
pub const UNSENT_BYTES_MAX: u32 = 128 * 1024;

/// Keepalive probes find a peer that vanished while nothing was being sent, within 10 + 3 × 5 seconds.
const KEEPALIVE: TcpKeepalive = TcpKeepalive::new()
    .with_time(Duration::from_secs(10))
    .with_interval(Duration::from_secs(5))
    .with_retries(3);

/// Binds a listener that a restarted server can bind again at once (T14).
///
/// # Errors
/// As the operating system says, above all that the address is in use.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Connects, within a time, and prepares the socket.
///
/// # Errors
/// As the operating system says, and `TimedOut`.
pub async fn connect(address: SocketAddr, timeout: Duration) -> io::Result<TcpStream> {
    let stream = tokio::time::timeout(timeout, TcpStream::connect(address)).await??;
    prepare(&stream)?;
    Ok(stream)
}

/// No delay for small frames, a vanished peer is noticed, busy or idle, within 30 seconds, and one that does not read
/// makes the kernel hold little.
///
/// # Errors
/// As the operating system says; it does when the peer is gone already.
pub fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    socket.set_tcp_keepalive(&KEEPALIVE)?;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        socket.set_tcp_user_timeout(Some(Duration::from_millis(TCP_USER_TIMEOUT_MS)))?;
        socket.set_tcp_notsent_lowat(UNSENT_BYTES_MAX)?;
    }
    Ok(())
}
