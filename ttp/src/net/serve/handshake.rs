//! What stands between a TCP connection and a server that speaks TLS.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tracing::info;

use super::{Accepted, Permit, REFUSAL_LINGER, ServerStream, linger};
use crate::code::{CallError, ErrorCode};
use crate::exchange::refusal_frame;
use crate::net::tls::checked::Checked;
use crate::net::tls::peer::TlsPeer;
use crate::net::tls::server::ServerTls;

/// The first byte of every TLS connection: a handshake record.
const HANDSHAKE_RECORD: u8 = 0x16;

const HTTP_REFUSAL: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain\r\n\r\n\
    this port speaks TLS: use https\n";

/// Shakes hands within a time. A peer that does not is gone, and its place is free.
pub(super) async fn shake(
    tls: ServerTls,
    stream: TcpStream,
    peer: SocketAddr,
    permit: Permit,
    opening_timeout: Duration,
) -> Option<Accepted> {
    let counters = permit.counters();
    match tokio::time::timeout(opening_timeout, open(&tls, stream)).await {
        Ok(Ok(stream)) => {
            counters.count_handshake();
            let stream = TlsPeer::new(stream, counters.clone());
            Some(Accepted { stream: ServerStream::Tls(Box::new(stream)), peer, permit })
        }
        Ok(Err(error)) => {
            counters.count_failed_handshake();
            info!(%peer, %error, "connection closed: no TLS came about");
            None
        }
        Err(_) => {
            counters.count_late_handshake();
            info!(%peer, "connection closed: the TLS handshake was not completed in time");
            None
        }
    }
}

async fn open(
    tls: &ServerTls,
    mut stream: TcpStream,
) -> io::Result<tokio_rustls::server::TlsStream<Checked<TcpStream>>> {
    let mut first = [0];
    if stream.peek(&mut first).await? == 0 {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the peer said nothing"));
    }
    if first[0] == HANDSHAKE_RECORD {
        return tls.accept(stream).await;
    }
    let refusal = if tls.is_http() {
        HTTP_REFUSAL.to_vec()
    } else {
        refusal_frame(&CallError::new(ErrorCode::TlsRequired, "this port speaks TLS"))
    };
    stream.write_all(&refusal).await?;
    let _ = tokio::time::timeout(REFUSAL_LINGER, linger(&mut stream)).await;
    Err(io::Error::new(io::ErrorKind::InvalidData, "the peer does not speak TLS"))
}
