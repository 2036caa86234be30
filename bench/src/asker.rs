//! Somebody who asks one thing at a time and measures how long each answer takes. The request is written before the clock
//! starts to run, and the reply is parsed after it has stopped.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use bytes::Bytes;
use hdrhistogram::Histogram;
use serde_json::{Value, json};
use ttp::frame::{Decoder, encode};
use ttp::net::clock;

use crate::peer::Peer;

/// See the module.
#[derive(Debug)]
pub(crate) struct Asker {
    stream: TcpStream,
    decoder: Decoder,
    scratch: Vec<u8>,
}

impl Asker {
    /// A person at the data-server.
    ///
    /// # Errors
    /// There is no such person.
    pub(crate) fn person(data_address: SocketAddr, user_id: i64) -> Result<Self> {
        Ok(Self::from(Peer::person(data_address, user_id)?))
    }

    /// How long the answer took, and the answer.
    ///
    /// # Errors
    /// The call was refused, or the server is gone.
    pub(crate) fn ask(&mut self, method: &str, params: &Value) -> Result<(Duration, Value)> {
        let request = request(method, params);
        let begun = clock::now();
        self.stream.write_all(&request)?;
        let payload = self.payload()?;
        let took = clock::now() - begun;
        Ok((took, result(method, &payload)?))
    }

    /// Asks, and goes on with something else.
    ///
    /// # Errors
    /// The server is gone.
    pub(crate) fn send(&mut self, method: &str, params: &Value) -> Result<()> {
        Ok(self.stream.write_all(&request(method, params))?)
    }

    /// The answer to what was asked.
    ///
    /// # Errors
    /// The call was refused, or the server is gone.
    pub(crate) fn receive(&mut self, method: &str) -> Result<Value> {
        let payload = self.payload()?;
        result(method, &payload)
    }

    fn payload(&mut self) -> Result<Bytes> {
        loop {
            if let Some(payload) = self.decoder.next_payload()? {
                return Ok(payload);
            }
            match self.stream.read(&mut self.scratch)? {
                0 => bail!("the server closed the connection"),
                count => self.decoder.push(&self.scratch[..count]),
            }
        }
    }
}

fn request(method: &str, params: &Value) -> Vec<u8> {
    let request = json!({"jsonrpc": "2.0", "method": method, "params": params, "id": 0});
    encode(request.to_string().as_bytes()).to_vec()
}

fn result(method: &str, payload: &[u8]) -> Result<Value> {
    let mut reply: Value = serde_json::from_slice(payload)?;
    ensure!(reply.get("error").is_none(), "{method} was refused: {}", reply["error"]);
    ensure!(reply["id"] == 0, "{method} was answered with something else");
    Ok(reply["result"].take())
}

impl From<Peer> for Asker {
    fn from(peer: Peer) -> Self {
        let (stream, decoder) = peer.into_parts();
        Self { stream, decoder, scratch: vec![0; 64 * 1024] }
    }
}

/// How long many answers took.
#[derive(Debug, Clone)]
pub(crate) struct Times {
    microseconds: Histogram<u64>,
}

impl Times {
    /// None yet.
    ///
    /// # Errors
    /// Never in practice.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self { microseconds: Histogram::new(3)? })
    }

    /// One more.
    ///
    /// # Errors
    /// Never in practice.
    pub(crate) fn add(&mut self, took: Duration) -> Result<()> {
        Ok(self.microseconds.record(u64::try_from(took.as_micros())?)?)
    }

    /// Milliseconds that this part of the answers, such as 0.99, did not exceed.
    #[allow(clippy::cast_precision_loss, reason = "no answer takes 2^53 microseconds")]
    pub(crate) fn ms(&self, part: f64) -> f64 {
        self.microseconds.value_at_quantile(part) as f64 / 1_000.0
    }
}
