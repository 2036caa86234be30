//! A client behind TLS, as a server sees it: a stream that counts records which are not what the client sent, and that
//! calls bytes written only when the socket has taken them.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustls::ServerConnection;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::net::serve::ServeCounters;
use crate::net::tls::checked::Checked;

/// The server's end of a TLS connection.
#[derive(Debug)]
pub struct TlsPeer {
    stream: TlsStream<Checked<TcpStream>>,
    /// Bytes that the session has taken and the socket has not.
    taken: Option<usize>,
    is_refused: bool,
    counters: Arc<ServeCounters>,
}

impl TlsPeer {
    /// After the handshake.
    pub fn new(stream: TlsStream<Checked<TcpStream>>, counters: Arc<ServeCounters>) -> Self {
        Self { stream, taken: None, is_refused: false, counters }
    }

    /// What the two ends have agreed on.
    pub fn session(&self) -> &ServerConnection {
        self.stream.get_ref().1
    }

    /// The bare stream, for a server that drives the session itself. It counts refused records itself then.
    pub fn into_inner(self) -> TlsStream<Checked<TcpStream>> {
        self.stream
    }
}

impl AsyncRead for TlsPeer {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let read = ready!(Pin::new(&mut this.stream).poll_read(context, buffer));
        if let Err(error) = &read
            && error.kind() == io::ErrorKind::InvalidData
            && !std::mem::replace(&mut this.is_refused, true)
        {
            this.counters.count_refused_record();
        }
        Poll::Ready(read)
    }
}

/// A session takes bytes that its socket has no room for, and would keep them until somebody writes or flushes again.
/// Who calls this with a part of its bytes still waiting calls it again with the same bytes, so a write is told only
/// when nothing of it waits any more.
impl AsyncWrite for TlsPeer {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.taken.is_none() {
            this.taken = Some(ready!(Pin::new(&mut this.stream).poll_write(context, bytes))?);
        }
        ready!(Pin::new(&mut this.stream).poll_flush(context))?;
        Poll::Ready(Ok(this.taken.take().unwrap_or(0)))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}
