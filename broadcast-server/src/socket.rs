//! A connection's socket, with or without TLS around it. Nothing here waits.
//!
//! Of TLS only the records are made and read here; the handshake was done elsewhere. Plaintext is taken only when no
//! ciphertext waits for the socket, so at most [`PORTION_BYTES`] and their records' borders wait here, and everything else
//! in the outlet, where it is counted. Bytes that were taken count as sent: a record is never taken back or left half.

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::Shutdown;

use mio::net::TcpStream;
use rustls::ServerConnection;
use ttp::net::tls::headers::RecordHeaders;

/// Plaintext that is encrypted at one time: a record of the greatest length.
const PORTION_BYTES: usize = 16 * 1024;

/// See the module. `W` is what the bytes go to and come from.
#[derive(Debug)]
pub(crate) struct Socket<W = TcpStream> {
    wire: W,
    tls: Option<Box<Tls>>,
}

#[derive(Debug)]
struct Tls {
    session: ServerConnection,
    /// What the handshake has left: records that the peer may send now.
    headers: RecordHeaders,
}

impl<W> Socket<W> {
    /// Without TLS.
    pub(crate) fn plain(wire: W) -> Self {
        Self { wire, tls: None }
    }

    /// With TLS, after the handshake.
    pub(crate) fn tls(wire: W, mut session: ServerConnection, headers: RecordHeaders) -> Self {
        session.set_buffer_limit(Some(PORTION_BYTES));
        Self { wire, tls: Some(Box::new(Tls { session, headers })) }
    }

    pub(crate) fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// What to watch for being ready. What the session has read already, it does not tell.
    pub(crate) fn wire(&mut self) -> &mut W {
        &mut self.wire
    }

    /// What is beneath. A session that there was is lost.
    pub(crate) fn into_wire(self) -> W {
        self.wire
    }
}

impl Socket<TcpStream> {
    /// Tells the peer that nothing more comes, and answers whether that is done. When it finds no room now, flushing and
    /// telling again does.
    ///
    /// # Errors
    /// The peer is gone.
    pub(crate) fn say_goodbye(&mut self) -> io::Result<bool> {
        if let Some(Tls { session, .. }) = self.tls.as_deref_mut() {
            // Once, however often it is said.
            session.send_close_notify();
            match push(session, &mut self.wire) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                other => other?,
            }
        }
        self.wire.shutdown(Shutdown::Write)?;
        Ok(true)
    }
}

impl<W: Read + Write> Read for Socket<W> {
    /// As a socket that does not block. `InvalidData` says that a record was not what the peer had sent.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(Tls { session, headers }) = self.tls.as_deref_mut() else {
            return self.wire.read(buffer);
        };
        loop {
            match session.reader().read(buffer) {
                // Nothing is decrypted, and the peer has not closed.
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                other => return other,
            }
            session.read_tls(&mut Ciphertext { wire: &mut self.wire, headers })?;
            let processed = session.process_new_packets();
            // An answer to a change of keys, or why the session ends. Without room it goes out before what is said next.
            let _ = push(session, &mut self.wire);
            processed.map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
        }
    }
}

impl<W: Write> Write for Socket<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.tls.as_deref_mut() {
            None => self.wire.write(bytes),
            Some(Tls { session, .. }) => encrypt(session, &mut self.wire, &mut [IoSlice::new(bytes)]),
        }
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self.tls.as_deref_mut() {
            None => self.wire.write_vectored(slices),
            Some(Tls { session, .. }) => encrypt(session, &mut self.wire, &mut slices.to_vec()),
        }
    }

    /// Sends what was taken and waits here. Would block when it still waits afterwards.
    fn flush(&mut self) -> io::Result<()> {
        if let Some(Tls { session, .. }) = self.tls.as_deref_mut() {
            push(session, &mut self.wire)?;
        }
        self.wire.flush()
    }
}

/// What the session may read of the wire.
struct Ciphertext<'a, W> {
    wire: &'a mut W,
    headers: &'a mut RecordHeaders,
}

impl<W: Read> Read for Ciphertext<'_, W> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.headers.read(buffer, |buffer| self.wire.read(buffer))
    }
}

/// Takes plaintext as long as the wire takes its records.
fn encrypt(
    session: &mut ServerConnection,
    wire: &mut impl Write,
    mut plaintext: &mut [IoSlice<'_>],
) -> io::Result<usize> {
    push(session, wire)?;
    let mut taken = 0;
    loop {
        let count = session.writer().write_vectored(plaintext)?;
        taken += count;
        IoSlice::advance_slices(&mut plaintext, count);
        match push(session, wire) {
            Ok(()) if count > 0 && !plaintext.is_empty() => {}
            Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(error),
            _ => return Ok(taken),
        }
    }
}

/// Sends the records that wait, all of them or until the wire would block.
fn push(session: &mut ServerConnection, wire: &mut impl Write) -> io::Result<()> {
    while session.wants_write() {
        match session.write_tls(wire) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
