//! Somebody at the other end of a connection, one thing at a time: for what is said before and after a measurement.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use ttp::frame::{Decoder, encode};

/// Longest wait for a reply.
const REPLY_TIMEOUT: Duration = Duration::from_secs(60);

/// Largest reply.
const REPLY_BYTES_MAX: usize = 64 * 1024 * 1024;

/// See the module.
#[derive(Debug)]
pub(crate) struct Peer {
    stream: TcpStream,
    decoder: Decoder,
    asked: u64,
}

impl Peer {
    /// Connects, and agrees on version 2.
    ///
    /// # Errors
    /// Nobody is there, or it speaks something else.
    pub(crate) fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).with_context(|| format!("nobody answers on {address}"))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(REPLY_TIMEOUT))?;
        let mut peer = Self { stream, decoder: Decoder::new(REPLY_BYTES_MAX), asked: 0 };
        peer.call("Hello", &json!({"protocol": [2]}))?;
        Ok(peer)
    }

    /// A person at the data-server.
    ///
    /// # Errors
    /// There is no such person.
    pub(crate) fn person(data_address: SocketAddr, user_id: i64) -> Result<Self> {
        let mut peer = Self::connect(data_address)?;
        peer.call("Authenticate", &json!({"user_id": user_id}))?;
        Ok(peer)
    }

    /// A person's open stream.
    ///
    /// # Errors
    /// The stream was refused.
    pub(crate) fn stream(broadcast_address: SocketAddr, user_id: i64) -> Result<Self> {
        let mut peer = Self::connect(broadcast_address)?;
        peer.call("OpenStream", &json!({"user_id": user_id}))?;
        Ok(peer)
    }

    /// The result of a call. Notifications that come before it are dropped.
    ///
    /// # Errors
    /// The call was refused, or the server is gone.
    pub(crate) fn call(&mut self, method: &str, params: &Value) -> Result<Value> {
        self.asked += 1;
        let request = json!({"jsonrpc": "2.0", "method": method, "params": params, "id": self.asked});
        self.stream.write_all(&encode(request.to_string().as_bytes()))?;
        loop {
            let mut reply: Value = serde_json::from_slice(&self.payload()?)?;
            if reply["id"] == self.asked {
                if let Some(error) = reply.get("error") {
                    bail!("{method} was refused: {error}");
                }
                return Ok(reply["result"].take());
            }
        }
    }

    /// The next payload, whatever it is.
    ///
    /// # Errors
    /// The server is gone, or says nothing for a minute.
    pub(crate) fn payload(&mut self) -> Result<Vec<u8>> {
        let mut scratch = [0; 16 * 1024];
        loop {
            if let Some(payload) = self.decoder.next_payload()? {
                return Ok(payload.to_vec());
            }
            match self.stream.read(&mut scratch)? {
                0 => bail!("the server closed the connection"),
                count => self.decoder.push(&scratch[..count]),
            }
        }
    }

    /// How long [`Peer::payload_soon`] waits.
    ///
    /// # Errors
    /// Never in practice.
    pub(crate) fn set_patience(&self, patience: Duration) -> Result<()> {
        Ok(self.stream.set_read_timeout(Some(patience))?)
    }

    /// The next payload, if one comes soon.
    ///
    /// # Errors
    /// The server is gone.
    pub(crate) fn payload_soon(&mut self) -> Result<Option<Vec<u8>>> {
        match self.payload() {
            Ok(payload) => Ok(Some(payload)),
            Err(error) => match error.downcast_ref::<std::io::Error>().map(std::io::Error::kind) {
                Some(ErrorKind::WouldBlock | ErrorKind::TimedOut) => Ok(None),
                _ => Err(error),
            },
        }
    }

    /// The connection, and what was read of it and not yet looked at.
    pub(crate) fn into_parts(self) -> (TcpStream, Decoder) {
        (self.stream, self.decoder)
    }
}
